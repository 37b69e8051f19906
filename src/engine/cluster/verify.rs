//! Peers' certificates as Enforce judges them, in either mode (SPEC CL1, CL5, AM3).
//!
//! Every peer judges every other and tells all what it would say, so that Enforce is chosen only
//! where no pair would part. Which peer a stream may be from was decided by its source address:
//! that of a peer whose address, or whose name by mapping or DNS, it is.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::alarm::{Condition, catalogue};
use crate::base::limits;
use crate::base::socket::{Ends, Presented, Service};
use crate::base::time::Instant;
use crate::wire::peer::Message;

use super::Cluster;
use super::peer::Peer;
use super::status::PeerState;

/// Bytes of one message that tells verdicts.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes of a reason that a peer tells.
const REASON_BYTES: usize = 512;

/// How long a certificate that was presented from a wrong address stays in the alarms.
const MISPLACED: core::time::Duration = core::time::Duration::from_secs(60);

/// What a peer would say of the others, told to all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Judgement {
    /// Full name of the peer that tells; empty while it has none.
    host: String,
    /// Address of each other peer as configured there, and why it would be refused.
    verdicts: Vec<(String, Option<String>)>,
}

/// A suggested address mapping (SPEC AM2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Host name and domain of the peer.
    pub name: String,
    /// The address that it clusters on.
    pub address: IpAddr,
    /// Whether the certificate that it presents is for this name; `None` while none was seen.
    pub fits: Option<bool>,
}

impl Cluster {
    /// Every pair of peers of which one would refuse the other if certificates were enforced, one
    /// sentence each; empty where Enforce is safe.
    pub fn would_enforce_fail(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.settings.is_none() {
            faults.push("this system is in no cluster".to_string());
        }
        for peer in &self.peers {
            let name = &peer.address;
            match verdict(peer) {
                None => faults.push(format!("{name}: its certificate was not seen")),
                Some(Err(reason)) => {
                    faults.push(format!("this system would refuse {name}: {reason}"));
                }
                Some(Ok(())) => {}
            }
            let Some(told) = &peer.told else {
                faults.push(format!(
                    "{name} has not told what it would say of the others"
                ));
                continue;
            };
            for (other, reason) in &told.verdicts {
                if let Some(reason) = reason {
                    faults.push(format!("{name} would refuse {other}: {reason}"));
                }
            }
        }
        if let Some(fault) = self
            .own_certificate
            .as_ref()
            .and_then(|own| own.fault.as_ref())
            && self.peers.is_empty()
            && self.settings.is_some()
        {
            faults.push(format!("peers would refuse this system: {fault}"));
        }
        faults
    }

