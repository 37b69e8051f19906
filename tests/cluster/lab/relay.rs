//! A seeded switch between Ethernet interfaces: delay, loss, cuts in either direction.
//!
//! The kernel here has no netem, so frames are carried by threads over packet sockets.
//! Unsafe code: packet sockets are beyond the safe wrappers that the product uses.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of one frame at most; larger ones (offloaded) are cut off and dropped by the receiver.
const FRAME: usize = 65_536;

/// Frames on their way from one interface.
const WAITING_MAX: usize = 4_096;

/// What one direction between two interfaces does to frames; changed while it runs.
#[derive(Debug, Default)]
struct Line {
    /// Milliseconds that every frame waits.
    delay_ms: AtomicU64,
    /// Lost frames in a thousand.
    loss: AtomicU64,
    /// Whether nothing passes.
    cut: AtomicBool,
    /// Frames that did not pass.
    lost: AtomicU64,
}

/// Interfaces joined by a line for each pair and direction.
#[derive(Debug)]
pub(crate) struct Relay {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// By the places of the two interfaces: from, to.
    lines: BTreeMap<(usize, usize), Line>,
    /// Where hardware addresses were seen last.
    learned: Mutex<BTreeMap<[u8; 6], usize>>,
    stop: AtomicBool,
}

/// A frame that leaves for an interface at a time.
type Passage = (Instant, usize, Vec<u8>);

impl Relay {
    /// Joins interfaces of this network namespace.
    pub(crate) fn join(interfaces: &[&str], seed: u64) -> io::Result<Self> {
        let places = 0..interfaces.len();
        let pairs = places.flat_map(|from| (0..interfaces.len()).map(move |to| (from, to)));
        let shared = Arc::new(Shared {
            lines: pairs
                .filter(|(from, to)| from != to)
                .map(|pair| (pair, Line::default()))
                .collect(),
            learned: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        for from in 0..interfaces.len() {
            let receiver = packet_socket(interfaces[from])?;
            let senders: io::Result<Vec<_>> =
                interfaces.iter().map(|name| packet_socket(name)).collect();
            let (senders, shared) = (senders?, Arc::clone(&shared));
            let seed = seed + from as u64;
            thread::spawn(move || carry(from, &receiver, senders, &shared, seed));
        }
        Ok(Self { shared })
    }

    /// Lets nothing pass in these directions (from, to), or everything again.
    pub(crate) fn cut(&self, directions: &[(usize, usize)], cut: bool) {
        for direction in directions {
            let line = &self.shared.lines[direction];
            line.cut.store(cut, Ordering::Relaxed);
        }
    }

    /// Frames that did not pass until now.
    pub(crate) fn lost(&self) -> u64 {
        let lines = self.shared.lines.values();
        lines.map(|line| line.lost.load(Ordering::Relaxed)).sum()
    }

    /// Sets delay and loss of all directions.
    pub(crate) fn worsen(&self, delay_ms: u64, loss: u64) {
        for line in self.shared.lines.values() {
            line.delay_ms.store(delay_ms, Ordering::Relaxed);
            line.loss.store(loss, Ordering::Relaxed);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// Carries what comes in at one interface.
fn carry(from: usize, receiver: &OwnedFd, senders: Vec<OwnedFd>, shared: &Shared, seed: u64) {
    let count = senders.len();
    let (frames, waiting) = mpsc::sync_channel::<Passage>(WAITING_MAX);
    thread::spawn(move || {
        for (due, to, frame) in waiting {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            send(&senders[to], &frame);
        }
    });
    let mut chance = seed | 1;
    let mut buffer = vec![0; FRAME];
    while !shared.stop.load(Ordering::Relaxed) {
        let Some(length) = receive(receiver, &mut buffer) else {
            continue;
        };
        let frame = &buffer[..length];
        let known = shared.learn(from, frame);
        for to in (0..count).filter(|to| *to != from && known.is_none_or(|known| known == *to)) {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            let line = &shared.lines[&(from, to)];
            let unlucky = chance % 1_000 < line.loss.load(Ordering::Relaxed);
            let delay = Duration::from_millis(line.delay_ms.load(Ordering::Relaxed));
            let passage = (Instant::now() + delay, to, frame.to_vec());
            // A full queue loses frames, as a real one does.
            if unlucky || line.cut.load(Ordering::Relaxed) || frames.try_send(passage).is_err() {
                line.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Shared {
    /// Learns where the sender of a frame is, and says where its receiver is, if that is known.
    fn learn(&self, from: usize, frame: &[u8]) -> Option<usize> {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = frame.get(6..12).and_then(|bytes| bytes.try_into().ok()) {
            learned.insert(source, from);
        }
        learned.get(frame.get(..6)?).copied()
    }
}

/// A socket that sees and sends whole frames on one interface; receiving gives up after 200 ms.
fn packet_socket(interface: &str) -> io::Result<OwnedFd> {
    let index = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))?;
    let index: i32 = index.trim().parse().map_err(io::Error::other)?;
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: plain system calls with valid arguments; the descriptor is owned at once.
    unsafe {
        let fd = libc::socket(
            libc::AF_PACKET,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            protocol.into(),
        );
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = OwnedFd::from_raw_fd(fd);
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index;
        let length = size_of::<libc::sockaddr_ll>() as u32;
        if libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) < 0 {
            return Err(io::Error::last_os_error());
        }
        let patience = libc::timeval {
            tv_sec: 0,
            tv_usec: 200_000,
        };
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const patience).cast(),
            size_of::<libc::timeval>() as u32,
        );
        Ok(fd)
    }
}

/// The next frame that came in; `None` for one that went out, or for none within the patience.
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: buffer and address are valid for the lengths given.
    unsafe {
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        let mut size = size_of::<libc::sockaddr_ll>() as u32;
        let length = libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
            (&raw mut address).cast(),
            &mut size,
        );
        let incoming = address.sll_pkttype != libc::PACKET_OUTGOING;
        (length > 0 && incoming).then_some(length as usize)
    }
}

fn send(socket: &OwnedFd, frame: &[u8]) {
    // SAFETY: the frame is valid for its length. What is not sent is lost, as on a wire.
    unsafe {
        libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0);
    }
}
