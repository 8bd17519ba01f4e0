//! Logs of 100 blocks.

use super::image::{LOG_BLOCKS, UUID};
use super::*;

const START: u8 = 1;
const COMMIT: u8 = 2;
const CONTINUE: u8 = 4;
const CONTINUED: u8 = 8;

/// A log that is being written: records follow each other around the ring.
pub(super) struct Log {
    blocks: Vec<u8>,
    next: usize,
    cycle: u32,
    version: u32,
    tail: u64,
    has_checksums: bool,
}

/// A piece of a transaction.
type Operation = (u32, u8, Vec<u8>);

impl Log {
    pub(super) fn new(version: u32) -> Self {
        let blocks = vec![0; usize::try_from(LOG_BLOCKS * 512).unwrap()];
        Self { blocks, next: 0, cycle: 1, version, tail: 1 << 32, has_checksums: true }
    }

    /// A round that is over: the next record begins at `next`.
    fn old(version: u32, next: usize) -> Self {
        let mut log = Self { tail: 1 << 32 | next as u64, ..Self::new(version) };
        for block in log.blocks.chunks_exact_mut(512).take(next) {
            block[..4].copy_from_slice(&1_u32.to_be_bytes());
        }
        log.next = next;
        log
    }

    /// Writes a record with these operations.
    pub(super) fn record(mut self, operations: &[Operation]) -> Self {
        let mut data = Vec::new();
        for (id, flags, region) in operations {
            data.extend(id.to_be_bytes());
            data.extend(u32::try_from(region.len()).unwrap().to_be_bytes());
            data.extend([0x69, *flags, 0, 0]);
            data.extend(region);
        }
        data.resize(data.len().next_multiple_of(512), 0);
        let mut header = vec![0; 512];
        let lsn = u64::from(self.cycle) << 32 | self.next as u64;
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &0xfeed_babe_u32.to_be_bytes());
        put(4, &self.cycle.to_be_bytes());
        put(8, &self.version.to_be_bytes());
        put(12, &u32::try_from(data.len()).unwrap().to_be_bytes());
        put(16, &lsn.to_be_bytes());
        put(24, &self.tail.to_be_bytes());
        put(40, &u32::try_from(operations.len()).unwrap().to_be_bytes());
        put(300, &1_u32.to_be_bytes());
        put(304, &UUID);
        put(320, &32768_u32.to_be_bytes());
        for (number, block) in data.chunks_exact_mut(512).enumerate() {
            put(44 + number * 4, &block[..4]);
            let past_end = self.next + 1 + number >= usize::try_from(LOG_BLOCKS).unwrap();
            block[..4].copy_from_slice(&(self.cycle + u32::from(past_end)).to_be_bytes());
        }
        if self.has_checksums {
            let sum = !Crc32c::START.add(&header[..328]).add(&data).get();
            header[32..36].copy_from_slice(&sum.to_le_bytes());
        }
        for block in header.chunks_exact(512).chain(data.chunks_exact(512)) {
            self.blocks[self.next * 512..][..512].copy_from_slice(block);
            self.next += 1;
            if self.next == usize::try_from(LOG_BLOCKS).unwrap() {
                (self.next, self.cycle) = (0, self.cycle + 1);
            }
        }
        self
    }

    pub(super) fn unmount(self) -> Self {
        self.record(&[(7, 0x20, vec![0; 8])])
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.blocks
    }
}

/// The start of a transaction.
fn start(id: u32) -> [Operation; 2] {
    let mut header = 0x5452_414e_u32.to_le_bytes().to_vec();
    header.resize(16, 0);
    [(id, START, Vec::new()), (id, 0, header)]
}

fn commit(id: u32) -> Operation {
    (id, COMMIT, Vec::new())
}

/// What describes a buffer of a block, with these chunks.
fn format(regions: u16, flags: u16, sector: u64, chunks: u32) -> Vec<u8> {
    let mut format = 0x123c_u16.to_le_bytes().to_vec();
    format.extend((regions + 1).to_le_bytes());
    format.extend(flags.to_le_bytes());
    format.extend(1_u16.to_le_bytes());
    format.extend(sector.to_le_bytes());
    format.extend(1_u32.to_le_bytes());
    format.extend(chunks.to_le_bytes());
    format
}

