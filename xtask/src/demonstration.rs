//! What `cargo xtask run` shows where there is no terminal: two appliances from power on to a call
//! across their cluster, told as it happens.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use crate::lab::appliance::Appliance;
use crate::lab::guest::{PATIENCE, Plug};
use crate::lab::host::Host;
use crate::lab::phone::Phone;
use crate::lab::switch::Switch;
use crate::lab::{self, Sockets};
use crate::run::{Options, address, machine};
use crate::tools::{Done, Fault, fault};

/// Domain of the phones.
pub const DOMAIN: &str = "example.net";

/// How long the call lasts.
const TALK: Duration = Duration::from_secs(1);

/// Boots the appliances, forms their cluster, carries one call from the first to the last, powers
/// off.
pub fn run(options: &Options) -> Done {
    let peers = options.peers.unwrap_or(2);
    let place = lab::scratch("demonstration")?;
    let sockets = Sockets::new()?;
    let lan = Switch::new(sockets.path(), "lan");
    let tale = Tale::begin();
    tale.tell(&format!("{peers} appliances are switched on"));
    let mut appliances = Vec::new();
    for peer in 1..=peers {
        let plug = Plug::Switch(lan.port()?.1);
        let mut machine = machine(options, &place, sockets.path(), peer, plug)?;
        machine.shown = false;
        let guest = machine.start()?;
        appliances.push(Appliance { guest });
    }
    for (peer, appliance) in (1..).zip(&mut appliances) {
        first_boot(&tale, peer, appliance)?;
    }
    form(&tale, &mut appliances)?;
    call(&tale, &lan, &mut appliances)?;
    for (peer, appliance) in (1_u8..).zip(&mut appliances) {
        appliance.power_off()?;
        tale.tell(&format!("peer {peer} is off, its data written"));
    }
    println!(
        "The transcripts of the consoles are in {}.",
        place.display()
    );
    Ok(())
}

/// Goes through the wizard and logs in.
pub fn first_boot(tale: &Tale, peer: u8, appliance: &mut Appliance) -> Done {
    appliance.set_up(address(peer), &format!("peer{peer}"), DOMAIN)?;
    appliance.log_in()?;
    tale.tell(&format!(
        "peer {peer} booted as process 1, was set up on its serial console as {}, and lets us in",
        address(peer)
    ));
    Ok(())
}

/// Forms the cluster by hand, as an administrator does, and sees it replicate.
pub fn form(tale: &Tale, appliances: &mut [Appliance]) -> Done {
    let list: Vec<_> = (1..)
        .zip(&*appliances)
        .map(|(peer, _)| {
            (
                format!("Alternates Peer {peer} Address"),
                address(peer).to_string(),
            )
        })
        .collect();
    let mut settings = vec![("Alternates Cluster Name", "cluster.example.net")];
    settings.extend(
        list.iter()
            .map(|(path, address)| (path.as_str(), address.as_str())),
    );
    for appliance in &mut *appliances {
        appliance.set(&settings)?;
    }
    let [first, others @ ..] = appliances else {
        return fault("a cluster needs a peer");
    };
    first.set(&[("SIP Domain 1 Name", DOMAIN)])?;
    let active = others.len();
    first.until("all peers are active", |peer| {
        let status = peer.status("Cluster")?;
        Ok((status.matches("Status: \"Active\"").count() == active).then_some(()))
    })?;
    tale.tell("the cluster is formed; peer 1, its primary, sees all others active");
    for (number, other) in (2..).zip(others) {
        other.until("the domain is replicated", |peer| {
            let domain = peer.setting("SIP Domain 1 Name")?;
            Ok((domain == DOMAIN).then_some(()))
        })?;
        tale.tell(&format!(
            "peer {number} has the SIP domain that was set on peer 1"
        ));
    }
    Ok(())
}

/// One phone registers at the first peer, one at the last; the first calls.
pub fn call(tale: &Tale, lan: &Switch, appliances: &mut [Appliance]) -> Done {
    let last = u8::try_from(appliances.len()).unwrap_or(u8::MAX);
    let phone = |user, host, peer| -> Done<Phone> {
        let host = Host::new(lan.inner_port()?, Ipv4Addr::new(10, 0, 2, host));
        let proxy = SocketAddrV4::new(address(peer), 5060);
        let mut phone = Phone::new(host, proxy, user, DOMAIN, PATIENCE);
        phone.register()?;
        tale.tell(&format!("{user} has registered at peer {peer}"));
        Ok(phone)
    };
    let mut alice = phone("alice", 101, 1)?;
    let mut bob = phone("bob", 102, last)?;
    appliances[0].until("peer 1 knows where bob is", |peer| {
        let registrations = peer.status("Registrations")?;
        Ok(registrations.contains("bob@").then_some(()))
    })?;
    tale.tell("peer 1 knows where bob is");
    std::thread::scope(|scope| {
        let answering = scope.spawn(move || -> Done {
            let call = bob.answer()?;
            tale.tell("bob answers");
            bob.hung_up(&call)
        });
        tale.tell("alice calls bob");
        let call = alice.call("bob")?;
        std::thread::sleep(TALK);
        alice.hang_up(&call)?;
        let answered = answering.join();
        answered.map_err(|_| Fault("bob's phone broke".into()))??;
        tale.tell("alice has hung up, and bob agrees");
        Ok(())
    })
}

/// What happens, with the seconds since the beginning.
#[derive(Debug)]
pub struct Tale(Instant);

impl Tale {
    /// Begins now.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Tells one thing.
    pub fn tell(&self, what: &str) {
        println!("{:6.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}
