use super::*;
use crate::filesystem::SkipReason;
use crate::partition::LogicalSectorSize;
use proptest::prelude::*;
use std::vec;

const PLAIN: Options<'static> = Options::new(LogicalSectorSize::B512);
const SECTORS: u32 = 8192;

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

fn target(text: &str) -> Target {
    Target::parse(text).unwrap()
}

/// A disk with an MBR whose entries are type, first sector and number of sectors.
fn disk(entries: &[(u8, u32, u32)]) -> Vec<u8> {
    let mut disk = vec![0; SECTORS as usize * 512];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    for (slot, (kind, start, len)) in entries.iter().enumerate() {
        let entry = &mut disk[446 + slot * 16..][..16];
        entry[4] = *kind;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&len.to_le_bytes());
    }
    disk
}

/// Swap space, an unknown partition and a FreeBSD slice.
fn three() -> Vec<u8> {
    let mut disk = disk(&[(0x82, 100, 1000), (0x83, 2000, 1000), (0xa5, 4000, 2000)]);
    swap(&mut disk, 100, 1000);
    disk
}

fn swap(disk: &mut [u8], start: usize, sectors: u32) {
    let swap = &mut disk[start * 512..];
    swap[4086..4096].copy_from_slice(b"SWAPSPACE2");
    swap[1024] = 1;
    swap[1028..1032].copy_from_slice(&(sectors / 8 - 1).to_le_bytes());
}

/// Puts a disklabel with these entries (size, offset) into the slice.
fn label(disk: &mut [u8], slice: usize, entries: &[(u32, u32)]) {
    let label = &mut disk[(slice + 1) * 512..][..512];
    label.fill(0);
    label[..4].copy_from_slice(&0x8256_4557_u32.to_le_bytes());
    label[132..136].copy_from_slice(&0x8256_4557_u32.to_le_bytes());
    label[138] = u8::try_from(entries.len()).unwrap();
    for (index, (size, offset)) in entries.iter().enumerate() {
        let entry = &mut label[148 + index * 16..][..8];
        entry[..4].copy_from_slice(&size.to_le_bytes());
        entry[4..].copy_from_slice(&offset.to_le_bytes());
    }
    let sum = label.chunks(2).fold(0, |sum, word| sum ^ u16::from_le_bytes([word[0], word[1]]));
    label[136..138].copy_from_slice(&sum.to_le_bytes());
}

fn whole(disk: &[u8], options: Options<'_>) -> DiskMap {
    scan(&disk, Selection::WholeDisk, options).unwrap()
}

fn verdicts(map: &DiskMap) -> Vec<Verdict> {
    map.partitions.iter().map(|report| report.verdict.clone()).collect()
}

/// RAID of whole disks: the partition table is inside of the array, the superblock behind it.
#[test]
fn metadata_behind_the_partitions_are_saved() {
    let disk = disk(&[(0x83, 64, 64)]);
    let size = disk.len();
    for (at, bytes) in [
        ((size & !0xffff) - 0x1_0000, &0xa92b_4efc_u32.to_le_bytes()[..]),
        ((size - 0x2000) & !0xfff, &0xa92b_4efc_u32.to_le_bytes()),
        (size - 1024, b"Intel Raid ISM Cfg Sig. "),
    ] {
        let mut disk = disk.clone();
        disk[at..at + bytes.len()].copy_from_slice(bytes);
        let map = whole(&disk, Options::new(LogicalSectorSize::B512));
        assert!(map.in_use.contains(disk.sectors()), "{at}");
        assert!(map.notes[0].starts_with("behind the partitions are metadata of "));
    }
    assert!(!whole(&disk, Options::new(LogicalSectorSize::B512)).in_use.contains(disk.sectors()));
}

#[test]
fn what_is_ignored_is_not_saved() {
    let ignored = [target("2")];
    let map = whole(&three(), Options { ignored: &ignored, ..PLAIN });
    assert_eq!(map.in_use.as_slice(), [range(0, 164), range(1100, 2000), range(3000, 6000)]);
    assert_eq!(verdicts(&map)[1], Verdict::Skipped(SkipReason::Requested));
    assert!(map.notes.is_empty());
}

