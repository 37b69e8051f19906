//! A look at the structure of `buildroot/`. Buildroot itself is not at hand when tests run, so
//! this finds what a slip of the pen breaks, not what only a build would.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use crate::image::disk;
    use crate::tools::{read_text, root};

    /// Options of Buildroot that we name and know to exist.
    const KNOWN: &[&str] = &[
        "BR2_INIT_NONE",
        "BR2_LINUX_KERNEL",
        "BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE",
        "BR2_LINUX_KERNEL_CUSTOM_VERSION",
        "BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE",
        "BR2_LINUX_KERNEL_NEEDS_HOST_LIBELF",
        "BR2_LINUX_KERNEL_USE_CUSTOM_CONFIG",
        "BR2_PACKAGE_BUSYBOX",
        "BR2_PACKAGE_HOST_DOSFSTOOLS",
        "BR2_PACKAGE_HOST_E2FSPROGS",
        "BR2_PACKAGE_HOST_GENIMAGE",
        "BR2_PACKAGE_HOST_MTOOLS",
        "BR2_ROOTFS_DEVICE_CREATION_DYNAMIC_DEVTMPFS",
        "BR2_ROOTFS_POST_IMAGE_SCRIPT",
        "BR2_ROOTFS_POST_SCRIPT_ARGS",
        "BR2_SYSTEM_BIN_SH_NONE",
        "BR2_TARGET_GRUB2",
        "BR2_TARGET_GRUB2_BUILTIN_MODULES_EFI",
        "BR2_TARGET_GRUB2_BUILTIN_MODULES_PC",
        "BR2_TARGET_GRUB2_I386_PC",
        "BR2_TARGET_GRUB2_X86_64_EFI",
        "BR2_TARGET_ROOTFS_CPIO",
        "BR2_TARGET_ROOTFS_CPIO_XZ",
        "BR2_TARGET_ROOTFS_TAR",
        "BR2_TOOLCHAIN_BUILDROOT_MUSL",
        "BR2_x86_64",
    ];

    fn file(name: &str) -> String {
        read_text(&folder().join(name)).unwrap()
    }

    fn folder() -> PathBuf {
        root().join("buildroot")
    }

    /// Options that the tree defines itself.
    fn own() -> BTreeSet<String> {
        let text = file("package/causeway/Config.in");
        let lines = text.lines().filter_map(|line| line.strip_prefix("config "));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn the_tree_has_the_files_that_an_external_tree_must_have() {
        let description = file("external.desc");
        assert!(description.lines().any(|line| line == "name: CAUSEWAY"));
        assert!(file("external.mk").contains("$(BR2_EXTERNAL_CAUSEWAY_PATH)/package/*/*.mk"));
        let text = file("Config.in");
        for line in text.lines() {
            let path = line.strip_prefix("source \"$BR2_EXTERNAL_CAUSEWAY_PATH/");
            let path = path.and_then(|rest| rest.strip_suffix('"')).unwrap();
            assert!(folder().join(path).is_file(), "{path}");
        }
    }

    #[test]
    fn every_option_is_known_and_named_once() {
        let own = own();
        let mut seen = BTreeSet::new();
        for line in file("configs/causeway_x86_64_defconfig").lines() {
            let off = line
                .strip_prefix("# ")
                .and_then(|rest| rest.strip_suffix(" is not set"));
            let name = off
                .or_else(|| line.split_once('=').map(|(name, _)| name))
                .unwrap();
            assert!(KNOWN.contains(&name) || own.contains(name), "{name}");
            assert!(seen.insert(name.to_owned()), "{name} twice");
        }
        assert!(own.is_subset(&seen));
    }

    #[test]
    fn files_that_the_configuration_names_are_there() {
        let text = file("configs/causeway_x86_64_defconfig");
        let named = text.split("$(BR2_EXTERNAL_CAUSEWAY_PATH)/").skip(1);
        let named: Vec<_> = named.filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(named.len(), 2);
        for path in named {
            assert!(folder().join(path).is_file(), "{path}");
        }
    }

    #[test]
    fn the_package_has_our_version_and_is_complete() {
        let text = file("package/causeway/causeway.mk");
        let version = format!("CAUSEWAY_VERSION = {}\n", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&version));
        assert!(text.trim_end().ends_with("$(eval $(generic-package))"));
        for line in text.lines().filter(|line| line.contains("INSTALL)")) {
            assert!(line.starts_with('\t'), "{line}");
        }
    }

    #[test]
    fn partitions_are_those_of_our_own_image() {
        let text = file("board/causeway/genimage.cfg");
        let layout = disk::layout(&crate::image::recipe("layout").unwrap()).unwrap();
        let mut rest = text.as_str();
        for partition in layout {
            let start = format!("partition {} {{", partition.name);
            rest = rest.split_once(&start).unwrap().1;
            let body = rest.split('}').next().unwrap();
            let size = format!("size = {}M\n", partition.sectors / 2048);
            assert!(body.contains(&size), "{}", partition.name);
            assert!(body.contains(partition.guid()), "{}", partition.name);
        }
    }

    #[test]
    fn the_kernel_has_no_option_twice() {
        let mut seen = BTreeSet::new();
        for line in file("board/causeway/linux.config").lines() {
            if line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').unwrap();
            assert!(name.starts_with("CONFIG_") && !value.is_empty(), "{line}");
            assert!(seen.insert(name.to_owned()), "{name} twice");
        }
    }
}
