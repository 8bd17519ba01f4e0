//! Small file systems, built by hand. Those that real tools make are in the crate `fixtures`.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::error::Place;
use crate::filesystem::{RawReason, Verdict, examine};
use crate::sector::{Bytes, Sector, SectorRange};
use proptest::prelude::*;

/// Bytes of a fragment and a block, fragments of a group.
const FRAGMENT: usize = 1024;
const BLOCK: usize = 4096;
const PER_GROUP: usize = 256;
/// The last group is cut short.
const SIZE: usize = 500;
const SUPERBLOCK: usize = 8192;
const INODES: usize = 64;

/// A file system of two groups.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) ufs2: bool,
    clean: u8,
    flags: u32,
    checksums: bool,
    /// Inodes that were ever written, of UFS2.
    initialised: u32,
    /// Free fragments.
    free: Vec<usize>,
    /// Changes what was built, before checksums are made.
    change: fn(&mut [u8]),
}

impl Default for Image {
    fn default() -> Self {
        let free = (60..90).chain(100..101).chain(256..270).chain(310..500).collect();
        Self {
            ufs2: true,
            clean: 1,
            flags: 0,
            checksums: false,
            initialised: 32,
            free,
            change: |_| {},
        }
    }
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap()
}

impl Image {
    fn data_at(&self) -> usize {
        if self.ufs2 { 40 } else { 32 }
    }

    fn inode_bytes(&self) -> usize {
        if self.ufs2 { 256 } else { 128 }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut disk = vec![0; SIZE * FRAGMENT];
        let superblock = &mut disk[SUPERBLOCK..];
        for (at, value) in [
            (8, 16),
            (12, 20),
            (16, 24),
            (20, self.data_at()),
            (44, 2),
            (48, BLOCK),
            (52, FRAGMENT),
            (56, BLOCK / FRAGMENT),
            (104, 2048),
            (120, BLOCK / self.inode_bytes()),
            (152, self.data_at()),
            (156, 32),
            (160, 512),
            (184, INODES),
            (188, PER_GROUP),
            (860, BLOCK),
            (1000, SUPERBLOCK),
            (1080, SIZE),
            (1096, self.data_at()),
            (1320, 60),
        ] {
            put(superblock, at, number(value));
        }
        let checksums = if self.checksums { (0x200, 3) } else { (0, 0) };
        put(superblock, 1308, checksums.1);
        put(superblock, 1312, self.flags | checksums.0);
        put(superblock, 36, if self.ufs2 { 0 } else { number(SIZE) });
        put(superblock, 1372, if self.ufs2 { 0x1954_0119 } else { 0x0001_1954 });
        superblock[209] = self.clean;
        superblock[211] = 0x80;
        for group in 0..2 {
            self.put_group(&mut disk, group);
        }
        (self.change)(&mut disk);
        if self.checksums {
            seal(&mut disk[SUPERBLOCK..SUPERBLOCK + 2048], 1304);
            for group in 0..2 {
                let at = header(group);
                seal(&mut disk[at..at + 512], 132);
            }
        }
        disk
    }

    fn put_group(&self, disk: &mut [u8], group: usize) {
        let fragments = group * PER_GROUP..SIZE.min((group + 1) * PER_GROUP);
        let header = &mut disk[header(group)..];
        let free: Vec<usize> =
            self.free.iter().copied().filter(|at| fragments.contains(at)).collect();
        let used_inodes = 5;
        for (at, value) in [
            (4, 0x90255),
            (12, group),
            (20, fragments.len()),
            (28, free.len() / 4),
            (32, INODES - used_inodes),
            (36, free.len() % 4),
            (92, 168),
            (96, 200),
        ] {
            put(header, at, number(value));
        }
        if self.ufs2 {
            put(header, 116, number(INODES));
            put(header, 120, self.initialised);
        } else {
            header[18] = u8::try_from(INODES).unwrap();
        }
        header[168] = 0b1_1111;
        for at in free {
            let bit = at - fragments.start;
            header[200 + bit / 8] |= 1 << (bit % 8);
        }
    }

    /// Where an inode of the first group lies.
    fn inode(&self, inode: usize) -> usize {
        24 * FRAGMENT + inode * self.inode_bytes()
    }
}

/// Where the header of a group lies.
const fn header(group: usize) -> usize {
    (group * PER_GROUP + 20) * FRAGMENT
}

fn seal(bytes: &mut [u8], field: usize) {
    let sum = superblock::sum_without(bytes, field).unwrap();
    put(bytes, field, sum);
}

