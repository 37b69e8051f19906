//! The state of everything in one value, and the conditions that make alarms.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::admin::status::{RegistrationStatus, Status, SystemStatus};
use crate::alarm::Condition;
use crate::alarm::catalogue::{
    DATABASE_FAILURE, DATABASE_UNREADABLE, ENFORCE_ROLLED_BACK, MAINTENANCE_MODE, NOT_IN_LIST,
    PEER_ADDRESS, PORT_CONFLICT, PUBLIC_MAPPING, RESET_DUE, RESTART_REQUIRED, SECRET_LOST,
};
use crate::base::socket::Service;
use crate::base::time::{Instant, Wall};
use crate::cluster::status::ClusterStatus;
use crate::config::settings::{ClusterSettings, mappings};

use crate::operation::status::OperationStatus;

use super::Node;
use super::reset::Former;

impl Node {
    /// The state of everything.
    pub fn status(&self, now: Instant, wall: Wall) -> Status {
        let tree = self.configuration.tree();
        let cluster = self.cluster_status(now, wall);
        let registrations = self.registrations(now, &cluster);
        let licences = self.licence_status(wall, &cluster);
        let (calls, drains) = (self.calls(&cluster), self.drains(&cluster));
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
            certificates: self.certificates.status(wall),
            cluster,
            sip: self.sip.status(&self.directory),
            registrations,
            calls,
            drains,
            licences,
            alarms: self.alarms.raised().cloned().collect(),
            operation: OperationStatus {
                reset: self.former.as_ref().map(Former::banner),
                ..self.operations.status(wall)
            },
        }
    }

    /// The cluster alone.
    pub fn cluster_status(&self, now: Instant, wall: Wall) -> ClusterStatus {
        self.cluster
            .status(now, wall, &self.configuration, &self.directory)
    }

    /// Everything that is wrong now.
    pub(super) fn conditions(&self, now: Instant, wall: Wall) -> Vec<Condition> {
        let mut conditions = self.cluster.conditions(now, &self.configuration);
        conditions.extend(self.net.conditions());
        conditions.extend(self.certificates.conditions(wall, self.is_enforced()));
        if let Some(text) = &self.verifying.rolled_back {
            conditions.push(ENFORCE_ROLLED_BACK.about("", &**text));
        }
        conditions.extend(self.operations.conditions(now));
        conditions.extend(self.licence_conditions(wall));
        let faults = self.faults.iter();
        conditions.extend(faults.map(|fault| DATABASE_UNREADABLE.about(&**fault, &**fault)));
        if let Some(fault) = &self.disk_fault {
            let detail = format!("what is changed cannot be saved: {fault}");
            conditions.push(DATABASE_FAILURE.about("", detail));
        }
        for path in self.configuration.lost_secrets() {
            let detail = format!("the secret of {path} cannot be read");
            conditions.push(SECRET_LOST.about(path.to_string(), detail));
        }
        for listener in self.listeners.status() {
            let Some(fault) = listener.fault.filter(|fault| fault != "being opened") else {
                continue;
            };
            let place = format!("{} on {}", service_name(listener.service), listener.address);
            let detail = format!("cannot open {place}: {fault}");
            conditions.push(PORT_CONFLICT.about(place, detail));
        }
        let tree = self.configuration.tree();
        if tree.is_on("SystemUnit Maintenance Mode") {
            let detail = "new calls and registrations are refused";
            conditions.push(MAINTENANCE_MODE.about("", detail));
        }
        let settings = ClusterSettings::new(tree, &self.resolver.names());
        if !settings.peers.is_empty() && settings.position().is_none() {
            let detail = "the local system does not appear in the list of peers";
            conditions.push(NOT_IN_LIST.about("", detail));
        }
        for (name, address) in mappings(tree) {
            if !is_private(address) {
                let detail = format!("{name} is mapped to {address}, which is not private");
                conditions.push(PUBLIC_MAPPING.about(name, detail));
            }
        }
        for (peer, address) in settings.peers.iter().zip(&settings.addresses) {
            if address.is_none() {
                let fault = self.resolver.fault(peer).unwrap_or("no answer yet");
                let detail = format!("{peer} has no address: {fault}");
                conditions.push(PEER_ADDRESS.about(&**peer, detail));
            }
        }
        let banner = self.former.as_ref().map(Former::banner);
        conditions.extend(banner.map(|text| RESET_DUE.about("", text)));
        for path in self.restart_items() {
            let detail = format!("{path} was changed");
            conditions.push(RESTART_REQUIRED.about(path, detail));
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

/// Whether an address is reached only from the networks of its owner (RFC 1918, RFC 4193).
const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
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
