//! Which kernel modules go into the image, and in which order they are loaded.
//!
//! `image/modules` names those we want; what they depend on is read from the modules. The result
//! is the list `/modules/order` that process 1 follows (its format: `src/boot/modules.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::image::elf::Elf;
use crate::tools::{Context, Done, Fault, read, read_text};

/// The modules of an image.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// File name and content, in load order.
    pub files: Vec<(String, Vec<u8>)>,
    /// Text of `/modules/order`.
    pub order: String,
}

/// One module that the image is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wish {
    always: bool,
    arguments: String,
}

/// What `image/modules` says.
#[derive(Debug, Default)]
struct Wishes {
    wanted: Vec<(String, Wish)>,
    before: BTreeMap<String, Vec<String>>,
}

/// What a module's `.modinfo` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Info {
    file: String,
    depends: Vec<String>,
    aliases: Vec<String>,
}

/// Chooses from the modules below `folder` what the text of `image/modules` asks for.
pub fn choose(text: &str, folder: &Path) -> Done<Chosen> {
    let wishes = parse(text)?;
    let mut paths = BTreeMap::new();
    find(folder, &mut paths)?;
    let built_in = read_text(&folder.join("modules.builtin"))?;
    let built_in: BTreeSet<_> = built_in
        .lines()
        .filter_map(|line| line.rsplit('/').next())
        .map(normal)
        .collect();
    let mut plan = Plan {
        wishes: &wishes,
        built_in: &built_in,
        load: |name: &str| {
            let path: &PathBuf = paths
                .get(name)
                .ok_or_else(|| Fault(format!("the kernel has no module {name}")))?;
            let bytes = read(path)?;
            let info = Elf::read(&bytes).and_then(|elf| elf.section(".modinfo").map(describe));
            let mut info = info.context(path.display())?;
            info.file = file_name(path);
            Ok(info)
        },
        placed: Vec::new(),
        seen: BTreeSet::new(),
    };
    for (name, _) in &wishes.wanted {
        plan.place(name)?;
    }
    let order = order(&plan.placed, &wishes);
    let files = plan.placed.into_iter().map(|(name, info)| {
        let bytes = read(&paths[&name])?;
        Ok((info.file, bytes))
    });
    let files = files.collect::<Done<_>>()?;
    Ok(Chosen { files, order })
}

/// Puts modules behind those that they need.
struct Plan<'a, L> {
    wishes: &'a Wishes,
    built_in: &'a BTreeSet<String>,
    load: L,
    placed: Vec<(String, Info)>,
    seen: BTreeSet<String>,
}

impl<L: Fn(&str) -> Done<Info>> Plan<'_, L> {
    fn place(&mut self, name: &str) -> Done {
        if self.built_in.contains(name) || !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let info = (self.load)(name)?;
        let extra = self.wishes.before.get(name).into_iter().flatten();
        for other in extra.chain(&info.depends) {
            self.place(other)?;
        }
        self.placed.push((name.to_owned(), info));
        Ok(())
    }
}

/// The list for process 1. A module that another needs is loaded whenever that one is.
fn order(placed: &[(String, Info)], wishes: &Wishes) -> String {
    let mut always = BTreeSet::new();
    let mut patterns: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut lines = Vec::new();
    // From the end: those who need come before those who are needed.
    for (name, info) in placed.iter().rev() {
        let wish = wishes.wanted.iter().find(|(wanted, _)| wanted == name);
        let wish = wish.map(|(_, wish)| wish.clone()).unwrap_or_default();
        if wish.always {
            always.insert(name.as_str());
        }
        let is_always = always.contains(name.as_str());
        let own = info.aliases.iter().map(String::as_str);
        let of_device = own.filter(|alias| alias.contains(':'));
        patterns.entry(name).or_default().extend(of_device);
        let inherited = patterns[name.as_str()].clone();
        for needed in &info.depends {
            if is_always {
                always.insert(needed);
            }
            patterns.entry(needed).or_default().extend(&inherited);
        }
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = if is_always {
            write!(line, "always {} {}", info.file, wish.arguments)
        } else {
            let patterns: Vec<_> = inherited.into_iter().collect();
            write!(line, "alias {} {}", info.file, patterns.join(" "))
        };
        lines.push(line.trim_end().to_owned());
    }
    lines.reverse();
    lines.join("\n") + "\n"
}

