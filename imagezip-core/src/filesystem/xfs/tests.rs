//! Small file systems, built by hand: what the programs that make and use them don't do. Whole ones are
//! tried in `fixtures/tests/filesystems/xfs`.

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::error::{CorruptKind, IncompatibleKind};
use crate::filesystem::checksum::Crc32c;
use crate::sector::SectorRange;

mod image;
mod journal;

use image::{AG_BLOCKS, Image};

/// The blocks that are found to be free; a block has 512 bytes.
fn free(disk: &[u8]) -> Vec<u64> {
    let found = allocation(&disk.to_vec()).unwrap();
    free_in(disk, &found)
}

fn free_in(disk: &[u8], found: &Allocation) -> Vec<u64> {
    let all = SectorRange::first(Bytes(disk.len() as u64).whole_sectors());
    let free = found.in_use.complement(all);
    free.iter().flat_map(|range| range.start().get()..range.end().get()).collect()
}

fn error(disk: &[u8]) -> ErrorKind {
    allocation(&disk).unwrap_err().kind
}

/// The list's blocks are free, too; what is behind the file system isn't.
#[test]
fn free_blocks_are_those_of_trees_and_lists() {
    for checksums in [false, true] {
        let image = Image { checksums, ..Image::default() };
        let mut disk = image.build();
        let expected = image.free_blocks();
        assert_eq!(free(&disk), expected);
        disk.extend([0; 1024]);
        assert_eq!(free(&disk), expected);
    }
}

/// The group of which this is said.
fn doubtful(change: impl Fn(&mut Image)) -> String {
    let mut image = Image::default();
    change(&mut image);
    let disk = image.build();
    let found = allocation(&disk).unwrap();
    let expected = Image::default().free_blocks().into_iter();
    let expected: Vec<_> = expected.filter(|block| *block < AG_BLOCKS.into()).collect();
    assert_eq!(free_in(&disk, &found), expected, "{:?}", found.notes);
    let [note] = &found.notes[..] else { panic!("{:?}", found.notes) };
    note.strip_prefix("allocation group 1 counts as in use: ").unwrap().to_string()
}

#[test]
fn a_group_that_contradicts_itself_is_in_use() {
    let start = u64::from(AG_BLOCKS) * 512;
    let map = |block: u64| {
        let at = start + block * 512;
        std::format!("corrupt: {} at byte {at}", CorruptKind::AllocationMap)
    };
    let header = |kind: CorruptKind| std::format!("corrupt: {kind} at byte {}", start + 512);
    assert_eq!(doubtful(|image| image.counted[1] += 1), map(1));
    assert_eq!(doubtful(|image| image.longest[1] += 1), map(1));
    // The root of the tree by size.
    assert_eq!(doubtful(|image| image.add(1, 5..6)), map(1));
    assert_eq!(doubtful(|image| image.add(1, 2..3)), map(4), "the headers");
    assert_eq!(doubtful(|image| image.add(1, 190..201)), map(4), "behind the group");
    assert_eq!(doubtful(|image| image.free[1].swap(0, 1)), map(4));
    assert_eq!(doubtful(|image| image.free[1].push(70..70)), map(4));
    assert_eq!(doubtful(|image| image.patch(1, 1, 8, 7)), header(CorruptKind::Metadata));
    assert_eq!(doubtful(|image| image.patch(1, 1, 12, 199)), header(CorruptKind::Metadata));
    assert_eq!(doubtful(|image| image.patch(1, 1, 28, 10)), header(CorruptKind::Metadata));
    assert_eq!(doubtful(|image| image.patch(1, 1, 16, 200)), header(CorruptKind::Metadata));
    assert_eq!(doubtful(|image| image.patch(1, 1, 16, 9)), map(9), "no tree");
    assert_eq!(doubtful(|image| image.patch(1, 1, 28, 2)), map(4), "a level more");
    assert_eq!(doubtful(|image| image.patch(1, 4, 12, 6)), map(4), "a sibling");
    assert_eq!(doubtful(|image| image.patch(1, 4, 48, 0)), map(4), "another group's");
    assert_eq!(doubtful(|image| image.patch(1, 4, 4, 40)), map(4), "too many records");
    let checksum = std::format!("corrupt: {}", CorruptKind::MetadataChecksum);
    assert!(doubtful(|image| image.flip(1, 4, 100)).starts_with(&checksum));
    assert!(doubtful(|image| image.flip(1, 1, 300)).starts_with(&checksum));
}

/// Then its blocks are in use.
#[test]
fn a_list_that_contradicts_itself() {
    let listed = Image::default().list.clone();
    let all = Image::default().free_blocks();
    let without: Vec<_> =
        all.iter().copied().filter(|b| !listed.iter().any(|one| u64::from(*one) == *b)).collect();
    let found = |change: &dyn Fn(&mut Image)| {
        let mut image = Image::default();
        change(&mut image);
        free(&image.build())
    };
    assert_eq!(found(&|_| {}), all);
    assert_eq!(found(&|image| image.patch(0, 1, 48, 3)), without, "its length");
    assert_eq!(found(&|image| image.patch(0, 1, 40, 500)), without, "beyond the sector");
    assert_eq!(found(&|image| image.flip(0, 3, 400)), without, "its checksum");
    assert_eq!(found(&|image| image.patch(0, 3, 4, 1)), without, "another group's");
    for block in [3, 4, 60, 100, 200, listed[1]] {
        assert_eq!(found(&|image| image.patch(0, 3, 36, block)), without, "{block}");
    }
}

#[test]
fn superblocks_that_are_refused() {
    let with = |at: u32, value: u32| {
        let mut image = Image::default();
        image.patch(0, 0, at, value);
        error(&image.build())
    };
    let contradiction = ErrorKind::Corrupt(CorruptKind::Superblock);
    assert_eq!(with(0, 0), contradiction);
    assert_eq!(with(4, 1000), contradiction);
    assert_eq!(with(84, 63), contradiction);
    assert_eq!(with(88, 3), contradiction);
    assert_eq!(with(96, 0), contradiction);
    assert_eq!(with(52, 190), contradiction, "the log crosses groups");
    assert_eq!(with(52, 2), contradiction, "the log is on the headers");
    assert_eq!(with(52, 0), ErrorKind::Incompatible(IncompatibleKind::ExternalLog));
    assert_eq!(with(216, 0x10), ErrorKind::Corrupt(CorruptKind::NeedsRepair));
    assert_eq!(with(216, 0x100), ErrorKind::Incompatible(IncompatibleKind::Feature));
    assert_eq!(with(212, 0x10), ErrorKind::Incompatible(IncompatibleKind::Feature));
    assert_eq!(with(220, 0x2), ErrorKind::Incompatible(IncompatibleKind::Feature));
    assert_eq!(with(100, 0xb4a3_0200), ErrorKind::Incompatible(IncompatibleKind::Version));
    let mut image = Image::default();
    image.flip(0, 0, 300);
    assert_eq!(error(&image.build()), ErrorKind::Corrupt(CorruptKind::SuperblockChecksum));
    let mut disk = Image::default().build();
    disk.truncate(disk.len() - 512);
    assert_eq!(error(&disk), ErrorKind::Corrupt(CorruptKind::FileSystemSize));
}

#[test]
fn not_a_file_system() {
    assert!(!is_present(&Vec::new()).unwrap());
    assert!(!is_present(&vec![0; 4096]).unwrap());
    assert!(is_present(&Image::default().build()).unwrap());
}
