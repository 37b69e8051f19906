//! The command line from outside.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use std::format;
use std::vec;

use proptest::prelude::*;

use super::commands::VERBS;
use super::line::{Outcome, Parsed, complete, interpret, parse, parse_settings, shown};
use super::reference;
use super::status::{
    CallStatus, DrainStatus, LicenceStatus, ListenerStatus, RegistrationStatus, Status,
    SystemStatus,
};
use super::{Answer, Command, Refusal};
use crate::alarm::Alarm;
use crate::alarm::catalogue::PEER_LOST;
use crate::base::ids::{PeerId, Position};
use crate::base::limits::COMMAND_LINE_CHARS;
use crate::base::random::Random;
use crate::base::socket::Service;
use crate::base::time::Wall;
use crate::cluster::status::{ClusterStatus, PeerState, PeerStatus};
use crate::config::Configuration;
use crate::config::path::Path;
use crate::config::revision::Author;
use crate::config::schema::{SCHEMA, Scope};
use crate::config::tree::Tree;
use crate::directory::shared::{CallId, Load};
use crate::net::machine::Stop;
use crate::net::status::LanStatus;
use crate::operation::status::OperationStatus;
use crate::sip::status::SipStatus;

fn configuration(saves: &[&[(&str, &str)]]) -> Configuration {
    let (mut configuration, _) = Configuration::load(&[]);
    for save in saves {
        save_in(&mut configuration, save).expect("a change that fits");
    }
    configuration
}

fn save_in(configuration: &mut Configuration, save: &[(&str, &str)]) -> Result<(), Vec<String>> {
    let pair = |(path, value): &(&str, &str)| (path.to_string(), value.to_string());
    let changes: Vec<(String, String)> = save.iter().map(pair).collect();
    let author = Author {
        name: "admin".into(),
        address: "192.0.2.7".into(),
        face: "web".into(),
    };
    let time = Wall::from_millis(1_000);
    let mut random = Random::new([1; 32]);
    let prepared = configuration.prepare(&changes, &author, "", time, 2, &mut random)?;
    configuration.commit(prepared);
    Ok(())
}

fn peer(number: u8, state: PeerState) -> PeerStatus {
    PeerStatus {
        position: Position::new(number).expect("a place"),
        address: format!("192.0.2.{number}"),
        state,
        reason: (state == PeerState::Failed).then(|| "no beat for 4 s".into()),
        id: Some(PeerId([number; 32])),
        certificate: "Valid".into(),
        version: Some("0.1.0".into()),
        round_trip: Some(Duration::from_micros(1_234)),
        last_contact: Some(Wall::from_millis(0)),
        revision: Some((1, 4)),
        lag: Some(0),
        items: 3,
    }
}

fn status() -> Status {
    let registration = |aor: &str| RegistrationStatus {
        aor: aor.into(),
        contact: format!("{aor}:5062;transport=udp"),
        peer: Position::new(2),
        expires_in: Duration::from_secs(59),
        user_agent: "Phone \"3\"\r\nX".into(),
    };
    Status {
        system: SystemStatus {
            name: "edge-a".into(),
            version: "0.1.0".into(),
            id: PeerId([1; 32]),
            uptime: Duration::from_secs(90),
            time: Wall::from_millis(951_782_400_000),
            set_up: false,
        },
        lans: vec![LanStatus {
            number: 1,
            interface: Some("eth0".into()),
            mac: Some([2, 0, 0, 0, 0, 0xa]),
            link: true,
            addresses: vec![("192.0.2.1".parse().expect("an address"), 24)],
            fault: None,
        }],
        listeners: vec![ListenerStatus {
            service: Service::SipUdp,
            address: "192.0.2.1:5060".parse().expect("an address"),
            fault: None,
        }],
        certificates: Default::default(),
        cluster: ClusterStatus {
            name: "c.example.net".into(),
            primary: Position::new(1),
            epoch: 1,
            own: Position::new(1),
            database_active: true,
            peers: vec![peer(1, PeerState::ThisSystem), peer(2, PeerState::Failed)],
            revision: (1, 4),
        },
        sip: SipStatus::default(),
        registrations: vec![
            registration("sip:ann@example.net"),
            registration("sip:bob@example.net"),
        ],
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
        alarms: vec![Alarm {
            condition: PEER_LOST.about("peer 2", "peer 2"),
            first: Wall::from_millis(0),
            last: Wall::from_millis(0),
            count: 1,
            acknowledged: false,
        }],
        operation: OperationStatus::default(),
    }
}

