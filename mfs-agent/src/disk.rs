//! The disk that is saved or loaded: this one or none (docs/decisions/0010).

mod attributes;
mod choice;
pub mod device;
pub mod identity;
pub mod name;
pub mod target;
mod usage;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use imagezip_core::partition::{self, DiskId, LogicalSectorSize};
use imagezip_core::swapinfo::Part;
use rustix::io::Errno;

pub(crate) use attributes::Attributes;
pub use attributes::Number;
pub use identity::Hints;
pub(crate) use usage::user_of;

use crate::event::{now, sleep};
use crate::failure::{FailureKind, Os, Result};
use crate::progress::Progress;
use choice::{Guid, Seen};
use device::DiskDevice;

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
    /// Its serial number, if it has one.
    pub serial: Option<String>,
    /// Its world-wide name as Linux shows it, if it has one.
    pub wwn: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its device number.
    pub number: Number,
    /// Tells it from all disks that had or will have its number, where the kernel counts them.
    pub sequence: Option<u64>,
}

/// Whether a block device can be a node's own disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It can.
    Fixed,
    /// It can, but is more often something that a person has plugged in.
    Usb,
    /// Its medium can be taken out.
    Removable,
    /// It is a drive for something else, or made of memory, of a file or of other disks.
    NoDisk,
}

/// Where the kernel tells about disks, and how fast.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// `/sys/block`
    pub block: &'a str,
    /// `/dev`
    pub dev: &'a str,
    /// `/proc/mounts`
    pub mounts: &'a str,
    /// `/proc/swaps`
    pub swaps: &'a str,
    /// How long a disk may take to appear after its driver was loaded.
    pub patience: Duration,
    /// How long no other disk must have appeared before the one that was found counts as the only
    /// one of its kind.
    pub settling: Duration,
}

/// Those of the running kernel.
pub const SYSTEM: Sources<'_> = Sources {
    block: "/sys/block",
    dev: "/dev",
    mounts: "/proc/mounts",
    swaps: "/proc/swaps",
    patience: Duration::from_secs(10),
    settling: Duration::from_secs(1),
};

impl Sources<'_> {
    /// The device file of a disk. A `/` in its name is a `!` in `/sys`.
    fn device_file(&self, disk: &Disk) -> String {
        format!("{}/{}", self.dev, disk.name.replace('!', "/"))
    }
}

/// Finds the disk that `part` and `hints` mean, and checks that it is the one and that nobody uses
/// it. Where both say something `hints` count, which are those of the command line.
///
/// A serial number, WWN or partition table's name that is given must be that of exactly one disk,
/// and then the name doesn't matter. Without any of them it's the disk with the name and no other.
///
/// `rescan` is called again and again while the disk is waited for; it may load drivers.
///
/// # Errors
/// `DiskAbsent`: it isn't there, or differs from what `part` says of it; `DiskAmbiguous`: several
/// disks could be meant; `DiskRefused`: it's not of a kind that is used; `DiskInUse`.
pub fn find(
    sources: &Sources<'_>,
    part: &Part,
    hints: &Hints,
    rescan: &dyn Fn(),
    progress: &Progress,
) -> Result<Disk> {
    let hints = hints.clone().or(Hints::of(part));
    let mut search = Search { sources, part, hints: &hints, progress, seen: Vec::new() };
    let disk = search.wait(rescan).inspect_err(|_| search.log_disks())?;
    search.log_choice(&disk);
    check(&disk, part)?;
    match user_of(sources, &disk.name) {
        Some(user) => Err(FailureKind::DiskInUse
            .because(format_args!("disk {} is in use: {user}; it is not used", disk.name))),
        None => Ok(disk),
    }
}

/// A search and what it has seen.
struct Search<'a> {
    sources: &'a Sources<'a>,
    part: &'a Part,
    hints: &'a Hints,
    progress: &'a Progress,
    seen: Vec<Seen>,
}

