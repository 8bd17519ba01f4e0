//! Damaged GPTs, and arbitrary bytes.

use super::fixtures;
use super::*;
use crate::od::parse;
use crate::partition::gpt::CRC;

const LAST: usize = 8191 * 512;

/// Gives the header and the entries of a copy their right checksums.
fn seal(disk: &mut [u8], header: usize) {
    let field = |disk: &[u8], at: usize| {
        u32::from_le_bytes(disk[header + at..header + at + 4].try_into().unwrap()) as usize
    };
    let entries = field(disk, 72) * 512;
    let len = field(disk, 80).saturating_mul(field(disk, 84));
    if let Some(entries) = disk.get(entries..entries.saturating_add(len)) {
        let checksum = CRC.checksum(entries);
        disk[header + 88..header + 92].copy_from_slice(&checksum.to_le_bytes());
    }
    disk[header + 16..header + 20].fill(0);
    let checksum = CRC.checksum(&disk[header..header + field(disk, 12).min(512)]);
    disk[header + 16..header + 20].copy_from_slice(&checksum.to_le_bytes());
}

/// The sfdisk disk with changes to the primary header or entries, under right checksums.
fn changed(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut disk = parse(fixtures::GPT);
    change(&mut disk);
    seal(&mut disk, 512);
    disk
}

