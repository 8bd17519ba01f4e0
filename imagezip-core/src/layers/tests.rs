#![expect(clippy::cast_possible_truncation, reason = "the disks are small")]

use super::*;
use crate::error::{CorruptKind, Error};
use crate::ndz::{CHUNK_BYTES, HEADER_BYTES, RelocType};
use crate::pipeline::{SingleThread, Workers, ordered};
use proptest::prelude::*;
use std::io::Write as _;
use std::string::ToString;
use std::{thread, vec};

const SECTOR: usize = 512;
const SECTORS: u32 = 600;

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

/// A chunk of version 1 or 3, put together by hand.
fn chunk(
    v1: bool,
    number: u32,
    covered: SectorRange,
    regions: &[SectorRange],
    data: &[u8],
) -> Vec<u8> {
    let compression = flate2::Compression::new(6);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), compression);
    encoder.write_all(data).unwrap();
    let payload = encoder.finish().unwrap();
    assert!(payload.len() <= CHUNK_BYTES - HEADER_BYTES);
    let number32 = |n: u64| u32::try_from(n).unwrap();
    let magic = if v1 { 0x6969_6969 } else { 0x6969_696b };
    let region_count = u32::try_from(regions.len()).unwrap();
    let mut fields =
        vec![magic, u32::try_from(payload.len()).unwrap(), number, 0, 4096, region_count];
    if !v1 {
        fields.extend([number32(covered.start().get()), number32(covered.end().get()), 0]);
    }
    for region in regions {
        fields.extend([number32(region.start().get()), number32(region.len().get())]);
    }
    let mut chunk: Vec<u8> = fields.into_iter().flat_map(u32::to_le_bytes).collect();
    chunk.resize(HEADER_BYTES, 0);
    chunk.extend(payload);
    chunk.resize(CHUNK_BYTES, 0);
    chunk
}

/// Adds relocations to a chunk of version 3: kind and sector.
fn with_relocs(mut chunk: Vec<u8>, relocs: &[(u32, u32)]) -> Vec<u8> {
    chunk[32] = u8::try_from(relocs.len()).unwrap();
    let mut at = 36 + 8 * usize::from(chunk[20]);
    for field in relocs.iter().flat_map(|(kind, sector)| [*kind, *sector, 0, 8]) {
        chunk[at..at + 4].copy_from_slice(&field.to_le_bytes());
        at += 4;
    }
    chunk
}

/// What an image holds: the value of each of its sectors, if it holds it.
#[derive(Clone, Debug)]
struct Content {
    v1: bool,
    values: Vec<Option<u8>>,
    /// Where chunks end.
    cuts: Vec<u32>,
}

impl Content {
    fn extents(&self, within: SectorRange) -> ExtentSet {
        let held = (within.start().get()..within.end().get())
            .filter(|sector| self.values[*sector as usize].is_some())
            .map(|sector| range(sector as u32, sector as u32 + 1));
        held.collect()
    }

    fn file(&self) -> Vec<u8> {
        let end = u32::try_from(self.values.len()).unwrap();
        let mut cuts = self.cuts.clone();
        cuts.retain(|cut| *cut < end);
        cuts.push(end);
        cuts.sort_unstable();
        let (mut file, mut number, mut start) = (Vec::new(), 0, 0);
        for cut in cuts {
            let regions = self.extents(range(start, cut));
            // A chunk has a region, so what holds nothing is left to the next one or to the last.
            if regions.is_empty() {
                continue;
            }
            let none_after = self.extents(range(cut, end)).is_empty();
            let covered = range(start, if none_after { end } else { cut });
            let values = regions.iter().flat_map(|r| r.start().get()..r.end().get());
            let data: Vec<u8> =
                values.flat_map(|s| vec![self.values[s as usize].unwrap(); SECTOR]).collect();
            file.extend(chunk(self.v1, number, covered, regions.as_slice(), &data));
            if none_after {
                break;
            }
            (number, start) = (number + 1, cut);
        }
        file
    }
}

fn content() -> impl Strategy<Value = Content> {
    let run = (0..SECTORS, 1..80_u32, any::<u8>());
    let runs = prop::collection::vec(run, 0..10);
    let cuts = prop::collection::vec(1..SECTORS, 0..4);
    (runs, cuts, 1..=SECTORS, prop::bool::weighted(0.2)).prop_map(|(runs, cuts, size, v1)| {
        let mut values = vec![None; size as usize];
        for (start, len, value) in runs {
            let end = (start + len).min(size);
            values[start.min(end) as usize..end as usize].fill(Some(value));
        }
        Content { v1, values, cuts }
    })
}

