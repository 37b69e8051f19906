//! What the `system` role passes on to the kernel (SPEC AP2).
//!
//! The gateway parses bytes from strangers, so what it asks for is judged as if a stranger had
//! written it: only messages that [`super::Net`] itself could make, only LAN interfaces, only our
//! own table. Everything else is refused whole, before any of it is sent.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::base::limits::{
    FIREWALL_BATCH_BYTES, HOST_NAME_BYTES, ROUTE_MESSAGE_BYTES, ROUTE_MESSAGES,
};
use crate::wire::netlink::firewall as nft;
use crate::wire::netlink::route::{
    DELETE_ADDRESS, DELETE_ROUTE, MAIN_TABLE, NEW_ADDRESS, NEW_LINK, NEW_ROUTE, STATIC, UNICAST,
    interface,
};
use crate::wire::netlink::{
    ACKNOWLEDGE, APPEND, Attribute, CREATE, EXCLUSIVE, Error, Message, REPLACE, REQUEST,
    attributes, messages, read,
};

use super::firewall::TABLE;

/// Expressions that our own encoder writes; no others reach the kernel's parser.
const EXPRESSIONS: [&str; 11] = [
    "meta",
    "ct",
    "payload",
    "bitwise",
    "cmp",
    "lookup",
    "limit",
    "counter",
    "log",
    "reject",
    "immediate",
];

/// Judges rtnetlink messages; `lan` holds the kernel's numbers of LAN1 and LAN2. Returns the
/// sequence number of each message.
pub fn route(lan: [Option<u32>; 2], all: &[Vec<u8>]) -> Result<Vec<u32>, String> {
    if all.len() > ROUTE_MESSAGES {
        return Err(format!("{} messages, at most {ROUTE_MESSAGES}", all.len()));
    }
    let judge = |(index, bytes): (usize, &Vec<u8>)| {
        one_route(lan, bytes).map_err(|reason| format!("message {}: {reason}", index + 1))
    };
    all.iter().enumerate().map(judge).collect()
}

/// Whether one of these messages, already judged, switches a link on.
pub fn switches_on(all: &[Vec<u8>]) -> bool {
    all.iter()
        .flat_map(|bytes| messages(bytes))
        .flatten()
        .any(|message| {
            message.kind == NEW_LINK && number(&message, 8).is_ok_and(|flags| flags != 0)
        })
}

/// Judges an nf_tables batch.
pub fn firewall(batch: &[u8]) -> Result<(), String> {
    if batch.len() > FIREWALL_BATCH_BYTES {
        let length = batch.len();
        return Err(format!("{length} bytes, at most {FIREWALL_BATCH_BYTES}"));
    }
    let all: Result<Vec<Message<'_>>, Error> = messages(batch).collect();
    let all = all.map_err(|fault| format!("{fault}"))?;
    let [first, inner @ .., last] = all.as_slice() else {
        return Err("not a batch".into());
    };
    if first.kind != nft::BATCH_BEGIN || last.kind != nft::BATCH_END {
        return Err("a batch has a beginning and an end".into());
    }
    for edge in [first, last] {
        if edge.flags != REQUEST || edge.body != [0, 0, 0, 10] {
            return Err("not a batch of nf_tables".into());
        }
    }
    for message in inner {
        rule_message(message)
            .map_err(|reason| format!("at byte {}: {reason}", message.position))?;
    }
    Ok(())
}

/// Whether `name` may be the machine's host name (RFC 1123 2.1, and the kernel's limit).
pub fn host_name(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(inner) && !label.starts_with('-')
    };
    name.len() <= HOST_NAME_BYTES && name.split('.').all(label)
}

fn one_route(lan: [Option<u32>; 2], bytes: &[u8]) -> Result<u32, String> {
    if bytes.len() > ROUTE_MESSAGE_BYTES {
        return Err(format!("more than {ROUTE_MESSAGE_BYTES} bytes"));
    }
    let text = |fault: Error| format!("{fault}");
    let mut all = messages(bytes);
    let message = all.next().ok_or("empty")?.map_err(text)?;
    if all.next().is_some() {
        return Err("more than one message".into());
    }
    let is_lan = |index: u32| index != 0 && lan.contains(&Some(index));
    let flags = message.flags & !(REQUEST | ACKNOWLEDGE);
    let verdict = match message.kind {
        NEW_LINK if flags == 0 => link_message(&message, is_lan),
        NEW_ADDRESS if flags & !(CREATE | REPLACE) == 0 => address_message(&message, is_lan),
        DELETE_ADDRESS if flags == 0 => address_message(&message, is_lan),
        NEW_ROUTE if flags & !(CREATE | REPLACE) == 0 => route_message(&message, is_lan),
        DELETE_ROUTE if flags == 0 => route_message(&message, is_lan),
        kind => return Err(format!("kind {kind} with flags {:#x}", message.flags)),
    };
    match verdict.map_err(text)? {
        None if message.flags & (REQUEST | ACKNOWLEDGE) == REQUEST | ACKNOWLEDGE => {
            Ok(message.sequence)
        }
        None => Err("not a request that is acknowledged".into()),
        Some(reason) => Err(reason.into()),
    }
}

