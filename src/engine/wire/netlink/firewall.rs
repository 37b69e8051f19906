//! nf_tables: a whole rule set as one atomic batch (`linux/netfilter/nf_tables.h`).
//!
//! A batch adds the table, deletes it and adds it again with all that belongs in it. The kernel
//! takes all of it or nothing, so the old rules hold until the very moment the new ones do.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{ACKNOWLEDGE, APPEND, CREATE, EXCLUSIVE, Error, REQUEST, Writer};

/// `NFNL_MSG_BATCH_BEGIN`.
pub const BATCH_BEGIN: u16 = 0x10;
/// `NFNL_MSG_BATCH_END`.
pub const BATCH_END: u16 = 0x11;
/// `NFT_MSG_NEWTABLE`, with the subsystem.
pub const NEW_TABLE: u16 = SUBSYSTEM;
/// `NFT_MSG_DELTABLE`.
pub const DELETE_TABLE: u16 = SUBSYSTEM | 2;
/// `NFT_MSG_NEWCHAIN`.
pub const NEW_CHAIN: u16 = SUBSYSTEM | 3;
/// `NFT_MSG_NEWRULE`.
pub const NEW_RULE: u16 = SUBSYSTEM | 6;
/// `NFT_MSG_NEWSET`.
pub const NEW_SET: u16 = SUBSYSTEM | 9;
/// `NFT_MSG_NEWSETELEM`.
pub const NEW_ELEMENTS: u16 = SUBSYSTEM | 12;

/// `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_RULE_TABLE`, `NFTA_SET_TABLE` and
/// `NFTA_SET_ELEM_LIST_TABLE`: in every message of a batch, the table's name is attribute 1.
pub const TABLE: u16 = 1;

/// `NFNL_SUBSYS_NFTABLES`, as the upper byte of a message's type.
const SUBSYSTEM: u16 = 10 << 8;

/// `NFPROTO_INET`: one table for IPv4 and IPv6.
pub const INET: u8 = 1;

/// The first register of 16 bytes (`NFT_REG_1`); every expression here loads and tests this one.
const REGISTER: u32 = 1;

/// Elements in one message: 256 IPv6 addresses are 7 kB, far below an attribute's 64 KiB.
const ELEMENTS_PER_MESSAGE: usize = 256;

/// A table of family `inet` with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// Name of the table.
    pub table: String,
    /// Sets that rules look up.
    pub sets: Vec<Set>,
    /// Chains, each with its rules.
    pub chains: Vec<Chain>,
}

/// A set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name; `None` for an anonymous one, which exactly one rule may look up.
    pub name: Option<String>,
    /// What is in it.
    pub elements: Elements,
}

/// The keys of a set, all of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elements {
    /// IPv4 addresses.
    Ipv4(Vec<Ipv4Addr>),
    /// IPv6 addresses.
    Ipv6(Vec<Ipv6Addr>),
    /// Ports of TCP or UDP.
    Ports(Vec<u16>),
}

/// A base chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where packets enter it.
    pub hook: Hook,
    /// Its place among chains of the same hook; lower is earlier.
    pub priority: i32,
    /// What happens to a packet that no rule decided.
    pub policy: Verdict,
    /// Rules in order.
    pub rules: Vec<Rule>,
}

/// Where packets enter a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Packets for this machine (`NF_INET_LOCAL_IN`).
    Input = 1,
    /// Packets that pass through (`NF_INET_FORWARD`).
    Forward = 2,
    /// Packets of this machine (`NF_INET_LOCAL_OUT`).
    Output = 3,
}

/// What becomes of a packet for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing, silently (`NF_DROP`).
    Drop = 0,
    /// It passes (`NF_ACCEPT`).
    Accept = 1,
}

/// Conditions, then what to do when all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule(pub Vec<Expression>);

