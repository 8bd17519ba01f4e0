use super::*;
use crate::error::{CorruptKind, Error, ErrorKind, IncompatibleKind, Place};
use crate::filesystem::{FilesystemKind, RawReason, Verdict, examine};
use crate::sector::{Bytes, Sector, SectorRange};
use std::vec;

/// A file system made by hand.
struct Image {
    bytes: Vec<u8>,
    cluster: usize,
    tables: [usize; 2],
    width: u32,
    root: usize,
    heap: usize,
}

impl Image {
    /// One with so many clusters of one sector each, in which only the root directory is.
    fn new(width: u32, sector: usize, clusters: u32) -> Self {
        let entries = clusters as usize + 2;
        let table_sectors = (entries * width as usize).div_ceil(8).div_ceil(sector);
        let root_sectors = if width == 32 { 0 } else { 4096 / sector };
        let (reserved, tables) = (3, 2);
        let heap = reserved + tables * table_sectors + root_sectors;
        let sectors = heap + clusters as usize;
        let mut image = Self {
            bytes: vec![0; sectors * sector],
            cluster: sector,
            tables: [reserved * sector, (reserved + table_sectors) * sector],
            width,
            root: (reserved + tables * table_sectors) * sector,
            heap: heap * sector,
        };
        image.put(0, &[0xeb, 0x3c, 0x90]);
        image.put(11, &u16::try_from(sector).unwrap().to_le_bytes());
        image.put(13, &[1, 3, 0, 2]);
        image.put(17, &u16::try_from(root_sectors * sector / 32).unwrap().to_le_bytes());
        image.put(21, &[0xf8]);
        image.put(32, &u32::try_from(sectors).unwrap().to_le_bytes());
        let table_sectors = u32::try_from(table_sectors).unwrap();
        if width == 32 {
            image.put(36, &table_sectors.to_le_bytes());
            image.put(44, &2_u32.to_le_bytes());
        } else {
            image.put(22, &u16::try_from(table_sectors).unwrap().to_le_bytes());
        }
        image.put(510, &[0x55, 0xaa]);
        image.both(0, 0x0fff_fff8);
        image.both(1, 0x0fff_ffff);
        if width == 32 {
            image.both(2, 0x0fff_ffff);
        }
        image
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Sets an entry of one FAT.
    fn entry(&mut self, table: usize, number: usize, value: u32) {
        let at = self.tables[table];
        match self.width {
            12 => {
                let at = at + number * 3 / 2;
                let old = u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]);
                let value = u16::try_from(value & 0xfff).unwrap();
                let new =
                    if number % 2 == 1 { old & 0xf | value << 4 } else { old & 0xf000 | value };
                self.put(at, &new.to_le_bytes());
            }
            16 => self.put(at + number * 2, &u16::try_from(value & 0xffff).unwrap().to_le_bytes()),
            _ => self.put(at + number * 4, &value.to_le_bytes()),
        }
    }

    /// Sets an entry of both FATs.
    fn both(&mut self, number: usize, value: u32) {
        self.entry(0, number, value);
        self.entry(1, number, value);
    }

    fn position(&self, number: usize) -> usize {
        self.heap + (number - 2) * self.cluster
    }

    /// Writes an entry of a directory.
    fn file(&mut self, at: usize, attributes: u8, cluster: u32) {
        self.put(at, b"NAME    EXT");
        self.put(at + 11, &[attributes]);
        self.put(at + 20, &u16::try_from(cluster >> 16).unwrap().to_le_bytes());
        self.put(at + 26, &u16::try_from(cluster & 0xffff).unwrap().to_le_bytes());
    }

    fn allocation(&self) -> Allocation {
        allocation(&self.bytes).unwrap()
    }

    fn error(&self) -> ErrorKind {
        allocation(&self.bytes).unwrap_err().kind
    }

    /// The clusters in use; all else is.
    fn in_use(&self) -> Vec<usize> {
        let in_use = self.allocation().in_use;
        let sector = |at: usize| Sector::new(at as u64 / 512).unwrap();
        let range = |from, to| SectorRange::new(sector(from), sector(to)).unwrap();
        assert!(in_use.contains(range(0, self.heap)), "{in_use:?}");
        let clusters = (self.bytes.len() - self.heap) / self.cluster;
        let end = self.heap + clusters * self.cluster;
        assert!(in_use.contains(range(end, self.bytes.len())));
        let numbers = 2..clusters + 2;
        let of = |number| range(self.position(number), self.position(number + 1));
        numbers.filter(|number| in_use.within(of(*number)).next().is_some()).collect()
    }
}