    /// Host name and domain of every peer with the address that it clusters on, this system's
    /// own from `own_name` (SPEC AM2). Peers that have told no host name are left out.
    pub fn suggestions(&self, own_name: &str) -> Vec<Suggestion> {
        let fits = |names: &Presented, name: &str| {
            names
                .names
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        let own = self
            .settings
            .as_ref()
            .and_then(|settings| settings.own_address());
        let own = own
            .filter(|_| own_name.contains('.'))
            .map(|address| Suggestion {
                name: own_name.into(),
                address,
                fits: self.own_certificate.as_ref().map(|own| fits(own, own_name)),
            });
        let others = self.peers.iter().filter_map(|peer| {
            let name = peer.told.as_ref()?.host.clone();
            Some(Suggestion {
                fits: peer.presented.as_ref().map(|shown| fits(shown, &name)),
                address: peer.ip.filter(|_| name.contains('.'))?,
                name,
            })
        });
        own.into_iter().chain(others).collect()
    }

    /// Addresses, as configured, of the peers that are active.
    pub fn active(&self, now: Instant) -> Vec<String> {
        let active = self
            .peers
            .iter()
            .filter(|peer| peer.state_word(now) == PeerState::Active);
        active.map(|peer| peer.address.clone()).collect()
    }

    /// The certificate that this system presents from now on.
    pub fn presenting(&mut self, presented: Presented) {
        self.own_certificate = Some(presented);
    }

    /// Ends all links and dials anew: certificates, or how they are judged, have changed.
    pub fn meet_anew(&mut self, now: Instant) {
        for place in 0..self.peers.len() {
            for service in [Service::PeerConfiguration, Service::PeerState] {
                self.drop_link(now, place, service);
                self.peers[place].dial(service).reset(now);
            }
        }
    }

    /// Full name of this system, told to the others for suggestions.
    pub(super) fn tell_judgements(&mut self) {
        let host = self.host.clone();
        for place in 0..self.peers.len() {
            let judge = |peer: &Peer| {
                let reason = match verdict(peer) {
                    None => Some("its certificate was not seen".to_string()),
                    Some(verdict) => verdict.err(),
                };
                (peer.address.clone(), reason)
            };
            let verdicts = self.peers.iter().map(judge).collect();
            let host = host.clone();
            let judgement = Judgement { host, verdicts };
            let peer = &mut self.peers[place];
            let service = Service::PeerConfiguration;
            // Another version would close the link over a message that it does not know.
            if !peer.same_schema
                || !peer.stands(service)
                || peer.judged.as_ref() == Some(&judgement)
            {
                continue;
            }
            let bytes = postcard::to_extend(&judgement, Vec::new());
            peer.judged = Some(judgement);
            let message = Message::Judged(bytes.expect("plain data always encodes"));
            self.send(place, service, &message);
        }
    }

    /// Takes in what a peer would say of the others; `false` if that makes no sense.
    pub(super) fn heard_judgement(&mut self, place: usize, bytes: &[u8]) -> bool {
        if bytes.len() > MESSAGE_BYTES {
            return false;
        }
        let Ok(mut told) = postcard::from_bytes::<Judgement>(bytes) else {
            return false;
        };
        told.verdicts.truncate(limits::PEERS);
        for (_, reason) in &mut told.verdicts {
            if let Some(reason) = reason {
                reason.truncate(reason.floor_char_boundary(REASON_BYTES));
            }
        }
        self.peers[place].told = Some(told);
        true
    }

    /// Notes the certificate of a stream; why it must not be taken, if so.
    pub(super) fn judge(&mut self, place: usize, presented: Presented) -> Option<String> {
        let enforced = self
            .settings
            .as_ref()
            .is_some_and(|settings| settings.enforce);
        let peer = &mut self.peers[place];
        peer.presented = Some(presented);
        let reason = verdict(peer)?.err().filter(|_| enforced)?;
        Some(format!("its certificate is refused: {reason}"))
    }

    /// A stream from nobody's address presented a certificate that may be a peer's.
    pub(super) fn misplaced(&mut self, now: Instant, ends: Ends, presented: &Presented) {
        let named = |peer: &&mut Peer| presented.names.contains(&peer.address);
        if let Some(peer) = self.peers.iter_mut().find(named) {
            let from = ends.remote.ip();
            let text = format!(
                "a certificate for {} came from {from}, which the name does not resolve to: \
                 refused",
                peer.address
            );
            peer.misplaced = Some((now, text));
        }
    }

    /// What is wrong with peers' certificates.
    pub(super) fn certificate_conditions(&self, now: Instant) -> Vec<Condition> {
        let enforced = self
            .settings
            .as_ref()
            .is_some_and(|settings| settings.enforce);
        let mut conditions = Vec::new();
        let kind = &catalogue::CERTIFICATE_REFUSED;
        for peer in &self.peers {
            if let Some(Err(reason)) = verdict(peer).filter(|_| enforced) {
                let detail = format!("{}: {reason}", peer.address);
                conditions.push(kind.about(&*peer.address, detail));
            }
            if let Some((at, text)) = &peer.misplaced
                && now.since(*at) < MISPLACED
            {
                conditions.push(kind.about(format!("{} elsewhere", peer.address), text.as_str()));
            }
        }
        conditions
    }

    /// The state of the certificate that this system presents.
    pub(super) fn own_certificate_word(&self) -> String {
        match &self.own_certificate {
            Some(Presented { fault: None, .. }) => "Valid".into(),
            Some(Presented {
                fault: Some(fault), ..
            }) => format!("Invalid ({fault})"),
            None => "Unknown".into(),
        }
    }
}

/// What Enforce says of the certificate that a peer presented last; `None` before the first.
fn verdict(peer: &Peer) -> Option<Result<(), String>> {
    let presented = peer.presented.as_ref()?;
    let name = &peer.address;
    let fault = if name.parse::<IpAddr>().is_ok() {
        Some("the list of peers has its IP address in the place of its name".into())
    } else if let Some(fault) = &presented.fault {
        Some(fault.clone())
    } else if !presented
        .names
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
    {
        let names = presented.names.join(", ");
        Some(format!("it is not for {name} but for {names}"))
    } else {
        None
    };
    Some(fault.map_or(Ok(()), Err))
}

/// The state of a peer's certificate, as CL1 has it.
pub(super) fn word(peer: &Peer) -> String {
    match verdict(peer) {
        None => "Unknown".into(),
        Some(Ok(())) => "Valid".into(),
        Some(Err(reason)) => format!("Invalid ({reason})"),
    }
}