/// One step of a rule. A test that fails ends the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Came in by this interface.
    InterfaceIn(String),
    /// Leaves by this interface.
    InterfaceOut(String),
    /// Is IPv4.
    Ipv4,
    /// Is IPv6.
    Ipv6,
    /// Carries this protocol (IANA protocol numbers: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6).
    Protocol(u8),
    /// Its connection is in one of these states, [`state`] bits.
    State(u32),
    /// These bytes, masked, are these.
    Bytes {
        /// Where.
        field: Field,
        /// Bits that count; as long as `value`.
        mask: Option<Vec<u8>>,
        /// At most 16 bytes.
        value: Vec<u8>,
    },
    /// This field is in the set with this number in [`Ruleset::sets`].
    InSet {
        /// Where.
        field: Field,
        /// Index into [`Ruleset::sets`].
        set: usize,
    },
    /// Not more often than this.
    Limit {
        /// Packets each second.
        rate: u64,
        /// Packets at once above it.
        burst: u32,
    },
    /// Counts packets and bytes.
    Counter,
    /// A line in the kernel's log, begun with this text.
    Log(String),
    /// Refuse it with an answer: ICMP administratively prohibited (RFC 1812, RFC 4443).
    Reject,
    /// Ends the rule set for this packet.
    Verdict(Verdict),
}

/// Bytes in a packet: which header, where, how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// `NFT_PAYLOAD_NETWORK_HEADER` 1 or `NFT_PAYLOAD_TRANSPORT_HEADER` 2.
    header: u32,
    offset: u32,
    length: u32,
}

impl Field {
    /// Source address of IPv4 (RFC 791).
    pub const SOURCE4: Self = Self::new(1, 12, 4);
    /// Source address of IPv6 (RFC 8200).
    pub const SOURCE6: Self = Self::new(1, 8, 16);
    /// Destination port of TCP or UDP.
    pub const PORT: Self = Self::new(2, 2, 2);
    /// Type of ICMP or ICMPv6.
    pub const ICMP_TYPE: Self = Self::new(2, 0, 1);

    const fn new(header: u32, offset: u32, length: u32) -> Self {
        Self {
            header,
            offset,
            length,
        }
    }
}

/// Bits of [`Expression::State`] (`NF_CT_STATE_BIT`).
pub mod state {
    /// Part of no known connection, and could not begin one.
    pub const INVALID: u32 = 1;
    /// Both directions were seen.
    pub const ESTABLISHED: u32 = 2;
    /// Belongs to an established one, such as its ICMP errors.
    pub const RELATED: u32 = 4;
    /// Begins one.
    pub const NEW: u32 = 8;
}

impl Ruleset {
    /// The batch that puts this in place of what the table held; each message asks for an
    /// acknowledgement, the first has number `sequence`.
    pub fn replacement(&self, sequence: u32) -> Result<Vec<u8>, Error> {
        let mut batch = Batch {
            writer: Writer::new(),
            next: sequence,
        };
        batch.edge(BATCH_BEGIN);
        let table = |writer: &mut Writer| {
            writer.text(TABLE, &self.table);
        };
        // Deleting what is not there fails the batch, so it is made first.
        batch.message(NEW_TABLE, CREATE, table);
        batch.message(DELETE_TABLE, 0, table);
        batch.message(NEW_TABLE, CREATE | EXCLUSIVE, table);
        for (number, set) in self.sets.iter().enumerate() {
            self.write_set(&mut batch, number, set);
        }
        for chain in &self.chains {
            batch.message(NEW_CHAIN, CREATE, |writer| self.write_chain(writer, chain));
        }
        for chain in &self.chains {
            for rule in &chain.rules {
                batch.message(NEW_RULE, CREATE | APPEND, |writer| {
                    writer.text(TABLE, &self.table);
                    writer.text(NFTA_RULE_CHAIN, &chain.name);
                    writer.nest(NFTA_RULE_EXPRESSIONS, |writer| {
                        for expression in &rule.0 {
                            self.write_expression(writer, expression);
                        }
                    });
                });
            }
        }
        batch.edge(BATCH_END);
        batch.writer.finish()
    }

    fn write_chain(&self, writer: &mut Writer, chain: &Chain) {
        writer.text(TABLE, &self.table);
        writer.text(NFTA_CHAIN_NAME, &chain.name);
        writer.nest(NFTA_CHAIN_HOOK, |writer| {
            writer.number(NFTA_HOOK_HOOKNUM, chain.hook as u32);
            writer.number(NFTA_HOOK_PRIORITY, chain.priority.cast_unsigned());
        });
        writer.number(NFTA_CHAIN_POLICY, chain.policy as u32);
        writer.text(NFTA_CHAIN_TYPE, "filter");
    }

