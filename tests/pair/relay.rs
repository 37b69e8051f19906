//! A seeded relay between two Ethernet interfaces: delay, loss, cuts in either direction.
//!
//! The kernel here has no netem, so frames are carried by two threads over packet sockets.
//! Unsafe code: packet sockets are beyond the safe wrappers that the product uses.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of one frame at most; larger ones (offloaded) are cut off and dropped by the receiver.
const FRAME: usize = 65_536;

/// What one direction does to frames; changed while it runs.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Milliseconds that every frame waits.
    pub(crate) delay_ms: AtomicU64,
    /// Lost frames in a thousand.
    pub(crate) loss: AtomicU64,
    /// Whether nothing passes.
    pub(crate) cut: AtomicBool,
    /// Frames that did not pass.
    pub(crate) lost: AtomicU64,
}

/// Two interfaces joined by two lines, one a direction.
#[derive(Debug)]
pub(crate) struct Relay {
    /// From the first interface to the second, and back.
    pub(crate) lines: [Arc<Line>; 2],
    stop: Arc<AtomicBool>,
}

impl Relay {
    /// Joins two interfaces of this network namespace.
    pub(crate) fn join(one: &str, two: &str, seed: u64) -> io::Result<Self> {
        let lines = [Arc::new(Line::default()), Arc::new(Line::default())];
        let stop = Arc::new(AtomicBool::new(false));
        for (number, (from, to)) in [(one, two), (two, one)].into_iter().enumerate() {
            let (receiver, sender) = (packet_socket(from)?, packet_socket(to)?);
            let (line, stop) = (Arc::clone(&lines[number]), Arc::clone(&stop));
            let seed = seed + number as u64;
            thread::spawn(move || carry(&receiver, sender, &line, &stop, seed));
        }
        Ok(Self { lines, stop })
    }

    /// Lets nothing pass in these directions, or everything again.
    pub(crate) fn cut(&self, directions: &[usize], cut: bool) {
        for direction in directions {
            self.lines[*direction].cut.store(cut, Ordering::Relaxed);
        }
    }

    /// Frames that did not pass until now.
    pub(crate) fn lost(&self) -> u64 {
        let lost = |line: &Arc<Line>| line.lost.load(Ordering::Relaxed);
        self.lines.iter().map(lost).sum()
    }

    /// Sets delay and loss of both directions.
    pub(crate) fn worsen(&self, delay_ms: u64, loss: u64) {
        for line in &self.lines {
            line.delay_ms.store(delay_ms, Ordering::Relaxed);
            line.loss.store(loss, Ordering::Relaxed);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn carry(receiver: &OwnedFd, sender: OwnedFd, line: &Line, stop: &AtomicBool, seed: u64) {
    let (frames, waiting) = mpsc::sync_channel::<(Instant, Vec<u8>)>(4_096);
    thread::spawn(move || {
        for (due, frame) in waiting {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            send(&sender, &frame);
        }
    });
    let mut chance = seed | 1;
    let mut buffer = vec![0; FRAME];
    while !stop.load(Ordering::Relaxed) {
        let Some(length) = receive(receiver, &mut buffer) else {
            continue;
        };
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let lost = chance % 1_000 < line.loss.load(Ordering::Relaxed);
        if lost || line.cut.load(Ordering::Relaxed) {
            line.lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let delay = Duration::from_millis(line.delay_ms.load(Ordering::Relaxed));
        if frames
            .try_send((Instant::now() + delay, buffer[..length].to_vec()))
            .is_err()
        {
            // A full queue loses frames, as a real one does.
            line.lost.fetch_add(1, Ordering::Relaxed);
        }
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
