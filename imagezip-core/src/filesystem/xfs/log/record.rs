//! The records of the log: a header, and data in which each block's first four bytes have been
//! replaced by the number of the round.

use alloc::vec::Vec;

use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::layout::Layout;

use super::super::superblock::Superblock;
use super::head::Extent;
use super::ring::{BLOCK, Ring, len};
use super::wrong;
use crate::filesystem::checksum::Crc32c;

/// The mark of a header.
pub(super) const MAGIC: u32 = 0xfeed_babe;
/// Data are little-endian.
const LITTLE_ENDIAN: u32 = 1;
/// How many blocks of data a block of the header has room to tell the replaced bytes of.
const BLOCKS_PER_HEADER: u32 = 64;
/// The most bytes of data, and those of a log of the first form.
pub(super) const MOST_BYTES: u32 = 256 << 10;
pub(super) const V1_BYTES: u32 = 32 << 10;
/// The bytes of a header's first block that are in the checksum; there is padding at the end of
/// the structure on some machines only.
const SUMMED: [usize; 2] = [328, 324];
/// The same of the other blocks.
const SUMMED_MORE: usize = 260;
const CHECKSUM_AT: usize = 32;
/// Where the replaced bytes are in the first block, and in the others.
const CYCLE_DATA_AT: usize = 44;
const CYCLE_DATA_MORE_AT: usize = 4;

/// The first block of a record.
#[derive(Clone, Copy)]
pub(super) struct Header {
    version: u32,
    /// The bytes of data.
    pub(super) len: u32,
    /// The record's place in the sequence: round and block.
    pub(super) lsn: u64,
    /// The block where recovery begins that ends with this record.
    pub(super) tail: u32,
    checksum: u32,
    /// How many pieces of transactions there are in the data.
    pub(super) ops: u32,
    format: u32,
    uuid: [u8; 16],
    /// The most bytes of data that a record had when this one was written.
    size: u32,
}

impl Header {
    pub(super) fn new(block: Layout<'_, BLOCK>) -> Self {
        let [.., a, b, c, d] = block.array::<24, 8>();
        Self {
            version: block.be32::<8>(),
            len: block.be32::<12>(),
            lsn: block.be64::<16>(),
            tail: u32::from_be_bytes([a, b, c, d]),
            checksum: block.u32::<CHECKSUM_AT>(),
            ops: block.be32::<40>(),
            format: block.be32::<300>(),
            uuid: block.array::<304, 16>(),
            size: block.be32::<320>(),
        }
    }

    /// How many blocks the header takes.
    pub(super) fn blocks(&self, superblock: &Superblock) -> u32 {
        let more = superblock.log_v2 && self.version & 2 != 0;
        if more { self.size.div_ceil(V1_BYTES).max(1) } else { 1 }
    }

    /// How many blocks the data take.
    pub(super) fn data_blocks(&self) -> u32 {
        self.len.div_ceil(512)
    }

    /// Whether it is this file system's. Old systems leave no UUID; such a log is not replayed.
    pub(super) fn is_own(&self, superblock: &Superblock) -> bool {
        self.uuid == superblock.uuid || self.uuid == [0; 16]
    }
}

/// A record.
pub(super) struct Record {
    pub(super) header: Header,
    /// As they were before bytes of them were replaced.
    pub(super) data: Vec<u8>,
    pub(super) place: Place,
    /// How many blocks it takes.
    blocks: u32,
}

/// The size of the header of a record, of which all others until the head have the same.
struct Form {
    header_blocks: u32,
    most_bytes: u32,
}

impl Form {
    fn of(ring: &mut Ring<'_>, block: u32) -> Result<Self> {
        let place = ring.place(block);
        let superblock = ring.superblock;
        if !ring.is_header(block)? {
            return Err(wrong(place));
        }
        let header = Header::new(ring.block(block)?);
        let most_bytes = if superblock.log_v2 { header.size } else { V1_BYTES };
        if most_bytes > MOST_BYTES {
            return Err(wrong(place));
        }
        Ok(Self { header_blocks: header.blocks(superblock), most_bytes })
    }
}

