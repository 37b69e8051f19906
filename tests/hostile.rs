//! Two real peers with certificates of a real authority, and openssl as everybody who should not
//! be there (SPEC CL5, TL1, AM1, AM3).
//!
//! The peers run on loopback addresses. Certificates are made by openssl as the test goes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time that one expected thing may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

const CAUSEWAY: &str = env!("CARGO_BIN_EXE_causeway");

/// Ports of the two planes in this test.
const PLANES: [u16; 2] = [24_371, 24_372];

std::thread_local! {
    /// Second number of the addresses of the test that runs in this thread.
    static NETWORK: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

/// A folder of the test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        // Each test has addresses of its own.
        NETWORK.set(10 + name.len() as u8 % 100);
        let name = format!("causeway-hostile-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An authority that openssl keeps.
struct Authority<'a> {
    folder: &'a Path,
    name: &'a str,
}

impl<'a> Authority<'a> {
    fn new(folder: &'a Path, name: &'a str) -> Self {
        let authority = Self { folder, name };
        let files = folder.join(name);
        fs::create_dir_all(&files).expect("a folder");
        fs::write(files.join("index.txt"), "").expect("written");
        fs::write(files.join("serial"), "01").expect("written");
        fs::write(files.join("crlnumber"), "01").expect("written");
        let configuration = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\n\
             serial=serial\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n\
             policy=p\nunique_subject=no\n[p]\ncommonName=supplied\n";
        fs::write(files.join("ca.cnf"), configuration).expect("written");
        let subject = format!("/CN={name}");
        let curve = "ec_paramgen_curve:P-256";
        authority.openssl(&[
            "req", "-x509", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", "ca.key",
            "-out", "ca.pem", "-subj", &subject, "-days", "3650",
        ]);
        authority
    }

    /// A certificate with its key for one name, as one PEM file.
    fn issue(&self, file: &str, name: &str, dates: &[&str]) -> PathBuf {
        let (key, request) = (format!("{file}.key"), format!("{file}.csr"));
        let subject = format!("/CN={name}");
        let curve = "ec_paramgen_curve:P-256";
        self.openssl(&[
            "req", "-new", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", &key, "-out",
            &request, "-subj", &subject,
        ]);
        let names = format!("subjectAltName=DNS:{name}\n");
        fs::write(self.path(&format!("{file}.ext")), names).expect("written");
        let out = self.sign(file, &request, dates);
        let both = read(&out) + &read(&self.path(&key));
        let whole = self.path(&format!("{file}-both.pem"));
        fs::write(&whole, both).expect("written");
        whole
    }

    /// The certificate of a request; the names are in the file of extensions.
    fn sign(&self, file: &str, request: &str, dates: &[&str]) -> PathBuf {
        let (out, names) = (format!("{file}.pem"), format!("{file}.ext"));
        let mut arguments = vec![
            "ca", "-batch", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", "-in",
            request, "-out", &out, "-notext", "-extfile", &names,
        ];
        match dates {
            [] => arguments.extend(["-days", "365"]),
            dates => arguments.extend(dates),
        }
        self.openssl(&arguments);
        self.path(&out)
    }

    fn list(&self) -> PathBuf {
        self.openssl(&[
            "ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-out",
            "crl.pem",
        ]);
        self.path("crl.pem")
    }

    fn revoke(&self, file: &str) {
        let file = format!("{file}.pem");
        self.openssl(&[
            "ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", "-revoke", &file,
        ]);
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(self.name).join(file)
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command
            .args(arguments)
            .current_dir(self.folder.join(self.name));
        let output = command.output().expect("openssl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

/// A running peer; killed when dropped.
struct Peer {
    child: Child,
    data: PathBuf,
    address: IpAddr,
    log: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Peer {
    fn start(folder: &Path, number: u8, settings: &str) -> Self {
        let data = folder.join(format!("peer{number}"));
        fs::create_dir_all(&data).expect("a folder");
        let (file, log) = (data.join("settings"), data.join("log"));
        fs::write(&file, settings).expect("written");
        let mut child = Command::new(CAUSEWAY)
            .args(["run", "--data"])
            .arg(&data)
            .arg("--config")
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut lines = output.lines().map_while(Result::ok);
        let ready = lines.any(|line| line.starts_with("ready"));
        let address = address(number);
        assert!(ready, "{}", read(&log));
        thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            data,
            address,
            log,
        }
    }

    fn ask(&self, line: &str) -> Result<String, String> {
        let mut command = Command::new(CAUSEWAY);
        command.args(["cli", "--data"]).arg(&self.data).arg(line);
        let output = command.output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            Ok(text)
        } else {
            Err(text)
        }
    }

    fn done(&self, line: &str) -> String {
        self.ask(line)
            .unwrap_or_else(|fault| panic!("{line}: {fault}"))
    }

    /// Waits until a part of the status holds a text.
    fn shows(&self, part: &str, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.done(&format!("xStatus {part}"));
            if shown.contains(text) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{text} is not in {shown}\n{}",
                read(&self.log)
            );
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until a line with all these words was logged.
    fn logs(&self, words: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = read(&self.log);
            if log
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
            {
                return;
            }
            assert!(Instant::now() < deadline, "{words:?} not in {log}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn address(number: u8) -> IpAddr {
    IpAddr::from([127, NETWORK.get(), (std::process::id() % 200) as u8, number])
}

fn name(number: u8) -> String {
    format!("peer{number}.example.net")
}

/// A free address beside those of the peers.
const STRANGER: u8 = 9;

fn settings(own: u8) -> String {
    let mut text = format!(
        "Ethernet 1 IP V4 Address: \"{}\"\nEthernet 1 IP V4 SubnetMask: \"255.255.255.0\"\n\
         Alternates Cluster Name: \"cluster.example.net\"\nManagement Interface Port: \"28443\"\n\
         SIP UDP Port: \"25060\"\nSIP TCP Port: \"25060\"\nIP DNS Hostname: \"peer{own}\"\n\
         IP DNS Domain Name: \"example.net\"\nAlternates Configuration Port: \"{}\"\n\
         Alternates State Port: \"{}\"\n\
         Alternates Cluster AddressMapping Mode: \"On\"\n",
        address(own),
        PLANES[0],
        PLANES[1]
    );
    // The third peer is never there: strangers come from its place.
    for number in 1..=3 {
        let (name, address) = (name(number), address(number));
        let pair = format!("Alternates Cluster AddressMapping Pair {number}");
        text += &format!("{pair} Fqdn: \"{name}\"\n{pair} IpAddress: \"{address}\"\n");
    }
    text
}

fn list_of_peers(peer: &Peer, count: u8) {
    let items = (1..=count).map(|number| {
        let name = name(number);
        format!("Alternates Peer {number} Address: \"{name}\" ")
    });
    peer.done(&format!("xConfiguration {}", items.collect::<String>()));
}

/// What a certificate row of a peer's status says of another.
fn certificate(peer: &Peer, other: u8) -> String {
    let shown = peer.done(&format!("xStatus Cluster Peer {other}"));
    shown
        .lines()
        .find(|line| line.contains("Certificate:"))
        .expect("a row")
        .to_string()
}

/// Two peers in Enforce mode.
fn enforced(folder: &Path, authority: &Authority<'_>) -> [Peer; 2] {
    let peers = [1, 2].map(|number| Peer::start(folder, number, &settings(number)));
    for peer in &peers {
        list_of_peers(peer, 2);
    }
    for (peer, other) in [(0, 2), (1, 1)] {
        peers[peer].shows(&format!("Cluster Peer {other}"), "Status: \"Active\"");
    }
    // Self-signed: Permissive goes on, and Enforce is refused with every reason.
    assert!(certificate(&peers[0], 2).contains("Invalid"));
    let refused = peers[0].ask("xCommand ClusterTLSVerification Mode: Enforce");
    let refused = refused.expect_err("peers would be refused");
    assert!(
        refused.contains("this system would refuse peer2.example.net"),
        "{refused}"
    );
    let direct = "xConfiguration Alternates Cluster TLSVerification: Enforce";
    assert!(peers[1].ask(direct).is_err());

    let list = authority.list();
    for (number, peer) in (1..).zip(&peers) {
        let own = authority.issue(&format!("peer{number}"), &name(number), &[]);
        let authority = authority.path("ca.pem");
        let lines = [
            ("CertificateAuthorityAdd", &authority),
            ("CertificateRevocationListAdd", &list),
            ("CertificateInstall", &own),
        ];
        for (verb, file) in lines {
            peer.done(&format!("xCommand {verb} File: {}", file.display()));
        }
    }
    for (peer, other) in [(0, 2), (1, 1)] {
        peers[peer].shows(&format!("Cluster Peer {other}"), "Status: \"Active\"");
        peers[peer].shows(&format!("Cluster Peer {other}"), "Certificate: \"Valid\"");
    }
    for peer in &peers {
        let deadline = Instant::now() + PATIENCE;
        while let Err(fault) = peer.ask("xCommand ClusterTLSVerification Mode: Enforce") {
            assert!(Instant::now() < deadline, "{fault}");
            thread::sleep(Duration::from_millis(500));
        }
    }
    for (peer, other) in [(0, 2), (1, 1)] {
        peers[peer].shows(&format!("Cluster Peer {other}"), "Status: \"Active\"");
    }
    replicates(&peers, "enforced");
    peers
}

fn replicates(peers: &[Peer; 2], word: &str) {
    let item = "SIP Domain 1 Name";
    peers[0].done(&format!("xConfiguration {item}: \"{word}.example.org\""));
    let deadline = Instant::now() + PATIENCE;
    while !peers[1]
        .done(&format!("xConfiguration {item}"))
        .contains(word)
    {
        assert!(Instant::now() < deadline, "{word} does not arrive");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The certificate that a port presents, as text.
fn presented(address: IpAddr, port: u16) -> String {
    let to = format!("{address}:{port}");
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &to])
        .stdin(Stdio::null());
    let output = command.output().expect("openssl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn peers_with_certificates_enforce_them_and_take_new_ones_without_a_restart() {
    let folder = Folder::new("enforce");
    let authority = Authority::new(&folder.0, "good-authority");
    let peers = enforced(&folder.0, &authority);

    // A request made on the box: the key stays, the certificate fits it.
    let request = peers[1].done(&format!("xCommand CertificateRequest Names: {}", name(2)));
    let end = request.find("OK").unwrap_or(request.len());
    fs::write(authority.path("renewed.csr"), &request[..end]).expect("written");
    let names = format!("subjectAltName=DNS:{}\n", name(2));
    fs::write(authority.path("renewed.ext"), names).expect("written");
    let renewed = authority.sign("renewed", "renewed.csr", &[]);
    let before = presented(peers[1].address, 28_443);
    peers[1].done(&format!(
        "xCommand CertificateInstall File: {}",
        renewed.display()
    ));
    let after = presented(peers[1].address, 28_443);
    assert_ne!(before, after, "browsers get the new one too");
    assert!(after.contains(read(&renewed).lines().nth(2).expect("Base64")));
    peers[0].shows("Cluster Peer 2", "Status: \"Active\"");
    replicates(&peers, "renewed");

    // What does not fit is refused with the reason, and nothing changes.
    let other = authority.issue("other", &name(2), &[]);
    let mixed = read(&authority.path("other.pem")) + &read(&authority.path("peer1.key"));
    fs::write(authority.path("mixed.pem"), mixed).expect("written");
    let install = |file: &Path| {
        peers[1].ask(&format!(
            "xCommand CertificateInstall File: {}",
            file.display()
        ))
    };
    let fault = install(&authority.path("mixed.pem")).expect_err("another key");
    assert!(fault.contains("does not fit"), "{fault}");
    fs::write(&other, &read(&other)[..200]).expect("written");
    assert!(
        install(&other).expect_err("cut off").contains("line 1"),
        "with its place"
    );
    replicates(&peers, "unharmed");
}

/// A client of openssl that tries to be a peer; what it says.
fn intrude(to: IpAddr, from: IpAddr, certificate: Option<&Path>) -> String {
    let (to, from) = (format!("{to}:{}", PLANES[0]), format!("{from}:0"));
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &to, "-bind", &from]);
    if let Some(certificate) = certificate {
        command
            .arg("-cert")
            .arg(certificate)
            .arg("-key")
            .arg(certificate);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    // It holds on until it is thrown out.
    let _ = child.stdin.as_mut().expect("a pipe").write_all(&[1; 97]);
    let mut said = String::new();
    let mut bytes = Vec::new();
    let _ = child.stdout.take().expect("a pipe").read_to_end(&mut bytes);
    said += &String::from_utf8_lossy(&bytes);
    let mut fault = String::new();
    let _ = child
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut fault);
    let _ = child.wait();
    said + &fault
}

#[test]
fn strangers_are_refused_and_the_cluster_is_unharmed() {
    let folder = Folder::new("strangers");
    let authority = Authority::new(&folder.0, "good-authority");
    let bad = Authority::new(&folder.0, "bad-authority");
    let peers = enforced(&folder.0, &authority);
    let (to, place) = (peers[0].address, address(STRANGER));

    let good = authority.issue("stolen", &name(2), &[]);
    let wrong = bad.issue("wrong", &name(2), &[]);
    let past = [
        "-startdate",
        "20200101000000Z",
        "-enddate",
        "20200201000000Z",
    ];
    let expired = authority.issue("expired", &name(2), &past);
    for certificate in [&good, &wrong, &expired] {
        // A right certificate is of no use without the identity that goes with it.
        intrude(to, place, Some(certificate));
        intrude(to, peers[1].address, Some(certificate));
    }
    peers[0].logs(&["from no peer", "identity"]);
    let said = intrude(to, place, None);
    assert!(said.contains("certificate required"), "{said}");

    let mut plain = TcpStream::connect((to, PLANES[0])).expect("it listens");
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("taken");
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    replicates(&peers, "after-plain-text");

    // Half-open connections from one address: the peers' own handshakes are not among them.
    let half: Vec<TcpStream> = (0..1_000)
        .filter_map(|_| TcpStream::connect((to, PLANES[0])).ok())
        .collect();
    assert!(half.len() > 900);
    replicates(&peers, "while-half-open");
    // A peer that comes anew gets through them.
    let renewed = authority.issue("again", &name(2), &[]);
    peers[1].done(&format!(
        "xCommand CertificateInstall File: {}",
        renewed.display()
    ));
    peers[0].shows("Cluster Peer 2", "Status: \"Active\"");
    replicates(&peers, "reconnected");
    drop(half);

    refused_by_certificate(&peers, &authority, &bad);
}

/// The second peer presents what the first must refuse, and is taken again with a good one.
fn refused_by_certificate(peers: &[Peer; 2], authority: &Authority<'_>, bad: &Authority<'_>) {
    // Revoked while it is in use: the next link is refused with the reason.
    authority.revoke("again");
    let list = authority.list();
    peers[0].done(&format!(
        "xCommand CertificateRevocationListAdd File: {}",
        list.display()
    ));
    peers[0].shows("Cluster Peer 2", "it is revoked");
    peers[0].shows("Alarm", "it is revoked");
    peers[1].shows("Cluster Peer 1", "refuses this system");
    let fresh = authority.issue("fresh", &name(2), &[]);
    peers[1].done(&format!(
        "xCommand CertificateInstall File: {}",
        fresh.display()
    ));
    peers[0].shows("Cluster Peer 2", "Status: \"Active\"");
    for (file, certificate, reason) in [
        (
            "wrong-name",
            authority.issue("named", "other.example.net", &[]),
            "it is not for peer2",
        ),
        (
            "wrong-authority",
            bad.issue("bad", &name(2), &[]),
            "not issued by a trusted authority",
        ),
    ] {
        peers[1].done(&format!(
            "xCommand CertificateInstall File: {}",
            certificate.display()
        ));
        peers[0].shows("Cluster Peer 2", reason);
        peers[0].shows("Alarm", reason);
        peers[1].done(&format!(
            "xCommand CertificateInstall File: {}",
            fresh.display()
        ));
        peers[0].shows("Cluster Peer 2", "Status: \"Active\"");
        replicates(peers, file);
    }
}