/// The first blocks of group 1 as they are if only `free` is free.
fn after(free: std::ops::Range<u32>) -> Vec<u8> {
    let len = free.end - free.start;
    let mut image = Image { counted: [31, len], longest: [30, len], ..Image::default() };
    image.free[1] = vec![free];
    image.build()[200 * 512..205 * 512].to_vec()
}

/// Items for header and tree of group 1, as they are if only `free` is free.
fn items(id: u32, free: std::ops::Range<u32>) -> Vec<Operation> {
    let blocks = after(free);
    let buffer = |sector: usize, chunks: u32| {
        let len = usize::try_from(chunks.count_ones()).unwrap() * 128;
        let bytes = blocks[sector * 512..][..len].to_vec();
        [(id, 0, format(1, 0, 200 + sector as u64, chunks)), (id, 0, bytes)]
    };
    [buffer(1, 0b1), buffer(4, 0b1)].concat()
}

/// A transaction after which only `free` is free in group 1.
fn transaction(id: u32, free: std::ops::Range<u32>) -> Vec<Operation> {
    [&start(id)[..], &items(id, free), &[commit(id)]].concat()
}

/// The blocks of group 1 that are free for us.
fn found(log: Log) -> Vec<u64> {
    found_in(&Image { log: log.finish(), ..Image::default() })
}

fn found_in(image: &Image) -> Vec<u64> {
    let free = free(&image.build());
    free.into_iter().filter(|block| *block >= 200).map(|block| block - 200).collect()
}

fn before() -> Vec<u64> {
    (10..60).chain(80..200).collect()
}

fn range(free: std::ops::Range<u64>) -> Vec<u64> {
    free.collect()
}

/// Blocks of 128 bytes are the least that the log replaces.
#[test]
fn what_is_committed_is_replayed() {
    assert_eq!(found(Log::new(2).unmount()), before());
    assert_eq!(found(Log::new(2).record(&transaction(1, 30..50))), range(30..50));
    let log = Log::new(2).record(&transaction(1, 30..50)).record(&transaction(2, 20..40));
    assert_eq!(found(log), range(20..40));
    let log = Log::new(2).record(&transaction(1, 30..50)).unmount();
    assert_eq!(found(log), before(), "unmounted after that");
    let open = [&start(2)[..], &items(2, 20..40)].concat();
    let log = Log::new(2).record(&transaction(1, 30..50)).record(&open);
    assert_eq!(found(log), range(30..50), "the second one is not committed");
}

#[test]
fn regions_go_on_in_the_next_record() {
    let mut items = transaction(1, 30..50);
    // In the middle of what describes the tree, and of its contents.
    let index = items.len() - 3;
    let rest = items.split_off(index);
    let (format, bytes) = (&rest[0].2, &rest[1].2);
    items.push((1, CONTINUE, format[..9].to_vec()));
    let more = [(1, CONTINUED, format[9..].to_vec()), (1, CONTINUE, bytes[..50].to_vec())];
    let last = [(1, CONTINUED, bytes[50..].to_vec()), commit(1)];
    let log = Log::new(2).record(&items).record(&more).record(&last);
    assert_eq!(found(log), range(30..50));
}

#[test]
fn a_log_around_the_end_of_the_ring() {
    for version in [1, 2] {
        for next in 92..100 {
            let log = Log::old(version, next);
            let log = log.record(&transaction(1, 30..50)).record(&transaction(2, 20..40));
            let log = log.record(&transaction(3, 25..40));
            let image = Image {
                log: log.finish(),
                log_v2: version == 2,
                checksums: version == 2,
                ..Image::default()
            };
            if version == 2 {
                assert_eq!(found_in(&image), range(25..40), "from {next} on");
            } else {
                // The chunks are those of version 5, which make no sense there.
                let found = allocation(&image.build()).unwrap();
                assert_eq!(found.notes.len(), 1, "from {next} on");
            }
        }
    }
}

