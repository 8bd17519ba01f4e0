//! File systems and layers that this machine's kernel may not have: used by Debian's kernel in a guest,
//! saved and restored by our maps, and judged in a guest.
//!
//! What is in a case's files is random but the same in each run. What guests said stays in
//! `target/tests/filesystems_guest`.

mod case;
mod fat;
mod layers;
mod linux;
mod ntfs;
mod script;
mod trial;
mod ufs;

use std::time::Duration;

use anyhow::Result;

use case::{Case, Expected};
use trial::Trial;

/// Used and left clean.
const CLEAN: &[Case] = &[
    fat::FAT12,
    fat::FAT16,
    fat::FAT32,
    fat::FAT32_4K,
    fat::EXFAT_SMALL,
    fat::EXFAT_LARGE,
    linux::F2FS_PLAIN,
    linux::F2FS_FEATURES,
    layers::LVM,
    layers::LVM_THIN,
    layers::RAID_1_2,
    layers::RAID_0_90,
    layers::RAID_1_0,
    layers::RAID_LVM,
    layers::LUKS2,
    ufs::UFS1,
];

fn clean() -> Result<()> {
    let trial = Trial::new("clean", CLEAN)?;
    let used = trial.boot("use", &script::use_them(CLEAN), &trial.disks)?;
    let found = trial.examine()?;
    let recalls = trial.recall(&used, &found)?;
    let restored = trial.restored(&found)?;
    let checked = trial.boot("check", &script::check_them(CLEAN), &restored)?;
    let files = trial.compare(&used, &checked, "files")?;
    trial.record("clean, used by Linux 6.1", "statfs", &found, &recalls, &files)
}

/// Written to when the power goes.
const CUT: &[Case] = &[
    fat::FAT32,
    fat::EXFAT_SMALL,
    linux::EXT4,
    linux::XFS,
    linux::BTRFS_SINGLE,
    linux::F2FS_PLAIN,
    linux::F2FS_FEATURES,
    ntfs::NTFS,
    layers::LVM,
    layers::LVM_THIN,
    // Members are saved whole while something is being written, since they may differ. Between two
    // writes the array says that it is clean.
    Case { expected: Expected::Either, ..layers::RAID_1_2 },
    Case { expected: Expected::Either, ..layers::RAID_1_0 },
    layers::LUKS2,
];

fn power_cut() -> Result<()> {
    let trial = Trial::new("cut", CUT)?;
    let longer = Duration::from_millis(u64::from(std::process::id() % 2000));
    let written = trial.cut("write", &script::write_until_cut(CUT), longer)?;
    let found = trial.examine()?;
    let restored = trial.restored(&found)?;
    let script = script::recover_them(CUT);
    let recovered = trial.boot("recover", &script, &restored)?;
    let files = trial.compare(&written, &recovered, "files")?;
    drop(restored);
    // Recovery makes of them what it makes of the disks that lost their power.
    let original = trial.boot("original", &script, &trial.disks)?;
    trial.compare(&original, &recovered, "all")?;
    trial.record("power cut, Linux 6.1", "", &found, &vec![None; CUT.len()], &files)
}

#[test]
fn what_was_synced_before_a_power_cut_is_restored() {
    power_cut().unwrap();
}

#[test]
fn file_systems_that_a_guest_has_used_are_whole_when_restored() {
    clean().unwrap();
}
