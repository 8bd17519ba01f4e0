//! The master boot record, and the chains of extended boot records with logical partitions
//! (docs/format.md, "MBR").

use alloc::format;
use alloc::vec::Vec;

use super::draft::Draft;
use super::{DiskId, LogicalSectorSize, MbrType, PartitionKind, PartitionTable};
use crate::device::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::filesystem::whole_disk;
use crate::layout::Layout;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};

/// The most tables of logical partitions that are read. Linux gives up at 100.
const MAX_TABLES: usize = 128;

/// A sector with a table of four entries: the first sector of a disk, or an extended boot record.
pub(super) struct Mbr<'a>(Layout<'a, 512>);

/// An entry of such a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    boot_indicator: u8,
    kind: MbrType,
    /// First block, counted from a place that depends on the table and the type.
    start: u32,
    /// Number of blocks.
    len: u32,
}

impl<'a> Mbr<'a> {
    /// The table in the first sector of a disk, if its signature is there and its boot indicators
    /// are possible.
    ///
    /// The boot sector of a file system has the same signature; its code or text stands where the
    /// entries would be.
    pub(super) fn new(sector: &'a [u8; 512]) -> Option<Self> {
        let possible = |entry: &Entry| matches!(entry.boot_indicator, 0 | 0x80);
        Self::extended(sector).filter(|table| table.entries().iter().all(possible))
    }

    /// The table in an extended boot record, if its signature is there.
    fn extended(sector: &'a [u8; 512]) -> Option<Self> {
        let table = Self(Layout::new(sector)?);
        (table.0.array::<510, 2>() == [0x55, 0xaa]).then_some(table)
    }

    fn entries(&self) -> [Entry; 4] {
        [self.entry::<446>(), self.entry::<462>(), self.entry::<478>(), self.entry::<494>()]
    }

    fn entry<const AT: usize>(&self) -> Entry {
        let bytes = self.0.array::<AT, 16>();
        let Some(entry) = Layout::<16>::new(&bytes) else { return Entry::UNUSED };
        Entry {
            boot_indicator: entry.u8::<0>(),
            kind: MbrType(entry.u8::<4>()),
            start: entry.u32::<8>(),
            len: entry.u32::<12>(),
        }
    }

    fn disk_id(&self) -> u32 {
        self.0.u32::<440>()
    }

    /// Whether the table only guards a GPT.
    pub(super) fn is_protective(&self) -> bool {
        self.entries().iter().any(|entry| entry.kind == MbrType::GPT_PROTECTIVE)
    }

    /// Whether any entry can be that of a partition on a disk of so many blocks.
    ///
    /// Programs that make a FAT file system of a whole disk put an entry into its boot sector that
    /// begins where the file system does.
    fn has_partition(&self, blocks: u64) -> bool {
        self.entries().iter().any(|entry| {
            let is_on_disk = (1..blocks).contains(&entry.start.into());
            entry.len != 0 && entry.kind != MbrType::EMPTY && is_on_disk
        })
    }

    /// Whether this is what FreeBSD puts on a disk that it uses whole: a table in form only.
    fn is_bogus(&self) -> bool {
        let bogus = Entry { kind: MbrType::FREEBSD, len: 50_000, ..Entry::UNUSED };
        let [first, second, third, fourth] = self.entries();
        [first, second, third].iter().all(|entry| *entry == Entry::UNUSED)
            && Entry { boot_indicator: 0, ..fourth } == bogus
    }
}

impl Entry {
    const UNUSED: Self = Self { boot_indicator: 0, kind: MbrType::EMPTY, start: 0, len: 0 };

    /// Whether Linux takes the entry for a partition. The type does not matter to it.
    fn is_partition(&self) -> bool {
        self.len != 0 && !self.kind.is_extended()
    }

    /// Whether the entry leads to a table of logical partitions.
    fn is_link(&self) -> bool {
        self.len != 0 && self.kind.is_extended()
    }
}

/// The position of an entry, counted from 0, of the table in a sector.
fn entry_at(sector: u64, slot: u32) -> Bytes {
    let in_table = u64::from(slot).saturating_mul(16).saturating_add(446);
    Bytes(sector.saturating_mul(SECTOR_BYTES).saturating_add(in_table))
}

