use super::*;
use crate::error::{IncompatibleKind, Limit};
use crate::filesystem::{Verdict, examine};
use crate::sector::{Bytes, Sector, SectorRange};
use std::vec;

const FAT_SECTOR: usize = 24;
const CLUSTERS: u32 = 3000;

/// A file system made by hand: the bitmap in cluster 2, the root directory in cluster 10.
struct Image {
    bytes: Vec<u8>,
    sector: usize,
    cluster: usize,
    table: usize,
    /// The size of a FAT.
    table_bytes: usize,
    heap: usize,
}

impl Image {
    fn new(sector_shift: u8, cluster_shift: u8, tables: u8) -> Self {
        let sector = 1_usize << sector_shift;
        let cluster = sector << cluster_shift;
        let fat_sectors = (4 * (CLUSTERS as usize + 2)).div_ceil(sector);
        let heap = (FAT_SECTOR + usize::from(tables) * fat_sectors) * sector;
        let size = heap + CLUSTERS as usize * cluster;
        let bytes = vec![0; size];
        let table = FAT_SECTOR * sector;
        let table_bytes = fat_sectors * sector;
        let mut image = Self { bytes, sector, cluster, table, table_bytes, heap };
        image.put(0, b"\xeb\x76\x90EXFAT   ");
        image.put(72, &((size / sector) as u64).to_le_bytes());
        let numbers = [FAT_SECTOR, fat_sectors, heap / sector, CLUSTERS as usize, 10];
        for (at, number) in [80, 84, 88, 92, 96].into_iter().zip(numbers) {
            image.put(at, &u32::try_from(number).unwrap().to_le_bytes());
        }
        image.put(104, &[0, 1, 0, 0, sector_shift, cluster_shift, tables, 0x80, 0xff]);
        image.put(510, &[0x55, 0xaa]);
        image.chain(0, &[10]);
        image.entry(10, 0, 0x81, 0, 2, u64::from(CLUSTERS.div_ceil(8)));
        image.use_clusters(2, &[2, 10]);
        image.seal();
        image
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn seal(&mut self) {
        let sector = self.sector;
        let sum = boot_region::checksum(&self.bytes[..11 * sector]).to_le_bytes();
        self.put(11 * sector, &sum.repeat(sector / 4));
    }

    fn position(&self, number: usize) -> usize {
        self.heap + (number - 2) * self.cluster
    }

    /// Puts clusters in a chain.
    fn chain(&mut self, table: usize, numbers: &[usize]) {
        let base = self.table + table * self.table_bytes;
        for pair in numbers.windows(2) {
            self.put(base + 4 * pair[0], &u32::try_from(pair[1]).unwrap().to_le_bytes());
        }
        self.put(base + 4 * numbers[numbers.len() - 1], &[0xff; 4]);
    }

    /// Sets bits of the bitmap that begins in cluster `bitmap`.
    fn use_clusters(&mut self, bitmap: usize, numbers: &[usize]) {
        let at = self.position(bitmap);
        for number in numbers {
            self.bytes[at + (number - 2) / 8] |= 1 << ((number - 2) % 8);
        }
    }

    /// Writes an entry with clusters.
    fn entry(&mut self, directory: usize, slot: usize, kind: u8, flags: u8, first: u32, len: u64) {
        let at = self.position(directory) + slot * 32;
        self.put(at, &[kind, flags]);
        self.put(at + 20, &first.to_le_bytes());
        self.put(at + 24, &len.to_le_bytes());
    }

    /// Writes the entries of a file or directory.
    fn file(
        &mut self,
        directory: usize,
        slot: usize,
        is_directory: bool,
        flags: u8,
        first: u32,
        clusters: usize,
    ) {
        let at = self.position(directory) + slot * 32;
        self.put(at, &[0x85, 1, 0, 0, if is_directory { 0x10 } else { 0x20 }]);
        let len = (clusters * self.cluster) as u64;
        self.entry(directory, slot + 1, 0xc0, flags, first, len.saturating_sub(5));
    }

    fn dirty(&mut self) {
        self.put(106, &[2]);
    }

    fn allocation(&self) -> Allocation {
        allocation(&self.bytes).unwrap()
    }

    fn error(&self) -> ErrorKind {
        allocation(&self.bytes).unwrap_err().kind
    }

    /// The clusters in use; all that is no cluster is.
    fn in_use(&self) -> Vec<usize> {
        let in_use = self.allocation().in_use;
        let sector = |at: usize| Sector::new(at as u64 / 512).unwrap();
        let range = |from, to| SectorRange::new(sector(from), sector(to)).unwrap();
        assert!(in_use.contains(range(0, self.heap)), "{in_use:?}");
        let end = self.position(CLUSTERS as usize + 2);
        assert!(in_use.contains(range(end, self.bytes.len())));
        let of = |number| range(self.position(number), self.position(number + 1));
        let numbers = 2..CLUSTERS as usize + 2;
        numbers.filter(|number| in_use.within(of(*number)).next().is_some()).collect()
    }
}

/// Mends the checksum of the boot region.
pub(crate) fn seal(disk: &mut [u8]) {
    let sum = boot_region::checksum(&disk[..11 * 512]).to_le_bytes();
    disk[11 * 512..12 * 512].copy_from_slice(&sum.repeat(128));
}

/// A file system without files, with sectors of 512 bytes.
pub(crate) fn sample() -> Vec<u8> {
    Image::new(9, 0, 1).bytes
}

#[test]
fn free_clusters_are_those_of_the_bitmap() {
    for (sector_shift, cluster_shift) in [(9, 0), (9, 3), (12, 0), (12, 1)] {
        let mut image = Image::new(sector_shift, cluster_shift, 1);
        image.use_clusters(2, &[20, 3001]);
        image.bytes.extend([0; 4096]);
        assert_eq!(image.in_use(), [2, 10, 20, 3001]);
        let allocation = image.allocation();
        assert_eq!(allocation.kind, FilesystemKind::ExFat);
        assert_eq!(allocation.size, Bytes(image.bytes.len() as u64 - 4096).whole_sectors());
        assert!(allocation.notes.is_empty());
        // What was unmounted is believed: this file was deleted by somebody who left traces.
        image.file(10, 1, false, 3, 500, 3);
        assert_eq!(image.in_use(), [2, 10, 20, 3001]);
    }
}

#[test]
fn a_bitmap_in_several_clusters() {
    // 375 bytes, in clusters of 512; with more bytes it goes on in the next.
    let mut image = Image::new(9, 0, 1);
    image.entry(10, 0, 0x81, 0, 2, 513);
    image.use_clusters(2, &[3]);
    assert_eq!(image.error(), ErrorKind::Corrupt(CorruptKind::AllocationMap), "no chain");
    image.chain(0, &[2, 3]);
    assert_eq!(image.in_use(), [2, 3, 10]);
    image.chain(0, &[2, 4]);
    assert_eq!(image.error(), ErrorKind::Corrupt(CorruptKind::AllocationMap), "another chain");
}

#[test]
fn two_tables_and_bitmaps() {
    let mut image = Image::new(9, 1, 2);
    image.chain(1, &[10]);
    image.entry(10, 1, 0x81, 1, 3, u64::from(CLUSTERS.div_ceil(8)));
    image.use_clusters(2, &[3, 100]);
    image.use_clusters(3, &[200]);
    assert_eq!(image.in_use(), [2, 3, 10, 100, 200]);
    // A chain by the second table only.
    image.dirty();
    image.file(10, 2, false, 1, 300, 2);
    image.chain(1, &[300, 400]);
    image.chain(0, &[300]);
    assert_eq!(image.in_use(), [2, 3, 10, 100, 200, 300, 400]);
}

#[test]
fn what_directories_have_counts_if_it_was_not_unmounted() {
    let mut image = Image::new(9, 1, 1);
    image.dirty();
    assert_eq!(image.allocation().notes, ["it was not unmounted cleanly"]);
    image.chain(0, &[10, 11]);
    image.use_clusters(2, &[11]);
    image.entry(10, 1, 0x82, 0, 12, 5000);
    image.chain(0, &[12, 13]);
    // Side by side, and in a chain, of which more may be written than the length tells.
    image.file(10, 4, false, 3, 100, 3);
    image.file(10, 6, false, 1, 200, 1);
    image.chain(0, &[200, 210, 205]);
    // Beside a file; without clusters; deleted; beyond the end.
    image.entry(11, 0, 0xe1, 3, 300, 10);
    image.entry(11, 1, 0xe1, 2, 310, 10);
    image.entry(11, 2, 0x40, 3, 320, 10);
    image.entry(11, 3, 0xc0, 1, CLUSTERS + 2, 10);
    // Directories in directories, and in themselves.
    image.file(11, 4, true, 3, 400, 2);
    image.file(401, 0, true, 1, 500, 1);
    image.chain(0, &[500, 510]);
    image.file(510, 7, false, 3, 600, 1);
    image.file(510, 10, true, 3, 400, 2);
    image.file(510, 12, true, 1, 10, 2);
    let expected = [2, 10, 11, 12, 13, 100, 101, 102, 200, 205, 210, 300, 400, 401, 500, 510, 600];
    assert_eq!(image.in_use(), expected);
    let note = "14 clusters are free in the allocation bitmap, though files have them: \
                they count as in use";
    assert_eq!(image.allocation().notes, ["it was not unmounted cleanly", note]);
}

#[test]
fn files_that_share_clusters_end_somewhere() {
    let mut image = Image::new(9, 0, 1);
    image.dirty();
    for slot in 0..3 {
        image.file(10, 1 + slot * 2, false, 3, 2, CLUSTERS as usize);
    }
    assert_eq!(image.error(), ErrorKind::Corrupt(CorruptKind::Directory));
    let mut image = Image::new(9, 0, 1);
    image.dirty();
    image.file(10, 1, false, 3, 2, usize::MAX >> 10);
    assert_eq!(image.error(), ErrorKind::Corrupt(CorruptKind::Directory));
}

#[test]
fn what_no_file_system_can_have() {
    let geometry = ErrorKind::Corrupt(CorruptKind::FatGeometry);
    for (at, bytes, expected) in [
        (11, &[1][..], geometry.clone()),
        (63, &[1], geometry.clone()),
        (72, &[0; 8], geometry.clone()),
        (72, &[0xff; 8], geometry.clone()),
        (72, &[0xff; 4], ErrorKind::Corrupt(CorruptKind::FileSystemSize)),
        (80, &[23], geometry.clone()),
        (80, &[0xff; 4], geometry.clone()),
        (84, &[1], geometry.clone()),
        (84, &[0xff; 4], geometry.clone()),
        (88, &[24], geometry.clone()),
        (88, &[0xff; 4], geometry.clone()),
        (92, &[0; 4], geometry.clone()),
        (92, &[0xff; 4], geometry.clone()),
        (96, &[1], geometry.clone()),
        (96, &[0xff; 4], geometry.clone()),
        (105, &[2], ErrorKind::Incompatible(IncompatibleKind::Version)),
        (108, &[8], geometry.clone()),
        (108, &[13], geometry.clone()),
        (109, &[17], geometry.clone()),
        (109, &[0xff], geometry.clone()),
        (110, &[0], geometry.clone()),
        (110, &[3], geometry),
    ] {
        let mut image = Image::new(9, 0, 1);
        image.put(at, bytes);
        image.seal();
        assert_eq!(image.error(), expected, "{bytes:?} at {at}");
    }
    // Not sealed.
    let mut image = Image::new(9, 0, 1);
    image.put(100, &[1]);
    assert_eq!(image.error(), ErrorKind::Corrupt(CorruptKind::SuperblockChecksum));
    // The flags and how full it is don't count.
    let mut image = Image::new(9, 0, 1);
    image.put(107, &[1]);
    image.put(112, &[50]);
    assert_eq!(image.in_use(), [2, 10]);
}

#[test]
fn bitmaps_that_can_not_be() {
    let map = ErrorKind::Corrupt(CorruptKind::AllocationMap);
    let bytes = u64::from(CLUSTERS.div_ceil(8));
    for (kind, first, len) in
        [(1, 2, bytes), (0x81, 2, bytes - 1), (0x81, CLUSTERS + 1, 600), (0x81, 2, u64::MAX)]
    {
        let mut image = Image::new(9, 0, 1);
        image.entry(10, 0, kind, 0, first, len);
        assert_eq!(image.error(), map, "{kind} {first} {len}");
    }
    // It says that the root directory is free, or it is itself.
    for free in [10, 2] {
        let mut image = Image::new(9, 0, 1);
        let at = image.position(2);
        image.bytes[at + (free - 2) / 8] &= !(1 << ((free - 2) % 8));
        assert_eq!(image.error(), map);
    }
}

#[test]
fn clusters_that_need_too_much_memory() {
    // Of such a size, though its middle is never looked at.
    struct Huge(Vec<u8>);
    impl ReadAt for Huge {
        fn size(&self) -> Bytes {
            Bytes(1 << 50)
        }
        fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
            self.0.read_at(offset, buf)
        }
    }
    let mut image = Image::new(9, 0, 1);
    let clusters = (1_u32 << 28) + 1;
    image.put(72, &(1_u64 << 40).to_le_bytes());
    image.put(84, &(1_u32 << 22).to_le_bytes());
    image.put(88, &(1_u32 << 23).to_le_bytes());
    image.put(92, &clusters.to_le_bytes());
    image.seal();
    let error = allocation(&Huge(image.bytes)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge(Limit::Metadata));
}

#[test]
fn only_exfat_is_taken_for_it() {
    let image = Image::new(9, 0, 1);
    let examined = examine(&image.bytes, None).unwrap();
    assert_eq!(examined.verdict, Verdict::Aware(FilesystemKind::ExFat));
    assert!(fills(&image.bytes).unwrap());
    for (at, byte) in [(3, b'X'), (511, 0)] {
        let mut bytes = image.bytes.clone();
        bytes[at] = byte;
        assert!(!is_present(&bytes).unwrap() && !fills(&bytes).unwrap());
    }
    for len in [0, 511] {
        assert!(!is_present(&&image.bytes[..len]).unwrap());
    }
}
