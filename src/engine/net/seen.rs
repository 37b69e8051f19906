//! What the kernel holds, read from its dumps.

use alloc::vec::Vec;

use crate::base::limits::NETLINK_ENTRIES;
use crate::wire::netlink::route::{Address, Entry, Link, Route, entry};
use crate::wire::netlink::{Error, messages};

/// Links, addresses and routes of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Interfaces.
    pub links: Vec<Link>,
    /// Addresses.
    pub addresses: Vec<Address>,
    /// Unicast routes of the main table.
    pub routes: Vec<Route>,
}

impl Seen {
    /// Reads the datagrams of all dumps; what is above the bound is left out.
    pub fn read(dumps: &[Vec<u8>]) -> Result<Self, Error> {
        let mut seen = Self::default();
        for datagram in dumps {
            for message in messages(datagram) {
                match entry(&message?)? {
                    Some(Entry::Link(link)) => add(&mut seen.links, link),
                    Some(Entry::Address(address)) => add(&mut seen.addresses, address),
                    Some(Entry::Route(route)) => add(&mut seen.routes, route),
                    None => {}
                }
            }
        }
        Ok(seen)
    }

    /// The interface with this name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}

fn add<T>(list: &mut Vec<T>, entry: T) {
    if list.len() < NETLINK_ENTRIES {
        list.push(entry);
    }
}
