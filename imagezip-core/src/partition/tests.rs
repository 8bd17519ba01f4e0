use super::*;
use crate::error::{CorruptKind, ErrorKind, Limit, Place};
use crate::sector::Sector;
use proptest::prelude::*;
use std::string::ToString;
use std::vec;

mod boot_sectors;
mod corruption;
mod fixtures;

const B512: LogicalSectorSize = LogicalSectorSize::B512;

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

fn mbr_type(kind: u8) -> PartitionKind {
    PartitionKind::Mbr(MbrType(kind))
}

/// A disk of 1 MiB, all zero.
fn blank() -> Vec<u8> {
    vec![0; 2048 * 512]
}

/// Writes a table of entries (slot, type, start, length) into a sector.
fn put_table(disk: &mut [u8], sector: usize, entries: &[(usize, u8, u32, u32)]) {
    let at = sector * 512;
    disk[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
    for (slot, kind, start, len) in entries {
        let entry = at + 446 + slot * 16;
        disk[entry + 4] = *kind;
        disk[entry + 8..entry + 12].copy_from_slice(&start.to_le_bytes());
        disk[entry + 12..entry + 16].copy_from_slice(&len.to_le_bytes());
    }
}

fn mbr_disk(entries: &[(usize, u8, u32, u32)]) -> Vec<u8> {
    let mut disk = blank();
    put_table(&mut disk, 0, entries);
    disk
}

fn table_of(disk: &[u8]) -> PartitionTable {
    read(&disk, B512).unwrap().unwrap()
}

/// Numbers, ranges and doubts.
fn limits(table: &PartitionTable) -> Vec<(u32, SectorRange, Option<Doubt>)> {
    table.partitions.iter().map(|part| (part.number, part.range, part.doubt)).collect()
}

#[test]
fn mbr_partitions_are_numbered_by_slot() {
    let table = table_of(&mbr_disk(&[(1, 0x83, 100, 50), (3, 0x82, 200, 30)]));
    assert_eq!(limits(&table), [(2, range(100, 150), None), (4, range(200, 230), None)]);
    assert_eq!(table.find(2).unwrap().kind, mbr_type(0x83));
    assert_eq!(table.find(1), None);
    assert_eq!(table.unused.as_slice(), [range(230, 2048)]);
    assert!(table.notes.is_empty());
}

#[test]
fn the_gap_before_the_first_partition_is_saved_with_all_slots_in_use_too() {
    let slots = [(0, 0x83, 64, 10), (1, 0x83, 80, 10), (2, 0x83, 100, 10), (3, 0x83, 120, 10)];
    let table = table_of(&mbr_disk(&slots));
    assert_eq!(table.unused.as_slice(), [range(130, 2048)]);
}

#[test]
fn an_entry_without_a_type_is_a_partition_as_it_is_for_linux() {
    let table = table_of(&mbr_disk(&[(0, 0, 64, 10)]));
    assert_eq!(table.find(1).unwrap().kind, mbr_type(0));
}

#[test]
fn these_are_no_tables() {
    for disk in [
        vec![],
        vec![0; 511],
        vec![0xff; 4096],
        blank(),
        mbr_disk(&[]),
        // FreeBSD's table of a disk that it uses whole.
        mbr_disk(&[(3, 0xa5, 0, 50_000)]),
        // Nothing of it is on the disk.
        mbr_disk(&[(0, 0x83, 5000, 100)]),
    ] {
        assert_eq!(read(&disk, B512), Ok(None));
    }
    let mut boot_sector = mbr_disk(&[(0, 0x83, 100, 50)]);
    boot_sector[446] = b'N';
    assert_eq!(read(&boot_sector, B512), Ok(None));
}

#[test]
fn an_entry_that_ends_beyond_the_disk_ends_with_it_and_is_doubtful() {
    let table = table_of(&mbr_disk(&[(0, 0x83, 64, 10), (1, 0x83, 2000, u32::MAX)]));
    let doubt = Some(Doubt::BeyondDisk);
    assert_eq!(limits(&table), [(1, range(64, 74), None), (2, range(2000, 2048), doubt)]);
    assert!(table.unused.is_empty());
    assert_eq!(table.notes, ["partition 2: ends beyond the disk: counted as fully in use"]);
}

#[test]
fn overlapping_partitions_are_all_doubtful() {
    let slots = [(0, 0x83, 100, 100), (1, 0x83, 300, 10), (2, 0x83, 120, 10), (3, 0x83, 199, 2)];
    let table = table_of(&mbr_disk(&slots));
    let doubtful = |table: &PartitionTable| {
        let doubtful = table.partitions.iter().filter(|part| part.doubt == Some(Doubt::Overlap));
        doubtful.map(|part| part.number).collect::<Vec<_>>()
    };
    assert_eq!(doubtful(&table), [1, 3, 4]);
    assert_eq!(table.unused.as_slice(), [range(310, 2048)]);
    // The table itself.
    assert_eq!(doubtful(&table_of(&mbr_disk(&[(0, 0x83, 0, 100), (1, 0x83, 100, 1)]))), [1]);
    // A primary partition in an extended one, though not in the way of a logical one.
    let mut disk = mbr_disk(&[(0, 5, 100, 400), (1, 0x83, 400, 100), (2, 0x83, 500, 1)]);
    put_table(&mut disk, 100, &[(0, 0x83, 1, 100)]);
    assert_eq!(doubtful(&table_of(&disk)), [2]);
    // A logical partition over the table of the next.
    let mut disk = mbr_disk(&[(0, 5, 100, 400)]);
    put_table(&mut disk, 100, &[(0, 0x83, 1, 150), (1, 5, 100, 100)]);
    put_table(&mut disk, 200, &[(0, 0x83, 60, 10)]);
    assert_eq!(doubtful(&table_of(&disk)), [5]);
}

#[test]
fn an_extended_partition_is_saved_but_for_its_logical_partitions() {
    let mut disk = mbr_disk(&[(0, 0x83, 64, 10), (1, 0x0f, 100, 400)]);
    put_table(&mut disk, 100, &[(0, 0x83, 10, 50), (1, 5, 200, 100)]);
    // The link is from the start of the extended partition, the partition from its own table.
    put_table(&mut disk, 300, &[(0, 0x82, 5, 20)]);
    let table = table_of(&disk);
    let expected =
        [(1, range(64, 74), None), (5, range(110, 160), None), (6, range(305, 325), None)];
    assert_eq!(limits(&table), expected);
    assert_eq!(table.unused.as_slice(), [range(500, 2048)]);
}

#[test]
fn what_linux_takes_from_a_table_of_logical_partitions() {
    let mut disk = mbr_disk(&[(0, 5, 100, 400)]);
    // Two partitions in one table count; in the last two slots only inside the extended one.
    let slots = [(0, 0x83, 1, 10), (1, 0x83, 20, 10), (2, 0x83, 40, 10), (3, 0x83, 390, 11)];
    put_table(&mut disk, 100, &slots);
    // Boot indicators don't matter here.
    disk[100 * 512 + 446] = 0x7f;
    let table = table_of(&disk);
    let expected =
        [(5, range(101, 111), None), (6, range(120, 130), None), (7, range(140, 150), None)];
    assert_eq!(limits(&table), expected);
    assert!(table.notes.is_empty());
}

#[test]
fn two_extended_partitions_are_numbered_through() {
    let mut disk = mbr_disk(&[(1, 0x85, 500, 100), (2, 0x0f, 100, 100)]);
    put_table(&mut disk, 500, &[(0, 0x83, 1, 10)]);
    put_table(&mut disk, 100, &[(0, 0x82, 1, 10)]);
    let table = table_of(&disk);
    assert_eq!(limits(&table), [(5, range(501, 511), None), (6, range(101, 111), None)]);
    assert_eq!(table.unused.as_slice(), [range(600, 2048)]);
}

#[test]
fn a_chain_of_logical_partitions_ends_somehow() {
    // In a loop.
    let mut disk = mbr_disk(&[(0, 5, 100, 400)]);
    put_table(&mut disk, 100, &[(0, 0x83, 1, 10), (1, 5, 100, 100)]);
    put_table(&mut disk, 200, &[(0, 0x83, 1, 10), (1, 5, 0, 100)]);
    let table = table_of(&disk);
    assert_eq!(limits(&table), [(5, range(101, 111), None), (6, range(201, 211), None)]);
    assert!(table.unused.is_empty(), "there may be more partitions than are known");
    let note = "logical partitions: the chain of tables does not end: given up at sector 100";
    assert_eq!(table.notes, [note]);

    // Very late.
    let mut disk = mbr_disk(&[(0, 5, 100, 1900)]);
    for index in 0..500_u32 {
        let entries = [(0, 0x83, 1, 2), (1, 5, (index + 1) * 3, 3)];
        put_table(&mut disk, 100 + 3 * index as usize, &entries);
    }
    let table = table_of(&disk);
    assert_eq!(table.partitions.len(), 128);
    assert!(table.unused.is_empty() && table.notes.len() == 1);

    // Beyond the disk.
    let mut disk = mbr_disk(&[(0, 5, 100, 400)]);
    put_table(&mut disk, 100, &[(0, 0x83, 1, 10), (1, 5, u32::MAX, 100)]);
    let table = table_of(&disk);
    assert_eq!(limits(&table), [(5, range(101, 111), None)]);
    assert!(table.unused.is_empty());

    // In a sector without a table.
    let mut disk = mbr_disk(&[(0, 5, 100, 400)]);
    put_table(&mut disk, 100, &[(0, 0x83, 1, 10), (1, 5, 50, 100)]);
    let table = table_of(&disk);
    assert_eq!(limits(&table), [(5, range(101, 111), None)]);
    assert_eq!(table.unused.as_slice(), [range(500, 2048)]);
    assert_eq!(table.notes, ["logical partitions: no table at sector 150"]);
}

#[test]
fn sizes_of_logical_sectors() {
    assert_eq!(LogicalSectorSize::new(512), Some(B512));
    assert_eq!(LogicalSectorSize::new(4096), Some(LogicalSectorSize::B4096));
    assert_eq!(LogicalSectorSize::new(0), None);
    assert_eq!(LogicalSectorSize::new(520), None);
}

#[test]
fn a_failing_device_is_an_error() {
    struct Broken;
    impl ReadAt for Broken {
        fn size(&self) -> Bytes {
            Bytes(1 << 20)
        }
        fn read_at(&self, offset: Bytes, _: &mut [u8]) -> Result<()> {
            Err(ErrorKind::Read(5).at(Place::Byte(offset)))
        }
    }
    assert_eq!(read(&Broken, B512), Err(ErrorKind::Read(5).at(Place::Byte(Bytes(0)))));
}
