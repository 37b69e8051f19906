//! rtnetlink: links, addresses and routes (`linux/rtnetlink.h`, `if_link.h`, `if_addr.h`).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    ACKNOWLEDGE, CREATE, DUMP, Error, Message, REPLACE, REQUEST, Writer, attributes, read,
};

/// `RTM_NEWLINK`.
pub const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`.
pub const DELETE_LINK: u16 = 17;
/// `RTM_GETLINK`.
pub const GET_LINK: u16 = 18;
/// `RTM_NEWADDR`.
pub const NEW_ADDRESS: u16 = 20;
/// `RTM_DELADDR`.
pub const DELETE_ADDRESS: u16 = 21;
/// `RTM_GETADDR`.
pub const GET_ADDRESS: u16 = 22;
/// `RTM_NEWROUTE`.
pub const NEW_ROUTE: u16 = 24;
/// `RTM_DELROUTE`.
pub const DELETE_ROUTE: u16 = 25;
/// `RTM_GETROUTE`.
pub const GET_ROUTE: u16 = 26;

/// `RTPROT_STATIC`: routes that an administrator wanted; those that the kernel makes by itself
/// for an address carry another mark and are never touched.
pub const STATIC: u8 = 4;
/// `RT_TABLE_MAIN`.
pub const MAIN_TABLE: u8 = 254;
/// `RTN_UNICAST`.
pub const UNICAST: u8 = 1;

const FAMILY_ANY: u8 = 0;
const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 10;

const LINK_UP: u32 = 1;
const LINK_RUNNING: u32 = 0x40;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;

/// `IFA_F_DADFAILED`: another machine has this address (RFC 4862 5.4).
const DUPLICATE: u32 = 0x08;
/// `IFA_F_TENTATIVE`: not yet known to be ours alone.
const TENTATIVE: u32 = 0x40;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_TABLE: u16 = 15;

/// An interface as the kernel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number of it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Hardware address, for Ethernet.
    pub mac: Option<[u8; 6]>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether there is a carrier.
    pub running: bool,
}

/// An address of an interface as the kernel holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of the network part.
    pub prefix: u8,
    /// Another machine was found to have it; the kernel does not use it.
    pub duplicate: bool,
    /// Still being checked for duplicates; it cannot be used yet.
    pub tentative: bool,
}

/// A route as the kernel holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Where to; `(0.0.0.0, 0)` or `(::, 0)` is the default route.
    pub to: (IpAddr, u8),
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Number of the interface.
    pub index: Option<u32>,
    /// Lower is taken first; the kernel's default is 0 (IPv4) or 1024 (IPv6).
    pub metric: u32,
    /// Who made it (`RTPROT_…`).
    pub origin: u8,
}

/// Anything a dump shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An interface.
    Link(Link),
    /// An address.
    Address(Address),
    /// A unicast route of the main table.
    Route(Route),
}

/// What to ask or change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// All interfaces.
    DumpLinks,
    /// All addresses of both families.
    DumpAddresses,
    /// All IPv4 routes.
    DumpRoutes4,
    /// All IPv6 routes.
    DumpRoutes6,
    /// Switch an interface on or off, and set its MTU when given.
    SetLink {
        /// The interface's number.
        index: u32,
        /// On or off.
        up: bool,
        /// Largest packet in bytes.
        mtu: Option<u32>,
    },
    /// Give an interface an address; it is no fault when it has it.
    AddAddress {
        /// The interface's number.
        index: u32,
        /// The address.
        address: IpAddr,
        /// Bits of the network part.
        prefix: u8,
    },
    /// Take an address away.
    DeleteAddress {
        /// The interface's number.
        index: u32,
        /// The address.
        address: IpAddr,
        /// Bits of the network part.
        prefix: u8,
    },
    /// Make a route, or change the one with the same destination and metric.
    AddRoute(Route),
    /// Take a route away.
    DeleteRoute(Route),
}

impl Request {
    /// The message, numbered `sequence`.
    pub fn encode(&self, sequence: u32) -> Result<Vec<u8>, Error> {
        let mut writer = Writer::new();
        self.write(&mut writer, sequence);
        writer.finish()
    }

    fn write(&self, writer: &mut Writer, sequence: u32) {
        const DO: u16 = REQUEST | ACKNOWLEDGE;
        const ASK: u16 = REQUEST | DUMP;
        match self {
            Self::DumpLinks => writer.message(GET_LINK, ASK, sequence, |writer| {
                writer.raw(&link_header(0, 0, 0));
            }),
            Self::DumpAddresses => writer.message(GET_ADDRESS, ASK, sequence, |writer| {
                writer.raw(&[FAMILY_ANY, 0, 0, 0, 0, 0, 0, 0]);
            }),
            Self::DumpRoutes4 => writer.message(GET_ROUTE, ASK, sequence, |writer| {
                writer.raw(&[FAMILY_IPV4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            }),
            Self::DumpRoutes6 => writer.message(GET_ROUTE, ASK, sequence, |writer| {
                writer.raw(&[FAMILY_IPV6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            }),
            Self::SetLink { index, up, mtu } => writer.message(NEW_LINK, DO, sequence, |writer| {
                writer.raw(&link_header(*index, u32::from(*up), LINK_UP));
                if let Some(mtu) = mtu {
                    writer.attribute(IFLA_MTU, &mtu.to_ne_bytes());
                }
            }),
            Self::AddAddress {
                index,
                address,
                prefix,
            } => {
                let flags = DO | CREATE | REPLACE;
                writer.message(NEW_ADDRESS, flags, sequence, |writer| {
                    address_body(writer, *index, *address, *prefix);
                })
            }
            Self::DeleteAddress {
                index,
                address,
                prefix,
            } => writer.message(DELETE_ADDRESS, DO, sequence, |writer| {
                address_body(writer, *index, *address, *prefix);
            }),
            Self::AddRoute(route) => {
                let flags = DO | CREATE | REPLACE;
                writer.message(NEW_ROUTE, flags, sequence, |writer| {
                    route_body(writer, route);
                })
            }
            Self::DeleteRoute(route) => writer.message(DELETE_ROUTE, DO, sequence, |writer| {
                route_body(writer, route);
            }),
        };
    }
}

/// The entry in a message of a dump or a notice; `None` for what is not of interest here.
pub fn entry(message: &Message<'_>) -> Result<Option<Entry>, Error> {
    match message.kind {
        NEW_LINK => link(message).map(|link| Some(Entry::Link(link))),
        NEW_ADDRESS => Ok(address(message)?.map(Entry::Address)),
        NEW_ROUTE => Ok(route(message)?.map(Entry::Route)),
        _ => Ok(None),
    }
}

/// The number of the interface that a message for link or address names, at the same place in
/// `struct ifinfomsg` and `struct ifaddrmsg`.
pub fn interface(message: &Message<'_>) -> Result<u32, Error> {
    let expected = "an interface number";
    read(message.body, 4, message.position, expected).map(u32::from_ne_bytes)
}

fn link(message: &Message<'_>) -> Result<Link, Error> {
    let (body, base) = (message.body, message.position);
    let flags = u32::from_ne_bytes(read(body, 8, base, "interface flags")?);
    let mut link = Link {
        index: interface(message)?,
        name: String::new(),
        mac: None,
        mtu: 0,
        up: flags & LINK_UP != 0,
        running: flags & LINK_RUNNING != 0,
    };
    for attribute in attributes(body.get(16..).unwrap_or(&[]), base + 16) {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_ADDRESS => link.mac = attribute.value.try_into().ok(),
            IFLA_IFNAME => link.name = attribute.text()?.to_string(),
            IFLA_MTU => link.mtu = attribute.number()?,
            _ => {}
        }
    }
    Ok(link)
}

fn address(message: &Message<'_>) -> Result<Option<Address>, Error> {
    let (body, base) = (message.body, message.position);
    let [family, prefix, flags, _scope]: [u8; 4] = read(body, 0, base, "an address header")?;
    let index = interface(message)?;
    let (mut own, mut other, mut flags) = (None, None, u32::from(flags));
    for attribute in attributes(body.get(8..).unwrap_or(&[]), base + 8) {
        let attribute = attribute?;
        match attribute.kind {
            // On a point-to-point link IFA_ADDRESS is the other end's and IFA_LOCAL ours.
            IFA_LOCAL => own = internet(family, &attribute)?,
            IFA_ADDRESS => other = internet(family, &attribute)?,
            IFA_FLAGS => flags = attribute.number()?,
            _ => {}
        }
    }
    Ok(own.or(other).map(|address| Address {
        index,
        address,
        prefix,
        duplicate: flags & DUPLICATE != 0,
        tentative: flags & TENTATIVE != 0,
    }))
}

fn route(message: &Message<'_>) -> Result<Option<Route>, Error> {
    let (body, base) = (message.body, message.position);
    let [family, prefix, _, _, table, origin, _scope, kind]: [u8; 8] =
        read(body, 0, base, "a route header")?;
    let any = match family {
        FAMILY_IPV4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        FAMILY_IPV6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return Ok(None),
    };
    let mut table = u32::from(table);
    let mut route = Route {
        to: (any, prefix),
        gateway: None,
        index: None,
        metric: 0,
        origin,
    };
    for attribute in attributes(body.get(12..).unwrap_or(&[]), base + 12) {
        let attribute = attribute?;
        match attribute.kind {
            RTA_DST => route.to.0 = internet(family, &attribute)?.unwrap_or(any),
            RTA_GATEWAY => route.gateway = internet(family, &attribute)?,
            RTA_OIF => route.index = Some(attribute.number()?),
            RTA_PRIORITY => route.metric = attribute.number()?,
            RTA_TABLE => table = attribute.number()?,
            _ => {}
        }
    }
    Ok((table == u32::from(MAIN_TABLE) && kind == UNICAST).then_some(route))
}

/// An address attribute of this family; `None` for a family that is neither IPv4 nor IPv6.
fn internet(family: u8, attribute: &super::Attribute<'_>) -> Result<Option<IpAddr>, Error> {
    let fault = |_| Error {
        position: attribute.position,
        expected: "an address as long as its family says",
    };
    match family {
        FAMILY_IPV4 => {
            let bytes: [u8; 4] = attribute.value.try_into().map_err(fault)?;
            Ok(Some(IpAddr::from(bytes)))
        }
        FAMILY_IPV6 => {
            let bytes: [u8; 16] = attribute.value.try_into().map_err(fault)?;
            Ok(Some(IpAddr::from(bytes)))
        }
        _ => Ok(None),
    }
}

/// `struct ifinfomsg`.
fn link_header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&change.to_ne_bytes());
    header
}

/// `struct ifaddrmsg` and the address.
fn address_body(writer: &mut Writer, index: u32, address: IpAddr, prefix: u8) {
    let [a, b, c, d] = index.to_ne_bytes();
    writer.raw(&[family(address), prefix, 0, 0, a, b, c, d]);
    with_octets(address, |octets| {
        writer.attribute(IFA_LOCAL, octets);
        writer.attribute(IFA_ADDRESS, octets);
    });
}

/// `struct rtmsg` and the route.
fn route_body(writer: &mut Writer, route: &Route) {
    let (to, prefix) = route.to;
    // RT_SCOPE_LINK when the destination is a neighbour, RT_SCOPE_UNIVERSE behind a gateway.
    let scope = if route.gateway.is_some() { 0 } else { 253 };
    let header = [
        family(to),
        prefix,
        0,
        0,
        MAIN_TABLE,
        route.origin,
        scope,
        UNICAST,
    ];
    writer.raw(&header);
    writer.raw(&[0; 4]);
    if prefix > 0 {
        with_octets(to, |octets| {
            writer.attribute(RTA_DST, octets);
        });
    }
    if let Some(gateway) = route.gateway {
        with_octets(gateway, |octets| {
            writer.attribute(RTA_GATEWAY, octets);
        });
    }
    if let Some(index) = route.index {
        writer.attribute(RTA_OIF, &index.to_ne_bytes());
    }
    if route.metric > 0 {
        writer.attribute(RTA_PRIORITY, &route.metric.to_ne_bytes());
    }
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => FAMILY_IPV4,
        IpAddr::V6(_) => FAMILY_IPV6,
    }
}

fn with_octets(address: IpAddr, use_them: impl FnOnce(&[u8])) {
    match address {
        IpAddr::V4(address) => use_them(&address.octets()),
        IpAddr::V6(address) => use_them(&address.octets()),
    }
}
