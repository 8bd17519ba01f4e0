//! A [`NodeDisk`] that boots by itself: SYSLINUX and Debian's kernel in its EFI system partition,
//! and an init of its own in its root file system.
//!
//! The BIOS starts the code in the MBR, which starts that of the partition with the attribute
//! "legacy BIOS bootable", which finds SYSLINUX's files in the FAT file system. All of it is on the
//! disk, so it has to survive a save and a restore. The init mounts nothing for writing: the file
//! system stays as it was.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{NodeDisk, SECTOR};
use crate::apt;
use crate::command::{stdout, tool};
use crate::deb::static_busybox;
use crate::mfs::kernel::KernelPackage;
use crate::mfs::modules::{Library, Module};
use crate::mfs::profile::{Profile, WantedModule};
use crate::mfs::{self, cpio};
use crate::qemu::EMULATED;

/// How the line begins in which the disk's own init says who it is and what it has read.
pub const ANSWER: &str = "node-init: hello from ";

/// What init reads: the first of these that is there, all of them files that a user makes
/// ([`super::work_as_user`]).
pub const ANSWER_FILES: [&str; 2] = ["/home/user/renamed/run-7.csv", "/home/run-7.csv"];

/// The directory with init and its shell; a user leaves it alone.
pub(super) const INIT_DIRECTORY: &str = "sbin";

/// The code for the MBR of a disk with a GPT: so much of the sector is code.
const BOOT_CODE: &str = "/usr/lib/syslinux/mbr/gptmbr.bin";
const BOOT_CODE_BYTES: usize = 440;

/// The drivers of the disks that a node may have, and the file system.
const MODULES: [&str; 6] = ["virtio_pci", "virtio_blk", "ahci", "nvme", "sd_mod", "ext4"];

/// Fast, as it is unpacked once or twice.
const ZSTD_LEVEL: i32 = 3;

/// `/init` of the initramfs: finds the root partition by its name, and goes there. A controller
/// shows its disks some time after its driver is there.
const FIRST_INIT: &str = "#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
while read -r module; do
    $b insmod /modules/$module.ko || echo \"initramfs: $module was not loaded\"
done </modules/order
until root=$($b grep -lx PARTNAME=root /sys/class/block/*/uevent); do
    $b usleep 20000
done
root=${root%/uevent}
echo \"initramfs: the root is ${root##*/}\"
$b mount -t ext4 -o ro /dev/${root##*/} /mnt
$b umount /proc /sys
$b mount -o move /dev /mnt/dev
exec $b switch_root /mnt /sbin/init
";

/// `/sbin/init` of the disk.
fn own_init(name: &str) -> String {
    let files = ANSWER_FILES.join(" ");
    format!(
        "#!/sbin/busybox sh
b=/sbin/busybox
for file in {files}; do
    [ -f $file ] && break
done
set -- $($b sha256sum $file)
echo \"{ANSWER}{name}, $file $1\"
$b poweroff -f
"
    )
}

/// Puts an init that calls itself `name`, and what it needs, below the directory `staging`.
pub(super) fn stage_init(staging: &Path, name: &str) -> Result<()> {
    for mount_point in ["dev", "proc", "sys"] {
        fs::create_dir_all(staging.join(mount_point))?;
    }
    let directory = staging.join(INIT_DIRECTORY);
    fs::create_dir_all(&directory)?;
    fs::copy(static_busybox()?, directory.join("busybox"))?;
    let init = directory.join("init");
    fs::write(&init, own_init(name))?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Makes the disk boot, from its EFI system partition.
pub(super) fn install(disk: &NodeDisk, scratch: &Path) -> Result<()> {
    apt::ensure(apt::BOOT_LOADER)?;
    let kernel = KernelPackage::fetch(&Profile::load(&mfs::profiles(), "virtio")?.kernel.package)?;
    let initramfs = scratch.join("initrd");
    fs::write(&initramfs, zstd::bulk::compress(&archive(&kernel)?, ZSTD_LEVEL)?)?;
    let configuration = scratch.join("syslinux.cfg");
    let words = format!("console=ttyS0 panic=-1 quiet {EMULATED}");
    let text =
        format!("DEFAULT node\nLABEL node\n  LINUX /vmlinuz\n  INITRD /initrd\n  APPEND {words}\n");
    fs::write(&configuration, text)?;
    disk.write_esp_file(&kernel.vmlinuz(), "vmlinuz")?;
    disk.write_esp_file(&initramfs, "initrd")?;
    disk.write_esp_file(&configuration, "syslinux.cfg")?;

    let offset = (disk.esp.start * SECTOR).to_string();
    stdout(tool("syslinux").args(["--install", "--offset", &offset]).arg(&disk.path))?;
    let attribute = ["1", "LegacyBIOSBootable"];
    stdout(tool("sfdisk").args(["--quiet", "--part-attrs"]).arg(&disk.path).args(attribute))?;
    let code = fs::read(BOOT_CODE).with_context(|| format!("cannot read {BOOT_CODE}"))?;
    ensure!(code.len() <= BOOT_CODE_BYTES, "{BOOT_CODE} has {} bytes", code.len());
    File::options().write(true).open(&disk.path)?.write_all_at(&code, 0)?;
    Ok(())
}

/// The initramfs, not compressed.
fn archive(kernel: &KernelPackage) -> Result<Vec<u8>> {
    let wanted = MODULES.map(|name| WantedModule { name: name.into(), ..WantedModule::default() });
    let modules = Library::open(&kernel.modules())?.resolve(&wanted)?;
    let mut archive = cpio::Archive::default();
    for mount_point in ["dev", "mnt", "proc", "sys"] {
        archive.directory(mount_point);
    }
    archive.character_device("dev/console", 5, 1);
    archive.file("init", 0o755, FIRST_INIT.into());
    archive.file("bin/busybox", 0o755, fs::read(static_busybox()?)?);
    let mut order = String::new();
    for Module { name, object, .. } in modules {
        archive.file(&format!("modules/{name}.ko"), 0o644, object);
        order += &name;
        order.push('\n');
    }
    archive.file("modules/order", 0o644, order.into_bytes());
    archive.to_bytes()
}