impl Search<'_> {
    /// Waits until the disk is there and, if it's told by what others could have too, until no
    /// more disks appear.
    fn wait(&mut self, rescan: &dyn Fn()) -> Result<Disk> {
        let start = now();
        let mut changed = start;
        loop {
            if self.look() {
                changed = now();
            }
            let late = now().saturating_sub(start) >= self.sources.patience;
            let settled = now().saturating_sub(changed) >= self.sources.settling;
            match self.choose() {
                Ok(disk) if late || settled || self.hints.is_empty() => return Ok(disk.clone()),
                Err(failure) if late || self.is_final(failure.kind) => return Err(failure),
                _ => {}
            }
            self.progress.beat();
            rescan();
            sleep(POLL);
        }
    }

    /// Whether waiting can't change a refusal.
    fn is_final(&self, kind: FailureKind) -> bool {
        // Those that are too many do not become fewer.
        kind == FailureKind::DiskAmbiguous
            || (kind == FailureKind::DiskRefused && self.hints.is_empty())
    }

    /// Looks at all disks; whether they have changed since the last time.
    fn look(&mut self) -> bool {
        let disks = attributes::list(self.sources);
        let changed = !disks.iter().eq(self.seen.iter().map(|seen| &seen.disk));
        let old = core::mem::take(&mut self.seen);
        for disk in disks {
            let known = old.iter().find(|seen| seen.disk == disk);
            let guid = match known.map(|seen| &seen.guid) {
                Some(guid @ Guid::Read(_)) => guid.clone(),
                _ if self.hints.guid.is_some() && disk.kind != Kind::NoDisk => self.read(&disk),
                _ => Guid::NotAsked,
            };
            self.seen.push(Seen { disk, guid });
        }
        changed
    }

    fn read(&self, disk: &Disk) -> Guid {
        match guid_of(self.sources, disk, self.progress) {
            Ok(guid) => Guid::Read(guid),
            Err(why) => Guid::Unreadable(why),
        }
    }

    fn choose(&self) -> Result<&Disk> {
        if self.hints.is_empty() {
            choice::by_name(&self.seen, self.named().as_deref(), &self.part.disk)
        } else {
            choice::by_identity(&self.seen, self.hints)
        }
    }

    /// The disk that `DISK=` names, if it is there.
    fn named(&self) -> Option<String> {
        let is_there = |name: &str| self.seen.iter().any(|seen| seen.disk.name == name);
        name::resolve(&self.part.disk, is_there)
    }

    fn log_disks(&self) {
        for seen in self.seen.iter().filter(|seen| seen.disk.kind != Kind::NoDisk) {
            log::warn!("there is {}", seen.disk);
        }
    }

    fn log_choice(&self, disk: &Disk) {
        let Self { part, hints, .. } = self;
        let named = self.named();
        match named {
            _ if hints.is_empty() && disk.name == part.disk => log::info!("disk {disk}"),
            _ if hints.is_empty() => log::info!("DISK={} is {disk} here", part.disk),
            Some(name) if name != disk.name => log::warn!(
                "DISK={} would be {name} here, but {hints} is that of {disk}, which counts",
                part.disk
            ),
            _ => log::info!("the disk with {hints} is {disk}"),
        }
        for other in &self.seen {
            if let Guid::Unreadable(why) = &other.guid {
                log::warn!("the partition table of {} could not be read: {why}", other.disk.name);
            }
        }
    }
}

/// The name that a disk's partition table gives it; `None` if there is no table.
///
/// # Errors
/// Why it can't be told, in words.
pub(crate) fn guid_of(
    sources: &Sources<'_>,
    disk: &Disk,
    progress: &Progress,
) -> core::result::Result<Option<DiskId>, String> {
    let size = LogicalSectorSize::new(disk.sector_size.into())
        .ok_or_else(|| format!("sectors of {} bytes", disk.sector_size))?;
    let device = DiskDevice::open_shared(sources, disk, progress).map_err(|error| error.message)?;
    match partition::read(&device, size) {
        Ok(table) => Ok(table.map(|table| table.disk_id)),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a disk is still the one that it was.
pub(crate) fn is_unchanged(sources: &Sources<'_>, disk: &Disk) -> bool {
    attributes::read(sources, &disk.name).as_ref() == Ok(disk)
}

/// All disks, once there is one and no more appear. `rescan` is called as by [`find`].
pub(crate) fn wait_for_all(
    sources: &Sources<'_>,
    rescan: &dyn Fn(),
    progress: &Progress,
) -> Vec<Disk> {
    let start = now();
    let (mut disks, mut changed) = (Vec::new(), start);
    loop {
        let mut there = attributes::list(sources);
        there.retain(|disk| disk.kind != Kind::NoDisk);
        if there != disks {
            (disks, changed) = (there, now());
        }
        let late = now().saturating_sub(start) >= sources.patience;
        let settled = now().saturating_sub(changed) >= sources.settling;
        if late || (settled && !disks.is_empty()) {
            return disks;
        }
        progress.beat();
        rescan();
        sleep(POLL);
    }
}

/// Compares with the sizes of `.part`.
fn check(disk: &Disk, part: &Part) -> Result<()> {
    let other = |key: &str, wanted: u64, found: u64| {
        FailureKind::DiskAbsent.because(format_args!(
            "disk {} is not the one that .part describes: {key}={wanted}, but it has {found}; no \
             other one is used in its place",
            disk.name
        ))
    };
    match (part.disk_size, part.sector_size) {
        (Some(wanted), _) if wanted != disk.size => Err(other("DISKSIZE", wanted, disk.size)),
        (_, Some(wanted)) if wanted != disk.sector_size => {
            Err(other("SECTORSIZE", wanted.into(), disk.sector_size.into()))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Disk {
    /// The name, and what tells it from others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, size, sector_size, .. } = self;
        write!(f, "{name} ({size} bytes, sectors of {sector_size}")?;
        match &self.serial {
            Some(serial) => write!(f, ", serial {serial}")?,
            None => f.write_str(", no serial number")?,
        }
        match &self.wwn {
            Some(wwn) => write!(f, ", WWN {wwn}")?,
            None => f.write_str(", no WWN")?,
        }
        f.write_str(match self.kind {
            Kind::Fixed | Kind::NoDisk => ")",
            Kind::Usb => ", USB)",
            Kind::Removable => ", removable)",
        })
    }
}

/// The failure of a disk that can't be opened.
fn cannot_open(path: &str, errno: Errno) -> crate::failure::Failure {
    match errno {
        Errno::BUSY => FailureKind::DiskInUse.because(format_args!(
            "{path} is in use by something that can't be seen from here; it is not used"
        )),
        _ => FailureKind::DiskAbsent.because(format_args!("cannot open {path}: {}", Os(errno))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
