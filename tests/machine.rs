//! The appliance as a whole, in emulated machines started from the disk image (SPEC AP1, AP4, AP6).
//!
//! `cargo xtask image` makes the image, `cargo xtask test` does that and runs these tests. Waiting
//! is always for a line on the serial console, with much patience: a busy host is slow.
//!
//! How a crash is made without a shell to make it with: the kernel gets `sysrq_always_enabled`,
//! which the image does not have, and the emulator presses Alt-SysRq-I, upon which the kernel
//! sends SIGKILL to every process but process 1. The power button is the emulator's, too.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::path::PathBuf;

use xtask::demonstration::{self, DOMAIN, Tale};
use xtask::image::grub;
use xtask::lab::appliance::Appliance;
use xtask::lab::guest::{Guest, Machine, PATIENCE, Plug, Start};
use xtask::lab::switch::Switch;
use xtask::lab::{self, Sockets, disk};

/// What one test has: a folder, sockets, and a LAN.
struct Bench {
    folder: PathBuf,
    sockets: Sockets,
    lan: Switch,
}

impl Bench {
    fn new(name: &str) -> Self {
        let sockets = Sockets::new().unwrap();
        Self {
            folder: lab::scratch(name).unwrap(),
            lan: Switch::new(sockets.path(), "lan"),
            sockets,
        }
    }

    /// A machine with a fresh disk, on the LAN.
    fn machine(&self, name: &str, number: u8, start: Start) -> Machine {
        Machine {
            name: name.to_owned(),
            start,
            disk: disk::copy(&self.folder, name).unwrap(),
            number,
            plugs: vec![Plug::Switch(self.lan.port().unwrap().1), Plug::Open],
            folder: self.folder.clone(),
            sockets: self.sockets.path().to_owned(),
            arguments: String::new(),
            kvm: false,
            shown: false,
        }
    }
}

/// Waits until all roles have been started.
fn expect_roles(guest: &mut Guest) {
    guest.console.expect("data: /dev/", PATIENCE).unwrap();
    let started = [
        "system runs as process",
        "gateway runs as process",
        "console on /dev/ttyS0 runs as process",
    ];
    guest.console.expect_all(&started, PATIENCE).unwrap();
}

/// Presses the power button and waits until the machine has switched itself off in good order.
fn press_power_button(guest: &mut Guest) {
    guest.emulator("system_powerdown").unwrap();
    guest
        .console
        .expect("the power button was pressed", PATIENCE)
        .unwrap();
    guest
        .console
        .expect("data is written and taken off", PATIENCE)
        .unwrap();
    assert!(guest.off(PATIENCE).unwrap().success());
}

#[test]
fn the_disk_boots_by_bios_is_set_up_at_its_console_and_keeps_what_was_saved() {
    let bench = Bench::new("machine-bios");
    let machine = bench.machine("bios", 1, Start::Bios);
    let mut appliance = Appliance {
        guest: machine.start().unwrap(),
    };
    let console = &mut appliance.guest.console;
    console.expect("starting slot A", PATIENCE).unwrap();
    let address = Ipv4Addr::new(10, 0, 2, 11);
    appliance.set_up(address, "peer1", DOMAIN).unwrap();
    appliance.log_in().unwrap();
    let network = appliance.status("NetworkInterface").unwrap();
    assert!(network.contains("10.0.2.11"), "{network}");
    appliance.set(&[("SIP Domain 1 Name", DOMAIN)]).unwrap();
    appliance.guest.console.line("xCommand Boot").unwrap();
    // A reboot ends the emulator.
    assert!(appliance.guest.off(PATIENCE).unwrap().success());

    let mut appliance = Appliance {
        guest: machine.start().unwrap(),
    };
    appliance.log_in().unwrap();
    assert_eq!(appliance.setting("SIP Domain 1 Name").unwrap(), DOMAIN);
    let address = appliance.setting("Ethernet 1 IP V4 Address").unwrap();
    assert_eq!(address, "10.0.2.11");
    appliance.power_off().unwrap();
}

#[test]
fn the_disk_boots_by_uefi_and_the_power_button_ends_it_in_good_order() {
    let bench = Bench::new("machine-uefi");
    let mut guest = bench.machine("uefi", 1, Start::Uefi).start().unwrap();
    guest.console.expect("starting slot A", PATIENCE).unwrap();
    expect_roles(&mut guest);
    let question = "New password of admin: ";
    guest.console.expect(question, PATIENCE).unwrap();
    press_power_button(&mut guest);
}

#[test]
fn two_appliances_form_a_cluster_and_carry_a_call() {
    let bench = Bench::new("machine-pair");
    let tale = Tale::begin();
    let mut appliances: Vec<_> = (1..=2)
        .map(|number| {
            let machine = bench.machine(&format!("peer{number}"), number, Start::Direct);
            Appliance {
                guest: machine.start().unwrap(),
            }
        })
        .collect();
    for (number, appliance) in (1..).zip(&mut appliances) {
        demonstration::first_boot(&tale, number, appliance).unwrap();
    }
    demonstration::form(&tale, &mut appliances).unwrap();
    demonstration::call(&tale, &bench.lan, &mut appliances).unwrap();
    for appliance in &mut appliances {
        appliance.power_off().unwrap();
    }
}

#[test]
fn a_slot_that_does_not_come_up_is_given_up() {
    let bench = Bench::new("machine-slots");
    let machine = bench.machine("slots", 1, Start::Bios);
    // As an update leaves it that wrote a system which cannot start.
    let state = [("ORDER", "B A"), ("A_left", "ok"), ("B_left", "1")];
    disk::put(&machine.disk, "esp", "grubenv", &grub::environment(&state)).unwrap();
    disk::put(&machine.disk, "slot-b", "initrd", b"no file system").unwrap();

    let mut guest = machine.start().unwrap();
    guest.console.expect("starting slot B", PATIENCE).unwrap();
    guest.console.expect("Kernel panic", PATIENCE).unwrap();
    // The panic asks for a reboot, which ends the emulator.
    guest.off(PATIENCE).unwrap();

    let mut guest = machine.start().unwrap();
    let said = guest.console.expect("starting slot A", PATIENCE).unwrap();
    assert!(!said.contains("starting slot B"), "{said}");
    expect_roles(&mut guest);
    guest.cut_power().unwrap();
    let state = disk::get(&machine.disk, "esp", "grubenv").unwrap();
    assert!(String::from_utf8_lossy(&state).contains("\nB_left=0\n"));
}

#[test]
fn roles_that_are_killed_start_again() {
    let bench = Bench::new("machine-kill");
    let mut machine = bench.machine("kill", 1, Start::Direct);
    machine.arguments = "sysrq_always_enabled".into();
    let mut guest = machine.start().unwrap();
    expect_roles(&mut guest);
    guest.emulator("sendkey alt-sysrq-i").unwrap();
    let events = [
        "system ended (signal SIGKILL)",
        "gateway ended (signal SIGKILL)",
        "system runs as process",
        "gateway runs as process",
    ];
    guest.console.expect_all(&events, PATIENCE).unwrap();
    press_power_button(&mut guest);
}
