//! A small file system: a system chunk, metadata in two copies, and data.

use std::vec;
use std::vec::Vec;

use super::super::super::checksum::Crc32c;
use super::super::key::Key;

pub(super) const MIB: u64 = 1 << 20;
/// The logical addresses of chunks. On the device they are at 1, 2 and 3, and 5 MiB.
pub(super) const SYSTEM: u64 = 16 * MIB;
pub(super) const METADATA: u64 = 17 * MIB;
pub(super) const DATA: u64 = 20 * MIB;

const NODE: usize = 4096;
const UUID: [u8; 16] = [7; 16];
const GENERATION: u64 = 5;

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) key: Key,
    pub(super) data: Vec<u8>,
}

/// What it is built of.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) size: u64,
    pub(super) fsid: [u8; 16],
    pub(super) flags: u64,
    pub(super) devices: u64,
    pub(super) incompat: u64,
    pub(super) compat_ro: u64,
    pub(super) checksum_type: u16,
    /// Unless it is what the block groups count.
    pub(super) bytes_used: Option<u64>,
    pub(super) chunks: Vec<Item>,
    pub(super) extents: Vec<Item>,
    pub(super) free_space: Vec<Item>,
    /// The extents of files in the log.
    pub(super) log: Vec<(u64, u64)>,
    pub(super) log_level: u8,
    /// The chunk tree's root leads to the same leaf twice.
    pub(super) twice: bool,
}

/// Puts fields into a structure.
fn with(mut bytes: Vec<u8>, fields: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, field) in fields {
        bytes[*at..at + field.len()].copy_from_slice(field);
    }
    bytes
}

/// Sums a block up anew.
pub(super) fn seal(block: &mut [u8]) {
    let sum = !Crc32c::START.add(&block[32..]).get();
    block[..4].copy_from_slice(&sum.to_le_bytes());
}

fn key_bytes(key: Key) -> Vec<u8> {
    let (object, offset) = (key.object.to_le_bytes(), key.offset.to_le_bytes());
    [&object[..], &[key.kind], &offset].concat()
}

fn device(size: u64) -> Vec<u8> {
    let fields: &[(usize, &[u8])] =
        &[(0, &1_u64.to_le_bytes()), (8, &size.to_le_bytes()), (66, &[3; 16]), (82, &UUID)];
    with(vec![0; 98], fields)
}

fn chunk(logical: u64, len: u64, flags: u64, stripes: &[u64]) -> Item {
    let count = number(stripes.len());
    let fields: &[(usize, &[u8])] =
        &[(0, &len.to_le_bytes()), (24, &flags.to_le_bytes()), (44, &count[..2])];
    let mut data = with(vec![0; 48], fields);
    for stripe in stripes {
        data.extend(1_u64.to_le_bytes());
        data.extend(stripe.to_le_bytes());
        data.extend([3; 16]);
    }
    Item { key: Key::new(256, 228, logical), data }
}

fn group(logical: u64, len: u64, flags: u64) -> Item {
    let fields: &[(usize, &[u8])] = &[(16, &flags.to_le_bytes())];
    Item { key: Key::new(logical, 192, len), data: with(vec![0; 24], fields) }
}

fn root(owner: u64, logical: u64, generation: u64) -> Item {
    let fields: &[(usize, &[u8])] =
        &[(160, &generation.to_le_bytes()), (176, &logical.to_le_bytes())];
    Item { key: Key::new(owner, 132, 0), data: with(vec![0; 439], fields) }
}

fn free_extent(start: u64, end: u64) -> Item {
    Item { key: Key::new(start, 199, end - start), data: Vec::new() }
}

/// A number in 32 bits.
fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap().to_le_bytes()
}

fn block(logical: u64, owner: u64, generation: u64, level: u8, count: usize) -> Vec<u8> {
    let fields: &[(usize, &[u8])] = &[
        (0x20, &UUID),
        (0x30, &logical.to_le_bytes()),
        (0x38, &[1, 0, 0, 0, 0, 0, 0, 1]),
        (0x50, &generation.to_le_bytes()),
        (0x58, &owner.to_le_bytes()),
        (0x60, &number(count)),
        (0x64, &[level]),
    ];
    with(vec![0; NODE], fields)
}

