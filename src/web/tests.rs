//! The pages over a node made of one table, as a browser sees them on the wire.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_io::Async;
use causeway_engine::admin::status::{
    CallStatus, DrainStatus, LicenceStatus, ListenerStatus, RegistrationStatus, Status,
    SystemStatus,
};
use causeway_engine::admin::{Answer, Command, Refusal};
use causeway_engine::alarm::catalogue::PEER_LOST;
use causeway_engine::alarm::history::{Fate, Noted};
use causeway_engine::alarm::{Alarm, Severity};
use causeway_engine::base::ids::{PeerId, Position};
use causeway_engine::base::socket::Service;
use causeway_engine::base::time::Wall;
use causeway_engine::cluster::status::{ClusterStatus, PeerState, PeerStatus};
use causeway_engine::config::path::Path;
use causeway_engine::directory::shared::{CallId, Load};
use causeway_engine::net::status::LanStatus;
use causeway_engine::sip::status::SipStatus;

use super::{Web, serve};
use crate::accounts::{self, Accounts, PASSWORD_ITEM};
use crate::ask::{Asker, Question};

const PASSWORD: &str = "correct horse";
const NOW: Wall = Wall::from_millis(1_795_444_200_000);

/// A node that keeps what it is told, and refuses a gap in the peer list.
#[derive(Debug, Default)]
struct Table {
    values: BTreeMap<String, String>,
    acknowledged: Vec<u32>,
    peers: usize,
}

impl Table {
    fn answer(&mut self, command: Command) -> Result<Answer, Refusal> {
        match command {
            Command::Value(path) => {
                let default = Path::parse(&path).map_or("", |path| path.item().default);
                let value = self.values.get(&path).map_or(default, String::as_str);
                Ok(Answer::Value(value.into()))
            }
            Command::Status => Ok(Answer::Status(Box::new(sample(self.peers)))),
            Command::Set(changes) => self.set(changes),
            Command::AcknowledgeAlarm(id) => {
                self.acknowledged.push(id);
                Ok(Answer::Text("OK\n".into()))
            }
            Command::AlarmHistory(_) => Ok(Answer::AlarmHistory(vec![Noted {
                number: 1,
                time: NOW,
                fate: Fate::Acknowledged,
                id: 15_015,
                severity: Severity::Warning,
                title: "Maintenance mode".into(),
                detail: "<new> calls".into(),
                by: "admin".into(),
            }])),
            _ => Ok(Answer::Text(String::new())),
        }
    }

    fn set(&mut self, changes: Vec<(String, String)>) -> Result<Answer, Refusal> {
        let mut values = self.values.clone();
        values.extend(changes);
        let peer = |number: u8| {
            let value = values.get(&format!("Alternates Peer {number} Address"));
            value.is_some_and(|value| !value.is_empty())
        };
        if (1..6).any(|number| !peer(number) && peer(number + 1)) {
            let reason = "Alternates Peer: fill the peer addresses from 1 on, without gaps";
            return Err(Refusal {
                reasons: vec![reason.into()],
            });
        }
        self.values = values;
        Ok(Answer::Saved { on: 2, of: 2 })
    }
}

/// The state of a cluster of `peers`, this one the first.
pub(super) fn sample(peers: usize) -> Status {
    let listener = |service, port| ListenerStatus {
        service,
        address: SocketAddr::from(([192, 168, 1, 23], port)),
        fault: None,
    };
    Status {
        system: SystemStatus {
            name: "gateway-1".into(),
            version: "0.1.0".into(),
            id: PeerId([0x4c; 32]),
            uptime: Duration::from_secs(273_845),
            time: NOW,
            set_up: false,
        },
        lans: vec![LanStatus {
            number: 1,
            interface: Some("eth0".into()),
            mac: Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]),
            link: true,
            addresses: vec![(IpAddr::from([192, 168, 1, 23]), 24)],
            fault: None,
        }],
        listeners: vec![
            listener(Service::SipUdp, 5060),
            listener(Service::SipTcp, 5060),
            listener(Service::PeerConfiguration, 4371),
            listener(Service::PeerState, 4372),
            listener(Service::Web, 443),
        ],
        certificates: Default::default(),
        cluster: ClusterStatus {
            name: if peers == 0 {
                String::new()
            } else {
                "cluster.example.com".into()
            },
            primary: Position::new(1),
            epoch: 3,
            own: if peers == 0 { None } else { Position::new(1) },
            database_active: peers > 0,
            peers: (1..=peers).map(peer).collect(),
            revision: (3, 42),
        },
        sip: SipStatus {
            calls: 12,
            transactions: 31,
            registrations: 128,
            requests: 48_211,
            malformed: 3,
            stray: 0,
            shed: 0,
        },
        registrations: (0..250).map(registration).collect(),
        calls: vec![call()],
        drains: vec![DrainStatus {
            peer: Position::new(1),
            load: Load {
                maintenance: false,
                calls: 1,
                registrations: 2,
            },
        }],
        licences: LicenceStatus::default(),
        alarms: vec![alarm(peers)],
        operation: Default::default(),
    }
}

