//! Whole file systems, built by hand. Those that real tools make are in `fixtures/tests`.

use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::key::Key;
use super::*;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Limit};
use crate::filesystem::{RawReason, Verdict, examine};
use crate::sector::{Sector, SectorRange};

mod image;

use image::{DATA, Image, Item, METADATA, MIB, SYSTEM};

fn range(start: u64, end: u64) -> SectorRange {
    let sector = |at: u64| Sector::new(at / 512).unwrap();
    SectorRange::new(sector(start), sector(end)).unwrap()
}

/// What is free, in bytes.
fn free(image: &Image) -> Vec<(u64, u64)> {
    let disk = image.build();
    let allocation = allocation(&disk).unwrap();
    let free = allocation.in_use.complement(disk.sectors());
    free.iter().map(|r| (r.start().to_bytes().get(), r.end().to_bytes().get())).collect()
}

fn notes(image: &Image) -> Vec<String> {
    allocation(&image.build()).unwrap().notes
}

fn error(image: &Image) -> ErrorKind {
    let disk = image.build();
    let error = allocation(&disk).unwrap_err();
    let examined = examine(&disk, None).unwrap();
    assert_eq!(examined.verdict, Verdict::Raw(RawReason::Damaged(error.clone())));
    error.kind
}

const METADATA_ERROR: ErrorKind = ErrorKind::Corrupt(CorruptKind::Metadata);
const MAP_ERROR: ErrorKind = ErrorKind::Corrupt(CorruptKind::AllocationMap);
const FEATURE: ErrorKind = ErrorKind::Incompatible(IncompatibleKind::Feature);

/// The free bytes of the default image.
fn expected() -> Vec<(u64, u64)> {
    vec![
        // One node of the system chunk, four of the metadata in both copies.
        (MIB + 4096, 2 * MIB),
        (2 * MIB + 3 * 4096, 3 * MIB),
        (3 * MIB + 3 * 4096, 5 * MIB),
        (5 * MIB + 8192, 6 * MIB),
        (6 * MIB + 65536, 8 * MIB),
    ]
}

#[test]
fn what_no_extent_has_is_free() {
    let image = Image::default();
    assert_eq!(free(&image), expected());
    assert!(notes(&image).is_empty());
}

#[test]
fn what_is_behind_the_file_system_is_in_use() {
    let mut disk = Image::default().build();
    disk.resize(disk.len() + 8192, 0);
    let end = disk.len() as u64;
    let allocation = allocation(&disk).unwrap();
    assert_eq!(allocation.size.to_bytes().get(), 8 * MIB);
    assert!(allocation.in_use.contains(range(8 * MIB, end)));
    disk.truncate(disk.len() - 12288);
    let error = super::allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::FileSystemSize));
}

#[test]
fn a_block_group_that_counts_otherwise_is_in_use() {
    for change in [
        (|group: &mut Item| group.data[0] ^= 1) as fn(&mut Item),
        |group| group.key.offset += 4096,
        |group| group.data[16] = 4,
        |group| group.data.truncate(16),
    ] {
        let mut image = Image::default();
        change(image.extents.iter_mut().find(|item| item.key == Image::group(DATA)).unwrap());
        let mut expected = expected();
        expected[3] = (7 * MIB, 8 * MIB);
        expected.truncate(4);
        assert_eq!(free(&image), expected);
        assert_eq!(notes(&image).len(), 1);
    }
}

#[test]
fn where_the_free_space_tree_differs_both_count() {
    let mut image = Image::default();
    let data = image.free_space.iter_mut().filter(|item| item.key.object >= DATA);
    let [_, first, second] = &mut data.collect::<Vec<_>>()[..] else { panic!() };
    // The first free extent begins later, and the second one earlier than the extent tree has it.
    first.key = Key::new(first.key.object + 4096, first.key.kind, first.key.offset - 4096);
    second.key = Key::new(second.key.object - 4096, second.key.kind, second.key.offset + 4096);
    let mut expected = expected();
    expected[3].0 += 4096;
    assert_eq!(free(&image), expected);
    assert_eq!(notes(&image).len(), 1);

    // Nobody has kept it up to date.
    image.compat_ro = 1;
    assert_eq!(free(&image), self::expected());
    assert!(notes(&image).is_empty());
}

#[test]
fn free_space_in_bitmaps() {
    let mut image = Image::default();
    image.free_space.retain(|item| item.key.object < DATA);
    let mut info = Image::free_space_info(DATA, 2 * MIB, 2);
    info.data[4] = 1;
    // 2 MiB are 512 bits, of which 0, 1 and 256 to 271 stand for what is in use.
    let mut bits = [0xff; 64];
    bits[0] = 0xfc;
    bits[32] = 0;
    bits[33] = 0;
    let half = |number: u64, bits: &[u8]| Item {
        key: Key::new(DATA + number * MIB, 200, MIB),
        data: bits.to_vec(),
    };
    image.free_space.extend([info, half(0, &bits[..32]), half(1, &bits[32..])]);
    assert_eq!(free(&image), expected());
    assert!(notes(&image).is_empty());
    // A bit that is not to be trusted.
    image.free_space.last_mut().unwrap().data[1] = 1;
    assert_eq!(notes(&image).len(), 1);
    // Bits for something else.
    image.free_space.last_mut().unwrap().data.pop();
    assert_eq!(free(&image).len(), 4);
}

