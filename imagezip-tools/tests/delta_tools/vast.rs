//! Disks beyond 2 TiB, whose sectors have numbers of more than 32 bits.

use imagezip_core::allocation::DiskMap;
use imagezip_core::codec::Decompressor;
use imagezip_core::device::ReadAt;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Format, Image};
use imagezip_core::pipeline::{Progress, SingleThread, Source, save};
use imagezip_core::sector::{Bytes, Sector, SectorCount, SectorRange};

use crate::model::Bench;

const SECTORS: u64 = 1 << 34;
const FAR: u64 = 1 << 33;

/// A disk all of whose bytes are equal.
struct Plain(u8);

impl ReadAt for Plain {
    fn size(&self) -> Bytes {
        SectorCount::new(SECTORS).unwrap().to_bytes()
    }

    fn read_at(&self, _: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        buf.fill(self.0);
        Ok(())
    }
}

fn range(start: u64, len: u64) -> SectorRange {
    let (start, len) = (Sector::new(start).unwrap(), SectorCount::new(len).unwrap());
    SectorRange::with_len(start, len).unwrap()
}

fn image(value: u8, extents: &[SectorRange]) -> Vec<u8> {
    let area = SectorRange::first(SectorCount::new(SECTORS).unwrap());
    let map = DiskMap::known(area, extents.iter().copied().collect());
    let disk = Plain(value);
    let source = Source { format: Format::V5, id: [7; 16], ..Source::new(&disk, &map) };
    let mut file = Vec::new();
    save(&SingleThread, source, &mut file, &Progress::default()).unwrap();
    file
}

/// Checks the extents of an image, each with the value of its bytes.
fn assert_holds(file: &[u8], expected: &[(SectorRange, u8)]) {
    let image = Image::open(file).unwrap();
    assert_eq!(image.sectors().unwrap().get(), SECTORS);
    let extents: ExtentSet = expected.iter().map(|(range, _)| *range).collect();
    assert_eq!(image.extents().unwrap(), extents);
    let (mut chunks, mut scratch) = (image.chunks(), Decompressor::new());
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        let mut check = |start: Sector, data: &[u8]| {
            for (sector, bytes) in (start.get()..).zip(data.chunks(512)) {
                let (_, value) =
                    expected.iter().find(|(e, _)| e.contains(range(sector, 1))).unwrap();
                assert!(bytes.iter().all(|byte| byte == value), "sector {sector}");
            }
            Ok(())
        };
        chunk.decode(&mut scratch, &mut check).unwrap();
    }
}

#[test]
fn deltas_and_chains_reach_beyond_32_bits() {
    let bench = Bench::new();
    let (near, far) = (range(0, 300), range(FAR, 300));
    bench.write("base", &image(1, &[near, far]));
    bench.write("new", &image(2, &[far]));
    bench.done("imagedelta --no-signature base new delta");
    assert_holds(&bench.read("delta"), &[(far, 2)]);
    bench.done("imageundelta --no-signature base delta full");
    assert_holds(&bench.read("full"), &[(near, 1), (far, 2)]);
    bench.done("imagerezip full again");
    bench.done("imagerebase --no-signature base delta full one");
    assert_holds(&bench.read("one"), &[(far, 2)]);
    for name in ["delta", "full", "again", "one"] {
        let file = bench.read(name);
        assert_eq!((file[0], &file[56..72]), (0x6d, &[7; 16][..]), "{name}: version and identity");
    }
}

#[test]
fn what_cannot_be_expressed_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    bench.write("base", &image(1, &[range(0, 300), range(FAR, 300)]));
    bench.write("new", &image(2, &[range(FAR, 300)]));
    let said = bench.fails("imagedelta base new delta", 8);
    assert!(said.contains("delta.sig") && said.contains("--no-signature"), "{said}");
    let said = bench.fails("imagerezip -3 base three", 8);
    assert!(said.contains("32 bits"), "{said}");
    assert_eq!(bench.names(), ["base", "new"]);
}