/// Calls `then` for each record of a part of the log.
///
/// # Errors
/// `Corrupt` if a record is damaged, or what `then` returns.
pub(super) fn each(
    ring: &mut Ring<'_>,
    extent: Extent,
    then: &mut dyn FnMut(&Record) -> Result<()>,
) -> Result<()> {
    walk(ring, extent, Pass::Replay, then).map_err(|bad| bad.error)
}

/// What records are read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// To find the ones that were not written completely.
    Check,
    /// For what is in them.
    Replay,
}

/// A record that is damaged, and why.
pub(super) struct Bad {
    pub(super) block: u32,
    pub(super) error: Error,
}

/// The same as [`each`], but tells which record it was.
pub(super) fn walk(
    ring: &mut Ring<'_>,
    extent: Extent,
    pass: Pass,
    then: &mut dyn FnMut(&Record) -> Result<()>,
) -> core::result::Result<(), Bad> {
    let Extent { tail, head } = extent;
    let at_tail = |error| Bad { block: tail, error };
    let form = Form::of(ring, tail).map_err(at_tail)?;
    let mut left = ring.distance(tail, head);
    let mut block = tail;
    while left > 0 {
        let bad = |error| Bad { block, error };
        let record = read(ring, &form, block, pass).map_err(bad)?;
        let rest = left.checked_sub(record.blocks);
        left = rest.ok_or_else(|| bad(wrong(ring.place(block))))?;
        then(&record).map_err(bad)?;
        block = ring.after(block, record.blocks);
    }
    Ok(())
}

fn read(ring: &Ring<'_>, form: &Form, at: u32, pass: Pass) -> Result<Record> {
    let superblock = ring.superblock;
    let error = || wrong(ring.place(at));
    let headers = ring.read(at, form.header_blocks)?;
    let first = Layout::new(&headers).ok_or_else(error)?;
    let header = Header::new(first);
    let known_version = header.version != 0 && header.version & !3 == 0;
    let valid = first.be32::<0>() == MAGIC
        && known_version
        && (1..=form.most_bytes).contains(&header.len)
        && header.format == LITTLE_ENDIAN
        && header.uuid == superblock.uuid;
    if !valid {
        return Err(error());
    }
    let mut data = ring.read(ring.after(at, form.header_blocks), header.data_blocks())?;
    data.truncate(usize::try_from(header.len).unwrap_or(usize::MAX));
    // Old systems, and mkfs, leave no checksum. Version 5 doesn't replay such.
    let unsummed = header.checksum == 0 && (pass == Pass::Check || !superblock.checksums);
    let summed =
        || SUMMED.iter().any(|size| sum(&header, &headers, *size, &data) == header.checksum);
    if !unsummed && !summed() {
        return Err(ErrorKind::Corrupt(CorruptKind::JournalChecksum).at(ring.place(at)));
    }
    unpack(&headers, &mut data).ok_or_else(error)?;
    let blocks = form.header_blocks.saturating_add(header.data_blocks());
    Ok(Record { header, data, place: ring.place(at), blocks })
}

/// The checksum of a record, the first block of whose header has so many bytes.
fn sum(header: &Header, headers: &[u8], size: usize, data: &[u8]) -> u32 {
    let part = |from: usize, to: usize| headers.get(from..to).unwrap_or_default();
    let after = CHECKSUM_AT.saturating_add(4);
    let mut sum = Crc32c::START.add(part(0, CHECKSUM_AT)).add(&[0; 4]).add(part(after, size));
    // The others that there is room for are not used.
    let used = header.len.div_ceil(V1_BYTES).saturating_sub(1);
    for more in headers.chunks_exact(BLOCK).skip(1).take(len(used) / BLOCK) {
        sum = sum.add(more.get(..SUMMED_MORE).unwrap_or_default());
    }
    !sum.add(data).get()
}

/// Puts back the bytes that were replaced. `None` if there is no room for them in the header.
fn unpack(headers: &[u8], data: &mut [u8]) -> Option<()> {
    let per_header = len(BLOCKS_PER_HEADER);
    let mut at = CYCLE_DATA_AT;
    let mut headers = headers.chunks_exact(BLOCK);
    for part in data.chunks_mut(per_header) {
        let replaced = headers.next()?.get(at..)?;
        for (block, bytes) in part.chunks_mut(BLOCK).zip(replaced.chunks_exact(4)) {
            block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        }
        at = CYCLE_DATA_MORE_AT;
    }
    Some(())
}
