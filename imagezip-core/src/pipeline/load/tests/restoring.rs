//! A base image and a delta on a disk that may hold some of either. The model writes one after the
//! other.

use core::sync::atomic::AtomicUsize;

use super::converging::{damage, disk, hashing, noise, noisy_image, relocs_in, runs, sign};
use super::*;
use crate::pipeline::{Hashing, Manner, restore};
use crate::restore::{Part, RestoreError, RestorePlan, Signed};
use crate::signature::{ChunkNumber, Entry, Signature, cut};

/// A disk that was loaded with a base image, and what its user made of it.
struct Saved {
    base_in_use: ExtentSet,
    base: Vec<u8>,
    base_signature: Signature,
    delta_in_use: ExtentSet,
    delta: Vec<u8>,
    signature: Signature,
}

impl Saved {
    /// `changed` sectors have other data; `freed` ones, that are in use no more, maybe too.
    fn new(how: Hashing, base: &ExtentSet, changed: &ExtentSet, freed: &ExtentSet) -> Self {
        Self::with_relocs(how, base, changed, freed, (&[], 0))
    }

    /// The base image has relocations, and was loaded at sector `start`.
    fn with_relocs(
        how: Hashing,
        base: &ExtentSet,
        changed: &ExtentSet,
        freed: &ExtentSet,
        (relocs, start): (&[Reloc], u32),
    ) -> Self {
        let version = |sector: u64| {
            let sector = Sector::new(sector).unwrap();
            u64::from(
                changed.contains(SectorRange::new(sector, sector.saturating_add(ONE)).unwrap()),
            )
        };
        let in_use = base.union(changed).difference(freed);
        let file = noisy_image(base, relocs);
        let loaded = Memory::garbage(SECTORS + 60);
        load_all(&Image::open(&file).unwrap(), Target::new(&loaded, place_at(start)));
        let loaded = loaded.take();
        let state = |sector: u64| match version(sector) {
            0 => loaded[(u64::from(start) + sector) as usize * SECTOR..][..SECTOR].to_vec(),
            version => noise(sector, version),
        };
        let base_signature = sign(&Image::open(&file).unwrap(), how);
        let unchanged: ExtentSet = base_signature
            .iter()
            .filter(|entry| base_signature.digest(&data(&state, entry.range)) == entry.digest)
            .map(|entry| entry.range)
            .collect();
        let delta_in_use = in_use.difference(&unchanged);
        let delta = make_image_of(&state, Format::V3, &delta_in_use, &[], SECTORS);
        let mut signature = Signature::new(how.hash_type, how.block);
        for range in in_use.iter().flat_map(|extent| cut(extent, how.block)) {
            let digest = how.hash_type.digest(&data(&state, range));
            signature.push(Entry { range, chunk: ChunkNumber::new(0, false), digest }).unwrap();
        }
        let base_in_use = base.clone();
        Self { base_in_use, base: file, base_signature, delta_in_use, delta, signature }
    }

    fn end(&self) -> Sector {
        let ends = [self.base_in_use.end(), self.delta_in_use.end()];
        ends.into_iter().flatten().max().unwrap_or(Sector::ZERO)
    }

    fn written_in_full(&self) -> u64 {
        self.base_in_use.union(&self.delta_in_use).sector_count().to_bytes().get()
    }

    /// Loads the whole base, with the free sectors filled, and then the delta.
    fn model(&self, before: &[u8], start: u32, fill: Fill) -> Vec<u8> {
        let model = disk(before);
        let first = Image::open(&self.base).unwrap();
        let second = Image::open(&self.delta).unwrap();
        let held = self.base_in_use.union(&self.delta_in_use);
        load_all(&first, Target::new(&model, place_at(start)));
        load_all(&second, Target::new(&model, place_at(start)));
        let mut bytes = model.take();
        let all = SectorRange::first(SectorCount::from_u32(SECTORS + 60 - start));
        for free in &held.complement(all).absolute_from(Sector::from_u32(start)) {
            fill_model(&mut bytes, free, fill);
        }
        bytes
    }

    fn restore(
        &self,
        threads: usize,
        target: Target<'_>,
        device: &dyn ReadAt,
        manner: Manner,
        progress: &LoadProgress,
    ) -> core::result::Result<Loaded, RestoreError> {
        let base = Image::open(&self.base).unwrap();
        let delta = Image::open(&self.delta).unwrap();
        let plan = RestorePlan::new(
            Signed { image: &base, signature: &self.base_signature },
            Some(Signed { image: &delta, signature: &self.signature }),
        )?;
        assert_eq!(plan.end(), self.end());
        assert_eq!(
            plan.bytes_of(Part::Base).get() + plan.bytes_of(Part::Delta).get(),
            self.written_in_full()
        );
        restore(&Threads(threads), &plan, device, target, manner, progress)
            .map(|(loaded, _)| loaded)
    }
}

