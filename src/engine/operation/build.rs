//! From what is asked and what is seen to the steps of a plan, in the safe order (SPEC LC1).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::base::ids::PeerId;
use crate::base::limits;
use crate::base::time::Wall;
use crate::cluster::seen::{Member, Seen};
use crate::config::revision::Author;
use crate::config::settings::lan_addresses;

use super::View;
use super::join::Joiner;
use super::plan::{Deed, Expect, Plan, PlanState, Step, Values};
use super::status::{Kind, Request};

const PRIMARY: &str = "Alternates ConfigurationPrimary";

/// Items beside the list that are the same on every peer without being replicated.
const SHARED: [&str; 3] = [
    "Alternates Cluster Name",
    "Alternates Cluster IPVersion",
    "Alternates Cluster TLSVerification",
];

/// The plan for a request, without its name and author.
///
/// # Errors
///
/// Why it cannot be done here and now.
pub(super) fn plan(request: &Request, view: &View<'_>) -> Result<Plan, Vec<String>> {
    let plan = match request {
        Request::ChangePrimary { peer, force } => change_primary(&view.seen, *peer, *force),
        Request::Create { name, address } => create(view, name, address),
        Request::RollingRestart => rolling_restart(&view.seen),
        Request::Purge { peer } => purge(&view.seen, *peer),
        _ => Err("this cannot be done in this version".into()),
    };
    plan.map_err(|reason| vec![reason])
}

/// The plan that makes a system a peer, whose identity was proved by a code.
///
/// # Errors
///
/// Why it cannot be done here and now.
pub(super) fn join(joiner: &Joiner, view: &View<'_>) -> Result<Plan, Vec<String>> {
    admit(joiner, view).map_err(|reason| vec![reason])
}

fn admit(joiner: &Joiner, view: &View<'_>) -> Result<Plan, String> {
    let seen = &view.seen;
    leads(seen)?;
    all_active(seen)?;
    let Joiner { id, address, .. } = joiner;
    if seen.members.len() >= limits::PEERS {
        return Err("the cluster has six peers already".into());
    }
    if seen.members.iter().any(|member| member.id == Some(*id)) {
        return Err("a peer has the identity of this system already".into());
    }
    let number = seen.members.len() + 1;
    let item = peer_item(number);
    let title = format!("{address} joins as peer {number}");
    let own = seen
        .members
        .iter()
        .filter(|member| member.id == Some(seen.own));
    let others = seen
        .members
        .iter()
        .filter(|member| member.id != Some(seen.own));
    let living = ids(seen.members.iter());
    let step = |member: &Member| {
        let deed = Deed::Admit {
            values: vec![(item.clone(), address.clone())],
            pins: vec![(address.clone(), *id)],
            secret: false,
        };
        let expect = Expect::InStep {
            peers: living.clone(),
        };
        let title = format!("{} takes {address} into its list", name(member));
        member
            .id
            .map(|target| Step::new(title, target, deed, expect))
    };
    let mut steps: Vec<Step> = own.chain(others).filter_map(step).collect();
    let tree = view.configuration.tree();
    let mut values: Values = SHARED
        .iter()
        .map(|item| (item.to_string(), tree.text(item).to_string()))
        .collect();
    let numbers = ["Alternates Configuration Port", "Alternates State Port"];
    values.extend(numbers.map(|item| (item.to_string(), tree.number(item).to_string())));
    values.push((PRIMARY.to_string(), tree.number(PRIMARY).to_string()));
    let listed = seen.members.iter().map(|member| member.address.clone());
    values.extend(list(listed.chain([address.clone()]).collect()));
    let pin = |member: &Member| Some((member.address.clone(), member.id?));
    let deed = Deed::Admit {
        values,
        pins: seen.members.iter().filter_map(pin).collect(),
        secret: true,
    };
    let everybody: Vec<PeerId> = living.iter().copied().chain([*id]).collect();
    let expect = Expect::InStep { peers: everybody };
    let last = format!("{address} takes the settings and the configuration of the cluster");
    steps.push(Step::new(last, *id, deed, expect));
    let mut plan = whole(Kind::Join, title, steps, seen);
    plan.members.push(*id);
    Ok(plan)
}

