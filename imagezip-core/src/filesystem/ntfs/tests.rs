//! Whole volumes, built by hand. Those that mkntfs makes are in the crate `fixtures`.

use std::string::String;
use std::vec::Vec;

use super::*;
use crate::error::{Error, IncompatibleKind, Place};
use crate::sector::SectorRange;

mod image;

use image::{BITMAP, CLUSTERS, Image, LOG, MFT, RECORDS, Record};
use image::{file_name, index_root, list, outside, record, reference, resident};

/// The clusters that are found to be free, and the notes.
fn found(disk: &[u8]) -> (Vec<u64>, Vec<String>) {
    let allocation = allocation(&disk.to_vec()).unwrap();
    let all = SectorRange::first(Bytes(disk.len() as u64).whole_sectors());
    let free = allocation.in_use.complement(all);
    let clusters = free.iter().flat_map(|range| range.start().get() / 2..range.end().get() / 2);
    (clusters.collect(), allocation.notes)
}

fn free_by_bitmap(image: &Image) -> Vec<u64> {
    (1..CLUSTERS).filter(|cluster| !image.in_use.contains(cluster)).collect()
}

fn refused(image: &Image) -> Error {
    allocation(&image.build()).unwrap_err()
}

const MAP: ErrorKind = ErrorKind::Corrupt(CorruptKind::AllocationMap);

fn bad_record(number: u64) -> Error {
    ErrorKind::Corrupt(CorruptKind::MftRecord).at(Place::Entry(number))
}

/// An image in which something is changed.
fn with(change: impl FnOnce(&mut Image)) -> Image {
    let mut image = Image::default();
    change(&mut image);
    image
}

fn put(number: usize, record: Record) -> impl FnOnce(&mut Image) {
    move |image| image.records[number] = Some(record)
}

#[test]
fn free_clusters_are_those_of_the_bitmap() {
    for client in [None, Some(0xffff)] {
        let image = with(|image| image.client = client);
        assert_eq!(found(&image.build()), (free_by_bitmap(&image), Vec::new()));
    }
}

#[test]
fn the_boot_sectors_are_in_use() {
    let image = with(|image| image.in_use.retain(|cluster| *cluster > 3));
    let disk = image.build();
    let allocation = allocation(&disk).unwrap();
    assert_eq!(allocation.size.get(), 2 * CLUSTERS);
    assert_eq!(allocation.in_use.iter().next().unwrap().end().get(), 2);
    assert_eq!(allocation.in_use.end().unwrap().get(), 2 * CLUSTERS + 1);
}

#[test]
fn a_log_that_is_in_use() {
    let unclean = ErrorKind::Incompatible(IncompatibleKind::Unclean);
    let open = with(|image| image.client = Some(0));
    assert_eq!(refused(&open).kind, unclean);
    let mut disk = Image::default().build();
    disk[usize::try_from(LOG + 9).unwrap() << 10] = 0;
    assert_eq!(allocation(&disk).unwrap_err().kind, unclean);
}

#[test]
fn without_a_log_what_files_have_is_in_use() {
    let file = record(&[outside(0x80, 0, &[(150, 3), (100, 1)], 4096)]);
    let image = with(put(30, file.clone()));
    let note = "the bitmap lacks 6 sectors that files have: they count as in use";
    let mut free = free_by_bitmap(&image);
    free.retain(|cluster| !(150..153).contains(cluster));
    assert_eq!(found(&image.build()), (free, [note.into()].to_vec()));
    // A file that was deleted, and a log that says all is well.
    let deleted = with(put(30, Record { flags: 0, ..file.clone() }));
    assert_eq!(found(&deleted.build()).0, free_by_bitmap(&deleted));
    let mut closed = with(put(30, file.clone()));
    closed.client = Some(0xffff);
    assert_eq!(found(&closed.build()), (free_by_bitmap(&closed), Vec::new()));
    // Of the system's own files this is checked.
    closed.records[12] = Some(file);
    assert_eq!(refused(&closed).kind, MAP);
}

#[test]
fn a_volume_that_is_marked() {
    let marked = |version: u8, flags: u8| {
        let information = [0, 0, 0, 0, 0, 0, 0, 0, 3, version, flags, 0];
        let mut image = with(put(3, record(&[resident(0x70, "", &information)])));
        image.client = Some(0xffff);
        image.records[30] = Some(record(&[outside(0x80, 0, &[(150, 1)], 1)]));
        image
    };
    for (flags, is_dirty) in [(1, true), (2, true), (0x80, true), (0x38, false), (0, false)] {
        let (free, notes) = found(&marked(0, flags).build());
        assert_eq!((!free.contains(&150), notes.len()), (is_dirty, if is_dirty { 2 } else { 0 }));
    }
    let version = ErrorKind::Incompatible(IncompatibleKind::Version);
    assert_eq!(refused(&marked(2, 0)).kind, version);
}

