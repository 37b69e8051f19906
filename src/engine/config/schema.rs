//! The one table of every configuration item (SPEC RP1).
//!
//! Command line, pages, replication, backup and reference are derived from it: adding an item is
//! adding one entry. Names are the incumbent's where it has the item.
//!
//! Entries stay: revisions on disk and on other peers name them, and hashes are taken over them.
//! An item that has no use any more keeps its entry, its kind and its scope.

/// Who an item belongs to (SPEC RP2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Replicated: changed on the primary, the same on every peer.
    Cluster,
    /// Of this peer alone, never replicated; marked † on every face.
    Peer,
}

/// What values an item takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of these words, matched without regard to case.
    Choice(&'static [&'static str]),
    /// A whole number within these bounds, both included.
    Number {
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
    /// Printable text of at most this many bytes.
    Text {
        /// Longest, in bytes.
        max: usize,
    },
    /// An IPv4 address, or empty.
    Ipv4,
    /// An IPv6 address, or empty.
    Ipv6,
    /// An IPv4 subnet mask such as `255.255.255.0`.
    Mask,
    /// An IP address, a host name, or empty.
    Host,
    /// A host name or domain name (RFC 1123 section 2.1), or empty.
    Name {
        /// Longest, in bytes.
        max: usize,
    },
    /// A secret text, write-only.
    Secret {
        /// Longest, in bytes.
        max: usize,
    },
    /// An Argon2id hash of a password, write-only; faces hash before they save.
    Password,
}

impl Kind {
    /// Whether the value is kept apart and never shown (SPEC RP7).
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Password)
    }
}

/// One configuration item, or a family of them with an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Words of its path; an index stands as its range: `Alternates Peer [1..6] Address`.
    pub pattern: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Its value while nobody has set it.
    pub default: &'static str,
    /// Who it belongs to.
    pub scope: Scope,
    /// Whether a change takes effect only after a restart.
    pub restart: bool,
    /// What it is for, in a sentence or two.
    pub help: &'static str,
}

const ON_OFF: Kind = Kind::Choice(&["On", "Off"]);
const PORT: Kind = Kind::Number {
    min: 1,
    max: 65_535,
};

