//! File systems that fill a disk, whose boot sectors look like tables or not.

use super::*;
use crate::filesystem::{exfat, fat};
use std::format;

/// A disk with the start of NTFS.
fn ntfs() -> Vec<u8> {
    let mut disk = blank();
    disk[3..11].copy_from_slice(b"NTFS    ");
    disk[11..14].copy_from_slice(&[0, 2, 8]);
    let sectors = u16::try_from(disk.len() / 512).unwrap();
    disk[40..42].copy_from_slice(&sectors.to_le_bytes());
    disk[48] = 4;
    disk[64] = 0xf6;
    disk[4 * 4096..4 * 4096 + 4].copy_from_slice(b"FILE");
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// Each kind of file system.
fn disks() -> [(&'static str, Vec<u8>); 3] {
    [("FAT", fat::tests::sample()), ("exFAT", exfat::tests::sample()), ("NTFS", ntfs())]
}

/// The disk with entries (slot, type, start, length). In exFAT the checksum would notice.
fn with_entries(name: &str, disk: &[u8], entries: &[(usize, u8, u32, u32)]) -> Vec<u8> {
    let mut disk = disk.to_vec();
    put_table(&mut disk, 0, entries);
    if name == "exFAT" {
        exfat::tests::seal(&mut disk);
    }
    disk
}

#[test]
fn a_boot_sector_is_no_table() {
    for (name, disk) in disks() {
        let sectors = u32::try_from(disk.len() / 512).unwrap();
        for entries in [
            &[][..],
            // What mkfs.fat and mformat put there.
            &[(0, 0x06, 0, sectors)],
            // No type; beyond the disk; no length.
            &[(1, 0, 100, 50)],
            &[(2, 0x83, sectors, 50), (3, 0x41, 0x2020_2020, 0x2020_2020)],
            &[(3, 0x83, 100, 0)],
        ] {
            let disk = with_entries(name, &disk, entries);
            assert_eq!(read(&disk, B512), Ok(None), "{name}, {entries:?}");
        }
        // Text in the place of a boot indicator.
        let mut disk = with_entries(name, &disk, &[(0, 0x83, 100, 50)]);
        disk[446] = b'N';
        assert_eq!(read(&disk, B512), Ok(None), "{name}");
    }
}

#[test]
fn beside_partitions_nothing_is_unused() {
    for (name, disk) in disks() {
        let entries = [(0, 0x83, 1024, 512), (1, 0x06, 0, 2000)];
        let table = table_of(&with_entries(name, &disk, &entries[..1]));
        assert_eq!(limits(&table), [(1, range(1024, 1536), None)]);
        assert!(table.unused.is_empty());
        assert_eq!(table.notes.len(), 1);
        assert!(table.notes[0].contains(&format!("({name})")), "{:?}", table.notes);
        let table = table_of(&with_entries(name, &disk, &entries));
        assert!(table.partitions.iter().all(|part| part.doubt == Some(Doubt::Overlap)));
    }
}

#[test]
fn a_boot_sector_without_its_file_system_does_not_count() {
    for (name, disk) in disks() {
        let mut disk = with_entries(name, &disk, &[(0, 0x83, 2000, 40)]);
        // Where a boot loader of the disk would be, or a file system of a partition.
        disk[512..2000 * 512].fill(0x90);
        let table = table_of(&disk);
        assert_eq!(limits(&table), [(1, range(2000, 2040), None)]);
        assert!(!table.unused.is_empty() && table.notes.is_empty(), "{name}");
    }
    let table = table_of(&mbr_disk(&[(0, 0x06, 0, 2048)]));
    assert_eq!(limits(&table), [(1, range(0, 2048), Some(Doubt::Overlap))]);
}
