//! The disk that is to be saved: this one or none.

pub mod device;
pub mod name;
mod usage;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use imagezip_core::swapinfo::Part;

use crate::boot::modules;
use crate::event::{now, sleep};
use crate::failure::{FailureKind, Result};
use crate::file;
use crate::progress::Progress;

const POLL: Duration = Duration::from_millis(100);

/// A disk that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its name in Linux.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its logical sector size in bytes.
    pub sector_size: u32,
}

/// Where the kernel tells about disks, and how fast.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// `/sys/block`
    pub block: &'a str,
    /// `/proc/mounts`
    pub mounts: &'a str,
    /// `/proc/swaps`
    pub swaps: &'a str,
    /// How long a disk may take to appear after its driver was loaded.
    pub patience: Duration,
}

/// Those of the running kernel.
pub const SYSTEM: Sources<'_> = Sources {
    block: "/sys/block",
    mounts: "/proc/mounts",
    swaps: "/proc/swaps",
    patience: Duration::from_secs(10),
};

/// Finds the disk that `part` means, and checks that it is the one and that nobody uses it.
///
/// # Errors
/// `DiskAbsent`: it isn't there, or differs from what `part` says of it; `DiskInUse`.
pub fn find(sources: &Sources<'_>, part: &Part, progress: &Progress) -> Result<Disk> {
    let start = now();
    let name = loop {
        if let Some(name) = name::resolve(&part.disk, |name| is_there(sources, name)) {
            break name;
        }
        if now().saturating_sub(start) > sources.patience {
            return Err(absent(sources, part));
        }
        progress.beat();
        // Its driver may be waiting for it to be found on its bus.
        modules::rescan(&|| progress.beat());
        sleep(POLL);
    };
    if name != part.disk {
        log::info!("DISK={} is {name} here", part.disk);
    }
    let disk = Disk::read(sources, name)?;
    disk.check(sources, part)?;
    match usage::user_of(sources, &disk.name) {
        Some(user) => Err(FailureKind::DiskInUse
            .because(format_args!("disk {} is in use: {user}; it is not saved", disk.name))),
        None => Ok(disk),
    }
}

fn is_there(sources: &Sources<'_>, name: &str) -> bool {
    // A drive without a medium has size 0.
    let size = file::read_number(format!("{}/{name}/size", sources.block));
    size.is_ok_and(|sectors| sectors > 0)
}

fn absent(sources: &Sources<'_>, part: &Part) -> crate::failure::Failure {
    let names = file::list(sources.block).unwrap_or_default();
    let there: Vec<_> = names.into_iter().filter(|name| is_there(sources, name)).collect();
    let there = if there.is_empty() { "none".into() } else { there.join(", ") };
    FailureKind::DiskAbsent.because(format_args!(
        "there is no disk {}; the disks are: {there}; no other one is saved in its place",
        part.disk
    ))
}

impl Disk {
    fn read(sources: &Sources<'_>, name: String) -> Result<Self> {
        let number = |attribute: &str| {
            file::read_number(format!("{}/{name}/{attribute}", sources.block)).map_err(|errno| {
                FailureKind::DiskAbsent.because(format_args!(
                    "disk {name}: cannot read its {attribute}: {}",
                    crate::failure::Os(errno)
                ))
            })
        };
        // In units of 512 bytes, whatever the disk's sectors are.
        let size = number("size")?.saturating_mul(512);
        let sector_size = u32::try_from(number("queue/logical_block_size")?).unwrap_or(0);
        Ok(Self { name, size, sector_size })
    }

    /// Compares with what `.part` says besides the name.
    fn check(&self, sources: &Sources<'_>, part: &Part) -> Result<()> {
        let Self { name, size, sector_size } = self;
        let other = |key: &str, wanted: &dyn core::fmt::Display, found: &dyn core::fmt::Display| {
            FailureKind::DiskAbsent.because(format_args!(
                "disk {name} is not the one that .part describes: {key}={wanted}, but it has {found}"
            ))
        };
        if let Some(wanted) = part.disk_size
            && wanted != *size
        {
            return Err(other("DISKSIZE", &wanted, size));
        }
        if let Some(wanted) = part.sector_size
            && wanted != *sector_size
        {
            return Err(other("SECTORSIZE", &wanted, sector_size));
        }
        // Disks differ in which of the files they have.
        let attribute = |paths: &[&str]| {
            let mut texts = paths
                .iter()
                .filter_map(|path| file::read_text(format!("{}/{name}/{path}", sources.block)).ok())
                .map(|text| text.trim().to_string());
            texts.find(|text| !text.is_empty()).unwrap_or_else(|| "none that is known".into())
        };
        if let Some(wanted) = &part.serial {
            let found = attribute(&["serial", "device/serial", "device/vpd_pg80_serial"]);
            if wanted.trim() != found {
                return Err(other("SERIAL", wanted, &found));
            }
        }
        if let Some(wanted) = &part.wwn {
            let found = attribute(&["wwid", "device/wwid"]);
            if wanted.trim() != found {
                return Err(other("WWN", wanted, &found));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
