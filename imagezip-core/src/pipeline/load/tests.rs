//! Loads onto devices in memory, compared with a model that goes sector by sector.

#![expect(clippy::cast_possible_truncation, reason = "the disks are small")]

mod converging;
mod reading_back;
mod restoring;

use std::sync::Mutex;

use alloc::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::{Compressor, Level, Piece};
use crate::device::write_repeated;
use crate::error::{CorruptKind, Error, ErrorKind, Limit, Place};
use crate::extent::ExtentSet;
use crate::ndz::{Format, ImageWriter, Reloc, RelocType};
use crate::pipeline::ordered::tests::Threads;
use crate::pipeline::{Compared, SingleThread, Workers, compare_and_digest};
use crate::sector::{SECTOR_BYTES, SectorCount, SectorRange};

const SECTORS: u32 = 3000;
const SECTOR: usize = SECTOR_BYTES as usize;
const GARBAGE: u8 = 0xa5;
const DISCARDED: u8 = 0xd5;

/// A disk in memory. Discards work on blocks of 4096 bytes.
struct Memory(Mutex<Vec<u8>>);

impl Memory {
    fn garbage(sectors: u32) -> Self {
        Self(Mutex::new(vec![GARBAGE; sectors as usize * SECTOR]))
    }

    fn take(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

impl ReadAt for Memory {
    fn size(&self) -> Bytes {
        self.0.lock().unwrap().size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        self.0.lock().unwrap().read_at(offset, buf)
    }
}

impl WriteAt for Memory {
    fn end(&self) -> Option<Bytes> {
        Some(self.0.lock().unwrap().size())
    }

    fn write_at(&self, offset: Bytes, data: &[u8]) -> Result<()> {
        let start = offset.get() as usize;
        let mut bytes = self.0.lock().unwrap();
        let beyond = || ErrorKind::Write(28).at(Place::Byte(offset));
        bytes.get_mut(start..start + data.len()).ok_or_else(beyond)?.copy_from_slice(data);
        Ok(())
    }

    fn discard(&self, offset: Bytes, len: u64) -> Result<u64> {
        let from = offset.get().next_multiple_of(4096);
        let to = (offset.get() + len) / 4096 * 4096;
        let gone = to.saturating_sub(from);
        write_repeated(self, Bytes(from), gone, &[DISCARDED; 512])?;
        Ok(gone)
    }
}

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

fn content(sector: u64) -> impl Iterator<Item = u8> {
    (0..SECTOR as u64).map(move |i| (sector * 31 + i / 7) as u8)
}

fn make_image(format: Format, in_use: &ExtentSet, relocs: &[Reloc], sectors: u32) -> Vec<u8> {
    make_image_of(&|sector| content(sector).collect(), format, in_use, relocs, sectors)
}

fn make_image_of(
    content: &dyn Fn(u64) -> Vec<u8>,
    format: Format,
    in_use: &ExtentSet,
    relocs: &[Reloc],
    sectors: u32,
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file, format);
    let mut compressor = Compressor::new(Level::default());
    for extent in in_use {
        let mut rest = extent;
        while !rest.is_empty() {
            let (part, after) =
                rest.split_at(rest.start().saturating_add(SectorCount::from_u32(64)));
            let data: Vec<_> = (part.start().get()..part.end().get()).flat_map(content).collect();
            let mut piece = Piece::new();
            compressor.compress(&data, &mut piece);
            let inside = |reloc: &&Reloc| part.start() <= reloc.sector && reloc.sector < part.end();
            let relocs: Vec<_> = relocs.iter().filter(inside).copied().collect();
            writer.push(&[part], &relocs, &piece).unwrap();
            rest = after;
        }
    }
    writer.finish(SectorCount::from_u32(sectors)).unwrap();
    file
}

fn compare(
    workers: &dyn Workers,
    image: &Image<'_, Vec<u8>>,
    device: &dyn ReadAt,
    place: Placement,
) -> Result<Compared> {
    compare_and_digest(workers, image, device, place, &AtomicU64::default()).map(|(found, _)| found)
}

fn place_at(start: u32) -> Placement {
    Placement { start: Sector::from_u32(start), ..Placement::default() }
}

/// Some extents; often so many that they need several chunks.
fn in_use() -> impl Strategy<Value = ExtentSet> {
    let one = (0..SECTORS, 1..200_u32).prop_map(|(at, len)| range(at, (at + len).min(SECTORS)));
    let some = prop::collection::vec(one, 1..12);
    let dotted = (0..SECTORS / 2, 0..1500_u32).prop_map(|(at, count)| {
        let dots = (0..count).map(move |i| at + i * 2).take_while(|at| *at < SECTORS);
        dots.map(|at| range(at, at + 1)).collect()
    });
    prop_oneof![some.prop_map(ExtentSet::from_unsorted), dotted]
}

fn fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        Just(Fill::Keep),
        Just(Fill::Zero),
        any::<u32>().prop_map(Fill::Pattern),
        Just(Fill::Discard),
    ]
}

