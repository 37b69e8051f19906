//! Hardware profiles (SPEC AP5): which machine this is, and which of its cards are LAN1 and LAN2.
//!
//! The files are in `hw/`, whose README describes them. They are chosen by DMI, or by name on the
//! kernel's command line.

use std::fs;
use std::path::Path;

use super::modules::matches;

/// All profiles; of those that fit, the first is taken. The last fits every machine.
const FILES: [(&str, &str); 6] = [
    ("ce1200", include_str!("../../hw/ce1200.profile")),
    ("ce1100", include_str!("../../hw/ce1100.profile")),
    ("vm-large", include_str!("../../hw/vm-large.profile")),
    ("vm-medium", include_str!("../../hw/vm-medium.profile")),
    ("vm-small", include_str!("../../hw/vm-small.profile")),
    ("generic", include_str!("../../hw/generic.profile")),
];

/// One kind of machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// What it is called.
    pub(super) name: String,
    /// Whether somebody has checked it on a real one.
    pub(super) verified: bool,
    /// LAN1 and LAN2.
    pub(super) lan: [Option<Card>; 2],
    /// Serial console: port and speed.
    pub(super) serial: Option<(String, u32)>,
    matches: Vec<(String, String)>,
    processors: u64,
    memory: u64,
}

/// How a network card is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Card {
    /// By its PCI address.
    Slot(String),
    /// The nth by PCI address among those with these drivers; no driver means any.
    Order {
        /// Counted from 1.
        number: usize,
        /// Names of drivers.
        drivers: Vec<String>,
    },
}

/// What is known of the machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    /// DMI keys and values, such as `sys_vendor`.
    pub(super) dmi: Vec<(String, String)>,
    /// Processors.
    pub(super) processors: u64,
    /// Memory in MiB.
    pub(super) memory: u64,
}

/// A network card that the kernel has a driver for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// PCI address.
    pub(super) slot: String,
    /// Port, of cards with several on one address.
    pub(super) port: u32,
    /// The kernel's name of the interface.
    pub(super) interface: String,
    /// Name of its driver.
    pub(super) driver: String,
}

impl Profile {
    /// The profile of this machine, or the one that was asked for by name; and what to say of a
    /// name that there is not.
    pub(super) fn choose(machine: &Machine, asked: Option<&str>) -> (Self, Option<String>) {
        let read = |text| parse(text).unwrap_or_default();
        let by_name = |asked: &str| FILES.iter().find(|(name, _)| *name == asked);
        if let Some((_, text)) = asked.and_then(by_name) {
            return (read(text), None);
        }
        let fault = asked.map(|asked| format!("there is no profile {asked}"));
        let mut profiles = FILES.iter().map(|(_, text)| read(text));
        let fitting = profiles.find(|profile| profile.fits(machine));
        (fitting.unwrap_or_default(), fault)
    }

    /// The kernel's names of LAN1 and LAN2 among the cards of this machine.
    pub(super) fn interfaces(&self, cards: &[Found]) -> [Option<String>; 2] {
        let mut cards = cards.to_vec();
        cards.sort();
        self.lan.each_ref().map(|lan| {
            let card = match lan.as_ref()? {
                Card::Slot(slot) => cards.iter().find(|card| card.slot == *slot),
                Card::Order { number, drivers } => {
                    let fits = |card: &&Found| drivers.is_empty() || drivers.contains(&card.driver);
                    cards.iter().filter(fits).nth(number.checked_sub(1)?)
                }
            };
            card.map(|card| card.interface.clone())
        })
    }

    fn fits(&self, machine: &Machine) -> bool {
        let value = |key: &str| {
            let found = machine.dmi.iter().find(|(name, _)| name == key);
            found.map_or("", |(_, value)| value)
        };
        let key_fits = |key: &str| {
            let mut patterns = self.matches.iter().filter(|(name, _)| name == key);
            patterns.any(|(_, pattern)| matches(pattern, value(key)))
        };
        machine.processors >= self.processors
            && machine.memory >= self.memory
            && self.matches.iter().all(|(key, _)| key_fits(key))
    }
}

impl Machine {
    /// Reads it from `/sys` and `/proc`.
    pub(super) fn look() -> Self {
        let dmi = ["sys_vendor", "product_name", "board_name"].map(|key| {
            let text = fs::read_to_string(Path::new("/sys/class/dmi/id").join(key));
            (key.to_owned(), text.unwrap_or_default().trim().to_owned())
        });
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        // `MemTotal:        2014016 kB` stands in the first line.
        let kibibytes = memory
            .split_whitespace()
            .nth(1)
            .and_then(|text| text.parse::<u64>().ok());
        Self {
            dmi: dmi.into(),
            processors: std::thread::available_parallelism().map_or(1, |count| count.get() as u64),
            memory: kibibytes.unwrap_or(0) / 1024,
        }
    }
}

/// The Ethernet cards behind PCI that have a driver.
pub(super) fn cards() -> Vec<Found> {
    let entries = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten();
    entries.filter_map(|entry| card(&entry.path())).collect()
}

fn card(folder: &Path) -> Option<Found> {
    // ARPHRD_ETHER; a bond or VLAN has no device behind it.
    if fs::read_to_string(folder.join("type")).ok()?.trim() != "1" {
        return None;
    }
    let device = fs::canonicalize(folder.join("device")).ok()?;
    let path = device.to_str()?;
    // A card that can be pulled out cannot be LAN1 for ever.
    if path.contains("/usb") {
        return None;
    }
    let slot = path.split('/').rfind(|part| is_slot(part))?;
    let driver = fs::canonicalize(device.join("driver")).ok()?;
    let port = fs::read_to_string(folder.join("dev_port")).ok();
    Some(Found {
        slot: slot.to_owned(),
        port: port.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
        interface: folder.file_name()?.to_str()?.to_owned(),
        driver: driver.file_name()?.to_str()?.to_owned(),
    })
}

