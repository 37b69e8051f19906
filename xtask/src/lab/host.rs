//! A small host on a switch: ARP (RFC 826), IPv4 (RFC 791) without fragments, UDP (RFC 768).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::tools::{Done, fault};

const BROADCAST: [u8; 6] = [0xff; 6];
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const PROTOCOL_UDP: u8 = 17;
const ARP_REQUEST: u8 = 1;
const ARP_REPLY: u8 = 2;
/// How often an address is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);
const NEIGHBOURS_MAX: usize = 64;

/// A host with one address.
#[derive(Debug)]
pub struct Host {
    port: UnixDatagram,
    hardware: [u8; 6],
    address: Ipv4Addr,
    neighbours: BTreeMap<Ipv4Addr, [u8; 6]>,
    waiting: Vec<Datagram>,
}

/// A UDP datagram that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// Our port.
    pub to_port: u16,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Host {
    /// A host behind this port of a switch.
    pub fn new(port: UnixDatagram, address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self {
            port,
            hardware: [0x02, 0xca, a, b, c, d],
            address,
            neighbours: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Sends a datagram; asks for the hardware address first if need be, for as long as `within`.
    pub fn send(
        &mut self,
        from_port: u16,
        to: SocketAddrV4,
        payload: &[u8],
        within: Duration,
    ) -> Done {
        let hardware = self.resolve(*to.ip(), within)?;
        let from = SocketAddrV4::new(self.address, from_port);
        let packet = packet(from, to, payload)?;
        self.transmit(hardware, ETHERTYPE_IPV4, &packet);
        Ok(())
    }

    /// The next datagram, or none within the time.
    pub fn receive(&mut self, within: Duration) -> Option<Datagram> {
        let deadline = Instant::now() + within;
        while self.waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.turn(left) {
                return None;
            }
        }
        Some(self.waiting.remove(0))
    }

    fn resolve(&mut self, address: Ipv4Addr, within: Duration) -> Done<[u8; 6]> {
        let deadline = Instant::now() + within;
        let mut ask_at = Instant::now();
        loop {
            if let Some(hardware) = self.neighbours.get(&address) {
                return Ok(*hardware);
            }
            let now = Instant::now();
            if now >= deadline {
                return fault(format!("{address} does not answer on the LAN"));
            }
            if now >= ask_at {
                self.transmit(
                    BROADCAST,
                    ETHERTYPE_ARP,
                    &self.arp(ARP_REQUEST, [0; 6], address),
                );
                ask_at = now + ASK_AGAIN;
            }
            self.turn(ask_at.min(deadline).saturating_duration_since(now));
        }
    }

    /// Takes in one frame; false when there was none.
    fn turn(&mut self, within: Duration) -> bool {
        let mut frame = [0; 2048];
        // A time-out of zero would be none at all.
        let within = within.max(Duration::from_millis(1));
        if self.port.set_read_timeout(Some(within)).is_err() {
            return false;
        }
        let Ok(length) = self.port.recv(&mut frame) else {
            return false;
        };
        let Some((header, content)) = frame[..length].split_first_chunk::<14>() else {
            return true;
        };
        match [header[12], header[13]] {
            ETHERTYPE_ARP => self.learn(content),
            ETHERTYPE_IPV4 => {
                if let Some(datagram) = datagram(content, self.address) {
                    self.waiting.push(datagram);
                }
            }
            _ => {}
        }
        true
    }

    fn learn(&mut self, arp: &[u8]) {
        let Some(arp) = arp.first_chunk::<28>() else {
            return;
        };
        let hardware: [u8; 6] = std::array::from_fn(|index| arp[8 + index]);
        let address = |at: usize| Ipv4Addr::new(arp[at], arp[at + 1], arp[at + 2], arp[at + 3]);
        if address(24) != self.address {
            return;
        }
        if self.neighbours.len() >= NEIGHBOURS_MAX {
            self.neighbours.clear();
        }
        self.neighbours.insert(address(14), hardware);
        if arp[7] == ARP_REQUEST {
            let reply = self.arp(ARP_REPLY, hardware, address(14));
            self.transmit(hardware, ETHERTYPE_ARP, &reply);
        }
    }

    fn arp(&self, operation: u8, hardware: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
        [
            &[0, 1, 8, 0, 6, 4, 0, operation][..],
            &self.hardware,
            &self.address.octets(),
            &hardware,
            &address.octets(),
        ]
        .concat()
    }

    fn transmit(&self, to: [u8; 6], kind: [u8; 2], content: &[u8]) {
        let frame = [&to[..], &self.hardware, &kind, content].concat();
        // A full switch loses frames, as others do.
        let _ = self.port.send(&frame);
    }
}

fn packet(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Done<Vec<u8>> {
    const PAYLOAD_MAX: usize = 1_472;
    if payload.len() > PAYLOAD_MAX {
        return fault(format!(
            "{} bytes do not fit into a datagram",
            payload.len()
        ));
    }
    let half = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    let mut header = [
        0x45,
        0,
        0,
        0,
        0,
        0,
        0x40,
        0,
        64,
        PROTOCOL_UDP,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    header[2..4].copy_from_slice(&half(28 + payload.len()));
    header[12..16].copy_from_slice(&from.ip().octets());
    header[16..20].copy_from_slice(&to.ip().octets());
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let length = half(8 + payload.len());
    let mut udp = [
        &from.port().to_be_bytes()[..],
        &to.port().to_be_bytes(),
        &length,
        &[0, 0],
    ];
    let pseudo = [&header[12..20], &[0, PROTOCOL_UDP], &length];
    // Zero would mean "no checksum".
    let sum = match checksum(&[pseudo.concat(), udp.concat(), payload.to_vec()]) {
        0 => u16::MAX,
        sum => sum,
    };
    let sum = sum.to_be_bytes();
    udp[3] = &sum;
    Ok([&header[..], &udp.concat(), payload].concat())
}

/// A UDP datagram to us with good checksums inside an IPv4 packet.
fn datagram(packet: &[u8], to: Ipv4Addr) -> Option<Datagram> {
    let header_length = usize::from(packet.first()? & 0x0f) * 4;
    let header = packet.get(..header_length.max(20))?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let udp = packet.get(header_length..length)?;
    let whole = header[0] >> 4 == 4 && header[6] & 0x3f == 0 && header[7] == 0;
    let addresses = &header[12..20];
    if !whole
        || checksum(&[header]) != 0
        || header[9] != PROTOCOL_UDP
        || addresses[4..] != to.octets()
    {
        return None;
    }
    let (ports, payload) = udp.split_first_chunk::<8>()?;
    let pseudo = [addresses, &[0, PROTOCOL_UDP, ports[4], ports[5]]].concat();
    let unchecked = [ports[6], ports[7]] == [0, 0];
    if !unchecked && checksum(&[&pseudo[..], udp]) != 0 {
        return None;
    }
    let source = Ipv4Addr::new(addresses[0], addresses[1], addresses[2], addresses[3]);
    Some(Datagram {
        from: SocketAddrV4::new(source, u16::from_be_bytes([ports[0], ports[1]])),
        to_port: u16::from_be_bytes([ports[2], ports[3]]),
        payload: payload.to_vec(),
    })
}

/// The Internet checksum (RFC 1071). Every part but the last has an even length.
fn checksum<P: AsRef<[u8]>>(parts: &[P]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.as_ref().chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // Folded above: it fits.
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Sockets, switch::Switch};

    #[test]
    fn two_hosts_find_each_other_and_exchange_datagrams() {
        let sockets = Sockets::new().unwrap();
        let switch = Switch::new(sockets.path(), "lan");
        let host = |last| Host::new(switch.inner_port().unwrap(), Ipv4Addr::new(10, 0, 2, last));
        let (mut one, mut two) = (host(1), host(2));
        let patience = Duration::from_secs(20);
        std::thread::scope(|scope| {
            let answer = scope.spawn(move || {
                let question = two.receive(patience).unwrap();
                assert_eq!(question.to_port, 5060);
                two.send(5060, question.from, b"answer", patience).unwrap();
            });
            let to = "10.0.2.2:5060".parse().unwrap();
            one.send(4000, to, b"question!", patience).unwrap();
            let expected = Datagram {
                from: to,
                to_port: 4000,
                payload: b"answer".to_vec(),
            };
            assert_eq!(one.receive(patience), Some(expected));
            answer.join().unwrap();
        });
        let nobody = "10.0.2.9:1".parse().unwrap();
        assert!(one.send(1, nobody, b"", Duration::from_millis(2)).is_err());
    }

    #[test]
    fn a_packet_cut_or_changed_anywhere_is_none() {
        let from = "192.0.2.1:1000".parse().unwrap();
        let to: SocketAddrV4 = "192.0.2.2:2000".parse().unwrap();
        let good = packet(from, to, b"hello").unwrap();
        assert_eq!(datagram(&good, *to.ip()).unwrap().payload, b"hello");
        for at in 0..good.len() {
            assert_eq!(datagram(&good[..at], *to.ip()), None);
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(datagram(&bad, *to.ip()), None, "byte {at}");
        }
    }
}
