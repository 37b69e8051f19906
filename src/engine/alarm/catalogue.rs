//! Every alarm that can be raised: the one table of identifiers, titles, severities and remedies
//! (SPEC AL1).
//!
//! The first two digits of an identifier tell the field: 10 hardware, 15 software, 20 cluster,
//! 25 network, 30 licences, 35 outside services, 40 security, 45 configuration. Identifiers and
//! titles are the incumbent's where it has the alarm; our own end in 9xx.

use core::time::Duration;

use super::{Kind, Severity};

/// What tells of a state that somebody chose, or of a fault that is certain: raised at once.
const AT_ONCE: Duration = Duration::ZERO;

/// What a passing disturbance can cause.
const SHORTLY: Duration = Duration::from_secs(2);

/// What the steps of forming or changing a cluster cause on their way (SPEC CL7).
const FORMING: Duration = Duration::from_secs(10);

const fn kind(
    id: u32,
    title: &'static str,
    severity: Severity,
    patience: Duration,
    remedy: &'static str,
) -> Kind {
    Kind {
        id,
        title,
        severity,
        patience,
        remedy,
    }
}

/// Something that is changed cannot be written to the disk.
pub static DATABASE_FAILURE: Kind = kind(
    15_005,
    "Database failure",
    Severity::Error,
    AT_ONCE,
    "Make room on the disk, or replace it. Calls and registrations go on.",
);

/// Something in the store could not be read at the start.
pub static DATABASE_UNREADABLE: Kind = kind(
    15_008,
    "Failed to load database",
    Severity::Error,
    AT_ONCE,
    "Compare the configuration with a backup or with the history of revisions. The alarm goes \
     with the next restart.",
);

/// The administrator has switched maintenance mode on.
pub static MAINTENANCE_MODE: Kind = kind(
    15_015,
    "Maintenance mode",
    Severity::Warning,
    AT_ONCE,
    "Set SystemUnit Maintenance Mode to Off when the work is done.",
);

/// A setting takes effect only after a restart.
pub static RESTART_REQUIRED: Kind = kind(
    15_902,
    "Restart required",
    Severity::Warning,
    AT_ONCE,
    "Restart the gateway when it suits: xCommand Restart.",
);

/// The key that opens saved secrets is another, or a record is damaged (SPEC RP7).
pub static SECRET_LOST: Kind = kind(
    15_903,
    "Secret lost",
    Severity::Error,
    AT_ONCE,
    "Set it again. A secret that the cluster shares is set on the primary; a subordinate fetches \
     it from there by itself.",
);

/// Beats of a peer stay away, or its links are down.
pub static PEER_LOST: Kind = kind(
    20_004,
    "Cluster communication failure",
    Severity::Warning,
    SHORTLY,
    "Check that the peer runs and that TCP 4371, TCP 4372 and UDP 4372 pass.",
);

/// A name in the peer list has no address.
pub static PEER_ADDRESS: Kind = kind(
    20_005,
    "Invalid peer address",
    Severity::Warning,
    FORMING,
    "Correct the name, enter it in the cluster address mapping, or check the DNS servers.",
);

/// Shared state does not flow although the peer is there.
pub static STATE_LINK: Kind = kind(
    20_006,
    "Cluster database communication failure",
    Severity::Warning,
    SHORTLY,
    "Check that TCP 4372 passes between the peers.",
);

/// A peer has another software version.
pub static VERSIONS_DIFFER: Kind = kind(
    20_008,
    "Cluster replication error",
    Severity::Warning,
    SHORTLY,
    "Bring all peers to the same version; replication goes on by itself.",
);

/// What the primary sends cannot be taken.
pub static SYNCHRONISATION: Kind = kind(
    20_009,
    "Cluster replication error",
    Severity::Warning,
    AT_ONCE,
    "Mend what the text names; replication is tried again by itself. If it stays, synchronise \
     manually: xCommand ForceConfigUpdate on this peer.",
);

/// This peer's configuration differs from the primary's, and stays so.
pub static CONFLICT: Kind = kind(
    20_011,
    "Cluster replication error",
    Severity::Warning,
    FORMING,
    "Synchronise manually: xCommand ForceConfigUpdate on this peer takes the primary's \
     configuration. The replaced one can be had back.",
);

/// Settings that must be equal on every peer are not.
pub static SETTINGS_DIFFER: Kind = kind(
    20_012,
    "Cluster replication error",
    Severity::Warning,
    SHORTLY,
    "Make the clustering settings the same on both peers.",
);