#[test]
fn a_record_that_is_incomplete_does_not_count() {
    let whole = Log::new(2).record(&transaction(1, 30..50));
    let end = whole.next;
    let both = whole.record(&transaction(2, 20..40));
    for block in end..both.next {
        let mut log = both.blocks.clone();
        log[block * 512 + 100] ^= 1;
        let found = found_in(&Image { log, ..Image::default() });
        assert_eq!(found, range(30..50), "block {block}");
        let mut log = both.blocks.clone();
        log[block * 512..].fill(0);
        let found = found_in(&Image { log, ..Image::default() });
        assert_eq!(found, range(30..50), "from block {block} on");
    }
}

#[test]
fn a_buffer_that_is_given_up_is_not_replayed() {
    let cancel = |id| (id, 0, format(0, 2, 204, 0));
    let last = [&start(2)[..], &[cancel(2), commit(2)]].concat();
    let log = Log::new(2).record(&transaction(1, 30..50)).record(&last);
    let image = Image { log: log.finish(), ..Image::default() };
    let notes = allocation(&image.build()).unwrap().notes;
    assert_eq!(notes.len(), 1, "the header without the tree");
    // Afterwards it is.
    let log = Log::new(2).record(&transaction(1, 30..50)).record(&last);
    assert_eq!(found(log.record(&transaction(3, 20..40))), range(20..40));
}

/// What recovery reads is in use, even if it is free afterwards.
#[test]
fn what_recovery_reads_is_in_use() {
    let mut inode = 0x123b_u16.to_le_bytes().to_vec();
    inode.extend(1_u16.to_le_bytes());
    inode.resize(40, 0);
    inode.extend(290_u64.to_le_bytes());
    inode.extend(4_u64.to_le_bytes());
    let items = [&start(1)[..], &[(1, 0, inode), commit(1)]].concat();
    let expected: Vec<_> = before().into_iter().filter(|block| !(90..94).contains(block)).collect();
    assert_eq!(found(Log::new(2).record(&items)), expected);
}

/// A transaction is older than what is on the disk if that says so.
#[test]
fn what_is_newer_on_the_disk_stays() {
    // The transaction begins in block 2.
    let log = Log::new(2).record(&[(9, START, Vec::new())]).record(&transaction(1, 30..50));
    let log = log.finish();
    for (lsn, expected) in [(1, range(30..50)), (2, before()), (3, before())] {
        let mut image = Image { log: log.clone(), ..Image::default() };
        for (sector, at) in [(1, 208), (4, 24)] {
            image.patch(1, sector, at, 1);
            image.patch(1, sector, at + 4, lsn);
        }
        assert_eq!(found_in(&image), expected, "{lsn}");
    }
}

#[test]
fn a_log_that_is_not_understood_makes_it_raw() {
    let raw = |log: Log| {
        let image = Image { log: log.finish(), ..Image::default() };
        assert_eq!(error(&image.build()), ErrorKind::Incompatible(IncompatibleKind::Unclean));
    };
    let with = |operations: &[Operation]| {
        raw(Log::new(2).record(&[&start(1)[..], operations, &[commit(1)]].concat()));
    };
    with(&[(1, 0, vec![0x50, 0x12, 1, 0])]);
    with(&[(1, 0, format(1, 0, 204, 0b110)), (1, 0, vec![0; 128])]);
    with(&[(1, 0, format(1, 0, 204, 0b10)), (1, 0, vec![0; 256])]);
    with(&[(1, 0, format(1, 0, 204, 0x10)), (1, 0, vec![0; 128])]);
    with(&[(1, 0, format(0, 0, 1 << 40, 0))]);
    with(&[(1, START, Vec::new())]);
    raw(Log::new(2).record(&[(1, START, Vec::new()), (1, 0, vec![1; 16])]));
    raw(Log { has_checksums: false, ..Log::new(2) }.record(&transaction(1, 30..50)));
    raw(Log { tail: 1 << 32 | 1, ..Log::new(2) }.record(&transaction(1, 30..50)));
    raw(Log { tail: (1 << 32) + 100, ..Log::new(2) }.record(&transaction(1, 30..50)));
    assert_eq!(found(Log::new(2)), before(), "zeros are a log that was never used");
}
