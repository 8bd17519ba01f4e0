//! Saves, chains of deltas, and what verification finds, on small disks in memory.

#![expect(clippy::cast_possible_truncation, reason = "the disks are small")]

mod checking;
mod hashing;
mod image;
mod packing;
mod relocs;
mod sequential;

use super::ordered::tests::Threads;
use super::*;
use crate::allocation::DiskMap;
use crate::codec::Decompressor;
use crate::digest::{HashType, Sha256};
use crate::error::{CorruptKind, ErrorKind, Limit};
use crate::extent::ExtentSet;
use crate::ndz::Image;
use crate::sector::{SECTOR_BYTES, Sector, SectorCount, SectorRange};
use crate::signature::Signature;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU64;
use proptest::prelude::*;

const SECTORS: u32 = 400;
const SECTOR: usize = SECTOR_BYTES as usize;

/// A disk whose sectors each hold one value, and which of them are in use.
#[derive(Clone, Debug)]
struct State {
    values: Vec<u8>,
    in_use: ExtentSet,
}

impl State {
    fn disk(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| [*value; SECTOR]).collect()
    }

    fn map(&self) -> DiskMap {
        let area = SectorRange::first(SectorCount::from_u32(SECTORS));
        DiskMap::known(area, self.in_use.clone())
    }

    fn save(&self, base: Option<&Signature>) -> (Vec<u8>, Saved) {
        self.save_with(&SingleThread, base)
    }

    fn save_with(&self, workers: &dyn Workers, base: Option<&Signature>) -> (Vec<u8>, Saved) {
        let (disk, map) = (self.disk(), self.map());
        let source = Source { base, ..Source::new(&disk, &map) };
        let mut file = Vec::new();
        let saved = save(workers, source, &mut file, &Progress::default()).unwrap();
        assert_eq!(verify(workers, &file, &saved.proof), Ok(Sha256::of(&file)));
        (file, saved)
    }
}

fn apply(file: &[u8], disk: &mut [u8]) {
    let image = Image::open(file).unwrap();
    let mut chunks = image.chunks();
    let mut scratch = Decompressor::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        let mut write = |start: Sector, data: &[u8]| {
            let at = start.get() as usize * SECTOR;
            disk[at..at + data.len()].copy_from_slice(data);
            Ok(())
        };
        chunk.decode(&mut scratch, &mut write).unwrap();
    }
}

fn assert_holds(disk: &[u8], state: &State) {
    for extent in &state.in_use {
        for sector in extent.start().get() as usize..extent.end().get() as usize {
            assert_eq!(disk[sector * SECTOR], state.values[sector], "sector {sector}");
        }
    }
}

/// Few values and long runs, so that sectors come to be the same again by chance.
fn state() -> impl Strategy<Value = State> {
    let run = (0..SECTORS, 1..40_u32, 0..3_u8);
    let extent = (0..SECTORS, 1..60_u32);
    (prop::collection::vec(run, 0..12), prop::collection::vec(extent, 1..8)).prop_map(
        |(runs, extents)| {
            let mut values = vec![0; SECTORS as usize];
            for (start, len, value) in runs {
                values[start as usize..(start + len).min(SECTORS) as usize].fill(value);
            }
            let range = |(start, len): (u32, u32)| {
                let end = (start + len).min(SECTORS);
                SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
            };
            let in_use = ExtentSet::from_unsorted(extents.into_iter().map(range).collect());
            State { values, in_use }
        },
    )
}