/// The peer that is to be primary has not been met.
pub static PRIMARY_UNKNOWN: Kind = kind(
    20_014,
    "Cluster replication error",
    Severity::Warning,
    FORMING,
    "Bring the primary up, or correct Alternates ConfigurationPrimary.",
);

/// The peer list does not hold this system.
pub static NOT_IN_LIST: Kind = kind(
    20_015,
    "Cluster replication error",
    Severity::Warning,
    SHORTLY,
    "Add this system's own LAN address to the list of peers, or clear the list.",
);

/// The primary was there and is away.
pub static PRIMARY_LOST: Kind = kind(
    20_016,
    "Cluster replication error",
    Severity::Warning,
    SHORTLY,
    "Bring the primary back, or make another peer primary.",
);

/// The number of the primary that is typed here is not that of the peer that is followed.
pub static PRIMARY_MISMATCH: Kind = kind(
    20_017,
    "Cluster replication error",
    Severity::Warning,
    FORMING,
    "Set Alternates ConfigurationPrimary to the same number on every peer.",
);

/// There are peers and no name of the cluster.
pub static NO_CLUSTER_NAME: Kind = kind(
    20_019,
    "Cluster name not configured",
    Severity::Warning,
    AT_ONCE,
    "Set Alternates Cluster Name to the same fully qualified domain name on every peer.",
);

/// Beats take longer than a cluster is made for (SPEC CL4).
pub static ROUND_TRIP: Kind = kind(
    20_901,
    "Round trip too long",
    Severity::Warning,
    FORMING,
    "Bring the peers closer together on the network.",
);

/// Copies of shared items differed from their owner's.
pub static REPAIRED: Kind = kind(
    20_902,
    "Shared state repaired",
    Severity::Warning,
    AT_ONCE,
    "Shared items differed from their owner's and were fetched again. Report this: it is a fault \
     of the software.",
);

/// A step of an operation has failed, or makes no progress (SPEC CL8).
pub static OPERATION_WAITS: Kind = kind(
    20_910,
    "Cluster operation waits",
    Severity::Warning,
    AT_ONCE,
    "System > Clustering shows the step. Mend what it waits for, or undo it.",
);

/// A peer is mapped to an address that strangers can reach (SPEC AM1).
pub static PUBLIC_MAPPING: Kind = kind(
    20_911,
    "Public address in the cluster address mapping",
    Severity::Warning,
    AT_ONCE,
    "Enter the private address of the interface that the peer clusters on.",
);

/// All peer addresses were cleared: the next restart resets this system (SPEC LC2).
pub static RESET_DUE: Kind = kind(
    20_912,
    "Factory reset at the next restart",
    Severity::Warning,
    AT_ONCE,
    "Enter the same peer addresses in the same order to keep everything, or restart to be reset.",
);

/// The other peers have taken this system off their lists (SPEC LC4).
pub static REMOVED: Kind = kind(
    20_913,
    "Removed from the cluster",
    Severity::Error,
    AT_ONCE,
    "Clear all peer addresses and restart: the system is reset and can join again.",
);

/// A socket cannot be opened.
pub static PORT_CONFLICT: Kind = kind(
    25_018,
    "Port conflict",
    Severity::Error,
    AT_ONCE,
    "Choose another port, or give this system the address.",
);

/// The role that owns the machine does not answer, or refuses.
pub static MACHINE_LOST: Kind = kind(
    25_101,
    "The machine cannot be controlled",
    Severity::Critical,
    AT_ONCE,
    "Restart the machine; if it stays, note the text and ask for support.",
);

/// The kernel does not take the firewall rules.
pub static FIREWALL_REFUSED: Kind = kind(
    25_102,
    "The firewall is not in force",
    Severity::Critical,
    AT_ONCE,
    "Restart the machine; until then it stays closed to the network.",
);

/// The kernel does not take an address or a route.
pub static NETWORK_REFUSED: Kind = kind(
    25_103,
    "Network settings not in force",
    Severity::Error,
    AT_ONCE,
    "Correct the addresses of LAN1 and LAN2 and the gateway.",
);

/// Another machine answers for an address of this one.
pub static ADDRESS_IN_USE: Kind = kind(
    25_104,
    "Address used by another machine",
    Severity::Error,
    AT_ONCE,
    "Give this machine or the other one a different address.",
);

/// A peer that brought licences is away; they stay for a while (SPEC LI2).
pub static LICENCES_LENT: Kind = kind(
    30_014,
    "Licences of a lost peer",
    Severity::Warning,
    FORMING,
    "Repair the peer, or remove it from the cluster.",
);