#[test]
fn extents_that_contradict_each_other() {
    for change in [
        (|key: &mut Key| key.offset += 4096) as fn(&mut Key), // runs into the next
        |key| key.offset = 2 * MIB,
        |key| key.offset = 0,
        |key| key.offset += 512,
        |key| key.offset = u64::MAX,
        |key| key.kind = 1,
    ] {
        let mut image = Image::default();
        image.add_extent(DATA + 8192, 4096);
        let first = image.extents.iter_mut().find(|item| item.key == Image::extent(DATA, 8192));
        change(&mut first.unwrap().key);
        image.extents.sort_by_key(|item| item.key);
        assert_eq!(error(&image), MAP_ERROR);
    }
}

#[test]
fn extents_in_no_chunk() {
    for logical in [0, SYSTEM - 4096, METADATA + MIB, DATA - 4096, DATA + 2 * MIB, u64::MAX - 4095]
    {
        let mut image = Image::default();
        image.add_extent(logical, 4096);
        assert_eq!(error(&image), MAP_ERROR, "{logical}");
    }
}

#[test]
fn items_of_unknown_types() {
    for kind in [170, 190, 255] {
        let mut image = Image::default();
        image.extents.push(Item { key: Key::new(DATA + MIB, kind, 0), data: vec![] });
        image.extents.sort_by_key(|item| item.key);
        assert_eq!(error(&image), FEATURE, "{kind}");
    }
    let mut image = Image::default();
    image.chunks.push(Item { key: Key::new(256, 229, 0), data: vec![0; 80] });
    assert_eq!(error(&image), FEATURE);
}

#[test]
fn all_extents_are_those_of_the_superblock() {
    let image = Image { bytes_used: Some(4096), ..Image::default() };
    assert_eq!(error(&image), MAP_ERROR);
    // The extent of the extent tree's own root.
    let mut image = Image { compat_ro: 1, ..Image::default() };
    image.extents.retain(|item| item.key.kind != 169 || item.key.object != METADATA + 4096);
    image.count_groups();
    assert_eq!(error(&image), MAP_ERROR);
}

#[test]
fn forms_that_are_not_handled() {
    let incompatible = ErrorKind::Incompatible;
    for (change, expected) in [
        ((|i| i.incompat |= 1 << 12) as fn(&mut Image), FEATURE), // zoned
        (|i| i.incompat |= 1 << 13, FEATURE),                     // extent tree version 2
        (|i| i.incompat |= 1 << 14, FEATURE),                     // RAID stripe tree
        (|i| i.incompat |= 1 << 63, FEATURE),
        (|i| i.incompat = 0, FEATURE),
        (|i| i.compat_ro |= 16, FEATURE),
        (|i| i.devices = 2, incompatible(IncompatibleKind::Devices)),
        (|i| i.flags |= 1 << 32, incompatible(IncompatibleKind::Devices)), // a seed
        (|i| i.flags |= 1 << 33, incompatible(IncompatibleKind::Unclean)), // a dump of metadata
        (|i| i.flags |= 4, incompatible(IncompatibleKind::Unclean)),
        (|i| i.checksum_type = 4, incompatible(IncompatibleKind::ChecksumType)),
        (|i| i.checksum_type = 1, ErrorKind::Corrupt(CorruptKind::SuperblockChecksum)),
        (|i| i.chunks[3].data[24] |= 0x10, incompatible(IncompatibleKind::RaidLevel)), // RAID 1
        (|i| i.chunks[3].data[25] |= 8, FEATURE), // a remapped chunk
        (|i| i.chunks[3].data[48] = 2, incompatible(IncompatibleKind::Devices)),
        (|i| i.chunks[0].data[0] = 2, incompatible(IncompatibleKind::Devices)),
        (|i| i.chunks[0].data[82] = 1, ErrorKind::Corrupt(CorruptKind::Superblock)),
        (|i| drop(i.chunks.remove(0)), METADATA_ERROR),
    ] {
        let mut image = Image::default();
        change(&mut image);
        assert_eq!(error(&image), expected);
    }
}

#[test]
fn chunks_that_contradict_each_other() {
    for change in [
        (|i| i.chunks[3].data[56..64].copy_from_slice(&(3 * MIB).to_le_bytes())) as fn(&mut Image),
        |i| i.chunks[3].data[56..64].copy_from_slice(&(7 * MIB).to_le_bytes()),
        |i| i.chunks[3].data[0..8].copy_from_slice(&(u64::MAX - 4095).to_le_bytes()),
        |i| i.chunks[3].data[0..8].fill(0),
        |i| i.chunks[3].data[0] = 1,
        |i| i.chunks[3].data[44] = 2,
        |i| i.chunks[3].data.truncate(70),
        |i| i.chunks[2].key.offset = SYSTEM + 4096,
        |i| drop(i.chunks.remove(1)),
    ] {
        let mut image = Image::default();
        change(&mut image);
        assert_eq!(error(&image), METADATA_ERROR);
    }
}

