//! Interfaces and firewall against a real kernel: the network engine and the `system` role in a
//! network namespace of their own, judged by `nft` and `ip` and by real packets (NW1, FW3, AP2).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use causeway_engine::base::time::Instant;
use causeway_engine::net::machine::{MachineReport, MachineRequest};
use causeway_engine::net::{Net, Openings, Wanted};
use causeway_engine::wire::netlink::firewall::{
    Chain, Elements, Expression, Field, Hook, Rule, Ruleset, Set, Verdict,
};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socketpair, sockopt,
};
use nix::sys::time::TimeVal;

/// While a descriptor is open to be inherited, no other test may start a program.
static STARTING: Mutex<()> = Mutex::new(());

/// Runs `test` on a thread with a network namespace of its own, which its programs share.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        enter_namespace();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn enter_namespace() {
    if let Err(fault) = unshare(CloneFlags::CLONE_NEWNET) {
        panic!("not run: 1 (no network namespace: {fault}; root is needed)");
    }
    for tool in ["nft", "ip"] {
        if let Err(fault) = Command::new(tool).arg("-V").output() {
            panic!("not run: 1 ({tool}: {fault})");
        }
    }
}

/// Runs a tool; its output.
fn tool(line: &str) -> String {
    let mut words = line.split(' ');
    let program = words.next().expect("a program");
    let _one_at_a_time = STARTING.lock().unwrap_or_else(|fault| fault.into_inner());
    let output = Command::new(program).args(words).output().expect(program);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {text}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the kernel holds, without the values of counters.
fn rules() -> String {
    tool("nft -s list ruleset")
}

/// The `system` role, and the engine in the gateway's place.
struct Machine {
    role: Child,
    socket: OwnedFd,
    net: Net,
    clock: std::time::Instant,
    refusals: Vec<String>,
}

impl Machine {
    fn start(lan: [&str; 2]) -> Self {
        let (socket, role) = Self::start_role(lan);
        Self {
            role,
            socket,
            net: Net::new(),
            clock: std::time::Instant::now(),
            refusals: Vec::new(),
        }
    }

    fn start_role(lan: [&str; 2]) -> (OwnedFd, Child) {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .expect("a pair of sockets");
        setsockopt(&ours, sockopt::ReceiveTimeout, &TimeVal::new(10, 0)).expect("a timeout");
        let _one_at_a_time = STARTING.lock().unwrap_or_else(|fault| fault.into_inner());
        fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).expect("inheritance");
        let role = Command::new(env!("CARGO_BIN_EXE_causeway"))
            .args(["system", "--fd", &theirs.as_raw_fd().to_string()])
            .args(["--lan1", lan[0], "--lan2", lan[1]])
            .spawn()
            .expect("the system role");
        (ours, role)
    }

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.clock.elapsed().as_millis()).expect("soon"))
    }

    fn receive(&self) -> MachineReport {
        let mut bytes = vec![0; 128 * 1024];
        let length =
            recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::empty()).expect("a report");
        postcard::from_bytes(&bytes[..length]).expect("a report")
    }

    fn ask(&self, request: &MachineRequest) {
        let bytes = postcard::to_allocvec(request).expect("a request");
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty()).expect("the role lives");
    }

    /// Carries requests and reports until the kernel holds all that is wanted.
    fn settle(&mut self) {
        for _ in 0..50 {
            while let Some(request) = self.net.poll_action() {
                self.ask(&request);
            }
            if self.net.is_settled() {
                return;
            }
            let report = self.receive();
            if let MachineReport::Refused { reason, .. } = &report {
                self.refusals.push(reason.clone());
            }
            let now = self.now();
            self.net.handle(now, report);
        }
        panic!(
            "does not settle: {:?} {:?}",
            self.net.conditions(),
            self.refusals
        );
    }

    /// Takes in what the role reports by itself until this holds.
    fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..20 {
            self.settle();
            if holds(self) {
                return;
            }
            let report = self.receive();
            let now = self.now();
            self.net.handle(now, report);
        }
        panic!("does not come true: {:?}", self.net.status());
    }

    fn want(&mut self, wanted: Wanted) {
        let now = self.now();
        self.net.configure(now, wanted);
        self.settle();
        assert_eq!(self.refusals, Vec::<String>::new());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.role.kill();
        let _ = self.role.wait();
    }
}

fn wanted(first: &[(&str, u8)], gateway: &str) -> Wanted {
    let mut wanted = Wanted {
        gateway4: gateway.parse().ok(),
        openings: openings(),
        ..Wanted::default()
    };
    wanted.lans[0].addresses = first
        .iter()
        .map(|(address, prefix)| (address.parse().expect("an address"), *prefix))
        .collect();
    wanted
}