/// `struct ifinfomsg`: only up or down, only the MTU.
fn link_message(
    message: &Message<'_>,
    is_lan: impl Fn(u32) -> bool,
) -> Result<Option<&'static str>, Error> {
    let family_and_type: [u8; 4] = read(message.body, 0, message.position, "a link header")?;
    let (flags, change) = (number(message, 8)?, number(message, 12)?);
    if family_and_type != [0; 4] || flags & !1 != 0 || change != 1 {
        return Ok(Some("only up and down may change"));
    }
    if !is_lan(interface(message)?) {
        return Ok(Some("not a LAN interface"));
    }
    only(message, 16, &[4])
}

/// `struct ifaddrmsg`: only the address itself.
fn address_message(
    message: &Message<'_>,
    is_lan: impl Fn(u32) -> bool,
) -> Result<Option<&'static str>, Error> {
    let [_family, _prefix, flags, scope]: [u8; 4] =
        read(message.body, 0, message.position, "an address header")?;
    if flags != 0 || scope != 0 {
        return Ok(Some("an address without flags and scope"));
    }
    if !is_lan(interface(message)?) {
        return Ok(Some("not a LAN interface"));
    }
    only(message, 8, &[1, 2])
}

/// `struct rtmsg`: only static unicast routes of the main table, by a LAN.
fn route_message(
    message: &Message<'_>,
    is_lan: impl Fn(u32) -> bool,
) -> Result<Option<&'static str>, Error> {
    let [_family, _to, source, service, table, origin, _scope, kind]: [u8; 8] =
        read(message.body, 0, message.position, "a route header")?;
    if [source, service] != [0, 0] || (table, origin, kind) != (MAIN_TABLE, STATIC, UNICAST) {
        return Ok(Some("not a static route of the main table"));
    }
    if number(message, 8)? != 0 {
        return Ok(Some("a route without flags"));
    }
    let mut by_lan = false;
    for attribute in body(message, 12) {
        let attribute = attribute?;
        if attribute.kind == 4 {
            by_lan = is_lan(attribute.number()?);
        }
    }
    if !by_lan {
        return Ok(Some("not by a LAN interface"));
    }
    only(message, 12, &[1, 4, 5, 6])
}

/// Whether the attributes after `header` bytes are of these kinds, each once.
fn only(
    message: &Message<'_>,
    header: usize,
    allowed: &[u16],
) -> Result<Option<&'static str>, Error> {
    let mut seen = Vec::new();
    for attribute in body(message, header) {
        let kind = attribute?.kind;
        if !allowed.contains(&kind) || seen.contains(&kind) {
            return Ok(Some("an attribute that is not for the gateway to set"));
        }
        seen.push(kind);
    }
    Ok(None)
}

fn rule_message(message: &Message<'_>) -> Result<(), String> {
    let known = [
        nft::NEW_TABLE,
        nft::DELETE_TABLE,
        nft::NEW_CHAIN,
        nft::NEW_RULE,
        nft::NEW_SET,
        nft::NEW_ELEMENTS,
    ];
    let flags = REQUEST | ACKNOWLEDGE | CREATE | EXCLUSIVE | APPEND;
    if !known.contains(&message.kind) || message.flags & !flags != 0 {
        return Err(format!(
            "kind {:#x} with flags {:#x}",
            message.kind, message.flags
        ));
    }
    let text = |fault: Error| format!("{fault}");
    let family: [u8; 4] = read(message.body, 0, message.position, "a family").map_err(text)?;
    if family != [nft::INET, 0, 0, 0] {
        return Err("not of family inet".into());
    }
    let mut tables = 0;
    for attribute in body(message, 4) {
        let attribute = attribute.map_err(text)?;
        if attribute.kind == nft::TABLE {
            tables += 1;
            if attribute.text().map_err(text)? != TABLE {
                return Err("not our table".into());
            }
        } else if message.kind == nft::NEW_RULE && attribute.kind == NFTA_RULE_EXPRESSIONS {
            expressions(&attribute)?;
        }
    }
    // The kernel takes the last of two; so there must not be two.
    if tables == 1 {
        Ok(())
    } else {
        Err("one table is named".into())
    }
}

fn expressions(list: &Attribute<'_>) -> Result<(), String> {
    let text = |fault: Error| format!("{fault}");
    for element in list.inside() {
        let element = element.map_err(text)?;
        let mut names = 0;
        for part in element.inside() {
            let part = part.map_err(text)?;
            if part.kind == NFTA_EXPR_NAME {
                names += 1;
                let name = part.text().map_err(text)?;
                if !EXPRESSIONS.contains(&name) {
                    return Err("an expression that the gateway has no use for".into());
                }
            }
        }
        if names != 1 {
            return Err("an expression has one name".into());
        }
    }
    Ok(())
}

fn body<'a>(message: &Message<'a>, header: usize) -> crate::wire::netlink::Attributes<'a> {
    attributes(
        message.body.get(header..).unwrap_or(&[]),
        message.position + header,
    )
}

