//! An Ethernet switch in this process: one datagram is one frame.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::tools::{Context as _, Done};

/// Ethernet frames of up to 9,000 bytes, and their headers.
const FRAME_BYTES_MAX: usize = 9_100;
const ADDRESSES_MAX: usize = 1_024;
/// How often the switch looks whether it is to stop or has new ports, in milliseconds.
const TURN_MS: u16 = 50;

/// The two ends of a cable to a guest.
#[derive(Clone, Debug)]
pub struct Socket {
    /// Bound by the guest's emulator.
    pub guest: PathBuf,
    /// Bound by the switch.
    pub switch: PathBuf,
}

/// A switch; stops when dropped.
#[derive(Debug)]
pub struct Switch {
    shared: Arc<Shared>,
    folder: PathBuf,
    name: String,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ports: Mutex<Vec<Arc<Port>>>,
    frames: AtomicU64,
    stop: AtomicBool,
}

#[derive(Debug)]
struct Port {
    socket: UnixDatagram,
    /// Where frames go; none for a connected pair.
    remote: Option<PathBuf>,
    cut: AtomicBool,
}

impl Switch {
    /// A switch without ports. Its sockets lie in `folder`, whose path must be short.
    pub fn new(folder: &Path, name: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let running = Arc::clone(&shared);
        Self {
            shared,
            folder: folder.to_owned(),
            name: name.to_owned(),
            thread: Some(std::thread::spawn(move || running.run())),
        }
    }

    /// A port for a guest, and its number.
    pub fn port(&self) -> Done<(usize, Socket)> {
        let number = self.shared.lock().len();
        let path = |end: &str| self.folder.join(format!("{}{number}.{end}", self.name));
        let socket = Socket {
            guest: path("guest"),
            switch: path("switch"),
        };
        let bound = UnixDatagram::bind(&socket.switch).context(socket.switch.display())?;
        let number = self.shared.add(bound, Some(socket.guest.clone()))?;
        Ok((number, socket))
    }

    /// A port whose other end is in this process.
    pub fn inner_port(&self) -> Done<UnixDatagram> {
        let (ours, theirs) = UnixDatagram::pair()?;
        self.shared.add(ours, None)?;
        Ok(theirs)
    }

    /// Cuts or mends the cable of a port, in both directions.
    pub fn cut(&self, port: usize, cut: bool) {
        if let Some(port) = self.shared.lock().get(port) {
            port.cut.store(cut, Ordering::Relaxed);
        }
    }

    /// How many frames have come in.
    pub fn frames(&self) -> u64 {
        self.shared.frames.load(Ordering::Relaxed)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Port>>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, socket: UnixDatagram, remote: Option<PathBuf>) -> Done<usize> {
        socket.set_nonblocking(true)?;
        let port = Port {
            socket,
            remote,
            cut: AtomicBool::new(false),
        };
        let mut ports = self.lock();
        ports.push(Arc::new(port));
        Ok(ports.len() - 1)
    }

    fn run(&self) {
        let mut learned = BTreeMap::new();
        let mut frame = [0; FRAME_BYTES_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            let ports = self.lock().clone();
            let mut waiting: Vec<_> = ports
                .iter()
                .map(|port| PollFd::new(port.socket.as_fd(), PollFlags::POLLIN))
                .collect();
            // An interrupted wait is a short turn.
            let _ = poll(&mut waiting, PollTimeout::from(TURN_MS));
            for (number, port) in ports.iter().enumerate() {
                while let Ok(length) = port.socket.recv(&mut frame) {
                    self.frames.fetch_add(1, Ordering::Relaxed);
                    if !port.cut.load(Ordering::Relaxed) {
                        forward(&ports, number, &frame[..length], &mut learned);
                    }
                }
            }
        }
    }
}

/// Sends a frame where its destination was last seen, or everywhere.
fn forward(ports: &[Arc<Port>], from: usize, frame: &[u8], learned: &mut BTreeMap<[u8; 6], usize>) {
    let (Some(to), Some(source)) = (frame.first_chunk::<6>(), frame.get(6..12)) else {
        return;
    };
    if let Ok(source) = <[u8; 6]>::try_from(source) {
        if learned.len() >= ADDRESSES_MAX {
            learned.clear();
        }
        learned.insert(source, from);
    }
    let known = learned.get(to).copied();
    for (number, port) in ports.iter().enumerate() {
        let meant = known.is_none_or(|place| place == number);
        if number != from && meant && !port.cut.load(Ordering::Relaxed) {
            // A guest that is off or does not keep up loses frames, as on a cable.
            let _ = match &port.remote {
                Some(path) => port.socket.send_to(frame, path),
                None => port.socket.send(frame),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Sockets;
    use std::time::Duration;

    const A: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
    const B: [u8; 6] = [2, 0, 0, 0, 0, 0xb];

    fn frame(to: [u8; 6], from: [u8; 6], number: u8) -> Vec<u8> {
        [&to[..], &from[..], &[8, 0, number]].concat()
    }

    fn receive(port: &UnixDatagram) -> Vec<u8> {
        port.set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut bytes = [0; FRAME_BYTES_MAX];
        let length = port.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    }

    #[test]
    fn frames_go_where_the_address_was_seen_and_a_cut_cable_carries_none() {
        let sockets = Sockets::new().unwrap();
        let switch = Switch::new(sockets.path(), "lan");
        let (number, cable) = switch.port().unwrap();
        let guest = UnixDatagram::bind(&cable.guest).unwrap();
        guest.connect(&cable.switch).unwrap();
        let (second, third) = (switch.inner_port().unwrap(), switch.inner_port().unwrap());

        guest.send(&frame([0xff; 6], A, 1)).unwrap();
        assert_eq!(receive(&second), frame([0xff; 6], A, 1));
        assert_eq!(receive(&third), frame([0xff; 6], A, 1));
        // A is known now: the third port hears nothing of this.
        second.send(&frame(A, B, 2)).unwrap();
        assert_eq!(receive(&guest), frame(A, B, 2));
        guest.send(&frame([0xff; 6], A, 3)).unwrap();
        assert_eq!(receive(&third), frame([0xff; 6], A, 3));

        switch.cut(number, true);
        second.send(&frame(A, B, 4)).unwrap();
        third.send(&frame(B, A, 5)).unwrap();
        // Frames of one port stay in order, but those of two need not: wait for the last one.
        assert_eq!(receive(&second), frame([0xff; 6], A, 3));
        assert_eq!(receive(&second), frame(B, A, 5));
        guest.set_nonblocking(true).unwrap();
        assert!(guest.recv(&mut [0; 100]).is_err());
        assert!(switch.frames() >= 4);
    }
}
