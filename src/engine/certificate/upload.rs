//! What is uploaded, judged before it is accepted.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{AUTHORITIES, Held, Key, Own, REQUEST_NAMES};
use crate::base::time::Wall;
use crate::config::schema::Kind;
use crate::wire::pem::{self, Block};
use crate::wire::x509::{Certificate, RevocationList};

type Faults = Vec<String>;

/// The blocks of an upload, each of one of these kinds.
fn blocks(text: &str, labels: &[&str]) -> Result<Vec<Block>, Faults> {
    let blocks = pem::blocks(text).map_err(|fault| Vec::from([fault.to_string()]))?;
    for block in &blocks {
        if block.label == "ENCRYPTED PRIVATE KEY" {
            return Err(Vec::from([format!(
                "line {}: the key is encrypted; decrypt it before it is uploaded",
                block.line
            )]));
        }
        if !labels.contains(&block.label.as_str()) {
            return Err(Vec::from([format!(
                "line {}: a block {} does not belong here",
                block.line, block.label
            )]));
        }
    }
    Ok(blocks)
}

fn certificate(block: &Block) -> Result<Certificate, Faults> {
    Certificate::parse(&block.bytes)
        .map_err(|fault| Vec::from([format!("line {}: {fault}", block.line)]))
}

/// What a certificate is called in texts.
pub(super) fn title(der: &[u8]) -> String {
    Certificate::parse(der).map_or_else(|_| "the certificate".into(), |found| found.subject)
}

/// A certificate of this system, with its chain and its key.
pub(super) fn own(text: &str, held: &Held, now: Wall) -> Result<Own, Faults> {
    const KEYS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
    let labels: Vec<&str> = KEYS
        .into_iter()
        .chain(["CERTIFICATE", "EC PARAMETERS"])
        .collect();
    let blocks = blocks(text, &labels)?;
    let mut chain: Vec<(Certificate, Vec<u8>)> = Vec::new();
    let mut key = None;
    for block in blocks {
        if block.label == "CERTIFICATE" {
            let found = certificate(&block)?;
            let line = block.line;
            if let Some((below, _)) = chain.last()
                && below.encoded.1 != found.encoded.0
            {
                return Err(Vec::from([format!(
                    "line {line}: {} did not issue the certificate before it, {} did",
                    found.subject, below.issuer
                )]));
            }
            in_time(&found, now, line)?;
            chain.push((found, block.bytes));
        } else if KEYS.contains(&block.label.as_str()) && key.replace(Key(block.bytes)).is_some() {
            return Err(Vec::from([format!("line {}: a second key", block.line)]));
        }
    }
    let Some((first, _)) = chain.first() else {
        return Err(Vec::from(["there is no certificate in the text".into()]));
    };
    if first.is_authority && chain.len() > 1 {
        return Err(Vec::from([format!(
            "{} is an authority's: this system's own certificate comes first",
            first.subject
        )]));
    }
    let waiting = held.request.as_ref().map(|(key, _)| key.clone());
    let in_use = held.own.as_ref().map(|own| own.key.clone());
    let key = key.or(waiting).or(in_use).ok_or_else(|| {
        Vec::from([
            "the text holds no private key, and no request was made here that it would answer"
                .to_string(),
        ])
    })?;
    let chain = chain.into_iter().map(|(_, der)| der).collect();
    Ok(Own { chain, key })
}

fn in_time(found: &Certificate, now: Wall, line: usize) -> Result<(), Faults> {
    let fault = if now > found.not_after {
        format!("expired on {}", found.not_after)
    } else if now < found.not_before {
        format!("holds only from {} on; it is {now} here", found.not_before)
    } else {
        return Ok(());
    };
    Err(Vec::from([format!(
        "line {line}: {} {fault}",
        found.subject
    )]))
}

/// What is held with more authorities.
pub(super) fn trust(text: &str, mut held: Held, now: Wall) -> Result<(Held, String), Faults> {
    let mut added = 0;
    for block in blocks(text, &["CERTIFICATE"])? {
        let found = certificate(&block)?;
        in_time(&found, now, block.line)?;
        if !found.is_authority {
            return Err(Vec::from([format!(
                "line {}: {} is no authority's certificate (CA:TRUE is missing)",
                block.line, found.subject
            )]));
        }
        if !held.authorities.contains(&block.bytes) {
            held.authorities.push(block.bytes);
            added += 1;
        }
    }
    bounded(&held.authorities)?;
    Ok((
        held,
        format!("{added} authorities are trusted from now on.\n"),
    ))
}

/// What is held with newer revocation lists.
pub(super) fn revoke(text: &str, mut held: Held, now: Wall) -> Result<(Held, String), Faults> {
    let mut taken = 0;
    for block in blocks(text, &["X509 CRL"])? {
        let list = RevocationList::parse(&block.bytes)
            .map_err(|fault| Vec::from([format!("line {}: {fault}", block.line)]))?;
        if let Some(next) = list.next.filter(|next| *next < now) {
            return Err(Vec::from([format!(
                "line {}: the list of {} is out of date since {next}",
                block.line, list.issuer
            )]));
        }
        let issuer = |der: &Vec<u8>| Certificate::parse(der).map(|found| found.encoded.0);
        let known = |der: &Vec<u8>| issuer(der).is_ok_and(|name| name == list.encoded_issuer);
        if !held.authorities.iter().any(known) {
            return Err(Vec::from([format!(
                "line {}: {} is no trusted authority; trust it first",
                block.line, list.issuer
            )]));
        }
        held.lists.retain(|der| {
            let other = RevocationList::parse(der);
            other.is_ok_and(|other| other.encoded_issuer != list.encoded_issuer)
        });
        held.lists.push(block.bytes);
        taken += 1;
    }
    bounded(&held.lists)?;
    Ok((held, format!("{taken} revocation lists are in use.\n")))
}

fn bounded(list: &[Vec<u8>]) -> Result<(), Faults> {
    match list.len() {
        0..=AUTHORITIES => Ok(()),
        _ => Err(Vec::from([format!("there is room for {AUTHORITIES} only")])),
    }
}

/// What is held without one of a list.
pub(super) fn without(
    mut held: Held,
    number: usize,
    list: impl Fn(&mut Held) -> &mut Vec<Vec<u8>>,
) -> Result<Held, Faults> {
    let entries = list(&mut held);
    match number.checked_sub(1).filter(|place| *place < entries.len()) {
        Some(place) => {
            entries.remove(place);
            Ok(held)
        }
        None => Err(Vec::from([format!("there is no number {number}")])),
    }
}

/// The names of a request.
pub(super) fn judge_names(names: &[String]) -> Result<(), Faults> {
    if names.is_empty() || names.len() > REQUEST_NAMES {
        return Err(Vec::from([format!(
            "a request is for 1 to {REQUEST_NAMES} names"
        )]));
    }
    let kind = Kind::Name { max: 128 };
    let faults: Vec<String> = names
        .iter()
        .filter_map(|name| kind.accept(name).err())
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}