    fn write_set(&self, batch: &mut Batch, number: usize, set: &Set) {
        let name = set.kernel_name();
        let (kind, length, keys) = set.elements.keys();
        batch.message(NEW_SET, CREATE, |writer| {
            writer.text(TABLE, &self.table);
            writer.text(NFTA_SET_NAME, name);
            let flags = match set.name {
                Some(_) => SET_CONSTANT,
                None => SET_CONSTANT | SET_ANONYMOUS,
            };
            writer.number(NFTA_SET_FLAGS, flags);
            writer.number(NFTA_SET_KEY_TYPE, kind);
            writer.number(NFTA_SET_KEY_LEN, length);
            writer.number(NFTA_SET_ID, set_id(number));
        });
        for keys in keys.chunks(ELEMENTS_PER_MESSAGE) {
            batch.message(NEW_ELEMENTS, CREATE, |writer| {
                writer.text(TABLE, &self.table);
                writer.text(NFTA_SET_ELEM_LIST_SET, name);
                writer.number(NFTA_SET_ELEM_LIST_SET_ID, set_id(number));
                writer.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |writer| {
                    for key in keys {
                        writer.nest(NFTA_LIST_ELEM, |writer| {
                            data(writer, NFTA_SET_ELEM_KEY, key);
                        });
                    }
                });
            });
        }
    }

    fn write_expression(&self, writer: &mut Writer, expression: &Expression) {
        match expression {
            Expression::InterfaceIn(name) => {
                meta(writer, META_IIFNAME);
                equal(writer, &interface_name(name));
            }
            Expression::InterfaceOut(name) => {
                meta(writer, META_OIFNAME);
                equal(writer, &interface_name(name));
            }
            Expression::Ipv4 => {
                meta(writer, META_NFPROTO);
                equal(writer, &[2]);
            }
            Expression::Ipv6 => {
                meta(writer, META_NFPROTO);
                equal(writer, &[10]);
            }
            Expression::Protocol(number) => {
                meta(writer, META_L4PROTO);
                equal(writer, &[*number]);
            }
            Expression::State(bits) => {
                step(writer, "ct", |writer| {
                    writer.number(NFTA_CT_DREG, REGISTER);
                    writer.number(NFTA_CT_KEY, CT_STATE);
                });
                mask(writer, &bits.to_ne_bytes());
                compare(writer, COMPARE_NOT_EQUAL, &[0; 4]);
            }
            Expression::Bytes {
                field,
                mask: bits,
                value,
            } => {
                load(writer, *field);
                if let Some(bits) = bits {
                    mask(writer, bits);
                }
                equal(writer, value);
            }
            Expression::InSet { field, set } => {
                load(writer, *field);
                step(writer, "lookup", |writer| {
                    let name = self.sets.get(*set).map_or("", Set::kernel_name);
                    writer.text(NFTA_LOOKUP_SET, name);
                    writer.number(NFTA_LOOKUP_SREG, REGISTER);
                    writer.number(NFTA_LOOKUP_SET_ID, set_id(*set));
                });
            }
            Expression::Limit { .. }
            | Expression::Counter
            | Expression::Log(_)
            | Expression::Reject
            | Expression::Verdict(_) => write_statement(writer, expression),
        }
    }
}

impl Set {
    /// The kernel fills in the number of an anonymous set itself.
    fn kernel_name(&self) -> &str {
        self.name.as_deref().unwrap_or("__set%d")
    }
}

impl Elements {
    /// `nft`'s number of the key's type (for those who list the set), bytes of a key, the keys.
    fn keys(&self) -> (u32, u32, Vec<Vec<u8>>) {
        match self {
            Self::Ipv4(list) => (7, 4, list.iter().map(|key| key.octets().to_vec()).collect()),
            Self::Ipv6(list) => (
                8,
                16,
                list.iter().map(|key| key.octets().to_vec()).collect(),
            ),
            Self::Ports(list) => (
                13,
                2,
                list.iter().map(|key| key.to_be_bytes().to_vec()).collect(),
            ),
        }
    }
}

