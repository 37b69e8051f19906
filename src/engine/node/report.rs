//! The state of everything in one value, and the conditions that make alarms.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::admin::status::{RegistrationStatus, Status, SystemStatus};
use crate::alarm::{Condition, Severity};
use crate::base::socket::Service;
use crate::base::time::{Instant, Wall};
use crate::cluster::status::ClusterStatus;
use crate::config::schema::Scope;

use super::Node;

impl Node {
    /// The state of everything.
    pub fn status(&self, now: Instant, wall: Wall) -> Status {
        let tree = self.configuration.tree();
        let cluster = self.cluster_status(now, wall);
        let registrations = self.registrations(now, &cluster);
        Status {
            system: SystemStatus {
                name: tree.text("SystemUnit Name").into(),
                version: self.version.into(),
                id: self.id,
                uptime: now.since(Instant::START),
                time: wall,
                set_up: self
                    .configuration
                    .secret("Administration Account Password")
                    .is_none(),
            },
            lans: self.net.status(),
            listeners: self.listeners.status(),
            cluster,
            sip: self.sip.status(&self.directory),
            registrations,
            alarms: self.alarms.raised().cloned().collect(),
            operation: self.operations.status(),
        }
    }

    /// The cluster alone.
    pub fn cluster_status(&self, now: Instant, wall: Wall) -> ClusterStatus {
        self.cluster
            .status(now, wall, &self.configuration, &self.directory)
    }

    /// Everything that is wrong now.
    pub(super) fn conditions(&self, now: Instant) -> Vec<Condition> {
        let mut conditions = self.cluster.conditions(now);
        conditions.extend(self.net.conditions());
        conditions.extend(self.operations.conditions(now));
        conditions.extend(self.faults.iter().map(|fault| Condition {
            id: 15_008,
            title: "Failed to load database",
            detail: fault.clone(),
            severity: Severity::Error,
            remedy: "Compare the configuration with a backup or with the history of revisions.",
        }));
        conditions.extend(self.disk_fault.iter().map(|fault| Condition {
            id: 15_005,
            title: "Database failure",
            detail: format!("what is changed cannot be saved: {fault}"),
            severity: Severity::Error,
            remedy: "Make room on the disk, or replace it. Calls and registrations go on.",
        }));
        conditions.extend(self.configuration.lost_secrets().map(|path| Condition {
            id: 15_903,
            title: "Secret lost",
            detail: format!("the secret of {path} cannot be read"),
            severity: Severity::Error,
            remedy: match path.item().scope {
                Scope::Peer => "Set it again.",
                Scope::Cluster => {
                    "Set it again on the primary. A subordinate fetches it from the primary by \
                     itself."
                }
            },
        }));
        for listener in self.listeners.status() {
            let Some(fault) = listener.fault.filter(|fault| fault != "being opened") else {
                continue;
            };
            let service = service_name(listener.service);
            conditions.push(Condition {
                id: 25_018,
                title: "Port conflict",
                detail: format!("{service} cannot listen on {}: {fault}", listener.address),
                severity: Severity::Error,
                remedy: "Choose another port, or give this system the address.",
            });
        }
        if self
            .configuration
            .tree()
            .is_on("SystemUnit Maintenance Mode")
        {
            conditions.push(Condition {
                id: 15_015,
                title: "Maintenance mode",
                detail: "new calls and registrations are refused".into(),
                severity: Severity::Warning,
                remedy: "Set SystemUnit Maintenance Mode to Off when the work is done.",
            });
        }
        conditions
    }

    fn registrations(&self, now: Instant, cluster: &ClusterStatus) -> Vec<RegistrationStatus> {
        let position = |owner| {
            let peer = cluster.peers.iter().find(|peer| peer.id == Some(owner));
            peer.map(|peer| peer.position)
        };
        let living = self
            .directory
            .all()
            .filter(|(_, found)| found.expires > now);
        let row = |(aor, found): (&str, crate::directory::Found<'_>)| RegistrationStatus {
            aor: aor.to_string(),
            contact: String::from_utf8_lossy(&found.binding.contact).into_owned(),
            peer: position(found.owner),
            expires_in: found.expires.since(now),
            user_agent: found.binding.user_agent.clone(),
        };
        living.map(row).collect()
    }
}

/// What a socket is for, in words.
pub(super) const fn service_name(service: Service) -> &'static str {
    match service {
        Service::SipUdp => "SIP over UDP",
        Service::SipTcp => "SIP over TCP",
        Service::PeerConfiguration => "configuration replication",
        Service::PeerState => "shared state",
        Service::PeerBeat => "the peers' beats",
        Service::Web => "the web pages",
    }
}