fn free_of(disk: &[u8]) -> Vec<usize> {
    let allocation = allocation(&disk.to_vec()).unwrap();
    let all = SectorRange::first(Bytes(disk.len() as u64).whole_sectors());
    let free = allocation.in_use.complement(all);
    let sectors = free.iter().flat_map(|range| range.start().get()..range.end().get());
    sectors.map(|sector| usize::try_from(sector).unwrap()).collect()
}

/// The sectors of fragments.
fn sectors(fragments: impl IntoIterator<Item = usize>) -> Vec<usize> {
    fragments.into_iter().flat_map(|fragment| [fragment * 2, fragment * 2 + 1]).collect()
}

/// The sectors of a group's inodes that were never written, as the reference leaves them out.
fn never_used(group: usize) -> std::ops::Range<usize> {
    let start = (group * PER_GROUP + 24) * 2;
    start + 16..start + 24 + 1
}

fn notes(disk: &[u8]) -> Vec<String> {
    allocation(&disk.to_vec()).unwrap().notes
}

fn error(image: &Image) -> String {
    allocation(&image.build()).unwrap_err().kind.to_string()
}

#[test]
fn free_fragments_are_those_of_the_bitmaps() {
    for checksums in [false, true] {
        let image = Image { checksums, ..Image::default() };
        let mut expected = sectors(image.free.iter().copied());
        expected.extend(never_used(0).chain(never_used(1)));
        expected.sort_unstable();
        assert_eq!(free_of(&image.build()), expected);
        let image = Image { ufs2: false, ..image };
        assert_eq!(free_of(&image.build()), sectors(image.free.iter().copied()));
        assert!(notes(&image.build()).is_empty());
    }
}

#[test]
fn what_is_behind_the_file_system_is_in_use() {
    let mut disk = Image::default().build();
    let before = free_of(&disk);
    disk.extend([0; 3 * 512]);
    assert_eq!(free_of(&disk), before);
    disk.truncate(SIZE * FRAGMENT - 512);
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind.to_string(), "corrupt: file system ends beyond its partition");
    assert_eq!(error.place, Place::Byte(Bytes(8192)));
}

#[test]
fn a_group_that_contradicts_itself_is_in_use() {
    let doubtful = |checksums: bool, change: fn(&mut [u8])| {
        let disk = Image { checksums, change, ..Image::default() }.build();
        assert!(free_of(&disk).iter().all(|sector| *sector < PER_GROUP * 2));
        assert!(!free_of(&disk).is_empty());
        notes(&disk)
    };
    let note = |doubt| [std::format!("cylinder group 1 counts as in use: {doubt}")];
    let count = "bitmap and header count the free fragments differently";
    let damaged = "its header is damaged";
    assert_eq!(doubtful(false, |disk| disk[header(1) + 28] += 1), note(count));
    assert_eq!(doubtful(false, |disk| disk[header(1) + 210] ^= 1), note(count));
    assert_eq!(doubtful(false, |disk| disk[header(1) + 4] ^= 1), note(damaged));
    assert_eq!(doubtful(false, |disk| disk[header(1) + 12] = 0), note(damaged));
    assert_eq!(doubtful(false, |disk| disk[header(1) + 20] -= 1), note(damaged));
    assert_eq!(doubtful(false, |disk| disk[header(1) + 97] = 2), note(damaged), "no room");
    assert_eq!(doubtful(false, |disk| disk[header(1) + 93] = 0xff), note(damaged), "no room");
    // A fragment of metadata in place of another.
    let swapped = |disk: &mut [u8]| {
        disk[header(1) + 200] ^= 1;
        disk[header(1) + 200 + 3] |= 1;
    };
    assert_eq!(doubtful(false, swapped), note("the bitmap says that metadata are free"));
    let mut disk = Image { checksums: true, ..Image::default() }.build();
    disk[header(1) + 500] ^= 1;
    assert_eq!(notes(&disk), note("the header's checksum is wrong"));
    disk[header(0) + 500] ^= 1;
    let all = "2 cylinder groups from 0 on count as in use: the header's checksum is wrong";
    assert_eq!(notes(&disk), [all]);
    assert!(free_of(&disk).is_empty());
}

/// The checksum of a header that FreeBSD 13 wrote; its bits are not inverted in the end.
#[test]
fn checksums_are_freebsds() {
    assert_eq!(superblock::sum_without(b"1234\0\0\0\x0156789", 4), {
        superblock::sum_without(b"1234abcd56789", 4)
    });
    assert_eq!(superblock::sum_without(&[0; 4], 0), Some(!0x4867_4bc7));
    assert_eq!(superblock::sum_without(&[0; 7], 4), None);
}