/// Reads the partitions of a disk with the MBR `table`.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn read(
    device: &dyn ReadAt,
    size: LogicalSectorSize,
    table: &Mbr<'_>,
) -> Result<Option<PartitionTable>> {
    if table.is_bogus() {
        return Ok(None);
    }
    let file_system = whole_disk::find(device)?;
    if file_system.is_some() && !table.has_partition(size.blocks(device.sectors().end())) {
        return Ok(None);
    }
    let mut draft = Draft::new(device.sectors());
    draft.structure(0, size.sectors(1));
    if let Some(name) = file_system {
        let what = "has partitions and is the boot sector of a file system of the whole disk";
        draft.incomplete(format!("the first sector {what} ({name}): one of them is left over"));
    }
    for (number, entry) in (1_u32..).zip(table.entries()) {
        let (start, len) = (u64::from(entry.start), u64::from(entry.len));
        if entry.is_link() {
            draft.container(size.sectors(start), size.sectors(len));
        } else if entry.is_partition() {
            let kind = PartitionKind::Mbr(entry.kind);
            let at = entry_at(0, number.saturating_sub(1));
            draft.partition(number, size.sectors(start), size.sectors(len), kind, at);
        }
    }
    let mut logical = Logical { device, size, draft, next_number: 5, visited: Vec::new() };
    for container in table.entries().into_iter().filter(Entry::is_link) {
        logical.read(container)?;
    }
    let draft = logical.draft;
    // Before the first partition there may be a boot loader, so only the space after the last one
    // is unused.
    Ok(draft.span().map(|span| {
        let rest = SectorRange::new(span.end(), device.sectors().end());
        let unused = rest.into_iter().collect::<ExtentSet>();
        draft.finish(DiskId::Mbr(table.disk_id()), &unused)
    }))
}

/// The logical partitions while their tables are read.
struct Logical<'a> {
    device: &'a dyn ReadAt,
    size: LogicalSectorSize,
    draft: Draft,
    next_number: u32,
    /// The blocks whose tables were read.
    visited: Vec<u64>,
}

impl Logical<'_> {
    /// Follows the chain of tables that begins with the extended partition `container`.
    fn read(&mut self, container: Entry) -> Result<()> {
        let first = u64::from(container.start);
        let mut at = first;
        loop {
            let sector = self.size.sectors(at);
            if self.visited.contains(&at) || self.visited.len() >= MAX_TABLES {
                let what = "logical partitions: the chain of tables does not end";
                self.draft.incomplete(format!("{what}: given up at sector {sector}"));
                return Ok(());
            }
            self.visited.push(at);
            let Some(bytes) = self.read_sector(sector)? else {
                let what = "logical partitions: a table lies beyond the disk";
                self.draft.incomplete(format!("{what}, at sector {sector}"));
                return Ok(());
            };
            self.draft.structure(sector, self.size.sectors(1));
            let Some(table) = Mbr::extended(&bytes) else {
                self.draft.note(format!("logical partitions: no table at sector {sector}"));
                return Ok(());
            };
            self.add_partitions(container, at, &table);
            let Some(link) = table.entries().into_iter().find(Entry::is_link) else {
                return Ok(());
            };
            at = first.saturating_add(u64::from(link.start));
        }
    }

    /// The sector, unless it is beyond the disk.
    fn read_sector(&self, number: u64) -> Result<Option<[u8; 512]>> {
        let mut bytes = [0; 512];
        let Some(sector) = Sector::new(number) else { return Ok(None) };
        match self.device.read_sectors(sector, &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(Error { kind: ErrorKind::Truncated, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds the partitions of the table in block `at`.
    fn add_partitions(&mut self, container: Entry, at: u64, table: &Mbr<'_>) {
        let first = u64::from(container.start);
        let end = first.saturating_add(u64::from(container.len));
        let table_at = self.size.sectors(at);
        for (slot, entry) in (0..).zip(table.entries()) {
            let start = at.saturating_add(u64::from(entry.start));
            let len = u64::from(entry.len);
            // Some tools leave garbage in the last two slots; there Linux takes only what lies
            // inside the extended partition.
            let inside = start >= first && start.saturating_add(len) <= end;
            if !entry.is_partition() || (slot >= 2 && !inside) {
                continue;
            }
            let kind = PartitionKind::Mbr(entry.kind);
            let (start, len) = (self.size.sectors(start), self.size.sectors(len));
            let at = entry_at(table_at, slot);
            self.draft.partition(self.next_number, start, len, kind, at);
            self.next_number = self.next_number.saturating_add(1);
        }
    }
}
