//! Names of peers: which are needed, who is asked, and what becomes of the answers (SPEC AM1).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::base::time::Instant;
use crate::config::settings::{ClusterSettings, full_name, is_mapped};
use crate::io::Action;

use super::Node;

impl Node {
    /// The names in the peer list that only DNS can resolve.
    pub(super) fn want_names(&mut self, now: Instant) {
        let tree = self.configuration.tree();
        let own = full_name(tree);
        let peers = ClusterSettings::from(tree).peers;
        let open = peers.into_iter().filter(|peer| {
            peer.parse::<IpAddr>().is_err() && *peer != own && !is_mapped(tree, peer)
        });
        self.resolver.want(now, &open.collect::<BTreeSet<String>>());
    }

    /// An answer of a name server; peers whose address is now another are spoken to there.
    pub(super) fn resolved(
        &mut self,
        now: Instant,
        number: u64,
        result: Result<(Vec<IpAddr>, Duration), String>,
    ) {
        if self.resolver.answered(now, number, result) && !self.starting {
            self.configure(now);
        }
    }

    /// Hands on what is to be asked.
    pub(super) fn carry_queries(&mut self, now: Instant) {
        while let Some(query) = self.resolver.poll_query() {
            let tree = self.configuration.tree();
            let server = |number| {
                let address = tree.text(&format!("DNS Server {number} Address"));
                address.parse().ok()
            };
            let servers: Vec<IpAddr> = (1..=5).filter_map(server).collect();
            if servers.is_empty() && self.machine {
                let fault = "no DNS server is configured and no address mapping has it";
                self.resolver.answered(now, query.number, Err(fault.into()));
                continue;
            }
            self.actions.push_back(Action::Resolve {
                number: query.number,
                name: query.name,
                servers,
            });
        }
    }
}
