//! Sockets over loopback, as the loop uses them: what was asked for, and what was told.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use causeway_engine::base::ids::PeerId;
use causeway_engine::base::socket::PeerProof;
use causeway_engine::base::time::Wall;
use smol::channel::{self, Receiver};
use smol::future;

use super::*;
use crate::keys::{Identity, ServerCertificate};
use crate::scratch::Scratch;

const LOOPBACK: &str = "127.0.0.1:0";

/// Longest time that one expected thing may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One shell without a node: the test takes its place.
struct Shell {
    sockets: Sockets,
    reports: Receiver<Event>,
    local: Rc<LocalExecutor<'static>>,
    worker: Arc<Executor<'static>>,
    id: PeerId,
    _folder: Scratch,
}

impl Shell {
    fn new() -> Self {
        let folder = Scratch::new();
        let mut faults = Vec::new();
        let now = Wall::from_millis(0);
        let identity = Identity::open(folder.path(), now, &mut faults).expect("an identity");
        let certificate = ServerCertificate::open(folder.path(), &[], &[], now, &mut faults)
            .expect("a certificate");
        let id = identity.id();
        let credentials = Credentials::new(identity, certificate).expect("configurations");
        let local = Rc::new(LocalExecutor::new());
        let worker = Arc::new(Executor::new());
        let (events, reports) = channel::bounded(limits::EVENTS);
        let web: WebFace = Arc::new(|_, _| Box::pin(async {}));
        let sockets = Sockets::new(
            Rc::clone(&local),
            Arc::clone(&worker),
            events,
            Arc::new(credentials),
            web,
        );
        Self {
            sockets,
            reports,
            local,
            worker,
            id,
            _folder: folder,
        }
    }

    fn listen(&mut self, service: Service) -> SocketAddr {
        let address = LOOPBACK.parse().expect("an address");
        self.sockets.listen(ListenerId(7), service, address);
        match self.next() {
            Input::Listening {
                listener: ListenerId(7),
                result: Ok(address),
            } => address,
            other => panic!("{other:?}"),
        }
    }

