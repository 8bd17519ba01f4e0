//! The initramfs: busybox, the modules that file systems need, and where each is found.

use crate::deb::static_busybox;
use crate::mfs::cpio::Archive;
use crate::mfs::kernel::KernelPackage;
use crate::mfs::modules::{Library, Module};
use crate::mfs::profile::WantedModule;
use anyhow::Result;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

/// Loaded at the start: what the host's files and the disks come through, and what programs look for
/// themselves, with a modprobe that the host may not have.
const AT_START: [&str; 10] = [
    "virtio_pci",
    "virtio_blk",
    "9pnet_virtio",
    "9p",
    "dm_mod",
    "dm_thin_pool",
    "dm_snapshot",
    "dm_mirror",
    "md_mod",
    "fuse",
];

/// Loaded when the kernel asks for them: file systems, what is below them, and their helpers.
const ON_DEMAND: [&str; 27] = [
    "ext4",
    "xfs",
    "btrfs",
    "vfat",
    "exfat",
    "f2fs",
    "ufs",
    "jfs",
    "nilfs2",
    "isofs",
    "loop",
    "nls_ascii",
    "nls_cp437",
    "nls_utf8",
    "crc32_generic",
    "crc32c_generic",
    "lz4",
    "zstd",
    "dm_crypt",
    "dm_flakey",
    "raid0",
    "raid1",
    "raid456",
    "xts",
    "cbc",
    "essiv",
    "algif_skcipher",
];

const INIT: &str = include_str!("init.sh");

/// The kernel has no other way to tell busybox which of its programs is meant.
const MODPROBE: &str = "#!/bin/busybox sh\nexec /bin/busybox modprobe \"$@\"\n";

/// The archive, not compressed: an emulated CPU would take longer to unpack it than to read it.
pub(super) fn archive(kernel: &KernelPackage) -> Result<Vec<u8>> {
    let busybox = fs::read(static_busybox()?)?;
    let wanted: Vec<WantedModule> = AT_START
        .iter()
        .chain(&ON_DEMAND)
        .map(|name| WantedModule { name: (*name).to_owned(), ..WantedModule::default() })
        .collect();
    let modules = Library::open(&kernel.modules())?.resolve(&wanted)?;

    let mut archive = Archive::default();
    for mount_point in ["dev", "host", "proc", "sys"] {
        archive.directory(mount_point);
    }
    // The kernel opens it for PID 1 before anybody could have mounted devtmpfs.
    archive.character_device("dev/console", 5, 1);
    archive.file("init", 0o755, INIT.into());
    archive.file("bin/busybox", 0o755, busybox);
    archive.file("bin/modprobe", 0o755, MODPROBE.into());
    archive.file("etc/modules", 0o644, AT_START.join("\n").into_bytes());
    let directory = format!("lib/modules/{}", kernel.release);
    for module in &modules {
        archive.file(&format!("{directory}/{}.ko", module.name), 0o644, module.object.clone());
    }
    archive.file(&format!("{directory}/modules.dep"), 0o644, dependencies(&modules).into_bytes());
    archive.file(&format!("{directory}/modules.alias"), 0o644, aliases(&modules).into_bytes());
    archive.to_bytes()
}

/// `modules.dep`: each module with all that has to be there before, the first one last. Without what
/// only should be there: an optimised `sha256` can't be loaded on every CPU.
fn dependencies(modules: &[Module]) -> String {
    let mut text = String::new();
    for module in modules {
        let mut open: Vec<&str> = module.info.depends.iter().map(String::as_str).collect();
        let mut needed = BTreeSet::new();
        while let Some(name) = open.pop() {
            if needed.insert(name) {
                let module = modules.iter().find(|module| module.name == name);
                open.extend(
                    module.iter().flat_map(|module| &module.info.depends).map(String::as_str),
                );
            }
        }
        let _ = write!(text, "{}.ko:", module.name);
        // They are in an order that they can be loaded in.
        for before in modules.iter().rev().filter(|other| needed.contains(other.name.as_str())) {
            let _ = write!(text, " {}.ko", before.name);
        }
        text.push('\n');
    }
    text
}

/// `modules.alias`: other names, such as `fs-vfat`.
fn aliases(modules: &[Module]) -> String {
    let mut text = String::new();
    for module in modules {
        for alias in &module.info.aliases {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "alias {alias} {}", module.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mfs::module::ModInfo;
    use crate::mfs::profile::{Load, Turn};

    #[test]
    fn busybox_finds_what_a_module_needs() {
        let module = |name: &str, needs: &[&str], aliases: &[&str]| Module {
            name: name.into(),
            object: Vec::new(),
            info: ModInfo {
                depends: needs.iter().map(|name| (*name).to_owned()).collect(),
                aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
                ..ModInfo::default()
            },
            parameters: String::new(),
            load: Load::Hardware,
            turn: Turn::Middle,
            needs: vec!["sha256_ssse3".into()],
            brings: Vec::new(),
            needs_firmware: false,
        };
        let modules = [
            module("crc", &[], &["crypto-crc"]),
            module("lib", &["crc"], &[]),
            module("f2fs", &["lib", "crc"], &["fs-f2fs"]),
        ];
        assert_eq!(dependencies(&modules), "crc.ko:\nlib.ko: crc.ko\nf2fs.ko: lib.ko crc.ko\n");
        assert_eq!(aliases(&modules), "alias crypto-crc crc\nalias fs-f2fs f2fs\n");
    }
}
