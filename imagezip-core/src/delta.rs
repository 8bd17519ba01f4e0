//! Which sectors a delta has to hold: those in use that the base image doesn't hold as they are.
//!
//! The rule (docs/format.md, "Delta"): the base image's signature is compared entry by entry with
//! the disk. An entry's sectors are hashed whole, those that are free now included. If the digest
//! is the same, base already has them. Sectors in use that no unchanged entry covers go into the
//! delta.

use alloc::vec::Vec;
use core::ops::Range;

use crate::buffer::PageBuffer;
use crate::device::ReadAt;
use crate::digest::{BlockDigester, Digest, HashType};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::sector::{SECTOR_BYTES, Sector, SectorCount, SectorRange};
use crate::signature::{HashBlockSize, Signature, cut};

/// The least that is read and compared at once, in sectors: 1 MiB.
const LEAST_WINDOW: SectorCount = SectorCount::from_u32(2048);

/// A disk's sectors in use beside the signature of the base image; all counted from the start of
/// the image.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    in_use: &'a ExtentSet,
    base: Option<&'a Signature>,
    signature: Option<NewSignature>,
    /// Makes the digests that are compared with those of the base.
    old: BlockDigester,
    /// Makes those of the result.
    new: BlockDigester,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewSignature {
    /// The type of digest.
    pub hash_type: HashType,
    /// The size of hash blocks.
    pub block: HashBlockSize,
}

impl NewSignature {
    /// As the signature of a base image was made, so that the next delta can be compared, too; but
    /// with SHA-1 in place of SHA-256, which can be read and not written (docs/format.md,
    /// "Signature file").
    pub fn like(base: &Signature) -> Self {
        let hash_type = match base.hash_type() {
            HashType::Sha256 => HashType::Sha1,
            hash_type => hash_type,
        };
        Self { hash_type, block: base.block() }
    }
}

/// Sectors of one window of the disk in memory.
#[derive(Clone, Debug, Default)]
pub struct WindowData {
    start: Sector,
    present: ExtentSet,
    /// From `start` on; what is not `present` is left over from earlier windows.
    bytes: PageBuffer,
}

/// What came out for one window.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The sectors that belong in the delta.
    pub changed: ExtentSet,
    /// The digests of all sectors in use, cut at hash blocks: entries of the signature of the
    /// result, if one is made.
    pub digests: Vec<(SectorRange, Digest)>,
}

impl<'a> Comparison<'a> {
    /// Compares with a base image's signature, or, without one, takes everything for changed. The
    /// `signature` of the result, if there shall be one, is made like the base's if there is one.
    pub fn new(
        in_use: &'a ExtentSet,
        base: Option<&'a Signature>,
        signature: Option<NewSignature>,
    ) -> Self {
        let signature = signature.map(|own| base.map_or(own, NewSignature::like));
        let new = signature.unwrap_or_default();
        let like = base
            .map_or(new, |base| NewSignature { hash_type: base.hash_type(), block: base.block() });
        let digester = |NewSignature { hash_type, block }| {
            let bytes = SectorCount::from_u32(block.sectors()).to_bytes().get();
            BlockDigester::new(hash_type, usize::try_from(bytes).unwrap_or(usize::MAX))
        };
        Self { in_use, base, signature, old: digester(like), new: digester(new) }
    }

    /// How the signature of the result is made, if there shall be one.
    pub const fn signature(&self) -> Option<NewSignature> {
        self.signature
    }

    /// The hash block by which is compared and digested.
    fn block(&self) -> HashBlockSize {
        let own = self.signature.unwrap_or_default();
        self.base.map_or(own.block, Signature::block)
    }

    /// How many sectors a window has: whole hash blocks.
    pub fn window_len(&self) -> SectorCount {
        let block = u64::from(self.block().sectors());
        let blocks = LEAST_WINDOW.get().div_ceil(block);
        SectorCount::new(blocks.saturating_mul(block)).unwrap_or(LEAST_WINDOW)
    }