/// What a free run of sectors becomes.
fn fill_model(disk: &mut [u8], free: SectorRange, fill: Fill) {
    let (from, to) = (free.start().to_bytes().get() as usize, free.end().to_bytes().get() as usize);
    match fill {
        Fill::Keep => {}
        Fill::Zero => disk[from..to].fill(0),
        Fill::Pattern(pattern) => {
            for word in disk[from..to].chunks_mut(4) {
                word.copy_from_slice(&pattern.to_le_bytes());
            }
        }
        Fill::Discard => {
            let (from, to) = (from.next_multiple_of(4096), to / 4096 * 4096);
            if from < to {
                disk[from..to].fill(DISCARDED);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_load_writes_what_it_should_and_nothing_else(
        in_use in in_use(),
        fill in fill(),
        v1: bool,
        beyond: bool,
        start in 0..40_u32,
        threads in 1..4_usize,
        seed in prop::option::of(any::<u64>()),
    ) {
        let format = if v1 { Format::V1 } else { Format::V3 };
        let file = make_image(format, &in_use, &[], SECTORS);
        let image = Image::open(&file).unwrap();
        let device = Memory::garbage(SECTORS + 60);
        let target = Target {
            fill,
            fill_to: beyond.then_some(device.end().unwrap()),
            order: seed.map_or(Order::Ascending, Order::Scattered),
            ..Target::new(&device, place_at(start))
        };
        let progress = LoadProgress::default();
        let loaded = load(&Threads(threads), &image, Arrival::Complete, target, &progress).unwrap();

        let mut expected = vec![GARBAGE; (SECTORS + 60) as usize * SECTOR];
        let mut end = Sector::ZERO;
        let mut free = Vec::new();
        image.headers(&mut |header| {
            end = header.covered().end();
            let held: ExtentSet = header.regions().collect();
            free.extend(held.complement(header.covered()).absolute_from(Sector::from_u32(start)).iter());
            Ok(())
        }).unwrap();
        let end = start + end.get() as u32;
        if beyond && fill != Fill::Keep {
            free.push(range(end, SECTORS + 60));
        }
        // Across the bounds of chunks, too: what is discarded depends on it.
        for run in &ExtentSet::from_unsorted(free) {
            fill_model(&mut expected, run, fill);
        }
        for sector in in_use.iter().flat_map(|e| e.start().get()..e.end().get()) {
            let at = (u64::from(start) + sector) as usize * SECTOR;
            expected[at..at + SECTOR].copy_from_slice(&content(sector).collect::<Vec<_>>());
        }
        prop_assert!(v1 || end == start + SECTORS);
        prop_assert_eq!(loaded.end, Sector::from_u32(end).to_bytes());
        prop_assert_eq!(loaded.chunks, u64::from(image.chunk_count()));
        let disk = device.take();
        prop_assert!(disk == expected);

        let count = |counter: AtomicU64| counter.into_inner();
        prop_assert_eq!(count(progress.chunks), loaded.chunks);
        prop_assert_eq!(count(progress.written), in_use.sector_count().to_bytes().get());
        let free = count(progress.filled) + count(progress.discarded) + count(progress.skipped);
        let last = if beyond && fill != Fill::Keep { SECTORS + 60 } else { end };
        if !v1 {
            let all = SectorCount::from_u32(last - start).to_bytes().get();
            prop_assert_eq!(free, all - in_use.sector_count().to_bytes().get());
        }

        let compared = compare(&Threads(threads), &image, &disk, place_at(start)).unwrap();
        prop_assert_eq!(compared.different, SectorCount::ZERO);
        prop_assert_eq!(compared.compared, in_use.sector_count().to_bytes());
    }

    #[test]
    fn a_stream_is_what_a_load_onto_zeros_makes(
        in_use in in_use(),
        threads in 1..4_usize,
        in_order: bool,
        chunks_there in 0..8_u32,
    ) {
        let file = make_image(Format::V3, &in_use, &[], SECTORS);
        let image = Image::open(&file).unwrap();
        let there = |number| Ok(number < chunks_there);
        let arrival = if in_order { Arrival::InOrder(&there) } else { Arrival::Complete };
        let mut made = Vec::new();
        let mut out = |data: &[u8]| { made.extend_from_slice(data); Ok(()) };
        let progress = LoadProgress::default();
        stream(&Threads(threads), &image, arrival, Gaps::Zero, &mut out, &progress).unwrap();

        let device = Memory(Mutex::new(vec![0; SECTORS as usize * SECTOR]));
        let target = Target::new(&device, Placement::default());
        let loaded = load(&SingleThread, &image, arrival, target, &LoadProgress::default()).unwrap();
        let mut disk = device.take();
        prop_assert_eq!(loaded.chunks, u64::from(if in_order { chunks_there.min(image.chunk_count()) } else { image.chunk_count() }));
        prop_assert!(loaded.end == Bytes(made.len() as u64));
        disk.truncate(made.len());
        prop_assert!(made == disk);

        let mut made = Vec::new();
        let mut out = |data: &[u8]| { made.extend_from_slice(data); Ok(()) };
        stream(&Threads(threads), &image, Arrival::Complete, Gaps::Omit, &mut out, &progress).unwrap();
        let held: Vec<_> =
            in_use.iter().flat_map(|e| e.start().get()..e.end().get()).flat_map(content).collect();
        prop_assert!(made == held);
    }

    #[test]
    fn damage_never_panics_or_writes_out_of_bounds(
        in_use in in_use(),
        damage in prop::collection::vec((0..4200_usize, any::<u8>()), 1..6),
        threads in 1..3_usize,
    ) {
        let mut file = make_image(Format::V3, &in_use, &[], SECTORS);
        for (at, value) in damage {
            // An image of nothing has no bytes.
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        let image = Image::open(&file).unwrap();
        // The device refuses what is out of bounds; the checks before have to see to it.
        let device = Memory::garbage(SECTORS);
        let target = Target { fill: Fill::Zero, ..Target::new(&device, Placement::default()) };
        let loaded = load(&Threads(threads), &image, Arrival::Complete, target, &LoadProgress::default());
        let refused = matches!(loaded, Err(Error { kind: ErrorKind::Write(_), .. }));
        prop_assert!(!refused);
        let mut out = |_: &[u8]| Ok(());
        let _ = stream(&Threads(threads), &image, Arrival::Complete, Gaps::Omit, &mut out, &LoadProgress::default());
        let _ = compare(&Threads(threads), &image, &device.take(), Placement::default());
    }
}

/// Loads an image of sectors 10 to 20 of 100 with room for so many, and expects that it fails
/// without a write.
fn refused(room: u32, place: Placement, fit: Fit) -> Option<Error> {
    let file = make_image(Format::V3, &range(10, 20).into(), &[], 100);
    let image = Image::open(&file).unwrap();
    let device = Memory::garbage(room);
    let target = Target { fit, fill: Fill::Zero, ..Target::new(&device, place) };
    let loaded = load(&SingleThread, &image, Arrival::Complete, target, &LoadProgress::default());
    let untouched = device.take().iter().all(|byte| *byte == GARBAGE);
    assert_eq!(loaded.is_err(), untouched);
    loaded.err()
}

#[test]
fn what_is_larger_than_the_target_is_refused_before_the_first_write() {
    let too_large =
        |sector| ErrorKind::TooLarge(Limit::Target).at(Place::Sector(Sector::from_u32(sector)));
    assert_eq!(refused(100, place_at(0), Fit::All), None);
    assert_eq!(refused(99, place_at(0), Fit::All), Some(too_large(100)));
    assert_eq!(refused(104, place_at(5), Fit::All), Some(too_large(105)));
    assert_eq!(refused(20, place_at(0), Fit::Data), None, "only free sectors are beyond the end");
    assert_eq!(refused(19, place_at(0), Fit::Data), Some(too_large(20)));
    let inside = |end| Placement {
        start: Sector::from_u32(2),
        end: Some(Sector::from_u32(end)),
        slice: true,
    };
    assert_eq!(refused(200, inside(102), Fit::All), None);
    assert_eq!(refused(200, inside(101), Fit::All), Some(too_large(102)));
    let far = Placement { start: Sector::MAX, ..Placement::default() };
    assert_eq!(refused(200, far, Fit::Data), Some(too_large(100)));
}

#[test]
fn a_file_ends_with_its_last_byte() {
    let short =
        Reloc { kind: RelocType::SHORT_SECTOR, sector: Sector::from_u32(19), offset: 0, size: 100 };
    let file = make_image(Format::V3, &range(0, 20).into(), &[short], 20);
    let image = Image::open(&file).unwrap();
    let device = Memory::garbage(20);
    let target = Target::new(&device, Placement::default());
    let loaded = load(&SingleThread, &image, Arrival::Complete, target, &LoadProgress::default());
    assert_eq!(loaded.unwrap().end, Bytes(19 * 512 + 100));
    let disk = device.take();
    assert_eq!(disk[19 * 512 + 99], content(19).nth(99).unwrap());
    assert_eq!(disk[19 * 512 + 100], GARBAGE, "not the file's");
    let place = Placement::default();
    let compared = compare(&SingleThread, &image, &disk, place).unwrap();
    assert_eq!((compared.compared, compared.first), (Bytes(19 * 512 + 100), None));

    let mut made = Vec::new();
    let mut out = |data: &[u8]| {
        made.extend_from_slice(data);
        Ok(())
    };
    let progress = LoadProgress::default();
    stream(&SingleThread, &image, Arrival::Complete, Gaps::Zero, &mut out, &progress).unwrap();
    assert_eq!(made, disk[..made.len()]);
    assert_eq!(made.len(), 19 * 512 + 100);
}

#[test]
fn differences_are_counted() {
    let file = make_image(Format::V3, &range(10, 20).into(), &[], 100);
    let image = Image::open(&file).unwrap();
    let device = Memory::garbage(104);
    let target = Target::new(&device, place_at(4));
    load(&SingleThread, &image, Arrival::Complete, target, &LoadProgress::default()).unwrap();
    let mut disk = device.take();
    disk[17 * SECTOR + 5] ^= 1;
    disk[15 * SECTOR] ^= 1;
    disk[15 * SECTOR + 1] ^= 1;
    disk[13 * SECTOR] ^= 1;
    let found = compare(&SingleThread, &image, &disk, place_at(4)).unwrap();
    assert_eq!(found.first, Some(Sector::from_u32(15)));
    assert_eq!(found.different.get(), 2, "sector 13 is not in the image");
    disk.truncate(20 * SECTOR);
    let ended = compare(&SingleThread, &image, &disk, place_at(4)).unwrap_err();
    assert_eq!(ended.kind, ErrorKind::Truncated);
}

/// More data in a chunk than a stream holds.
#[test]
fn a_chunk_may_hold_many_times_its_size() {
    let sectors = 10 << 11;
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file, Format::V3);
    let mut piece = Piece::new();
    Compressor::new(Level::default()).compress(&vec![7; 256 * 1024], &mut piece);
    for start in (0..sectors).step_by(512) {
        writer.push(&[range(start, start + 512)], &[], &piece).unwrap();
    }
    writer.finish(SectorCount::from_u32(sectors)).unwrap();
    let image = Image::open(&file).unwrap();
    assert_eq!(image.chunk_count(), 1);
    let (mut len, mut right) = (0, true);
    let mut out = |data: &[u8]| {
        len += data.len();
        right &= data.iter().all(|byte| *byte == 7);
        Ok(())
    };
    let progress = LoadProgress::default();
    stream(&Threads(2), &image, Arrival::Complete, Gaps::Zero, &mut out, &progress).unwrap();
    assert!(right);
    assert_eq!(len, sectors as usize * SECTOR);
}

#[test]
fn an_error_of_the_device_ends_the_load() {
    struct Full;
    impl WriteAt for Full {
        fn end(&self) -> Option<Bytes> {
            None
        }
        fn write_at(&self, offset: Bytes, _: &[u8]) -> Result<()> {
            Err(ErrorKind::Write(28).at(Place::Byte(offset)))
        }
    }
    let file = make_image(Format::V3, &range(10, 20).into(), &[], 100);
    let image = Image::open(&file).unwrap();
    let target = Target::new(&Full, Placement::default());
    let loaded = load(&Threads(2), &image, Arrival::Complete, target, &LoadProgress::default());
    assert_eq!(loaded, Err(ErrorKind::Write(28).at(Place::Byte(Bytes(5120)))));
}