#[test]
fn bitmaps_that_cannot_be() {
    let bitmap = |attribute| with(put(6, record(&[attribute])));
    let size = CLUSTERS / 8;
    assert_eq!(refused(&bitmap(outside(0x80, 0, &[(BITMAP, 1)], size - 1))).kind, MAP);
    assert_eq!(refused(&bitmap(resident(0x80, "", &[0; 25]))).kind, MAP);
    assert_eq!(refused(&bitmap(outside(0x80, 1, &[(BITMAP, 1)], size))).kind, MAP);
    assert_eq!(refused(&bitmap(outside(0x80, 0, &[(BITMAP, 1)], 1025))), bad_record(6));
    assert_eq!(refused(&bitmap(outside(0x80, 0, &[(CLUSTERS, 1)], size))), bad_record(6));
    assert_eq!(refused(&bitmap(outside(0x80, 0, &[(90, 2), (91, 1)], size))), bad_record(6));
    // Compressed, and as a record that tells a wrong number of clusters.
    for (at, value, expected) in [(0x0c, 1, MAP), (0x18, 1, bad_record(6).kind)] {
        let mut attribute = outside(0x80, 0, &[(BITMAP, 1)], size);
        attribute[at] = value;
        assert_eq!(refused(&bitmap(attribute)).kind, expected);
    }
}

/// The attributes of a file in several records.
#[test]
fn an_attribute_in_several_records() {
    let size = CLUSTERS / 8;
    let parts = |entries: &[(u32, u64, u64)], base: u64, first: u64| {
        let mut image = Image::default();
        let own = outside(0x80, 0, &[(BITMAP, 1)], size);
        image.records[6] = Some(record(&[list(entries), own]));
        let part = outside(0x80, first, &[(BITMAP + 5, 1)], 0);
        image.records[25] = Some(Record { base, ..record(&[part]) });
        image.in_use.push(BITMAP + 5);
        image
    };
    let (own, other) = ((0x80, 0, reference(6)), (0x80, 1, reference(25)));
    let good = parts(&[own, other], reference(6), 1);
    assert_eq!(found(&good.build()), (free_by_bitmap(&good), Vec::new()));
    for (entries, base, first, bad) in [
        (&[other][..], reference(6), 1, 6),
        (&[own, own], reference(6), 1, 6),
        (&[own, other], reference(7), 1, 25),
        (&[own, other], reference(6), 2, 25),
        (&[own, (0x80, 1, 25)], reference(6), 1, 25),
        (&[own, (0x80, 1, reference(26))], reference(6), 1, 26),
        (&[own, (0x80, 1, reference(RECORDS))], reference(6), 1, RECORDS),
    ] {
        assert_eq!(refused(&parts(entries, base, first)), bad_record(bad), "{entries:?}");
    }
}

/// The second half of the MFT is told by a record in the first one.
#[test]
fn an_mft_in_parts() {
    let half = RECORDS / 2;
    let parts = |bad: u64| {
        let mut image = Image::default();
        let own = outside(0x80, 0, &[(MFT, half)], RECORDS << 10);
        let entries = [(0x80, 0, reference(0)), (0x80, half, reference(15))];
        image.records[0] = Some(record(&[list(&entries), own]));
        let rest = outside(0x80, half, &[(MFT + half, half - bad)], 0);
        image.records[15] = Some(Record { base: reference(0), ..record(&[rest]) });
        image.records[39] = Some(record(&[outside(0x80, 0, &[(150, 1)], 1)]));
        image
    };
    assert!(!found(&parts(0).build()).0.contains(&150));
    assert_eq!(refused(&parts(1)), bad_record(0));
}

