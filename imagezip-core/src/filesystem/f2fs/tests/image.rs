//! A file system as small as it can be, with only what the parser reads.

use std::vec;
use std::vec::Vec;

use super::super::BLOCK;
use super::super::checksum::crc32;

/// Where the areas begin, in blocks. There is no room for the tables that nobody reads here.
pub(super) const PACKS: [usize; 2] = [2, 2 + 512];
pub(super) const SIT: usize = 2 + 2 * 512;
pub(super) const MAIN: usize = SIT + 2 * 512;
/// Segments of the main area: those of an entry of data, one of nodes, and an empty one.
pub(super) const SEGMENTS: usize = 3;
pub(super) const BLOCKS: usize = MAIN + SEGMENTS * 512;

/// The version of the newest checkpoint.
pub(super) const VERSION: u64 = 0x1_2345_6789;
/// Where the chain of later nodes begins.
pub(super) const NEXT_NODE: usize = MAIN + 512 + 300;

/// What to build.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// The valid blocks, counted from the main area's start.
    pub(super) valid: Vec<usize>,
    /// The type and the count of each segment, if they are not right.
    pub(super) entries: [Option<u16>; SEGMENTS],
    /// The segment whose entry is in the journal, and wrong in the table.
    pub(super) journaled: Option<usize>,
    pub(super) journal_count: u16,
    /// Which copy of the table's only block counts.
    pub(super) copy: usize,
    pub(super) flags: u32,
    /// How many blocks the version bitmaps need beyond the first.
    pub(super) payload: usize,
    pub(super) features: u32,
    /// The versions of the two packs, of their first and last blocks.
    pub(super) versions: [[u64; 2]; 2],
    /// Other 32-bit values in both superblocks, and in the checkpoints.
    pub(super) superblock: Vec<(usize, u32)>,
    pub(super) checkpoint: Vec<(usize, u32)>,
    /// Nodes: block, whether it is an inode, version, next, and the blocks in the list.
    pub(super) nodes: Vec<(usize, bool, u64, usize, Vec<usize>)>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            valid: (0..100).chain([150, 152, 511]).chain(512..520).collect(),
            entries: [None; SEGMENTS],
            journaled: None,
            journal_count: 1,
            copy: 0,
            flags: 1,
            payload: 0,
            features: 0,
            versions: [[VERSION; 2], [VERSION - 1; 2]],
            superblock: vec![],
            checkpoint: vec![],
            nodes: vec![],
        }
    }
}

fn put32(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
}

impl Image {
    pub(super) fn build(&self) -> Vec<u8> {
        let mut disk = vec![0; BLOCKS * BLOCK];
        for at in [1024, BLOCK + 1024] {
            self.put_superblock(&mut disk[at..at + 3072]);
        }
        for (pack, versions) in PACKS.into_iter().zip(self.versions) {
            self.put_pack(&mut disk[pack * BLOCK..(pack + 16) * BLOCK], versions);
        }
        // The other copy of the table says that nothing is valid.
        for segment in 0..SEGMENTS {
            let block = SIT + self.copy * 512;
            let entry = match self.journaled {
                Some(journaled) if journaled == segment => [0xff; 74],
                _ => self.entry(segment),
            };
            disk[block * BLOCK + segment * 74..][..74].copy_from_slice(&entry);
        }
        for (block, is_inode, version, next, list) in &self.nodes {
            let node = &mut disk[block * BLOCK..(block + 1) * BLOCK];
            put32(node, 4072, 7);
            put32(node, 4076, if *is_inode { 7 } else { 6 });
            node[4084..4092].copy_from_slice(&version.to_le_bytes());
            put32(node, 4092, *next);
            let start = if *is_inode { 360 } else { 0 };
            for (number, block) in list.iter().enumerate() {
                put32(node, start + 4 * number, *block);
            }
        }
        disk
    }

    fn entry(&self, segment: usize) -> [u8; 74] {
        let mut entry = [0; 74];
        let blocks = segment * 512..(segment + 1) * 512;
        let mut count = 0_u16;
        for block in self.valid.iter().filter(|block| blocks.contains(block)) {
            let bit = block % 512;
            entry[2 + bit / 8] |= 0x80 >> (bit % 8);
            count += 1;
        }
        let kind = if segment == 1 { 4 } else { 0 };
        let head = self.entries[segment].unwrap_or(kind << 10 | count);
        entry[..2].copy_from_slice(&head.to_le_bytes());
        entry
    }

    fn put_superblock(&self, bytes: &mut [u8]) {
        bytes[..4].copy_from_slice(&0xf2f5_2010_u32.to_le_bytes());
        for (at, value) in [
            (8, 9),
            (12, 3),
            (16, 12),
            (20, 9),
            (32, 3068),
            (36, BLOCKS),
            (48, 4 + SEGMENTS),
            (52, 2),
            (56, 2),
            (68, SEGMENTS),
            (72, PACKS[0]),
            (76, PACKS[0]),
            (80, SIT),
            (84, MAIN),
            (88, MAIN),
            (92, MAIN),
            (1664, self.payload),
        ] {
            put32(bytes, at, value);
        }
        bytes[2180..2184].copy_from_slice(&self.features.to_le_bytes());
        for (at, value) in &self.superblock {
            bytes[*at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let sum = crc32(&[&bytes[..3068]]);
        bytes[3068..3072].copy_from_slice(&sum.to_le_bytes());
    }

    fn put_pack(&self, pack: &mut [u8], versions: [u64; 2]) {
        let (unmounted, compact) = (self.flags & 0x21 != 0, self.flags & 4 != 0);
        let large_nat = self.flags & 0x400 != 0;
        let summaries = if compact { 1 } else { 3 } + if unmounted { 3 } else { 0 };
        let blocks = 1 + self.payload + summaries + 1;
        let nodes = self.valid.iter().filter(|block| (512..1024).contains(*block)).count();
        for (block, version) in [0, blocks - 1].into_iter().zip(versions) {
            let sit_bitmap = match self.payload {
                _ if large_nat => 192 + 4 + 64,
                0 => 192,
                _ => BLOCK,
            };
            // Only the first block has what follows it.
            if block == 0 || sit_bitmap < BLOCK {
                pack[block * BLOCK + sit_bitmap] = if self.copy == 0 { 0 } else { 0x80 };
            }
            let head = &mut pack[block * BLOCK..(block + 1) * BLOCK];
            head[..8].copy_from_slice(&version.to_le_bytes());
            let sum_at = if large_nat { 192 } else { 4092 };
            for (at, value) in [
                (16, self.valid.len()),
                (40, (NEXT_NODE - MAIN) / 512),
                (70, (NEXT_NODE - MAIN) % 512),
                (132, usize::try_from(self.flags).unwrap()),
                (136, blocks),
                (140, 1 + self.payload),
                (144, nodes),
                (156, 64),
                (160, 64),
                (164, sum_at),
            ] {
                put32(head, at, value);
            }
            for (at, value) in &self.checkpoint {
                head[*at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            let sum = crc32(&[&head[..sum_at], &head[sum_at + 4..]]);
            head[sum_at..sum_at + 4].copy_from_slice(&sum.to_le_bytes());
        }
        if let Some(segment) = self.journaled {
            let first = (1 + self.payload) * BLOCK;
            let at = if compact { first + 507 } else { first + 2 * BLOCK + 3584 };
            pack[at..at + 2].copy_from_slice(&self.journal_count.to_le_bytes());
            put32(pack, at + 2, segment);
            pack[at + 6..at + 80].copy_from_slice(&self.entry(segment));
        }
    }
}