proptest! {
    /// Whatever changes and whatever is freed and used again: base and all deltas in turn give
    /// back every sector in use, and the signature is the one of the whole.
    #[test]
    fn chains_give_back_every_sector_in_use(states in prop::collection::vec(state(), 1..4)) {
        let mut disk = vec![0x5a; SECTORS as usize * SECTOR];
        let mut base: Option<Signature> = None;
        for state in &states {
            let (file, saved) = state.save(base.as_ref());
            apply(&file, &mut disk);
            assert_holds(&disk, state);

            let (full, _) = state.save(None);
            let whole = Image::open(&full).unwrap();
            let done = AtomicU64::new(0);
            let expected = hash_image(&SingleThread, &whole, Hashing::default(), &done).unwrap();
            let without_chunks = |s: &Signature| s.iter().map(|e| (e.range, e.digest)).collect::<Vec<_>>();
            prop_assert_eq!(without_chunks(&saved.signature), without_chunks(&expected));
            base = Some(saved.signature);
        }
    }

    /// A delta holds nothing that the base has: what an entry with the same digest covers is out.
    #[test]
    fn a_delta_of_the_same_state_is_empty(state in state()) {
        let (_, saved) = state.save(None);
        let (delta, again) = state.save(Some(&saved.signature));
        prop_assert!(delta.is_empty());
        prop_assert_eq!(again.image.chunks, 0);
        prop_assert_eq!(again.signature.len(), saved.signature.len());
    }

    /// SHA-256 can be read but not written: the base is compared with it, the result has SHA-1.
    #[test]
    fn a_base_with_sha256_is_compared(state in state(), at in 0..SECTORS) {
        let (full, saved) = state.save(None);
        let how = Hashing { hash_type: HashType::Sha256, ..Hashing::default() };
        let whole = Image::open(&full).unwrap();
        let base = hash_image(&SingleThread, &whole, how, &AtomicU64::new(0)).unwrap();
        let (delta, again) = state.save(Some(&base));
        prop_assert!(delta.is_empty());
        let entries = |s: &Signature| s.iter().map(|e| (e.range, e.digest)).collect::<Vec<_>>();
        prop_assert_eq!(entries(&again.signature), entries(&saved.signature));
        let mut changed = state;
        changed.values[at as usize] ^= 0x80;
        let (with_sha256, _) = changed.save(Some(&base));
        let (with_sha1, _) = changed.save(Some(&saved.signature));
        prop_assert!(with_sha256 == with_sha1);
    }

    /// One changed sector brings its hash block's sectors in use into the delta, and no others.
    #[test]
    fn a_change_costs_one_hash_block(state in state(), at in 0..SECTORS) {
        let (_, saved) = state.save(None);
        let mut changed = state.clone();
        changed.values[at as usize] ^= 0x80;
        let (delta, _) = changed.save(Some(&saved.signature));
        let first = at / 128 * 128;
        let block = SectorRange::with_len(Sector::from_u32(first), SectorCount::from_u32(128)).unwrap();
        let touched = Sector::from_u32(at);
        let entry = saved.signature.iter().find(|e| e.range.start() <= touched && touched < e.range.end());
        let held = Image::open(&delta).unwrap().extents().unwrap();
        prop_assert_eq!(held, entry.map_or_else(ExtentSet::new, |e| e.range.into()));
        if let Some(entry) = entry {
            prop_assert!(block.contains(entry.range));
        }
    }

    #[test]
    fn threads_make_no_difference(state in state()) {
        let (alone, _) = state.save(None);
        let (together, _) = state.save_with(&Threads(2), None);
        prop_assert!(alone == together);
    }

    /// Any damage to any byte that counts is found; what is not found must not matter.
    #[test]
    fn damage_is_found(state in state(), at in 0..8192_usize, bit in 0..8_u32) {
        let (mut file, saved) = state.save(None);
        prop_assume!(!file.is_empty());
        file[at] ^= 1 << bit;
        if verify(&SingleThread, &file, &saved.proof).is_ok() {
            let mut disk = vec![0x5a; SECTORS as usize * SECTOR];
            apply(&file, &mut disk);
            assert_holds(&disk, &state);
        }
    }
}

/// More than the room of one chunk, and data that don't compress.
fn large_state() -> (Vec<u8>, DiskMap) {
    let sectors = 8 * 2048_u32;
    let mut seed = 1_u32;
    let disk = (0..sectors as usize * SECTOR)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    let area = SectorRange::first(SectorCount::from_u32(sectors));
    let map = DiskMap::known(area, area.into());
    (disk, map)
}

#[test]
fn many_chunks_and_what_is_wrong_with_another_image() {
    let (disk, map) = large_state();
    let source = Source::new(&disk, &map);
    let mut file = Vec::new();
    let progress = Progress::default();
    let saved = save(&Threads(2), source, &mut file, &progress).unwrap();
    assert!(saved.image.chunks >= 9, "incompressible data need more room than they have");
    assert_eq!(progress.scanned.into_inner(), disk.len() as u64);
    assert_eq!(progress.changed.into_inner(), disk.len() as u64);
    let mut loaded = vec![0; disk.len()];
    apply(&file, &mut loaded);
    assert!(loaded == disk);

    // A sound image of the same sectors with other data is not the one that was written.
    let mut other = disk.clone();
    other[5 * 1024 * 1024] ^= 1;
    let source = Source { device: &other, ..source };
    let mut other_file = Vec::new();
    save(&SingleThread, source, &mut other_file, &Progress::default()).unwrap();
    let error = verify(&Threads(2), &other_file, &saved.proof).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::NotAsWritten));

    // Nor is one that lost its last chunk.
    file.truncate(file.len() - crate::ndz::CHUNK_BYTES);
    let error = verify(&SingleThread, &file, &saved.proof).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::NotAsWritten));
}

#[test]
fn a_partition_is_saved_from_where_it_begins() {
    let (disk, _) = large_state();
    let start = Sector::from_u32(100);
    let area = SectorRange::with_len(start, SectorCount::from_u32(3000)).unwrap();
    let in_use = SectorRange::first(SectorCount::from_u32(2999)).into();
    let map = DiskMap::known(area, in_use);
    let source = Source::new(&disk, &map);
    let mut file = Vec::new();
    save(&SingleThread, source, &mut file, &Progress::default()).unwrap();
    assert_eq!(Image::open(&file).unwrap().sectors().unwrap().get(), 3000);
    let mut loaded = vec![0; 3000 * SECTOR];
    apply(&file, &mut loaded);
    assert!(loaded[..2999 * SECTOR] == disk[100 * SECTOR..3099 * SECTOR]);
    assert!(loaded[2999 * SECTOR..] == [0; SECTOR]);
}

/// Such a disk has data that fit as well as data that don't: none of them may be written.
#[test]
fn what_is_larger_than_the_format_is_refused_at_once() {
    let (disk, mut map) = large_state();
    map.area = SectorRange::first(SectorCount::new(1 << 32).unwrap());
    let source = Source::new(&disk, &map);
    let (mut file, progress) = (Vec::new(), Progress::default());
    let error = save(&SingleThread, source, &mut file, &progress).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge(Limit::Sector32));
    assert!(file.is_empty());
    assert_eq!(progress.scanned.into_inner(), 0);
}