fn leaf(logical: u64, owner: u64, generation: u64, items: &[Item]) -> Vec<u8> {
    let mut bytes = block(logical, owner, generation, 0, items.len());
    let mut end = NODE - 101;
    for (slot, item) in items.iter().enumerate() {
        end -= item.data.len();
        let at = 101 + slot * 25;
        let place = [number(end), number(item.data.len())];
        bytes = with(bytes, &[(at, &key_bytes(item.key)), (at + 17, &place.concat())]);
        bytes = with(bytes, &[(101 + end, &item.data)]);
    }
    seal(&mut bytes);
    bytes
}

impl Default for Image {
    fn default() -> Self {
        let mut image = Self {
            size: 8 * MIB,
            fsid: UUID,
            flags: 1,
            devices: 1,
            incompat: 0x361,
            compat_ro: 3,
            checksum_type: 0,
            bytes_used: None,
            chunks: vec![
                Item { key: Key::new(1, 216, 1), data: Vec::new() },
                chunk(SYSTEM, MIB, 2, &[MIB]),
                chunk(METADATA, MIB, 0x24, &[2 * MIB, 3 * MIB]),
                chunk(DATA, 2 * MIB, 1, &[5 * MIB]),
            ],
            extents: vec![
                group(SYSTEM, MIB, 2),
                group(METADATA, MIB, 0x24),
                group(DATA, 2 * MIB, 1),
            ],
            free_space: vec![
                Self::free_space_info(SYSTEM, MIB, 1),
                free_extent(SYSTEM + 4096, SYSTEM + MIB),
                Self::free_space_info(METADATA, MIB, 1),
                free_extent(METADATA + 3 * 4096, METADATA + MIB),
                Self::free_space_info(DATA, 2 * MIB, 2),
                free_extent(DATA + 8192, DATA + MIB),
                free_extent(DATA + MIB + 65536, DATA + 2 * MIB),
            ],
            log: Vec::new(),
            log_level: 0,
            twice: false,
        };
        image.chunks[0].data = device(image.size);
        for logical in [SYSTEM, METADATA, METADATA + 4096, METADATA + 8192] {
            image.extents.push(Item { key: Key::new(logical, 169, 0), data: vec![0; 33] });
        }
        image.add_extent(DATA, 8192);
        image.add_extent(DATA + MIB, 65536);
        image
    }
}

impl Image {
    /// The key of the block group that begins at `logical`.
    pub(super) fn group(logical: u64) -> Key {
        Key::new(logical, 192, if logical == DATA { 2 * MIB } else { MIB })
    }

    pub(super) fn extent(logical: u64, len: u64) -> Key {
        Key::new(logical, 168, len)
    }

    pub(super) fn free_space_info(logical: u64, len: u64, count: u32) -> Item {
        let fields: &[(usize, &[u8])] = &[(0, &count.to_le_bytes())];
        Item { key: Key::new(logical, 198, len), data: with(vec![0; 8], fields) }
    }

    /// Adds an extent of data, and counts it.
    pub(super) fn add_extent(&mut self, logical: u64, len: u64) {
        self.extents.push(Item { key: Self::extent(logical, len), data: vec![0; 53] });
        // With who refers to it.
        self.extents.push(Item { key: Key::new(logical, 178, 9), data: vec![0; 28] });
        self.extents.sort_by_key(|item| item.key);
        self.count_groups();
    }

    /// Has the block groups count what is there.
    pub(super) fn count_groups(&mut self) {
        let extents = self.extents.clone();
        for group in self.extents.iter_mut().filter(|item| item.key.kind == 192) {
            let key = group.key;
            let inside = extents
                .iter()
                .filter(|item| (key.object..key.object + key.offset).contains(&item.key.object));
            let len = |item: &Item| match item.key.kind {
                168 => item.key.offset,
                169 => NODE as u64,
                _ => 0,
            };
            let used = inside.map(len).sum::<u64>();
            group.data[..8].copy_from_slice(&used.to_le_bytes());
        }
    }

