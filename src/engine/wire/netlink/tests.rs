//! Golden bytes, round trips, truncation at every length, and random bytes.

use super::answer::{Answer, Fault, answers};
use super::firewall::{
    Chain, Elements, Expression, Field, Hook, Rule, Ruleset, Set, Verdict, state,
};
use super::route::{Address, Entry, Link, Request, Route, STATIC, entry};
use super::*;
use proptest::prelude::*;
use std::string::{String, ToString};
use std::vec;

fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(4)
        .map(|word| word.iter().map(|byte| std::format!("{byte:02x}")).collect())
        .collect::<Vec<String>>()
        .join(" ")
}

fn default_route() -> Route {
    Route {
        to: ("0.0.0.0".parse().unwrap(), 0),
        gateway: Some("192.0.2.1".parse().unwrap()),
        index: Some(2),
        metric: 0,
        origin: STATIC,
    }
}

/// What `ip link set`, `ip addr add` and `ip route replace` send, attribute by attribute.
#[cfg(target_endian = "little")]
#[test]
fn route_requests_have_the_kernels_layout() {
    let up = Request::SetLink {
        index: 2,
        up: true,
        mtu: Some(1400),
    };
    let add = Request::AddAddress {
        index: 2,
        address: "192.0.2.10".parse().unwrap(),
        prefix: 24,
    };
    for (request, golden) in [
        (
            up,
            "28000000 10000500 07000000 00000000 00000000 02000000 01000000 01000000 \
             08000400 78050000",
        ),
        (
            add,
            "28000000 14000505 07000000 00000000 02180000 02000000 08000200 c000020a \
             08000100 c000020a",
        ),
        (
            Request::AddRoute(default_route()),
            "2c000000 18000505 07000000 00000000 02000000 fe040001 00000000 08000500 c0000201 \
             08000400 02000000",
        ),
        (
            Request::DumpRoutes6,
            "1c000000 1a000103 07000000 00000000 0a000000 00000000 00000000",
        ),
    ] {
        assert_eq!(hex(&request.encode(7).unwrap()), golden, "{request:?}");
    }
}

#[test]
fn requests_decode_as_the_entries_they_make() {
    let address = "2001:db8::10".parse().unwrap();
    let add = Request::AddAddress {
        index: 3,
        address,
        prefix: 64,
    };
    let route6 = Route {
        to: ("2001:db8:1::".parse().unwrap(), 48),
        gateway: Some("fe80::1".parse().unwrap()),
        index: Some(3),
        metric: 1024,
        origin: STATIC,
    };
    let held = Address {
        index: 3,
        address,
        prefix: 64,
        duplicate: false,
        tentative: false,
    };
    for (request, expected) in [
        (add, Entry::Address(held)),
        (Request::AddRoute(route6), Entry::Route(route6)),
        (
            Request::AddRoute(default_route()),
            Entry::Route(default_route()),
        ),
    ] {
        let bytes = request.encode(1).unwrap();
        let message = messages(&bytes).next().unwrap().unwrap();
        assert_eq!(entry(&message), Ok(Some(expected)));
    }
}

/// eth0 as a Linux 6.1 machine showed it, shortened to the attributes that matter.
#[test]
fn a_link_is_read_from_a_dump() {
    let mut writer = Writer::new();
    writer.message(route::NEW_LINK, 2, 1, |writer| {
        writer.raw(&[0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0]);
        writer.text(3, "eth0");
        writer.attribute(4, &1500_u32.to_ne_bytes());
        writer.attribute(1, &[0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        writer.nest(26, |writer| {
            writer.attribute(2, &[0; 8]);
        });
    });
    let bytes = writer.finish().unwrap();
    let message = messages(&bytes).next().unwrap().unwrap();
    let expected = Link {
        index: 2,
        name: "eth0".to_string(),
        mac: Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]),
        mtu: 1500,
        up: true,
        running: true,
    };
    assert_eq!(entry(&message), Ok(Some(Entry::Link(expected))));
}