fn parse(text: &str) -> Done<Wishes> {
    let mut wishes = Wishes::default();
    for (number, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        let Some(kind) = words.next().filter(|word| !word.starts_with('#')) else {
            continue;
        };
        let wrong = || Fault(format!("image/modules:{}: {line}", number + 1));
        let name = normal(words.next().ok_or_else(wrong)?);
        let rest: Vec<_> = words.map(str::to_owned).collect();
        match kind {
            "always" | "device" => {
                let wish = Wish {
                    always: kind == "always",
                    arguments: rest.join(" "),
                };
                if !wish.always && !wish.arguments.is_empty() {
                    return Err(wrong());
                }
                wishes.wanted.push((name, wish));
            }
            "before" if !rest.is_empty() => {
                let others = rest.iter().map(|other| normal(other)).collect();
                wishes.before.insert(name, others);
            }
            _ => return Err(wrong()),
        }
    }
    Ok(wishes)
}

/// Module names are written with `-` and `_` alike; files end in `.ko`.
fn normal(name: &str) -> String {
    name.trim_end_matches(".ko").replace('-', "_")
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn find(folder: &Path, found: &mut BTreeMap<String, PathBuf>) -> Done {
    for entry in fs::read_dir(folder).context(folder.display())? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            find(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "ko") {
            found.insert(normal(&file_name(&path)), path);
        }
    }
    Ok(())
}

/// Reads the strings of a `.modinfo` section.
fn describe(section: &[u8]) -> Info {
    let mut info = Info::default();
    for entry in section.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        if let Some(depends) = entry.strip_prefix("depends=") {
            let names = depends.split(',').filter(|name| !name.is_empty());
            info.depends = names.map(normal).collect();
        } else if let Some(alias) = entry.strip_prefix("alias=") {
            info.aliases.push(alias.to_owned());
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::fault;

    fn info(name: &str, depends: &[&str], aliases: &[&str]) -> Info {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Info {
            file: format!("{name}.ko"),
            depends: owned(depends),
            aliases: owned(aliases),
        }
    }

    fn planned(text: &str) -> Done<String> {
        let wishes = parse(text)?;
        let built_in = BTreeSet::from(["virtio".to_owned()]);
        let mut plan = Plan {
            wishes: &wishes,
            built_in: &built_in,
            load: |name: &str| match name {
                "igb" => Ok(info(name, &["dca", "ptp"], &["pci:2*", "pci:1*"])),
                "ixgbe" => Ok(info(name, &["dca", "virtio"], &["pci:3*"])),
                "ext4" => Ok(info(name, &["jbd2"], &["fs-ext4"])),
                "dca" | "ptp" | "jbd2" | "crc32c" => Ok(info(name, &[], &[])),
                _ => fault(name),
            },
            placed: Vec::new(),
            seen: BTreeSet::new(),
        };
        for (name, _) in &wishes.wanted {
            plan.place(name)?;
        }
        Ok(order(&plan.placed, &wishes))
    }

    #[test]
    fn what_others_need_comes_first_and_carries_their_patterns() {
        let text = "# list\ndevice igb\ndevice ixgbe\nalways ext4 a=1\nbefore jbd2 crc32c\n\
                    always crc32c\n";
        let expected = "alias dca.ko pci:1* pci:2* pci:3*\nalias ptp.ko pci:1* pci:2*\n\
                        alias igb.ko pci:1* pci:2*\nalias ixgbe.ko pci:3*\n\
                        always crc32c.ko\nalways jbd2.ko\nalways ext4.ko a=1\n";
        assert_eq!(planned(text).unwrap(), expected);
    }

    #[test]
    fn faults_name_the_line_or_the_module() {
        assert_eq!(planned("always zfs").unwrap_err().0, "zfs");
        let fault = planned("\nsometimes igb").unwrap_err();
        assert_eq!(fault.0, "image/modules:2: sometimes igb");
    }

    #[test]
    fn modinfo_is_read() {
        let section = b"license=GPL\0alias=pci:v1*\0depends=i2c-algo-bit,dca\0\0";
        let expected = info("", &["i2c_algo_bit", "dca"], &["pci:v1*"]);
        let found = describe(section);
        assert_eq!(found.depends, expected.depends);
        assert_eq!(found.aliases, expected.aliases);
    }
}
