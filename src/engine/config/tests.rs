//! The configuration from outside: saving, loading, replicating, and what comes broken.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::format;
use std::vec;

use proptest::prelude::*;

use super::chain::ChainFault;
use super::revision::{Author, Revision, StoredRevision};
use super::schema::{Kind, SCHEMA, Scope};
use super::value::{HIDDEN, SecretId, Value};
use super::{Bundle, Configuration, Path, Snapshot};
use crate::base::limits;
use crate::base::random::Random;
use crate::base::store::{Record, Table, Write};
use crate::base::time::Wall;

/// One system: its configuration and its disk.
struct System {
    configuration: Configuration,
    disk: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    random: Random,
    epoch: u64,
}

impl System {
    fn new(seed: u8) -> Self {
        Self {
            configuration: Configuration::load(&[]).0,
            disk: BTreeMap::new(),
            random: Random::new([seed; 32]),
            epoch: 0,
        }
    }

    fn save(&mut self, changes: &[(&str, &str)]) -> Result<(), Vec<String>> {
        let owned: Vec<(String, String)> = changes
            .iter()
            .map(|(path, value)| (path.to_string(), value.to_string()))
            .collect();
        let author = Author {
            name: "admin".into(),
            address: "192.0.2.7".into(),
            face: "web".into(),
        };
        let time = Wall::from_millis(1_000);
        let prepared =
            self.configuration
                .prepare(&owned, &author, "", time, self.epoch, &mut self.random)?;
        self.write(prepared.writes());
        let later = self.configuration.commit(prepared);
        self.write(later);
        Ok(())
    }

    fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { table, key, value } => self.disk.insert((table, key), value),
                Write::Delete { table, key } => self.disk.remove(&(table, key)),
            };
        }
    }

    fn records(&self) -> Vec<Record> {
        let record = |((table, key), value): (&(Table, Vec<u8>), &Vec<u8>)| Record {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        };
        self.disk.iter().map(record).collect()
    }

    fn take_bundle(&mut self, bundle: Bundle) -> Result<(), ChainFault> {
        let adoption = self.configuration.check(bundle)?;
        self.write(adoption.writes().to_vec());
        let later = self.configuration.adopt(adoption);
        self.write(later);
        Ok(())
    }

    fn take_snapshot(&mut self, snapshot: Snapshot) -> Result<(), ChainFault> {
        let adoption = self.configuration.check_snapshot(snapshot)?;
        self.write(adoption.writes().to_vec());
        let later = self.configuration.adopt(adoption);
        self.write(later);
        Ok(())
    }

    fn hash(&self, scope: Scope) -> [u8; 32] {
        self.configuration.chain(scope).hash()
    }

    fn revisions(&self, scope: Scope) -> Vec<Revision> {
        let chain = self.configuration.chain(scope);
        chain.revisions().cloned().collect()
    }

    /// Everything that can be seen is the same after a restart.
    fn restart_changes_nothing(&self) {
        let (again, faults) = Configuration::load(&self.records());
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(again.tree(), self.configuration.tree());
        assert_eq!(again.secrets, self.configuration.secrets);
        for scope in [Scope::Cluster, Scope::Peer] {
            let (one, two) = (again.chain(scope), self.configuration.chain(scope));
            assert_eq!(one.hash(), two.hash());
            assert!(one.revisions().eq(two.revisions()));
            assert_eq!(one.base(), two.base());
        }
        let numbers = |c: &Configuration| c.branches().map(|b| b.number).collect::<Vec<_>>();
        assert_eq!(numbers(&again), numbers(&self.configuration));
    }
}

/// A text that an item of this kind takes.
fn text_for(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Choice(words) => proptest::sample::select(words)
            .prop_map(|word| word.to_lowercase())
            .boxed(),
        Kind::Number { min, max } => (min..=max).prop_map(|n| n.to_string()).boxed(),
        Kind::Text { max } | Kind::Secret { max } => {
            let length = max.min(20);
            proptest::string::string_regex(&format!("[ !#-~ä]{{0,{length}}}"))
                .expect("a pattern")
                .prop_filter("bytes", move |text| text.len() <= max)
                .boxed()
        }
        Kind::Ipv4 => (1_u8..=223, 1_u8..=254)
            .prop_map(|(one, two)| format!("{one}.0.0.{two}"))
            .boxed(),
        Kind::Ipv6 => any::<u16>()
            .prop_map(|n| format!("2001:db8::{n:x}"))
            .boxed(),
        Kind::Mask => (1_u32..=32)
            .prop_map(|n| core::net::Ipv4Addr::from(u32::MAX << (32 - n)).to_string())
            .boxed(),
        Kind::Host | Kind::Name { .. } => "[a-z]{1,20}(\\.[a-z]{1,20})?".boxed(),
        Kind::Password => "[a-z]{1,9}"
            .prop_map(|salt| format!("$argon2id${salt}"))
            .boxed(),
    }
}

