//! Logs, written block by block.

use super::image::{BLOCK, put};
use super::*;
use crate::filesystem::checksum::Crc32c;

const MAGIC: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];
const UUID: [u8; 16] = [7; 16];

/// A journal with 32-bit checksums of every block, or without any.
pub(super) struct Writer {
    checksums: bool,
    async_commit: bool,
    /// The blocks of the journal's file.
    pub(super) blocks: Vec<Vec<u8>>,
    at: usize,
    ring_end: usize,
    pub(super) sequence: u32,
    pub(super) seconds: u64,
}

fn number(value: usize) -> u32 {
    value.try_into().unwrap()
}

fn seed() -> Crc32c {
    Crc32c::START.add(&UUID)
}

impl Writer {
    /// An empty log whose first block is `at`.
    pub(super) fn new(checksums: bool, at: u32, sequence: u32) -> Self {
        let blocks = vec![vec![0; BLOCK]; JOURNAL.1 as usize];
        let ring_end = blocks.len();
        let at = at as usize;
        let mut log =
            Self { checksums, async_commit: false, blocks, at, ring_end, sequence, seconds: 1000 };
        log.header(0);
        log
    }

    pub(super) fn asynchronous(mut self) -> Self {
        self.async_commit = true;
        self.header(0);
        self
    }

    /// Writes the superblock.
    pub(super) fn header(&mut self, error: u32) {
        let mut block = vec![0; BLOCK];
        let mut set = |at, value: u32| put(&mut block, at, &value.to_be_bytes());
        set(0x4, 4);
        set(0xc, number(BLOCK));
        set(0x10, JOURNAL.1);
        set(0x14, 1);
        set(0x18, self.sequence);
        set(0x1c, number(self.at));
        set(0x20, error);
        let checksums = if self.checksums { 0x10 } else { 0 };
        set(0x28, 1 | checksums | if self.async_commit { 4 } else { 0 });
        put(&mut block, 0, &MAGIC);
        put(&mut block, 0x30, &UUID);
        block[0x50] = 4;
        let sum = Crc32c::START.add(&block).get();
        put(&mut block, 0xfc, &sum.to_be_bytes());
        self.blocks[0] = block;
    }

    fn push(&mut self, block: Vec<u8>) -> usize {
        let at = self.at;
        self.blocks[at] = block;
        self.at = if at + 1 == self.ring_end { 1 } else { at + 1 };
        at
    }

    fn head(&self, kind: u8) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        put(&mut block, 0, &MAGIC);
        block[7] = kind;
        put(&mut block, 8, &self.sequence.to_be_bytes());
        block
    }

    fn close(&self, mut block: Vec<u8>, at: usize) -> Vec<u8> {
        if self.checksums {
            let sum = seed().add(&block).get();
            put(&mut block, at, &sum.to_be_bytes());
        }
        block
    }

    /// Adds a descriptor with its data; returns where it went.
    pub(super) fn data(&mut self, contents: &[(u64, Vec<u8>)]) -> usize {
        let mut descriptor = self.head(1);
        let mut data = Vec::new();
        let mut at = 12;
        for (index, (block, bytes)) in contents.iter().enumerate() {
            let mut bytes = bytes.clone();
            let escaped = bytes.starts_with(&MAGIC);
            if escaped {
                put(&mut bytes, 0, &[0; 4]);
            }
            let last = if index + 1 == contents.len() { 8 } else { 0 };
            let same = if index == 0 { 0 } else { 2 };
            let flags = u16::from(escaped) | last | same;
            put(&mut descriptor, at, &u32::try_from(*block).unwrap().to_be_bytes());
            put(&mut descriptor, at + 6, &flags.to_be_bytes());
            if self.checksums {
                let sum = seed().add(&self.sequence.to_be_bytes()).add(&bytes).get();
                put(&mut descriptor, at + 12, &sum.to_be_bytes());
            }
            at += if self.checksums { 16 } else { 8 };
            at += if same == 0 { 16 } else { 0 };
            data.push(bytes);
        }
        let descriptor = self.close(descriptor, BLOCK - 4);
        let place = self.push(descriptor);
        for bytes in data {
            self.push(bytes);
        }
        place
    }

    pub(super) fn revoke(&mut self, blocks: &[u32]) -> usize {
        let mut block = self.head(5);
        put(&mut block, 12, &(16 + 4 * number(blocks.len())).to_be_bytes());
        for (index, revoked) in blocks.iter().enumerate() {
            put(&mut block, 16 + 4 * index, &revoked.to_be_bytes());
        }
        let block = self.close(block, BLOCK - 4);
        self.push(block)
    }

    pub(super) fn commit(&mut self) -> usize {
        let mut block = self.head(2);
        put(&mut block, 0x30, &self.seconds.to_be_bytes());
        let block = self.close(block, 0x10);
        self.sequence = self.sequence.wrapping_add(1);
        self.seconds += 1;
        self.push(block)
    }

    /// Writes the journal into a disk.
    pub(super) fn write_to(&self, disk: &mut [u8]) {
        put(disk, Image::block_position(JOURNAL.0), &self.blocks.concat());
    }
}

/// A file system before and after a change, both to be told apart by their free blocks.
fn states() -> (Image, Image) {
    let before = Image { recover: true, ..Image::default() };
    let after = Image { free: (150..257).chain(303..513).collect(), ..before.clone() };
    (before, after)
}

/// The disk of the first state with a log.
fn disk(log: &Writer) -> Vec<u8> {
    let mut disk = states().0.build();
    log.write_to(&mut disk);
    disk
}