fn create(view: &View<'_>, cluster: &str, address: &str) -> Result<Plan, String> {
    let seen = &view.seen;
    if !seen.members.is_empty() {
        return Err("this system is in a cluster already".into());
    }
    let own = lan_addresses(view.configuration.tree());
    let address = match (address, own.first()) {
        ("", Some(first)) => *first,
        ("", None) => return Err("Ethernet 1: a cluster needs this system's own address".into()),
        (typed, _) => typed
            .parse()
            .map_err(|_| format!("Address: {typed} is no IP address"))?,
    };
    let version = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let mut values = vec![
        ("Alternates Cluster Name".to_string(), cluster.to_string()),
        (
            "Alternates Cluster IPVersion".to_string(),
            version.to_string(),
        ),
        (PRIMARY.to_string(), "1".to_string()),
    ];
    values.extend(list(vec![address.to_string()]));
    let expect = Expect::Follow {
        primary: seen.own,
        peers: vec![seen.own],
    };
    let title = format!("Form the cluster {cluster} of this system alone");
    let step = Step::new(title.clone(), seen.own, Deed::Set(values), expect);
    Ok(whole(Kind::Create, title, vec![step], seen))
}

fn change_primary(seen: &Seen, peer: u8, force: bool) -> Result<Plan, String> {
    let (new, id) = known(seen, peer)?;
    if seen.state.primary == Some(id)
        && seen
            .members
            .iter()
            .all(|member| member.state.is_none_or(|state| state.primary == Some(id)))
    {
        return Err(format!(
            "peer {peer} ({}) is the primary already",
            new.address
        ));
    }
    if !new.active {
        return Err(format!("peer {peer} ({}) cannot be reached", new.address));
    }
    let living = ids(seen.members.iter().filter(|member| member.active));
    let old = seen.primary();
    let majority = living.len() * 2 > seen.members.len();
    let old_lives = old.is_some_and(|old| old.active);
    let safe = majority && old_lives;
    if !safe && !force {
        let missing: Vec<&str> = seen
            .members
            .iter()
            .filter(|member| !member.active)
            .map(|member| member.address.as_str())
            .collect();
        return Err(format!(
            "{} cannot be reached: make sure that nobody changes the configuration there, then \
             repeat this with Force: Yes",
            missing.join(", ")
        ));
    }
    let value = || vec![(PRIMARY.to_string(), peer.to_string())];
    let set = |member: &Member, target: PeerId| {
        let title = format!("{} takes peer {peer} as primary", name(member));
        let expect = Expect::Follow {
            primary: id,
            peers: vec![target],
        };
        Step::new(title, target, Deed::Set(value()), expect)
    };
    let mut steps = vec![set(new, id)];
    let old = old.filter(|old| old.active && old.id != Some(id));
    let old = old.and_then(|old| Some((old, old.id?)));
    steps.extend(old.map(|(member, id)| set(member, id)));
    for member in seen.members.iter().filter(|member| member.active) {
        if let Some(target) = member.id
            && !steps.iter().any(|step| step.target == target)
        {
            steps.push(set(member, target));
        }
    }
    steps.push(in_step(seen, living));
    let title = format!("Change the primary to peer {peer} ({})", new.address);
    let mut plan = whole(Kind::ChangePrimary, title, steps, seen);
    if force {
        plan.outside.push(
            "Peers that could not be reached follow the new primary when they return; what only \
             they held is kept there as a branch: xCommand ConfigurationBranches"
                .into(),
        );
    }
    Ok(plan)
}

fn rolling_restart(seen: &Seen) -> Result<Plan, String> {
    let primary = seen.primary().ok_or("there is no primary")?;
    all_active(seen)?;
    let everybody = ids(seen.members.iter());
    let mut order: Vec<&Member> = vec![primary];
    order.extend(seen.members.iter().filter(|member| member.id != primary.id));
    let step = |member: &Member| {
        let expect = Expect::InStep {
            peers: everybody.clone(),
        };
        let title = format!("{} restarts", name(member));
        member
            .id
            .map(|id| Step::new(title, id, Deed::Restart, expect))
    };
    let steps: Vec<Step> = order.into_iter().filter_map(step).collect();
    let title = "Restart all peers, the primary first".to_string();
    let mut plan = whole(Kind::RollingRestart, title, steps, seen);
    plan.outside.clear();
    Ok(plan)
}

