//! What differs from version to version.

use super::*;

/// A version 3 chunk's header as version 1: 12 bytes less before the regions.
fn as_v1(file: &[u8], total: u32) -> Vec<u8> {
    let mut bytes = patch(&patch(file, 0, 0x6969_6969), 12, total);
    bytes.copy_within(36..HEADER_BYTES, 24);
    bytes
}

/// A version 5 file with headers of 68 bytes: without the hole before the 64-bit numbers.
fn as_dense(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for chunk in bytes.chunks_mut(CHUNK_BYTES) {
        chunk.copy_within(40..HEADER_BYTES, 36);
    }
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
fn version_1_is_written_as_it_is_read() {
    let pieces = [vec![range(3, 5), range(7, 8)]];
    assert!(write_as(Format::V1, &pieces, 10) == as_v1(&write(&pieces, 10), 0));
}

#[test]
fn the_number_of_chunks_can_be_put_in_later() {
    let pieces: Vec<_> = (0..500).map(|i| vec![range(2 * i, 2 * i + 1)]).collect();
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file, Format::V1);
    for extents in &pieces {
        writer.push(extents, &[], &piece_of(extents)).unwrap();
    }
    let written = writer.finish(SectorCount::from_u32(1000)).unwrap();
    for (at, bytes) in written.totals() {
        let at = usize::try_from(at.get()).unwrap();
        file[at..at + 4].copy_from_slice(&bytes);
    }
    assert_eq!((u32_at(&file, 12), u32_at(&file, CHUNK_BYTES + 12)), (2, 2));
    assert_eq!(read(&file).unwrap().extent_count(), 500);
    let cut_off = file[..CHUNK_BYTES].to_vec();
    assert_eq!(kind_of(&cut_off), ErrorKind::Corrupt(CorruptKind::ChunkNumber));
}

#[test]
fn version_5_has_its_numbers_where_they_belong() {
    let far = SectorRange::with_len(Sector::new(0x12_3456_789a).unwrap(), SectorCount::from_u32(2));
    let extents = [range(3, 5), far.unwrap()];
    let reloc =
        Reloc { kind: RelocType::LILO_MAP, sector: far.unwrap().start(), offset: 7, size: 500 };
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file, Format::V5).with_id(ID);
    writer.push(&extents, &[reloc], &piece_of(&extents)).unwrap();
    writer.finish(SectorCount::new(0x22_0000_0000).unwrap()).unwrap();

    let words = [0x6969_696d, u32_at(&file, 4), 0, 0, 4096, 2, 0, 0, 1, 0];
    for (number, word) in words.into_iter().enumerate() {
        assert_eq!(u32_at(&file, 4 * number), word, "word {number}");
    }
    let numbers = [40, 48, 72, 80, 88, 96].map(|at| u64_at(&file, at));
    assert_eq!(numbers, [0, 0x22_0000_0000, 3, 2, 0x12_3456_789a, 2]);
    assert_eq!(file[56..72], ID);
    assert_eq!((u32_at(&file, 104), u32_at(&file, 108)), (4, 7));
    assert_eq!((u64_at(&file, 112), u64_at(&file, 120)), (0x12_3456_789a, 500));
    assert!(file[128..HEADER_BYTES].iter().all(|byte| *byte == 0));

    for file in [as_dense(&file), file] {
        let image = Image::open(&file).unwrap();
        let mut area = [0; HEADER_BYTES];
        let header = image.read_header(0, &mut area).unwrap();
        assert_eq!(header.image_id(), Some(ID));
        assert_eq!(header.relocs().collect::<Vec<_>>(), [reloc]);
        assert_eq!(header.covered().end().get(), 0x22_0000_0000);
        assert_eq!(read(&file).unwrap().as_slice(), extents);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the identity is made of.
    #[test]
    fn dense_headers_are_told_from_others((pieces, size) in pieces(), id in any::<[u8; 16]>()) {
        let mut file = Vec::new();
        let mut writer = ImageWriter::new(&mut file, Format::V5).with_id(id);
        for extents in &pieces {
            writer.push(extents, &[], &piece_of(extents)).unwrap();
        }
        writer.finish(SectorCount::from_u32(size)).unwrap();
        let extents: ExtentSet = pieces.concat().into_iter().collect();
        for (file, len) in [(as_dense(&file), 68), (file, 72)] {
            prop_assert_eq!(read(&file).unwrap(), extents.clone());
            Image::open(&file).unwrap().headers(&mut |header| {
                assert_eq!((header.header_len(), header.image_id()), (len, Some(id)));
                Ok(())
            }).unwrap();
        }
    }
}