    fn superblock(&self, position: u64) -> Vec<u8> {
        let counted = self.extents.iter().filter(|item| item.key.kind == 192);
        let counted = counted
            .map(|item| item.data.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)));
        let bytes_used = self.bytes_used.unwrap_or_else(|| counted.sum());
        let log = if self.log.is_empty() { 0 } else { METADATA + 3 * 4096 };
        let system =
            [key_bytes(Key::new(256, 228, SYSTEM)), chunk(SYSTEM, MIB, 2, &[MIB]).data].concat();
        let chunk_root = SYSTEM + if self.twice { 4096 } else { 0 };
        let fields: &[(usize, &[u8])] = &[
            (0x20, &self.fsid),
            (0x30, &position.to_le_bytes()),
            (0x38, &self.flags.to_le_bytes()),
            (0x40, b"_BHRfS_M"),
            (0x48, &GENERATION.to_le_bytes()),
            (0x50, &METADATA.to_le_bytes()),
            (0x58, &chunk_root.to_le_bytes()),
            (0x60, &log.to_le_bytes()),
            (0x70, &self.size.to_le_bytes()),
            (0x78, &bytes_used.to_le_bytes()),
            (0x88, &self.devices.to_le_bytes()),
            (0x90, &4096_u32.to_le_bytes()),
            (0x94, &number(NODE)),
            (0xa0, &number(system.len())),
            (0xa4, &GENERATION.to_le_bytes()),
            (0xb4, &self.compat_ro.to_le_bytes()),
            (0xbc, &self.incompat.to_le_bytes()),
            (0xc4, &self.checksum_type.to_le_bytes()),
            (0xc7, &[u8::from(self.twice)]),
            (0xc8, &[self.log_level]),
            (0xc9, &device(self.size)),
            (0x23b, &UUID),
            (0x32b, &system),
        ];
        let mut block = with(vec![0; 4096], fields);
        seal(&mut block);
        block
    }

    /// The device.
    pub(super) fn build(&self) -> Vec<u8> {
        let mut chunks = self.chunks.clone();
        for item in chunks.iter_mut().filter(|item| item.key.kind == 216) {
            item.data[8..16].copy_from_slice(&self.size.to_le_bytes());
        }
        let roots = [root(2, METADATA + 4096, GENERATION), root(10, METADATA + 8192, GENERATION)];
        let log = self.log.iter().zip(0..).map(|((start, len), number)| {
            let fields: &[(usize, &[u8])] =
                &[(20, &[1]), (21, &start.to_le_bytes()), (29, &len.to_le_bytes())];
            Item { key: Key::new(257, 108, number), data: with(vec![0; 53], fields) }
        });
        let log_owner = 0_u64.wrapping_sub(6);
        let mut log_root = root(log_owner, METADATA + 4 * 4096, GENERATION + 1);
        log_root.key.offset = 5;
        let blocks = [
            leaf(METADATA, 1, GENERATION, &roots),
            leaf(METADATA + 4096, 2, GENERATION, &self.extents),
            leaf(METADATA + 8192, 10, GENERATION, &self.free_space),
            leaf(METADATA + 3 * 4096, log_owner, GENERATION + 1, &[log_root]),
            leaf(METADATA + 4 * 4096, log_owner, GENERATION + 1, &log.collect::<Vec<_>>()),
        ];
        let mut disk = vec![0; usize::try_from(self.size).unwrap()];
        let mut put = |at: u64, bytes: &[u8]| {
            let at = usize::try_from(at).unwrap();
            disk[at..at + bytes.len()].copy_from_slice(bytes);
        };
        for position in [64 << 10, 64 << 20] {
            if position < self.size {
                put(position, &self.superblock(position));
            }
        }
        put(MIB, &leaf(SYSTEM, 3, GENERATION, &chunks));
        if self.twice {
            let mut node = block(SYSTEM + 4096, 3, GENERATION, 1, 2);
            for (slot, key) in [chunks[0].key, Key::new(1 << 40, 0, 0)].into_iter().enumerate() {
                let entry = [
                    key_bytes(key),
                    SYSTEM.to_le_bytes().to_vec(),
                    GENERATION.to_le_bytes().to_vec(),
                ];
                node = with(node, &[(101 + slot * 33, &entry.concat())]);
            }
            seal(&mut node);
            put(MIB + 4096, &node);
        }
        for copy in [2 * MIB, 3 * MIB] {
            for (block, number) in blocks.iter().zip(0..) {
                put(copy + number * 4096, block);
            }
        }
        disk
    }
}
