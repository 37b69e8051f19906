//! Kernel modules: which of those in the initramfs this machine needs, loaded in order.
//!
//! The image holds module files under `/modules/` and the list `/modules/order`. One line each;
//! `#` begins a comment line:
//!
//! ```text
//! always crc32c_generic.ko
//! always bonding.ko max_bonds=0
//! alias igb.ko pci:v00008086d00001521sv*sd*bc*sc*i* pci:v00008086d00001533sv*sd*bc*sc*i*
//! ```
//!
//! * `always NAME [ARGUMENT…]`: loaded on every machine, with these arguments.
//! * `alias NAME PATTERN…`: loaded when a `modalias` of the hardware fits one of the patterns
//!   (`*`, `?` and `[…]`, as in the `alias=` strings of `.modinfo`).
//! * Lines stand in load order: a module after all that it depends on. A module that others need
//!   carries their patterns too (or is `always`), so nothing has to be resolved here.
//! * Needed besides what `depends=` says: `crc32c_generic` and `crc32c_intel` before `libcrc32c`;
//!   `nls_cp437`, `nls_ascii`, `nls_utf8` for vfat; `button` and `evdev` (`always`) for the power
//!   button; `softdog` must not be in the list unless asked for, the watchdog is the hardware's.
//! * The initramfs holds the nodes `/dev/console` (5,1) and `/dev/null` (1,3): without them a
//!   program cannot start as process 1. All other folders are made at boot.
//!
//! A module that does not find its device (`ENODEV`) is normal; nothing here stops the boot.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

/// Where the image keeps module files and the list of them.
const FOLDER: &str = "/modules";

/// Loading a driver shows new devices, which want drivers: virtio behind PCI, disks behind an
/// adapter. The deepest such chain has three steps.
const PASSES: usize = 4;

/// Loads what this machine needs; `say` prints a line on the console.
pub(super) fn load(say: &mut dyn FnMut(&str)) {
    let order = match fs::read_to_string(Path::new(FOLDER).join("order")) {
        Ok(order) => order,
        Err(fault) => {
            // A kernel with everything built in needs none.
            say(&format!("modules: no list ({fault})"));
            return;
        }
    };
    let (lines, faults) = parse(&order);
    for fault in faults {
        say(&format!("modules: {fault}"));
    }
    let mut tried = BTreeSet::new();
    let (mut loaded, mut absent) = (0, 0);
    for _ in 0..PASSES {
        let hardware = modaliases();
        let chosen = choose(&lines, &hardware, &tried);
        if chosen.is_empty() {
            break;
        }
        for line in chosen {
            tried.insert(line.name);
            match insert(line) {
                Ok(()) | Err(Errno::EEXIST) => loaded += 1,
                Err(Errno::ENODEV) => absent += 1,
                Err(fault) => say(&format!("modules: {}: {fault}", line.name)),
            }
        }
    }
    say(&format!(
        "modules: {loaded} of {} loaded, {absent} without a device",
        lines.len()
    ));
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line<'a> {
    /// File name.
    name: &'a str,
    /// When to load it.
    wanted: Wanted<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    Always { arguments: Vec<&'a str> },
    Alias { patterns: Vec<&'a str> },
}

fn parse(order: &str) -> (Vec<Line<'_>>, Vec<String>) {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for (number, text) in order.lines().enumerate() {
        let mut words = text.split_ascii_whitespace();
        let (kind, name) = (words.next(), words.next());
        let line = match (kind, name) {
            (None, _) => continue,
            (Some(word), _) if word.starts_with('#') => continue,
            // A name with a slash would leave the folder.
            (Some("always"), Some(name)) if !name.contains('/') => Line {
                name,
                wanted: Wanted::Always {
                    arguments: words.collect(),
                },
            },
            (Some("alias"), Some(name)) if !name.contains('/') => Line {
                name,
                wanted: Wanted::Alias {
                    patterns: words.collect(),
                },
            },
            (Some(_), _) => {
                faults.push(format!("line {} is not understood", number + 1));
                continue;
            }
        };
        lines.push(line);
    }
    (lines, faults)
}

/// The lines to load now, in order: those that fit and were not tried.
fn choose<'a, 'b>(
    lines: &'a [Line<'b>],
    hardware: &BTreeSet<String>,
    tried: &BTreeSet<&str>,
) -> Vec<&'a Line<'b>> {
    let fits = |line: &&Line<'_>| match &line.wanted {
        Wanted::Always { .. } => true,
        Wanted::Alias { patterns } => patterns
            .iter()
            .any(|pattern| hardware.iter().any(|alias| matches(pattern, alias))),
    };
    lines
        .iter()
        .filter(|line| !tried.contains(line.name))
        .filter(fits)
        .collect()
}

