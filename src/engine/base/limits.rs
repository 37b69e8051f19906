//! Every bound of the product, with its unit in the name or the comment.
//!
//! A bound that is reached gives the sender an answer, moves a counter and, where a person can do
//! something about it, raises an alarm. Nothing grows without one of these.

use core::time::Duration;

/// Peers in one cluster (SPEC CL2).
pub const PEERS: usize = 6;

/// Bytes of one UDP datagram that is read whole; a longer one is dropped and counted.
pub const DATAGRAM_BYTES: usize = 65_535;

/// Bytes of one SIP message over a stream (`SIP Advanced SipMaxSize` can only lower it).
pub const SIP_MESSAGE_BYTES: usize = 64 * 1024;

/// Header fields of one SIP message.
pub const SIP_HEADERS: usize = 256;

/// Bytes of one frame between peers.
pub const PEER_FRAME_BYTES: usize = 1024 * 1024;

/// Bytes queued towards one stream before it is closed as too slow.
pub const STREAM_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Streams open at one time, all services together.
pub const STREAMS: usize = 20_000;

/// Administrators' questions that wait for an answer at one time.
pub const REQUESTS: usize = 64;

/// Characters of one line typed by an administrator.
pub const COMMAND_LINE_CHARS: usize = 4_096;

/// Configuration revisions kept for view, comparison and roll back.
pub const REVISIONS: usize = 1_000;

/// Registrations that one peer accepts before it sheds (largest capacity profile, SPEC LI3,
/// with room for trial machines).
pub const REGISTRATIONS: usize = 250_000;

/// Contacts bound to one address of record.
pub const BINDINGS_PER_AOR: usize = 16;

/// SIP transactions alive at one time, about 500 bytes each. A call leaves four for 32 s, so this
/// is 3,000 calls each second for ever.
pub const SIP_TRANSACTIONS: usize = 400_000;

/// How often peers send each other a beat (DESIGN 3).
pub const BEAT_INTERVAL: Duration = Duration::from_millis(500);

/// Silence after which a peer is suspected.
pub const BEAT_SUSPECT: Duration = Duration::from_millis(1_500);

/// Silence after which a peer is failed.
pub const BEAT_FAILED: Duration = Duration::from_secs(3);

/// How long after it was configured a peer may be unheard of without being called failed: time to
/// set up the other one (SPEC CL7).
pub const FORMING: Duration = Duration::from_secs(60);

/// rtnetlink messages in one request to the `system` role.
pub const ROUTE_MESSAGES: usize = 256;

/// Bytes of one rtnetlink message that the `system` role passes on.
pub const ROUTE_MESSAGE_BYTES: usize = 512;

/// Bytes of one nf_tables batch that the `system` role passes on.
pub const FIREWALL_BATCH_BYTES: usize = 64 * 1024;

/// Bytes of one message between the roles of one machine.
pub const ROLE_MESSAGE_BYTES: usize = 128 * 1024;

/// Bytes of netlink answers kept of one request.
pub const NETLINK_ANSWER_BYTES: usize = 96 * 1024;

/// Addresses or routes of one machine that are looked at.
pub const NETLINK_ENTRIES: usize = 1_024;

/// Bytes of a host name (Linux, and one label chain of RFC 1123).
pub const HOST_NAME_BYTES: usize = 64;

/// Events of sockets and helpers that wait for the loop; senders wait when it is full.
pub const EVENTS: usize = 4_096;

/// Events that one turn of the loop takes in before it sends what they caused.
pub const EVENTS_PER_TURN: usize = 256;

/// Batches of writes under way to the disk; one more is refused as if the disk were full.
pub const STORE_BATCHES: usize = 1_024;

/// Bytes of one record of the store.
pub const STORE_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// Datagrams read or sent by one system call.
pub const DATAGRAM_BATCH: usize = 32;

/// Bytes that the kernel may keep for one UDP socket in each direction.
pub const DATAGRAM_SOCKET_BYTES: usize = 8 * 1024 * 1024;

/// TLS handshakes under way at one time, all services together, those of peers apart from others.
pub const HANDSHAKES: usize = 64;

/// TLS handshakes under way at one time from one source address.
pub const HANDSHAKES_PER_ADDRESS: usize = 8;

