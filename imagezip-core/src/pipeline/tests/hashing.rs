//! Signatures that are made in parallel, against ones that are made sector by sector.

use std::sync::atomic::AtomicU64;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::super::ordered::tests::Threads;
use super::super::{Hashing, Joining, hash_device, hash_image};
use super::image::{TestChunk, image};
use crate::digest::HashType;
use crate::ndz::Image;
use crate::sector::{Sector, SectorCount, SectorRange};
use crate::signature::{ChunkNumber, Entry, HashBlockSize, Remainder, Signature};

const SECTORS: u32 = 600;

/// A disk of sectors that are all different.
fn disk() -> Vec<u8> {
    (0..SECTORS)
        .flat_map(|sector| (0..128).flat_map(move |word| (sector * 128 + word).to_le_bytes()))
        .collect()
}

/// Chunks whose regions ascend, with gaps inside a chunk and, often, none between chunks.
fn chunks() -> impl Strategy<Value = Vec<TestChunk>> {
    let region = (1..20_u32, 1..80_u32);
    let reloc = (0..8_u32, 0..SECTORS, 0..512_u32, 1..=512_u32);
    let relocs = prop::collection::vec(reloc, 0..2);
    let chunk = (0..3_u32, prop::collection::vec(region, 1..4), relocs);
    prop::collection::vec(chunk, 0..9).prop_map(|plan| {
        let (mut at, mut chunks) = (0, Vec::new());
        for (gap, regions, relocs) in plan {
            let mut chunk = TestChunk::default();
            let mut gap = gap * 7;
            for (next_gap, len) in regions {
                let start = at + gap;
                if start + len > SECTORS {
                    break;
                }
                chunk.regions.push((start, len));
                (at, gap) = (start + len, next_gap);
            }
            // Relocations have to lie in the sectors that the chunk describes.
            for (kind, sector, offset, size) in relocs {
                if let Some((begin, _)) = chunk.regions.first().copied() {
                    let len = at - begin;
                    chunk.relocs.push([kind, begin + sector % len, offset, size]);
                }
            }
            if !chunk.regions.is_empty() {
                chunks.push(chunk);
            }
        }
        chunks
    })
}

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

/// The signature, found by going over all sectors one by one.
fn expected(chunks: &[TestChunk], disk: &[u8], how: Hashing) -> Signature {
    let size = how.block.sectors();
    let held = |sector: u32| {
        chunks.iter().position(|chunk| {
            chunk.regions.iter().any(|(start, len)| (*start..start + len).contains(&sector))
        })
    };
    let relocs = chunks.iter().flat_map(|chunk| &chunk.relocs).filter(|reloc| reloc[0] != 0);
    let relocated: Vec<_> = relocs
        .map(|[kind, sector, offset, bytes]| {
            let first = u64::from(*sector) * 512 + u64::from(*offset);
            // LILO's checksum is far before what its relocation names.
            let table = if *kind == 5 { first.saturating_sub(990) } else { first };
            [table, first + u64::from(*bytes) - 1].map(|byte| byte / 512 / u64::from(size))
        })
        .collect();
    let skipped = |block: u32| {
        let mut hit = relocated.iter().map(|[first, last]| *first..=*last);
        how.skip_relocated && hit.any(|blocks| blocks.contains(&u64::from(block)))
    };
    let mut signature = Signature::new(how.hash_type, how.block);
    let mut sector = 0;
    while sector < SECTORS {
        let Some(chunk) = held(sector) else {
            sector += 1;
            continue;
        };
        let start = sector;
        let mut last = chunk;
        while sector < SECTORS && sector / size == start / size {
            match held(sector) {
                Some(here) if here == chunk || how.joining == Joining::Blocks => last = here,
                _ => break,
            }
            sector += 1;
        }
        if !skipped(start / size) {
            let digest = how.hash_type.digest(&disk[start as usize * 512..sector as usize * 512]);
            let chunk = ChunkNumber::new(chunk as u32, chunk != last);
            signature.push(Entry { range: range(start, sector), chunk, digest }).unwrap();
        }
    }
    signature
}

fn hashing() -> impl Strategy<Value = Hashing> {
    let block = prop::sample::select(vec![1, 3, 8, 64, 128, 65_536]);
    let hash_type = prop::sample::select(&HashType::ALL[..]);
    (hash_type, block, any::<bool>(), any::<bool>()).prop_map(
        |(hash_type, block, joined, skip_relocated)| Hashing {
            hash_type,
            block: HashBlockSize::new(block).unwrap(),
            joining: if joined { Joining::Blocks } else { Joining::Chunks },
            skip_relocated,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn images_are_hashed_as_one_by_one(chunks in chunks(), how in hashing(), threads in 1..4_usize) {
        let disk = disk();
        let file = image(&chunks, &disk);
        let done = AtomicU64::new(0);
        let opened = Image::open(&file).unwrap();
        let signature = hash_image(&Threads(threads), &opened, how, &done).unwrap();
        prop_assert_eq!(&signature, &expected(&chunks, &disk, how));
        let sectors = chunks.iter().flat_map(|chunk| &chunk.regions).map(|(_, len)| *len).sum::<u32>();
        prop_assert_eq!(done.into_inner(), u64::from(sectors) * 512);
    }

    #[test]
    fn files_are_hashed_as_one_by_one(
        len in 0..300_000_usize, how in hashing(), threads in 1..4_usize,
    ) {
        let bytes = disk()[..len].to_vec();
        let done = AtomicU64::new(0);
        let signature = hash_device(&Threads(threads), &bytes, how.hash_type, how.block, &done).unwrap();
        let whole = len / 512 * 512;
        let block = how.block.sectors() as usize * 512;
        prop_assert_eq!(signature.len(), whole.div_ceil(block));
        for (entry, data) in signature.iter().zip(bytes[..whole].chunks(block)) {
            prop_assert_eq!(entry.digest, how.hash_type.digest(data));
            prop_assert_eq!(entry.range.len().to_bytes().get(), data.len() as u64);
        }
        let end = Sector::from_u32((whole / 512) as u32);
        let rest = how.hash_type.digest(&bytes[whole..]);
        prop_assert_eq!(signature.remainder(), Remainder::new(end, (len - whole) as u16, rest));
    }

    #[test]
    fn damaged_images_are_refused_or_hashed(
        chunks in chunks(), how in hashing(), at in 0..8192_usize, value in any::<u8>(),
    ) {
        let mut file = image(&chunks, &disk());
        prop_assume!(!file.is_empty());
        file[at] = value;
        let opened = Image::open(&file).unwrap();
        if let Ok(signature) = hash_image(&Threads(2), &opened, how, &AtomicU64::new(0)) {
            let held = opened.extents().unwrap().sector_count();
            let hashed = signature.iter().fold(SectorCount::ZERO, |sum, entry| sum.saturating_add(entry.range.len()));
            prop_assert!(hashed == held || how.skip_relocated && hashed < held);
        }
    }
}

/// More than what is read at once, in blocks of every size that this can mean.
#[test]
fn large_files_and_blocks() {
    let bytes: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).take(17_000_123).collect();
    for sectors in [1, 100, 128, 2047, 2048, 2049, 30_000, 65_536] {
        let block = HashBlockSize::new(sectors).unwrap();
        let signature =
            hash_device(&Threads(2), &bytes, HashType::Md5, block, &AtomicU64::new(0)).unwrap();
        let whole = bytes.len() / 512 * 512;
        let data =
            bytes[..whole].chunks(sectors as usize * 512).map(|data| HashType::Md5.digest(data));
        assert!(signature.iter().map(|entry| entry.digest).eq(data), "{sectors}");
    }
}