/// A peer that brought licences has been away for too long (SPEC LI2).
pub static LICENCES_LOST: Kind = kind(
    30_016,
    "Licences taken off the pool",
    Severity::Warning,
    FORMING,
    "Repair the peer, or remove it from the cluster.",
);

/// A trusted authority's revocation list is not here, while certificates are enforced.
pub static REVOCATION_LIST_MISSING: Kind = kind(
    40_001,
    "Revocation list missing",
    Severity::Notice,
    AT_ONCE,
    "Upload the authority's list under Maintenance > Security; without it, certificates that it \
     has revoked are accepted.",
);

/// A revocation list is out of date.
pub static REVOCATION_LIST_OLD: Kind = kind(
    40_002,
    "Revocation list out of date",
    Severity::Warning,
    AT_ONCE,
    "Upload the authority's newest list under Maintenance > Security.",
);

/// Peers are not told by certificates.
pub static TLS_PERMISSIVE: Kind = kind(
    40_049,
    "Cluster TLS permissive",
    Severity::Notice,
    AT_ONCE,
    "Peers are told by the identity met first and, when set, by the cluster secret. Enforce \
     verifies certificates too.",
);

/// A certificate has expired.
pub static CERTIFICATE_EXPIRED: Kind = kind(
    40_068,
    "Certificate expired",
    Severity::Critical,
    AT_ONCE,
    "Upload a new one under Maintenance > Security; it takes effect without a restart.",
);

/// A certificate expires soon.
pub static CERTIFICATE_NEAR_EXPIRY: Kind = kind(
    40_069,
    "Certificate expires soon",
    Severity::Warning,
    AT_ONCE,
    "Upload a new one under Maintenance > Security; it takes effect without a restart.",
);

/// A peer is told by the identity that was met first, and nothing else proved it.
pub static PINNED_AT_FIRST_USE: Kind = kind(
    40_901,
    "Identity of a peer taken at first use",
    Severity::Notice,
    AT_ONCE,
    "Compare the serial number with the one that the peer itself shows. With the same Alternates \
     Cluster Secret on every peer, none is taken unproved.",
);

/// Certificates were enforced, and peers did not come back (SPEC AM3).
pub static ENFORCE_ROLLED_BACK: Kind = kind(
    40_902,
    "Cluster TLS verification rolled back",
    Severity::Error,
    AT_ONCE,
    "System > Clustering shows what is wrong with each peer's certificate. Mend it and enforce \
     again.",
);

/// A peer presents a certificate that is refused, or would be (SPEC CL1).
pub static CERTIFICATE_REFUSED: Kind = kind(
    40_903,
    "Certificate of a peer refused",
    Severity::Error,
    AT_ONCE,
    "Give the peer a certificate of a trusted authority for the name in the list of peers, and \
     check that the name resolves to its address.",
);

/// All of them, by identifier.
pub static ALL: &[&Kind] = &[
    &DATABASE_FAILURE,
    &DATABASE_UNREADABLE,
    &MAINTENANCE_MODE,
    &RESTART_REQUIRED,
    &SECRET_LOST,
    &PEER_LOST,
    &PEER_ADDRESS,
    &STATE_LINK,
    &VERSIONS_DIFFER,
    &SYNCHRONISATION,
    &CONFLICT,
    &SETTINGS_DIFFER,
    &PRIMARY_UNKNOWN,
    &NOT_IN_LIST,
    &PRIMARY_LOST,
    &PRIMARY_MISMATCH,
    &NO_CLUSTER_NAME,
    &ROUND_TRIP,
    &REPAIRED,
    &OPERATION_WAITS,
    &PUBLIC_MAPPING,
    &RESET_DUE,
    &REMOVED,
    &PORT_CONFLICT,
    &MACHINE_LOST,
    &FIREWALL_REFUSED,
    &NETWORK_REFUSED,
    &ADDRESS_IN_USE,
    &LICENCES_LENT,
    &LICENCES_LOST,
    &REVOCATION_LIST_MISSING,
    &REVOCATION_LIST_OLD,
    &TLS_PERMISSIVE,
    &CERTIFICATE_EXPIRED,
    &CERTIFICATE_NEAR_EXPIRY,
    &PINNED_AT_FIRST_USE,
    &ENFORCE_ROLLED_BACK,
    &CERTIFICATE_REFUSED,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_identifier_stands_once_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
        for kind in ALL {
            assert!((10_000..100_000).contains(&kind.id), "{}", kind.id);
            assert!(!kind.title.is_empty() && kind.remedy.ends_with('.'));
        }
    }
}