#[test]
fn records_that_are_damaged() {
    let file = record(&[outside(0x80, 0, &[(100, 1)], 1)]);
    let place = usize::try_from((MFT + 30) << 10).unwrap();
    let damaged = |number: u64, at: usize, value: u8| {
        let mut disk = with(put(30, file.clone())).build();
        disk[place - ((30 - usize::try_from(number).unwrap()) << 10) + at] ^= value;
        allocation(&disk)
    };
    // Signature, mark of the second sector, number, size of an attribute, runs.
    for (at, value) in [(0, 1), (1022, 1), (0x2c, 1), (0x3c, 1), (0x38 + 0x40, 0xff)] {
        assert_eq!(damaged(30, at, value).unwrap_err(), bad_record(30), "{at:x}");
    }
    // Nothing else counts in a record that is not in use.
    let deleted = with(put(30, Record { flags: 0, ..file.clone() }));
    let mut disk = deleted.build();
    disk[place + 1022] ^= 1;
    assert!(allocation(&disk).is_ok());
    for number in [0, 2, 3, 6] {
        assert_eq!(damaged(number, 1022, 1).unwrap_err(), bad_record(number));
    }
    // The directory only tells where the page files are.
    let mut closed = with(put(30, file.clone()));
    closed.client = Some(0xffff);
    closed.records[5] = Some(record(&[]));
    let note = "its root directory is not understood: page files are kept";
    assert_eq!(found(&closed.build()), (free_by_bitmap(&closed), [note.into()].to_vec()));
}

#[test]
fn page_files() {
    let paged = |name: &str, target: u64, change: &dyn Fn(&mut Record)| {
        let mut image = Image::default();
        image.records[5] = Some(record(&[index_root(&[("a", 1), (name, target)])]));
        let data = outside(0x80, 0, &[(110, 2), (100, 2), (120, 5)], 9000);
        let mut file = record(&[resident(0x30, "", &file_name(name)), data]);
        change(&mut file);
        image.records[30] = Some(file);
        image.in_use.extend([110, 111, 120, 121, 122, 123, 124]);
        let free = found(&image.build()).0;
        let unneeded = free.iter().filter(|cluster| image.in_use.contains(cluster));
        unneeded.copied().collect::<Vec<_>>()
    };
    let unchanged = |_: &mut Record| ();
    let unneeded = [120, 121, 122, 123, 124];
    assert_eq!(paged("pagefile.sys", reference(30), &unchanged), unneeded);
    assert_eq!(paged("HiberFil.SYS", reference(30), &unchanged), unneeded);
    assert_eq!(paged("pagefile_sys", reference(30), &unchanged), []);
    assert_eq!(paged("pagefile.sys", 30, &unchanged), []);
    assert_eq!(paged("pagefile.sys", reference(31), &unchanged), []);
    assert_eq!(paged("pagefile.sys", reference(30), &|file| file.links = 2), []);
    assert_eq!(paged("pagefile.sys", reference(30), &|file| file.attributes[1][0x0d] = 0x40), []);
    let renamed = |file: &mut Record| file.attributes[0] = resident(0x30, "", &file_name("x"));
    assert_eq!(paged("pagefile.sys", reference(30), &renamed), []);
}

/// As it is where a driver was interrupted that deleted the page file and gave its clusters away: what it wrote last may not be
/// on the disk.
#[test]
fn what_a_page_file_shares_with_another_is_in_use() {
    let unneeded = |number: usize, other: Record| {
        let mut image = Image::default();
        let name = "pagefile.sys";
        image.records[5] = Some(record(&[index_root(&[(name, reference(30))])]));
        let data = outside(0x80, 0, &[(110, 4), (120, 5)], 9000);
        image.records[30] = Some(record(&[resident(0x30, "", &file_name(name)), data]));
        image.records[number] = Some(other);
        image.in_use.extend((110..114).chain(120..125));
        let free = found(&image.build()).0;
        free.into_iter().filter(|cluster| image.in_use.contains(cluster)).collect::<Vec<_>>()
    };
    let shared = record(&[outside(0x80, 0, &[(121, 2)], 2000)]);
    assert_eq!(unneeded(31, shared.clone()), [120, 123, 124]);
    // A part of the same file: of its data, and of something else that it has.
    let part = |kind| Record { base: reference(30), ..record(&[outside(kind, 9, &[(121, 2)], 0)]) };
    assert_eq!(unneeded(31, part(0x80)), [120, 121, 122, 123, 124]);
    assert_eq!(unneeded(31, part(0xa0)), [120, 123, 124]);
    assert_eq!(unneeded(31, Record { flags: 0, ..shared }), [120, 121, 122, 123, 124]);
}

#[test]
fn not_a_volume() {
    assert!(!is_present(&Vec::new()).unwrap());
    assert!(!is_present(&std::vec![0; 1 << 20]).unwrap());
    assert!(is_present(&Image::default().build()).unwrap());
    let mut disk = Image::default().build();
    disk.truncate(usize::try_from(CLUSTERS).unwrap() * 1024 - 1);
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::FileSystemSize));
    disk[0x0d] = 3;
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::NtfsBootSector));
}