/// One item with a value that it takes, or with none.
fn change() -> impl Strategy<Value = (String, String)> {
    let paths: Vec<Path> = Path::all().collect();
    proptest::sample::select(paths).prop_flat_map(|path| {
        let text = text_for(path.item().kind);
        (
            Just(path.to_string()),
            prop_oneof![5 => text, 1 => Just(String::new())],
        )
    })
}

/// Saves, each of some changes. Those that do not fit together are refused, which is right too.
fn saves() -> impl Strategy<Value = Vec<Vec<(String, String)>>> {
    proptest::collection::vec(proptest::collection::vec(change(), 1..5), 1..25)
}

fn save_all(system: &mut System, saves: &[Vec<(String, String)>]) {
    for save in saves {
        let save: Vec<(&str, &str)> = save.iter().map(|(p, v)| (&**p, &**v)).collect();
        let before = system.configuration.generation();
        let tree = system.configuration.tree().clone();
        match system.save(&save) {
            Ok(()) => assert!(system.configuration.generation() > before),
            Err(faults) => {
                assert!(!faults.is_empty());
                assert_eq!(system.configuration.tree(), &tree);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_saved_is_there_after_a_restart(saves in saves()) {
        let mut system = System::new(1);
        save_all(&mut system, &saves);
        system.restart_changes_nothing();
    }

    #[test]
    fn a_subordinate_follows_its_primary(saves in saves(), join in 0_usize..25) {
        let (mut primary, mut second) = (System::new(1), System::new(2));
        second.save(&[("SIP UDP Port", "5070"), ("SystemUnit Name", "b")]).unwrap();
        let join = join.min(saves.len());
        save_all(&mut primary, &saves[..join]);
        second.take_snapshot(primary.configuration.snapshot()).unwrap();
        prop_assert_eq!(second.hash(Scope::Cluster), primary.hash(Scope::Cluster));
        save_all(&mut primary, &saves[join..]);
        let chain = second.configuration.chain(Scope::Cluster);
        let later = primary.configuration.chain(Scope::Cluster)
            .after(chain.id().number, &chain.hash()).unwrap();
        let bundle = primary.configuration.bundle(&later);
        let bundle = Bundle::decode(&bundle.encode()).unwrap();
        second.take_bundle(bundle).unwrap();
        prop_assert_eq!(second.hash(Scope::Cluster), primary.hash(Scope::Cluster));
        prop_assert_eq!(second.revisions(Scope::Cluster), primary.revisions(Scope::Cluster));
        let shared = |system: &System| system.configuration.tree().scoped(Scope::Cluster);
        prop_assert_eq!(shared(&second), shared(&primary));
        let password = "Administration Account Password";
        prop_assert_eq!(
            second.configuration.secret(password),
            primary.configuration.secret(password)
        );
        prop_assert_eq!(second.configuration.tree().text("SystemUnit Name"), "b");
        second.restart_changes_nothing();
    }

    #[test]
    fn every_revision_can_be_gone_back_to(saves in saves(), to in 0_u64..25) {
        let mut system = System::new(1);
        save_all(&mut system, &saves);
        let chain = system.configuration.chain(Scope::Cluster);
        let number = to.min(chain.id().number);
        let wanted = chain.at(number).unwrap();
        let changes = system.configuration.back_to(Scope::Cluster, number).unwrap();
        let changes: Vec<(&str, &str)> = changes.iter().map(|(p, v)| (&**p, &**v)).collect();
        if system.save(&changes).is_ok() {
            let now = system.configuration.chain(Scope::Cluster).tree();
            let open = |(path, _): &(&Path, &Value)| !path.item().kind.is_secret();
            prop_assert!(now.iter().filter(open).eq(wanted.iter().filter(open)));
        }
    }

    #[test]
    fn decoders_take_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut versioned = bytes.clone();
        if let Some(first) = versioned.first_mut() {
            *first = 1;
        }
        let whole = System::new(1);
        for bytes in [bytes, versioned] {
            if let Ok(bundle) = Bundle::decode(&bytes) {
                let _ = whole.configuration.check(bundle);
            }
            if let Ok(snapshot) = Snapshot::decode(&bytes) {
                let _ = whole.configuration.check_snapshot(snapshot);
            }
            for kind in 0..4 {
                let key = [&[bytes.len() as u8 % 2, kind][..], &1_u64.to_be_bytes()].concat();
                let record = Record { table: Table::Revision, key, value: Some(bytes.clone()) };
                let _ = Configuration::load(&[record]);
            }
            let key = bytes.clone();
            let _ = Configuration::load(&[
                Record { table: Table::Revision, key: key.clone(), value: Some(bytes.clone()) },
                Record { table: Table::Secret, key, value: Some(bytes.clone()) },
            ]);
        }
    }

    #[test]
    fn a_changed_byte_is_never_believed(at in any::<proptest::sample::Index>(), with in 1_u8..) {
        let mut primary = System::new(1);
        primary.save(&[("SIP UDP Port", "5070"), ("SIP Domain 1 Name", "a.example")]).unwrap();
        let revisions = primary.revisions(Scope::Cluster);
        let mut bytes = primary.configuration.bundle(&revisions).encode();
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        let second = System::new(2);
        if let Ok(adoption) = Bundle::decode(&bytes).and_then(|b| second.configuration.check(b)) {
            // What is not covered by the hash of the values is covered by that of the revision.
            let honest = primary.configuration.chain(Scope::Cluster).hash();
            let mut third = System::new(3);
            third.configuration.adopt(adoption);
            prop_assert_ne!(third.hash(Scope::Cluster), honest);
        }
    }
}

#[test]
fn what_replicates_is_what_rp2_does_not_name() {
    let shared = [
        "Administration Account Password",
        "Alternates Cluster AddressMapping Mode",
        "Alternates Cluster AddressMapping Pair [1..6] Fqdn",
        "Alternates Cluster AddressMapping Pair [1..6] IpAddress",
        "Alternates Cluster TLSMinimumVersion",
        "IPProtocol",
        "Management Session InactivityTimeout",
        "SIP Advanced SipMaxSize",
        "SIP Domain [1..200] Name",
        "SIP Mode",
        "SIP Registration Standard Refresh Maximum",
        "SIP Registration Standard Refresh Minimum",
        "SIP TCP Mode",
        "SIP TCP Port",
        "SIP UDP Mode",
        "SIP UDP Port",
    ];
    let found = SCHEMA.iter().filter(|item| item.scope == Scope::Cluster);
    let found: Vec<&str> = found.map(|item| item.pattern).collect();
    assert_eq!(found, shared);
}

#[test]
fn defaults_are_values_that_their_items_take() {
    for item in SCHEMA {
        let accepted = item.kind.accept(item.default);
        let unset = item.default.is_empty();
        assert!(
            unset || accepted.as_deref() == Ok(item.default),
            "{}",
            item.pattern
        );
    }
    assert!(super::check::faults(Configuration::load(&[]).0.tree()).is_empty());
}

#[test]
fn faults_are_told_all_at_once_and_say_what_would_be_right() {
    let mut system = System::new(1);
    let faults = system
        .save(&[
            ("SIP UDP Port", "0"),
            ("SIP Nonsense", "1"),
            ("Alternates Peer 7 Address", "192.0.2.1"),
            ("Ethernet 1 IP V4 SubnetMask", "255.0.255.0"),
            ("Administration Account Password", "secret"),
        ])
        .unwrap_err();
    let wanted = [
        "SIP UDP Port: \"0\" is not a whole number from 1 to 65535",
        "SIP Nonsense: there is no such item",
        "7: the index is a number in 1..6",
        "Ethernet 1 IP V4 SubnetMask: \"255.0.255.0\" is not a subnet mask",
        "Administration Account Password: the password reached this point without",
    ];
    assert_eq!(faults.len(), wanted.len(), "{faults:?}");
    for (fault, wanted) in faults.iter().zip(wanted) {
        assert!(fault.starts_with(wanted), "{fault}");
    }
    assert!(system.configuration.tree().iter().next().is_none());
}

const OWN: (&str, &str) = ("Ethernet 1 IP V4 Address", "192.0.2.1");
const NAME: (&str, &str) = ("Alternates Cluster Name", "c.example.net");
const PEER_1: (&str, &str) = ("Alternates Peer 1 Address", "192.0.2.1");
const PEER_2: (&str, &str) = ("Alternates Peer 2 Address", "192.0.2.2");

/// Saved on a new system, the changes have one fault, with these words in it; none for none.
fn check(changes: &[(&str, &str)], wanted: &str) {
    match System::new(1).save(changes) {
        Ok(()) => assert_eq!(wanted, "", "{changes:?}"),
        Err(faults) => {
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(!wanted.is_empty(), "{faults:?}");
            assert!(faults[0].contains(wanted), "{faults:?}");
        }
    }
}

#[test]
fn a_peer_list_has_no_gap_no_double_and_holds_this_system() {
    let cluster = |more: (&str, &str), wanted: &str| check(&[OWN, NAME, PEER_1, more], wanted);
    cluster(PEER_2, "");
    let peer_3 = ("Alternates Peer 3 Address", "192.0.2.3");
    cluster(
        peer_3,
        "Peer 2 Address: fill the list from 1 on without gaps",
    );
    let second = |address| ("Alternates Peer 2 Address", address);
    cluster(second("192.0.2.1"), "192.0.2.1 is already peer 1");
    cluster(second("b.example.net"), "");
    cluster(second("b"), "b is no full name");
    cluster(
        second("2001:db8::2"),
        "not of the version that Alternates Cluster IPVersion",
    );
    let primary = ("Alternates ConfigurationPrimary", "2");
    cluster(primary, "there is no peer 2, the list has 1");
    let pair = |what, value| match what {
        "Fqdn" => ("Alternates Cluster AddressMapping Pair 1 Fqdn", value),
        _ => ("Alternates Cluster AddressMapping Pair 1 IpAddress", value),
    };
    check(&[pair("Fqdn", "b.example.net")], "a name and an address");
    check(
        &[pair("Fqdn", "b.example.net"), pair("", "b.example.net")],
        "is no IP address",
    );
    let mapped = ("Alternates Cluster AddressMapping Mode", "On");
    let same = [pair("Fqdn", "b.example.net"), pair("", "192.0.2.1"), mapped];
    let list = [OWN, NAME, PEER_1, second("b.example.net")];
    check(&[&same[..], &list].concat(), "are the same address");
    let local = "the local address 192.0.2.1 does not appear in the list of peers";
    check(
        &[OWN, NAME, ("Alternates Peer 1 Address", "192.0.2.9")],
        local,
    );
    check(&[NAME, PEER_1], "needs this system's own address");
    check(&[OWN, PEER_1], "a cluster needs a name");
}

#[test]
fn addresses_and_gateways_fit_their_subnets() {
    check(
        &[("Ethernet 1 IP V4 Address", "192.0.2.255")],
        "first or last address",
    );
    check(
        &[("Ethernet 1 IP V4 Address", "224.0.0.1")],
        "no system's address",
    );
    check(
        &[("Ethernet 1 IP V6 Address", "ff02::1")],
        "no system's address",
    );
    let second = ("Ethernet 2 IP V4 Address", "192.0.2.77");
    check(&[OWN, second], "192.0.2.77 is in the subnet of LAN1");
    check(&[OWN, ("IP Gateway", "192.0.2.254")], "");
    check(
        &[OWN, ("IP Gateway", "192.0.3.1")],
        "not another system in the subnet",
    );
    check(
        &[OWN, ("IP Gateway", "192.0.2.1")],
        "not another system in the subnet",
    );
    check(
        &[("IP Gateway", "192.0.2.1")],
        "not another system in the subnet",
    );
    let own = ("Ethernet 1 IP V6 Address", "2001:db8::1");
    let gateway = |address| ("IP V6 Gateway", address);
    check(&[own, gateway("2001:db8::2")], "");
    check(&[own, gateway("fe80::1")], "");
    check(
        &[own, gateway("2001:db8:1::1")],
        "IP V6 Gateway: 2001:db8:1::1 is not another",
    );
}

#[test]
fn services_have_ports_of_their_own() {
    let tcp = ("SIP TCP Port", "443");
    check(
        &[tcp],
        "SIP TCP Port: 443 is the Management Interface Port already",
    );
    check(&[tcp, ("SIP Mode", "Off")], "");
    check(&[tcp, ("Administration HTTPS Mode", "Off")], "");
    let udp = ("SIP UDP Port", "4372");
    check(&[udp], "");
    check(
        &[OWN, NAME, PEER_1, udp],
        "SIP UDP Port: 4372 is the Alternates State Port already",
    );
    check(
        &[("SIP Registration Standard Refresh Maximum", "40")],
        "45 is greater than the Maximum, 40",
    );
}

#[test]
fn what_a_peer_brought_about_does_not_block_other_changes() {
    let (mut primary, mut second) = (System::new(1), System::new(2));
    primary
        .save(&[("Management Interface Port", "8443")])
        .unwrap();
    primary.save(&[("SIP TCP Port", "443")]).unwrap();
    second
        .take_snapshot(primary.configuration.snapshot())
        .unwrap();
    second
        .save(&[("SystemUnit Maintenance Mode", "On")])
        .unwrap();
    second
        .save(&[("Management Interface Port", "8443")])
        .unwrap();
    assert!(
        second
            .save(&[("Management Interface Port", "443")])
            .is_err()
    );
}

#[test]
fn a_secret_is_kept_apart_and_an_equal_one_is_no_change() {
    let item = "Alternates Cluster Secret";
    let mut system = System::new(1);
    system.save(&[(item, "one two")]).unwrap();
    assert_eq!(system.configuration.secret(item), Some("one two"));
    let path = Path::parse(item).unwrap();
    assert_eq!(system.configuration.tree().shown(&path), HIDDEN);
    for record in system
        .records()
        .iter()
        .filter(|r| r.table == Table::Revision)
    {
        let value = record.value.as_ref().unwrap();
        assert!(!value.windows(7).any(|window| window == b"one two"));
    }
    for same in [HIDDEN, "one two"] {
        system.save(&[(item, same)]).unwrap();
        assert_eq!(system.configuration.chain(Scope::Peer).id().number, 1);
    }
    system.save(&[(item, "three"), (item, "four")]).unwrap();
    assert_eq!(system.configuration.secret(item), Some("four"));
    let held = |system: &System| {
        let secrets = system
            .disk
            .keys()
            .filter(|(table, _)| *table == Table::Secret);
        secrets.count()
    };
    assert_eq!(
        held(&system),
        2,
        "the former one belongs to history, \"three\" to nothing"
    );
    system.save(&[(item, "")]).unwrap();
    assert_eq!(system.configuration.secret(item), None);
    system.restart_changes_nothing();
}

#[test]
fn a_secret_that_cannot_be_read_is_a_fault_and_nothing_worse() {
    let mut system = System::new(1);
    system
        .save(&[("Alternates Cluster Secret", "s"), ("SystemUnit Name", "a")])
        .unwrap();
    let mut records = system.records();
    for record in records.iter_mut().filter(|r| r.table == Table::Secret) {
        record.value = None;
    }
    let (configuration, faults) = Configuration::load(&records);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(configuration.secret("Alternates Cluster Secret"), None);
    assert_eq!(configuration.tree().text("SystemUnit Name"), "a");
    assert_eq!(configuration.lost_secrets().count(), 1);
    system.configuration = configuration;
    system.disk.retain(|(table, _), _| *table != Table::Secret);
    system.save(&[("Alternates Cluster Secret", "s")]).unwrap();
    system.restart_changes_nothing();
}

#[test]
fn what_cannot_be_read_is_set_aside_and_the_newest_whole_revision_is_used() {
    for broken in 1..=3_u64 {
        let mut system = System::new(1);
        for port in ["5071", "5072", "5073"] {
            system.save(&[("SIP UDP Port", port)]).unwrap();
        }
        let key = super::chain::key(Scope::Cluster, super::chain::REVISION, broken);
        let value = system
            .disk
            .get_mut(&(Table::Revision, key.clone()))
            .unwrap();
        let middle = value.len() / 2;
        value[middle] ^= 0x40;
        let damaged = value.clone();
        let (configuration, faults) = Configuration::load(&system.records());
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(&format!("revision {broken} of the stored Cluster")));
        assert_eq!(configuration.chain(Scope::Cluster).id().number, broken - 1);
        system.configuration = configuration;
        system.save(&[("SIP UDP Port", "5080")]).unwrap();
        system.restart_changes_nothing();
        let aside = [&[0, super::chain::ASIDE][..], &key].concat();
        assert_eq!(system.disk.get(&(Table::Revision, aside)), Some(&damaged));
    }
}

#[test]
fn a_broken_base_is_set_aside() {
    let mut system = System::new(1);
    let mut other = System::new(2);
    other.save(&[("SIP UDP Port", "5071")]).unwrap();
    other.configuration.cluster = other.configuration.cluster.clone().folded();
    system
        .take_snapshot(other.configuration.snapshot())
        .unwrap();
    let key = super::chain::key(Scope::Cluster, super::chain::BASE, 0);
    let value = system.disk.get_mut(&(Table::Revision, key)).unwrap();
    let text = value
        .windows(4)
        .rposition(|window| window == b"5071")
        .unwrap();
    value[text] = b'6';
    let (configuration, faults) = Configuration::load(&system.records());
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(configuration.tree().text("SIP UDP Port"), "5060");
    system.configuration = configuration;
    system.save(&[("SIP UDP Port", "5080")]).unwrap();
    system.restart_changes_nothing();
}

#[test]
fn history_is_bounded_and_what_is_folded_still_counts() {
    let mut system = System::new(1);
    system
        .save(&[("SIP Domain 1 Name", "first.example")])
        .unwrap();
    for number in 0..limits::REVISIONS + 3 {
        let port = (10_000 + number).to_string();
        system.save(&[("SIP UDP Port", &port)]).unwrap();
    }
    let chain = system.configuration.chain(Scope::Cluster);
    assert_eq!(chain.revisions().count(), limits::REVISIONS);
    assert_eq!(chain.id().number, limits::REVISIONS as u64 + 4);
    assert_eq!(
        system.configuration.tree().text("SIP Domain 1 Name"),
        "first.example"
    );
    assert!(chain.at(3).is_none());
    assert!(chain.at(4).is_some());
    assert!(chain.after(2, &[0; 32]).is_none());
    let records = system
        .disk
        .keys()
        .filter(|(table, _)| *table == Table::Revision);
    assert_eq!(records.count(), limits::REVISIONS + 1);
    system.restart_changes_nothing();
    // A snapshot carries as much of it as fits.
    let snapshot = system.configuration.snapshot();
    let bytes = snapshot.encode();
    assert!(bytes.len() < limits::CONFIGURATION_BYTES, "{}", bytes.len());
    assert!(
        snapshot.revisions.len() > 500,
        "{}",
        snapshot.revisions.len()
    );
    let mut second = System::new(2);
    second
        .take_snapshot(Snapshot::decode(&bytes).unwrap())
        .unwrap();
    assert_eq!(second.hash(Scope::Cluster), system.hash(Scope::Cluster));
    second.restart_changes_nothing();
}

#[test]
fn a_configuration_that_a_primary_replaces_can_be_had_back() {
    let (mut primary, mut second) = (System::new(1), System::new(2));
    primary.save(&[("SIP UDP Port", "5070")]).unwrap();
    let password = ("Administration Account Password", "$argon2id$second");
    second
        .save(&[("SIP Domain 2 Name", "mine.example"), password])
        .unwrap();
    second.save(&[("SystemUnit Name", "b")]).unwrap();
    second
        .take_snapshot(primary.configuration.snapshot())
        .unwrap();
    assert_eq!(second.configuration.tree().text("SIP Domain 2 Name"), "");
    assert_eq!(second.configuration.tree().text("SystemUnit Name"), "b");
    second.restart_changes_nothing();
    let branch = second.configuration.branches().next().unwrap().number;
    let changes = second.configuration.back_to_branch(branch).unwrap();
    let back = |path: &str, value: &str| (path.to_string(), value.to_string());
    let wanted = [
        back("SIP UDP Port", "5060"),
        back("SIP Domain 2 Name", "mine.example"),
    ];
    assert_eq!(changes, wanted);
    // The same again is no new branch; only so many are kept.
    second
        .take_snapshot(primary.configuration.snapshot())
        .unwrap();
    assert_eq!(second.configuration.branches().count(), 1);
    for number in 0..limits::BRANCHES + 2 {
        let port = (6_000 + number).to_string();
        second.save(&[("SIP UDP Port", &port)]).unwrap();
        second
            .take_snapshot(primary.configuration.snapshot())
            .unwrap();
    }
    assert_eq!(second.configuration.branches().count(), limits::BRANCHES);
    assert_eq!(second.configuration.branches().last().unwrap().number, 11);
    second.restart_changes_nothing();
}

#[test]
fn what_a_primary_must_not_send_is_refused() {
    let mut primary = System::new(1);
    primary.epoch = 5;
    primary.save(&[("SIP UDP Port", "5070")]).unwrap();
    primary.save(&[("SIP UDP Port", "5071")]).unwrap();
    let revisions = primary.revisions(Scope::Cluster);
    let all = primary.configuration.bundle(&revisions);
    let second = System::new(2);
    let refused = |bundle: &Bundle| second.configuration.check(bundle.clone()).err();
    assert_eq!(refused(&all), None);

    let gap = primary.configuration.bundle(&revisions[1..]);
    assert_eq!(refused(&gap), Some(ChainFault::Parent));
    let with = |edit: &dyn Fn(&mut StoredRevision)| {
        let mut bundle = primary.configuration.bundle(&revisions[..1]);
        edit(&mut bundle.revisions[0]);
        refused(&bundle)
    };
    assert_eq!(with(&|r| r.id.number = 2), Some(ChainFault::Parent));
    assert_eq!(with(&|r| r.content = [1; 32]), Some(ChainFault::Content));
    let text = |text: &str| Some(Value::Text(text.into()));
    assert_eq!(
        with(&|r| r.changes[0].1 = text("no")),
        Some(ChainFault::Value)
    );
    assert_eq!(
        with(&|r| r.changes[0].1 = text("5072")),
        Some(ChainFault::Content)
    );
    let id = SecretId([1; 16]);
    assert_eq!(
        with(&|r| r.changes[0].1 = Some(Value::Secret(id))),
        Some(ChainFault::Value)
    );
    assert_eq!(
        with(&|r| r.changes[0].0 = "SystemUnit Name".into()),
        Some(ChainFault::Scope)
    );
    assert_eq!(
        with(&|r| r.changes[0].0 = "No Such Item".into()),
        Some(ChainFault::Content)
    );

    let mut late = System::new(3);
    late.take_bundle(all).unwrap();
    let mut old = System::new(4);
    old.take_bundle(primary.configuration.bundle(&revisions))
        .unwrap();
    old.epoch = 5;
    old.save(&[("SIP UDP Port", "5079")]).unwrap();
    let mut next = old
        .configuration
        .bundle(&old.revisions(Scope::Cluster)[2..]);
    next.revisions[0].id.epoch = 4;
    assert_eq!(
        late.configuration.check(next).err(),
        Some(ChainFault::Epoch)
    );
}

#[test]
fn a_path_in_other_letters_is_no_item() {
    // Stored again as it is printed, it would change the hash that names its revision.
    let changes = ["SIP UDP POrt", "SIP UDP Port"].map(|path| (path.to_string(), None));
    let open = super::revision::open_changes(changes.to_vec());
    assert_eq!(super::revision::store_changes(&open), changes[1..]);
}

#[test]
fn a_bundle_brings_only_secrets_that_it_names_and_replaces_none() {
    let mut primary = System::new(1);
    let item = "Administration Account Password";
    primary.save(&[(item, "$argon2id$one")]).unwrap();
    let revisions = primary.revisions(Scope::Cluster);
    let mut bundle = primary.configuration.bundle(&revisions);
    let id = bundle.secrets[0].0;
    bundle.secrets.push((SecretId([9; 16]), "planted".into()));
    let mut second = System::new(2);
    second.take_bundle(bundle.clone()).unwrap();
    assert_eq!(second.configuration.secrets.len(), 1);
    let mut third = System::new(3);
    third
        .configuration
        .secrets
        .insert(id, "$argon2id$ours".into());
    third.take_bundle(bundle.clone()).unwrap();
    assert_eq!(third.configuration.secret(item), Some("$argon2id$ours"));
    bundle.secrets[0].1 = "x".repeat(10_000);
    assert_eq!(
        System::new(4).configuration.check(bundle).err(),
        Some(ChainFault::Value)
    );
}

#[test]
fn stored_bytes_stay_what_they_are() {
    let stored = StoredRevision {
        id: super::RevisionId {
            epoch: 3,
            number: 300,
        },
        parent: [0x11; 32],
        content: [0x22; 32],
        author: Author {
            name: "admin".into(),
            address: "::1".into(),
            face: "cli".into(),
        },
        time: Wall::from_millis(1_000),
        note: "n".into(),
        changes: vec![
            ("SIP Mode".into(), Some(Value::Text("Off".into()))),
            ("SIP UDP Port".into(), None),
            (
                "Administration Account Password".into(),
                Some(Value::Secret(SecretId([0x33; 16]))),
            ),
        ],
    };
    let mut golden = vec![1, 3, 0xac, 0x02];
    golden.extend([0x11; 32]);
    golden.extend([0x22; 32]);
    golden.extend(b"\x05admin\x03::1\x03cli\xe8\x07\x01n\x03");
    golden.extend(b"\x08SIP Mode\x01\x00\x03Off");
    golden.extend(b"\x0cSIP UDP Port\x00");
    golden.extend(b"\x1fAdministration Account Password\x01\x01");
    golden.extend([0x33; 16]);
    assert_eq!(super::chain::encode(&stored), golden);
    assert_eq!(super::chain::decode(&golden), Some(stored.clone()));
    let hash = stored.hash(Scope::Cluster);
    assert_eq!(hash, crate::base::digest::sha256(&[&[0], &golden[1..]]));
    assert_ne!(hash, stored.hash(Scope::Peer));
    for length in 0..golden.len() {
        let cut: Option<StoredRevision> = super::chain::decode(&golden[..length]);
        assert_eq!(cut, None, "{length}");
    }
    golden.push(0);
    assert_eq!(super::chain::decode::<StoredRevision>(&golden), None);
    let bundle = Bundle {
        revisions: Vec::new(),
        secrets: vec![(SecretId([7; 16]), "s".into())],
    };
    let golden = [&[1, 0, 1][..], &[7; 16], b"\x01s"].concat();
    assert_eq!(bundle.encode(), golden);
    assert_eq!(Bundle::decode(&golden), Ok(bundle));
    let long = vec![1; limits::CONFIGURATION_BYTES + 1];
    assert_eq!(Bundle::decode(&long), Err(ChainFault::Unreadable));
    let empty = Snapshot {
        head: None,
        values: Vec::new(),
        revisions: Vec::new(),
        secrets: Vec::new(),
    };
    assert_eq!(empty.encode(), [1, 0, 0, 0, 0]);
}

#[test]
fn a_change_has_a_bounded_size() {
    let mut system = System::new(1);
    let many = vec![("SIP UDP Port", "5070"); limits::CONFIGURATION_CHANGES + 1];
    assert!(system.save(&many).is_err());
    assert!(system.save(&many[1..]).is_ok());
    let author = Author {
        name: "ä".repeat(1_000),
        address: String::new(),
        face: "cli".into(),
    };
    let changes = [("SIP UDP Port".to_string(), "5071".to_string())];
    let time = Wall::from_millis(0);
    let prepared = system
        .configuration
        .prepare(&changes, &author, "", time, 0, &mut system.random)
        .unwrap();
    let revision = prepared.revision(Scope::Cluster).unwrap();
    assert_eq!(revision.author.name.len(), limits::REVISION_TEXT_BYTES);
}

#[test]
fn the_whole_configuration_fits_a_record_and_a_frame() {
    let mut system = System::new(1);
    let long = |number: usize| format!("{}{number}.example", "a".repeat(50));
    let changes: Vec<(String, String)> = (1..=200)
        .map(|n| {
            (
                format!("SIP Domain {n} Name"),
                format!("{}.{}", long(n), long(n)),
            )
        })
        .collect();
    let changes: Vec<(&str, &str)> = changes.iter().map(|(p, v)| (&**p, &**v)).collect();
    system.save(&changes).unwrap();
    let bytes = system.configuration.snapshot().encode().len();
    assert!(bytes < limits::CONFIGURATION_BYTES / 4, "{bytes}");
}

/// The guide's list, one line each: scope, begin of the items' names, what the guide calls it.
fn listed() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("peer_specific.txt").lines();
    let parse = |line: &'static str| {
        let (scope, rest) = line.split_once(' ').expect("a scope");
        let name = rest.trim_start().split("  ").next().expect("a name");
        (scope, name.trim())
    };
    lines
        .filter(|line| !line.starts_with('#'))
        .map(parse)
        .collect()
}

#[test]
fn items_are_of_one_peer_exactly_where_the_guide_lists_them() {
    let begins = |pattern: &str, name: &str| {
        pattern
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    for (scope, name) in listed() {
        let found = SCHEMA
            .iter()
            .filter(|item| begins(item.pattern, name))
            .count();
        assert_eq!(
            found == 0,
            scope == "none",
            "{name} is listed as {scope}: {found} items"
        );
    }
    for item in SCHEMA {
        let lines = listed()
            .into_iter()
            .filter(|(_, name)| begins(item.pattern, name));
        let longest = lines.max_by_key(|(_, name)| name.len());
        let expected = match longest {
            Some(("peer", _)) => Scope::Peer,
            Some(_) | None => Scope::Cluster,
        };
        assert_eq!(item.scope, expected, "{}", item.pattern);
    }
}