const fn cluster(
    pattern: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Item {
    Item {
        pattern,
        kind,
        default,
        scope: Scope::Cluster,
        restart: false,
        help,
    }
}

const fn peer(
    pattern: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Item {
    Item {
        pattern,
        kind,
        default,
        scope: Scope::Peer,
        restart: false,
        help,
    }
}

/// Every item, sorted by pattern.
pub const SCHEMA: &[Item] = &[
    cluster(
        "Administration Account Password",
        Kind::Password,
        "",
        "Password of the account admin. It is stored only as an Argon2id hash.",
    ),
    peer(
        "Administration HTTPS Mode",
        ON_OFF,
        "On",
        "Whether the pages are served over HTTPS.",
    ),
    cluster(
        "Alternates Cluster AddressMapping Mode",
        ON_OFF,
        "Off",
        "Whether names of peers are looked up in the address mappings before DNS is asked.",
    ),
    cluster(
        "Alternates Cluster AddressMapping Pair [1..6] Fqdn",
        Kind::Name { max: 128 },
        "",
        "Full name of a peer, as its certificate has it. Enter one mapping for every peer.",
    ),
    cluster(
        "Alternates Cluster AddressMapping Pair [1..6] IpAddress",
        Kind::Host,
        "",
        "Address that the name stands for: the private address that the peer clusters on.",
    ),
    peer(
        "Alternates Cluster IPVersion",
        Kind::Choice(&["IPv4", "IPv6"]),
        "IPv4",
        "IP version that the peers of the cluster speak to each other. The same on every peer.",
    ),
    peer(
        "Alternates Cluster Name",
        Kind::Name { max: 128 },
        "",
        "Name of the cluster, a fully qualified domain name. The same on every peer.",
    ),
    peer(
        "Alternates Cluster Secret",
        Kind::Secret { max: 128 },
        "",
        "A secret that every peer must prove to the others. The same on every peer; empty for \
         none.",
    ),
    cluster(
        "Alternates Cluster TLSMinimumVersion",
        Kind::Choice(&["TLSv1.2", "TLSv1.3"]),
        "TLSv1.2",
        "Oldest version of TLS that peers speak to each other.",
    ),
    peer(
        "Alternates Cluster TLSVerification",
        Kind::Choice(&["Permissive", "Enforce"]),
        "Permissive",
        "How peers' certificates are judged. Permissive trusts the configured addresses and the \
         identity met first. Enforce also wants a certificate that a trusted authority has issued, \
         for the name in the list of peers.",
    ),
    peer(
        "Alternates Configuration Port",
        PORT,
        "4371",
        "TCP port of configuration replication. The same on every peer.",
    ),
    peer(
        "Alternates ConfigurationPrimary",
        Kind::Number { min: 1, max: 6 },
        "1",
        "Number of the peer whose configuration the others take over. The same on every peer.",
    ),
    peer(
        "Alternates Peer [1..6] Address",
        Kind::Host,
        "",
        "Address of a peer of the cluster, this one included: an IP address, or the full name that \
         its certificate has. The same order on every peer.",
    ),
    peer(
        "Alternates State Port",
        PORT,
        "4372",
        "TCP port of shared state and UDP port of the peers' beats. The same on every peer.",
    ),
    peer(
        "DNS Server [1..5] Address",
        Kind::Host,
        "",
        "Address of a name server, asked in this order.",
    ),
    peer(
        "Ethernet [1..2] IP V4 Address",
        Kind::Ipv4,
        "",
        "IPv4 address of this LAN. Services listen on it.",
    ),
    peer(
        "Ethernet [1..2] IP V4 SubnetMask",
        Kind::Mask,
        "255.255.255.0",
        "IPv4 subnet mask of this LAN.",
    ),
    peer(
        "Ethernet [1..2] IP V6 Address",
        Kind::Ipv6,
        "",
        "IPv6 address of this LAN. Services listen on it.",
    ),
    peer(
        "Ethernet [1..2] IP V6 PrefixLength",
        Kind::Number { min: 1, max: 128 },
        "64",
        "IPv6 prefix length of this LAN.",
    ),
    peer(
        "Ethernet [1..2] MTU",
        Kind::Number {
            min: 1_280,
            max: 9_000,
        },
        "1500",
        "Largest packet on this LAN, in bytes.",
    ),
    peer(
        "IP DNS Domain Name",
        Kind::Name { max: 128 },
        "",
        "Domain added to unqualified names, and to the host name to make the full name.",
    ),
    peer(
        "IP DNS Hostname",
        Kind::Name { max: 63 },
        "",
        "Host name of this system.",
    ),
    peer(
        "IP Gateway",
        Kind::Ipv4,
        "",
        "IPv4 default gateway. It lies in the subnet of LAN1 or LAN2.",
    ),
    peer("IP V6 Gateway", Kind::Ipv6, "", "IPv6 default gateway."),
    cluster(
        "IPProtocol",
        Kind::Choice(&["IPv4", "IPv6", "Both"]),
        "Both",
        "IP versions that the services of the cluster use.",
    ),
    peer(
        "Licences Calls Installed",
        Kind::Number {
            min: 0,
            max: 100_000,
        },
        "0",
        "Calls at one time that this peer brings to the cluster's pool of licences; 0 for any \
         number.",
    ),
    peer(
        "Logging Level",
        Kind::Choice(&["Error", "Warn", "Info", "Debug"]),
        "Info",
        "The least severe lines that this system logs.",
    ),
    peer(
        "Management Interface Port",
        PORT,
        "443",
        "TCP port of the pages.",
    ),
    cluster(
        "Management Session InactivityTimeout",
        Kind::Number {
            min: 0,
            max: 65_535,
        },
        "30",
        "Minutes without activity after which a session ends; 0 for never.",
    ),
    peer(
        "NTP Server [1..5] Address",
        Kind::Host,
        "",
        "Address of a time server.",
    ),
    cluster(
        "SIP Advanced SipMaxSize",
        Kind::Number {
            min: 1_024,
            max: 65_536,
        },
        "32768",
        "Longest SIP message that is accepted over TCP, in bytes.",
    ),
    cluster(
        "SIP Domain [1..200] Name",
        Kind::Name { max: 128 },
        "",
        "A domain whose addresses may register here. With none, registrations for this system's \
         own addresses are taken.",
    ),
    cluster(
        "SIP Mode",
        ON_OFF,
        "On",
        "Whether SIP is served. On from the start: a gateway that has just been set up takes \
         registrations for the domains it is given, and nothing else.",
    ),
    cluster(
        "SIP Registration Standard Refresh Maximum",
        Kind::Number {
            min: 30,
            max: 7_200,
        },
        "3600",
        "Longest registration that is granted, in seconds.",
    ),
    cluster(
        "SIP Registration Standard Refresh Minimum",
        Kind::Number { min: 5, max: 3_600 },
        "45",
        "Shortest registration that is granted, in seconds; a shorter wish is answered 423.",
    ),
    cluster(
        "SIP TCP Mode",
        ON_OFF,
        "On",
        "Whether SIP is served over TCP.",
    ),
    cluster("SIP TCP Port", PORT, "5060", "TCP port of SIP."),
    cluster(
        "SIP UDP Mode",
        ON_OFF,
        "On",
        "Whether SIP is served over UDP.",
    ),
    cluster("SIP UDP Port", PORT, "5060", "UDP port of SIP."),
    peer(
        "SystemUnit Maintenance Mode",
        ON_OFF,
        "Off",
        "While on, no new calls and registrations are taken; calls that stand go on.",
    ),
    peer(
        "SystemUnit Name",
        Kind::Text { max: 50 },
        "",
        "Name of this system, shown on every page. Different on every peer.",
    ),
    peer(
        "TimeZone Name",
        Kind::Text { max: 64 },
        "UTC",
        "Time zone in which times are shown, by its IANA name.",
    ),
];
