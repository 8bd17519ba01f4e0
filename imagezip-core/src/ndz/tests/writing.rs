//! How pieces become chunks, in every format.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read(format in format(), (pieces, size) in pieces()) {
        let file = write_as(format, &pieces, size);
        let extents: ExtentSet = pieces.concat().into_iter().collect();
        let image = Image::open(&file).unwrap();
        let expected = match format {
            _ if pieces.is_empty() => 0,
            Format::V1 => extents.end().unwrap().get(),
            Format::V3 | Format::V5 => u64::from(size),
        };
        prop_assert_eq!(image.sectors().unwrap().get(), expected);
        image.headers(&mut |header| {
            assert_eq!(header.version(), format.version());
            assert_eq!(header.image_id(), (format == Format::V5).then_some(ID));
            assert!(header.seal().is_none());
            Ok(())
        }).unwrap();
        prop_assert_eq!(read(&file).unwrap(), extents);
    }
}

/// What each chunk describes, and its number of regions.
fn layout(file: &Vec<u8>) -> Vec<(SectorRange, usize)> {
    let mut layout = Vec::new();
    let mut note = |header: &ChunkHeader<'_>| {
        layout.push((header.covered(), header.regions().len()));
        Ok(())
    };
    Image::open(file).unwrap().headers(&mut note).unwrap();
    layout
}

#[test]
fn chunks_tile_the_image() {
    // Each piece is one sector in the middle of nowhere, so the region table fills first.
    let pieces: Vec<_> = (0..1000).map(|i| vec![range(10 * i + 5, 10 * i + 6)]).collect();
    let file = |format| write_as(format, &pieces, 20_000);
    let expected =
        [(range(0, 4695), 469), (range(4695, 9385), 469), (range(9385, 20_000), 1000 - 2 * 469)];
    assert_eq!(layout(&file(Format::V3)), expected);
    let narrow = [(range(5, 4686), 469), (range(4695, 9376), 469), (range(9385, 9996), 62)];
    assert_eq!(layout(&file(Format::V1)), narrow);
    let wide: Vec<_> = layout(&file(Format::V5)).into_iter().map(|(_, count)| count).collect();
    assert_eq!(wide, [251, 251, 251, 247]);
    for format in FORMATS {
        assert_eq!(read(&file(format)).unwrap().extent_count(), 1000);
    }
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
    let mut writer = ImageWriter::new(&mut file, Format::V3);
    for number in 0..4 {
        writer.push(&[range(number * sectors, (number + 1) * sectors)], &[], &piece).unwrap();
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
    let mut builder = ChunkBuilder::new(Format::V3);
    let mut push = |extents: &[SectorRange], piece: &Piece| {
        builder.try_push(extents, &[], piece).map_err(|error| error.kind)
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

    let mut writer = ImageWriter::new(Vec::new(), Format::V3);
    writer.push(&[range(5, 6)], &[], &one).unwrap();
    let error = writer.finish(SectorCount::from_u32(5)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::RegionBounds));
}

#[test]
fn an_image_of_nothing_has_no_bytes() {
    let file = write(&[], 1000);
    assert!(file.is_empty());
    assert!(read(&file).unwrap().is_empty());
}
