//! Targets that hold some of an image already. The model is a full load onto the same disk.

use std::collections::BTreeSet;

use super::*;
use crate::digest::HashType;
use crate::pipeline::{Hashing, Joining, hash_image};
use crate::signature::{ChunkNumber, Entry, HashBlockSize, Remainder};

/// Data that can't be compressed, so that extents go on from chunk to chunk.
pub(super) fn noise(sector: u64, version: u64) -> Vec<u8> {
    let mut state = sector.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ version.rotate_left(32);
    let mut bytes = Vec::new();
    for _ in 0..SECTOR / 8 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 27)).to_le_bytes());
    }
    bytes
}

pub(super) fn noisy_image(in_use: &ExtentSet, relocs: &[Reloc]) -> Vec<u8> {
    make_image_of(&|sector| noise(sector, 0), Format::V3, in_use, relocs, SECTORS)
}

pub(super) fn hashing() -> impl Strategy<Value = Hashing> {
    let block = prop_oneof![Just(1), Just(3), Just(8), Just(128), Just(1000), Just(65_536)];
    let hash_type = prop_oneof![Just(HashType::Md5), Just(HashType::Sha1), Just(HashType::Sha256)];
    (block, hash_type, any::<bool>(), any::<bool>()).prop_map(|(block, hash_type, chunks, skip)| {
        let joining = if chunks { Joining::Chunks } else { Joining::Blocks };
        let block = HashBlockSize::new(block).unwrap();
        Hashing { hash_type, block, joining, skip_relocated: skip }
    })
}

/// Relocations of types that change something, or not, in some of the sectors.
pub(super) fn relocs_in(in_use: &ExtentSet, at: Option<usize>, short: bool) -> Vec<Reloc> {
    let sectors: Vec<_> = in_use.iter().flat_map(|e| e.start().get()..e.end().get()).collect();
    let mut relocs = Vec::new();
    let sector = at.and_then(|at| sectors.get(at % sectors.len().max(1)));
    for (kind, size) in [(RelocType::LILO_ADDRESS, 5), (RelocType(77), 9)] {
        let reloc = |sector: &u64| {
            let sector = Sector::new(*sector).unwrap();
            Reloc { kind, sector, offset: 16, size }
        };
        relocs.extend(sector.map(reloc));
    }
    let last = sectors.last().filter(|_| short).map(|last| Sector::new(*last).unwrap());
    relocs.extend(last.map(|sector| Reloc {
        kind: RelocType::SHORT_SECTOR,
        sector,
        offset: 0,
        size: 99,
    }));
    relocs
}

pub(super) fn sign(image: &Image<'_, Vec<u8>>, how: Hashing) -> Signature {
    hash_image(&SingleThread, image, how, &AtomicU64::default()).unwrap()
}

/// The entries of a signature that `keep` says.
fn some_of(signature: &Signature, keep: impl Fn(&Entry) -> bool) -> Signature {
    let mut kept = Signature::new(signature.hash_type(), signature.block());
    for entry in signature.iter().filter(keep) {
        // Numbers of chunks mean nothing.
        kept.push(Entry { chunk: ChunkNumber::new(7, false), ..entry }).unwrap();
    }
    kept
}

pub(super) fn disk(bytes: &[u8]) -> Memory {
    Memory(Mutex::new(bytes.to_vec()))
}

/// Overwrites runs of sectors.
pub(super) fn damage(disk: &mut [u8], runs: &[(u32, u32)]) {
    for (at, len) in runs {
        let (from, to) = (*at as usize * SECTOR, (at + len).min(SECTORS) as usize * SECTOR);
        disk[from..to].fill(GARBAGE);
    }
}