#[test]
fn headers_that_fit_neither_form_are_refused() {
    let pieces: Vec<_> = (0..300).map(|i| vec![range(2 * i + 1, 2 * i + 2)]).collect();
    let file = write_as(Format::V5, &pieces, 1000);
    let corrupt = |at, value| match kind_of(&patch(&file, at, value)) {
        ErrorKind::Corrupt(kind) => kind,
        other => panic!("{other}"),
    };
    assert_eq!(corrupt(36, 1), CorruptKind::RegionBounds, "the hole");
    assert_eq!(corrupt(40, 2), CorruptKind::RegionBounds, "first sector");
    assert_eq!(corrupt(44, 1), CorruptKind::RegionBounds, "far beyond the regions");
    assert_eq!(corrupt(72 + 250 * 16 + 8, 9), CorruptKind::RegionBounds, "beyond the end");
    assert_eq!(corrupt(52, 0x8000_0000), CorruptKind::RegionBounds, "last sector");
    assert_eq!(corrupt(72 + 4, 0xffff_ffff), CorruptKind::RegionOrder, "no sector number");
    assert_eq!(corrupt(72 + 12, 0xffff_ffff), CorruptKind::RegionOrder, "size without end");
    assert_eq!(corrupt(72 + 8, 0), CorruptKind::RegionOrder, "empty region");
    for count in [0, 252, u32::MAX] {
        assert_eq!(corrupt(20, count), CorruptKind::RegionCount);
    }
    assert_eq!(corrupt(32, 1), CorruptKind::RegionCount, "no room for a relocation");
    assert_eq!(corrupt(CHUNK_BYTES + 40, 502), CorruptKind::ChunkTiling);

    let dense = as_dense(&file);
    let mixed = [&file[..CHUNK_BYTES], &dense[CHUNK_BYTES..]].concat();
    assert_eq!(kind_of(&mixed), ErrorKind::Corrupt(CorruptKind::ChunkVersion));
}

#[test]
fn all_chunks_have_one_identity() {
    let pieces: Vec<_> = (0..500).map(|i| vec![range(2 * i, 2 * i + 1)]).collect();
    let other = ErrorKind::Corrupt(CorruptKind::ChunkIdentity);
    let file = write_as(Format::V5, &pieces, 1000);
    assert_eq!(kind_of(&patch(&file, CHUNK_BYTES + 56, 0)), other);

    // Version 4 as the reference makes it: version 3 with more before the tables.
    let mut file = write(&pieces, 1000);
    for chunk in file.chunks_mut(CHUNK_BYTES) {
        chunk[0] = 0x6c;
        chunk.copy_within(36..HEADER_BYTES - 308, 344);
        chunk[36..344].fill(0);
        chunk[328..344].copy_from_slice(&ID);
    }
    assert_eq!(read(&file).unwrap().extent_count(), 500);
    assert_eq!(kind_of(&patch(&file, CHUNK_BYTES + 328, 0)), other);
    assert_eq!(kind_of(&patch(&file, 20, 470)), ErrorKind::Corrupt(CorruptKind::RegionCount));
}

#[test]
fn readers_take_all_that_a_header_area_holds() {
    // Writers stop earlier, but for version 5.
    for (magic, header_len, entry, most) in [
        (0x6969_6969_u32, 24, 8, 509_u32),
        (0x6969_696a, 36, 8, 507),
        (0x6969_696b, 36, 8, 507),
        (0x6969_696c, 344, 8, 469),
        (0x6969_696d, 72, 16, 251),
    ] {
        let mut area = [0; HEADER_BYTES];
        let mut put = |at: usize, value: u32| {
            area[at..at + 4].copy_from_slice(&value.to_le_bytes());
        };
        for (at, value) in [(0, magic), (4, 9999), (16, 4096), (20, most), (28, 2000)] {
            put(at, value);
        }
        if magic == 0x6969_696d {
            put(48, 2000);
        }
        for (number, start) in (0..most).map(|number| 3 * number).enumerate() {
            put(header_len + entry * number, start);
            put(header_len + entry * number + entry / 2, 2);
        }
        assert_eq!(ChunkHeader::new(&area).unwrap().regions().len(), most as usize);
        area[20..24].copy_from_slice(&(most + 1).to_le_bytes());
        assert_eq!(
            ChunkHeader::new(&area).err(),
            Some(ErrorKind::Corrupt(CorruptKind::RegionCount))
        );
    }
}

#[test]
fn numbers_beyond_32_bits_need_version_5() {
    let edge = Sector::from_u32(u32::MAX);
    let below = SectorRange::new(Sector::from_u32(u32::MAX - 1), edge).unwrap();
    let above = SectorRange::with_len(edge, SectorCount::from_u32(1)).unwrap();
    let (largest, larger) = (edge.since(Sector::ZERO), above.end().since(Sector::ZERO));
    let write = |format, extent: SectorRange, size| {
        let mut file = Vec::new();
        let mut writer = ImageWriter::new(&mut file, format);
        writer.push(&[extent], &[], &piece_of(&[extent])).map_err(|error| error.kind)?;
        writer.finish(size).map_err(|error| error.kind)?;
        Ok::<_, ErrorKind>(file)
    };
    let too_large = Err(ErrorKind::TooLarge(Limit::Sector32));
    for format in [Format::V1, Format::V3] {
        assert!(write(format, below, largest).is_ok());
        assert_eq!(write(format, above, larger), too_large);
        assert_eq!(write(format, below, larger), too_large);
        assert!(format.check_size(largest).is_ok() && format.check_size(larger).is_err());
    }
    let file = write(Format::V5, above, larger).unwrap();
    assert_eq!(read(&file).unwrap().as_slice(), [above]);
}
