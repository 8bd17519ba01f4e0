//! How full chunks are, and that dividing data between them changes nothing.

use super::*;
use crate::codec::Level;
use crate::device::ReadAt;
use crate::ndz::{PAYLOAD_MAX, Reloc, RelocType};
use crate::sector::Bytes;
use crate::signature::{ChunkNumber, Entry, HashBlockSize};
use std::ops::Range;

/// 8 MiB.
const SECTORS: u32 = 16 * 1024;

/// Noise, text of few letters, and zeros, in parts of uneven length.
fn disk(seed: u64, kinds: Range<u64>) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut disk = Vec::new();
    while disk.len() < SECTORS as usize * SECTOR {
        let kind = kinds.start + next() % (kinds.end - kinds.start);
        let len = next() % 400_000;
        disk.extend((0..len).map(|_| match kind {
            0 => 0,
            1 => b"etaoin shrdlu"[(next() % 13) as usize],
            _ => next().to_le_bytes()[5],
        }));
    }
    disk.truncate(SECTORS as usize * SECTOR);
    disk
}

fn save_disk(
    workers: &dyn Workers,
    disk: &[u8],
    in_use: &ExtentSet,
    level: u8,
    relocs: &[Reloc],
) -> Vec<u8> {
    let area = SectorRange::first(SectorCount::from_u32(SECTORS));
    let map = DiskMap::known(area, in_use.clone());
    let level = Level::new(level).unwrap();
    let source = Source { level, relocs, ..Source::new(&disk, &map) };
    let mut file = Vec::new();
    let saved = save(workers, source, &mut file, &Progress::default()).unwrap();
    assert_eq!(verify(workers, &file, &saved.proof), Ok(Sha256::of(&file)));
    file
}

/// The payload of each chunk but the last.
fn payloads(file: &Vec<u8>) -> Vec<usize> {
    let mut payloads = Vec::new();
    Image::open(file)
        .unwrap()
        .headers(&mut |header| {
            payloads.push(header.payload_len());
            Ok(())
        })
        .unwrap();
    payloads.pop();
    payloads
}

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever the data: no chunk but the last has more than 1 % of room.
    #[test]
    fn chunks_are_full(seed: u64, first in 0..3_u64, level in 0..7_u8, holes in prop::collection::vec((0..SECTORS, 1..200_u32), 0..40)) {
        let disk = disk(seed, first..3);
        let holes = holes.into_iter().map(|(at, len)| range(at, (at + len).min(SECTORS))).collect();
        let in_use = ExtentSet::from_unsorted(holes).complement(range(0, SECTORS));
        let file = save_disk(&SingleThread, &disk, &in_use, level, &[]);
        for payload in payloads(&file) {
            prop_assert!(payload >= PAYLOAD_MAX / 100 * 99, "{payload}");
        }
        let mut restored = vec![0x5a; disk.len()];
        apply(&file, &mut restored);
        for extent in &in_use {
            let bytes = extent.start().get() as usize * SECTOR..extent.end().get() as usize * SECTOR;
            prop_assert!(restored[bytes.clone()] == disk[bytes]);
        }
        prop_assert!(file == save_disk(&Threads(3), &disk, &in_use, level, &[]));
    }

    /// Relocations stay with their sectors, and what is tied together is not divided.
    #[test]
    fn relocations_are_not_divided(seed: u64, at in prop::collection::btree_set(0..SECTORS - 4, 0..200)) {
        let disk = disk(seed, 1..3);
        let relocs: Vec<_> = at.iter().map(|at| Reloc {
            kind: RelocType::LILO_MAP,
            sector: Sector::from_u32(*at),
            offset: 0,
            size: if at % 3 == 0 { 1024 } else { 512 },
        }).collect();
        let in_use = ExtentSet::from(range(0, SECTORS));
        let file = save_disk(&SingleThread, &disk, &in_use, 1, &relocs);
        let mut found = Vec::new();
        Image::open(&file).unwrap().headers(&mut |header| {
            found.extend(header.relocs());
            for reloc in header.relocs() {
                assert!(header.regions().any(|region| region.contains(reloc.sectors())));
            }
            Ok(())
        }).unwrap();
        prop_assert_eq!(found, relocs);
        let mut restored = vec![0; disk.len()];
        apply(&file, &mut restored);
        prop_assert!(restored == disk);
    }
}

/// A disk of zeros.
struct Zeros(u32);

impl ReadAt for Zeros {
    fn size(&self) -> Bytes {
        SectorCount::from_u32(self.0).to_bytes()
    }

    fn read_at(&self, _: Bytes, buf: &mut [u8]) -> crate::Result<()> {
        buf.fill(0);
        Ok(())
    }
}

/// Every other sector is free: as many ranges as a disk can have. A fault that makes work grow
/// with their square takes hours.
#[test]
fn a_delta_among_a_million_free_ranges() {
    let count = 1_000_000;
    let device = Zeros(2 * count);
    let in_use: ExtentSet = (0..count).map(|i| range(2 * i, 2 * i + 1)).collect();
    let map = DiskMap::known(range(0, 2 * count), in_use.clone());
    let digest = HashType::Sha1.digest(&[0; SECTOR]);
    let mut base = Signature::new(HashType::Sha1, HashBlockSize::default());
    for range in &in_use {
        base.push(Entry { range, chunk: ChunkNumber::default(), digest }).unwrap();
    }
    let source = Source { base: Some(&base), ..Source::new(&device, &map) };
    let mut file = Vec::new();
    let saved = save(&Threads(2), source, &mut file, &Progress::default()).unwrap();
    assert!(file.is_empty());
    assert_eq!(saved.signature.len(), base.len());
}