pub(super) fn runs() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::vec((0..SECTORS, 1..100_u32), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_disk_is_what_a_load_makes_it(
        in_use in in_use(),
        how in hashing(),
        (reloc_at, short) in (prop::option::of(any::<usize>()), any::<bool>()),
        fill in fill(),
        start in 0..40_u32,
        loaded_before: bool,
        damaged in runs(),
        left_out in prop::collection::btree_set(0..50_u64, 0..5),
        threads in 1..4_usize,
        read_back: bool,
    ) {
        let relocs = relocs_in(&in_use, reloc_at, short);
        let file = noisy_image(&in_use, &relocs);
        let image = Image::open(&file).unwrap();
        let covered = |entry: &Entry| !left_out.contains(&(entry.range.start().get() / 64));
        let signature = some_of(&sign(&image, how), covered);

        // Too short for the last sectors, at times: what is missing has to be loaded.
        let mut before = vec![GARBAGE; (SECTORS + 60) as usize * SECTOR];
        if loaded_before {
            let device = disk(&before);
            let target = Target::new(&device, place_at(start));
            let _ = load(&SingleThread, &image, Arrival::Complete, target, &LoadProgress::default());
            before = device.take();
        }
        damage(&mut before, &damaged);

        let (model, device) = (disk(&before), disk(&before));
        let to = |device| Target { fill, fill_to: model.end(), ..Target::new(device, place_at(start)) };
        let full = load(&SingleThread, &image, Arrival::Complete, to(&model), &LoadProgress::default());
        let progress = LoadProgress::default();
        let target = Target { read_back: read_back.then_some(&device), ..to(&device) };
        let base = Base { signature: &signature, device: &device };
        let loaded = converge(&Threads(threads), &image, base, target, &progress);
        prop_assert_eq!(&loaded, &full);
        if loaded.is_err() {
            return Ok(());
        }
        let after = device.take();
        prop_assert!(after == model.take());

        let count = |counter: AtomicU64| counter.into_inner();
        let (written, avoided) = (count(progress.written), count(progress.avoided));
        let missing = if short && !in_use.is_empty() { SECTOR_BYTES - 99 } else { 0 };
        prop_assert_eq!(written + avoided, in_use.sector_count().to_bytes().get() - missing);
        prop_assert_eq!(count(progress.verified), if read_back { written } else { 0 });
        prop_assert_eq!(count(progress.chunks), u64::from(image.chunk_count()));
        let bytes: u64 = signature.iter().map(|entry| entry.range.len().to_bytes().get()).sum();
        prop_assert_eq!(count(progress.compared), bytes);

        // Only blocks that differ, are not covered or have relocations are written again.
        let (device, progress) = (disk(&after), LoadProgress::default());
        let base = Base { signature: &signature, device: &device };
        let target = Target { fill: Fill::Keep, ..Target::new(&device, place_at(start)) };
        converge(&Threads(threads), &image, base, target, &progress).unwrap();
        if relocs.is_empty() {
            let all: ExtentSet = signature.iter().map(|entry| entry.range).collect();
            let open = in_use.difference(&all);
            prop_assert_eq!(count(progress.written), open.sector_count().to_bytes().get());
            let mut chunks = 0;
            image.headers(&mut |header| {
                chunks += u64::from(open.within(header.covered()).next().is_some());
                Ok(())
            }).unwrap();
            prop_assert_eq!(count(progress.chunks_read), chunks);
        }
    }

    #[test]
    fn the_signature_of_another_image_is_not_believed_where_the_chunk_is_read(
        in_use in in_use(),
        how in hashing(),
        others in runs(),
        seed in 1..4_u64,
        damaged in runs(),
        threads in 1..4_usize,
    ) {
        let other: BTreeSet<u64> =
            others.iter().flat_map(|(at, len)| u64::from(*at)..u64::from(at + len)).collect();
        let version = |sector| if other.contains(&sector) { seed } else { 0 };
        let file = noisy_image(&in_use, &[]);
        let image = Image::open(&file).unwrap();
        let foreign = make_image_of(
            &|sector| noise(sector, version(sector)), Format::V3, &in_use, &[], SECTORS,
        );
        let foreign = Image::open(&foreign).unwrap();
        let signature = sign(&foreign, how);

        let device = Memory::garbage(SECTORS);
        let target = Target::new(&device, Placement::default());
        load(&SingleThread, &foreign, Arrival::Complete, target, &LoadProgress::default()).unwrap();
        let mut before = device.take();
        damage(&mut before, &damaged);
        let device = disk(&before);
        let base = Base { signature: &signature, device: &device };
        let target = Target::new(&device, Placement::default());
        let progress = LoadProgress::default();
        let loaded = converge(&Threads(threads), &image, base, target, &progress);
        let after = device.take();

        let bytes = |disk: &[u8], range: SectorRange| {
            let index = |sector: Sector| sector.to_bytes().get() as usize;
            disk[index(range.start())..index(range.end())].to_vec()
        };
        let mut wrong = false;
        for entry in signature.iter() {
            let mine: Vec<u8> = (entry.range.start().get()..entry.range.end().get())
                .flat_map(|sector| noise(sector, 0)).collect();
            let matched = signature.digest(&bytes(&before, entry.range)) == entry.digest;
            // Whatever was not there is right, or there is an error.
            wrong |= !matched && bytes(&after, entry.range) != mine;
            if !matched && signature.digest(&mine) != entry.digest {
                prop_assert!(loaded.is_err());
            }
        }
        match loaded {
            Ok(_) => prop_assert!(!wrong),
            Err(Error { kind, place: Place::Sector(_) }) => {
                prop_assert_eq!(kind, ErrorKind::Corrupt(CorruptKind::SignatureForeign));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn what_the_image_does_not_hold_is_refused_before_anything_is_written(
        in_use in in_use(),
        more in in_use(),
        how in hashing(),
    ) {
        let file = noisy_image(&in_use, &[]);
        let image = Image::open(&file).unwrap();
        let larger = noisy_image(&in_use.union(&more), &[]);
        let signature = sign(&Image::open(&larger).unwrap(), how);
        let outside = signature.iter().find(|entry| !in_use.contains(entry.range));
        let device = Memory::garbage(SECTORS);
        let base = Base { signature: &signature, device: &device };
        let target = Target { fill: Fill::Zero, ..Target::new(&device, Placement::default()) };
        let progress = LoadProgress::default();
        let loaded = converge(&SingleThread, &image, base, target, &progress);
        if let Some(entry) = outside {
            let kind = ErrorKind::Corrupt(CorruptKind::SignatureForeign);
            prop_assert_eq!(loaded, Err(kind.at(Place::Sector(entry.range.start()))));
            prop_assert!(device.take().iter().all(|byte| *byte == GARBAGE));
        } else {
            prop_assert!(loaded.is_ok());
        }
    }
}

#[test]
fn the_signature_of_a_file_that_is_no_image_is_refused() {
    let file = noisy_image(&range(0, 20).into(), &[]);
    let image = Image::open(&file).unwrap();
    let mut signature = sign(&image, Hashing::default());
    let digest = signature.digest(&[1; 5]);
    signature.set_remainder(Remainder::new(Sector::from_u32(20), 5, digest).unwrap()).unwrap();
    let device = Memory::garbage(SECTORS);
    let base = Base { signature: &signature, device: &device };
    let target = Target::new(&device, Placement::default());
    let loaded = converge(&SingleThread, &image, base, target, &LoadProgress::default());
    let kind = ErrorKind::Corrupt(CorruptKind::SignatureForeign);
    assert_eq!(loaded, Err(kind.at(Place::Sector(Sector::from_u32(20)))));
}

/// A file that is shorter than the image is loaded where it ends.
#[test]
fn what_the_target_lacks_is_loaded() {
    struct Growing(Mutex<Vec<u8>>);
    impl WriteAt for Growing {
        fn end(&self) -> Option<Bytes> {
            None
        }
        fn write_at(&self, offset: Bytes, data: &[u8]) -> Result<()> {
            let mut bytes = self.0.lock().unwrap();
            let (from, to) = (offset.get() as usize, offset.get() as usize + data.len());
            let len = bytes.len().max(to);
            bytes.resize(len, 0);
            bytes[from..to].copy_from_slice(data);
            Ok(())
        }
    }
    let file = noisy_image(&range(0, 2900).into(), &[]);
    let image = Image::open(&file).unwrap();
    let signature = sign(&image, Hashing::default());
    let whole: Vec<u8> = (0..2900).flat_map(|sector| noise(sector, 0)).collect();
    let there = whole[..1000 * SECTOR + 77].to_vec();
    let target = Growing(Mutex::new(there.clone()));
    let base = Base { signature: &signature, device: &there };
    let progress = LoadProgress::default();
    converge(&Threads(2), &image, base, Target::new(&target, Placement::default()), &progress)
        .unwrap();
    assert!(target.0.into_inner().unwrap() == whole);
    assert_eq!(progress.avoided.into_inner(), 1000 / 128 * 128 * 512, "whole hash blocks");
}

/// More data in a chunk than are kept until they have been compared.
#[test]
fn a_chunk_may_hold_many_times_its_size() {
    let sectors = 10 << 11;
    let whole = range(0, sectors);
    let zeros = |_| vec![0; SECTOR];
    let file = make_image_of(&zeros, Format::V3, &whole.into(), &[], sectors);
    let image = Image::open(&file).unwrap();
    assert_eq!(image.chunk_count(), 1);
    let signature = sign(&image, Hashing::default());
    let mut before = vec![0; sectors as usize * SECTOR];
    before[5 << 20] = 1;
    let device = disk(&before);
    let base = Base { signature: &signature, device: &device };
    let target = Target::new(&device, Placement::default());
    let progress = LoadProgress::default();
    converge(&Threads(2), &image, base, target, &progress).unwrap();
    assert!(device.take() == vec![0; sectors as usize * SECTOR]);
    assert_eq!(progress.written.into_inner(), 64 << 10, "one hash block");
}