    /// Runs the tasks until there is something for the node; `None` when nothing comes.
    fn poll(&mut self, time: Duration) -> Option<Input> {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if let Some(input) = self.sockets.answer() {
                return Some(input);
            }
            let (local, worker) = (Rc::clone(&self.local), Arc::clone(&self.worker));
            let report = async {
                let report = async { self.reports.recv().await.ok() };
                future::or(report, async {
                    async_io::Timer::after(Duration::from_millis(5)).await;
                    None
                })
                .await
            };
            let input = match async_io::block_on(local.run(worker.run(report))) {
                Some(Event::Input(input)) => self.sockets.admit(input),
                Some(Event::Opened(ready)) => self.sockets.opened(ready),
                Some(other) => panic!("{other:?}"),
                None => None,
            };
            if input.is_some() {
                return input;
            }
        }
        None
    }

    fn next(&mut self) -> Input {
        self.poll(PATIENCE).expect("something is told in time")
    }

    fn opened(&mut self) -> (StreamId, Option<PeerProof>) {
        match self.next() {
            Input::Opened { stream, peer, .. } => (stream, peer),
            other => panic!("{other:?}"),
        }
    }

    /// Received bytes of a stream until there are `length`.
    fn received(&mut self, stream: StreamId, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            match self.next() {
                Input::Received {
                    stream: from,
                    bytes,
                } if from == stream => all.extend(bytes),
                other => panic!("{other:?}"),
            }
        }
        all
    }

    fn closed(&mut self, stream: StreamId) -> String {
        match self.next() {
            Input::Closed {
                stream: which,
                reason,
            } if which == stream => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn datagrams_go_both_ways_in_batches() {
    let mut shell = Shell::new();
    let address = shell.listen(Service::SipUdp);
    let phone = UdpSocket::bind(LOOPBACK).expect("a socket");
    phone.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    for number in 0..60_u8 {
        let bytes = vec![number; usize::from(number) * 5];
        phone.send_to(&bytes, address).expect("sent");
    }
    for number in 0..60_u8 {
        let Input::Datagram { from, bytes, .. } = shell.next() else {
            panic!("not a datagram");
        };
        assert_eq!(from, phone.local_addr().expect("an address"));
        assert_eq!(bytes, vec![number; usize::from(number) * 5]);
        shell.sockets.send(ListenerId(7), from, bytes);
    }
    assert!(!shell.sockets.flush());
    let mut buffer = vec![0; 65_536];
    for number in 0..60 {
        let (length, from) = phone.recv_from(&mut buffer).expect("an answer");
        assert_eq!((length, from), (number * 5, address));
    }
}

#[test]
fn a_datagram_that_the_kernel_refuses_does_not_hold_up_the_next() {
    let mut shell = Shell::new();
    shell.listen(Service::SipUdp);
    let phone = UdpSocket::bind(LOOPBACK).expect("a socket");
    phone.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let to = phone.local_addr().expect("an address");
    shell.sockets.send(ListenerId(7), to, vec![0; 70_000]);
    shell.sockets.send(ListenerId(7), to, b"next".to_vec());
    shell.sockets.flush();
    let mut buffer = [0; 16];
    assert_eq!(phone.recv(&mut buffer).expect("the next"), 4);
}

#[test]
fn an_address_in_use_is_told() {
    let mut shell = Shell::new();
    let taken = UdpSocket::bind(LOOPBACK).expect("a socket");
    let address = taken.local_addr().expect("an address");
    shell
        .sockets
        .listen(ListenerId(1), Service::SipUdp, address);
    let Input::Listening { result, .. } = shell.next() else {
        panic!("not an answer");
    };
    assert!(result.is_err_and(|reason| reason.contains("in use")));
}

#[test]
fn a_plain_stream_lives_and_ends_on_either_side() {
    let mut shell = Shell::new();
    let address = shell.listen(Service::SipTcp);
    let mut phone = TcpStream::connect(address).expect("connected");
    let (stream, peer) = shell.opened();
    assert_eq!((stream.0 % 2, peer), (1, None));
    io::Write::write_all(&mut phone, b"hello").expect("written");
    assert_eq!(shell.received(stream, 5), b"hello");
    shell.sockets.write(stream, b"answer".to_vec());
    shell.sockets.close(stream);
    assert_eq!(shell.closed(stream), "closed here");
    let mut answer = String::new();
    io::Read::read_to_string(&mut phone, &mut answer).expect("read");
    assert_eq!(answer, "answer");

    let phone = TcpStream::connect(address).expect("connected");
    let (stream, _) = shell.opened();
    drop(phone);
    assert_eq!(shell.closed(stream), "closed by the other end");
    // What comes too late is neither an error nor told.
    shell.sockets.write(stream, b"late".to_vec());
    shell.sockets.close(stream);
    assert!(shell.poll(Duration::from_millis(50)).is_none());
}

#[test]
fn who_reads_too_slowly_is_closed_and_all_before_arrives_in_order() {
    let mut shell = Shell::new();
    let address = shell.listen(Service::SipTcp);
    let mut slow = TcpStream::connect(address).expect("connected");
    let (stream, _) = shell.opened();
    let mut sent = 0;
    let reason = loop {
        shell.sockets.write(stream, vec![1; 64 * 1024]);
        sent += 64 * 1024;
        if let Some(Input::Closed { reason, .. }) = shell.poll(Duration::from_millis(1)) {
            break reason;
        }
        assert!(sent < 64 * limits::STREAM_QUEUE_BYTES, "nothing stops it");
    };
    assert!(reason.contains("slowly"), "{reason}");
    // The task ends when the loop lets it; what the kernel holds may still be read, then it ends.
    assert!(shell.poll(Duration::from_millis(50)).is_none());
    slow.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut rest = Vec::new();
    let _ = io::Read::read_to_end(&mut slow, &mut rest);
    assert!(rest.len() < sent);
}

#[test]
fn large_writes_arrive_whole() {
    let mut shell = Shell::new();
    let address = shell.listen(Service::SipTcp);
    let mut phone = TcpStream::connect(address).expect("connected");
    let (stream, _) = shell.opened();
    let expected: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    expected
        .chunks(7_777)
        .for_each(|bytes| shell.sockets.write(stream, bytes.to_vec()));
    shell.sockets.close(stream);
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        io::Read::read_to_end(&mut phone, &mut all).expect("read");
        all
    });
    assert_eq!(shell.closed(stream), "closed here");
    assert!(reader.join().expect("the reader") == expected);
}

