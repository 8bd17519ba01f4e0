//! File systems that are built by hand. Those that real programs make are in the crate `fixtures`.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind};
use crate::extent::ExtentSet;

mod image;

use image::{BLOCKS, Image, MAIN, NEXT_NODE, PACKS, SEGMENTS, SIT, VERSION};

/// The blocks in use, counted from the start of the main area; what is around it must be in use.
fn used(disk: &[u8]) -> Vec<usize> {
    assert!(is_present(disk));
    let allocation = allocation(&disk).unwrap();
    assert!(allocation.notes.is_empty(), "{:?}", allocation.notes);
    assert!(allocation.in_use.contains(sectors(0, MAIN as u64)));
    let in_use = |block: &usize| {
        let block = (MAIN + block) as u64;
        allocation.in_use.contains(sectors(block, block + 1))
    };
    (0..SEGMENTS * 512).filter(in_use).collect()
}

/// What is valid, and the block where a chain of later nodes would begin.
fn expected(image: &Image) -> Vec<usize> {
    let mut blocks = [&image.valid[..], &[NEXT_NODE - MAIN]].concat();
    blocks.sort_unstable();
    blocks
}

fn refused(image: &Image) -> ErrorKind {
    allocation(&image.build()).unwrap_err().kind
}

#[test]
fn valid_blocks_are_those_of_the_newest_copy_and_of_the_journal() {
    // Unmounted, fast boot, neither; each with full or compact summaries, and places of the bitmap.
    for flags in [0x1, 0x20, 0x40] {
        for more in [0, 0x4, 0x400, 0x404] {
            for (payload, copy) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                for journaled in [None, Some(0), Some(1)] {
                    let flags = flags | more;
                    let image = Image { journaled, copy, flags, payload, ..Image::default() };
                    assert_eq!(used(&image.build()), expected(&image), "{image:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_behind_the_file_system_is_in_use() {
    let mut disk = Image::default().build();
    disk.extend([0; 5 * 512]);
    let allocation = allocation(&disk).unwrap();
    let end = BLOCKS as u64;
    assert!(allocation.in_use.contains(sectors(end, end)));
    assert_eq!(allocation.in_use.end(), Some(disk.sectors().end()));
    assert_eq!(allocation.size, sectors(0, end).len());
}

#[test]
fn the_newest_complete_checkpoint_counts() {
    let next = VERSION + 1;
    // The table is right for the pack whose version is `right`; no version, no pack.
    for (versions, wrong) in [
        ([[VERSION, VERSION], [next, next]], 0),
        ([[next, next], [VERSION, VERSION]], 1),
        ([[VERSION, VERSION], [next, VERSION]], 1),
        ([[next, VERSION], [VERSION, VERSION]], 0),
        ([[u64::MAX, u64::MAX], [0, 0]], 0),
        ([[0, 0], [u64::MAX, u64::MAX]], 1),
    ] {
        let image = Image { versions, ..Image::default() };
        let mut disk = image.build();
        // Another place where the chain begins, which is well summed up.
        let start = PACKS[wrong] * BLOCK;
        let other = Image { checkpoint: vec![(70, 7)], ..image.clone() }.build();
        disk[start..start + BLOCK].copy_from_slice(&other[start..start + BLOCK]);
        assert_eq!(used(&disk), expected(&image), "{versions:?}");
    }
    let torn = Image { versions: [[1, 2], [3, 4]], ..Image::default() };
    assert_eq!(refused(&torn), ErrorKind::Corrupt(CorruptKind::Checkpoint));
    let mut disk = Image::default().build();
    for pack in PACKS {
        disk[pack * BLOCK + 300] ^= 1;
    }
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::Checkpoint));
}

#[test]
fn checkpoints_that_contradict_their_file_system() {
    for (at, value) in [
        (40, 3_u32), // a segment beyond the main area
        (70, 512),   // an offset beyond the segment
        (136, 2),    // blocks of the pack
        (136, 513),
        (156, 128), // bytes of the bitmap
        (164, 191), // place of the checksum
        (164, 4093),
    ] {
        let image = Image { checkpoint: vec![(at, value)], ..Image::default() };
        assert_eq!(refused(&image), ErrorKind::Corrupt(CorruptKind::Checkpoint), "{at}: {value}");
    }
    // A bitmap that its old place has no checksum for.
    let image = Image { flags: 0x401, checkpoint: vec![(164, 4092)], ..Image::default() };
    assert_eq!(refused(&image), ErrorKind::Corrupt(CorruptKind::Checkpoint));
    let image = Image { flags: 0x5, checkpoint: vec![(140, 600)], ..Image::default() };
    assert_eq!(refused(&image), ErrorKind::Corrupt(CorruptKind::Checkpoint));
}

#[test]
fn tables_that_contradict_themselves_or_the_checkpoint() {
    let damaged = ErrorKind::Corrupt(CorruptKind::AllocationMap);
    for entries in [
        [Some(102), None, None],             // fewer than there are
        [Some((6 << 10) + 103), None, None], // of no type
        [Some((3 << 10) + 103), None, None], // nodes that the checkpoint doesn't count
        [None, None, Some(1)],
    ] {
        assert_eq!(refused(&Image { entries, ..Image::default() }), damaged, "{entries:?}");
    }
    for (at, value) in [(16, 110), (144, 7), (144, 9)] {
        let image = Image { checkpoint: vec![(at, value)], ..Image::default() };
        assert_eq!(refused(&image), damaged, "{at}: {value}");
    }
    let more = Image { journaled: Some(0), journal_count: 7, ..Image::default() };
    assert_eq!(refused(&more), damaged);
    // Blocks that are reserved have no place.
    let image = Image { checkpoint: vec![(16, 120)], ..Image::default() };
    assert_eq!(used(&image.build()), expected(&image));
}

#[test]
fn marks_of_trouble_make_all_of_it_in_use() {
    let note = |image: &Image| {
        let disk = image.build();
        let allocation = allocation(&disk).unwrap();
        assert_eq!(allocation.in_use, ExtentSet::from(disk.sectors()));
        allocation.notes[0].clone()
    };
    let all = |reason| std::format!("all of it counts as in use: {reason}");
    for (flag, reason) in [
        (0x8, "it is marked as having errors"),
        (0x10, "it is marked for a check"),
        (0x4000, "a change of its size was interrupted"),
    ] {
        assert_eq!(note(&Image { flags: 1 | flag, ..Image::default() }), all(reason));
    }
    for at in [2763, 2790, 2794, 2806] {
        let image = Image { superblock: vec![(at, 0x100)], ..Image::default() };
        assert_eq!(note(&image), all("it is marked as having errors"));
    }
    // That it was shut down on request means nothing.
    let image = Image { superblock: vec![(2762, 1)], ..Image::default() };
    assert_eq!(used(&image.build()), expected(&image));
}

#[test]
fn superblocks_that_cannot_be() {
    let contradiction = ErrorKind::Corrupt(CorruptKind::Superblock);
    let feature = ErrorKind::Incompatible(IncompatibleKind::Feature);
    for (at, value, error) in [
        (8, 8_u32, contradiction.clone()),
        (8, 13, contradiction.clone()),
        (12, 4, contradiction.clone()),
        (16, 14, ErrorKind::Incompatible(IncompatibleKind::BlockSize)),
        (20, 10, contradiction.clone()),
        (36, 3584 - 1, contradiction.clone()),
        (48, 6, contradiction.clone()),
        (48, 8, contradiction.clone()),
        (52, 3, contradiction.clone()),
        (56, 1, contradiction.clone()),
        (68, 4, contradiction.clone()),
        (72, 3, contradiction.clone()),
        (80, u32::MAX, contradiction.clone()),
        (1664, 505, contradiction.clone()),
        (2180, 2, feature.clone()),      // zoned
        (2180, 0x4000, feature.clone()), // read-only
        (2180, 0x8000, feature.clone()), // aliases of devices
        (2180, 0x1_0000, feature),
        (2201, u32::from(b'/'), ErrorKind::Incompatible(IncompatibleKind::Devices)),
    ] {
        let image = Image { superblock: vec![(at, value)], ..Image::default() };
        assert_eq!(refused(&image), error, "{at}: {value}");
    }
    let mut disk = Image::default().build();
    disk.truncate((BLOCKS - 1) * BLOCK);
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::FileSystemSize));
    // The table has room for too few segments.
    let known = Image { features: 0x3ffd, ..Image::default() };
    assert_eq!(used(&known.build()), expected(&known));
}