#[test]
fn what_is_to_be_raw_is_not_examined() {
    let raw = [target("1")];
    let map = whole(&three(), Options { raw: &raw, ..PLAIN });
    assert_eq!(map.in_use.as_slice(), [range(0, 6000)]);
    assert_eq!(verdicts(&map)[0], Verdict::Raw(RawReason::Requested));
    // To be ignored counts more.
    let map = whole(&three(), Options { raw: &raw, ignored: &raw, ..PLAIN });
    assert_eq!(map.in_use.as_slice(), [range(0, 100), range(1100, 6000)]);
}

#[test]
fn a_partition_that_is_not_there_is_noted() {
    let (ignored, raw) = ([target("4")], [target("9b")]);
    let map = whole(&three(), Options { raw: &raw, ignored: &ignored, ..PLAIN });
    let alone = scan(&three(), Selection::Partition(1), Options { ignored: &ignored, ..PLAIN });
    assert!(alone.unwrap().notes.is_empty());
    assert_eq!(map.notes, ["there is no partition 4", "there is no partition 9b"]);
}

#[test]
fn an_ignored_partition_takes_nothing_of_another_along() {
    let mut disk = disk(&[(0x82, 100, 1000), (0x83, 1000, 500)]);
    swap(&mut disk, 100, 1000);
    let ignored = [target("1")];
    let map = whole(&disk, Options { ignored: &ignored, ..PLAIN });
    assert_eq!(map.in_use.as_slice(), [range(0, 1500)]);
    assert_eq!(map.partitions[0].notes.len(), 1);
}

#[test]
fn parts_of_a_slice() {
    let mut disk = three();
    // 'a' at the start, 'b' in the middle, 'c' all of it; places counted from the disk's start.
    label(&mut disk, 4000, &[(500, 4000), (1000, 4500), (2000, 4000)]);
    let in_use = |ignored: &[Target], raw: &[Target]| {
        let map = whole(&disk, Options { ignored, raw, ..PLAIN });
        let slice = map.partitions[2].clone();
        let extents = map.in_use.within(range(4000, 6000)).collect::<ExtentSet>();
        (extents, slice.notes)
    };
    let (extents, notes) = in_use(&[target("3b")], &[]);
    assert_eq!(extents.as_slice(), [range(4000, 4500), range(5500, 6000)]);
    assert!(notes.is_empty());
    // The label stays.
    assert_eq!(in_use(&[target("3a")], &[]).0.as_slice(), [range(4000, 4016), range(4500, 6000)]);
    assert_eq!(in_use(&[target("3c")], &[]).0.as_slice(), [range(4000, 4016)]);
    let (extents, _) = in_use(&[target("3c")], &[target("3b")]);
    assert_eq!(extents.as_slice(), [range(4000, 4016), range(4500, 5500)]);
    let (extents, notes) = in_use(&[target("3d"), target("2a")], &[]);
    assert_eq!(extents.as_slice(), [range(4000, 6000)]);
    assert_eq!(notes, ["part 3d is saved: it is not in the disklabel"]);

    // Places counted from the start of the slice.
    label(&mut disk, 4000, &[(500, 0), (1000, 500)]);
    let ignored = [target("3b")];
    let map = whole(&disk, Options { ignored: &ignored, ..PLAIN });
    assert_eq!(map.in_use.as_slice()[1..], [range(1100, 4500), range(5500, 6000)]);

    // 'a' and 'b' share a sector.
    label(&mut disk, 4000, &[(501, 4000), (1000, 4500), (2000, 4000)]);
    let map = whole(&disk, Options { ignored: &ignored, ..PLAIN });
    assert_eq!(map.in_use.as_slice()[1..], [range(1100, 6000)]);
    assert_eq!(map.partitions[2].notes, ["part 3b is saved: it is not alone in its place"]);
}

#[test]
fn parts_of_what_has_none() {
    let ignored = [target("2a"), target("3a")];
    let map = whole(&three(), Options { ignored: &ignored, ..PLAIN });
    assert_eq!(map.partitions[1].notes, ["part 2a is saved: the partition is no BSD slice"]);
    assert_eq!(map.partitions[2].notes.len(), 1);
    assert_eq!(map.in_use, whole(&three(), PLAIN).in_use);
}