#[test]
fn a_stream_that_cannot_be_opened_is_closed() {
    let mut shell = Shell::new();
    let nobody = TcpListener::bind(LOOPBACK).expect("bound");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    shell
        .sockets
        .connect(StreamId(2), Service::SipTcp, None, address);
    assert!(shell.closed(StreamId(2)).contains("refused"));
    shell
        .sockets
        .connect(StreamId(4), Service::SipTcp, None, address);
    shell.sockets.close(StreamId(4));
    shell.closed(StreamId(4));
    assert!(shell.poll(Duration::from_millis(50)).is_none());
}

#[test]
fn peers_prove_who_they_are_to_each_other() {
    let (mut one, mut two) = (Shell::new(), Shell::new());
    let address = one.listen(Service::PeerState);
    let from = Some(IpAddr::from([127, 0, 0, 1]));
    two.sockets
        .connect(StreamId(2), Service::PeerState, from, address);
    let (mut accepted, mut connected) = (None, None);
    let deadline = Instant::now() + PATIENCE;
    while (accepted.is_none() || connected.is_none()) && Instant::now() < deadline {
        let input = one.poll(Duration::from_millis(10));
        accepted = input.or(accepted);
        connected = two.poll(Duration::from_millis(10)).or(connected);
    }
    let (Some(Input::Opened { stream, peer, .. }), Some(Input::Opened { peer: other, .. })) =
        (accepted, connected)
    else {
        panic!("not both ends are open");
    };
    let (peer, other) = (peer.expect("a proof"), other.expect("a proof"));
    assert_eq!((peer.id, other.id), (two.id, one.id));
    assert_eq!(peer.binding, other.binding);

    let large = vec![5; 1_000_000];
    one.sockets.write(stream, large.clone());
    let deadline = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    while all.len() < large.len() && Instant::now() < deadline {
        assert!(one.poll(Duration::from_millis(1)).is_none());
        if let Some(Input::Received { bytes, .. }) = two.poll(Duration::from_millis(5)) {
            all.extend(bytes);
        }
    }
    assert!(all == large);
}

#[test]
fn a_stranger_without_proof_never_reaches_the_engine() {
    use futures_rustls::TlsConnector;
    use rustls::pki_types::ServerName;

    let (mut shell, stranger) = (Shell::new(), Shell::new());
    let address = shell.listen(Service::PeerConfiguration);
    let credentials = Arc::clone(&stranger.sockets.shared.credentials);
    // A TLS handshake that is fine, and then a signature that is not over this channel.
    let attempt = std::thread::spawn(move || {
        async_io::block_on(async {
            let socket = async_io::Async::<TcpStream>::connect(address).await?;
            let connector = TlsConnector::from(credentials.tls().connect.clone());
            let name = ServerName::from(address.ip());
            let mut stream = connector.connect(name, socket).await?;
            let mut message = vec![1];
            message.extend(credentials.identity.id().0);
            message.extend(credentials.identity.sign(b"another channel"));
            smol::io::AsyncWriteExt::write_all(&mut stream, &message).await?;
            let mut rest = Vec::new();
            smol::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await
        })
    });
    while !attempt.is_finished() {
        assert!(shell.poll(Duration::from_millis(10)).is_none());
    }
    // Bytes that are no TLS at all.
    let mut nonsense = TcpStream::connect(address).expect("connected");
    let _ = io::Write::write_all(&mut nonsense, &[0x55; 10_000]);
    assert!(shell.poll(Duration::from_millis(200)).is_none());
    let _ = attempt.join();
}

#[test]
fn one_address_cannot_take_all_handshakes() {
    let handshakes = tls::Handshakes::default();
    let (one, two) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
    let held: Vec<_> = (0..limits::HANDSHAKES_PER_ADDRESS)
        .map(|_| handshakes.begin(one).expect("room"))
        .collect();
    assert!(handshakes.begin(one).is_none());
    assert!(handshakes.begin(two).is_some());
    drop(held);
    assert!(handshakes.begin(one).is_some());
    let from = |number: usize| IpAddr::from([10, 0, 0, number as u8]);
    let all: Vec<_> = (0..limits::HANDSHAKES)
        .map(|number| handshakes.begin(from(number)).expect("room"))
        .collect();
    assert!(handshakes.begin(two).is_none());
    drop(all);
}
