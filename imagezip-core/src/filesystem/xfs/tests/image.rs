//! A file system of two groups with blocks and sectors of 512 bytes.

use std::ops::Range;

use super::*;

/// The blocks of a group.
pub(super) const AG_BLOCKS: u32 = 200;
/// Where the log is in group 0, and how long.
pub(super) const LOG: u32 = 100;
pub(super) const LOG_BLOCKS: u32 = 100;
/// The UUID.
pub(super) const UUID: [u8; 16] = *b"sixteen bytes id";

/// Where the checksums are: of superblock, AGF, AGFL and blocks of trees.
const CHECKSUMS: [(u32, usize); 4] = [(0, 0xe0), (1, 0xd8), (3, 0x20), (4, 52)];

/// What is in a file system. The tree by block has one level, in block 4; that by size is in block
/// 5, and does not matter.
pub(super) struct Image {
    pub(super) checksums: bool,
    pub(super) log_v2: bool,
    /// Of each group.
    pub(super) free: [Vec<Range<u32>>; 2],
    pub(super) counted: [u32; 2],
    pub(super) longest: [u32; 2],
    /// The list of group 0.
    pub(super) list: Vec<u32>,
    /// The log, from its first block on.
    pub(super) log: Vec<u8>,
    /// Numbers that are others: group, sector, offset.
    pub(super) patches: Vec<(u32, u32, u32, u32)>,
    /// Bytes that are others, after the checksums were made.
    pub(super) flips: Vec<usize>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            checksums: true,
            log_v2: true,
            free: [vec![20..50, 60..61], vec![10..60, 80..200]],
            counted: [31, 170],
            longest: [30, 120],
            list: vec![10, 12],
            log: journal::Log::new(1).unmount().finish(),
            patches: Vec::new(),
            flips: Vec::new(),
        }
    }
}

impl Image {
    /// The blocks that are free, of both groups.
    pub(super) fn free_blocks(&self) -> Vec<u64> {
        let in_trees = [0, 1].into_iter().flat_map(|ag| {
            let start = u64::try_from(ag).unwrap() * u64::from(AG_BLOCKS);
            self.free[ag].iter().cloned().flatten().map(move |block| start + u64::from(block))
        });
        let mut blocks: Vec<_> = in_trees.chain(self.list.iter().map(|b| u64::from(*b))).collect();
        blocks.sort_unstable();
        blocks
    }

    /// One more free extent in a group, at its place in the order.
    pub(super) fn add(&mut self, ag: usize, extent: Range<u32>) {
        self.counted[ag] += extent.end - extent.start;
        self.free[ag].push(extent);
        self.free[ag].sort_by_key(|extent| extent.start);
    }

    /// Another number in a sector of a group.
    pub(super) fn patch(&mut self, ag: u32, sector: u32, at: u32, value: u32) {
        self.patches.push((ag, sector, at, value));
    }

    /// Another byte in a sector of a group, whose checksum stays as it was.
    pub(super) fn flip(&mut self, ag: u32, sector: u32, at: usize) {
        self.flips.push(place(ag, sector) + at);
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let mut disk = vec![0; place(2, 0)];
        self.superblock(&mut disk);
        for ag in [0, 1] {
            self.group(&mut disk, ag);
        }
        let log = place(0, LOG);
        disk[log..log + self.log.len()].copy_from_slice(&self.log);
        for (ag, sector, at, value) in &self.patches {
            put(&mut disk, place(*ag, *sector) + usize::try_from(*at).unwrap(), *value);
        }
        if self.checksums {
            for (ag, (sector, at)) in [0, 1].into_iter().flat_map(|ag| CHECKSUMS.map(|c| (ag, c))) {
                let start = place(ag, sector);
                let block = &mut disk[start..start + 512];
                block[at..at + 4].fill(0);
                let sum = !Crc32c::START.add(block).get();
                block[at..at + 4].copy_from_slice(&sum.to_le_bytes());
            }
        }
        for at in &self.flips {
            disk[*at] ^= 1;
        }
        disk
    }

    fn superblock(&self, disk: &mut [u8]) {
        let version = if self.checksums { 5 } else { 4 };
        let log_v2 = if self.log_v2 { 0x0400 } else { 0 };
        for (at, value) in [
            (0, MAGIC),
            (4, 512),
            (12, 2 * AG_BLOCKS),
            (52, LOG),
            (84, AG_BLOCKS),
            (88, 2),
            (96, LOG_BLOCKS),
            (100, (0x8000 | log_v2 | version) << 16 | 512),
            (120, 9 << 24 | 9 << 16),
            (124, 8 << 24),
        ] {
            put(disk, at, value);
        }
        disk[32..48].copy_from_slice(&UUID);
    }

    fn group(&self, disk: &mut [u8], number: u32) {
        let index = usize::try_from(number).unwrap();
        let list: &[u32] = if number == 0 { &self.list } else { &[] };
        let count = u32::try_from(list.len()).unwrap();
        let agf = place(number, 1);
        for (at, value) in [
            (0, group::AGF_MAGIC),
            (4, 1),
            (8, number),
            (12, AG_BLOCKS),
            (16, 4),
            (20, 5),
            (28, 1),
            (44, count.saturating_sub(1)),
            (48, count),
            (52, self.counted[index]),
            (56, self.longest[index]),
        ] {
            put(disk, agf + at, value);
        }
        disk[agf + 64..agf + 80].copy_from_slice(&UUID);
        let agfl = place(number, 3);
        let (entries, records) = if self.checksums { (36, 56) } else { (0, 16) };
        if self.checksums {
            put(disk, agfl, group::AGFL_MAGIC);
            put(disk, agfl + 4, number);
            disk[agfl + 8..agfl + 24].copy_from_slice(&UUID);
        }
        for (place, block) in list.iter().enumerate() {
            put(disk, agfl + entries + place * 4, *block);
        }
        let tree = place(number, 4);
        put(disk, tree, if self.checksums { btree::MAGIC_V5 } else { btree::MAGIC_V4 });
        put(disk, tree + 4, u32::try_from(self.free[index].len()).unwrap());
        put(disk, tree + 8, u32::MAX);
        put(disk, tree + 12, u32::MAX);
        if self.checksums {
            put(disk, tree + 20, number * AG_BLOCKS + 4);
            disk[tree + 32..tree + 48].copy_from_slice(&UUID);
            put(disk, tree + 48, number);
        }
        for (place, extent) in self.free[index].iter().enumerate() {
            let at = tree + records + place * 8;
            put(disk, at, extent.start);
            put(disk, at + 4, extent.end - extent.start);
        }
    }
}

/// The position of a sector of a group.
fn place(ag: u32, sector: u32) -> usize {
    usize::try_from((ag * AG_BLOCKS + sector) * 512).unwrap()
}

fn put(disk: &mut [u8], at: usize, value: u32) {
    disk[at..at + 4].copy_from_slice(&value.to_be_bytes());
}
