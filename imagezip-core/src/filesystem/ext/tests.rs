//! Whole file systems, built by hand. Those that real tools make are in
//! `fixtures/tests/filesystems/ext`.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::sector::{Bytes, Sector, SectorRange};

mod corruption;
mod image;
mod log;

use image::{Image, JOURNAL};

/// The free blocks that are found on a disk.
fn free_blocks(disk: &[u8]) -> Vec<u64> {
    let allocation = allocation(&disk.to_vec()).unwrap();
    free_in(disk, &allocation)
}

fn free_in(disk: &[u8], allocation: &Allocation) -> Vec<u64> {
    let all = SectorRange::first(Bytes(disk.len() as u64).whole_sectors());
    let free = allocation.in_use.complement(all);
    free.iter().flat_map(|range| range.start().get() / 2..range.end().get() / 2).collect()
}

fn in_use_as_a_whole(disk: &[u8]) -> Vec<std::string::String> {
    let allocation = allocation(&disk.to_vec()).unwrap();
    let all = SectorRange::first(Bytes(disk.len() as u64).whole_sectors());
    assert!(allocation.in_use.contains(all));
    allocation.notes
}

#[test]
fn free_blocks_are_those_of_the_bitmaps() {
    for checksums in [false, true] {
        let image = Image { checksums, ..Image::default() };
        assert_eq!(free_blocks(&image.build()), image.free);
    }
}

#[test]
fn the_boot_block_and_what_is_behind_the_file_system_are_in_use() {
    let mut disk = Image::default().build();
    disk.extend([0; 3 * 512]);
    let allocation = allocation(&disk).unwrap();
    let range = |start, end| SectorRange::new(Sector::from_u32(start), Sector::from_u32(end));
    let end = u32::try_from(disk.len() / 512).unwrap();
    assert!(allocation.in_use.contains(range(0, 2).unwrap()));
    assert!(allocation.in_use.contains(range(end - 3, end).unwrap()));
}

#[test]
fn a_group_that_contradicts_itself_is_in_use() {
    let image = Image::default();
    let others: Vec<_> = image.free.iter().copied().filter(|block| *block < 257).collect();
    let doubts = |change: &dyn Fn(&mut Image)| {
        let mut image = Image::default();
        change(&mut image);
        let disk = image.build();
        let allocation = allocation(&disk).unwrap();
        let free = free_in(&disk, &allocation);
        let in_group_1 = free.iter().any(|block| (257..513).contains(block));
        assert!(!in_group_1 && others.iter().all(|block| free.contains(block)));
        assert_eq!(allocation.notes.len(), 1, "{:?}", allocation.notes);
        allocation.notes.into_iter().next().unwrap()
    };
    let note = |reason| std::format!("group 1 counts as in use: {reason}");
    assert_eq!(
        doubts(&|image| image.counted_wrong = Some(1)),
        note("bitmap and descriptor count the free blocks differently")
    );
    assert_eq!(
        doubts(&|image| image.bitmap_moved = Some((1, 5_000))),
        note("the descriptor points outside the file system")
    );
    assert_eq!(
        doubts(&|image| image.bitmap_moved = Some((1, 0))),
        note("the descriptor points outside the file system")
    );
    // The group's inode table.
    assert_eq!(
        doubts(&|image| image.free = [&image.free[..], &[259]].concat()),
        note("the bitmap says that metadata are free")
    );
}

/// The mark that a bitmap was never written counts only together with checksums.
#[test]
fn a_bitmap_that_was_never_written() {
    let unwritten = |checksums, free: Vec<u64>| {
        let image = Image { checksums, unwritten: Some(2), free, ..Image::default() };
        allocation(&image.build()).unwrap()
    };
    let first_two = |free: Vec<u64>| free.into_iter().filter(|block| *block < 513);
    let by_shape: Vec<u64> = first_two(Image::default().free).chain(517..700).collect();
    let disk = Image::default().build();
    let found = unwritten(true, by_shape.clone());
    assert_eq!((free_in(&disk, &found), found.notes.len()), (by_shape, 0));
    // The descriptor says that more is in use than belongs to the group by its shape.
    let found = unwritten(true, Image::default().free);
    assert_eq!(found.notes.len(), 1);
    assert!(free_in(&disk, &found).iter().all(|block| *block < 513));
    // Here the bitmap is read.
    let found = unwritten(false, Image::default().free);
    assert_eq!((free_in(&disk, &found), found.notes.len()), (Image::default().free, 0));
}

#[test]
fn shapes_that_cannot_be() {
    let refused = |at: usize, value: u32| {
        let mut disk = Image { checksums: false, ..Image::default() }.build();
        disk[1024 + at..][..4].copy_from_slice(&value.to_le_bytes());
        allocation(&disk).unwrap_err().kind
    };
    let contradiction = ErrorKind::Corrupt(CorruptKind::Superblock);
    assert_eq!(refused(0x38, 0), ErrorKind::Corrupt(CorruptKind::ExtMagic));
    assert_eq!(refused(0x4, 701), ErrorKind::Corrupt(CorruptKind::FileSystemSize));
    assert_eq!(refused(0x4, 0), contradiction);
    assert_eq!(refused(0x14, 0), contradiction);
    assert_eq!(refused(0x18, 7), contradiction);
    assert_eq!(refused(0x20, 0), contradiction);
    assert_eq!(refused(0x20, 8200), contradiction);
    assert_eq!(refused(0x20, 100), contradiction);
    assert_eq!(refused(0x28, 0), contradiction);
    assert_eq!(refused(0x58, 100), contradiction);
    assert_eq!(refused(0x4c, 2), ErrorKind::Incompatible(IncompatibleKind::Version));
    assert_eq!(refused(0x60, 0x8), ErrorKind::Incompatible(IncompatibleKind::JournalDevice));
    assert_eq!(refused(0x60, 0x4_0000), ErrorKind::Incompatible(IncompatibleKind::Feature));
    assert_eq!(refused(0x64, 0x80), ErrorKind::Incompatible(IncompatibleKind::Feature));
    let mut disk = Image::default().build();
    disk[1024 + 0x78] ^= 1;
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::SuperblockChecksum));
}

#[test]
fn not_a_file_system() {
    assert!(!is_present(&Vec::new()).unwrap());
    assert!(!is_present(&vec![0; 1 << 20]).unwrap());
    assert!(!is_present(&vec![0xff; 1500]).unwrap());
    assert!(is_present(&Image::default().build()).unwrap());
}
