//! A certificate and a list that openssl made.

use super::*;
use crate::wire::pem;

const CERTIFICATE: &str = include_str!("test-certificate.pem");
const LIST: &str = include_str!("test-list.pem");

fn der(text: &str) -> Vec<u8> {
    pem::blocks(text).expect("PEM").remove(0).bytes
}

#[test]
fn a_certificate_tells_whose_it_is_and_how_long() {
    let found = Certificate::parse(&der(CERTIFICATE)).expect("a certificate");
    assert_eq!(found.common_name, "peer1.example.net");
    assert_eq!(found.subject, "O=Example, CN=peer1.example.net");
    assert_eq!(found.issuer, "CN=Example CA");
    assert_eq!(found.names, ["peer1.example.net", "other.example.net"]);
    assert_eq!(found.addresses, [IpAddr::from([10, 0, 0, 1])]);
    assert!(found.is_for("PEER1.example.net") && !found.is_for("peer2.example.net"));
    assert!(!found.is_authority);
    assert_eq!(found.not_before.to_string(), "2024-02-29T12:00:00Z");
    assert_eq!(found.not_after.to_string(), "2051-03-01T00:00:01Z");
}

#[test]
fn a_list_tells_who_made_it_and_when() {
    let found = RevocationList::parse(&der(LIST)).expect("a list");
    assert_eq!(found.issuer, "CN=Example CA");
    assert!(found.next.is_some_and(|next| next > found.made));
}

#[test]
fn whatever_is_cut_or_changed_is_read_or_refused_and_never_worse() {
    let whole = der(CERTIFICATE);
    for length in 0..whole.len() {
        assert!(Certificate::parse(&whole[..length]).is_err(), "{length}");
    }
    for place in 0..whole.len() {
        for value in [0, 0x80, 0x84, 0xff] {
            let mut changed = whole.clone();
            changed[place] = value;
            let _ = Certificate::parse(&changed);
            let _ = RevocationList::parse(&changed);
        }
    }
}