fn number(message: &Message<'_>, at: usize) -> Result<u32, Error> {
    read(message.body, at, message.position, "a number").map(u32::from_ne_bytes)
}

const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_EXPR_NAME: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Openings;
    use crate::net::firewall::{base, closed};
    use crate::wire::netlink::Writer;
    use crate::wire::netlink::route::{Request, Route};
    use core::net::IpAddr;
    use proptest::prelude::*;
    use std::vec;

    const LAN: [Option<u32>; 2] = [Some(2), None];

    fn requests(index: u32) -> Vec<Request> {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let route = Route {
            to: ("0.0.0.0".parse().unwrap(), 0),
            gateway: Some(address),
            index: Some(index),
            metric: 0,
            origin: STATIC,
        };
        vec![
            Request::SetLink {
                index,
                up: true,
                mtu: Some(1500),
            },
            Request::AddAddress {
                index,
                address,
                prefix: 24,
            },
            Request::DeleteAddress {
                index,
                address,
                prefix: 24,
            },
            Request::AddRoute(route),
            Request::DeleteRoute(route),
        ]
    }

    fn judged(request: &Request) -> Result<Vec<u32>, String> {
        route(LAN, &[request.encode(7).unwrap()])
    }

    #[test]
    fn our_own_requests_pass_for_lan_interfaces_only() {
        for request in requests(2) {
            assert_eq!(judged(&request), Ok(vec![7]), "{request:?}");
        }
        for request in requests(3).iter().chain(&requests(0)) {
            assert!(judged(request).is_err(), "{request:?}");
        }
        for dump in [Request::DumpLinks, Request::DumpRoutes4] {
            assert!(judged(&dump).is_err());
        }
    }

    #[test]
    fn a_link_that_goes_up_is_noticed() {
        let encode = |up| {
            let request = Request::SetLink {
                index: 2,
                up,
                mtu: None,
            };
            vec![request.encode(1).unwrap()]
        };
        assert!(switches_on(&encode(true)));
        assert!(!switches_on(&encode(false)));
    }

    #[test]
    fn strange_attributes_and_double_messages_are_refused() {
        let good = requests(2)[0].encode(1).unwrap();
        let double = [good.clone(), good.clone()].concat();
        assert!(route(LAN, &[double]).is_err());
        assert!(route(LAN, &vec![good; ROUTE_MESSAGES + 1]).is_err());
        // IFLA_NET_NS_PID would hand the interface to somebody else.
        let mut writer = Writer::new();
        writer.message(NEW_LINK, REQUEST | ACKNOWLEDGE, 1, |writer| {
            writer.raw(&[0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
            writer.attribute(19, &[1, 0, 0, 0]);
        });
        assert!(route(LAN, &[writer.finish().unwrap()]).is_err());
    }

    #[test]
    fn our_own_rule_sets_pass() {
        let openings = Openings {
            tcp: vec![443, 5060],
            udp: vec![5060],
            peer_tcp: vec![4371, 4372],
            peer_udp: vec![4372],
            peers: vec!["192.0.2.2".parse().unwrap(), "2001:db8::2".parse().unwrap()],
        };
        for ruleset in [closed(), base(&Openings::default()), base(&openings)] {
            assert_eq!(firewall(&ruleset.replacement(1).unwrap()), Ok(()));
        }
    }

    #[test]
    fn other_tables_and_expressions_are_refused() {
        let mut other = closed();
        other.table = "filter".into();
        let fault = firewall(&other.replacement(1).unwrap()).unwrap_err();
        assert!(fault.ends_with("not our table"), "{fault}");
        let batch = closed().replacement(1).unwrap();
        let at = batch
            .windows(9)
            .position(|window| window == b"immediate")
            .unwrap();
        let mut changed = batch.clone();
        changed[at..at + 9].copy_from_slice(b"immediatf");
        assert!(firewall(&changed).is_err());
        assert!(firewall(&batch[..batch.len() - 20]).is_err());
        assert!(firewall(&[]).is_err());
        assert!(firewall(&vec![0; FIREWALL_BATCH_BYTES + 1]).is_err());
    }

    #[test]
    fn host_names_are_labels() {
        for name in ["peer1", "peer-1.example.org", "1"] {
            assert!(host_name(name), "{name}");
        }
        for name in ["", "a..b", "-a", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert!(!host_name(name), "{name}");
        }
    }

    proptest! {
        /// One changed byte never lets a message reach another interface.
        #[test]
        fn a_changed_byte_stays_within_the_lan(which in 0..5_usize, at in 0..60_usize, byte: u8) {
            let mut bytes = requests(2)[which].encode(1).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if route(LAN, &[bytes.clone()]).is_ok() {
                let message = messages(&bytes).next().unwrap().unwrap();
                let is_route = matches!(message.kind, NEW_ROUTE | DELETE_ROUTE);
                prop_assert!(is_route || interface(&message) == Ok(2));
            }
        }

        #[test]
        fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(firewall(&bytes).is_err());
            prop_assert!(route(LAN, &[bytes]).is_err());
        }
    }
}
