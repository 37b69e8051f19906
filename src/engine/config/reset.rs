//! What a factory reset keeps and what it removes (SPEC LC3).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::path::Path;
use super::tree::Tree;

/// Items that a reset keeps, by the begin of their printed path: the addresses of LAN 1 and the
/// administrator's password. Accounts and certificates that are no items are kept where they are
/// stored; HTTPS access is on again because that is its default.
const KEPT: [&str; 3] = [
    "Administration Account ",
    "Ethernet 1 IP V4 ",
    "Ethernet 1 IP V6 ",
];

/// Whether an item keeps its value through a factory reset.
pub fn survives(path: &Path) -> bool {
    let name = path.to_string();
    KEPT.iter().any(|kept| name.starts_with(kept))
}

/// The changes that reset a configuration: every other item that was set gets its default.
pub fn changes(tree: &Tree) -> Vec<(String, String)> {
    let set = tree.iter().filter(|(path, _)| !survives(path));
    set.map(|(path, _)| (format!("{path}"), String::new()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_keeps_lan_1_and_the_password_and_nothing_of_lan_2() {
        let kept = |name| survives(&Path::parse(name).expect("an item"));
        for name in [
            "Ethernet 1 IP V4 Address",
            "Ethernet 1 IP V4 SubnetMask",
            "Ethernet 1 IP V6 Address",
            "Ethernet 1 IP V6 PrefixLength",
            "Administration Account Password",
        ] {
            assert!(kept(name), "{name}");
        }
        for name in [
            "Ethernet 2 IP V4 Address",
            "Ethernet 2 IP V6 Address",
            "Ethernet 1 MTU",
            "Administration HTTPS Mode",
            "Alternates Cluster Name",
            "Alternates Cluster Secret",
            "SIP Domain 1 Name",
            "SystemUnit Name",
            "DNS Server 1 Address",
        ] {
            assert!(!kept(name), "{name}");
        }
    }
}
