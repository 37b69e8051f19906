//! The line that says that everything asked for at start is there.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use causeway_engine::base::ids::ListenerId;
use causeway_engine::base::socket::Service;

/// Counts what is under way until the first moment when nothing is.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// Asked for, not answered.
    asked: BTreeMap<ListenerId, (Service, SocketAddr)>,
    open: BTreeMap<ListenerId, (Service, SocketAddr)>,
    /// Refused when it was asked for last: the log tells it once.
    refused: HashSet<(Service, SocketAddr)>,
    writes: usize,
    started: bool,
    told: bool,
}

impl Ready {
    /// A listener was asked for.
    pub(super) fn listen(&mut self, id: ListenerId, service: Service, address: SocketAddr) {
        self.asked.insert(id, (service, address));
    }

    /// A listener was given up.
    pub(super) fn unlisten(&mut self, id: ListenerId) {
        self.asked.remove(&id);
        self.open.remove(&id);
    }

    /// A listener is open, or not.
    pub(super) fn listening(&mut self, id: ListenerId, result: &Result<SocketAddr, String>) {
        let Some((service, address)) = self.asked.remove(&id) else {
            return;
        };
        match result {
            Ok(open) => {
                self.refused.remove(&(service, address));
                self.open.insert(id, (service, *open));
            }
            Err(reason) => {
                if !self.refused.insert((service, address)) {
                    return;
                }
                log::warn!("cannot listen: {} {address}: {reason}", word(service));
            }
        }
    }

    /// A batch is on its way to the disk.
    pub(super) fn persist(&mut self) {
        self.writes += 1;
    }

    /// A batch was answered.
    pub(super) fn written(&mut self) {
        self.writes = self.writes.saturating_sub(1);
    }

    /// What is done once at start is done.
    pub(super) fn started(&mut self) {
        self.started = true;
    }

    /// Prints the line, once, when nothing is under way.
    pub(super) fn tell(&mut self) {
        if self.told || !self.started || self.writes > 0 || !self.asked.is_empty() {
            return;
        }
        self.told = true;
        super::say(&self.line());
    }

    fn line(&self) -> String {
        let mut line = String::from("ready");
        for (service, address) in self.open.values() {
            line.push_str(&match service {
                Service::Web => format!(" web https://{address}"),
                other => format!(" {} {address}", word(*other)),
            });
        }
        line
    }
}

fn word(service: Service) -> &'static str {
    match service {
        Service::SipUdp => "sip-udp",
        Service::SipTcp => "sip-tcp",
        Service::PeerConfiguration => "peer-configuration",
        Service::PeerState => "peer-state",
        Service::PeerBeat => "peer-beat",
        Service::Web => "web",
    }
}
