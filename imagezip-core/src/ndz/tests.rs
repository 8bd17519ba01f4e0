use super::header::HeaderFields;
use super::*;
use crate::codec::{Compressor, Decompressor, Piece};
use crate::device::ReadAt;
use crate::digest::Sha256;
use crate::error::{CorruptKind, ErrorKind, Limit, Place};
use crate::extent::ExtentSet;
use crate::pipeline::{Hashing, SingleThread, hash_image};
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};
use core::sync::atomic::AtomicU64;
use proptest::prelude::*;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

/// The content of sectors in these tests: each says which one it is.
fn data_of(extents: &[SectorRange]) -> Vec<u8> {
    let sectors = extents.iter().flat_map(|extent| extent.start().get()..extent.end().get());
    sectors.flat_map(|sector| [sector.to_le_bytes(); 64].concat()).collect()
}

fn piece_of(extents: &[SectorRange]) -> Piece {
    let mut piece = Piece::new();
    Compressor::default().compress(&data_of(extents), &mut piece);
    piece
}

fn write(pieces: &[Vec<SectorRange>], size: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file);
    for extents in pieces {
        writer.push(extents, &piece_of(extents)).unwrap();
    }
    writer.finish(SectorCount::from_u32(size)).unwrap();
    file
}

/// Reads an image whose sectors have the content of [`data_of`]: what it holds.
fn read(file: &Vec<u8>) -> crate::Result<ExtentSet> {
    let image = Image::open(file)?;
    let (mut scratch, mut chunks, mut got) =
        (Decompressor::new(), image.chunks(), ExtentSet::new());
    while let Some(chunk) = chunks.next_chunk()? {
        chunk.decode(&mut scratch, &mut |start, data| {
            let len = Bytes(data.len() as u64).whole_sectors();
            let run = SectorRange::with_len(start, len).unwrap();
            assert!(data == data_of(&[run]), "content of {run}");
            got.push(run);
            Ok(())
        })?;
    }
    assert_eq!(got, image.extents()?);
    Ok(got)
}

fn kind_of(file: &Vec<u8>) -> ErrorKind {
    read(file).unwrap_err().kind
}

