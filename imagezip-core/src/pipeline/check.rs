//! Comparing a device with a signature.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{BlockReader, WINDOW};
use super::{Workers, ordered};
use crate::device::ReadAt;
use crate::error::Result;
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};
use crate::signature::{Entry, Remainder, Signature};

/// How a part of a device is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds other data.
    Differs,
    /// The device ends before the end of it.
    Missing,
}

/// What a comparison with a signature found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The entries that were compared.
    pub entries: u64,
    /// How many of them differ.
    pub differing: u64,
    /// How many of them are not all on the device.
    pub missing: u64,
}

impl Checked {
    /// Whether the device holds all that the signature was made of.
    pub const fn is_match(&self) -> bool {
        self.differing == 0 && self.missing == 0
    }

    fn count(&mut self, finding: Option<Finding>) {
        self.entries = self.entries.saturating_add(1);
        match finding {
            Some(Finding::Differs) => self.differing = self.differing.saturating_add(1),
            Some(Finding::Missing) => self.missing = self.missing.saturating_add(1),
            None => {}
        }
    }
}

/// Compares the sectors of `device` from `base` on with the entries of `signature`, and gives
/// those that are not as they should be to `each`, in order: their sectors, counted from the start
/// of the image, and what is wrong. The number of bytes compared is added to `done`.
///
/// The bytes after a file's last whole sector count as an entry of one sector.
///
/// # Errors
/// What the device reports, or `each`. That the device is too short is no error.
pub fn check(
    workers: &dyn Workers,
    device: &dyn ReadAt,
    base: Sector,
    signature: &Signature,
    done: &AtomicU64,
    each: &mut (dyn FnMut(SectorRange, Finding) -> Result<()> + Send),
) -> Result<Checked> {
    let slots = (0..workers.count().saturating_mul(2)).map(|_| EntryReader::new()).collect();
    let mut next = 0;
    let mut checked = Checked::default();
    ordered(
        workers,
        slots,
        || {
            let job = next_job(signature, next);
            next = job.end;
            Ok((!job.is_empty()).then_some(job))
        },
        |job, slot: &mut EntryReader| {
            let len = slot.check(device, base, signature, job)?;
            done.fetch_add(len.get(), Ordering::Relaxed);
            Ok(())
        },
        |slot| {
            for (range, finding) in slot.results.drain(..) {
                checked.count(finding);
                finding.map_or(Ok(()), |finding| each(range, finding))?;
            }
            Ok(())
        },
    )?;
    if let Some(remainder) = signature.remainder() {
        let finding = check_remainder(device, base, remainder)?;
        checked.count(finding);
        let range = SectorRange::with_len(remainder.start(), SectorCount::from_u32(1));
        let range = range.unwrap_or(SectorRange::EMPTY);
        finding.map_or(Ok(()), |finding| each(range, finding))?;
    }
    Ok(checked)
}

/// The entries from `first` on that are at most as much as is read at once, or one.
pub(super) fn next_job(signature: &Signature, first: usize) -> Range<usize> {
    let (mut end, mut sectors) = (first, SectorCount::ZERO);
    while let Some(entry) = signature.get(end) {
        sectors = sectors.saturating_add(entry.range.len());
        if end > first && sectors > WINDOW {
            break;
        }
        end = end.saturating_add(1);
    }
    first..end
}

fn check_remainder(
    device: &dyn ReadAt,
    base: Sector,
    remainder: Remainder,
) -> Result<Option<Finding>> {
    let mut bytes = vec![0; usize::from(remainder.bytes())];
    let start = base.checked_add(remainder.start().since(Sector::ZERO)).map(Sector::to_bytes);
    let on_device = |start: &Bytes| {
        start.checked_add(u64::from(remainder.bytes())).is_some_and(|end| end <= device.size())
    };
    let Some(start) = start.filter(on_device) else {
        return Ok(Some(Finding::Missing));
    };
    device.read_at(start, &mut bytes)?;
    let digest = remainder.digest();
    Ok((digest.hash_type().digest(&bytes) != digest).then_some(Finding::Differs))
}

/// Compares entries with a device: the buffers, and what came out.
pub(super) struct EntryReader {
    reader: BlockReader,
    /// The sectors of each entry, and what is wrong with them.
    pub(super) results: Vec<(SectorRange, Option<Finding>)>,
}

impl EntryReader {
    pub(super) fn new() -> Self {
        Self { reader: BlockReader::new(), results: Vec::new() }
    }

    /// Compares the entries of a job with the sectors of `device` from `base` on. Returns how many
    /// bytes were read for that.
    pub(super) fn check(
        &mut self,
        device: &dyn ReadAt,
        base: Sector,
        signature: &Signature,
        job: Range<usize>,
    ) -> Result<Bytes> {
        let entries = || job.clone().filter_map(|index| signature.get(index));
        let there = device.sectors().end();
        let on_device = |range: &SectorRange| {
            range.absolute_from(base).is_some_and(|range| range.end() <= there)
        };
        self.reader.begin(entries().map(|entry| entry.range).filter(on_device).collect());
        self.results.clear();
        for Entry { range, digest, .. } in entries() {
            let finding = if on_device(&range) {
                let found = self.reader.digest(device, base, range, digest.hash_type())?;
                (found != digest).then_some(Finding::Differs)
            } else {
                Some(Finding::Missing)
            };
            self.results.push((range, finding));
        }
        Ok(self.reader.wanted().to_bytes())
    }
}