/// Two answers: done, and EINVAL with the kernel's words (`NLM_F_CAPPED | NLM_F_ACK_TLVS`).
#[test]
fn refusals_come_with_the_kernels_words() {
    let mut writer = Writer::new();
    writer.message(answer::ERROR, 0x100, 5, |writer| {
        writer.raw(&[0; 20]);
    });
    writer.message(answer::ERROR, 0x300, 6, |writer| {
        writer.raw(&(-22_i32).to_ne_bytes());
        writer.raw(&[0; 16]);
        writer.text(1, "Invalid prefix");
        writer.attribute(2, &20_u32.to_ne_bytes());
    });
    let bytes = writer.finish().unwrap();
    let fault = Fault {
        number: 22,
        text: Some("Invalid prefix".to_string()),
        offset: Some(20),
    };
    assert_eq!(fault.to_string(), "invalid (Invalid prefix)");
    let expected = [
        Answer {
            sequence: 5,
            result: Ok(()),
        },
        Answer {
            sequence: 6,
            result: Err(fault),
        },
    ];
    assert_eq!(answers(&bytes).unwrap(), expected);
}

fn small_ruleset() -> Ruleset {
    Ruleset {
        table: "t".to_string(),
        sets: vec![Set {
            name: None,
            elements: Elements::Ports(vec![80, 443]),
        }],
        chains: vec![Chain {
            name: "in".to_string(),
            hook: Hook::Input,
            priority: -1,
            policy: Verdict::Drop,
            rules: vec![Rule(vec![
                Expression::State(state::ESTABLISHED),
                Expression::InSet {
                    field: Field::PORT,
                    set: 0,
                },
                Expression::Verdict(Verdict::Accept),
            ])],
        }],
    }
}

#[cfg(target_endian = "little")]
#[test]
fn a_batch_has_the_kernels_layout() {
    let batch = small_ruleset().replacement(1).unwrap();
    let all: Vec<Message<'_>> = messages(&batch).map(Result::unwrap).collect();
    let heads: Vec<(u16, u16, u32)> = all
        .iter()
        .map(|message| (message.kind, message.flags, message.sequence))
        .collect();
    assert_eq!(
        heads,
        [
            (0x10, 0x001, 1),
            (0xa00, 0x405, 2),
            (0xa02, 0x005, 3),
            (0xa00, 0x605, 4),
            (0xa09, 0x405, 5),
            (0xa0c, 0x405, 6),
            (0xa03, 0x405, 7),
            (0xa06, 0xc05, 8),
            (0x11, 0x001, 9),
        ]
    );
    let bodies: Vec<String> = all.iter().map(|message| hex(message.body)).collect();
    assert_eq!(bodies[0], "0000000a");
    assert_eq!(bodies[1], "01000000 06000100 74000000");
    assert_eq!(
        bodies[4],
        "01000000 06000100 74000000 0c000200 5f5f7365 74256400 08000300 00000003 \
         08000400 0000000d 08000500 00000002 08000a00 00000001"
    );
    assert_eq!(
        bodies[5],
        "01000000 06000100 74000000 0c000200 5f5f7365 74256400 08000400 00000001 \
         24000380 10000180 0c000180 06000100 00500000 10000180 0c000180 06000100 01bb0000"
    );
    assert_eq!(
        bodies[6],
        "01000000 06000100 74000000 07000300 696e0000 14000480 08000100 00000001 \
         08000200 ffffffff 08000500 00000000 0b000700 66696c74 65720000"
    );
    // ct load => reg 1; reg 1 & 2; cmp neq 0; payload; lookup; immediate accept.
    assert!(bodies[7].contains("20000180 07000100 63740000 14000280 08000100 00000001"));
    assert!(bodies[7].ends_with(
        "30000180 0e000100 696d6d65 64696174 65000000 1c000280 08000100 00000000 \
         10000280 0c000280 08000100 00000001"
    ));
}