/// What the buses say of their devices.
fn modaliases() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten();
        entries.flatten().map(|entry| entry.path())
    };
    for bus in folders(Path::new("/sys/bus")) {
        for device in folders(&bus.join("devices")) {
            if let Ok(alias) = fs::read_to_string(device.join("modalias")) {
                found.insert(alias.trim().to_owned());
            }
        }
    }
    found
}

fn insert(line: &Line<'_>) -> Result<(), Errno> {
    let io = |fault: std::io::Error| Errno::from_raw(fault.raw_os_error().unwrap_or(0));
    let file = File::open(Path::new(FOLDER).join(line.name)).map_err(io)?;
    let arguments = match &line.wanted {
        Wanted::Always { arguments } => arguments.join(" "),
        Wanted::Alias { .. } => String::new(),
    };
    let arguments = CString::new(arguments).map_err(|_| Errno::EINVAL)?;
    finit_module(&file, &arguments, ModuleInitFlags::empty())
}

/// Whether `text` fits `pattern` whole: `*` any run, `?` any character, `[a-f]` one of a class.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // On a mismatch the last `*` takes one character more; earlier ones need not be revisited.
    let (mut at, mut position, mut star) = (0, 0, None);
    while position < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, position));
            at += 1;
        } else if let Some(next) = one(pattern, at, text[position]) {
            at = next;
            position += 1;
        } else if let Some((star_at, taken)) = star {
            star = Some((star_at, taken + 1));
            at = star_at + 1;
            position = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at.min(pattern.len())..]
        .iter()
        .all(|byte| *byte == b'*')
}

/// Where the pattern goes on when its element at `at` takes `byte`.
fn one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => {
            let end = at + pattern[at..].iter().position(|byte| *byte == b']')?;
            let class = &pattern[at + 1..end];
            let ranged = class
                .windows(3)
                .any(|range| range[1] == b'-' && (range[0]..=range[2]).contains(&byte));
            (ranged || class.contains(&byte)).then_some(end + 1)
        }
        literal => (literal == byte).then_some(at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_kernel_writes_them() {
        for (pattern, text, fits) in [
            (
                "pci:v00008086d00001521sv*sd*bc*sc*i*",
                "pci:v00008086d00001521sv00sd1bc02sc00i00",
                true,
            ),
            (
                "pci:v00008086d00001521sv*sd*bc*sc*i*",
                "pci:v00008086d00001522sv00sd1bc02sc00i00",
                false,
            ),
            (
                "pci:v*d*sv*sd*bc01sc06i01*",
                "pci:v00008086d00002922sv1sd1bc01sc06i01",
                true,
            ),
            (
                "usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*",
                "usb:v1p2d3dc0dsc0dp0ic03isc1ip1in0",
                true,
            ),
            ("usb:v05ACp0[2-4]*", "usb:v05ACp0301", true),
            ("usb:v05ACp0[2-4]*", "usb:v05ACp0501", false),
            ("acpi*:PNP0C0C:*", "acpi:PNP0C0C:", true),
            ("acpi*:PNP0C0C:*", "acpi:PNP0C0D:", false),
            (
                "cpu:type:x86,*:feature:*,0094,*",
                "cpu:type:x86,v0f6m1:feature:,0001,0094,00A0",
                true,
            ),
            ("?b[", "ab[", false),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "axxbyybzzc", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn lines_are_chosen_in_order_once() {
        let order = "# list\nalways crc32c_generic.ko\nalways bonding.ko max_bonds=0\n\
                     alias dca.ko pci:1*\nalias igb.ko pci:1* pci:2*\nalias nvme.ko pci:3*\n\
                     perhaps x.ko\nalways ../x.ko\nalways\n";
        let (lines, faults) = parse(order);
        assert_eq!(faults.len(), 3, "{faults:?}");
        let hardware = BTreeSet::from(["pci:17".to_owned()]);
        let names = |tried: &BTreeSet<&str>| -> Vec<String> {
            let chosen = choose(&lines, &hardware, tried);
            chosen.iter().map(|line| line.name.to_owned()).collect()
        };
        let first = names(&BTreeSet::new());
        assert_eq!(
            first,
            ["crc32c_generic.ko", "bonding.ko", "dca.ko", "igb.ko"]
        );
        let tried = first.iter().map(String::as_str).collect();
        assert!(names(&tried).is_empty());
    }
}