#[test]
fn inodes_that_were_never_written_are_left_out_only_if_nothing_speaks_against_it() {
    let skipped = |image: &Image| {
        let free = free_of(&image.build());
        never_used(0).all(|sector| free.contains(&sector))
    };
    assert!(skipped(&Image::default()));
    assert!(!skipped(&Image { initialised: 33, ..Image::default() }), "not whole blocks");
    assert!(!skipped(&Image { initialised: 0, ..Image::default() }));
    assert!(!skipped(&Image { initialised: 64, ..Image::default() }));
    assert!(!skipped(&Image { initialised: 65, ..Image::default() }));
    let one_used = |disk: &mut [u8]| {
        disk[header(0) + 168 + 4] = 1;
        disk[header(0) + 32] -= 1;
    };
    assert!(!skipped(&Image { change: one_used, ..Image::default() }), "one of them is in use");
    let miscounted = |disk: &mut [u8]| disk[header(0) + 32] -= 1;
    assert!(!skipped(&Image { change: miscounted, ..Image::default() }));
    assert!(!skipped(&Image { clean: 0, ..Image::default() }));
    assert!(skipped(&Image { clean: 0, flags: 2, ..Image::default() }), "soft updates");
}

#[test]
fn what_inodes_refer_to_is_in_use_if_it_was_not_unmounted_cleanly() {
    for (ufs2, clean, flags) in
        [(true, 0, 0), (false, 0, 0), (true, 0, 2), (true, 1, 1), (true, 1, 4)]
    {
        let image = Image { ufs2, clean, flags, initialised: 64, ..Image::default() };
        let mut disk = image.build();
        let put_address = |disk: &mut [u8], inode: usize, index: usize, address: u32| {
            let at = image.inode(inode) + if ufs2 { 112 + 8 * index } else { 40 + 4 * index };
            put(disk, at, address);
        };
        let put_inode = |disk: &mut [u8], inode: usize, mode: u16, size: u32| {
            let at = image.inode(inode);
            disk[at..at + 2].copy_from_slice(&mode.to_le_bytes());
            put(disk, at + if ufs2 { 16 } else { 8 }, size);
        };
        // A block and one and a half fragments; what doesn't lie in the file system.
        put_inode(&mut disk, 10, 0x81a4, number(BLOCK) + 1500);
        put_address(&mut disk, 10, 0, 60);
        put_address(&mut disk, 10, 1, 68);
        put_address(&mut disk, 10, 5, number(SIZE) - 3);
        put_address(&mut disk, 10, 6, u32::MAX);
        // Blocks of addresses in two levels: 320 has that of 330, which has that of 340.
        put_inode(&mut disk, 11, 0x41ed, 1 << 30);
        put_address(&mut disk, 11, 13, 320);
        put(&mut disk, 320 * FRAGMENT + 8, 330);
        put(&mut disk, 330 * FRAGMENT + 16, 340);
        // Not addresses: a device's number, a short link, an inode that is not in use.
        put_inode(&mut disk, 12, 0x2180, 0);
        put_address(&mut disk, 12, 0, 80);
        put_inode(&mut disk, 13, 0xa1ff, 12);
        put_address(&mut disk, 13, 0, 80);
        put_inode(&mut disk, 14, 0, 5000);
        put_address(&mut disk, 14, 0, 80);
        // A long link.
        put_inode(&mut disk, 15, 0xa1ff, 300);
        put_address(&mut disk, 15, 0, 84);

        let taken = [60..64, 68..70, 84..85, 320..324, 330..334, 340..344];
        let taken: Vec<usize> = taken.into_iter().flatten().collect();
        let free = image.free.iter().copied().filter(|at| !taken.contains(at));
        assert_eq!(free_of(&disk), sectors(free));
        let [note] = &notes(&disk)[..] else { panic!("one note") };
        assert!(note.ends_with("38 sectors beside what its bitmaps say"), "{note}");
    }
}

#[test]
fn blocks_of_addresses_that_go_round_in_circles() {
    let image = Image { clean: 0, ..Image::default() };
    let mut disk = image.build();
    let inode = image.inode(10);
    disk[inode..inode + 2].copy_from_slice(&0x81a4_u16.to_le_bytes());
    put(&mut disk, inode + 208 + 16, 320);
    for address in disk[320 * FRAGMENT..320 * FRAGMENT + BLOCK].chunks_mut(8) {
        put(address, 0, 320);
    }
    let error = allocation(&disk).unwrap_err();
    assert_eq!(error.kind.to_string(), "corrupt: inode, or its list of blocks, is damaged");
}

