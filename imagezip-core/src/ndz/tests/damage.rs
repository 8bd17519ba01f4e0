//! Headers and files that contradict themselves.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn damaged_headers_are_refused_or_consistent(
        format in format(),
        (pieces, size) in pieces(),
        damage in prop::collection::vec((0..200_usize, any::<u8>()), 1..4),
    ) {
        let mut file = write_as(format, &pieces, size);
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
            assert!(chunk.relocs().all(|reloc| chunk.covered().start() <= reloc.sector));
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
        magic in 0x6969_6969_u32..=0x6969_696d,
        (regions, relocs) in (0..5_u32, 0..3_u32),
        small in prop::collection::vec((0..60_usize, 0..9_u64), 0..60),
    ) {
        // Small numbers here and there, for tables that make some sense.
        for (at, value) in small {
            area[at * 8..at * 8 + 8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value) in [(0, magic), (16, 4096), (20, regions), (32, relocs)] {
            area[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        if let Ok(header) = ChunkHeader::new(area.first_chunk().unwrap()) {
            prop_assert_eq!(header.regions().len(), regions as usize);
            prop_assert_eq!(header.regions().count(), regions as usize);
            prop_assert_eq!(header.relocs().count(), header.relocs().len());
            prop_assert!(header.regions().all(|region| header.covered().contains(region)));
            prop_assert!(header.payload_len() <= PAYLOAD_MAX);
        }
    }
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