fn openings() -> Openings {
    Openings {
        tcp: vec![443, 5060],
        udp: vec![5060],
        peer_tcp: vec![4371, 4372],
        peer_udp: vec![4372],
        peers: vec![
            "192.0.2.2".parse().expect("an address"),
            "2001:db8::2".parse().expect("an address"),
        ],
    }
}

const CLOSED: &str = "\
table inet causeway {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname \"lo\" accept
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
	}

	chain output {
		type filter hook output priority filter; policy drop;
		oifname \"lo\" accept
	}
}
";

const BASE: &str = "\
table inet causeway {
	set peers4 {
		type ipv4_addr
		flags constant
		elements = { 192.0.2.2 }
	}

	set peers6 {
		type ipv6_addr
		flags constant
		elements = { 2001:db8::2 }
	}

	chain input {
		type filter hook input priority filter; policy drop;
		iifname \"lo\" accept
		ct state established,related accept
		ct state invalid counter drop
		icmp type destination-unreachable accept
		icmp type time-exceeded accept
		icmp type parameter-problem accept
		icmpv6 type destination-unreachable accept
		icmpv6 type packet-too-big accept
		icmpv6 type time-exceeded accept
		icmpv6 type parameter-problem accept
		icmpv6 type mld-listener-query accept
		icmpv6 type mld-listener-report accept
		icmpv6 type mld-listener-done accept
		icmpv6 type mld2-listener-report accept
		icmpv6 type nd-router-solicit accept
		icmpv6 type nd-router-advert accept
		icmpv6 type nd-neighbor-solicit accept
		icmpv6 type nd-neighbor-advert accept
		icmp type echo-request limit rate 50/second burst 20 packets accept
		icmpv6 type echo-request limit rate 50/second burst 20 packets accept
		ip saddr @peers4 tcp dport { 4371, 4372 } counter accept
		ip6 saddr @peers6 tcp dport { 4371, 4372 } counter accept
		tcp dport { 4371, 4372 } counter drop
		ip saddr @peers4 udp dport 4372 counter accept
		ip6 saddr @peers6 udp dport 4372 counter accept
		udp dport 4372 counter drop
		tcp dport { 443, 5060 } counter accept
		udp dport 5060 counter accept
		counter drop
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
	}

	chain output {
		type filter hook output priority filter; policy accept;
	}
}
";

#[test]
fn closed_first_then_the_base_set_replaced_as_one() {
    in_namespace(|| {
        tool("ip link add lan1 type veth peer name lan2");
        let mut machine = Machine::start(["lan1", "lan2"]);
        let started = machine.receive();
        assert_eq!(rules(), CLOSED);
        let now = machine.now();
        machine.net.handle(now, started);
        machine.want(wanted(&[("192.0.2.1", 24)], ""));
        assert_eq!(rules(), BASE);
        let mut fewer = wanted(&[("192.0.2.1", 24)], "");
        fewer.openings = Openings {
            tcp: vec![443],
            ..Openings::default()
        };
        machine.want(fewer);
        let rules = rules();
        assert!(rules.contains("tcp dport 443 counter accept"), "{rules}");
        assert!(
            !rules.contains("437") && !rules.contains("peers4"),
            "{rules}"
        );
    });
}

#[test]
fn the_machine_is_closed_when_the_gateway_or_the_role_is_new() {
    in_namespace(|| {
        tool("ip link add lan1 type veth peer name lan2");
        let mut machine = Machine::start(["lan1", "lan2"]);
        machine.want(wanted(&[("192.0.2.1", 24)], ""));
        assert_eq!(rules(), BASE);
        // The role dies: the next one closes first, and is told everything again.
        machine.role.kill().expect("a child");
        machine.role.wait().expect("a child");
        (machine.socket, machine.role) = Machine::start_role(["lan1", "lan2"]);
        let started = machine.receive();
        assert_eq!(rules(), CLOSED);
        let now = machine.now();
        machine.net.handle(now, started);
        machine.settle();
        assert_eq!(rules(), BASE);
        // The gateway dies: its end of the conversation is closed.
        let (unused, _other) = UnixDatagram::pair().expect("a pair of sockets");
        machine.socket = unused.into();
        assert!(machine.role.wait().expect("a child").success());
        assert_eq!(rules(), CLOSED);
    });
}