fn kind(image: &Image) -> FilesystemKind {
    image.allocation().kind
}

#[test]
fn the_number_of_clusters_decides_the_width() {
    use FilesystemKind::{Fat12, Fat16, Fat32};
    assert_eq!(kind(&Image::new(12, 512, 4084)), Fat12);
    assert_eq!(kind(&Image::new(16, 512, 4085)), Fat16);
    assert_eq!(kind(&Image::new(16, 512, 65524)), Fat16);
    assert_eq!(Image::new(16, 512, 65525).error(), ErrorKind::Corrupt(CorruptKind::FatGeometry));
    // The size of the FAT is where only FAT32 has it.
    assert_eq!(kind(&Image::new(32, 512, 100)), Fat32);
    assert_eq!(kind(&Image::new(32, 512, 70000)), Fat32);
    // What it calls itself does not.
    let mut image = Image::new(16, 512, 5000);
    image.put(54, b"FAT12   ");
    assert_eq!(kind(&image), Fat16);
}

#[test]
fn free_clusters_by_sectors_of_all_sizes() {
    for (width, clusters) in [(12, 50), (16, 4200), (32, 50)] {
        for sector in [512, 1024, 2048, 4096] {
            let mut image = Image::new(width, sector, clusters);
            let last = clusters as usize + 1;
            // The last one is bad.
            for (number, value) in [(5, 7), (7, 0x0fff_ffff), (last, 0x0fff_fff7)] {
                image.both(number, value);
            }
            let mut expected = vec![5, 7, last];
            if width == 32 {
                // The upper bits of an entry are nobody's.
                image.both(20, 0xf000_0000);
                expected.insert(0, 2);
            }
            assert_eq!(image.in_use(), expected, "{width} {sector}");
            let allocation = image.allocation();
            assert_eq!(allocation.size, Bytes(image.bytes.len() as u64).whole_sectors());
            assert!(allocation.notes.is_empty());
        }
    }
}

#[test]
fn what_lies_behind_it_is_in_use() {
    let mut image = Image::new(16, 512, 4200);
    let size = image.bytes.len() / 512;
    image.bytes.extend([0; 2048]);
    assert_eq!(image.allocation().size.get(), size as u64);
    assert_eq!(image.in_use(), [4202, 4203, 4204, 4205]);
}

#[test]
fn a_cluster_is_free_if_all_tables_say_so() {
    for width in [12, 16, 32] {
        let clusters = if width == 16 { 4200 } else { 50 };
        let mut image = Image::new(width, 512, clusters);
        image.entry(0, 10, 0x0fff_ffff);
        image.entry(1, 11, 0x0fff_ffff);
        image.both(12, 0x0fff_ffff);
        let of_root = [2].into_iter().take(usize::from(width == 32));
        assert_eq!(image.in_use(), of_root.chain([10, 11, 12]).collect::<Vec<_>>());
        let note = "2 clusters are free in one FAT and not in another: they count as in use";
        assert_eq!(image.allocation().notes, [note]);
    }
}

#[test]
fn tables_that_are_not_kept_the_same() {
    let mut image = Image::new(32, 512, 50);
    image.entry(0, 10, 0x0fff_ffff);
    image.entry(1, 11, 0x0fff_ffff);
    // The first one alone counts, the second one may hold anything.
    image.put(40, &[0x80]);
    assert_eq!(image.in_use(), [2, 10]);
    assert!(image.allocation().notes.is_empty());
    // Linux takes the first one even if the second one counts.
    image.put(40, &[0x81]);
    assert_eq!(image.in_use(), [2, 10, 11]);
    image.put(40, &[0x82]);
    assert_eq!(image.error(), ErrorKind::Corrupt(CorruptKind::FatGeometry), "no third one");
}

