//! Writing signature files.

use embedded_io::Write;

use super::Signature;
use super::form::classic_entry;
use super::header::{Version, header_bytes};
use crate::error::{ErrorKind, Limit, Place, Result};
use crate::sector::{SectorCount, SectorRange};
use crate::stream::write_all;

impl Signature {
    /// Whether the signature can be written in that version.
    ///
    /// # Errors
    /// As [`Version::check`]; `Count32` for more entries than the format can count.
    pub fn check_writable(&self, version: Version) -> Result<()> {
        let remainder = self.remainder.map(super::Remainder::start);
        let last = remainder.or_else(|| self.spans.last().map(|span| span.range().start()));
        // A signature's last entry may go beyond 32 bits if it begins before.
        let sectors = last.map_or(SectorCount::ZERO, |last| {
            SectorRange::with_len(last, SectorCount::from_u32(1))
                .map_or(SectorCount::ZERO, |last| last.end().since(crate::sector::Sector::ZERO))
        });
        version.check(self.hash_type, self.block, sectors)?;
        self.count().map(|_| ())
    }

    /// The number of entries in a file.
    fn count(&self) -> Result<u32> {
        let remainder = usize::from(self.remainder.is_some());
        let count = u32::try_from(self.len().saturating_add(remainder));
        count.map_err(|_| ErrorKind::TooLarge(Limit::Count32).into())
    }

    /// Writes a signature file of version 2.
    ///
    /// # Errors
    /// As [`Signature::write_as`].
    pub fn write<W: Write + ?Sized>(&self, to: &mut W) -> Result<()> {
        self.write_as(Version::V2, to)
    }

    /// Writes a signature file.
    ///
    /// # Errors
    /// As [`Signature::check_writable`], then nothing is written; `Write`.
    pub fn write_as<W: Write + ?Sized>(&self, version: Version, to: &mut W) -> Result<()> {
        self.check_writable(version)?;
        let count = self.count()?;
        write_all(to, &header_bytes(version, self.hash_type, self.block, count))?;
        let entries = self.iter().map(|entry| {
            (entry.range.start(), entry.range.len().get(), entry.chunk.to_file(), entry.digest)
        });
        let remainder =
            self.remainder.map(|rest| (rest.start(), 0, u32::from(rest.bytes()), rest.digest()));
        // Writers may be unbuffered, so entries go out in larger parts.
        let mut part = heapless::Vec::<u8, 4096>::new();
        for (start, size, chunk, digest) in entries.chain(remainder) {
            let bytes = classic_entry(start, size, chunk, digest.as_bytes())
                .ok_or_else(|| ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(start)))?;
            if part.extend_from_slice(&bytes).is_err() {
                write_all(to, &part)?;
                part.clear();
                part.extend_from_slice(&bytes).map_err(|_| ErrorKind::TooLarge(Limit::Memory))?;
            }
        }
        write_all(to, &part)
    }
}