/// Time in which a TLS handshake, and then the proof of identity, must be done.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// Time in which a connection must be open.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Streams accepted for web pages at one time.
pub const WEB_STREAMS: usize = 256;

/// Command lines connected at one time.
pub const COMMAND_LINES: usize = 32;

/// Datagrams that wait for the network on one socket; beyond it the oldest is lost.
pub const DATAGRAM_QUEUE: usize = 8_192;

/// Requests to the machine's `system` role that wait to be sent.
pub const MACHINE_REQUESTS: usize = 256;

/// Removed items that an owner remembers for peers that come back.
pub const TOMBSTONES: usize = 10_000;

/// Alarms raised at one time.
pub const ALARMS: usize = 256;

/// Changes of shared items in one frame.
pub const ITEMS_PER_FRAME: usize = 256;

/// Bytes of a configuration snapshot; a whole configuration is some hundred KiB.
pub const SNAPSHOT_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of one part of a snapshot.
pub const SNAPSHOT_PART_BYTES: usize = 256 * 1024;

/// Revisions in one frame.
pub const REVISIONS_PER_FRAME: usize = 64;

/// Round trip above which an alarm says that peers are too far apart (SPEC CL4).
pub const ROUND_TRIP_MAX: Duration = Duration::from_millis(80);

/// Items in one saved change.
pub const CONFIGURATION_CHANGES: usize = 1_000;

/// Bytes of a revision, a bundle or a snapshot of the configuration, stored or sent.
pub const CONFIGURATION_BYTES: usize = 900 * 1024;

/// Bytes of history that go with a snapshot of the configuration.
pub const CONFIGURATION_HISTORY_BYTES: usize = 256 * 1024;

/// Bytes of each text that a revision carries beside its changes: author, address, note.
pub const REVISION_TEXT_BYTES: usize = 256;

/// Replaced configurations that are kept.
pub const BRANCHES: usize = 8;

/// Calls through one peer that are counted at one time.
pub const SIP_CALLS: usize = 100_000;

/// Bytes that wait for one SIP stream to open.
pub const SIP_OPENING_BYTES: usize = 256 * 1024;

/// Bytes of an address of record: user and domain together.
pub const AOR_BYTES: usize = 256;

/// Bytes of one registered Contact, or of one hop of its Path.
pub const CONTACT_BYTES: usize = 1_024;

/// Hops of the Path of one registered Contact (RFC 3327).
pub const PATH_HOPS: usize = 8;

/// Bytes of User-Agent kept with a registration.
pub const USER_AGENT_BYTES: usize = 128;

/// Registrations that end with the stream that made them, for one stream.
pub const SIP_FLOW_BINDINGS: usize = 256;

/// Branches that one SIP request forks into, all groups of preference together.
pub const SIP_BRANCHES: usize = 60;

/// Bytes of challenges gathered from the branches of one SIP request.
pub const SIP_CHALLENGE_BYTES: usize = 8 * 1024;

/// Messages of operations that wait to be taken in; a peer repeats what got lost.
pub const ORDERS: usize = 64;

/// Silence after which an order is sent again.
pub const ORDER_AGAIN: Duration = Duration::from_secs(2);

/// Time in which peers tell their facts for a pre-flight.
pub const PREFLIGHT_TIME: Duration = Duration::from_secs(4);

/// Time without progress after which an operation raises an alarm.
pub const OPERATION_PATIENCE: Duration = Duration::from_secs(30);

/// Values that one peer shares beside its registrations: its calls and a few more.
pub const BOARD_VALUES: usize = SIP_CALLS + 64;

/// Bytes of one such value with its key.
pub const BOARD_VALUE_BYTES: usize = 2 * 1024;

/// Bytes that are kept of one call so that it can be ended.
pub const SIP_DIALOG_BYTES: usize = 2 * 1024;

/// Bytes of a backup in clear; a whole configuration is some tens of KiB.
pub const BACKUP_BYTES: usize = 128 * 1024;

/// Lines of the alarm history.
pub const ALARM_HISTORY: usize = 1_000;

/// Streams of systems that want to join and have not proved the code yet.
pub const GUESTS: usize = 4;

/// Identities that a peer remembers as removed from its cluster.
pub const REMOVED_PEERS: usize = 64;