#[test]
fn only_the_first_sectors() {
    for count in 1..SECTORS + 100 {
        let count_of = SectorCount::from_u32(count);
        if count > 50 && count % 997 != 0 && !(1099..1102).contains(&count) {
            continue;
        }
        let map = whole(&three(), Options { count: Some(count_of), ..PLAIN });
        let area = range(0, count.min(SECTORS));
        assert_eq!(map.area, area);
        assert_eq!(map.in_use, whole(&three(), PLAIN).in_use.within(area).collect());
        assert_eq!(map.notes.len(), usize::from(count > SECTORS));
    }
    let map = whole(&three(), Options { count: Some(SectorCount::from_u32(2000)), ..PLAIN });
    assert_eq!(verdicts(&map)[1], Verdict::Skipped(SkipReason::BeyondCount));
}

#[test]
fn short_free_ranges_are_known() {
    let options = Options { least_free: SectorCount::from_u32(950), ..PLAIN };
    // Of the swap space 936 sectors are free, after the last partition 2192.
    let map = whole(&three(), options);
    assert_eq!(map.in_use.as_slice(), [range(0, 6000)]);
    assert_eq!(map.forgotten.as_slice(), [range(164, 1100)]);
    assert_eq!(map.allocated().get(), 6000 - 936);

    let map = scan(&three(), Selection::Partition(1), options).unwrap();
    assert_eq!(map.forgotten.as_slice(), [range(64, 1000)]);
    assert_eq!(map.allocated().get(), 64);
}

#[test]
fn a_device_without_a_table_is_taken_as_told() {
    let disk = three();
    let map = scan(&disk, Selection::Raw, PLAIN).unwrap();
    assert_eq!(map.in_use.as_slice(), [range(0, SECTORS)]);
    let expecting = |kind| scan(&disk, Selection::FileSystem(kind), PLAIN).unwrap();
    assert_eq!(expecting(None).in_use.as_slice(), [range(0, SECTORS)]);

    let mut bare = vec![0; SECTORS as usize * 512];
    swap(&mut bare, 0, SECTORS);
    let expecting = |kind| scan(&bare, Selection::FileSystem(kind), PLAIN).unwrap();
    assert_eq!(expecting(Some(MbrType::LINUX_SWAP)).in_use.as_slice(), [range(0, 64)]);
    assert!(expecting(Some(MbrType::LINUX_SWAP)).notes.is_empty());
    let other = expecting(Some(MbrType::LINUX));
    assert_eq!(other.in_use.as_slice(), [range(0, 64)]);
    assert_eq!(other.notes, ["a file system of type 0x83 was expected: aware(swap)"]);
    // By its type the device belongs to another layer.
    assert_eq!(expecting(Some(MbrType::LINUX_LVM)).in_use.as_slice(), [range(0, SECTORS)]);
}

#[test]
fn names_of_targets() {
    assert_eq!(Target::parse("2"), Some(Target { partition: 2, part: None }));
    assert_eq!(Target::parse("12p"), Some(Target { partition: 12, part: Some(15) }));
    for wrong in ["", "0", "a", "1q", "1A", "1ab", "+1", "-1", " 1", "99999999999", "1é"] {
        assert_eq!(Target::parse(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_table_and_label(
        entries in prop::collection::vec((0_u8..=0xff, 0_u32..9000, 0_u32..9000), 0..4),
        parts in prop::collection::vec((0_u32..3000, 0_u32..9000), 0..16),
        count in prop::option::of(0_u32..9000),
        least in 0_u32..200,
        named in prop::collection::vec("[1-5][a-p]?", 0..6),
        without_slack: bool,
    ) {
        let mut disk = disk(&entries);
        for (_, start, _) in &entries {
            if (1..SECTORS - 2).contains(start) {
                label(&mut disk, *start as usize, &parts);
            }
        }
        let named: Vec<Target> = named.iter().map(|name| target(name)).collect();
        let (ignored, raw) = named.split_at(named.len() / 2);
        let options = Options {
            count: count.map(SectorCount::from_u32),
            least_free: SectorCount::from_u32(least),
            ignored,
            raw,
            without_slack,
            ..PLAIN
        };
        for selection in [Selection::WholeDisk, Selection::Partition(1), Selection::Raw] {
            let Ok(map) = scan(&disk, selection, options) else { continue };
            prop_assert!(map.in_use.end().is_none_or(|end| end <= SectorRange::first(map.sectors()).end()));
            prop_assert_eq!(&map.forgotten.intersection(&map.in_use), &map.forgotten);
            if ignored.is_empty() && selection == Selection::WholeDisk {
                // Whatever a partition doesn't free is saved.
                let first = map.in_use.contains(range(0, 1)) || map.area.is_empty();
                prop_assert!(first);
            }
        }
    }
}