    /// The windows that have any sector in use, in order.
    pub fn windows(&self) -> impl Iterator<Item = SectorRange> + Send + use<'a> {
        let len = self.window_len();
        let mut after = Sector::ZERO;
        let mut extents = self.in_use.as_slice().iter().copied().peekable();
        core::iter::from_fn(move || {
            let at = loop {
                let extent = extents.peek()?;
                if extent.end() > after {
                    break extent.start().max(after);
                }
                extents.next();
            };
            let number = at.get().checked_div(len.get())?;
            let start = Sector::new(number.checked_mul(len.get())?)?;
            let window = SectorRange::with_len(start, len)
                .or_else(|| SectorRange::new(start, Sector::MAX))?;
            after = window.end();
            Some(window)
        })
    }

    /// The sectors of a window that have to be read: those in use, and the rest of the base's
    /// entries that they touch.
    pub fn to_read(&self, window: SectorRange) -> ExtentSet {
        let in_use: ExtentSet = self.in_use.within(window).collect();
        let Some(base) = self.base else {
            return in_use;
        };
        let touched = base
            .entries_in(window)
            .map(|entry| entry.range)
            .filter(|range| self.in_use.within(*range).next().is_some());
        in_use.union(&touched.collect())
    }

    /// Decides about every hash block of a window, whose `data` holds what
    /// [`Comparison::to_read`] asks for.
    ///
    /// # Errors
    /// `Truncated` if `data` holds less.
    pub fn judge(&self, window: SectorRange, data: &WindowData, out: &mut Judgement) -> Result<()> {
        out.changed = ExtentSet::new();
        out.digests.clear();
        cut(window, self.block()).try_for_each(|block| self.judge_block(block, data, out))
    }

    fn judge_block(
        &self,
        block: SectorRange,
        data: &WindowData,
        out: &mut Judgement,
    ) -> Result<()> {
        let digest_of =
            |range, digester: BlockDigester| data.get(range).map(|bytes| digester.digest(bytes));
        let mut unchanged = ExtentSet::new();
        // Nearly always a block is one entry and all of it is in use: then it is hashed once.
        let mut last = None;
        for entry in self.base.into_iter().flat_map(|base| base.entries_in(block)) {
            if self.in_use.within(entry.range).next().is_none() {
                continue;
            }
            let digest = digest_of(entry.range, self.old)?;
            if digest == entry.digest {
                unchanged.push(entry.range);
            }
            last = Some((entry.range, digest));
        }
        for piece in self.in_use.within(block) {
            out.changed.extend(&unchanged.complement(piece));
            if self.signature.is_none() {
                continue;
            }
            let digest = match last {
                Some((range, digest))
                    if range == piece && self.old.hash_type() == self.new.hash_type() =>
                {
                    digest
                }
                _ => digest_of(piece, self.new)?,
            };
            out.digests.push((piece, digest));
        }
        Ok(())
    }
}

impl WindowData {
    /// Replaces what is there with the sectors `wanted` of `window`, read from `device`, on which
    /// the image begins at `base`.
    ///
    /// # Errors
    /// What the device reports.
    pub fn read(
        &mut self,
        device: &dyn ReadAt,
        base: Sector,
        window: SectorRange,
        wanted: &ExtentSet,
    ) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Sector(window.start()));
        self.start = window.start();
        self.present.clone_from(wanted);
        let len = bytes_between(window.start(), wanted.end().unwrap_or(window.start()));
        self.bytes.grown(len);
        let mut read = |range: SectorRange| {
            let at = range.absolute_from(base).ok_or_else(truncated)?.start();
            let span = bytes_between(window.start(), range.start())
                ..bytes_between(window.start(), range.end());
            device.read_sectors(at, self.bytes.get_mut().get_mut(span).ok_or_else(truncated)?)
        };
        let gap = device.gap().whole_sectors();
        for ranges in wanted.as_slice().chunk_by(|a, b| b.start().since(a.end()) <= gap) {
            let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else { continue };
            let whole = SectorRange::new(first.start(), last.end()).ok_or_else(truncated)?;
            match read(whole) {
                // What can't be read may be in a gap.
                Err(Error { kind: ErrorKind::Read(_), .. }) if ranges.len() > 1 => {
                    ranges.iter().copied().try_for_each(&mut read)?;
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// The bytes of `range`.
    ///
    /// # Errors
    /// `Truncated` if they were not all read.
    pub fn get(&self, range: SectorRange) -> Result<&[u8]> {
        let bytes = self.present.contains(range).then(|| self.bytes.get().get(self.span(range)));
        bytes.flatten().ok_or_else(|| ErrorKind::Truncated.at(Place::Sector(range.start())))
    }

    fn span(&self, range: SectorRange) -> Range<usize> {
        bytes_between(self.start, range.start())..bytes_between(self.start, range.end())
    }
}

fn bytes_between(start: Sector, end: Sector) -> usize {
    usize::try_from(end.since(start).get().saturating_mul(SECTOR_BYTES)).unwrap_or(usize::MAX)
}
