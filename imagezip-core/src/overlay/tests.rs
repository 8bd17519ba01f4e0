#![expect(clippy::cast_possible_truncation, reason = "the disks are small")]

use super::*;
use crate::sector::SectorCount;
use alloc::vec;
use proptest::prelude::*;

const LEN: usize = 8 * 512;

fn zeroed() -> impl Strategy<Value = ExtentSet> {
    let range = (0..8_u32, 0..3_u32).prop_filter_map("beyond the end", |(start, len)| {
        let range = SectorRange::with_len(Sector::from_u32(start), SectorCount::from_u32(len))?;
        (range.end().get() <= 8).then_some(range)
    });
    prop::collection::vec(range, 0..4).prop_map(ExtentSet::from_unsorted)
}

/// Patches that don't overlap, in any order.
fn patches() -> impl Strategy<Value = Vec<Patch>> {
    let cuts = prop::collection::btree_set(0..LEN, 0..20);
    let patches = cuts.prop_map(|cuts| {
        let cuts: Vec<_> = cuts.into_iter().collect();
        let patch = |pair: &[usize]| Patch {
            at: Bytes(pair[0] as u64),
            bytes: (pair[0]..pair[1]).map(|i| 128 | i as u8).collect(),
        };
        cuts.chunks_exact(2).map(patch).collect::<Vec<_>>()
    });
    patches.prop_shuffle()
}

proptest! {
    #[test]
    fn an_overlay_reads_as_if_the_changes_were_made(
        zeroed in zeroed(),
        patches in patches(),
        read in (0..LEN, 0..LEN),
    ) {
        let disk: Vec<u8> = (0..LEN).map(|i| 1 | i as u8).collect();
        let mut expected = disk.clone();
        for range in &zeroed {
            let (from, to) = (range.start().to_bytes().get(), range.end().to_bytes().get());
            expected[from as usize..to as usize].fill(0);
        }
        for patch in &patches {
            let at = patch.at.get() as usize;
            expected[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
        }
        let overlay = Overlay::new(&disk, patches, zeroed);
        let (from, to) = (read.0.min(read.1), read.0.max(read.1));
        let mut buf = vec![7; to - from];
        overlay.read_at(Bytes(from as u64), &mut buf).unwrap();
        prop_assert_eq!(&buf, &expected[from..to]);
        prop_assert_eq!(overlay.size(), Bytes(LEN as u64));
        prop_assert!(overlay.read_at(Bytes(LEN as u64), &mut [0]).is_err());
    }

    #[test]
    fn a_padded_file_ends_with_zeros(len in 0..2000_usize, read in (0..2048_usize, 0..2048_usize)) {
        let file = vec![9_u8; len];
        let padded = Padded::new(&file);
        let size = padded.size().get() as usize;
        prop_assert!(size >= len && size < len + 512 && size.is_multiple_of(512));
        prop_assert_eq!(padded.short().map(|(_, valid)| valid.get() as usize), (!len.is_multiple_of(512)).then_some(len % 512));
        if let Some((sector, _)) = padded.short() {
            prop_assert_eq!(sector.get() as usize, len / 512);
        }
        let (from, to) = (read.0.min(read.1), read.0.max(read.1));
        let mut buf = vec![7; to - from];
        let result = padded.read_at(Bytes(from as u64), &mut buf);
        prop_assert_eq!(result.is_ok(), to <= size);
        if to <= size {
            let expected: Vec<u8> = (from..to).map(|i| if i < len { 9 } else { 0 }).collect();
            prop_assert_eq!(buf, expected);
        }
    }
}

#[test]
fn patches_that_overlap_are_cut() {
    let disk = vec![0_u8; 512];
    let patch = |at, bytes: &[u8]| Patch { at: Bytes(at), bytes: bytes.to_vec() };
    let overlay = Overlay::new(&disk, vec![patch(2, &[5; 2]), patch(0, &[6; 8])], ExtentSet::new());
    let mut buf = [0; 6];
    overlay.read_at(Bytes(0), &mut buf).unwrap();
    assert_eq!(buf, [6, 6, 5, 5, 0, 0]);
}

#[test]
fn a_patch_moves_with_its_partition() {
    let patch = Patch { at: Bytes(3), bytes: vec![1] };
    assert_eq!(patch.absolute_from(Sector::from_u32(2)).at, Bytes(1027));
}