#[test]
fn superblocks_that_are_not_understood() {
    let with = |flags, clean, change| Image { clean, flags, change, ..Image::default() };
    let contradiction = "corrupt: superblock contradicts itself";
    let changed = |change: fn(&mut [u8])| error(&with(0, 1, change));
    assert_eq!(error(&with(0x40, 1, |_| {})), "not supported: journal feature");
    assert_eq!(error(&with(0x100, 0, |_| {})), "not supported: journal feature");
    assert!(allocation(&with(0x100, 1, |_| {}).build()).is_ok());
    for change in [
        (|disk: &mut [u8]| put(disk, SUPERBLOCK + 8, 20)) as fn(&mut [u8]),
        |disk| put(disk, SUPERBLOCK + 16, 36),
        |disk| put(disk, SUPERBLOCK + 20, 300),
        |disk| put(disk, SUPERBLOCK + 44, 3),
        |disk| put(disk, SUPERBLOCK + 44, 0),
        |disk| put(disk, SUPERBLOCK + 48, 4097),
        |disk| put(disk, SUPERBLOCK + 52, 0),
        |disk| put(disk, SUPERBLOCK + 56, 8),
        |disk| put(disk, SUPERBLOCK + 120, 32),
        |disk| put(disk, SUPERBLOCK + 160, 8192),
        |disk| put(disk, SUPERBLOCK + 184, 0),
        |disk| put(disk, SUPERBLOCK + 184, 400),
        |disk| put(disk, SUPERBLOCK + 188, 255),
        |disk| put(disk, SUPERBLOCK + 1084, 1),
        |disk| put(disk, SUPERBLOCK + 1100, 1),
    ] {
        assert_eq!(changed(change), contradiction);
    }
    let version = "not supported: unknown format version";
    assert_eq!(changed(|disk| put(disk, SUPERBLOCK + 1372, 0x1901_2038)), version);
    assert_eq!(changed(|disk| put(disk, SUPERBLOCK + 1000, 0)), version, "a copy");
    let mut disk = Image { checksums: true, ..Image::default() }.build();
    disk[SUPERBLOCK + 300] ^= 1;
    let error = allocation(&disk).unwrap_err().kind.to_string();
    assert_eq!(error, "corrupt: wrong checksum of the superblock");
}

#[test]
fn a_second_superblock() {
    let ufs1 = Image { ufs2: false, ..Image::default() };
    let place = 64 << 10;
    let copied = |image: &Image, change: fn(&mut [u8])| {
        let mut disk = image.build();
        let (before, after) = disk.split_at_mut(place);
        after[..2048].copy_from_slice(&before[SUPERBLOCK..SUPERBLOCK + 2048]);
        change(&mut after[..2048]);
        allocation(&disk)
    };
    assert!(copied(&ufs1, |_| {}).is_ok(), "a copy");
    assert!(copied(&Image::default(), |_| {}).is_ok(), "a copy");
    let other = copied(&Image::default(), |superblock| put(superblock, 1000, 64 << 10));
    assert_eq!(other.unwrap_err().kind.to_string(), "corrupt: superblock contradicts itself");
}

#[test]
fn file_systems_of_big_endian_machines_are_raw() {
    let mut disk = Image::default().build();
    disk[SUPERBLOCK + 1372..SUPERBLOCK + 1376].reverse();
    let verdict = examine(&disk, None).unwrap().verdict;
    assert_eq!(verdict, Verdict::Raw(RawReason::Holds("big-endian UFS")));
}

proptest! {
    #[test]
    fn any_damage(
        ufs2: bool,
        clean: bool,
        damage in prop::collection::vec((0..8_u8, 0..2048_usize, any::<u32>(), 0..32_u32), 0..12),
    ) {
        let image = Image { ufs2, clean: u8::from(clean), ..Image::default() };
        let mut disk = image.build();
        for (place, at, value, shift) in damage {
            let start = match place {
                0..=3 => SUPERBLOCK,
                4 | 5 => header(0),
                6 => header(1),
                _ => image.inode(0),
            };
            put(&mut disk, start + at % if place < 7 { 1400 } else { 2048 }, value >> shift);
        }
        let examined = examine(&disk, None).unwrap();
        let end = Sector::from_u32(number(disk.len() / 512));
        prop_assert!(examined.in_use.end().is_none_or(|last| last <= end));
        prop_assert!(examined.notes.len() < 10);
    }
}