/// Every kind of expression, read back by another program.
#[test]
fn all_expressions_mean_what_they_say() {
    in_namespace(|| {
        let accept = || Expression::Verdict(Verdict::Accept);
        let first_byte = Expression::Bytes {
            field: Field::SOURCE4,
            mask: Some(vec![255, 0, 0, 0]),
            value: vec![10, 0, 0, 0],
        };
        let ruleset = Ruleset {
            table: "causeway".into(),
            sets: vec![Set {
                name: Some("ports".into()),
                elements: Elements::Ports(vec![80, 443]),
            }],
            chains: vec![Chain {
                name: "input".into(),
                hook: Hook::Input,
                priority: -10,
                policy: Verdict::Accept,
                rules: vec![
                    Rule(vec![Expression::InterfaceIn("lan1".into()), accept()]),
                    Rule(vec![
                        Expression::Ipv4,
                        first_byte,
                        Expression::Counter,
                        accept(),
                    ]),
                    Rule(vec![
                        Expression::Protocol(6),
                        Expression::InSet {
                            field: Field::PORT,
                            set: 0,
                        },
                        Expression::Log("seen ".into()),
                        Expression::Reject,
                    ]),
                    Rule(vec![
                        Expression::Limit { rate: 10, burst: 7 },
                        Expression::Verdict(Verdict::Drop),
                    ]),
                ],
            }],
        };
        let machine = Machine::start(["lan1", "lan2"]);
        machine.receive();
        let batch = ruleset.replacement(1).expect("a batch");
        machine.ask(&MachineRequest::Firewall { sequence: 1, batch });
        let report = machine.receive();
        assert!(
            matches!(report, MachineReport::Firewall { .. }),
            "{report:?}"
        );
        let rules = rules();
        for line in [
            "type filter hook input priority filter - 10; policy accept;",
            "elements = { 80, 443 }",
            "iifname \"lan1\" accept",
            "ip saddr 10.0.0.0/8 counter accept",
            "tcp dport @ports log prefix \"seen \" reject with icmpx admin-prohibited",
            "limit rate 10/second burst 7 packets drop",
        ] {
            assert!(rules.contains(line), "{line} is not in\n{rules}");
        }
    });
}

#[test]
fn addresses_and_gateway_follow_the_settings() {
    in_namespace(|| {
        tool("ip link add lan1 type veth peer name lan2");
        let mut machine = Machine::start(["lan1", "lan2"]);
        let mut both = wanted(&[("192.0.2.1", 24), ("2001:db8::1", 64)], "192.0.2.254");
        both.lans[1].addresses = vec![("198.51.100.1".parse().expect("an address"), 25)];
        both.lans[1].mtu = Some(1400);
        both.gateway6 = "2001:db8::fe".parse().ok();
        machine.want(both);
        let first = tool("ip -o addr show dev lan1");
        assert!(first.contains("inet 192.0.2.1/24 "), "{first}");
        assert!(first.contains("inet6 2001:db8::1/64 "), "{first}");
        let second = tool("ip addr show dev lan2");
        assert!(second.contains("inet 198.51.100.1/25 ") && second.contains("mtu 1400"));
        let route = tool("ip route show default");
        assert!(
            route.starts_with("default via 192.0.2.254 dev lan1 proto static"),
            "{route}"
        );
        let route = tool("ip -6 route show default");
        assert!(
            route.starts_with("default via 2001:db8::fe dev lan1 proto static"),
            "{route}"
        );
        machine.until(|machine| machine.net.status().iter().all(|lan| lan.link));

        machine.want(wanted(&[("192.0.2.7", 24)], "192.0.2.253"));
        let first = tool("ip -o addr show dev lan1");
        assert!(first.contains("inet 192.0.2.7/24 "), "{first}");
        assert!(
            !first.contains("192.0.2.1/") && !first.contains("2001:db8"),
            "{first}"
        );
        let second = tool("ip -o addr show dev lan2");
        assert!(second.is_empty(), "{second}");
        let route = tool("ip route show default");
        assert!(
            route.starts_with("default via 192.0.2.253 dev lan1 proto static"),
            "{route}"
        );
        assert!(tool("ip -6 route show default").is_empty());

        // Somebody else takes the address away: it comes back without being asked for.
        tool("ip addr del 192.0.2.7/24 dev lan1");
        machine.until(|_| tool("ip -o addr show dev lan1").contains("192.0.2.7/24"));
    });
}