fn text(line: &str, configuration: &Configuration) -> String {
    match interpret(line, configuration, status) {
        Ok(Outcome::Ready(Answer::Text(text))) => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn command(line: &str) -> Command {
    match interpret(line, &configuration(&[]), status) {
        Ok(Outcome::Do(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn refusal(line: &str) -> String {
    match interpret(line, &configuration(&[]), status) {
        Err(refusal) => refusal.reasons.join("\n"),
        other => panic!("{line}: {other:?}"),
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = pairs
        .iter()
        .map(|(one, two)| (one.to_string(), two.to_string()));
    owned.collect()
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
fn settings_are_read_in_any_case_and_shortened() {
    let configuration = configuration(&[&[("SIP UDP Port", "5070")]]);
    let port = "*c xConfiguration SIP UDP Port: \"5070\"\n";
    for line in [
        "xConfiguration SIP UDP Port",
        "  xconfiguration  sip udp PORT  ",
        "xconf sip u p",
    ] {
        assert_eq!(text(line, &configuration), port, "{line}");
    }
    let udp = text("xConfiguration SIP UDP", &configuration);
    assert_eq!(
        udp,
        format!("*c xConfiguration SIP UDP Mode: \"On\"\n{port}")
    );
    let all = text("xConfiguration", &configuration);
    assert!(all.contains(port));
    assert!(all.contains("*c xConfiguration Alternates Peer 6 Address: \"\"\n"));
    assert!(
        !all.contains("SIP Domain"),
        "a large family shows what was set"
    );
    let third = text("xConfiguration SIP Domain 3", &configuration);
    assert_eq!(third, "*c xConfiguration SIP Domain 3 Name: \"\"\n");
}

#[test]
fn settings_are_saved_as_typed_or_as_printed() {
    for (line, changes) in [
        (
            "xConfiguration SIP UDP Port: 5070",
            &[("SIP UDP Port", "5070")][..],
        ),
        (
            "*c xConfiguration SIP UDP Port: \"5070\"",
            &[("SIP UDP Port", "5070")],
        ),
        ("xconf sip udp port:5070", &[("SIP UDP Port", "5070")]),
        ("xconf sip udp port :5070", &[("SIP UDP Port", "5070")]),
        (
            "xconf systemunit name:\"a: b\"",
            &[("SystemUnit Name", "a: b")],
        ),
        ("xconf systemunit name: \"\"", &[("SystemUnit Name", "")]),
        (
            "xconf ethernet 1 ip v6 address: 2001:db8:: alt peer 1 addr: 2001:db8::",
            &[
                ("Ethernet 1 IP V6 Address", "2001:db8::"),
                ("Alternates Peer 1 Address", "2001:db8::"),
            ],
        ),
    ] {
        assert_eq!(command(line), Command::Set(pairs(changes)), "{line}");
    }
}

#[test]
fn refused_settings_say_what_would_be_right() {
    for (line, reason) in [
        ("xc SIP", "xc: this may be xCommand, xConfiguration"),
        (
            "reboot",
            "reboot: a line begins with help, xCommand, xConfiguration, xStatus",
        ),
        (
            "xConfiguration SIP Nonsense",
            "SIP Nonsense: there is no such item",
        ),
        (
            "xConfiguration SIP Nonsense: 1",
            "SIP Nonsense: there is no such item",
        ),
        ("xConfiguration S", "S: this may be SIP, SystemUnit"),
        (
            "xConfiguration Alternates Peer 7",
            "7: the index is a number in 1..6",
        ),
        (
            "xConfiguration SIP UDP: 1",
            "only the beginning of a path, Mode, Port can follow",
        ),
        (
            "xConfiguration SIP UDP Port:",
            "SIP UDP Port: the value is missing",
        ),
        (
            "xConfiguration SystemUnit Name: a b",
            "stands in quotation marks",
        ),
        (
            "xConfiguration SystemUnit Name: a SIP b: 1",
            "SIP b: there is no such item; a value",
        ),
        (
            "xConfiguration SystemUnit Name: \"a",
            "a quotation mark is open",
        ),
        (
            "xConfiguration SIP \"UDP\": 1",
            "a value follows a path and a colon",
        ),
    ] {
        let found = refusal(line);
        assert!(found.contains(reason), "{line}: {found}");
    }
    let long = format!(
        "xConfiguration SystemUnit Name: \"{}\"",
        "ä".repeat(COMMAND_LINE_CHARS)
    );
    assert!(refusal(&long).contains("longer than"));
}

#[test]
fn refused_commands_say_what_would_be_right() {
    for (line, reason) in [
        ("xCommand", "the name of a command is missing"),
        ("xCommand Nonsense", "Nonsense: there is no such command"),
        (
            "xCommand Configuration",
            "this may be ConfigurationBranches, ConfigurationDiff",
        ),
        (
            "xCommand RemoveRegistration",
            "the parameter Alias is missing: xCommand Remove",
        ),
        ("xCommand Restart now", "Restart: too many parameters"),
        (
            "xCommand AlarmAcknowledge x",
            "Alarm: \"x\" is not a whole number from 1 to 99999",
        ),
        (
            "xCommand FindRegistration Alias: a Alias: b",
            "Alias: given twice",
        ),
        (
            "xCommand FindRegistration Alias:",
            "Alias: the value is missing",
        ),
        (
            "xCommand FindRegistration \"\"",
            "Alias: the value is empty",
        ),
        (
            "xCommand ConfigurationRollback 9",
            "Cluster revision 9 is not kept",
        ),
        ("xCommand ConfigurationRollback 0", "nothing to do"),
        (
            "xCommand ConfigurationDiff 1 2 Peer",
            "Peer revision 1 is not kept",
        ),
        ("xCommand ConfigurationRestore 1", "there is no branch 1"),
        ("xStatus Nonsense", "Nonsense: there is no such status"),
        ("xStatus Cluster Peer 3", "Peer 3: there is no such status"),
        ("xStatus S", "S: this may be SIP, SystemUnit"),
        ("xStatus SIP Calls More", "More: there is no such status"),
        ("help nonsense \u{7}", "control character"),
    ] {
        let found = refusal(line);
        assert!(found.contains(reason), "{line}: {found}");
    }
}

#[test]
fn commands_take_parameters_by_name_and_by_place() {
    let unregister = || Command::Unregister("sip:bob@example.net".into());
    for (line, wanted) in [
        ("xCommand ForceConfigUpdate", Command::ForceConfigUpdate),
        ("xcommand forceconfigupdate", Command::ForceConfigUpdate),
        ("xCommand Force Config Update", Command::ForceConfigUpdate),
        ("xcom force", Command::ForceConfigUpdate),
        ("xCommand Restart", Command::Stop(Stop::Restart)),
        ("xCommand Boot", Command::Stop(Stop::Reboot)),
        ("xCommand PowerOff", Command::Stop(Stop::PowerOff)),
        (
            "xCommand AlarmAcknowledge Alarm: 20004",
            Command::AcknowledgeAlarm(20_004),
        ),
        ("xCommand AlarmHistory 7", Command::AlarmHistory(7)),
        (
            "xCommand AlarmAcknowledge 20004",
            Command::AcknowledgeAlarm(20_004),
        ),
        (
            "xCommand RemoveRegistration Alias: \"sip:bob@example.net\"",
            unregister(),
        ),
        (
            "xCommand RemoveRegistration sip:bob@example.net",
            unregister(),
        ),
        (
            "xCommand RemoveRegistration al:sip:bob@example.net",
            unregister(),
        ),
    ] {
        assert_eq!(command(line), wanted, "{line}");
    }
}

#[test]
fn nothing_is_asked_by_comments_and_block_ends() {
    for line in ["", "   ", "# a comment", "*c/end", "OK"] {
        assert_eq!(parse(line), Ok(Parsed::Nothing), "{line}");
    }
}

#[test]
fn help_shows_value_space_default_scope() {
    let none = configuration(&[]);
    assert_eq!(
        text("xConfiguration SIP UDP ?", &none),
        "*h xConfiguration SIP UDP Mode: <On/Off>\n\
         *h xConfiguration SIP UDP Port: <1..65535>\n"
    );
    assert_eq!(
        text("xconf alternates peer??", &none),
        "*h xConfiguration Alternates Peer [1..6] Address: <S: 0, 128> †\n    \
         Address of a peer of the cluster, this one included: an IP address, or the full name \
         that its certificate has. The same order on every peer.\n    \
         Default: \"\". Of this peer alone. Takes effect at once.\n\
         *h † belongs to this peer alone and is not replicated\n"
    );
    assert_eq!(
        text("xconf sip mode: ?", &none),
        text("xconf sip mode ?", &none)
    );
    assert_eq!(
        text("help xconf sip mode", &none),
        text("xconf sip mode ??", &none)
    );
    assert!(text("?", &none).contains("xStatus"));
    assert_eq!(text("?", &none), text("help", &none));
    let commands = text("xCommand ?", &none);
    assert_eq!(commands.lines().count(), VERBS.len());
    assert!(commands.contains("*h xCommand FindRegistration Alias(r): <S: 0, 255>\n"));
    let one = text("xCommand AlarmAck ?", &none);
    assert!(one.contains("<1..99999>\n    Marks"), "{one}");
    assert_eq!(text("xCommand ConfigurationR ?", &none).lines().count(), 2);
    let below = text("xStatus Cluster ?", &none);
    assert!(below.contains("*h xStatus Cluster Peer\n"), "{below}");
    assert!(text("xStatus Cluster Peer ?", &none).contains("*h xStatus Cluster Peer 2\n"));
    assert!(text("xStatus ?", &none).contains("*h xStatus Registrations\n"));
}

#[test]
fn status_is_an_outline() {
    let none = configuration(&[]);
    assert_eq!(
        text("xStatus Cluster Peer 2", &none),
        "*s Cluster:\n    Peer 2:\n        Address: \"192.0.2.2\"\n        \
         Status: \"Failed\"\n        \
         Reason: \"no beat for 4 s\"\n        SerialNumber: \"0202020202020202\"\n        \
         Certificate: \"Valid\"\n        Version: \"0.1.0\"\n        \
         RoundTrip: \"1.2 ms\"\n        \
         LastContact: \"1970-01-01T00:00:00Z\"\n        Revision: \"1.4\"\n        Lag: 0\n        \
         SharedItems: 3\n*s/end\n"
    );
    assert_eq!(
        text("xstatus clu peer status", &none),
        "*s Cluster:\n    Peer 1:\n        Status: \"This system\"\n    Peer 2:\n        \
         Status: \"Failed\"\n*s/end\n"
    );
    assert_eq!(
        text("xstatus systemunit software", &none),
        "*s SystemUnit:\n    Software:\n        Version: \"0.1.0\"\n*s/end\n"
    );
    let bob = "*s Registrations:\n    Registration 1:\n        \
               Alias: \"sip:bob@example.net\"\n        \
               Contact: \"sip:bob@example.net:5062;transport=udp\"\n        Peer: 2\n        \
               ExpiresIn: 59\n        UserAgent: \"Phone '3'''X\"\n*s/end\n";
    for alias in ["bob", "bob@EXAMPLE.net", "sip:bob@example.net"] {
        assert_eq!(text(&format!("xcom find {alias}"), &none), bob);
    }
    let all = text("xStatus", &none);
    for part in [
        "Alarm",
        "Cluster",
        "NetworkInterface",
        "PortUsage",
        "Registrations",
        "SIP",
    ] {
        assert!(all.contains(&format!("*s {part}:\n")), "{part}");
    }
    assert!(all.lines().all(|line| !line.contains('\r')));
}

#[test]
fn history_tells_who_changed_what_and_leads_back() {
    let configuration = configuration(&[
        &[
            ("SIP UDP Port", "5070"),
            ("Administration Account Password", "$argon2id$x"),
        ],
        &[("SIP UDP Port", "5071")],
        &[("SIP UDP Port", ""), ("SystemUnit Name", "a")],
    ]);
    let history = text("xCommand ConfigurationHistory", &configuration);
    assert_eq!(
        history,
        "*r ConfigurationHistory Cluster:\n    \
         Revision 3 (epoch 2) 1970-01-01T00:00:01Z admin from 192.0.2.7 by web\n      \
         - SIP UDP Port: \"5071\"\n      + SIP UDP Port: \"5060\"\n    \
         Revision 2 (epoch 2) 1970-01-01T00:00:01Z admin from 192.0.2.7 by web\n      \
         - SIP UDP Port: \"5070\"\n      + SIP UDP Port: \"5071\"\n    \
         Revision 1 (epoch 2) 1970-01-01T00:00:01Z admin from 192.0.2.7 by web\n      \
         - Administration Account Password: \"\"\n      + Administration Account Password: \
         \"***\"\n      - SIP UDP Port: \"5060\"\n      + SIP UDP Port: \"5070\"\n*r/end\n"
    );
    let newest = text("xCommand ConfigurationHistory Count: 1", &configuration);
    assert_eq!(newest.lines().count(), 5);
    let peer = text("xCommand ConfigurationHistory Peer", &configuration);
    assert!(peer.contains("Revision 1 1970"), "{peer}");
    let diff = text("xCommand ConfigurationDiff From: 2", &configuration);
    assert_eq!(
        diff,
        "*r ConfigurationDiff Cluster:\n      - SIP UDP Port: \"5071\"\n      \
         + SIP UDP Port: \"5060\"\n*r/end\n"
    );
    let same = text("xCommand ConfigurationDiff 3 3", &configuration);
    assert_eq!(same, "*r ConfigurationDiff Cluster:\n*r/end\n");
    let back = interpret("xCommand ConfigurationRollback 2", &configuration, status);
    let restore = Command::Restore {
        changes: pairs(&[("SIP UDP Port", "5071")]),
        note: "Rolled back to revision 2".into(),
    };
    assert_eq!(back, Ok(Outcome::Do(restore)));
}

#[test]
fn a_replaced_configuration_is_listed_and_comes_back() {
    let primary = configuration(&[&[("SIP UDP Port", "5070")]]);
    let mut second = configuration(&[&[("SIP UDP Port", "5090")]]);
    let adoption = second
        .check_snapshot(primary.snapshot())
        .expect("a whole snapshot");
    second.adopt(adoption);
    let branches = text("xCommand ConfigurationBranches", &second);
    assert!(branches.starts_with("*r ConfigurationBranches:\n    Branch 1:\n    Revision 1"));
    let back = interpret("xCommand ConfigurationRestore 1", &second, status);
    let restore = Command::Restore {
        changes: pairs(&[("SIP UDP Port", "5090")]),
        note: "Restored from branch 1".into(),
    };
    assert_eq!(back, Ok(Outcome::Do(restore)));
}

#[test]
fn completion_offers_what_can_follow() {
    for (typed, wanted) in [
        ("", &["help", "xCommand", "xConfiguration", "xStatus"][..]),
        ("xc", &["xCommand", "xConfiguration"]),
        ("xConfiguration si", &["SIP"]),
        ("xconf sip u", &["UDP"]),
        ("xconf sip udp ", &["Mode", "Port"]),
        ("xconf sip udp mode: ", &["Off", "On"]),
        ("xconf sip udp mode: o", &["Off", "On"]),
        ("xconf sip udp mode: on sip t", &["TCP"]),
        ("xconf sip udp port: ", &[]),
        ("xconf ethernet ", &["1", "2"]),
        ("xconf nonsense ", &[]),
        ("xcom force", &["ForceConfigUpdate"]),
        ("xcom configurationdiff ", &["From:", "Scope:", "To:"]),
        ("xcom configurationdiff from: 1 s", &["Scope:"]),
        ("xcom configurationdiff scope: ", &["Cluster", "Peer"]),
        ("xstat clu", &["Cluster"]),
        ("xstat cluster peer ", &["1", "2"]),
        ("xstat cluster peer 1 st", &["Status"]),
        ("help xs", &["xStatus"]),
        ("xconf \"", &[]),
    ] {
        assert_eq!(complete(typed, status), wanted, "{typed}");
    }
    let domains = complete("xconf sip domain ", status);
    assert_eq!(domains[..3], ["1", "2", "3"]);
    assert_eq!(domains.len(), 200);
}

#[test]
fn a_terminal_is_told_where_an_answer_ends() {
    let refusal = Err(Refusal::because("no"));
    for (result, wanted) in [
        (Ok(Answer::Text("a\n".into())), "a\nOK\n"),
        (Ok(Answer::Saved { on: 1, of: 1 }), "Saved.\nOK\n"),
        (
            Ok(Answer::Saved { on: 1, of: 2 }),
            "Saved on 1 of 2 peers.\nOK\n",
        ),
        (Ok(Answer::Value("v".into())), "v\nOK\n"),
        (refusal, "no\nERROR\n"),
    ] {
        assert_eq!(shown(&result), wanted);
    }
}

#[test]
fn files_of_settings_are_read_whole_or_refused_with_line_numbers() {
    let file = "# LAN\nEthernet 1 IP V4 Address: 192.0.2.1\n\n*c xConfiguration SIP Mode: \"Off\"\n\
                xconfiguration sip udp port: 5070\nOK\n";
    let wanted = pairs(&[
        ("Ethernet 1 IP V4 Address", "192.0.2.1"),
        ("SIP Mode", "Off"),
        ("SIP UDP Port", "5070"),
    ]);
    assert_eq!(parse_settings(file), Ok(wanted));
    let faults = parse_settings("SIP Mode: On\nSIP Nonsense: 1\nxStatus\nSIP Mode\n")
        .expect_err("three faults")
        .reasons;
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].starts_with("line 2: SIP Nonsense: there is no such item"));
    assert!(faults[1].starts_with("line 3: "));
    assert!(faults[2].starts_with("line 4: "));
}

#[test]
fn the_reference_names_every_item_and_command() {
    let reference = reference();
    for item in SCHEMA {
        let row = format!("| `{}`", item.pattern);
        let row = reference.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{}", item.pattern));
        assert_eq!(row.contains('†'), item.scope == Scope::Peer, "{row}");
        assert_eq!(row.matches(" |").count(), 5, "{row}");
    }
    assert!(VERBS.iter().all(|verb| reference.contains(verb.name)));
    assert!(VERBS.is_sorted_by(|one, two| one.name < two.name));
}

/// A value for any item, right or wrong.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~äß]{0,20}",
        (0_u32..70_000).prop_map(|number| number.to_string()),
        "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}",
        Just("On".to_string()),
        Just("Off".to_string()),
        (1_u8..=254).prop_map(|n| format!("192.0.2.{n}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_printed_can_be_typed_in(
        saves in proptest::collection::vec((any::<proptest::sample::Index>(), value()), 1..80)
    ) {
        let paths: Vec<Path> = Path::all().collect();
        let (mut first, _) = Configuration::load(&[]);
        for (index, value) in &saves {
            let _ = save_in(&mut first, &[(&index.get(&paths).to_string(), value)]);
        }
        let printed = text("xConfiguration", &first);
        let changes = parse_settings(&printed).expect("what was printed");
        let changes: Vec<(&str, &str)> = changes.iter().map(|(p, v)| (&**p, &**v)).collect();
        let (mut second, _) = Configuration::load(&[]);
        save_in(&mut second, &changes).expect("what was saved once");
        let open = |tree: &Tree| -> Vec<_> {
            let open = tree.iter().filter(|(path, _)| !path.item().kind.is_secret());
            open.map(|(path, value)| (*path, value.clone())).collect()
        };
        prop_assert_eq!(open(second.tree()), open(first.tree()));
    }

    #[test]
    fn any_line_gets_an_answer(line in "\\PC{0,80}|[ -~]{0,80}") {
        let none = configuration(&[]);
        let _ = interpret(&line, &none, status);
        let _ = complete(&line, status);
        let _ = parse_settings(&line);
    }

    #[test]
    fn any_words_get_an_answer(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "xConfiguration", "xStatus", "xCommand", "help", "?", "??", "SIP", "UDP", "Port",
            ":", "Port:", "\"", "\"a b\"", "1", "7", "Peer", "Alternates", "Alternates Peer 1",
            "Address:", "ConfigurationDiff", "Scope:", "From:", "Find", "Cluster", "Reg", "*c",
            "*c/end",
            "é:", ":::", "\u{301}", "Domain", "99999999999999999999",
        ]), 0..8)
    ) {
        let line = words.join(" ");
        let none = configuration(&[]);
        let _ = interpret(&line, &none, status);
        let _ = complete(&line, status);
        let _ = complete(&format!("{line} "), status);
        let _ = parse_settings(&line);
    }
}