/// Whether this is a PCI address: domain, bus, device, function, as in `0000:03:00.0`.
fn is_slot(text: &str) -> bool {
    matches(
        "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f].[0-7]",
        text,
    )
}

fn parse(text: &str) -> Result<Profile, String> {
    let mut profile = Profile::default();
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let wrong = || format!("not understood: {line}");
        let (key, value) = line.split_once(':').ok_or_else(wrong)?;
        let value = value.trim();
        match key {
            "name" => value.clone_into(&mut profile.name),
            "verified on hardware" => profile.verified = value == "yes",
            "processors at least" => profile.processors = value.parse().map_err(|_| wrong())?,
            "memory at least" => profile.memory = value.parse().map_err(|_| wrong())?,
            "lan1" => profile.lan[0] = Some(parse_card(value).ok_or_else(wrong)?),
            "lan2" => profile.lan[1] = Some(parse_card(value).ok_or_else(wrong)?),
            "serial" => {
                let (port, speed) = value.split_once(' ').ok_or_else(wrong)?;
                let speed = speed.parse().map_err(|_| wrong())?;
                profile.serial = Some((port.to_owned(), speed));
            }
            // Of use to people and to the image, not at boot.
            "registrations" | "calls" | "drivers" => {}
            _ => {
                let key = key.strip_prefix("match ").ok_or_else(wrong)?;
                profile.matches.push((key.to_owned(), value.to_owned()));
            }
        }
    }
    if profile.name.is_empty() {
        return Err("without a name".to_owned());
    }
    Ok(profile)
}

fn parse_card(text: &str) -> Option<Card> {
    let mut words = text.split_whitespace();
    match words.next()? {
        "slot" => words
            .next()
            .filter(|slot| is_slot(slot))
            .map(|slot| Card::Slot(slot.to_owned())),
        "order" => {
            let number = words.next()?.parse().ok()?;
            words.next().filter(|word| *word == "of")?;
            let drivers: Vec<String> = words.map(str::to_owned).collect();
            let any = drivers == ["any"];
            Some(Card::Order {
                number,
                drivers: if any { Vec::new() } else { drivers },
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(vendor: &str, product: &str, processors: u64, memory: u64) -> Machine {
        Machine {
            dmi: vec![
                ("sys_vendor".to_owned(), vendor.to_owned()),
                ("product_name".to_owned(), product.to_owned()),
            ],
            processors,
            memory,
        }
    }

    fn found(slot: &str, interface: &str, driver: &str) -> Found {
        Found {
            slot: slot.to_owned(),
            port: 0,
            interface: interface.to_owned(),
            driver: driver.to_owned(),
        }
    }

    #[test]
    fn every_file_is_understood_and_none_claims_to_be_verified() {
        for (name, text) in FILES {
            let profile = parse(text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert!(
                !profile.verified,
                "{name}: change this test with the evidence"
            );
            assert!(profile.lan.iter().all(Option::is_some) && profile.serial.is_some());
        }
        let count = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/hw"))
            .unwrap()
            .count();
        assert_eq!(
            count,
            FILES.len() + 1,
            "the README and what is in the binary"
        );
    }

    #[test]
    fn machines_get_their_profile() {
        for (vendor, product, processors, memory, name) in [
            ("Cisco Systems Inc", "UCSC-C220-M5SX", 16, 32_000, "CE1200"),
            ("Cisco Systems Inc", "CE1100", 16, 32_000, "CE1100"),
            ("Cisco Systems Inc", "UCSC-C240-M3", 16, 32_000, "generic"),
            (
                "QEMU",
                "Standard PC (i440FX + PIIX, 1996)",
                1,
                230,
                "VM small",
            ),
            (
                "QEMU",
                "Standard PC (Q35 + ICH9, 2009)",
                2,
                5_900,
                "VM medium",
            ),
            (
                "VMware, Inc.",
                "VMware Virtual Platform",
                8,
                7_900,
                "VM large",
            ),
            ("Some Maker", "Box", 64, 99_000, "generic"),
        ] {
            let (profile, fault) =
                Profile::choose(&machine(vendor, product, processors, memory), None);
            assert_eq!(
                (profile.name.as_str(), fault),
                (name, None),
                "{vendor} {product}"
            );
        }
    }

    #[test]
    fn the_command_line_overrides_and_a_wrong_name_is_said() {
        let qemu = machine("QEMU", "", 1, 256);
        assert_eq!(Profile::choose(&qemu, Some("ce1200")).0.name, "CE1200");
        let (profile, fault) = Profile::choose(&qemu, Some("ce9"));
        assert_eq!(profile.name, "VM small");
        assert_eq!(fault.as_deref(), Some("there is no profile ce9"));
    }

    #[test]
    fn lans_follow_pci_addresses_not_names() {
        let cards = [
            found("0000:00:05.0", "eth0", "virtio_net"),
            found("0000:00:04.0", "eth1", "virtio_net"),
            found("0000:03:00.1", "eth2", "igb"),
        ];
        let mut profile = Profile::choose(&machine("QEMU", "", 1, 256), None).0;
        let names = |profile: &Profile| profile.interfaces(&cards).map(Option::unwrap_or_default);
        assert_eq!(names(&profile), ["eth1", "eth0"]);
        profile.lan = [
            parse_card("order 1 of igb ixgbe"),
            parse_card("slot 0000:00:05.0"),
        ];
        assert_eq!(names(&profile), ["eth2", "eth0"]);
        profile.lan = [
            parse_card("order 3 of virtio_net"),
            parse_card("order 0 of any"),
        ];
        assert_eq!(names(&profile), ["", ""]);
    }
}