fn peer(number: usize) -> PeerStatus {
    let state = match number {
        1 => PeerState::ThisSystem,
        4 => PeerState::Failed,
        5 => PeerState::Unknown,
        _ => PeerState::Active,
    };
    let alive = state == PeerState::Active;
    PeerStatus {
        position: Position::new(number as u8).expect("1 to 6"),
        address: format!("192.168.1.{}", 22 + number),
        state,
        reason: (state == PeerState::Failed).then(|| "no beat for 14 s".into()),
        id: alive.then_some(PeerId([number as u8; 32])),
        certificate: if alive {
            "Invalid: self-signed".into()
        } else {
            String::new()
        },
        version: alive.then(|| "0.1.0".into()),
        round_trip: alive.then(|| Duration::from_micros(420)),
        last_contact: alive.then_some(NOW),
        revision: alive.then_some((3, 42)),
        lag: alive.then_some(0),
        items: 64,
    }
}

fn registration(number: u32) -> RegistrationStatus {
    RegistrationStatus {
        aor: format!("sip:user{number}@example.com"),
        contact: format!(
            "sip:user{number}@10.0.0.{}:5060;transport=tcp",
            number % 250
        ),
        peer: Position::new((number % 2 + 1) as u8),
        expires_in: Duration::from_secs(u64::from(1800 - number)),
        user_agent: "Room system <8.3>".into(),
    }
}

fn alarm(count: usize) -> Alarm {
    Alarm {
        condition: PEER_LOST.about("peer 2", "peer 2"),
        first: NOW,
        last: NOW,
        count: count as u32,
        acknowledged: false,
    }
}

/// Pages over a table.
struct Fixture {
    web: Arc<Web>,
    table: Arc<Mutex<Table>>,
    _node: smol::Task<()>,
}

impl Fixture {
    fn new(password: Option<&str>) -> Self {
        let table = Arc::new(Mutex::new(Table {
            peers: 2,
            ..Table::default()
        }));
        if let Some(password) = password {
            let hash = accounts::hash(password).expect("a hash");
            let mut table = table.lock().expect("a table");
            table.values.insert(PASSWORD_ITEM.into(), hash);
        }
        let (asker, questions) = Asker::new(64);
        let kept = Arc::clone(&table);
        let node = smol::spawn(async move {
            while let Ok(Question { command, reply, .. }) = questions.recv().await {
                let answer = kept.lock().expect("a table").answer(command);
                let _ = reply.send(answer).await;
            }
        });
        let web = Arc::new(Web {
            accounts: Accounts::new(asker.clone()),
            asker,
            connections: Mutex::default(),
        });
        Self {
            web,
            table,
            _node: node,
        }
    }

    /// Sends bytes on a connection of its own; gives what comes back until it is closed.
    fn send(&self, bytes: &[u8]) -> String {
        let (mut client, server) = UnixStream::pair().expect("a pair");
        let server = Async::new(server).expect("a stream");
        let from = IpAddr::from([192, 0, 2, 1]);
        let served = smol::spawn(serve(Arc::clone(&self.web), server, from));
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        // A server that has seen enough may close before all is written.
        let _ = client.write_all(bytes);
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        drop(client);
        smol::block_on(served);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str, cookie: &str) -> String {
        self.send(
            format!(
                "GET {path} HTTP/1.1\r\nHost: box\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
            )
            .as_bytes(),
        )
    }