/// What the images make together, worked out sector by sector.
fn model(contents: &[Content]) -> Vec<Option<u8>> {
    let mut size = 0;
    for content in contents.iter().rev() {
        let held = content.values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if held > 0 && !content.v1 {
            size = size.max(content.values.len());
            break;
        }
        size = size.max(held);
    }
    let mut disk = vec![None; size];
    for content in contents {
        for (sector, value) in content.values.iter().enumerate().take(size) {
            disk[sector] = value.or(disk[sector]);
        }
    }
    disk
}

fn layers<'a>(files: &'a [Vec<u8>], open_chunks: usize) -> Result<Layers<'a>> {
    let open = |file: &'a Vec<u8>| Image::open(file as &dyn ReadAt);
    Layers::new(files.iter().map(open).collect::<Result<_>>()?, open_chunks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_sector_comes_from_the_topmost_image_that_holds_it(
        contents in prop::collection::vec(content(), 0..5),
        open_chunks in 0..4_usize,
        reads in prop::collection::vec((any::<prop::sample::Index>(), 0..60_000_usize), 1..12),
    ) {
        let files: Vec<_> = contents.iter().map(Content::file).collect();
        let layers = layers(&files, open_chunks).unwrap();
        let disk = model(&contents);
        prop_assert_eq!(layers.sectors().get(), disk.len() as u64);
        let held = (0..disk.len() as u32).filter(|s| disk[*s as usize].is_some());
        prop_assert_eq!(layers.extents(), &held.map(|s| range(s, s + 1)).collect::<ExtentSet>());
        let all = (0..layers.image_count()).map(|i| layers.visible(i).unwrap().clone());
        let union = all.fold(ExtentSet::new(), |all, one| {
            assert!(all.intersection(&one).is_empty());
            all.union(&one)
        });
        prop_assert_eq!(layers.extents(), &union);

        let bytes: Vec<u8> = disk.iter().flat_map(|value| [value.unwrap_or(0); SECTOR]).collect();
        let read = |start: usize, len: usize| {
            let mut buf = vec![0xee; len];
            layers.read_at(Bytes(start as u64), &mut buf).unwrap();
            assert!(buf == bytes[start..start + len], "{start}, {len}");
        };
        read(0, bytes.len());
        let places: Vec<_> = reads
            .iter()
            .map(|(start, len)| (start.index(bytes.len() + 1), *len))
            .map(|(start, len)| (start, len.min(bytes.len() - start)))
            .collect();
        let read = &read;
        thread::scope(|scope| {
            for part in places.chunks(4) {
                scope.spawn(move || part.iter().for_each(|(start, len)| read(*start, *len)));
            }
        });
        let mut past = vec![0; bytes.len() + 1];
        let error = layers.read_at(Bytes(0), &mut past).unwrap_err();
        prop_assert_eq!(error.kind, ErrorKind::Truncated);
    }

    /// Whatever is broken in an image: an error that names it, or the data that are there.
    #[test]
    fn damage_is_an_error_with_its_place(
        content in content(), at in any::<prop::sample::Index>(), bits in 1..=255_u8,
    ) {
        let sound = content.file();
        prop_assume!(!sound.is_empty());
        let mut broken = sound.clone();
        let at = at.index(8192);
        broken[at] ^= bits;
        let files = [sound, broken];
        let in_the_broken_one = |error: Error| match error.place {
            Place::Layer { layer, .. } => assert_eq!(layer, 1),
            other => panic!("{other:?}"),
        };
        match layers(&files, 2) {
            Ok(layers) => {
                let mut buf = vec![0; layers.size().get() as usize];
                if let Err(error) = layers.read_at(Bytes(0), &mut buf) {
                    in_the_broken_one(error.clone());
                    // The next reader of the same chunk doesn't get anything else.
                    prop_assert_eq!(layers.read_at(Bytes(0), &mut buf), Err(error));
                }
            }
            Err(error) => in_the_broken_one(error),
        }
    }
}

#[test]
fn a_wrong_checksum_spoils_all_of_a_chunk() {
    let file = chunk(false, 0, range(0, 4), &[range(0, 4)], &[9; 4 * SECTOR]);
    let payload_len = usize::from(u16::from_le_bytes([file[4], file[5]]));
    let mut broken = file.clone();
    broken[HEADER_BYTES + payload_len - 1] ^= 1;
    let files = [file, broken];
    let error = layers(&files, 2).unwrap().read_at(Bytes(0), &mut [0; SECTOR]).unwrap_err();
    let place = Place::Layer { layer: 1, chunk: 0 };
    assert_eq!(error, ErrorKind::Corrupt(CorruptKind::PayloadChecksum).at(place));
    assert_eq!(place.to_string(), " in chunk 0 of image 1");
}

