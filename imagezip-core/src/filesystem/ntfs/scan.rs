//! What the records of the MFT say is in use.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Limit, Result};
use crate::extent::ExtentSet;
use crate::sector::SectorRange;

use super::attribute::kind;
use super::mft::Mft;
use super::paging::Unneeded;
use super::record::{MAGIC, Record, damaged};
use super::runs;

/// So much of the MFT is read at once, if its records are not larger.
const PIECE: usize = 256 << 10;

/// So many ranges are collected before they are sorted, and after that may be left.
const MOST: usize = 1 << 20;

/// The sectors in `free` that records of the MFT have, of all records in use up to number `end`, and those that page files
/// don't need, but other files have. There are none on a volume that was left as it should be.
///
/// # Errors
/// `Corrupt` if a record is damaged, for it may have any, `Read` if the device fails.
pub(super) fn claimed(
    mft: &Mft<'_>,
    end: u64,
    free: &ExtentSet,
    unneeded: &Unneeded,
) -> Result<ExtentSet> {
    let size = mft.geometry.record_size;
    let per_piece = PIECE.checked_div(size).unwrap_or_default().max(1);
    let end = end.min(mft.records());
    let mut piece = vec![0; per_piece.saturating_mul(size)];
    let mut claims = Claims { free, unneeded, ranges: Vec::new() };
    let mut number = 0_u64;
    while number < end {
        let left = usize::try_from(end.saturating_sub(number)).unwrap_or(usize::MAX).min(per_piece);
        piece.truncate(left.saturating_mul(size));
        let at = number.saturating_mul(u64::try_from(size).unwrap_or(u64::MAX));
        mft.data.read_at(mft.device, &mft.geometry, at, &mut piece)?;
        for bytes in piece.chunks_exact_mut(size) {
            claims.record(mft, bytes, number)?;
            number = number.saturating_add(1);
        }
    }
    Ok(ExtentSet::from_unsorted(claims.ranges))
}

struct Claims<'a> {
    free: &'a ExtentSet,
    unneeded: &'a Unneeded,
    ranges: Vec<SectorRange>,
}

impl Claims<'_> {
    #[inline(never)]
    fn record(&mut self, mft: &Mft<'_>, bytes: &mut [u8], number: u64) -> Result<()> {
        // Those that were never used may hold zeros, and what is not in use may hold anything.
        if bytes.starts_with(&[0; 4]) || bytes.starts_with(&MAGIC) && !Record::is_in_use(bytes) {
            return Ok(());
        }
        let record = Record::new(bytes, number).ok_or_else(|| damaged(number))?;
        let is_paging = self.unneeded.files.iter().any(|file| record.belongs_to(*file));
        let mut attributes = record.attributes();
        while let Some(attribute) = attributes.next().ok_or_else(|| record.damaged())? {
            if let Some(part) = attribute.outside() {
                let is_own = is_paging && attribute.is(kind::DATA, &[]);
                self.runs(mft, part.runs, is_own)?.ok_or_else(|| record.damaged())?;
            }
        }
        Ok(())
    }

    /// `None` if the list is damaged.
    fn runs(&mut self, mft: &Mft<'_>, list: &[u8], is_own: bool) -> Result<Option<u64>> {
        let mut outcome = Ok(());
        let total = runs::decode(list, mft.geometry.clusters, &mut |run| {
            let sectors = run.range().and_then(|clusters| mft.geometry.sectors(&clusters));
            if let Some(range) = sectors.filter(|_| outcome.is_ok()) {
                self.ranges.extend(self.free.within(range));
                if !is_own {
                    self.ranges.extend(self.unneeded.sectors.within(range));
                }
                outcome = self.compact();
            }
        });
        outcome.map(|()| total)
    }

    /// Sorts what was collected when it is much, so that no range is there twice.
    fn compact(&mut self) -> Result<()> {
        if self.ranges.len() < MOST {
            return Ok(());
        }
        let set = ExtentSet::from_unsorted(core::mem::take(&mut self.ranges));
        if set.extent_count() > MOST / 2 {
            return Err(Error::from(ErrorKind::TooLarge(Limit::Memory)));
        }
        self.ranges.extend(&set);
        Ok(())
    }
}
