//! Relocations: where they go, and how they are read.

use super::*;

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

fn at(kind: RelocType, sector: u32, offset: u32, size: u32) -> Reloc {
    Reloc { kind, sector: Sector::from_u32(sector), offset, size }
}

/// The relocations of each chunk, all of which concern data that the chunk has.
fn relocs_of(file: &Vec<u8>) -> Vec<Vec<Reloc>> {
    let mut all = Vec::new();
    let mut note = |header: &ChunkHeader<'_>| {
        let regions: ExtentSet = header.regions().collect();
        let relocs: Vec<_> = header.relocs().collect();
        assert!(relocs.iter().all(|reloc| regions.contains(reloc.sectors())));
        all.push(relocs);
        Ok(())
    };
    Image::open(file).unwrap().headers(&mut note).unwrap();
    all
}

#[test]
fn a_relocation_concerns_one_sector_or_two() {
    let sectors = |kind, offset, size| at(kind, 10, offset, size).sectors();
    assert_eq!(sectors(RelocType::FREEBSD_DISKLABEL, 0, 276), range(10, 11));
    assert_eq!(sectors(RelocType::LILO_MAP, 0, 512), range(10, 11));
    assert_eq!(sectors(RelocType::LILO_ADDRESS, 507, 5), range(10, 11));
    assert_eq!(sectors(RelocType::LILO_ADDRESS, 508, 5), range(10, 12));
    // The checksum's table is the 990 bytes before it.
    assert_eq!(sectors(RelocType::LILO_CHECKSUM, 478, 2), range(9, 11));
    assert_eq!(at(RelocType::LILO_CHECKSUM, 0, 478, 2).sectors(), range(0, 1));
    assert_eq!(sectors(RelocType::NONE, 511, 0), range(10, 11));
    assert_eq!(sectors(RelocType(77), 511, u32::MAX), range(10, 11), "no such thing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn relocations_go_with_their_data(
        wide in any::<bool>(),
        (pieces, size) in pieces(),
        counts in prop::collection::vec(prop_oneof![Just(0), Just(1), 0..40_u32], 400),
    ) {
        let format = if wide { Format::V5 } else { Format::V3 };
        let (mut file, mut all) = (Vec::new(), Vec::new());
        let mut writer = ImageWriter::new(&mut file, format);
        for (extents, count) in pieces.iter().zip(counts) {
            let sector = extents[0].start();
            let relocs: Vec<_> = (0..count)
                .map(|number| Reloc { kind: RelocType(100 + number), sector, offset: 0, size: 9 })
                .collect();
            writer.push(extents, &relocs, &piece_of(extents)).unwrap();
            all.extend(relocs);
        }
        writer.finish(SectorCount::from_u32(size)).unwrap();
        prop_assert_eq!(relocs_of(&file).concat(), all);
        prop_assert_eq!(read(&file).unwrap(), pieces.concat().into_iter().collect());
    }
}

#[test]
fn a_chunk_is_closed_before_its_tables_overflow() {
    // The reference's writer gives up here.
    for (format, each, chunks) in [(Format::V3, 234, 3), (Format::V5, 167, 3)] {
        let one = |sector| vec![range(sector, sector + 1)];
        let relocs = |sector| vec![at(RelocType::LILO_ADDRESS, sector, 0, 5); each];
        let mut file = Vec::new();
        let mut writer = ImageWriter::new(&mut file, format);
        for sector in [1, 2, 9] {
            writer.push(&one(sector), &relocs(sector), &piece_of(&one(sector))).unwrap();
        }
        assert_eq!(writer.finish(SectorCount::from_u32(10)).unwrap().chunks, chunks);
        assert_eq!(relocs_of(&file), [relocs(1), relocs(2), relocs(9)]);

        let mut builder = ChunkBuilder::new(format);
        let too_many = vec![at(RelocType::LILO_ADDRESS, 1, 0, 5); each + 1];
        let error = builder.try_push(&one(1), &too_many, &piece_of(&one(1))).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge(Limit::Piece));
    }
}

#[test]
fn relocations_need_their_data_and_a_version_that_has_them() {
    let extents = [range(5, 6), range(8, 10)];
    let push = |format, reloc| {
        let mut builder = ChunkBuilder::new(format);
        builder.try_push(&extents, &[reloc], &piece_of(&extents)).map_err(|error| error.kind)
    };
    let label = |sector| at(RelocType::FREEBSD_DISKLABEL, sector, 0, 276);
    for sector in [5, 8, 9] {
        assert_eq!(push(Format::V3, label(sector)), Ok(Pushed::Done));
        let none = ErrorKind::Incompatible(IncompatibleKind::RelocsV1);
        assert_eq!(push(Format::V1, label(sector)), Err(none));
    }
    for sector in [4, 6, 7, 10] {
        let stray = ErrorKind::Corrupt(CorruptKind::PieceOrder);
        assert_eq!(push(Format::V3, label(sector)), Err(stray));
    }
}

#[test]
fn tied_sectors_lie_where_old_readers_see_them_together() {
    // Old readers take a chunk's data in steps of 256 KiB.
    let (first, second) = (range(0, 500), range(500, 600));
    let reloc = at(RelocType::LILO_ADDRESS, 511, 510, 5);
    let chunks = |relocs: &[Reloc]| {
        let mut file = Vec::new();
        let mut writer = ImageWriter::new(&mut file, Format::V3);
        writer.push(&[first], &[], &piece_of(&[first])).unwrap();
        writer.push(&[second], relocs, &piece_of(&[second])).unwrap();
        writer.finish(SectorCount::from_u32(600)).unwrap();
        relocs_of(&file).len()
    };
    assert_eq!(chunks(&[]), 1);
    assert_eq!(chunks(&[at(RelocType::LILO_MAP, 511, 0, 512)]), 1);
    assert_eq!(chunks(&[reloc]), 2);
}

#[test]
fn wide_relocations_beyond_this_program_are_refused() {
    let extents = [range(0, 5)];
    let mut file = Vec::new();
    let mut writer = ImageWriter::new(&mut file, Format::V5);
    writer.push(&extents, &[at(RelocType::GPT, 1, 2, 3)], &piece_of(&extents)).unwrap();
    writer.finish(SectorCount::from_u32(5)).unwrap();
    assert_eq!(relocs_of(&file), [[at(RelocType::GPT, 1, 2, 3)]]);
    let bounds = ErrorKind::Corrupt(CorruptKind::RelocBounds);
    // Type, offset, sector and size, from byte 88 on.
    for (at, value) in [(92, 512), (96, 5), (100, 1), (108, 1)] {
        assert_eq!(kind_of(&patch(&file, at, value)), bounds, "byte {at}");
    }
}
