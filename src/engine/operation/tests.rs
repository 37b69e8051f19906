//! Plans on disk and wire, and the judgement of the pre-flight.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use crate::base::ids::PeerId;
use crate::base::store::{Record, Table, Write};
use crate::base::time::Wall;
use crate::config::revision::Author;

use super::plan::{self, Deed, Done, Expect, Order, Plan, PlanState, Step, StepState};
use super::preflight::{self, Facts, Outcome, Subject};
use super::status::Kind;

fn sample() -> Plan {
    let step = |deed| Step::new("a".into(), PeerId([1; 32]), deed, Expect::Nothing);
    Plan {
        id: [7; 16],
        kind: Kind::ChangePrimary,
        title: "t".into(),
        author: Author {
            name: "admin".into(),
            address: String::new(),
            face: "cli".into(),
        },
        began: Wall::from_millis(5),
        state: PlanState::Running,
        fault: String::new(),
        steps: vec![step(Deed::Nothing), step(Deed::Restart), step(Deed::Leave)],
        irrevocable: 2,
        members: vec![PeerId([1; 32])],
        findings: Vec::new(),
        outside: vec!["DNS".into()],
    }
}

#[test]
fn a_plan_survives_the_store_and_a_torn_one_is_none() {
    let plan = sample();
    let Write::Put { table, key, value } = plan.write() else {
        panic!("a put")
    };
    assert_eq!(table, Table::Fact);
    for cut in 0..value.len() {
        let record = Record {
            table,
            key: key.clone(),
            value: Some(value[..cut].to_vec()),
        };
        assert_eq!(Plan::load(&[record]), None, "cut at {cut}");
    }
    let value = Some(value);
    assert_eq!(Plan::load(&[Record { table, key, value }]), Some(plan));
}

#[test]
fn the_bytes_of_orders_stay_what_they_are() {
    let order = |deed| Order {
        plan: [2; 16],
        title: "t".into(),
        number: 3,
        deed,
    };
    let deeds = [
        (Deed::Nothing, vec![0]),
        (Deed::Tell, vec![1]),
        (
            Deed::Set(vec![("a".into(), "b".into())]),
            vec![2, 1, 1, b'a', 1, b'b'],
        ),
        (
            Deed::Admit {
                values: vec![],
                pins: vec![],
                secret: true,
            },
            vec![3, 0, 0, 1],
        ),
        (Deed::Revert { number: 4 }, vec![4, 4]),
        (Deed::Restart, vec![5]),
        (Deed::Leave, vec![6]),
        (Deed::End, vec![8]),
    ];
    for (deed, expected) in deeds {
        let bytes = plan::encode(&order(deed.clone()));
        assert_eq!(
            bytes[..20],
            [&[1][..], &[2; 16], &[1, b't', 3]].concat()[..]
        );
        assert_eq!(bytes[20..], expected[..], "{deed:?}");
        assert_eq!(plan::decode(&bytes), Some(order(deed)));
    }
    let done = Done {
        plan: [2; 16],
        number: 3,
        result: Err("n".into()),
    };
    let bytes = plan::encode(&done);
    assert_eq!(bytes[17..], [3, 1, 1, b'n']);
    assert_eq!(plan::decode::<Order>(&bytes[..10]), None);
}

#[test]
fn a_plan_knows_what_comes_next_and_what_can_be_undone() {
    let mut plan = sample();
    assert_eq!((plan.current(), plan.can_be_undone()), (Some(0), true));
    plan.steps[0].state = StepState::Done;
    plan.steps[1].state = StepState::Running;
    assert_eq!((plan.current(), plan.can_be_undone()), (Some(1), true));
    plan.state = PlanState::Undoing;
    assert_eq!(plan.current(), Some(1), "the last one first");
    plan.steps[1].state = StepState::Undone;
    assert_eq!(plan.current(), Some(0));
    plan.state = PlanState::Running;
    plan.steps[1].state = StepState::Done;
    plan.steps[2].state = StepState::Running;
    assert!(!plan.can_be_undone(), "a peer that leaves is gone");
}

fn facts(pairs: &[(&str, &[&str])]) -> Facts {
    let values = |values: &[&str]| values.iter().map(ToString::to_string).collect();
    pairs
        .iter()
        .map(|(name, told)| (name.to_string(), values(told)))
        .collect()
}

fn outcome(
    peers: &[(String, Option<Facts>)],
    joiner: Option<&(String, Facts)>,
    name: &str,
) -> Outcome {
    let subject = Subject { peers, joiner };
    let findings = preflight::examine(&subject, true, &[]);
    let finding = findings.into_iter().find(|finding| finding.check == name);
    finding.expect("there is such a check").outcome
}

#[test]
fn no_check_passes_without_its_facts() {
    let peers = [
        ("a".to_string(), Some(Facts::new())),
        ("b".to_string(), Some(Facts::new())),
    ];
    let joiner = ("c".to_string(), Facts::new());
    for name in preflight::names().filter(|name| *name != "Answers") {
        let found = outcome(&peers, Some(&joiner), name);
        assert!(matches!(found, Outcome::NotChecked(_)), "{name}: {found:?}");
    }
    let silent = [("a".to_string(), None)];
    let found = outcome(&silent, None, "Answers");
    assert!(
        matches!(&found, Outcome::Failed(reason) if reason.contains('a')),
        "{found:?}"
    );
}

#[test]
fn checks_tell_right_from_wrong_and_name_who() {
    let peer = |address: &str, pairs| (address.to_string(), Some(facts(pairs)));
    let fails = |peers: &[_], name, text: &str| match outcome(peers, None, name) {
        Outcome::Failed(reason) => assert!(reason.contains(text), "{name}: {reason}"),
        other => panic!("{name}: {other:?}"),
    };
    let alike = [
        peer(
            "a",
            &[
                ("name", &["x"]),
                ("domain", &["d"]),
                ("time", &["Synchronized"]),
            ],
        ),
        peer(
            "b",
            &[
                ("name", &["x"]),
                ("domain", &["e"]),
                ("time", &["Rejected"]),
            ],
        ),
    ];
    fails(&alike, "SystemName", "a and b both have x");
    fails(&alike, "Domain", "b has e");
    fails(&alike, "NTP", "b has Rejected");
    let far = [
        peer("a", &[("round-trips", &["b 81"]), ("reaches", &["a", "b"])]),
        peer("b", &[("round-trips", &["a 80"]), ("reaches", &["b"])]),
    ];
    fails(&far, "RoundTrip", "a to b: 81 ms");
    fails(&far, "Reachability", "b does not reach a");
}

#[test]
fn an_override_counts_only_by_the_name_of_a_check() {
    let named = ["ntp".to_string(), "Weather".to_string()];
    assert_eq!(preflight::unknown(&named), ["Weather"]);
    let peers = [("a".to_string(), Some(Facts::new()))];
    let subject = Subject {
        peers: &peers,
        joiner: None,
    };
    let findings = preflight::examine(&subject, true, &named);
    let blocking: Vec<bool> = findings
        .iter()
        .filter(|finding| ["NTP", "DNS"].contains(&finding.check.as_str()))
        .map(preflight::Finding::blocks)
        .collect();
    assert_eq!(blocking, [false, true]);
}
