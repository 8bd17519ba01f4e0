#![expect(clippy::cast_possible_truncation, reason = "the labels are small")]

use super::*;
use crate::device::ReadAt;
use crate::error::Limit;
use crate::extent::ExtentSet;
use crate::overlay::Overlay;
use crate::partition::disklabel::{Disklabel, Entry, Flavour};
use crate::partition::{Guid, MbrType, PartitionKind};
use crate::sector::SectorCount;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const FREEBSD: PartitionKind = PartitionKind::Mbr(MbrType::FREEBSD);
const OPENBSD: PartitionKind = PartitionKind::Mbr(MbrType::OPENBSD);

pub(super) fn sector(number: u32) -> Sector {
    Sector::from_u32(number)
}

pub(super) fn slice_at(start: u32, len: u32) -> Placement {
    let range = SectorRange::with_len(sector(start), SectorCount::from_u32(len)).unwrap();
    Placement::partition(range)
}

/// A sector with a label whose entries have these sizes and offsets; written from docs/format.md.
fn label(entries: &[(u32, u32)]) -> [u8; 512] {
    // What lies behind the label is nobody's business.
    let mut bytes = [0xee; 512];
    bytes[..148].fill(0x11);
    for at in [0, 132] {
        bytes[at..at + 4].copy_from_slice(&0x8256_4557_u32.to_le_bytes());
    }
    bytes[138..140].copy_from_slice(&(entries.len() as u16).to_le_bytes());
    for (i, (size, offset)) in entries.iter().enumerate() {
        let entry = &mut bytes[148 + 16 * i..][..16];
        entry[..4].copy_from_slice(&size.to_le_bytes());
        entry[4..8].copy_from_slice(&offset.to_le_bytes());
        entry[8..].fill(7);
    }
    bytes[136..138].fill(0);
    let words = bytes[..148 + 16 * entries.len()].chunks(2);
    let sum = words.fold(0, |sum, word| sum ^ u16::from_le_bytes([word[0], word[1]]));
    bytes[136..138].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// A slice of 16 sectors with a label.
fn slice(entries: &[(u32, u32)]) -> Vec<u8> {
    let mut disk = vec![0x33; 16 * 512];
    disk[512..1024].copy_from_slice(&label(entries));
    disk
}

/// The slice as an image holds it.
pub(super) fn imaged(disk: &[u8], fixups: &Fixups) -> Vec<u8> {
    let overlay = Overlay::new(&disk, fixups.patches.clone(), ExtentSet::new());
    let mut image = vec![0; disk.len()];
    overlay.read_at(Bytes(0), &mut image).unwrap();
    image
}

/// What becomes of an image's sectors at `place`, with the notes. Fed in parts of `part` sectors.
pub(super) fn loaded(
    image: &[u8],
    relocs: &[Reloc],
    place: Placement,
    part: usize,
) -> Result<(Vec<u8>, Adjusted)> {
    let mut relocated = Relocated::new(relocs.iter().copied(), place)?;
    let parts = || (0_u32..).step_by(part).map(sector);
    for (start, data) in parts().zip(image.chunks(part * 512)) {
        relocated.feed(start, data);
    }
    let adjusted = relocated.finish()?;
    let mut disk = image.to_vec();
    for (start, data) in parts().zip(disk.chunks_mut(part * 512)) {
        adjusted.replace(start, data);
    }
    Ok((disk, adjusted))
}

#[test]
fn a_label_moves_with_its_slice() {
    let disk = slice(&[(100, 2048), (50, 2148), (160, 2048), (0, 0), (10, 2198)]);
    let fixups = find(&disk, FREEBSD, sector(2048)).unwrap();
    let kind = RelocType::FREEBSD_DISKLABEL;
    assert_eq!(fixups.relocs, [Reloc { kind, sector: sector(1), offset: 0, size: 276 }]);
    let image = imaged(&disk, &fixups);
    assert_eq!(image, slice(&[(100, 0), (50, 100), (160, 0), (0, 0), (10, 150)]));

    let (moved, adjusted) = loaded(&image, &fixups.relocs, slice_at(4000, 160), 3).unwrap();
    assert_eq!(moved, slice(&[(100, 4000), (50, 4100), (160, 4000), (0, 0), (10, 4150)]));
    assert!(adjusted.notes().is_empty());
    assert_eq!(adjusted.sectors().map(|(at, _)| at).collect::<Vec<_>>(), [sector(1)]);
}

#[test]
fn a_label_fits_its_slice() {
    let image = slice(&[(100, 0), (50, 100), (150, 0), (9, 200)]);
    let relocs = find(&image, FREEBSD, sector(0)).unwrap().relocs;
    let (small, adjusted) = loaded(&image, &relocs, slice_at(10, 120), 16).unwrap();
    assert_eq!(small, slice(&[(100, 10), (20, 110), (120, 10), (0, 210)]));
    assert_eq!(adjusted.notes().len(), 3, "{:?}", adjusted.notes());
    assert!(adjusted.notes()[0].contains("'b'"), "{:?}", adjusted.notes());

    // 'c' is the slice.
    let (large, adjusted) = loaded(&image, &relocs, slice_at(10, 1000), 16).unwrap();
    assert_eq!(large, slice(&[(100, 10), (50, 110), (1000, 10), (9, 210)]));
    assert!(adjusted.notes().is_empty());
}

#[test]
fn a_disk_is_not_adjusted() {
    let image = slice(&[(100, 0)]);
    let relocs = find(&image, FREEBSD, sector(0)).unwrap().relocs;
    let place = Placement::default();
    assert!(!Relocated::new(relocs.iter().copied(), place).unwrap().is_needed());
    assert_eq!(loaded(&image, &relocs, place, 16).unwrap().0, image);
}

#[test]
fn an_openbsd_label_keeps_the_disk_and_the_slices_of_others() {
    let mut entries = [(10, 3000); 17];
    (entries[2], entries[8], entries[15]) = ((99_999, 0), (500, 63), (7, 1));
    let disk = slice(&entries);
    let fixups = find(&disk, OPENBSD, sector(3000)).unwrap();
    assert_eq!(fixups.relocs[0].kind, RelocType::OPENBSD_DISKLABEL);
    let (moved, _) = loaded(&imaged(&disk, &fixups), &fixups.relocs, slice_at(90, 10), 16).unwrap();
    let outside = |i| i == 2 || (8..16).contains(&i);
    let expected: Vec<_> =
        (0..17).map(|i| if outside(i) { entries[i] } else { (10, 90) }).collect();
    assert_eq!(moved, slice(&expected));
}

/// The relocation names 276 bytes, which is a label with 8 entries, but all are adjusted.
#[test]
fn labels_with_many_entries_are_adjusted_whole() {
    let entries: Vec<_> = (0..22).map(|i| (5, 2048 + 5 * i)).collect();
    let disk = slice(&entries);
    let fixups = find(&disk, FREEBSD, sector(2048)).unwrap();
    assert_eq!(fixups.relocs[0].size, 276);
    let image = imaged(&disk, &fixups);
    let relative: Vec<_> = (0..22).map(|i| (5, 5 * i)).collect();
    assert_eq!(image, slice(&relative));
    let (moved, _) = loaded(&image, &fixups.relocs, slice_at(100, 500), 1).unwrap();
    let expected: Vec<_> =
        (0..22).map(|i| if i == 2 { (5, 110) } else { (5, 100 + 5 * i) }).collect();
    assert_eq!(moved, slice(&expected));
}

#[test]
fn labels_that_need_no_adjustment_stay() {
    let none = |disk: &[u8], kind, start| {
        assert_eq!(find(&disk, kind, sector(start)).unwrap(), Fixups::default());
    };
    let absolute = slice(&[(100, 2048)]);
    none(&slice(&[(100, 0), (50, 100)]), FREEBSD, 2048); // counted from the slice
    none(&slice(&[(100, 2048), (50, 100)]), FREEBSD, 2048); // so is this, whatever it means
    none(&slice(&[(100, 2064)]), FREEBSD, 2048); // 'a' begins later
    none(&slice(&[(0, 2048), (100, 2048)]), FREEBSD, 2048); // no 'a'
    none(&slice(&[]), FREEBSD, 2048);
    none(&absolute, PartitionKind::Mbr(MbrType::LINUX), 2048);
    none(&absolute[..1023], FREEBSD, 2048);
    none(&absolute[..100], FREEBSD, 2048);
    let mut damaged = absolute.clone();
    damaged[512 + 150] ^= 1;
    none(&damaged, FREEBSD, 2048);
    assert!(
        !find(&absolute, PartitionKind::Gpt(Guid::FREEBSD_DISKLABEL), sector(2048))
            .unwrap()
            .relocs
            .is_empty()
    );
}

#[test]
fn damaged_labels_are_errors() {
    let place = slice_at(10, 100);
    let reloc = |offset, size| Reloc {
        kind: RelocType::FREEBSD_DISKLABEL,
        sector: sector(1),
        offset,
        size,
    };
    let kind = |image: &[u8], reloc| loaded(image, &[reloc], place, 16).unwrap_err();
    let at_sector = |kind: CorruptKind| ErrorKind::Corrupt(kind).at(Place::Sector(sector(1)));
    let good = slice(&[(100, 0)]);

    for at in [512, 512 + 132] {
        let mut image = good.clone();
        image[at] ^= 1;
        assert_eq!(kind(&image, reloc(0, 276)), at_sector(CorruptKind::Disklabel));
    }
    let mut image = good.clone();
    image[512 + 138] = 23;
    assert_eq!(kind(&image, reloc(0, 276)), at_sector(CorruptKind::Disklabel), "too many entries");
    image[512 + 138] = 1;
    image[512 + 150] ^= 1;
    assert_eq!(kind(&image, reloc(0, 276)), at_sector(CorruptKind::DisklabelChecksum));

    for (offset, size) in [(0, 275), (0, 513), (300, 276), (512, 276), (u32::MAX, u32::MAX)] {
        assert_eq!(kind(&good, reloc(offset, size)), at_sector(CorruptKind::RelocSize));
    }
    assert_eq!(kind(&good[..600], reloc(0, 276)), at_sector(CorruptKind::RelocData));
    assert_eq!(
        kind(&slice(&[(1, u32::MAX)]), reloc(0, 276)).kind,
        ErrorKind::TooLarge(Limit::Sector32)
    );
}

#[test]
fn a_file_ends_within_its_last_sector() {
    let reloc = short_sector(sector(5), Bytes(40)).unwrap();
    assert_eq!(
        reloc,
        Reloc { kind: RelocType::SHORT_SECTOR, sector: sector(5), offset: 0, size: 40 }
    );
    let (disk, adjusted) = loaded(&[1; 6 * 512], &[reloc], Placement::default(), 4).unwrap();
    assert_eq!(disk, [1; 6 * 512]);
    assert_eq!(adjusted.short(), Some((sector(5), Bytes(40))));
    for valid in [0, 512, u64::MAX] {
        assert_eq!(short_sector(sector(5), Bytes(valid)), None);
    }
    let wrong = Reloc { offset: 1, ..reloc };
    assert!(loaded(&[1; 6 * 512], &[wrong], Placement::default(), 4).is_err());
}

#[test]
fn unknown_types_are_skipped_with_a_note() {
    let relocs = [0, 7, 7, 100, 12_345].map(|kind| Reloc {
        kind: RelocType(kind),
        sector: sector(0),
        offset: 0,
        size: u32::MAX,
    });
    let relocated = Relocated::new(relocs, slice_at(8, 8)).unwrap();
    assert!(!relocated.is_needed());
    let notes = relocated.finish().unwrap().notes().to_vec();
    assert_eq!(notes.len(), 3, "{notes:?}");
}

fn any_reloc() -> impl Strategy<Value = Reloc> {
    let kind = prop_oneof![0..8_u32, any::<u32>()];
    let size = prop_oneof![Just(276_u32), Just(5), Just(512), Just(2), 0..600_u32, any::<u32>()];
    let place = prop_oneof![(0..18_u64, 0..512_u32), (any::<u64>(), any::<u32>())];
    (kind, place, size).prop_map(|(kind, (sector, offset), size)| {
        let sector = Sector::new(sector).unwrap_or(Sector::MAX);
        Reloc { kind: RelocType(kind), sector, offset, size }
    })
}

fn any_placement() -> impl Strategy<Value = Placement> {
    let sector = || {
        prop_oneof![0..5000_u64, any::<u64>()].prop_map(|s| Sector::new(s).unwrap_or(Sector::MAX))
    };
    (sector(), prop::option::of(sector()), any::<bool>())
        .prop_map(|(start, end, slice)| Placement { start, end, slice })
}

proptest! {
    /// A label that is put back at the same place is the same label.
    #[test]
    fn an_image_at_the_same_place_is_the_same(
        sizes in prop::collection::vec((0..1000_u32, 0..3000_u32), 0..22),
        start in 0..5000_u32,
        openbsd: bool,
        part in 1..17_usize,
    ) {
        let kind = if openbsd { OPENBSD } else { FREEBSD };
        let mut entries: Vec<_> = sizes.iter().map(|(size, at)| (*size, start + at)).collect();
        if let Some(first) = entries.first_mut() {
            *first = (77, start);
        }
        let len = 5000;
        if let (Some(raw), false) = (entries.get_mut(2), openbsd) {
            *raw = (len, start);
        }
        let disk = slice(&entries);
        let fixups = find(&disk, kind, sector(start)).unwrap();
        prop_assert_eq!(fixups.relocs.is_empty(), entries.is_empty());
        let image = imaged(&disk, &fixups);
        let (back, adjusted) = loaded(&image, &fixups.relocs, slice_at(start, len), part).unwrap();
        prop_assert_eq!(back, disk);
        prop_assert!(adjusted.notes().is_empty());
    }

    #[test]
    fn random_labels_are_read_or_refused(
        random in prop::collection::vec(any::<u8>(), 512),
        keep in 0..512_usize,
        entries in prop::collection::vec(any::<(u32, u32)>(), 0..22),
        start: u32,
    ) {
        let mut bytes = label(&entries);
        bytes[keep..].copy_from_slice(&random[keep..]);
        if let Ok(label) = Disklabel::new(&bytes) {
            prop_assert!(label.entries().count() <= 22);
            let _: Vec<Entry> = label.entries().collect();
            let _ = label.is_absolute(Flavour::OpenBsd, sector(start));
        }
        let mut disk = vec![0; 1024];
        disk[512..].copy_from_slice(&bytes);
        find(&disk, FREEBSD, sector(start)).unwrap();
    }

    #[test]
    fn random_relocations_never_panic(
        relocs in prop::collection::vec(any_reloc(), 0..40),
        place in any_placement(),
        entries in prop::collection::vec(any::<(u32, u32)>(), 0..22),
    ) {
        let image = slice(&entries);
        let _ = loaded(&image, &relocs, place, 16);
    }
}