const ONE: SectorCount = SectorCount::from_u32(1);

fn data(content: &dyn Fn(u64) -> Vec<u8>, range: SectorRange) -> Vec<u8> {
    (range.start().get()..range.end().get()).flat_map(content).collect()
}

fn load_all(image: &Image<'_, Vec<u8>>, target: Target<'_>) {
    load(&SingleThread, image, Arrival::Complete, target, &LoadProgress::default()).unwrap();
}

fn some() -> impl Strategy<Value = ExtentSet> {
    runs().prop_map(|runs| {
        let ranges = runs.into_iter().map(|(at, len)| range(at, (at + len).min(SECTORS)));
        ExtentSet::from_unsorted(ranges.collect())
    })
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![Just(Manner::Sampled), Just(Manner::Converge), Just(Manner::Full)]
}

/// A disk that fails at some write, half done with it, as one whose machine is turned off.
struct Failing {
    disk: Memory,
    left: AtomicUsize,
}

impl WriteAt for Failing {
    fn end(&self) -> Option<Bytes> {
        self.disk.end()
    }

    fn write_at(&self, offset: Bytes, data: &[u8]) -> Result<()> {
        let counted = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if counted.is_ok() {
            return self.disk.write_at(offset, data);
        }
        self.disk.write_at(offset, &data[..data.len() / 1024 * 512])?;
        Err(ErrorKind::Write(5).at(Place::Byte(offset)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_disk_is_as_it_was_saved(
        base in in_use(),
        changed in some(),
        freed in some(),
        how in hashing(),
        fill in fill(),
        start in 0..40_u32,
        manner in manner(),
        held in 0..3_u8,
        damaged in runs(),
        reloc_at in prop::option::of(any::<usize>()),
        threads in 1..4_usize,
    ) {
        let relocs = relocs_in(&base, reloc_at, false);
        let saved = Saved::with_relocs(how, &base, &changed, &freed, (&relocs, start));
        // Another's disk, one with the base image, or one that was restored before.
        let mut before = vec![GARBAGE; (SECTORS + 60) as usize * SECTOR];
        if held > 0 {
            let device = disk(&before);
            load_all(&Image::open(&saved.base).unwrap(), Target::new(&device, place_at(start)));
            if held > 1 {
                load_all(&Image::open(&saved.delta).unwrap(), Target::new(&device, place_at(start)));
            }
            before = device.take();
        }
        damage(&mut before, &damaged);

        let device = disk(&before);
        let target = Target {
            fill,
            fill_to: device.end(),
            read_back: Some(&device),
            ..Target::new(&device, place_at(start))
        };
        let progress = LoadProgress::default();
        saved.restore(threads, target, &device, manner, &progress).unwrap();
        let after = device.take();
        prop_assert!(after == saved.model(&before, start, fill));
        let count = |counter: AtomicU64| counter.into_inner();
        let (written, avoided) = (count(progress.written), count(progress.avoided));
        prop_assert_eq!(written + avoided, saved.written_in_full());
        prop_assert_eq!(count(progress.verified), written);
        if manner == Manner::Full {
            prop_assert_eq!(avoided, 0);
        }

        // Nothing is written again but what no signature tells: blocks with freed sectors in them,
        // of which the delta has a part, or with relocations.
        let (device, progress) = (disk(&after), LoadProgress::default());
        let target = Target::new(&device, place_at(start));
        saved.restore(threads, target, &device, Manner::Converge, &progress).unwrap();
        prop_assert!(device.take() == after);
        let told: ExtentSet = saved.signature.iter().map(|entry| entry.range).collect();
        let base_entries = saved.base_signature.iter().map(|entry| entry.range);
        let unmixed: ExtentSet = base_entries
            .filter(|range| saved.delta_in_use.within(*range).next().is_none())
            .filter(|range| relocs.iter().all(|reloc| range.intersection(reloc.sectors()).is_none()))
            .collect();
        let sure = unmixed.union(&saved.delta_in_use.intersection(&told));
        let all = saved.base_in_use.union(&saved.delta_in_use);
        let most = all.difference(&sure).sector_count().to_bytes().get();
        prop_assert!(count(progress.written) <= most);
    }

    #[test]
    fn broken_off_anywhere_it_can_be_done_again(
        base in in_use(),
        changed in some(),
        freed in some(),
        how in hashing(),
        manners in prop::collection::vec((manner(), 0..40_usize), 1..5),
        threads in 1..4_usize,
    ) {
        let saved = Saved::new(how, &base, &changed, &freed);
        let before = vec![GARBAGE; (SECTORS + 60) as usize * SECTOR];
        let mut now = before.clone();
        for (manner, writes) in manners {
            let failing = Failing { disk: disk(&now), left: AtomicUsize::new(writes) };
            let target = Target { fill: Fill::Zero, fill_to: failing.end(), ..Target::new(&failing, place_at(0)) };
            let result = saved.restore(threads, target, &failing.disk, manner, &LoadProgress::default());
            if let Err(error) = result {
                prop_assert_eq!(error.error.kind, ErrorKind::Write(5));
            }
            now = failing.disk.take();
        }
        let device = disk(&now);
        let target = Target { fill: Fill::Zero, fill_to: device.end(), ..Target::new(&device, place_at(0)) };
        saved.restore(threads, target, &device, Manner::Sampled, &LoadProgress::default()).unwrap();
        prop_assert!(device.take() == saved.model(&before, 0, Fill::Zero));
    }

    #[test]
    fn images_that_are_not_those_of_the_signatures_are_not_loaded(
        base in in_use(),
        changed in some(),
        how in hashing(),
        other in some(),
        which in 0..2_u8,
        manner in manner(),
    ) {
        prop_assume!(!base.is_empty());
        let mut saved = Saved::new(how, &base, &changed, &ExtentSet::new());
        let right = saved.model(&vec![GARBAGE; (SECTORS + 60) as usize * SECTOR], 0, Fill::Keep);
        let version = |sector: u64| {
            let sector = Sector::new(sector).unwrap();
            9 * u64::from(other.contains(SectorRange::new(sector, sector.saturating_add(ONE)).unwrap()))
        };
        let (file, in_use) = match which {
            0 => (&mut saved.base, &saved.base_in_use),
            _ => (&mut saved.delta, &saved.delta_in_use),
        };
        let touched = !in_use.intersection(&other).is_empty();
        let old = u64::from(which);
        let wrong = |sector| noise(sector, if version(sector) == 9 { 9 } else { old });
        // In the delta all is changed, unless it shares a block with what is.
        prop_assume!(which == 0 || in_use.difference(&changed).is_empty());
        *file = make_image_of(&wrong, Format::V3, in_use, &[], SECTORS);
        let device = Memory::garbage(SECTORS + 60);
        let target = Target::new(&device, place_at(0));
        let result = saved.restore(2, target, &device, manner, &LoadProgress::default());
        match result {
            Ok(_) => prop_assert!(device.take() == right),
            Err(error) => {
                prop_assert!(touched);
                prop_assert_eq!(error.error.kind, ErrorKind::Corrupt(CorruptKind::SignatureForeign));
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_before_the_first_write() {
    let base = range(0, 100).into();
    let changed = range(SECTORS - 1, SECTORS).into();
    let saved = Saved::new(Hashing::default(), &base, &changed, &ExtentSet::new());
    let device = Memory::garbage(SECTORS - 1);
    let target = Target { fit: Fit::Data, fill: Fill::Zero, ..Target::new(&device, place_at(0)) };
    let result = saved.restore(1, target, &device, Manner::Full, &LoadProgress::default());
    let error = ErrorKind::TooLarge(Limit::Target).at(Place::Sector(Sector::from_u32(SECTORS)));
    assert_eq!(result, Err(RestoreError { part: Part::Delta, error }));
    assert!(device.take().iter().all(|byte| *byte == GARBAGE));
}

#[test]
fn a_signature_of_more_than_the_images_hold_is_refused() {
    let base = range(0, 100).into();
    let mut saved = Saved::new(Hashing::default(), &base, &range(50, 60).into(), &ExtentSet::new());
    let digest = saved.signature.digest(&[0; 512]);
    let (range, chunk) = (range(200, 201), ChunkNumber::new(0, false));
    saved.signature.push(Entry { range, chunk, digest }).unwrap();
    let device = Memory::garbage(SECTORS);
    let target = Target::new(&device, place_at(0));
    let result = saved.restore(1, target, &device, Manner::Full, &LoadProgress::default());
    let kind = ErrorKind::Corrupt(CorruptKind::SignatureForeign);
    let error = kind.at(Place::Sector(range.start()));
    assert_eq!(result, Err(RestoreError { part: Part::Delta, error }));
    assert!(device.take().iter().all(|byte| *byte == GARBAGE));
}
