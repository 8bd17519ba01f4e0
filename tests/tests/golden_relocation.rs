//! Relocations as the reference programs made and applied them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use imagezip_core::codec::Decompressor;
use imagezip_core::device::{ReadAt, Window};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Image, Reloc};
use imagezip_core::overlay::{Overlay, Padded};
use imagezip_core::partition::{self, LogicalSectorSize};
use imagezip_core::relocation::{Placement, Relocated, find, short_sector};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use swapmfs_tests::golden::Case;

const LABEL: Sector = Sector::from_u32(1);

/// The relocations of all chunks of an image.
fn relocs(file: &[u8]) -> Vec<Reloc> {
    let image = Image::open(file).unwrap();
    let mut chunks = image.chunks();
    let mut relocs = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        relocs.extend(chunk.relocs());
    }
    relocs
}

/// The first partition of a disk.
fn first_partition(disk: &[u8]) -> partition::Partition {
    let table = partition::read(&disk, LogicalSectorSize::B512).unwrap().unwrap();
    table.find(1).unwrap().clone()
}

#[test]
fn a_freebsd_slice_is_imaged_as_the_reference_does() {
    let case = Case::open("slicemode").unwrap();
    let (disk, reference) = (case.file("base.r.img").unwrap(), case.file("base.r.ndz").unwrap());
    let slice = first_partition(&disk);
    let window = Window::new(&disk, slice.range).unwrap();
    let fixups = find(&window, slice.kind, slice.range.start()).unwrap();
    assert_eq!(fixups.relocs, relocs(&reference));

    let mut label = [0; 512];
    window.read_sectors(LABEL, &mut label).unwrap();
    assert_eq!(label.as_slice(), case.file("base.label.bin").unwrap());
    let overlay = Overlay::new(&window, fixups.patches, ExtentSet::new());
    overlay.read_sectors(LABEL, &mut label).unwrap();
    let image = Image::open(&reference).unwrap();
    let mut chunks = image.chunks();
    let chunk = chunks.next_chunk().unwrap().unwrap();
    let mut compared = false;
    chunk
        .decode(&mut Decompressor::default(), &mut |start, data| {
            if start == Sector::ZERO {
                compared = data[512..1024] == label;
            }
            Ok(())
        })
        .unwrap();
    assert!(compared);
}

#[test]
fn a_slice_without_relocations_has_none_here() {
    let case = Case::open("slicemode").unwrap();
    assert_eq!(relocs(&case.file("base.rN.ndz").unwrap()), []);
    // In the label of the other disk, 'a' begins later than the slice.
    let disk = case.file("base.img").unwrap();
    let slice = first_partition(&disk);
    let window = Window::new(&disk, slice.range).unwrap();
    let fixups = find(&window, slice.kind, slice.range.start()).unwrap();
    assert_eq!(fixups.relocs, relocs(&case.file("base.s1.ndz").unwrap()));
}

#[test]
fn a_freebsd_slice_is_loaded_as_the_reference_does() {
    let case = Case::open("slicemode").unwrap();
    let file = case.file("base.r.ndz").unwrap();
    let image = Image::open(&file).unwrap();
    let mut chunks = image.chunks();
    let chunk = chunks.next_chunk().unwrap().unwrap();
    let place =
        SectorRange::with_len(Sector::from_u32(10_240), SectorCount::from_u32(61_440)).unwrap();
    let mut relocated = Relocated::new(chunk.relocs(), Placement::partition(place)).unwrap();
    assert!(relocated.is_needed());
    chunk
        .decode(&mut Decompressor::default(), &mut |start, data| {
            relocated.feed(start, data);
            Ok(())
        })
        .unwrap();
    let adjusted = relocated.finish().unwrap();
    assert_eq!(adjusted.notes(), [""; 0]);
    let (sector, label) = adjusted.sectors().next().unwrap();
    assert_eq!(sector, LABEL);
    assert_eq!(label.as_slice(), case.file("restored.label.bin").unwrap());
}

#[test]
fn a_file_ends_as_the_reference_says() {
    let case = Case::open("filemode").unwrap();
    let file = case.file("base.img").unwrap();
    let padded = Padded::new(&file);
    let (sector, valid) = padded.short().unwrap();
    assert_eq!(relocs(&case.file("base.ndz").unwrap()), [short_sector(sector, valid).unwrap()]);

    let relocs = relocs(&case.file("base.ndz").unwrap());
    let mut relocated = Relocated::new(relocs, Placement::default()).unwrap();
    let mut last = [0; 512];
    padded.read_sectors(sector, &mut last).unwrap();
    relocated.feed(sector, &last);
    assert_eq!(relocated.finish().unwrap().short(), Some((sector, valid)));
}
