//! Which partitions a saved disk has, and what people call what is in them.

use imagezip_core::device::{ReadAt, Window};
use imagezip_core::filesystem::{ext, signature};
use imagezip_core::partition::{self, Guid, LogicalSectorSize, MbrType, Partition, PartitionKind};
use imagezip_core::sector::{Bytes, SectorRange};

/// The most partitions that are told of. A GPT has room for 128 as a rule.
const MAX_PARTITIONS: usize = 128;

/// A partition of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: u32,
    pub(super) range: SectorRange,
    pub(super) label: String,
}

/// The partitions of a disk in the order of their places, and what there is to say about them.
pub(super) fn partitions(disk: &dyn ReadAt, sector_size: u32) -> (Vec<Found>, Vec<String>) {
    let size = LogicalSectorSize::new(u64::from(sector_size)).unwrap_or(LogicalSectorSize::B512);
    let table = match partition::read(disk, size) {
        Ok(Some(table)) => table,
        Ok(None) => return (Vec::new(), Vec::new()),
        Err(error) => {
            let note = format!("The partition table can't be read: {error}.");
            return (Vec::new(), vec![note]);
        }
    };
    let mut notes = Vec::new();
    let more = table.partitions.len().saturating_sub(MAX_PARTITIONS);
    if more > 0 {
        notes.push(format!("{more} more partitions are not shown."));
    }
    for Partition { number, doubt, .. } in &table.partitions {
        if let Some(doubt) = doubt
            && notes.len() < 8
        {
            notes.push(format!("Partition {number} {doubt}."));
        }
    }
    let mut found: Vec<_> = table
        .partitions
        .iter()
        .take(MAX_PARTITIONS)
        .map(|partition| Found {
            number: partition.number,
            range: partition.range,
            label: label(disk, partition),
        })
        .collect();
    found.sort_by_key(|partition| (partition.range, partition.number));
    (found, notes)
}

/// What is in a partition; else what the table says that it is for.
fn label(disk: &dyn ReadAt, partition: &Partition) -> String {
    let content = Window::new(disk, partition.range).and_then(|window| content(&window));
    content.map_or_else(|| purpose(partition.kind), str::to_owned)
}

/// What the start of a device shows that is in it.
pub(super) fn content(device: &dyn ReadAt) -> Option<&'static str> {
    if ext::is_present(device).unwrap_or(false) {
        return Some(generation(device));
    }
    signature(device).ok().flatten()
}

/// Which ext it is, by its features.
fn generation(device: &dyn ReadAt) -> &'static str {
    /// Where the three words with features are.
    const FEATURES: Bytes = Bytes(1024 + 0x5c);
    /// What ext3 may have: types in directories, recovery, a journal's device, `meta_bg`.
    const OLD_INCOMPATIBLE: u32 = 0x02 | 0x04 | 0x08 | 0x10;
    /// The same of what older programs may only read: sparse superblocks, large files, B-trees.
    const OLD_READ_ONLY: u32 = 0x07;
    let word = |number: u64| {
        let mut bytes = [0; 4];
        let at = FEATURES.checked_add(number.saturating_mul(4))?;
        device.read_at(at, &mut bytes).ok().map(|()| u32::from_le_bytes(bytes))
    };
    let (Some(compatible), Some(incompatible), Some(read_only)) = (word(0), word(1), word(2))
    else {
        return "ext2, ext3 or ext4";
    };
    if incompatible & !OLD_INCOMPATIBLE != 0 || read_only & !OLD_READ_ONLY != 0 {
        "ext4"
    } else if compatible & 0x04 != 0 {
        "ext3"
    } else {
        "ext2"
    }
}

/// What a table says that a partition is for.
fn purpose(partition_kind: PartitionKind) -> String {
    let known = match partition_kind {
        PartitionKind::Mbr(kind) => match kind {
            MbrType::LINUX => "Linux, empty or unknown",
            MbrType::LINUX_SWAP => "Linux swap",
            MbrType::EFI_SYSTEM => "EFI system",
            MbrType(0x07) => "NTFS or exFAT",
            MbrType(0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e) => "FAT",
            MbrType::FREEBSD => "FreeBSD",
            MbrType::OPENBSD => "OpenBSD",
            _ => partition_kind.container().unwrap_or_default(),
        },
        PartitionKind::Gpt(kind) => match kind {
            Guid::LINUX => "Linux, empty or unknown",
            Guid::LINUX_SWAP => "Linux swap",
            Guid::EFI_SYSTEM => "EFI system",
            Guid::BIOS_BOOT => "BIOS boot",
            Guid::FREEBSD_BOOT => "FreeBSD boot",
            Guid::FREEBSD_SWAP => "FreeBSD swap",
            _ => partition_kind.container().unwrap_or_default(),
        },
    };
    if known.is_empty() { format!("type {partition_kind}") } else { known.to_owned() }
}