fn patch(file: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut bytes = file.to_vec();
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// An image whose bytes are known from another program (zlib 1.2.13, level 4): 1000 sectors of
/// which 16 and 192 to 321 are in it; every byte of sector k is k mod 256.
mod known_image {
    use super::*;

    const HEADER: [u32; 13] = [
        0x6969_696b,
        362,
        0,
        0,
        4096,
        2,
        0,
        1000,
        0, // no relocations
        16,
        1,
        192,
        130,
    ];

    fn extents() -> [SectorRange; 2] {
        [range(16, 17), range(192, 322)]
    }

    fn data() -> Vec<u8> {
        let sectors = extents().into_iter().flat_map(|e| e.start().get()..e.end().get());
        sectors.flat_map(|sector| [sector.to_le_bytes()[0]; 512]).collect()
    }

    #[test]
    fn its_header_is_what_we_write() {
        let mut area = [0; HEADER_BYTES];
        let regions = [(16, 1), (192, 130)];
        HeaderFields { payload_len: 362, number: 0, covered: (0, 1000), regions: &regions }
            .emit(&mut area);
        let known: Vec<u8> = HEADER.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(area[..52], known);
        assert!(area[52..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn its_content_is_what_we_write() {
        let mut piece = Piece::new();
        Compressor::default().compress(&data(), &mut piece);
        let mut file = Vec::new();
        let mut writer = ImageWriter::new(&mut file);
        writer.push(&extents(), &piece).unwrap();
        let written = writer.finish(SectorCount::from_u32(1000)).unwrap();
        assert_eq!((written.chunks, written.regions, written.sectors.get()), (1, 2, 131));

        let header: Vec<u8> = HEADER.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!((&file[..4], &file[8..52]), (&header[..4], &header[8..]));
        let image = Image::open(&file).unwrap();
        let signature =
            hash_image(&SingleThread, &image, Hashing::default(), &AtomicU64::new(0));
        let mut bytes = Vec::new();
        signature.unwrap().write(&mut bytes).unwrap();
        let known = "37e64db187685e265d7d3bb65d272d1c7d7b3e9cbeffe88c6fab8567dff5debe";
        assert_eq!(Sha256::of(&bytes).to_string(), known);
    }
}

/// Pieces as the pipeline makes them: a few extents each, ascending, some touching.
fn pieces() -> impl Strategy<Value = (Vec<Vec<SectorRange>>, u32)> {
    let extent = (prop_oneof![Just(0), 1..3_u32, 0..5000_u32], prop_oneof![Just(1), 1..100_u32]);
    let pieces = prop::collection::vec(prop::collection::vec(extent, 1..5), 0..400);
    (pieces, 0..3000_u32).prop_map(|(pieces, tail)| {
        let mut at = 0;
        let mut place = |(gap, len): (u32, u32)| {
            let start = at + gap;
            at = start + len;
            range(start, at)
        };
        let pieces = pieces.into_iter().map(|p| p.into_iter().map(&mut place).collect()).collect();
        (pieces, at + tail)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read((pieces, size) in pieces()) {
        let file = write(&pieces, size);
        let extents: ExtentSet = pieces.concat().into_iter().collect();
        prop_assert_eq!(read(&file).unwrap(), extents);
        let image = Image::open(&file).unwrap();
        let expected = if pieces.is_empty() { 0 } else { u64::from(size) };
        prop_assert_eq!(image.sectors().unwrap().get(), expected);
    }

    #[test]
    fn damaged_headers_are_refused_or_consistent(
        (pieces, size) in pieces(),
        damage in prop::collection::vec((0..200_usize, any::<u8>()), 1..4),
    ) {
        let mut file = write(&pieces, size);
        for (at, value) in damage {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        let image = Image::open(&file).unwrap();
        let (mut scratch, mut chunks) = (Decompressor::new(), image.chunks());
        while let Ok(Some(chunk)) = chunks.next_chunk() {
            let mut end = chunk.covered().start();
            for region in chunk.regions() {
                assert!(region.start() >= end && chunk.covered().contains(region));
                end = region.end();
            }
            let mut got = ExtentSet::new();
            let result = chunk.decode(&mut scratch, &mut |start, data| {
                let len = Bytes(data.len() as u64).whole_sectors();
                got.push(SectorRange::with_len(start, len).unwrap());
                Ok(())
            });
            let regions: ExtentSet = chunk.regions().collect();
            assert!(got.difference(&regions).is_empty());
            assert!(result.is_err() || got == regions);
        }
    }

    #[test]
    fn any_header_area_is_refused_or_valid(
        mut area in prop::collection::vec(any::<u8>(), HEADER_BYTES),
        magic in prop::sample::select(vec![0x6969_6969_u32, 0x6969_696a, 0x6969_696b]),
        (regions, relocs) in (0..520_u32, 0..260_u32),
    ) {
        for (at, value) in [(0, magic), (16, 4096), (20, regions), (32, relocs)] {
            area[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        if let Ok(header) = ChunkHeader::new(area.first_chunk().unwrap()) {
            prop_assert_eq!(header.regions().len(), regions as usize);
            prop_assert!(header.payload_len() <= PAYLOAD_MAX);
        }
    }
}

#[test]
fn chunks_tile_the_image() {
    // Each piece is one sector in the middle of nowhere, so the region table fills first.
    let pieces: Vec<_> = (0..1000).map(|i| vec![range(10 * i + 5, 10 * i + 6)]).collect();
    let file = write(&pieces, 20_000);
    let image = Image::open(&file).unwrap();
    let mut covered = Vec::new();
    image
        .headers(&mut |header| {
            assert_eq!(header.version(), Version::V3);
            covered.push((header.covered(), header.regions().len()));
            Ok(())
        })
        .unwrap();
    let expected = [
        (range(0, 4695), REGIONS_MAX),
        (range(4695, 9385), REGIONS_MAX),
        (range(9385, 20_000), 1000 - 2 * REGIONS_MAX),
    ];
    assert_eq!(REGIONS_MAX, 469);
    assert_eq!(covered, expected);
    assert_eq!(read(&file).unwrap().extent_count(), 1000);
}

#[test]
fn data_that_do_not_compress_fill_chunks() {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    let noise: Vec<u8> = core::iter::repeat_with(&mut noise).take(PIECE_MAX).collect();
    let mut piece = Piece::new();
    Compressor::default().compress(&noise, &mut piece);
    let (mut file, sectors) = (Vec::new(), 512);
    let mut writer = ImageWriter::new(&mut file);
    for number in 0..4 {
        writer.push(&[range(number * sectors, (number + 1) * sectors)], &piece).unwrap();
    }
    // Four do not fit one chunk, as 4096 bytes of it are the header area.
    let written = writer.finish(SectorCount::from_u32(4 * sectors)).unwrap();
    assert_eq!((written.chunks, written.sectors.get()), (2, 2048));
    let chunk_of = |sector| written.map.chunk_of(Sector::from_u32(sector));
    assert_eq!((chunk_of(1535), chunk_of(1536), chunk_of(2048)), (Some(0), Some(1), None));
    assert_eq!(Image::open(&file).unwrap().extents().unwrap().as_slice(), [range(0, 2048)]);
}

#[test]
fn impossible_pieces_are_refused() {
    let mut builder = ChunkBuilder::new();
    let mut push = |extents: &[SectorRange], piece: &Piece| {
        builder.try_push(extents, piece).map_err(|error| error.kind)
    };
    let order = Err(ErrorKind::Corrupt(CorruptKind::PieceOrder));
    let limit = |limit| Err(ErrorKind::TooLarge(limit));
    let one = piece_of(&[range(0, 1)]);
    assert_eq!(push(&[range(5, 6)], &one), Ok(Pushed::Done));
    assert_eq!(push(&[range(5, 6)], &one), order);
    assert_eq!(push(&[range(6, 8)], &one), order, "not as long as its data");
    assert_eq!(push(&[range(6, 6)], &Piece::new()), order);
    assert_eq!(push(&[range(7, 8), range(6, 7)], &piece_of(&[range(0, 2)])), order);
    let beyond = SectorRange::with_len(Sector::from_u32(u32::MAX), SectorCount::from_u32(1));
    assert_eq!(push(&[beyond.unwrap()], &one), limit(Limit::Sector32));
    assert_eq!(push(&[range(6, 519)], &piece_of(&[range(6, 519)])), limit(Limit::Piece));
    let many: Vec<_> = (5..475).map(|i| range(2 * i, 2 * i + 1)).collect();
    assert_eq!(push(&many, &piece_of(&many)), limit(Limit::Piece));
    assert_eq!(push(&many[1..], &piece_of(&many[1..])), Ok(Pushed::Full));

    let mut writer = ImageWriter::new(Vec::new());
    writer.push(&[range(5, 6)], &one).unwrap();
    let error = writer.finish(SectorCount::from_u32(5)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::RegionBounds));
}

#[test]
fn an_image_of_nothing_has_no_bytes() {
    let file = write(&[], 1000);
    assert!(file.is_empty());
    assert!(read(&file).unwrap().is_empty());
}

#[test]
fn files_of_odd_length_are_truncated() {
    let file = write(&[vec![range(0, 1)]], 1);
    let error = read(&file[..CHUNK_BYTES - 1].to_vec()).unwrap_err();
    assert_eq!(error, ErrorKind::Truncated.at(Place::Byte(Bytes(CHUNK_BYTES as u64 - 1))));
}

#[test]
fn each_contradiction_has_its_kind() {
    let file = write(&[vec![range(3, 5), range(7, 8)]], 10);
    let corrupt = |at, value| match kind_of(&patch(&file, at, value)) {
        ErrorKind::Corrupt(kind) => kind,
        other => panic!("{other}"),
    };
    assert_eq!(corrupt(0, 0x6969_6968), CorruptKind::ChunkMagic);
    assert_eq!(corrupt(4, 0x000f_f001), CorruptKind::ChunkPayload);
    assert_eq!(corrupt(4, 10), CorruptKind::PayloadShort);
    assert_eq!(corrupt(8, 1), CorruptKind::ChunkNumber);
    assert_eq!(corrupt(16, 8192), CorruptKind::ChunkHeaderArea);
    for count in [0, 508, u32::MAX] {
        assert_eq!(corrupt(20, count), CorruptKind::RegionCount);
    }
    assert_eq!(corrupt(24, 4), CorruptKind::RegionBounds);
    assert_eq!(corrupt(24, 1), CorruptKind::ChunkTiling);
    assert_eq!(corrupt(28, 7), CorruptKind::RegionBounds);
    assert_eq!(corrupt(32, 253), CorruptKind::RegionCount);
    assert_eq!(corrupt(40, 4), CorruptKind::RegionOrder, "regions touch");
    assert_eq!(corrupt(40, 0), CorruptKind::RegionOrder, "empty region");
    assert_eq!(corrupt(44, 2), CorruptKind::RegionOrder, "descending regions");
    assert_eq!(corrupt(40, 1), CorruptKind::PayloadLong);
    assert_eq!(corrupt(48, 2), CorruptKind::PayloadShort);
}

#[test]
fn chunks_must_fit_together() {
    let far = |sector| vec![range(sector, sector + 1)];
    let pieces: Vec<_> = (0..500).map(|i| far(2 * i)).collect();
    let file = write(&pieces, 1000);
    assert_eq!(file.len(), 2 * CHUNK_BYTES);
    let second = CHUNK_BYTES + 24;
    let tiling = ErrorKind::Corrupt(CorruptKind::ChunkTiling);
    assert_eq!(kind_of(&patch(&file, second, 0)), tiling);
    let version = ErrorKind::Corrupt(CorruptKind::ChunkVersion);
    assert_eq!(kind_of(&patch(&file, CHUNK_BYTES, 0x6969_696a)), version);
    let swapped = [&file[CHUNK_BYTES..], &file[..CHUNK_BYTES]].concat();
    assert_eq!(kind_of(&swapped), ErrorKind::Corrupt(CorruptKind::ChunkNumber));
}

/// A version 3 chunk's header as version 1: 12 bytes less before the regions.
fn as_v1(file: &[u8], total: u32) -> Vec<u8> {
    let mut bytes = patch(&patch(file, 0, 0x6969_6969), 12, total);
    bytes.copy_within(36..HEADER_BYTES, 24);
    bytes
}

#[test]
fn old_versions_are_read() {
    let file = write(&[vec![range(3, 5), range(7, 8)]], 10);
    let expected = read(&file).unwrap();
    assert_eq!(read(&patch(&file, 0, 0x6969_696a)).unwrap(), expected);
    for total in [0, 1] {
        let v1 = as_v1(&file, total);
        assert_eq!(read(&v1).unwrap(), expected);
        assert_eq!(Image::open(&v1).unwrap().sectors().unwrap().get(), 8);
    }
    assert_eq!(kind_of(&as_v1(&file, 2)), ErrorKind::Corrupt(CorruptKind::ChunkNumber));
}

#[test]
fn relocations_are_read_and_checked() {
    let file = write(&[vec![range(0, 5)]], 10);
    let with_reloc = |kind, sector, offset| {
        let fields = [(32, 1), (44, kind), (48, sector), (52, offset), (56, 276)];
        fields.into_iter().fold(file.clone(), |file, (at, value)| patch(&file, at, value))
    };
    for kind in [1, 6, 100, 77] {
        let file = with_reloc(kind, 1, 511);
        let mut buffer = ChunkBuffer::new();
        let chunk = Image::open(&file)
            .unwrap()
            .chunk(0, &mut buffer)
            .map(|chunk| chunk.relocs().collect::<Vec<_>>());
        let sector = Sector::from_u32(1);
        let expected = Reloc { kind: RelocType(kind), sector, offset: 511, size: 276 };
        assert_eq!(chunk.unwrap(), [expected]);
        assert_eq!(read(&file).unwrap().sector_count().get(), 5);
    }
    let bounds = ErrorKind::Corrupt(CorruptKind::RelocBounds);
    assert_eq!(kind_of(&with_reloc(1, 10, 0)), bounds);
    assert_eq!(kind_of(&with_reloc(1, 1, 512)), bounds);
    let names = [RelocType::LILO_MAP, RelocType(8)].map(|kind| std::format!("{kind:?}"));
    assert_eq!(names, ["LILO map sector", "type 8"]);
}

#[test]
fn single_chunks_can_be_read_in_any_order() {
    let pieces: Vec<_> = (0..500).map(|i| vec![range(2 * i, 2 * i + 1)]).collect();
    let file = write(&pieces, 1000);
    let image = Image::open(&file).unwrap();
    let mut buffer = ChunkBuffer::new();
    assert_eq!(image.chunk(1, &mut buffer).unwrap().regions().len(), 31);
    assert_eq!(image.chunk(0, &mut buffer).unwrap().regions().len(), 469);
    assert!(image.chunk(2, &mut buffer).is_err());
    assert_eq!(file.size().get(), 2 << 20);
}
