//! Everything that happens before the loop runs: directory, keys, store, settings.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use causeway_engine::admin::{Refusal, line};
use causeway_engine::base::time::Wall;

use crate::accounts;
use crate::arguments::RunOptions;
use crate::keys::{Identity, Seal, ServerCertificate};
use crate::sock::Credentials;
use crate::store::{Lock, Store};

/// Bytes of a file of settings or of a password.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the loop is made from.
pub(crate) struct Parts {
    /// Holds the data directory for this process alone.
    pub(crate) lock: Lock,
    /// Who we are.
    pub(crate) credentials: Credentials,
    /// The store, read.
    pub(crate) store: Store,
    /// Faults met while keys and store were read.
    pub(crate) faults: Vec<String>,
    /// Settings to be saved at start, in order.
    pub(crate) settings: Vec<(String, String)>,
    /// The administrator's password to be saved at start.
    pub(crate) password: Option<String>,
}

/// Why the gateway cannot start, for a person.
#[derive(Debug)]
pub(crate) enum StartFault {
    /// What was given makes no sense.
    WrongUse(String),
    /// The system refuses.
    Refused(String),
}

/// Opens and reads everything.
pub(crate) fn prepare(options: &RunOptions, now: Wall) -> Result<Parts, StartFault> {
    let settings = settings(options)?;
    let password = match &options.admin_password_file {
        Some(path) => Some(password(path)?),
        None => None,
    };
    let data = &options.data;
    let refused = |what: &str, error: io::Error| {
        StartFault::Refused(format!("{what} in {}: {error}", data.display()))
    };
    make_folder(data).map_err(|error| {
        StartFault::Refused(format!("cannot use the folder {}: {error}", data.display()))
    })?;
    let lock = Lock::take(data)
        .map_err(|error| refused("cannot make the lock file", error))?
        .ok_or_else(|| {
            StartFault::Refused(format!(
                "another gateway runs on {}; each needs a data directory of its own",
                data.display()
            ))
        })?;
    let mut faults = Vec::new();
    let identity = Identity::open(data, now, &mut faults)
        .map_err(|error| refused("cannot use the identity key", error))?;
    let (names, addresses) = own_names();
    let certificate = ServerCertificate::open(data, &names, &addresses, now, &mut faults)
        .map_err(|error| refused("cannot use the server certificate", error))?;
    let credentials = Credentials::new(identity, certificate).map_err(|error| {
        StartFault::Refused(format!("the server certificate is of no use: {error}"))
    })?;
    let seal = Seal::open(data, now, &mut faults)
        .map_err(|error| refused("cannot use the key of the store", error))?;
    let store = Store::open(data, seal, now, &mut faults)
        .map_err(|error| refused("cannot use the store", error))?;
    faults.iter().for_each(|fault| log::error!("{fault}"));
    Ok(Parts {
        lock,
        credentials,
        store,
        faults,
        settings,
        password,
    })
}

/// Makes the folder for us alone; one that is there keeps its mode.
fn make_folder(data: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data)
}

/// Names and addresses of this host, for a certificate that is made here.
fn own_names() -> (Vec<String>, Vec<IpAddr>) {
    let mut names: Vec<String> = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            !name.is_empty() && name != "(none)" && name.chars().all(allowed)
        })
        .into_iter()
        .collect();
    names.push("localhost".into());
    names.dedup();
    let mut addresses = Vec::new();
    for interface in nix::ifaddrs::getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            addresses.push(IpAddr::from(v4.ip()));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            addresses.push(IpAddr::from(v6.ip()));
        }
    }
    addresses.sort();
    addresses.dedup();
    (names, addresses)
}

/// Settings of all files and options, in the order given; passwords hashed.
fn settings(options: &RunOptions) -> Result<Vec<(String, String)>, StartFault> {
    let wrong = |place: &str, refusal: Refusal| {
        let lines = refusal.reasons.iter();
        let lines: Vec<_> = lines.map(|reason| format!("{place}: {reason}")).collect();
        StartFault::WrongUse(lines.join("\n"))
    };
    let mut settings = Vec::new();
    for path in &options.config {
        let place = path.display().to_string();
        let text = read(path)?;
        settings.extend(line::parse_settings(&text).map_err(|refusal| wrong(&place, refusal))?);
    }
    for text in &options.set {
        let place = format!("--set '{text}'");
        settings.extend(line::parse_setting(text).map_err(|refusal| wrong(&place, refusal))?);
    }
    accounts::hash_passwords(settings).map_err(StartFault::WrongUse)
}

fn password(path: &Path) -> Result<String, StartFault> {
    let text = read(path)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.into()),
        Some(_) | None => Err(StartFault::WrongUse(format!(
            "{}: the first line is empty",
            path.display()
        ))),
    }
}

fn read(path: &Path) -> Result<String, StartFault> {
    let fault = |error: io::Error| StartFault::WrongUse(format!("{}: {error}", path.display()));
    if fs::metadata(path).map_err(fault)?.len() > FILE_BYTES_MAX {
        return Err(StartFault::WrongUse(format!(
            "{}: longer than {FILE_BYTES_MAX} bytes",
            path.display()
        )));
    }
    fs::read_to_string(path).map_err(fault)
}