    fn post(&self, path: &str, cookie: &str, more: &str, body: &str) -> String {
        let length = body.len();
        self.send(
            format!(
                "POST {path} HTTP/1.1\r\nHost: box\r\nCookie: {cookie}\r\n{more}\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            )
            .as_bytes(),
        )
    }

    /// Logs in; the session's cookie, and what its forms carry.
    fn log_in(&self) -> (String, String) {
        let answer = self.post("/login", "", "", "name=admin&password=correct+horse");
        let cookie = between(&answer, "set-cookie: ", ";").to_owned();
        let page = self.get("/status/alarms", &cookie);
        (
            cookie,
            between(&page, "name=\"form\" value=\"", "\"").to_owned(),
        )
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"))
        .1;
    rest.split(after).next().unwrap_or("")
}

fn code(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("")
}

fn call() -> CallStatus {
    CallStatus {
        id: CallId([0x5a; 8]),
        from: "sip:ann@example.net".into(),
        to: "sip:bob@example.net".into(),
        since: Wall::from_millis(0),
        peers: vec![Position::new(1), Position::new(2)]
            .into_iter()
            .flatten()
            .collect(),
        controlled: true,
    }
}

#[test]
fn every_page_asks_for_a_login_and_then_shows() {
    let fixture = Fixture::new(Some(PASSWORD));
    let pages = [
        ("/status/overview", "48\u{202f}211"),
        ("/status/registrations", "sip:user7@example.com"),
        ("/status/alarms", "Cluster communication failure"),
        ("/status/alarms", "acknowledged by admin"),
        (
            "/status/calls",
            "Disconnect sip:ann@example.net and sip:bob@example.net",
        ),
        ("/system/clustering", "Certificate: Invalid: self-signed"),
        ("/system/network", "IPv4 subnet mask"),
        ("/configuration/sip", "UDP port"),
    ];
    for (page, _) in pages {
        let answer = fixture.get(page, "");
        assert!(
            answer.contains(&format!("location: /login?then={page}")),
            "{answer}"
        );
    }
    let (cookie, _) = fixture.log_in();
    for (page, text) in pages {
        let answer = fixture.get(page, &cookie);
        assert_eq!(code(&answer), "200", "{page}");
        assert!(answer.contains(text), "{page}: no {text}");
        assert!(
            answer.contains("aria-current=\"page\""),
            "{page} is in the menu"
        );
        assert!(
            !answer.contains("Room system <8.3>"),
            "{page} lets markup through"
        );
    }
    assert_eq!(code(&fixture.get("/nowhere", &cookie)), "404");
}

#[test]
fn the_cookie_and_every_answer_carry_what_browsers_must_know() {
    let fixture = Fixture::new(Some(PASSWORD));
    let answer = fixture.post("/login", "", "", "name=admin&password=correct+horse");
    let cookie = between(&answer, "set-cookie: ", "\r\n");
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    for answer in [fixture.get("/login", ""), fixture.get("/nowhere", "")] {
        for header in [
            "content-security-policy: default-src 'none'",
            "strict-transport-security: ",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{header}: {answer}");
        }
        assert!(!answer.contains("<script>") && !answer.contains("style=\""));
    }
}

#[test]
fn wrong_logins_are_refused_and_slowed_down() {
    let fixture = Fixture::new(Some(PASSWORD));
    let wrong = || fixture.post("/login", "", "", "name=admin&password=wrong");
    let answer = wrong();
    assert_eq!(code(&answer), "401");
    assert!(answer.contains("Wrong user name or password.") && !answer.contains("set-cookie"));
    let codes: Vec<String> = (0..4).map(|_| code(&wrong()).to_owned()).collect();
    assert_eq!(codes.last().map(String::as_str), Some("429"), "{codes:?}");
    let forged = "__Host-session=".to_owned() + &"00".repeat(32);
    assert_eq!(code(&fixture.get("/status/overview", &forged)), "303");
}

#[test]
fn forms_without_their_token_or_from_elsewhere_do_nothing() {
    let fixture = Fixture::new(Some(PASSWORD));
    let (cookie, token) = fixture.log_in();
    let change = "SystemUnit+Name=changed";
    let with_token = format!("form={token}&{change}");
    for (more, body) in [
        ("", change),
        ("", "form=00&SystemUnit+Name=changed"),
        ("Origin: https://evil\r\n", with_token.as_str()),
        ("Sec-Fetch-Site: cross-site\r\n", with_token.as_str()),
    ] {
        let answer = fixture.post("/system/administration", &cookie, more, body);
        assert_eq!(code(&answer), "403", "{more}{body}");
    }
    assert!(
        !fixture
            .table
            .lock()
            .expect("a table")
            .values
            .contains_key("SystemUnit Name")
    );
    let answer = fixture.post(
        "/system/administration",
        &cookie,
        "Origin: https://box\r\n",
        &with_token,
    );
    assert!(
        answer.contains("location: /system/administration?saved=2-2"),
        "{answer}"
    );
    let saved = fixture.get("/system/administration?saved=2-2", &cookie);
    assert!(saved.contains("Saved on all 2 peers.") && saved.contains("value=\"changed\""));
}

#[test]
fn a_refused_change_shows_what_was_typed_and_why() {
    let fixture = Fixture::new(Some(PASSWORD));
    let (cookie, token) = fixture.log_in();
    let body = format!(
        "form={token}&Alternates+Peer+1+Address=192.168.1.23&Alternates+Peer+3+Address=192.168.1.25"
    );
    let answer = fixture.post("/system/clustering", &cookie, "", &body);
    assert_eq!(code(&answer), "422");
    assert!(answer.contains("without gaps") && answer.contains("value=\"192.168.1.25\""));
    assert!(answer.contains("role=\"alert\""));
}

#[test]
fn alarms_are_acknowledged_and_logging_out_ends_the_session() {
    let fixture = Fixture::new(Some(PASSWORD));
    let (cookie, token) = fixture.log_in();
    let answer = fixture.post(
        "/status/alarms",
        &cookie,
        "",
        &format!("form={token}&alarm=20004"),
    );
    assert!(answer.contains("location: /status/alarms"), "{answer}");
    let acknowledged = fixture.table.lock().expect("a table").acknowledged.clone();
    assert_eq!(acknowledged, [20_004]);
    let answer = fixture.post("/logout", &cookie, "", &format!("form={token}"));
    assert!(answer.contains("set-cookie: __Host-session=; ") && answer.contains("Max-Age=0"));
    assert_eq!(code(&fixture.get("/status/overview", &cookie)), "303");
}

#[test]
fn the_wizard_is_all_there_is_until_a_password_is_set_and_never_again() {
    let fixture = Fixture::new(None);
    assert!(
        fixture
            .get("/status/overview", "")
            .contains("location: /setup")
    );
    let form = "password=short&password-again=short&Ethernet+1+IP+V4+Address=10.0.0.300";
    let answer = fixture.post("/setup", "", "", form);
    assert_eq!(code(&answer), "422");
    assert!(answer.contains("at least 8") && answer.contains("not an IPv4 address"));
    assert!(
        !answer.contains("value=\"short\""),
        "a password is never sent back"
    );
    let form = "password=correct+horse&password-again=correct+horse&TimeZone+Name=UTC&\
                Ethernet+1+IP+V4+Address=10.0.0.3&Ethernet+1+IP+V4+SubnetMask=255.255.255.0";
    let answer = fixture.post("/setup", "", "", form);
    assert_eq!(code(&answer), "200", "{answer}");
    assert!(answer.contains("https://10.0.0.3/"));
    let hash = fixture.table.lock().expect("a table").values[PASSWORD_ITEM].clone();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let again = fixture.post("/setup", "", "", form);
    assert!(again.contains("location: /status/overview"), "{again}");
    fixture.log_in();
}

#[test]
fn what_is_too_long_or_makes_no_sense_is_turned_away() {
    let fixture = Fixture::new(Some(PASSWORD));
    let head = "POST /login HTTP/1.1\r\nHost: box\r\nConnection: close\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (request, expected) in [
        (
            format!(
                "GET / HTTP/1.1\r\nHost: box\r\nX: {}\r\n\r\n",
                "x".repeat(20_000)
            ),
            "431",
        ),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100)),
            "431",
        ),
        (
            format!(
                "{head}{form}Content-Length: 99999\r\n\r\n{}",
                "x".repeat(99_999)
            ),
            "413",
        ),
        (format!("{head}Content-Length: 1\r\n\r\nx"), "415"),
        (format!("{head}{form}Content-Length: 4\r\n\r\na=%f"), "400"),
        (
            "DELETE / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n".into(),
            "405",
        ),
        ("nonsense\r\n\r\n".into(), "400"),
    ] {
        let answer = fixture.send(request.as_bytes());
        assert_eq!(code(&answer), expected, "{:.60}: {answer}", request);
    }
}

#[test]
fn one_address_cannot_take_all_connections() {
    let fixture = Fixture::new(Some(PASSWORD));
    let from = IpAddr::from([192, 0, 2, 9]);
    let places: Vec<_> = (0..super::CONNECTIONS_PER_ADDRESS)
        .map(|_| super::Place::take(&fixture.web, from).expect("a place"))
        .collect();
    assert!(super::Place::take(&fixture.web, from).is_none());
    assert!(super::Place::take(&fixture.web, IpAddr::from([192, 0, 2, 8])).is_some());
    drop(places);
    assert!(super::Place::take(&fixture.web, from).is_some());
}
