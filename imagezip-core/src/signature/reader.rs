//! Reading signature files.

use alloc::vec;

use super::Signature;
use super::cut::{HashBlockSize, cut};
use super::entry::{ENTRY_BYTES, FileEntry};
use super::header::{HEADER_BYTES, Header};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Limit, Place, Result};
use crate::sector::Bytes;

/// How much of a file is read at a time: a whole number of entries.
const BUFFER_BYTES: usize = 64 * 1024;

impl Signature {
    /// Reads a signature file of version 1 or 2.
    ///
    /// # Errors
    /// `Truncated` or `SignatureTrailing` if the file is not as long as its header says;
    /// `SignatureMagic`; `Incompatible` for an unknown version, type of digest or block size; for
    /// entries those of [`Signature::push`]; `Memory`; what the file returns.
    pub fn read<D: ReadAt + ?Sized>(file: &D) -> Result<Self> {
        let mut bytes = [0; HEADER_BYTES];
        if file.size() < Bytes(HEADER_BYTES as u64) {
            return Err(ErrorKind::Truncated.at(Place::Byte(file.size())));
        }
        file.read_at(Bytes(0), &mut bytes)?;
        let header = Header::new(&bytes)?;
        let size = ENTRY_BYTES as u64;
        let expected = u64::from(header.count).saturating_mul(size);
        let expected = Bytes(expected.saturating_add(HEADER_BYTES as u64));
        if file.size() < expected {
            return Err(ErrorKind::Truncated.at(Place::Byte(file.size())));
        }
        if file.size() > expected {
            let kind = ErrorKind::Corrupt(CorruptKind::SignatureTrailing);
            return Err(kind.at(Place::Byte(expected)));
        }

        let mut signature = Self::new(header.hash_type, actual_block(file, &header)?);
        // The file is as long as that, so this much memory is no surprise to the caller.
        let count = usize::try_from(header.count).unwrap_or(usize::MAX);
        let memory = |_| ErrorKind::TooLarge(Limit::Memory);
        signature.entries.try_reserve_exact(count).map_err(memory)?;
        for_each_entry(file, &header, &mut |entry| signature.push(entry.entry(header.hash_type)))?;
        Ok(signature)
    }
}

/// The size of hash blocks that the entries show.
///
/// The reference wrote 64 KiB in bytes instead of sectors when it updated a signature of version
/// 1. As sectors that is 32 MiB, which is also a size that it can be told to use.
fn actual_block<D: ReadAt + ?Sized>(file: &D, header: &Header) -> Result<HashBlockSize> {
    if header.block != HashBlockSize::MAX {
        return Ok(header.block);
    }
    let mut small = true;
    for_each_entry(file, header, &mut |entry| {
        let mut pieces = cut(entry.range(), HashBlockSize::DEFAULT);
        small &= pieces.next().is_none() || pieces.next().is_none();
        Ok(())
    })?;
    Ok(if small { HashBlockSize::DEFAULT } else { header.block })
}

/// Reads all entries in order.
fn for_each_entry<D: ReadAt + ?Sized>(
    file: &D,
    header: &Header,
    each: &mut dyn FnMut(FileEntry<'_>) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = u64::from(header.count).saturating_mul(ENTRY_BYTES as u64);
    let mut at = HEADER_BYTES as u64;
    while left > 0 {
        let len = usize::try_from(left).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
        let Some(part) = buffer.get_mut(..len) else { break };
        file.read_at(Bytes(at), part)?;
        for entry in part.chunks_exact(ENTRY_BYTES).filter_map(FileEntry::new) {
            each(entry)?;
        }
        let len = u64::try_from(len).unwrap_or(left);
        at = at.saturating_add(len);
        left = left.saturating_sub(len);
    }
    Ok(())
}