#[test]
fn more_tables_than_two() {
    let mut image = Image::new(32, 512, 600);
    // The last of three takes the place of five clusters.
    image.put(16, &[3]);
    image.put(44, &20_u32.to_le_bytes());
    let third = 2 * image.tables[1] - image.tables[0];
    let table = image.bytes[image.tables[0]..image.tables[1]].to_vec();
    image.put(third, &table);
    image.put(third + 200 * 4, &[0xff, 0xff, 0xff, 0x0f]);
    image.heap += image.tables[1] - image.tables[0];
    assert_eq!(image.in_use(), [2, 20, 200]);
}

#[test]
fn marks_of_a_volume_that_was_not_unmounted() {
    let note = "it was not unmounted cleanly, or had errors";
    for (width, clusters, state, marks) in
        [(16, 4200, 37, [0x7fff, 0xbfff]), (32, 50, 65, [0x07ff_ffff, 0x0bff_ffff])]
    {
        for mark in marks {
            let mut image = Image::new(width, 512, clusters);
            image.both(1, mark);
            assert_eq!(image.allocation().notes, [note]);
        }
        let mut image = Image::new(width, 512, clusters);
        image.put(state, &[1]);
        assert_eq!(image.allocation().notes, [note]);
    }
}

#[test]
fn chains_and_files_that_the_table_does_not_know_yet() {
    let mut image = Image::new(16, 512, 4200);
    // A chain whose rest is not written.
    image.both(10, 100);
    // A file; a directory with one, of whose two clusters the first is not written.
    image.file(image.root, 0x20, 200);
    image.file(image.root + 32, 0x10, 300);
    image.file(image.position(300) + 64, 0, 400);
    image.file(image.position(300) + 96, 0x10, 300);
    // These have none.
    image.file(image.root + 64, 0x0f, 500);
    image.file(image.root + 96, 0x08, 501);
    image.file(image.root + 128, 0x20, 502);
    image.put(image.root + 128, &[0xe5]);
    image.file(image.root + 160, 0x20, 502);
    image.put(image.root + 160, &[0]);
    image.file(image.root + 192, 0x20, 0);
    image.file(image.root + 224, 0x20, 65535);
    // Linux does not stop at the end of a directory.
    image.file(image.root + 256, 0x20, 600);
    assert_eq!(image.in_use(), [10, 100, 200, 300, 400, 600]);
    let note = "4 clusters are free in the FAT, though files begin there: they count as in use";
    assert_eq!(image.allocation().notes, [note]);
}

#[test]
fn directories_of_several_clusters_by_either_table() {
    let mut image = Image::new(32, 512, 100);
    // The root has three by one table and two by the other.
    image.entry(0, 2, 10);
    image.entry(0, 10, 11);
    image.entry(0, 11, 2);
    image.entry(1, 2, 20);
    image.entry(1, 20, 0x0fff_ffff);
    for (cluster, file) in [(2, 40), (10, 41), (11, 42), (20, 43)] {
        image.file(image.position(cluster), 0x20, file);
    }
    // Of FAT12 and FAT16 the upper half means something else.
    image.file(image.position(11) + 32, 0x20, 0x0001_0050);
    assert_eq!(image.in_use(), [2, 10, 11, 20, 40, 41, 42, 43]);
    let mut image = Image::new(16, 512, 4200);
    image.file(image.root, 0x20, 0x0001_0050);
    assert_eq!(image.in_use(), [0x50]);
}

#[test]
fn a_table_that_is_too_short() {
    let mut image = Image::new(32, 512, 500);
    image.put(36, &[3]);
    image.bytes[image.tables[0]..image.heap].fill(0);
    image.tables[1] = image.tables[0] + 3 * 512;
    image.heap = image.tables[0] + 6 * 512;
    image.both(0, 0x0fff_fff8);
    image.both(1, 0x0fff_ffff);
    image.both(2, 0x0fff_ffff);
    let in_use = image.in_use();
    assert_eq!(in_use[..2], [2, 384]);
    assert_eq!(in_use.len(), (image.bytes.len() - image.heap) / 512 - 381);
}

