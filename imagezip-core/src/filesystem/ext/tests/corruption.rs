//! Damaged and hostile file systems.

use super::image::{BLOCK, BLOCKS};
use super::log::Writer;
use super::*;

/// A disk whose log has two transactions, and the free blocks before, between and after them.
fn with_log(checksums: bool) -> (Vec<u8>, [Vec<u64>; 3]) {
    let image = |free: Vec<u64>| Image { checksums, recover: true, free, ..Image::default() };
    let states = [
        image(Image::default().free),
        image((150..257).chain(303..513).collect()),
        image((120..200).chain(650..700).collect()),
    ];
    let mut log = Writer::new(checksums, 50, 1);
    for state in &states[1..] {
        log.data(&state.metadata());
        log.revoke(&[650]);
        log.commit();
    }
    let mut disk = states[0].build();
    log.write_to(&mut disk);
    (disk, states.map(|state| state.free))
}

/// Positions in blocks that hold metadata or the log.
fn metadata_position() -> impl Strategy<Value = usize> {
    let blocks = prop_oneof![
        1..8_u64,
        257..261_u64,
        513..517_u64,
        JOURNAL.0..JOURNAL.0 + u64::from(JOURNAL.1),
    ];
    // The beginnings of blocks are where most is.
    let offsets = prop_oneof![0..64_usize, 0..BLOCK];
    (blocks, offsets).prop_map(|(block, offset)| Image::block_position(block) + offset)
}

fn damage(max: usize) -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((metadata_position(), 1..=u8::MAX), 1..max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// With checksums, damage never makes a block free that was not at some commit.
    #[test]
    fn nothing_in_use_gets_lost(damage in damage(3)) {
        let (mut disk, states) = with_log(true);
        for (at, flip) in damage {
            disk[at] ^= flip;
        }
        if let Ok(found) = allocation(&disk) {
            let free = free_in(&disk, &found);
            let at_some_commit =
                states.iter().any(|state| free.iter().all(|block| state.contains(block)));
            prop_assert!(at_some_commit, "{:?}", found.notes);
            prop_assert!(found.notes.len() < 8);
        }
    }

    /// Without, anything may come out but a panic, and it ends.
    #[test]
    fn damage_does_not_upset(damage in damage(20)) {
        let (mut disk, _) = with_log(false);
        for (at, flip) in damage {
            disk[at] ^= flip;
        }
        if let Ok(found) = allocation(&disk) {
            prop_assert!(free_in(&disk, &found).iter().all(|block| (1..BLOCKS).contains(block)));
        }
    }

    /// Numbers in the superblock that are wild, but not refused for their checksum.
    #[test]
    fn wild_superblocks(fields in prop::collection::vec((0..0x90_usize, any::<u32>(), 0..32_u32), 1..6)) {
        let (mut disk, _) = with_log(false);
        for (field, value, shift) in fields {
            disk[1024 + field * 4..][..4].copy_from_slice(&(value >> shift).to_le_bytes());
            disk[1024 + 0x38..][..2].copy_from_slice(&[0x53, 0xef]);
        }
        drop(allocation(&disk));
    }

    #[test]
    fn noise(mut disk in prop::collection::vec(any::<u8>(), 0..8192)) {
        drop(allocation(&disk));
        if disk.len() >= 2048 {
            disk[1024 + 0x38..][..2].copy_from_slice(&[0x53, 0xef]);
            disk[1024 + 0x60..][..8].copy_from_slice(&[0xd6, 0, 0, 0, 0x7b, 0, 0, 0]);
            drop(allocation(&disk));
        }
    }
}
