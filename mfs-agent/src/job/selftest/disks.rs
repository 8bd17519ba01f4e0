//! Disks: what they are, what is on them, and how fast they are.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use imagezip_core::allocation::{Options, Selection, scan};
use imagezip_core::partition::{self, DiskId, LogicalSectorSize};

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
    page.row("wwn", disk.wwn.as_deref().unwrap_or("none"));
    page.row("size", format_args!("{} bytes, {} GiB", disk.size, Gib(disk.size)));
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
    let table = match partition::read(&device, size) {
        Ok(None) => String::from("none"),
        Ok(Some(table)) => match table.disk_id {
            DiskId::Mbr(_) => format!("MBR {}", table.disk_id),
            DiskId::Gpt(_) => format!("GPT {}", table.disk_id),
        },
        Err(error) => format!("{error}"),
    };
    page.row("table", table);
    let map = scan(&device, Selection::WholeDisk, Options::new(size)).map_err(of_core)?;
    for note in &map.notes {
        page.row("note", note);
    }
    for report in &map.partitions {
        page.row("part", report);
        for note in &report.notes {
            page.row("note", format_args!("partition {}: {note}", report.number));
        }
    }
    Ok(())
}

/// Shows bytes in GiB.
struct Gib(u64);

impl core::fmt::Display for Gib {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let tenths = u128::from(self.0).saturating_mul(10) >> 30;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}