/// Messages with consecutive numbers.
struct Batch {
    writer: Writer,
    next: u32,
}

impl Batch {
    fn message(&mut self, kind: u16, flags: u16, body: impl FnOnce(&mut Writer)) {
        let flags = flags | REQUEST | ACKNOWLEDGE;
        self.writer.message(kind, flags, self.next, |writer| {
            // struct nfgenmsg: family, version, resource.
            writer.raw(&[INET, 0, 0, 0]);
            body(writer);
        });
        self.next = self.next.wrapping_add(1);
    }

    /// Begin or end: `res_id` names the subsystem, in network order. They are not acknowledged.
    fn edge(&mut self, kind: u16) {
        self.writer.message(kind, REQUEST, self.next, |writer| {
            writer.raw(&[0, 0, 0, 10]);
        });
        self.next = self.next.wrapping_add(1);
    }
}

/// What a rule does when its tests held.
fn write_statement(writer: &mut Writer, expression: &Expression) {
    match expression {
        Expression::Limit { rate, burst } => {
            step(writer, "limit", |writer| {
                writer.attribute(NFTA_LIMIT_RATE, &rate.to_be_bytes());
                writer.attribute(NFTA_LIMIT_UNIT, &1_u64.to_be_bytes());
                writer.number(NFTA_LIMIT_BURST, *burst);
                writer.number(NFTA_LIMIT_TYPE, 0);
            });
        }
        Expression::Counter => {
            step(writer, "counter", |writer| {
                writer.attribute(NFTA_COUNTER_BYTES, &[0; 8]);
                writer.attribute(NFTA_COUNTER_PACKETS, &[0; 8]);
            });
        }
        Expression::Log(prefix) => {
            step(writer, "log", |writer| {
                writer.text(NFTA_LOG_PREFIX, prefix);
            });
        }
        Expression::Reject => {
            step(writer, "reject", |writer| {
                writer.number(NFTA_REJECT_TYPE, REJECT_ICMPX);
                writer.attribute(NFTA_REJECT_ICMP_CODE, &[ICMPX_PROHIBITED]);
            });
        }
        Expression::Verdict(verdict) => {
            step(writer, "immediate", |writer| {
                writer.number(NFTA_IMMEDIATE_DREG, 0);
                writer.nest(NFTA_IMMEDIATE_DATA, |writer| {
                    writer.nest(NFTA_DATA_VERDICT, |writer| {
                        writer.number(NFTA_VERDICT_CODE, *verdict as u32);
                    });
                });
            });
        }
        Expression::InterfaceIn(_)
        | Expression::InterfaceOut(_)
        | Expression::Ipv4
        | Expression::Ipv6
        | Expression::Protocol(_)
        | Expression::State(_)
        | Expression::Bytes { .. }
        | Expression::InSet { .. } => {}
    }
}

/// One expression: `NFTA_LIST_ELEM { NFTA_EXPR_NAME, NFTA_EXPR_DATA { … } }`.
fn step(writer: &mut Writer, name: &str, body: impl FnOnce(&mut Writer)) {
    writer.nest(NFTA_LIST_ELEM, |writer| {
        writer.text(NFTA_EXPR_NAME, name);
        writer.nest(NFTA_EXPR_DATA, body);
    });
}

fn meta(writer: &mut Writer, key: u32) {
    step(writer, "meta", |writer| {
        writer.number(NFTA_META_DREG, REGISTER);
        writer.number(NFTA_META_KEY, key);
    });
}

fn load(writer: &mut Writer, field: Field) {
    step(writer, "payload", |writer| {
        writer.number(NFTA_PAYLOAD_DREG, REGISTER);
        writer.number(NFTA_PAYLOAD_BASE, field.header);
        writer.number(NFTA_PAYLOAD_OFFSET, field.offset);
        writer.number(NFTA_PAYLOAD_LEN, field.length);
    });
}

