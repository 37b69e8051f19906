//! Addresses of names: asked of name servers over UDP, or as the host that we run on does it.
//!
//! Every question goes out from a socket of its own, so the kernel chooses the port at random, and
//! carries a random number; an answer from elsewhere or to another question is not looked at.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use async_io::Async;
use causeway_engine::wire::dns::{self, Addresses, AnswerFault, RecordKind};
use ring::rand::{SecureRandom, SystemRandom};

use super::stream;

/// Port of DNS.
const PORT: u16 = 53;

/// Time in which a server answers; then the next one is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often all servers are asked.
const ROUNDS: usize = 2;

/// Bytes of an answer over UDP (RFC 1035 section 4.2.1).
const ANSWER_BYTES: usize = 512;

/// For how long an answer of the host holds; it does not say.
const HOST_HOLDS: Duration = Duration::from_secs(30);

/// The addresses of a name and how long they hold, or why there are none.
pub(super) async fn resolve(
    name: String,
    servers: Vec<IpAddr>,
) -> Result<(Vec<IpAddr>, Duration), String> {
    if servers.is_empty() {
        return by_host(name).await;
    }
    let (mut found, mut seconds, mut fault) = (Vec::new(), u32::MAX, None);
    for kind in [RecordKind::A, RecordKind::Aaaa] {
        match of_kind(&name, kind, &servers).await {
            Ok(answer) => {
                seconds = seconds.min(answer.seconds);
                found.extend(answer.addresses);
            }
            Err(reason) => fault = Some(reason),
        }
    }
    match fault {
        Some(fault) if found.is_empty() => Err(fault),
        Some(_) | None => Ok((found, Duration::from_secs(seconds.into()))),
    }
}

async fn by_host(name: String) -> Result<(Vec<IpAddr>, Duration), String> {
    let found = smol::unblock(move || (name.as_str(), 0).to_socket_addrs()).await;
    let addresses = found.map_err(|error| error.to_string())?;
    Ok((addresses.map(|address| address.ip()).collect(), HOST_HOLDS))
}

async fn of_kind(name: &str, kind: RecordKind, servers: &[IpAddr]) -> Result<Addresses, String> {
    let mut fault = String::new();
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        match stream::within(PATIENCE, ask(name, kind, *server)).await {
            Ok(Ok(answer)) => return Ok(answer),
            // Another server would say the same.
            Ok(Err(AnswerFault::NoSuchName)) => return Err(AnswerFault::NoSuchName.to_string()),
            Ok(Err(reason)) => fault = format!("DNS server {server}: {reason}"),
            Err(error) => fault = format!("DNS server {server}: {error}"),
        }
    }
    Err(fault)
}

async fn ask(
    name: &str,
    kind: RecordKind,
    server: IpAddr,
) -> io::Result<Result<Addresses, AnswerFault>> {
    let mut number = [0; 2];
    SystemRandom::new()
        .fill(&mut number)
        .map_err(|_| io::Error::other("the kernel gives no randomness"))?;
    let number = u16::from_be_bytes(number);
    let question = dns::question(number, name, kind)
        .ok_or_else(|| io::Error::other("this is no name of a host"))?;
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = Async::<UdpSocket>::bind(SocketAddr::new(any, 0))?;
    socket.get_ref().connect(SocketAddr::new(server, PORT))?;
    socket.send(&question).await?;
    loop {
        let mut bytes = [0; ANSWER_BYTES];
        let length = socket.recv(&mut bytes).await?;
        match dns::answer(number, name, kind, &bytes[..length]) {
            Err(AnswerFault::Stray) => {}
            answer => return Ok(answer),
        }
    }
}