#[test]
fn a_hostile_gateway_reaches_nothing_else() {
    in_namespace(|| {
        tool("ip link add lan1 type veth peer name other");
        tool("nft add table inet theirs");
        let machine = Machine::start(["lan1", "lan2"]);
        machine.receive();
        let mut other = causeway_engine::net::firewall::closed();
        other.table = "theirs".into();
        let up = |index| causeway_engine::wire::netlink::route::Request::SetLink {
            index,
            up: true,
            mtu: None,
        };
        let line = tool("ip -o link show dev other");
        let number = line.split(':').next().expect("a number");
        let number: u32 = number.parse().expect("a number");
        for request in [
            MachineRequest::Firewall {
                sequence: 1,
                batch: other.replacement(1).expect("a batch"),
            },
            MachineRequest::Route {
                sequence: 2,
                messages: vec![up(number).encode(1).expect("a message")],
            },
            MachineRequest::HostName("no/name".into()),
            MachineRequest::Stop(causeway_engine::net::machine::Stop::PowerOff),
        ] {
            machine.ask(&request);
            let report = machine.receive();
            assert!(
                matches!(report, MachineReport::Refused { .. }),
                "{report:?}"
            );
        }
        send(machine.socket.as_raw_fd(), &[0xff; 40], MsgFlags::empty()).expect("sent");
        let report = machine.receive();
        assert!(
            matches!(report, MachineReport::Refused { .. }),
            "{report:?}"
        );
        assert!(rules().contains("table inet theirs {\n}"));
        assert!(tool("ip -o link show dev other").contains("state DOWN"));
    });
}

/// A second namespace at the other end of LAN1: what gets through, packet by packet.
#[test]
fn packets_meet_the_rules() {
    in_namespace(|| {
        let (thread_number, ours) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let outside = thread::spawn(move || {
            enter_namespace();
            thread_number
                .send(nix::unistd::gettid())
                .expect("listening");
            if wait.recv().is_ok() {
                from_outside();
            }
        });
        let number = ours.recv().expect("a namespace");
        tool("ip link add lan1 type veth peer name far");
        tool(&format!("ip link set far netns {number}"));
        let mut machine = Machine::start(["lan1", "none"]);
        machine.want(wanted(&[("192.0.2.1", 24), ("2001:db8::1", 64)], ""));
        let any: IpAddr = "::".parse().expect("an address");
        let listen = |port| TcpListener::bind(SocketAddr::new(any, port)).expect("a listener");
        let _listeners = [443, 5060, 4371, 4372, 22].map(listen);
        let echo = UdpSocket::bind(SocketAddr::new(any, 4372)).expect("a socket");
        thread::spawn(move || {
            let mut bytes = [0; 100];
            while let Ok((length, from)) = echo.recv_from(&mut bytes) {
                let _ = echo.send_to(&bytes[..length], from);
            }
        });
        go.send(()).expect("waiting");
        if let Err(panic) = outside.join() {
            eprintln!("{}", tool("nft list ruleset"));
            std::panic::resume_unwind(panic);
        }
    });
}

fn from_outside() {
    tool("ip link set far up");
    // .2 is a peer, .3 is not; addresses are used at once, nobody else can have them.
    for address in [
        "192.0.2.2/24",
        "192.0.2.3/24",
        "2001:db8::2/64",
        "2001:db8::3/64",
    ] {
        let flag = if address.contains(':') { " nodad" } else { "" };
        tool(&format!("ip addr add {address} dev far{flag}"));
    }
    let mut up = false;
    for _ in 0..50 {
        up = up
            || connects("192.0.2.2", "192.0.2.1", 443)
                && connects("2001:db8::2", "2001:db8::1", 443);
        if up {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert!(up, "the administration port is open over IPv4 and IPv6");
    for (own, far) in [("192.0.2.", "192.0.2.1"), ("2001:db8::", "2001:db8::1")] {
        let (peer, stranger) = (format!("{own}2"), format!("{own}3"));
        for (from, port, open) in [
            (&stranger, 443, true),
            (&stranger, 5060, true),
            (&stranger, 22, false),
            (&peer, 22, false),
            (&peer, 4371, true),
            (&peer, 4372, true),
            (&stranger, 4371, false),
            (&stranger, 4372, false),
        ] {
            assert_eq!(connects(from, far, port), open, "{from} to port {port}");
        }
        assert!(echoes(&peer, far), "beats of {peer}");
        assert!(!echoes(&stranger, far), "beats of {stranger}");
    }
}

fn connects(from: &str, to: &str, port: u16) -> bool {
    let from: SocketAddr = SocketAddr::new(from.parse().expect("an address"), 0);
    let to: SocketAddr = SocketAddr::new(to.parse().expect("an address"), port);
    let attempt = || -> io::Result<TcpStream> {
        let domain = socket2::Domain::for_address(to);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.bind(&from.into())?;
        socket.connect_timeout(&to.into(), Duration::from_millis(400))?;
        Ok(socket.into())
    };
    attempt().is_ok()
}

fn echoes(from: &str, to: &str) -> bool {
    let from: IpAddr = from.parse().expect("an address");
    let to: IpAddr = to.parse().expect("an address");
    let socket = UdpSocket::bind(SocketAddr::new(from, 0)).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_millis(400)))
        .expect("a timeout");
    socket
        .connect(SocketAddr::new(to, 4372))
        .expect("connected");
    let sent = socket.send(b"beat");
    sent.is_ok() && socket.recv(&mut [0; 10]).is_ok()
}
