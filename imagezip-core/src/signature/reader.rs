//! Reading signature files.

use alloc::vec;

use super::cut::{HashBlockSize, cut};
use super::form::{FileEntry, Form};
use super::header::{FileVersion, HEADER_BYTES, Header};
use super::{Entry, Remainder, Signature};
use crate::device::ReadAt;
use crate::digest::Digest;
use crate::error::{CorruptKind, Error, ErrorKind, IncompatibleKind, Place, Result};
use crate::sector::Bytes;

/// About how much of a file is read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

impl Signature {
    /// Reads a signature file of version 1, 2 or 3.
    ///
    /// # Errors
    /// `Truncated` or `SignatureTrailing` if the file is not as long as its header says;
    /// `SignatureMagic`; `Incompatible` for an unknown version, form of entries, type of digest or
    /// block size; for entries those of [`Signature::push`]; `Memory`; what the file returns.
    pub fn read<D: ReadAt + ?Sized>(file: &D) -> Result<Self> {
        let mut bytes = [0; HEADER_BYTES];
        if file.size() < Bytes(HEADER_BYTES as u64) {
            return Err(ErrorKind::Truncated.at(Place::Byte(file.size())));
        }
        file.read_at(Bytes(0), &mut bytes)?;
        let header = Header::new(&bytes)?;
        let table = Table { file, form: form_of(&header, file.size())?, count: header.count };
        if header.hash_type.digest_len() > table.form.digest_room() {
            return Err(ErrorKind::Incompatible(IncompatibleKind::HashType).into());
        }

        let mut signature = Self::new(header.hash_type, table.actual_block(header.block)?);
        // The file is as long as that, so this much memory is no surprise to the caller.
        let count = usize::try_from(header.count).unwrap_or(usize::MAX);
        signature.reserve_exact(count)?;
        let filled = table.for_each(&mut |number, entry| signature.push_stored(number, entry));
        filled.map_err(|error| table.explain(error, signature.block))?;
        Ok(signature)
    }

    fn reserve_exact(&mut self, count: usize) -> Result<()> {
        let bytes = count.saturating_mul(self.hash_type.digest_len());
        let spans = self.spans.try_reserve_exact(count);
        let reserved = spans.and_then(|()| self.digests.try_reserve_exact(bytes));
        reserved.map_err(|_| ErrorKind::TooLarge(crate::error::Limit::Memory).into())
    }

    /// Adds entry `number` of a file.
    fn push_stored(&mut self, number: u64, stored: FileEntry<'_>) -> Result<()> {
        let corrupt = |kind| ErrorKind::Corrupt(kind).at(Place::Entry(number));
        let digest = Digest::from_field(self.hash_type, stored.digest)
            .ok_or_else(|| ErrorKind::Truncated.at(Place::Entry(number)))?;
        let remainder = stored.remainder().filter(|_| self.remainder.is_none());
        if let Some((start, len)) = remainder {
            let remainder = Remainder::new(start, len, digest);
            let remainder = remainder.ok_or_else(|| corrupt(CorruptKind::SignatureBlock))?;
            let set = self.set_remainder(remainder);
            return set.map_err(|error| error.kind.at(Place::Entry(number)));
        }
        let range = stored.range().ok_or_else(|| corrupt(CorruptKind::SignatureBlock))?;
        let pushed = self.push(Entry { range, chunk: stored.chunk(), digest });
        pushed.map_err(|error| error.kind.at(Place::Entry(number)))
    }
}

/// The form of the entries of a file of `size`.
fn form_of(header: &Header, size: Bytes) -> Result<Form> {
    let end_of = |form: Form| {
        let len = u64::try_from(form.entry_len()).unwrap_or(u64::MAX);
        Bytes(u64::from(header.count).saturating_mul(len).saturating_add(HEADER_BYTES as u64))
    };
    let (least, form) = match header.version {
        FileVersion::Known(_) => (Form::Classic, Form::Classic),
        // Early and final version 3 have the same number: only the length tells them apart.
        FileVersion::Later if size == end_of(Form::Wide) => (Form::Wide, Form::Wide),
        FileVersion::Later => (Form::EarlyWide, Form::EarlyWide),
    };
    if size == end_of(form) {
        return Ok(form);
    }
    if size < end_of(least) {
        return Err(ErrorKind::Truncated.at(Place::Byte(size)));
    }
    Err(match header.version {
        FileVersion::Known(_) => {
            ErrorKind::Corrupt(CorruptKind::SignatureTrailing).at(Place::Byte(end_of(form)))
        }
        FileVersion::Later => ErrorKind::Incompatible(IncompatibleKind::SignatureForm).into(),
    })
}

/// The entries of a file.
struct Table<'a, D: ?Sized> {
    file: &'a D,
    form: Form,
    count: u32,
}

impl<D: ReadAt + ?Sized> Table<'_, D> {
    /// Reads all entries in order, with their numbers.
    fn for_each(&self, each: &mut dyn FnMut(u64, FileEntry<'_>) -> Result<()>) -> Result<()> {
        let entry_len = self.form.entry_len();
        let whole = BUFFER_BYTES.next_multiple_of(entry_len);
        let mut buffer = vec![0; whole];
        let wide = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let mut left = u64::from(self.count).saturating_mul(wide(entry_len));
        let (mut at, mut number) = (HEADER_BYTES as u64, 0_u64);
        while left > 0 {
            let len = usize::try_from(left).map_or(whole, |left| left.min(whole));
            let Some(part) = buffer.get_mut(..len) else { break };
            self.file.read_at(Bytes(at), part)?;
            for entry in part.chunks_exact(entry_len).filter_map(|bytes| self.form.parse(bytes)) {
                each(number, entry)?;
                number = number.saturating_add(1);
            }
            at = at.saturating_add(wide(len));
            left = left.saturating_sub(wide(len));
        }
        Ok(())
    }

    /// Whether every, or any, entry has a sound range for hash blocks of `block`.
    fn sound(&self, block: HashBlockSize) -> Result<(bool, bool)> {
        let (mut every, mut any) = (true, false);
        self.for_each(&mut |_, entry| {
            let sound = entry.remainder().is_some()
                || entry.range().is_some_and(|range| cut(range, block).next() == Some(range));
            every &= sound;
            any |= sound;
            Ok(())
        })?;
        Ok((every, any))
    }

    /// The size of hash blocks that the entries show.
    ///
    /// The reference wrote 64 KiB in bytes instead of sectors when it updated a signature of
    /// version 1. As sectors that is 32 MiB, which is also a size that it can be told to use.
    fn actual_block(&self, block: HashBlockSize) -> Result<HashBlockSize> {
        if block != HashBlockSize::MAX {
            return Ok(block);
        }
        let (small, _) = self.sound(HashBlockSize::DEFAULT)?;
        Ok(if small { HashBlockSize::DEFAULT } else { block })
    }

    /// Tells a damaged file from one whose entries mean something else.
    ///
    /// The order of the fields of version 3 was never confirmed. If not one entry makes sense,
    /// it is the order that is wrong.
    fn explain(&self, error: Error, block: HashBlockSize) -> Error {
        let unknown = self.form == Form::Wide
            && error.kind == ErrorKind::Corrupt(CorruptKind::SignatureBlock)
            && matches!(self.sound(block), Ok((_, false)));
        if unknown {
            ErrorKind::Incompatible(IncompatibleKind::SignatureForm).into()
        } else {
            error
        }
    }
}