/// Sets a 64-bit field.
fn put(disk: &mut [u8], at: usize, value: u64) {
    disk[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn either_copy_will_do() {
    let whole = parse(fixtures::GPT);
    let expected = table_of(&whole);
    for (place, what) in [
        (512, "no GPT where the protective MBR promises one at sector 1"),
        (512 + 60, "wrong checksum of the GPT header at sector 1"),
        (1024 + 40, "wrong checksum of the GPT entries at sector 1"),
    ] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        let table = table_of(&damaged);
        let kinds = |table: &PartitionTable| {
            table.partitions.iter().map(|partition| partition.kind).collect::<Vec<_>>()
        };
        assert_eq!((limits(&table), kinds(&table)), (limits(&expected), kinds(&expected)));
        assert_eq!((table.disk_id, &table.unused), (expected.disk_id, &expected.unused));
        let note = "GPT: the backup copy is used, the primary one is bad: corrupt: ";
        assert_eq!(table.notes, [std::format!("{note}{what}")]);

        damaged[LAST] ^= 1;
        let error = read(&damaged, B512).unwrap_err();
        assert_eq!(error.to_string(), std::format!("corrupt: {what}"));
    }
    // With the primary one gone altogether, the state of the backup tells more.
    let mut damaged = whole;
    damaged[512] ^= 1;
    damaged[LAST + 60] ^= 1;
    let place = Place::Sector(Sector::from_u32(8191));
    let error = ErrorKind::Corrupt(CorruptKind::GptHeaderChecksum).at(place);
    assert_eq!(read(&damaged, B512), Err(error));
}

#[test]
fn an_mbr_decides_whether_the_gpt_counts() {
    let mut disk = parse(fixtures::GPT);
    let whole = table_of(&disk);
    // A hybrid MBR: the GPT wins.
    put_table(&mut disk, 0, &[(1, 0x83, 64, 1000)]);
    assert_eq!(table_of(&disk), whole);
    // A later MBR over a GPT that was never wiped.
    put_table(&mut disk, 0, &[(0, 0x83, 2048, 100), (1, 0, 0, 0)]);
    assert_eq!(limits(&table_of(&disk)), [(1, range(2048, 2148), None)]);
    // No MBR.
    disk[..512].fill(0);
    let table = table_of(&disk);
    assert_eq!(table.partitions, whole.partitions);
    assert_eq!(table.notes, ["GPT: there is no protective MBR"]);
    // Only the backup: left over.
    disk[512] = 0;
    assert_eq!(read(&disk, B512), Ok(None));
}

#[test]
fn impossible_headers() {
    let kind = |at: usize, value: u32| {
        let mut disk = changed(|disk| {
            disk[512 + at..512 + at + 4].copy_from_slice(&value.to_le_bytes());
        });
        disk[LAST] = 0;
        read(&disk, B512).unwrap_err().kind
    };
    let header = ErrorKind::Corrupt(CorruptKind::GptHeader);
    assert_eq!(kind(8, 0x0000_ffff), header, "revision");
    assert_eq!(kind(12, 91), header, "header size");
    assert_eq!(kind(12, 513), header, "header size");
    assert_eq!(kind(24, 2), header, "own place");
    assert_eq!(kind(84, 64), header, "entry size");
    assert_eq!(kind(84, 160), header, "entry size");
    assert_eq!(kind(84, 8192), ErrorKind::TooLarge(Limit::GptEntries));
    assert_eq!(kind(80, 1025), ErrorKind::TooLarge(Limit::GptEntries));
    assert_eq!(kind(72, 9000), ErrorKind::Truncated, "entries");
    assert_eq!(kind(76, u32::MAX), ErrorKind::Truncated, "entries");
}

#[test]
fn gpt_entries_with_impossible_limits() {
    let entry = 1024 + 128;
    let table = table_of(&changed(|disk| put(disk, entry + 40, 9000)));
    assert_eq!(limits(&table)[1], (2, range(1064, 8192), Some(Doubt::BeyondDisk)));
    assert_eq!(limits(&table)[2], (5, range(4096, 5120), Some(Doubt::Overlap)));
    // Beyond 32 bits, and beyond all that can be.
    for far in [1 << 40, u64::MAX] {
        let table = table_of(&changed(|disk| {
            put(disk, entry + 32, far);
            put(disk, entry + 40, far);
        }));
        assert_eq!(table.find(2), None);
        assert_eq!(table.notes, ["partition 2: begins beyond the disk: ignored"]);
    }
    let table = table_of(&changed(|disk| put(disk, entry + 40, 1063)));
    assert_eq!(table.find(2), None);
    assert!(table.unused.is_empty());
    // Over the backup header: its file system must not count that as free.
    let table = table_of(&changed(|disk| put(disk, 1024 + 4 * 128 + 40, 8191)));
    assert_eq!(table.find(5).unwrap().doubt, Some(Doubt::Overlap));
}

#[test]
fn what_else_is_saved_of_a_gpt_disk() {
    // A deleted entry of which the limits are left.
    let table = table_of(&changed(|disk| disk[1024 + 4 * 128..][..16].fill(0)));
    assert_eq!(table.partitions.len(), 2);
    let unused = [range(34, 64), range(3064, 4096), range(5120, 8159)];
    assert_eq!(table.unused.as_slice(), unused);
    // No entries at all.
    let table = table_of(&changed(|disk| disk[1024..][..128 * 128].fill(0)));
    assert!(table.partitions.is_empty() && table.unused.is_empty());
    // "Usable" sectors that hold the tables.
    let table = table_of(&changed(|disk| {
        put(disk, 512 + 40, 0);
        put(disk, 512 + 48, u64::MAX);
    }));
    assert_eq!(table.unused.as_slice(), [range(34, 64), range(5120, 8159)]);
    // A disk that has grown: the backup is not at its end.
    let mut grown = parse(fixtures::GPT);
    grown.resize(grown.len() + (1 << 20), 0);
    let table = table_of(&grown);
    assert_eq!(table.unused.as_slice(), [range(34, 64), range(5120, 8159)]);
    assert_eq!(table.notes, ["GPT: the disk has another size than the table says"]);
    // The same, with the end of the usable sectors moved but not the backup.
    put(&mut grown, 512 + 48, u64::MAX);
    seal(&mut grown, 512);
    let unused = [range(34, 64), range(5120, 8159), range(8192, 10207)];
    assert_eq!(table_of(&grown).unused.as_slice(), unused);
    // The damaged primary copy, with a backup that counts its sectors as usable.
    let mut damaged = parse(fixtures::GPT);
    damaged[512] = 0;
    put(&mut damaged, LAST + 40, 0);
    seal(&mut damaged, LAST);
    let table = table_of(&damaged);
    assert_eq!(table.unused.as_slice(), [range(34, 64), range(5120, 8159)]);
}

/// What must hold for any table.
fn check(disk: &[u8], size: LogicalSectorSize) {
    let Ok(Some(table)) = read(&disk, size) else { return };
    for partition in &table.partitions {
        assert!(!partition.range.is_empty() && disk.sectors().contains(partition.range));
        assert_eq!(table.unused.within(partition.range).next(), None);
        assert_eq!(table.find(partition.number), Some(partition), "numbers are unique");
    }
    for (index, one) in table.partitions.iter().enumerate() {
        let later = &table.partitions[index + 1..];
        for other in later.iter().filter(|other| one.range.intersection(other.range).is_some()) {
            assert!(one.doubt.is_some() && other.doubt.is_some());
        }
    }
    assert!(table.unused.iter().all(|extent| disk.sectors().contains(extent)));
    assert_eq!(table.unused.within(range(0, 1)).next(), None);
    assert!(table.notes.len() <= 33);
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

proptest! {
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..4096), plausible: bool) {
        if plausible && bytes.len() >= 512 {
            bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
            for at in [446, 462, 478, 494] {
                bytes[at] &= 0x80;
            }
        }
        check(&bytes, B512);
        check(&bytes, LogicalSectorSize::B4096);
    }

    #[test]
    fn any_mbr_entries(
        entries in prop::collection::vec((0..4_usize, any::<u8>(), 0..2500_u32, 0..900_u32), 1..8),
        chain in prop::collection::vec((0..40_usize, 0..4_usize, any::<u8>(), 0..40_u32, 0..90_u32), 0..60),
    ) {
        let mut disk = mbr_disk(&entries);
        for (at, slot, kind, start, len) in chain {
            // Half of the entries are links.
            let kind = if kind < 0x80 { 5 } else { kind };
            put_table(&mut disk, 100 + at, &[(slot, kind, start, len)]);
        }
        put_table(&mut disk, 0, &[(1, 0x0f, 100, 900)]);
        check(&disk, B512);
    }

    #[test]
    fn any_damage_to_an_mbr(edits in edits()) {
        let mut disk = parse(fixtures::MBR);
        for (at, value) in edits {
            // Where the entries are: the MBR, and the three tables of the logical partitions.
            let places = [0, 1100, 1900, 3900].map(|sector| sector * 512 + 446);
            let at = at.index(places.len() * 64);
            disk[places[at / 64] + at % 64] = value;
        }
        check(&disk, B512);
    }

    #[test]
    fn any_damage_to_a_gpt(header in edits(), entries in edits(), sealed: bool) {
        let mut disk = parse(fixtures::GPT);
        for (at, value) in header {
            disk[512 + at.index(92)] = value;
        }
        for (at, value) in entries {
            disk[1024 + at.index(5 * 128)] = value;
        }
        if sealed {
            // Without this most damage ends at the signature, the place or the size.
            disk[512..512 + 16].copy_from_slice(b"EFI PART\0\0\x01\0\x5c\0\0\0");
            put(&mut disk, 512 + 24, 1);
            disk[512 + 80..512 + 88].copy_from_slice(&[128, 0, 0, 0, 128, 0, 0, 0]);
            seal(&mut disk, 512);
        }
        check(&disk, B512);
    }

    #[test]
    fn any_limits_in_a_gpt(limits in prop::collection::vec((0..9000_u64, 0..3000_u64), 1..12)) {
        let disk = changed(|disk| {
            for (index, (start, len)) in limits.into_iter().enumerate() {
                let entry = 1024 + index * 128;
                disk[entry] = 1;
                put(disk, entry + 32, start);
                put(disk, entry + 40, start + len);
            }
        });
        prop_assert!(read(&disk, B512).unwrap().is_some());
        check(&disk, B512);
    }
}