#[test]
fn relocations_come_with_their_sectors() {
    let base = chunk(false, 0, range(0, 100), &[range(0, 8), range(20, 30)], &[1; 18 * SECTOR]);
    let delta = chunk(false, 0, range(0, 100), &[range(1, 2), range(25, 26)], &[2; 2 * SECTOR]);
    let files = [
        // Sector 40 is in no image.
        with_relocs(base, &[(1, 1), (5, 22), (3, 22), (4, 21), (3, 25), (1, 40)]),
        with_relocs(delta, &[(2, 25), (3, 25), (9, 3)]),
        Vec::new(),
    ];
    let layers = layers(&files, 0).unwrap();
    let found: Vec<_> = layers.relocs().iter().map(|r| (r.kind, r.sector.get())).collect();
    let expected = [(4, 21), (5, 22), (3, 22), (2, 25), (3, 25)];
    assert_eq!(found, expected.map(|(kind, sector)| (RelocType(kind), sector)));
}

#[test]
fn a_smaller_delta_cuts_the_base_off() {
    let files = [
        chunk(false, 0, range(0, 100), &[range(10, 80)], &vec![1; 70 * SECTOR]),
        chunk(false, 0, range(0, 50), &[range(5, 6)], &[2; SECTOR]),
    ];
    let layers = layers(&files, 0).unwrap();
    assert_eq!(layers.sectors().get(), 50);
    assert_eq!(layers.cut_off().get(), 30);
    assert_eq!(layers.extents().as_slice(), [range(5, 6), range(10, 50)]);
}

struct Threads(usize);

impl Workers for Threads {
    fn count(&self) -> usize {
        self.0
    }

    fn run(&self, body: &(dyn Fn(usize) + Sync)) {
        thread::scope(|scope| {
            (0..self.0).for_each(|number| drop(scope.spawn(move || body(number))));
        });
    }
}

/// Reads all of `layers` in windows of 1 MiB, which must hold `value` only.
fn read_in_windows(workers: &dyn Workers, layers: &Layers<'_>, value: u8) {
    const WINDOW: u64 = 1 << 20;
    let mut windows = 0..layers.size().get() / WINDOW;
    let slots = (0..workers.count() * 2).map(|_| vec![0; WINDOW as usize]).collect();
    ordered(
        workers,
        slots,
        || Ok(windows.next()),
        |window, buf: &mut Vec<u8>| layers.read_at(Bytes(window * WINDOW), buf),
        |buf| {
            assert!(buf.iter().all(|byte| *byte == value));
            Ok(())
        },
    )
    .unwrap();
}

/// A chunk can expand a thousandfold: it is decoded once as long as it is read in order.
#[test]
fn a_huge_chunk_is_decoded_once() {
    const LEN: usize = 960 << 20;
    let all = range(0, (LEN / SECTOR) as u32);
    let files = [chunk(false, 0, all, &[all], &vec![7; LEN])];
    let layers = layers(&files, 4).unwrap();
    read_in_windows(&Threads(4), &layers, 7);
    assert_eq!(layers.decoded().get(), LEN as u64);
    assert_eq!(layers.cache.len(), 1);

    // A little back is still there; far back is decoded again.
    let mut buf = [0; SECTOR];
    layers.read_at(Bytes((LEN - (16 << 20)) as u64), &mut buf).unwrap();
    assert_eq!(layers.decoded().get(), LEN as u64);
    layers.read_at(Bytes(0), &mut buf).unwrap();
    assert!(layers.decoded().get() > LEN as u64);
    assert_eq!(buf, [7; SECTOR]);
}

#[test]
fn few_chunks_are_open_at_a_time() {
    let step = 2048;
    let chunks = (0..12).map(|i| {
        let all = range(i * step, (i + 1) * step);
        chunk(false, i, all, &[all], &vec![3; step as usize * SECTOR])
    });
    let files = [chunks.collect::<Vec<_>>().concat()];
    let len = u64::from(12 * step) * SECTOR as u64;
    let layers = layers(&files, 3).unwrap();
    read_in_windows(&SingleThread, &layers, 3);
    assert_eq!((layers.cache.len(), layers.decoded().get()), (3, len));
    read_in_windows(&Threads(3), &layers, 3);
    assert!(layers.cache.len() <= 3 + 3);
}