#[test]
fn the_ring_and_the_numbers_wrap() {
    let (before, after) = states();
    for checksums in [false, true] {
        for start in [1, 40, 58, 61, 63] {
            for sequence in [1, u32::MAX - 1, u32::MAX] {
                let mut log = Writer::new(checksums, start, sequence);
                log.data(&before.metadata());
                log.commit();
                log.data(&after.metadata());
                log.revoke(&[9]);
                log.commit();
                log.data(&before.metadata());
                assert_eq!(free_blocks(&disk(&log)), after.free, "{checksums} {start} {sequence}");
            }
        }
    }
}

#[test]
fn an_empty_log() {
    let (before, _) = states();
    assert_eq!(free_blocks(&disk(&Writer::new(true, 0, 5))), before.free);
    assert_eq!(free_blocks(&disk(&Writer::new(true, 1, 5))), before.free);
}

#[test]
fn data_that_look_like_a_block_of_the_log() {
    let mut contents: Vec<_> = (0..BLOCK).map(|at| at.to_le_bytes()[0]).collect();
    put(&mut contents, 0, &MAGIC);
    let mut log = Writer::new(false, 1, 1);
    log.data(&[(400, contents.clone())]);
    log.commit();
    assert_eq!(log.blocks[2][..4], [0; 4]);
    let disk = disk(&log);
    let superblock = Superblock::read(&disk).unwrap();
    let recovered = journal::recover(&disk, &superblock).unwrap();
    for (from, len) in [(0, 1024), (1, 6), (3, 1), (4, 9)] {
        let mut read = vec![0; len];
        let at = Bytes((Image::block_position(400) + from) as u64);
        recovered.device.read_at(at, &mut read).unwrap();
        assert_eq!(read, contents[from..from + len], "{from} {len}");
    }
    // Across the block's bounds, too.
    let mut read = vec![0; 1030];
    recovered.device.read_at(Bytes((Image::block_position(400) - 3) as u64), &mut read).unwrap();
    assert_eq!(read[3..1027], contents);
}

#[test]
fn a_log_that_bites_its_tail() {
    let mut log = Writer::new(true, 1, 1);
    for _ in 1..JOURNAL.1 {
        log.revoke(&[600]);
    }
    assert!(in_use_as_a_whole(&disk(&log))[0].contains("journal contradicts itself"));
    // All of the ring is used, but the next transaction isn't there.
    let (before, after) = states();
    let mut log = Writer::new(true, 1, 1);
    log.data(&after.metadata());
    log.commit();
    while log.at != 1 {
        log.commit();
    }
    assert_eq!(free_blocks(&disk(&log)), after.free);
    assert_ne!(before.free, after.free);
}

#[test]
fn damage_in_what_was_committed() {
    let (before, after) = states();
    let write = |damage: &dyn Fn(&mut Writer, [usize; 3])| {
        let mut log = Writer::new(true, 1, 1);
        log.data(&before.metadata());
        log.commit();
        let places = [log.data(&after.metadata()), log.revoke(&[600]), log.commit()];
        damage(&mut log, places);
        disk(&log)
    };
    assert_eq!(free_blocks(&write(&|_, _| {})), after.free);
    for place in 0..3 {
        let notes = in_use_as_a_whole(&write(&|log, places| log.blocks[places[place]][900] ^= 1));
        assert!(notes[0].contains("wrong checksum in a transaction"), "{notes:?}");
    }
    // An older commit means that it is a leftover: the log ends before.
    let leftover = write(&|log, places| log.blocks[places[2]][0x36] = 0);
    assert_eq!(free_blocks(&leftover), before.free);
    // A lost bitmap, and lost descriptors.
    let lost = |offset: usize| write(&move |log, places| log.blocks[places[0] + offset][9] ^= 1);
    let found = allocation(&lost(4)).unwrap();
    let expected: Vec<_> = after.free.iter().copied().filter(|block| *block < 257).collect();
    assert_eq!(free_in(&lost(4), &found), expected);
    assert!(found.notes[0].contains("the journal's copy"), "{:?}", found.notes);
    assert!(free_blocks(&lost(2)).is_empty());
    assert!(in_use_as_a_whole(&lost(1))[0].contains("can't be replayed"));
}

#[test]
fn commits_that_did_not_wait() {
    let (before, after) = states();
    let write = |commits: u32| {
        let mut log = Writer::new(true, 1, 1).asynchronous();
        log.data(&before.metadata());
        log.commit();
        log.data(&after.metadata());
        let commit = log.commit();
        log.blocks[commit][900] ^= 1;
        for _ in 0..commits {
            log.commit();
        }
        disk(&log)
    };
    assert_eq!(free_blocks(&write(0)), before.free);
    // A later commit shows that this one was complete once.
    assert!(!in_use_as_a_whole(&write(1)).is_empty());
}

#[test]
fn a_journal_that_was_given_up() {
    let mut log = Writer::new(true, 1, 1);
    log.header(5);
    assert!(in_use_as_a_whole(&disk(&log))[0].contains("given up"));
}

#[test]
fn the_states_before_and_after_recovery_count() {
    let (before, after) = states();
    for (first, second) in [(1, 3), (3, 1)] {
        let mut log = Writer::new(true, 1, 1);
        log.data(&Image { state: second, ..after.clone() }.metadata());
        log.commit();
        let mut disk = Image { state: first, ..before.clone() }.build();
        log.write_to(&mut disk);
        assert!(in_use_as_a_whole(&disk)[0].contains("having errors"));
    }
}
