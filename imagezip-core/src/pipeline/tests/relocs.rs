//! Relocations go with their data, and what one of them concerns stays together.

use super::*;
use crate::error::IncompatibleKind;
use crate::ndz::{Format, Reloc, RelocType};

const DISK: u32 = 3 * 2048;

fn range(start: u32, end: u32) -> SectorRange {
    SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
}

fn at(kind: RelocType, sector: u32, offset: u32, size: u32) -> Reloc {
    Reloc { kind, sector: Sector::from_u32(sector), offset, size }
}

/// An address that goes on in the next sector.
fn pair(sector: u32) -> Reloc {
    at(RelocType::LILO_ADDRESS, sector, 510, 5)
}

/// Three windows of data that don't compress.
fn noise() -> Vec<u8> {
    let (mut disk, _) = large_state();
    disk.truncate(DISK as usize * SECTOR);
    disk
}

fn save_relocs(
    disk: &[u8],
    in_use: &ExtentSet,
    relocs: &[Reloc],
    format: Format,
    base: Option<&Signature>,
) -> (Vec<u8>, Saved) {
    let map = DiskMap::known(range(0, DISK), in_use.clone());
    let source = Source { base, relocs, format, ..Source::new(&disk, &map) };
    let mut file = Vec::new();
    let saved = save(&SingleThread, source, &mut file, &Progress::default()).unwrap();
    verify(&SingleThread, &file, &saved.proof).unwrap();
    (file, saved)
}

/// All relocations of an image. What each of them concerns has to be in its chunk.
fn relocs_of(file: &Vec<u8>) -> Vec<Reloc> {
    let mut all = Vec::new();
    let mut note = |header: &crate::ndz::ChunkHeader<'_>| {
        let regions: ExtentSet = header.regions().collect();
        for reloc in header.relocs() {
            assert!(regions.contains(reloc.sectors()), "{reloc:?} is divided");
            all.push(reloc);
        }
        Ok(())
    };
    Image::open(file).unwrap().headers(&mut note).unwrap();
    all
}

fn reloc() -> impl Strategy<Value = Reloc> {
    let sector = prop_oneof![1..DISK - 1, 500..520_u32, 2040..2056_u32, 4090..4100_u32];
    (sector, 0..3_u32).prop_map(|(sector, kind)| match kind {
        0 => at(RelocType::FREEBSD_DISKLABEL, sector, 0, 276),
        1 => pair(sector),
        _ => at(RelocType::LILO_CHECKSUM, sector, 478, 2),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_a_relocation_concerns_stays_together(
        mut relocs in prop::collection::vec(reloc(), 0..12),
        free in prop::collection::vec((0..DISK, 1..2000_u32), 0..3),
        changes in prop::collection::vec(0..DISK, 0..6),
        wide in any::<bool>(),
    ) {
        relocs.sort_by_key(|reloc| reloc.sector);
        let format = if wide { Format::V5 } else { Format::V3 };
        let free = free.into_iter().map(|(at, len)| range(at, (at + len).min(DISK)));
        let in_use = ExtentSet::from_unsorted(free.collect()).complement(range(0, DISK));
        let mut disk = noise();
        let (full, saved) = save_relocs(&disk, &in_use, &relocs, format, None);
        relocs.retain(|reloc| in_use.contains(reloc.sectors()));
        prop_assert_eq!(&relocs_of(&full), &relocs);
        prop_assert_eq!(Image::open(&full).unwrap().extents().unwrap(), in_use.clone());

        for sector in changes {
            disk[sector as usize * SECTOR] ^= 1;
        }
        let (delta, _) = save_relocs(&disk, &in_use, &relocs, format, Some(&saved.signature));
        let held = Image::open(&delta).unwrap().extents().unwrap();
        relocs.retain(|reloc| held.contains(reloc.sectors()));
        prop_assert_eq!(relocs_of(&delta), relocs);
        prop_assert!(held.difference(&in_use).is_empty());
        let mut loaded = vec![0; disk.len()];
        apply(&full, &mut loaded);
        apply(&delta, &mut loaded);
        for extent in &in_use {
            let bytes = extent.start().to_bytes().get() as usize..extent.end().to_bytes().get() as usize;
            prop_assert!(loaded[bytes.clone()] == disk[bytes]);
        }
    }
}

#[test]
fn a_delta_has_all_of_what_is_tied_or_nothing() {
    let everything = ExtentSet::from(range(0, DISK));
    let mut disk = noise();
    // Over the bounds of two hash blocks, and alone.
    let relocs = [pair(127), at(RelocType::LILO_MAP, 300, 0, 512), pair(1000)];
    let (_, saved) = save_relocs(&disk, &everything, &relocs, Format::V3, None);
    let base = Some(&saved.signature);
    let (delta, _) = save_relocs(&disk, &everything, &relocs, Format::V3, base);
    assert!(delta.is_empty());

    disk[5 * SECTOR] ^= 1;
    let (delta, _) = save_relocs(&disk, &everything, &relocs, Format::V3, base);
    let held = Image::open(&delta).unwrap().extents().unwrap();
    assert_eq!(held.as_slice(), [range(0, 129)]);
    assert_eq!(relocs_of(&delta), relocs[..1]);
}

#[test]
fn any_number_of_relocations_fits() {
    // One in each sector: far more than a piece's chunk has room for.
    let relocs: Vec<_> = (0..2048).map(|i| at(RelocType::LILO_MAP, i, 0, 512)).collect();
    let disk = vec![7; DISK as usize * SECTOR];
    for (format, chunks) in [(Format::V3, 9), (Format::V5, 13)] {
        let everything = ExtentSet::from(range(0, DISK));
        let (file, saved) = save_relocs(&disk, &everything, &relocs, format, None);
        assert_eq!(relocs_of(&file), relocs);
        assert_eq!(saved.image.chunks, chunks);
    }
}

#[test]
fn damaged_relocations_end_in_an_image_too() {
    let everything = ExtentSet::from(range(0, DISK));
    let disk = noise();
    let chained: Vec<_> = (0..DISK - 1).map(pair).collect();
    let save_them = |relocs: &[Reloc]| {
        let map = DiskMap::known(range(0, DISK), everything.clone());
        let source = Source { relocs, ..Source::new(&disk, &map) };
        save(&SingleThread, source, Vec::new(), &Progress::default()).map(|saved| saved.image)
    };
    assert_eq!(save_them(&chained).unwrap().sectors.get(), u64::from(DISK));
    let backwards: Vec<_> = chained.into_iter().rev().collect();
    assert_eq!(save_them(&backwards).unwrap().sectors.get(), u64::from(DISK));
    let huge = vec![at(RelocType(9), 3, 511, u32::MAX); 5];
    assert_eq!(save_them(&huge).unwrap().sectors.get(), u64::from(DISK));
    let in_one_sector = vec![at(RelocType::LILO_ADDRESS, 3, 0, 5); 300];
    let error = save_them(&in_one_sector).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge(Limit::Piece));
}

#[test]
fn version_1_takes_no_relocations() {
    let (disk, map) = large_state();
    let relocs = [pair(5)];
    let source = Source { relocs: &relocs, format: Format::V1, ..Source::new(&disk, &map) };
    let mut file = Vec::new();
    let error = save(&SingleThread, source, &mut file, &Progress::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incompatible(IncompatibleKind::RelocsV1));
    assert!(file.is_empty());
}
