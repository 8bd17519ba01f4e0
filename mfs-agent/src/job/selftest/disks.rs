//! Disks: what they are, what is on them, and how fast they are.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use imagezip_core::allocation::{Options, Selection, rows, scan};
use imagezip_core::partition::{self, DiskId, LogicalSectorSize};
use imagezip_core::swapinfo::Part;

use super::page::Page;
use super::{Sources, speed};
use crate::disk::device::DiskDevice;
use crate::disk::{Attributes, Disk, Kind, user_of};
use crate::failure::{Failure, FailureKind, Result};
use crate::progress::Progress;

/// The lines of a disk.
pub(super) fn print(
    page: &mut Page<'_>,
    sources: &Sources<'_>,
    disk: &Disk,
    progress: &Progress,
    problems: &mut Vec<Failure>,
) {
    page.block(&disk.name);
    describe(page, sources, disk);
    if let Err(failure) = examine(page, sources, disk, progress) {
        page.row("fault", &failure);
        // What somebody has plugged in is nobody's disk.
        if disk.kind == Kind::Fixed {
            problems.push(failure.context(format_args!("disk {}", disk.name)));
        }
    }
}

/// That there is no disk.
pub(super) fn none() -> Failure {
    FailureKind::DiskAbsent
        .because("there is no disk; is the driver of its controller in the image?")
}

fn describe(page: &mut Page<'_>, sources: &Sources<'_>, disk: &Disk) {
    let attributes = Attributes::of(&sources.disks, disk);
    let text = |path| attributes.text(path).unwrap_or_default();
    // On other buses than SCSI a vendor is a number.
    let vendor = Some(text("device/vendor")).filter(|vendor| !vendor.starts_with("0x"));
    let model = format!("{} {}", vendor.unwrap_or_default(), text("device/model"));
    let model = model.trim();
    page.row("model", if model.is_empty() { "unknown" } else { model });
    page.row("serial", disk.serial.as_deref().unwrap_or("none"));
    page.row("wwn", disk.wwn.as_deref().filter(|wwn| is_own(wwn)).unwrap_or("none"));
    page.row("size", format_args!("{} bytes, {}", disk.size, Size(disk.size)));
    let physical = attributes.number("queue/physical_block_size").unwrap_or(0);
    page.row("sectors", format_args!("{} logical, {physical} physical", disk.sector_size));
    let kind = match disk.kind {
        Kind::Fixed => "fixed",
        Kind::Usb => "USB",
        Kind::Removable => "removable",
        Kind::NoDisk => "no disk",
    };
    let rotates = attributes.number("queue/rotational") == Ok(1);
    page.row("kind", format_args!("{kind}, {}", if rotates { "rotating" } else { "solid state" }));
    page.row("in-use", user_of(&sources.disks, &disk.name).as_deref().unwrap_or("no"));
}

fn examine(
    page: &mut Page<'_>,
    sources: &Sources<'_>,
    disk: &Disk,
    progress: &Progress,
) -> Result<()> {
    let device = DiskDevice::open_shared(&sources.disks, disk, progress)?;
    let of_core = |error| Failure::of_core(&error, "cannot be read");
    let speed = speed::read(&device, sources.read_time).map_err(of_core)?;
    page.row("read", format_args!("{speed}, {} MiB in a row", speed.bytes >> 20));
    let Some(size) = LogicalSectorSize::new(disk.sector_size.into()) else {
        return Err(FailureKind::DiskAbsent
            .because(format_args!("sectors of {} bytes, not 512 or 4096", disk.sector_size)));
    };
    let id = partition::read(&device, size).map_err(of_core)?.map(|table| table.disk_id);
    match id {
        None => page.row("table", "none"),
        Some(id @ DiskId::Mbr(_)) => page.row("table", format_args!("MBR {id}")),
        Some(id @ DiskId::Gpt(_)) => page.row("table", format_args!("GPT {id}")),
    }
    if disk.kind == Kind::Removable {
        page.row("words", "none, as what can be taken out is never saved");
    } else {
        page.row("words", words(disk, id));
    }
    let map = scan(&device, Selection::WholeDisk, Options::new(size)).map_err(of_core)?;
    for note in &map.notes {
        page.row("note", note);
    }
    for row in rows(&map.partitions) {
        page.row("part", &row);
        for note in &row.notes {
            page.row("note", format_args!("partition {}: {note}", row.name));
        }
    }
    Ok(())
}

/// The words about the disk that can be put into a `.part` as they stand.
fn words(disk: &Disk, guid: Option<DiskId>) -> String {
    let part = Part {
        disk: String::from("any"),
        load_partition: 0,
        boot_partition: 1,
        serial: disk.serial.clone(),
        wwn: disk.wwn.clone().filter(|wwn| is_own(wwn)),
        disk_guid: guid,
        disk_size: Some(disk.size),
        sector_size: Some(disk.sector_size),
        base_sha256: None,
    };
    let line = part.to_string();
    line.split_once("BOOTPART=1 ").map(|(_, words)| String::from(words)).unwrap_or_default()
}

/// Whether a world-wide name is the disk's own. Those that the kernel makes up from other texts are
/// long, and say no more than those.
fn is_own(wwn: &str) -> bool {
    ["naa.", "eui.", "uuid."].iter().any(|it| wwn.starts_with(it))
}

/// Shows a size in MiB or GiB.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 30 {
            0..10 => write!(f, "{} MiB", self.0 >> 20),
            gib => write!(f, "{gib} GiB"),
        }
    }
}