#[test]
fn what_no_file_system_can_have() {
    let geometry = ErrorKind::Corrupt(CorruptKind::FatGeometry);
    let size = ErrorKind::Corrupt(CorruptKind::FileSystemSize);
    let map = ErrorKind::Corrupt(CorruptKind::AllocationMap);
    let version = ErrorKind::Incompatible(IncompatibleKind::Version);
    let check = |width, at: usize, bytes: &[u8], expected: &ErrorKind| {
        let mut image = Image::new(width, 512, if width == 16 { 4200 } else { 50 });
        image.put(at, bytes);
        assert_eq!(image.error(), *expected, "{width} bits, {bytes:?} at {at}");
    };
    for width in [12, 16, 32] {
        for (at, bytes) in [
            (11, &[0, 1][..]),
            (11, &[1, 2]),
            (11, &[0, 0x20]),
            (13, &[0]),
            (13, &[3]),
            (14, &[0, 0]),
            (14, &[0xff, 0xff]),
            (16, &[0]),
            (21, &[0xf7]),
            (17, if width == 32 { &[1, 0] } else { &[0, 0] }),
            (17, &[17, 0]),
            (32, &[0, 0, 0, 0]),
            (32, &[4, 0, 0, 0]),
            (510, &[0]),
        ] {
            check(width, at, bytes, &geometry);
        }
        check(width, 32, &[0xff; 4], &size);
        check(width, 3 * 512, &[0xf0], &map);
        check(width, 3 * 512 + 1, &[0], &map);
    }
    check(16, 3 * 512 + 2, &[0, 0], &map);
    check(32, 42, &[1, 0], &version);
    check(32, 44, &[1, 0, 0, 0], &geometry);
    check(32, 44, &[52, 0, 0, 0], &geometry);
    check(32, 36, &[0; 4], &geometry);
    check(32, 36, &[0xff; 4], &geometry);
}

#[test]
fn only_fat_is_taken_for_it() {
    let image = Image::new(16, 512, 4200);
    let seen = |change: &dyn Fn(&mut Image)| {
        let mut image = Image::new(16, 512, 4200);
        change(&mut image);
        is_present(&image.bytes).unwrap()
    };
    assert!(is_present(&image.bytes).unwrap());
    assert!(seen(&|image| image.put(0, &[0xe9, 0, 0])));
    assert!(!seen(&|image| image.put(0, &[0xeb, 0x3c, 0])));
    assert!(!seen(&|image| image.put(3 * 512, &[0xf0])), "media");
    // With what it calls itself it may be damaged.
    assert!(seen(&|image| {
        image.put(3 * 512, &[0xf0]);
        image.put(54, b"FAT16   ");
    }));
    // NTFS has no FATs and no sectors before them; exFAT no numbers there at all; extlinux on another
    // file system only those of sectors and clusters; an MBR none, or what was there before.
    assert!(!seen(&|image| {
        image.put(3, b"NTFS    ");
        image.put(14, &[0, 0, 0, 0, 0, 0, 0]);
    }));
    assert!(!seen(&|image| image.put(11, &[0; 53])));
    assert!(!seen(&|image| image.put(14, &[0; 10])));
    for len in [0, 511, 512] {
        assert!(!is_present(&&image.bytes[..len]).unwrap());
    }
}

#[test]
fn a_damaged_one_is_raw() {
    let mut image = Image::new(16, 512, 4200);
    image.put(32, &[0xff; 4]);
    let examined = examine(&image.bytes, None).unwrap();
    let expected = Verdict::Raw(RawReason::Damaged(Error {
        kind: ErrorKind::Corrupt(CorruptKind::FileSystemSize),
        place: Place::Sector(Sector::ZERO),
    }));
    assert_eq!(examined.verdict, expected);
    // The disk that Windows shows of a BitLocker volume.
    let mut image = Image::new(32, 512, 100);
    image.put(424, b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01");
    let examined = examine(&image.bytes, None).unwrap();
    assert_eq!(examined.verdict, Verdict::Raw(RawReason::Ambiguous("FAT", "BitLocker")));
}

#[test]
fn one_that_fills_a_disk_is_whole() {
    let whole = sample();
    assert!(fills(&whole).unwrap());
    let mut short = whole.clone();
    short.truncate(512 * 4000);
    assert!(!fills(&short).unwrap() && is_present(&short).unwrap());
    let mut without_table = whole;
    without_table[3 * 512 + 1] = 0;
    assert!(!fills(&without_table).unwrap() && is_present(&without_table).unwrap());
}

/// A FAT16 file system of 4200 clusters of 512 bytes, without files.
pub(crate) fn sample() -> Vec<u8> {
    Image::new(16, 512, 4200).bytes
}
