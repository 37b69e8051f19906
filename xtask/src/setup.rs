//! `cargo xtask setup`: what the other commands need on a Debian host, and why.

use std::path::Path;

use crate::tools::{Done, Fault, fault, find, output, program, run};

/// Debian package, and what we need it for.
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "links the programs that run on this host"),
    ("libc6-dev", "links the programs that run on this host"),
    ("musl-tools", "C compiler for the static binary"),
    ("grub-common", "grub-mkimage, for the image's boot loader"),
    ("grub-pc-bin", "boot loader for BIOS"),
    ("grub-efi-amd64-bin", "boot loader for UEFI"),
    ("e2fsprogs", "mke2fs, for the image's data partition"),
    ("zstd", "packs the image's initial file system"),
    ("qemu-system-x86", "runs the image"),
    ("ovmf", "UEFI firmware for QEMU"),
    ("sip-tester", "SIPp, an outside judge of SIP"),
    ("tshark", "outside judge of what is on the wire"),
    ("nftables", "outside judge of the firewall"),
    ("iproute2", "network namespaces for tests"),
    ("ethtool", "takes offloading off the tests' interfaces"),
    ("tcpdump", "records what is on the wire"),
    ("curl", "outside judge of the pages"),
    ("kamailio", "the other side of the SIP benchmark"),
    ("python3", "runs the SIP benchmark"),
    ("chromium", "browser tests"),
    ("chromium-driver", "browser tests"),
    ("g++", "builds the fuzzing library"),
];

/// Targets of the pinned compiler, and what we need them for.
const TARGETS: &[(&str, &str)] = &[
    ("x86_64-unknown-linux-musl", "the static binary"),
    (
        "x86_64-unknown-none",
        "proves that the engine needs no operating system",
    ),
];

/// Something missing on this host.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    Package(&'static str),
    Target(&'static str),
    Nightly,
    Fuzz,
}

/// Installs what is missing; with `check` only looks, and missing things are a fault.
pub fn setup(check: bool) -> Done {
    let missing = look();
    for (thing, reason) in &missing {
        println!("missing: {} ({reason})", thing.name());
    }
    if missing.is_empty() {
        println!("setup: nothing is missing");
        return Ok(());
    }
    if check {
        return fault(format!("{} missing: cargo xtask setup", missing.len()));
    }
    install(missing.into_iter().map(|(thing, _)| thing).collect())?;
    match look().first() {
        None => Ok(()),
        Some((thing, _)) => fault(format!("{} is still missing", thing.name())),
    }
}

impl Missing {
    fn name(&self) -> String {
        match self {
            Self::Package(name) => format!("package {name}"),
            Self::Target(name) => format!("Rust target {name}"),
            Self::Nightly => "Rust toolchain nightly".into(),
            Self::Fuzz => "cargo-fuzz".into(),
        }
    }
}

fn look() -> Vec<(Missing, &'static str)> {
    let mut missing = Vec::new();
    for (name, reason) in PACKAGES {
        if !installed(name) {
            missing.push((Missing::Package(name), *reason));
        }
    }
    let targets = output(program("rustup").args(["target", "list", "--installed"]));
    let targets = targets.unwrap_or_default();
    for (name, reason) in TARGETS {
        if !targets.lines().any(|line| line == *name) {
            missing.push((Missing::Target(name), *reason));
        }
    }
    let toolchains = output(program("rustup").args(["toolchain", "list"])).unwrap_or_default();
    if !toolchains.lines().any(|line| line.starts_with("nightly")) {
        missing.push((Missing::Nightly, "fuzzing wants it"));
    }
    if find("cargo-fuzz").is_none() && !in_cargo_home("cargo-fuzz") {
        missing.push((Missing::Fuzz, "fuzz tests"));
    }
    missing
}

fn installed(package: &str) -> bool {
    let mut query = program("dpkg-query");
    let status = output(query.args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}

fn in_cargo_home(name: &str) -> bool {
    let home = std::env::var_os("CARGO_HOME").map(Into::into).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cargo"))
    });
    home.is_some_and(|home: std::path::PathBuf| home.join("bin").join(name).is_file())
}

fn install(missing: Vec<Missing>) -> Done {
    let packages: Vec<_> = missing
        .iter()
        .filter_map(|thing| match thing {
            Missing::Package(name) => Some(*name),
            Missing::Target(_) | Missing::Nightly | Missing::Fuzz => None,
        })
        .collect();
    if !packages.is_empty() {
        apt(&["update", "--quiet"])?;
        let mut arguments = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
        arguments.extend(packages);
        apt(&arguments)?;
    }
    for thing in missing {
        match thing {
            Missing::Package(_) => {}
            Missing::Target(name) => run(program("rustup").args(["target", "add", name]))?,
            Missing::Nightly => {
                let add = ["toolchain", "install", "nightly", "--profile", "minimal"];
                run(program("rustup").args(add))?;
            }
            Missing::Fuzz => {
                run(program("cargo").args(["install", "--locked", "cargo-fuzz"]))?;
            }
        }
    }
    Ok(())
}

/// Runs apt-get as root, waiting for another that is at work.
fn apt(arguments: &[&str]) -> Done {
    let mut command = if nix::unistd::geteuid().is_root() {
        program("apt-get")
    } else if find("sudo").is_some() {
        let mut sudo = program("sudo");
        sudo.arg("apt-get");
        sudo
    } else {
        return Err(Fault("installing packages needs root or sudo".into()));
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    run(command
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_there_is_seen_and_one_that_is_not_is_not() {
        assert!(installed("dpkg"));
        assert!(!installed("no-such-package-at-all"));
    }
}
