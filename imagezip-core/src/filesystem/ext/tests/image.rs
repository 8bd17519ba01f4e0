//! A small file system with blocks of 1 KiB and groups of 256.

use std::vec;
use std::vec::Vec;

use crate::filesystem::checksum::Crc32c;

pub(super) const BLOCK: usize = 1024;
pub(super) const BLOCKS: u64 = 700;
const PER_GROUP: u64 = 256;
const INODES_PER_GROUP: u32 = 16;
pub(super) const UUID: [u8; 16] = *b"0123456789abcdef";
/// The first block of the journal's file, and how many there are.
pub(super) const JOURNAL: (u64, u32) = (20, 64);
/// The inode number of the journal.
const JOURNAL_INODE: u32 = 8;

/// What to build.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// The blocks that the bitmaps say are free.
    pub(super) free: Vec<u64>,
    pub(super) checksums: bool,
    pub(super) recover: bool,
    pub(super) state: u16,
    /// A group whose descriptor counts one block too many.
    pub(super) counted_wrong: Option<u64>,
    /// A group whose descriptor says that its bitmap is in this block.
    pub(super) bitmap_moved: Option<(u64, u32)>,
    /// A group whose descriptor says that its bitmap was never written.
    pub(super) unwritten: Option<u64>,
}

impl Default for Image {
    fn default() -> Self {
        let free = (100..257).chain(300..400).chain(402..403).chain(410..513).chain(600..700);
        Self {
            free: free.collect(),
            checksums: true,
            recover: false,
            state: 1,
            counted_wrong: None,
            bitmap_moved: None,
            unwritten: None,
        }
    }
}

/// Puts `value` at `at`.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn seed() -> Crc32c {
    Crc32c::START.add(&UUID)
}

/// The first block of a group's metadata: those of group 0 follow the descriptors.
fn first(group: u64) -> u64 {
    if group == 0 { 3 } else { 1 + group * PER_GROUP }
}

impl Image {
    pub(super) fn block_position(block: u64) -> usize {
        usize::try_from(block).unwrap() * BLOCK
    }

    /// The bitmap of a group.
    pub(super) fn bitmap(&self, group: u64) -> Vec<u8> {
        let mut bitmap = vec![0xff; BLOCK];
        for block in self.free.iter().filter(|block| (**block - 1) / PER_GROUP == group) {
            let bit = usize::try_from((block - 1) % PER_GROUP).unwrap();
            bitmap[bit / 8] &= !(1 << (bit % 8));
        }
        bitmap
    }

    /// The block of the group descriptors.
    pub(super) fn descriptors(&self) -> Vec<u8> {
        let mut table = vec![0; BLOCK];
        for group in 0..3_u64 {
            let free = self.free.iter().filter(|block| (**block - 1) / PER_GROUP == group).count();
            let free = free + usize::from(self.counted_wrong == Some(group));
            let start = u32::try_from(first(group)).unwrap();
            let bitmap = self.bitmap_moved.filter(|(moved, _)| *moved == group);
            let bitmap = bitmap.map_or(start, |(_, block)| block);
            let mut descriptor = [0; 32];
            put(&mut descriptor, 0x0, &bitmap.to_le_bytes());
            put(&mut descriptor, 0x4, &(start + 1).to_le_bytes());
            put(&mut descriptor, 0x8, &(start + 2).to_le_bytes());
            put(&mut descriptor, 0xc, &u16::try_from(free).unwrap().to_le_bytes());
            descriptor[0x12] = if self.unwritten == Some(group) { 2 } else { 0 };
            if self.checksums {
                let sum = seed().add(&self.bitmap(group)[..32]).low();
                put(&mut descriptor, 0x18, &sum.to_le_bytes());
                let number = u32::try_from(group).unwrap().to_le_bytes();
                let sum = seed().add(&number).add(&descriptor).low();
                put(&mut descriptor, 0x1e, &sum.to_le_bytes());
            }
            put(&mut table, usize::try_from(group).unwrap() * 32, &descriptor);
        }
        table
    }

    pub(super) fn superblock(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        let mut number = |at, value: u32| put(&mut block, at, &value.to_le_bytes());
        number(0x4, u32::try_from(BLOCKS).unwrap());
        number(0x14, 1);
        number(0x20, 256);
        number(0x24, 256);
        number(0x28, INODES_PER_GROUP);
        number(0x38, 0xef53 | u32::from(self.state) << 16);
        number(0x4c, 1);
        number(0x58, 128);
        // has_journal, sparse_super2 without any copy; extents.
        number(0x5c, 0x204);
        number(0x60, 0x40 | u32::from(self.recover) << 2);
        number(0x64, u32::from(self.checksums) << 10);
        number(0xe0, JOURNAL_INODE);
        put(&mut block, 0x68, &UUID);
        block[0xfd] = 2;
        block[0x175] = 1;
        let sum = Crc32c::START.add(&block[..0x3fc]).get();
        put(&mut block, 0x3fc, &sum.to_le_bytes());
        block
    }

    fn journal_inode(&self) -> [u8; 128] {
        let mut inode = [0; 128];
        let (first, blocks) = JOURNAL;
        put(&mut inode, 0x4, &(blocks * 1024).to_le_bytes());
        put(&mut inode, 0x20, &0x8_0000_u32.to_le_bytes());
        put(&mut inode, 0x28, &[0x0a, 0xf3, 1, 0, 4, 0, 0, 0]);
        put(&mut inode, 0x28 + 12 + 4, &blocks.to_le_bytes());
        put(&mut inode, 0x28 + 12 + 8, &u32::try_from(first).unwrap().to_le_bytes());
        if self.checksums {
            let sum = seed().add(&JOURNAL_INODE.to_le_bytes()).add(&[0; 4]).add(&inode).low();
            put(&mut inode, 0x7c, &sum.to_le_bytes());
        }
        inode
    }

    /// The disk.
    pub(super) fn build(&self) -> Vec<u8> {
        let mut disk = vec![0; Self::block_position(BLOCKS)];
        put(&mut disk, Self::block_position(1), &self.superblock());
        put(&mut disk, Self::block_position(2), &self.descriptors());
        for group in 0..3 {
            put(&mut disk, Self::block_position(first(group)), &self.bitmap(group));
        }
        let place = Self::block_position(5) + 7 * 128;
        put(&mut disk, place, &self.journal_inode());
        disk
    }

    /// What a transaction writes that makes this file system of another: block numbers and
    /// contents.
    pub(super) fn metadata(&self) -> Vec<(u64, Vec<u8>)> {
        let bitmaps = (0..3).map(|group| (first(group), self.bitmap(group)));
        [(1, self.superblock()), (2, self.descriptors())].into_iter().chain(bitmaps).collect()
    }
}