#[test]
fn the_second_superblock_stands_in_for_the_first() {
    let image = Image { features: 0x800, ..Image::default() };
    let mut disk = image.build();
    disk[1024 + 500] ^= 1;
    assert_eq!(used(&disk), expected(&image));
    disk[BLOCK + 1024 + 500] ^= 1;
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::Superblock));
    // Without the first one's mark there may be another file system.
    let mut disk = image.build();
    disk[1024] ^= 1;
    assert!(!is_present(&disk));

    // Two of them with areas of other sizes.
    let mut disk = image.build();
    let other = Image { superblock: vec![(48, 6), (68, 2)], ..image }.build();
    disk[1024..BLOCK].copy_from_slice(&other[1024..BLOCK]);
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::Superblock));
}

#[test]
fn what_later_nodes_lead_to_is_in_use() {
    let [a, b, c] = [1000, 1200, 1300].map(|block| MAIN + block);
    let with = |nodes| used(&Image { nodes, ..Image::default() }.build());
    let also = |more: &[usize]| {
        let mut blocks = expected(&Image::default());
        blocks.extend_from_slice(more);
        blocks.sort_unstable();
        blocks
    };
    // Only the lower half of the version is one, the other may be a checksum.
    let version = VERSION ^ 0xffff_ffff << 32;
    let list = vec![MAIN + 400, 0, SIT, BLOCKS, u32::MAX as usize, MAIN + 401];
    assert_eq!(
        with(vec![
            (NEXT_NODE, true, version, a, list),
            (a, false, VERSION, b, vec![MAIN + 1100; 1018]),
            (b, false, VERSION, c, vec![]),
            (c, false, VERSION - 1, MAIN + 700, vec![MAIN + 900]),
        ]),
        also(&[400, 401, 1000, 1100, 1200, 1300])
    );
    // Of an inode only the list is looked at, and not beyond its end.
    let list = vec![MAIN + 400; 923];
    assert_eq!(with(vec![(NEXT_NODE, true, VERSION, 5, list)]), also(&[400]));
    // Chains that lead back, and one that ends outside.
    assert_eq!(with(vec![(NEXT_NODE, false, VERSION, NEXT_NODE, vec![])]), also(&[]));
    let nodes = [(NEXT_NODE, a), (a, b), (b, c), (c, a)];
    let nodes = nodes.map(|(at, next)| (at, false, VERSION, next, vec![])).to_vec();
    assert_eq!(with(nodes), also(&[1000, 1200, 1300]));
    assert_eq!(with(vec![(NEXT_NODE, false, VERSION, BLOCKS, vec![])]), also(&[]));
}