fn mask(writer: &mut Writer, bits: &[u8]) {
    step(writer, "bitwise", |writer| {
        writer.number(NFTA_BITWISE_SREG, REGISTER);
        writer.number(NFTA_BITWISE_DREG, REGISTER);
        writer.number(
            NFTA_BITWISE_LEN,
            u32::try_from(bits.len()).unwrap_or(u32::MAX),
        );
        data(writer, NFTA_BITWISE_MASK, bits);
        data(writer, NFTA_BITWISE_XOR, &alloc::vec![0; bits.len()]);
    });
}

fn equal(writer: &mut Writer, value: &[u8]) {
    compare(writer, COMPARE_EQUAL, value);
}

fn compare(writer: &mut Writer, operation: u32, value: &[u8]) {
    step(writer, "cmp", |writer| {
        writer.number(NFTA_CMP_SREG, REGISTER);
        writer.number(NFTA_CMP_OP, operation);
        data(writer, NFTA_CMP_DATA, value);
    });
}

fn data(writer: &mut Writer, kind: u16, value: &[u8]) {
    writer.nest(kind, |writer| {
        writer.attribute(NFTA_DATA_VALUE, value);
    });
}

/// An interface's name as the kernel compares it: 16 bytes, filled up with zeros (`IFNAMSIZ`).
fn interface_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    // The last byte stays zero: a longer name exists nowhere and so matches nothing.
    for (to, from) in bytes[..15].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

/// The number by which a batch refers to its own set.
fn set_id(number: usize) -> u32 {
    u32::try_from(number).map_or(u32::MAX, |number| number + 1)
}

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_SET_NAME: u16 = 2;
const NFTA_SET_FLAGS: u16 = 3;
const NFTA_SET_KEY_TYPE: u16 = 4;
const NFTA_SET_KEY_LEN: u16 = 5;
const NFTA_SET_ID: u16 = 10;
const SET_ANONYMOUS: u32 = 1;
const SET_CONSTANT: u32 = 2;
const NFTA_SET_ELEM_LIST_SET: u16 = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
const NFTA_SET_ELEM_LIST_SET_ID: u16 = 4;
const NFTA_SET_ELEM_KEY: u16 = 1;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_IMMEDIATE_DREG: u16 = 1;
const NFTA_IMMEDIATE_DATA: u16 = 2;
const NFTA_BITWISE_SREG: u16 = 1;
const NFTA_BITWISE_DREG: u16 = 2;
const NFTA_BITWISE_LEN: u16 = 3;
const NFTA_BITWISE_MASK: u16 = 4;
const NFTA_BITWISE_XOR: u16 = 5;
const NFTA_CMP_SREG: u16 = 1;
const NFTA_CMP_OP: u16 = 2;
const NFTA_CMP_DATA: u16 = 3;
const COMPARE_EQUAL: u32 = 0;
const COMPARE_NOT_EQUAL: u32 = 1;
const NFTA_LOOKUP_SET: u16 = 1;
const NFTA_LOOKUP_SREG: u16 = 2;
const NFTA_LOOKUP_SET_ID: u16 = 4;
const NFTA_PAYLOAD_DREG: u16 = 1;
const NFTA_PAYLOAD_BASE: u16 = 2;
const NFTA_PAYLOAD_OFFSET: u16 = 3;
const NFTA_PAYLOAD_LEN: u16 = 4;
const NFTA_META_DREG: u16 = 1;
const NFTA_META_KEY: u16 = 2;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
const NFTA_CT_DREG: u16 = 1;
const NFTA_CT_KEY: u16 = 2;
const CT_STATE: u32 = 0;
const NFTA_LIMIT_RATE: u16 = 1;
const NFTA_LIMIT_UNIT: u16 = 2;
const NFTA_LIMIT_BURST: u16 = 3;
const NFTA_LIMIT_TYPE: u16 = 4;
const NFTA_COUNTER_BYTES: u16 = 1;
const NFTA_COUNTER_PACKETS: u16 = 2;
const NFTA_LOG_PREFIX: u16 = 2;
const NFTA_REJECT_TYPE: u16 = 1;
const NFTA_REJECT_ICMP_CODE: u16 = 2;
const REJECT_ICMPX: u32 = 2;
const ICMPX_PROHIBITED: u8 = 3;