fn purge(seen: &Seen, peer: u8) -> Result<Plan, String> {
    let (of, owner) = known(seen, peer)?;
    let active = seen.members.iter().filter(|member| member.active);
    let step = |member: &Member| {
        let title = format!("{} forgets the shared state of peer {peer}", name(member));
        let target = member.id?;
        Some(Step::new(
            title,
            target,
            Deed::Purge(owner),
            Expect::Nothing,
        ))
    };
    let steps: Vec<Step> = active.filter_map(step).collect();
    let title = format!("Purge the shared state of peer {peer} ({})", of.address);
    let mut plan = whole(Kind::Purge, title, steps, seen);
    // Registrations that were forgotten come back only from the devices.
    plan.irrevocable = 0;
    plan.outside = vec!["Devices register again by themselves.".into()];
    Ok(plan)
}

/// A plan around its steps.
fn whole(kind: Kind, title: String, steps: Vec<Step>, seen: &Seen) -> Plan {
    let mut members = ids(seen.members.iter());
    if !members.contains(&seen.own) {
        members.push(seen.own);
    }
    Plan {
        id: [0; 16],
        kind,
        title,
        author: Author {
            name: String::new(),
            address: String::new(),
            face: String::new(),
        },
        began: Wall::default(),
        state: PlanState::Running,
        fault: String::new(),
        irrevocable: steps.len(),
        steps,
        members,
        findings: Vec::new(),
        outside: outside(kind),
    }
}

/// The last step of most plans.
fn in_step(seen: &Seen, peers: Vec<PeerId>) -> Step {
    let title = "All peers hold the primary's configuration".to_string();
    let expect = Expect::InStep { peers };
    Step::new(title, seen.own, Deed::Nothing, expect)
}

/// Systems that know the peers of a cluster by themselves.
fn outside(kind: Kind) -> Vec<String> {
    match kind {
        Kind::ChangePrimary | Kind::RollingRestart | Kind::Purge => Vec::new(),
        Kind::Create
        | Kind::Join
        | Kind::RemoveLive
        | Kind::RemoveDead
        | Kind::Disband
        | Kind::ChangeAddress => [
            "Neighbour and traversal client zones of other systems that list the peers",
            "Call managers that list the peers",
            "DNS: SRV, A, AAAA and PTR records of the cluster and of the peer",
            "Endpoints that are configured with a peer's address",
            "Identity provider: the metadata of the cluster",
            "External manager (TMS): add or remove the peer, then force a refresh",
        ]
        .map(String::from)
        .to_vec(),
    }
}

fn known(seen: &Seen, peer: u8) -> Result<(&Member, PeerId), String> {
    let place = |member: &&Member| member.position.number() == peer;
    let member = seen.members.iter().find(place);
    let member = member.ok_or_else(|| match seen.members.len() {
        0 => "this system is in no cluster".to_string(),
        count => format!("there is no peer {peer}: the cluster has {count}"),
    })?;
    let id = member
        .id
        .ok_or_else(|| format!("peer {peer} ({}) has never been met", member.address))?;
    Ok((member, id))
}

/// Whether this peer is the primary.
fn leads(seen: &Seen) -> Result<(), String> {
    match seen.primary() {
        Some(primary) if primary.id == Some(seen.own) => Ok(()),
        Some(primary) => Err(format!("do it on the primary ({})", primary.address)),
        None => Err("this system is in no cluster, or has not met the primary".into()),
    }
}

fn peer_item(number: usize) -> String {
    format!("Alternates Peer {number} Address")
}

/// The whole list of peers, with what is empty in it.
fn list(addresses: Vec<String>) -> Values {
    let address = |number: usize| addresses.get(number - 1).cloned().unwrap_or_default();
    (1..=limits::PEERS)
        .map(|number| (peer_item(number), address(number)))
        .collect()
}

fn all_active(seen: &Seen) -> Result<(), String> {
    match seen.members.iter().find(|member| !member.active) {
        None => Ok(()),
        Some(member) => Err(format!("{} cannot be reached", name(member))),
    }
}

fn ids<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<PeerId> {
    members.filter_map(|member| member.id).collect()
}

fn name(member: &Member) -> String {
    format!("Peer {} ({})", member.position, member.address)
}