#[test]
fn every_truncation_ends_in_an_error_or_in_fewer_messages() {
    let batch = small_ruleset().replacement(1).unwrap();
    let whole = messages(&batch).count();
    for length in 0..batch.len() {
        let cut = &batch[..length];
        let read: Vec<_> = messages(cut).collect();
        assert!(read.len() <= whole);
        assert!(read.iter().filter(|result| result.is_err()).count() <= 1);
        let good = read
            .iter()
            .flatten()
            .map(|message| aligned(message.body.len()) + 16);
        let covered: usize = good.sum();
        assert!(covered >= length || read.iter().any(Result::is_err));
    }
}

#[test]
fn errors_tell_where() {
    let mut bytes = Request::DumpLinks.encode(1).unwrap();
    let length = bytes.len();
    bytes.extend_from_slice(&[200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let fault = messages(&bytes).nth(1).unwrap().unwrap_err();
    assert_eq!(fault.position, length);
    assert_eq!(
        fault.to_string(),
        "at byte 32: expected a message length that fits"
    );
    // An attribute that claims more than there is, at 16 + 8 bytes.
    let mut bytes = Request::AddAddress {
        index: 1,
        address: "192.0.2.1".parse().unwrap(),
        prefix: 32,
    }
    .encode(1)
    .unwrap();
    bytes[24] = 0xff;
    let message = messages(&bytes).next().unwrap().unwrap();
    assert_eq!(entry(&message).unwrap_err().position, 24);
}

#[test]
fn an_attribute_above_64_kib_is_refused_not_wrapped() {
    let mut writer = Writer::new();
    writer.attribute(1, &vec![0; 65_531]);
    assert!(writer.clone().finish().is_ok());
    writer.attribute(2, &vec![0; 65_532]);
    let position = writer.finish().unwrap_err().position;
    assert_eq!(position, aligned(65_535));
}

#[test]
fn thousands_of_addresses_fit_a_batch() {
    let many = (0..4_000_u32).map(core::net::Ipv4Addr::from_bits).collect();
    let mut ruleset = small_ruleset();
    ruleset.sets.push(Set {
        name: Some("many".to_string()),
        elements: Elements::Ipv4(many),
    });
    let batch = ruleset.replacement(1).unwrap();
    assert!(messages(&batch).all(|message| message.is_ok()));
}

proptest! {
    #[test]
    fn random_bytes_never_panic_or_loop(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = answers(&bytes);
        for message in messages(&bytes).flatten() {
            let _ = entry(&message);
            let _ = answer::answer(&message);
        }
        prop_assert!(attributes(&bytes, 0).count() <= bytes.len() / 4 + 1);
    }

    /// Random bodies behind a true header reach the code that a random header would not.
    #[test]
    fn random_bodies_never_panic(
        kind in prop_oneof![Just(2_u16), Just(16), Just(20), Just(24)],
        flags in any::<u16>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut writer = Writer::new();
        writer.message(kind, flags, 1, |writer| { writer.raw(&bytes); });
        let bytes = writer.finish().unwrap();
        let message = messages(&bytes).next().unwrap().unwrap();
        let _ = entry(&message);
        let _ = answers(&bytes);
    }

    #[test]
    fn addresses_round_trip(index in any::<u32>(), bits in any::<u128>(), prefix in 0..=128_u8) {
        let address = core::net::IpAddr::from(core::net::Ipv6Addr::from_bits(bits));
        let bytes = Request::DeleteAddress { index, address, prefix }.encode(1).unwrap();
        let mut message = messages(&bytes).next().unwrap().unwrap();
        message.kind = route::NEW_ADDRESS;
        let Ok(Some(Entry::Address(held))) = entry(&message) else {
            panic!("an address");
        };
        prop_assert_eq!((held.index, held.address, held.prefix), (index, address, prefix));
    }
}