#[test]
fn what_is_in_the_log_is_in_use() {
    let mut image = Image { log: vec![(DATA + MIB / 2, 4096), (DATA, 8192)], ..Image::default() };
    let mut expected = expected();
    // Two blocks of the log.
    expected[1].0 += 8192;
    expected[2].0 += 8192;
    expected[3].1 = 5 * MIB + MIB / 2;
    expected.insert(4, (5 * MIB + MIB / 2 + 4096, 6 * MIB));
    assert_eq!(free(&image), expected);
    assert!(notes(&image).is_empty());
    image.log.push((DATA + 2 * MIB - 4096, 8192));
    assert_eq!(error(&image), ErrorKind::Corrupt(CorruptKind::JournalLog));
    image.log.pop();
    image.log_level = 1;
    assert_eq!(error(&image), METADATA_ERROR);
}

#[test]
fn a_block_that_is_not_what_its_pointer_says() {
    // Of the root of the extent tree: checksum, file system, address, generation, owner, count, level.
    for at in [0, 0x20, 0x30, 0x50, 0x58, 0x60, 0x64] {
        let mut disk = Image::default().build();
        let block = 2 * 1024 * 1024 + 4096;
        for copy in [block, block + 1024 * 1024] {
            disk[copy + at] ^= 0x80;
            if at != 0 {
                image::seal(&mut disk[copy..copy + 4096]);
            }
        }
        assert_eq!(allocation(&disk).unwrap_err().kind, METADATA_ERROR, "at {at}");
    }
}

#[test]
fn a_second_copy_stands_in() {
    let mut disk = Image::default().build();
    disk[2 * 1024 * 1024 + 4096 + 200] ^= 1;
    let allocation = allocation(&disk).unwrap();
    let sound = super::allocation(&Image::default().build()).unwrap();
    assert_eq!(allocation.in_use, sound.in_use);
    assert_eq!(allocation.notes.len(), 1);
}

/// A tree of nodes that lead to the same blocks again and again would take for ever.
#[test]
fn a_block_belongs_to_one_place() {
    let image = Image { twice: true, ..Image::default() };
    assert_eq!(error(&image), METADATA_ERROR);
}

#[test]
fn copies_of_the_superblock() {
    let image = Image { size: 65 * MIB, ..Image::default() };
    let mut disk = image.build();
    let copy = 64 * 1024 * 1024;
    let allocation = allocation(&disk).unwrap();
    assert!(allocation.notes.is_empty());
    assert!(allocation.in_use.contains(range(64 * MIB, 64 * MIB + 4096)));
    disk[copy + 0x20] ^= 1;
    let torn = super::allocation(&disk).unwrap();
    assert_eq!((torn.notes.len(), torn.in_use), (1, allocation.in_use));
    image::seal(&mut disk[copy..copy + 4096]);
    let error = super::allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::Superblock));
}

#[test]
fn metadata_of_another_uuid() {
    let mut image = Image::default();
    image.incompat |= 1 << 10;
    assert_eq!(free(&image), expected());
    image.fsid = [9; 16];
    assert_eq!(free(&image), expected());
    image.incompat &= !(1 << 10);
    assert_eq!(error(&image), ErrorKind::Corrupt(CorruptKind::Superblock));
}

#[test]
fn beside_another_signature_it_is_raw() {
    let mut disk = Image::default().build();
    disk[4086..4096].copy_from_slice(b"SWAP-SPACE");
    let examined = examine(&disk, None).unwrap();
    assert_eq!(examined.verdict, Verdict::Raw(RawReason::Ambiguous("Btrfs", "swap space")));
}

#[test]
fn reads_end() {
    let image = Image::default();
    let disk = image.build();
    let superblock = Superblock::read(&disk).unwrap();
    let mut trees = chunk::read(&disk, &superblock).unwrap();
    let root = trees.root(key::owner::EXTENT).unwrap();
    let outcome = (0..10_000).try_for_each(|_| trees.find(root, Key::FIRST).map(drop));
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::TooLarge(Limit::Metadata));
}

proptest! {
    #[test]
    fn any_damage(damage in prop::collection::vec((0..6 * 4096_usize, any::<u8>()), 1..6)) {
        let mut disk = Image { log: vec![(DATA + MIB, 4096)], ..Image::default() }.build();
        // The superblock, the chunk tree, and the first five blocks of metadata.
        let mib = 1024 * 1024;
        let blocks = [65536, mib, 2 * mib, 2 * mib + 4096, 2 * mib + 8192, 2 * mib + 3 * 4096];
        for (at, byte) in damage {
            let block = blocks[at / 4096];
            disk[block + at % 4096] ^= byte;
            image::seal(&mut disk[block..block + 4096]);
        }
        let all = disk.sectors();
        let examined = examine(&disk, None).unwrap();
        prop_assert!(examined.in_use.iter().all(|extent| all.contains(extent)));
    }
}
