//! What becomes of the sectors that an image describes but doesn't hold
//! (docs/format.md, "Tiling").

use alloc::vec;
use alloc::vec::Vec;

use super::{LoadProgress, Target};
use crate::device::{WriteAt, write_repeated};
use crate::error::Result;
use crate::ndz::ChunkHeader;
use crate::relocation::Placement;
use crate::sector::{Bytes, Sector, SectorRange};

/// What becomes of free sectors. In a delta, sectors that didn't change count as free, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// They stay as they are.
    Keep,
    /// They become zeros.
    Zero,
    /// They are filled with this number, the low byte first.
    Pattern(u32),
    /// The device is told that nobody needs them.
    Discard,
}

/// What a stream has in place of free sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    /// Zeros.
    Zero,
    /// This number, again and again, the low byte first.
    Pattern(u32),
    /// Nothing: the data of the image follow one another.
    Omit,
}

/// The length of a block of filling.
const BLOCK: usize = 64 * 1024;

/// A device is never asked for more at once, so that progress can be seen. Calls begin at
/// multiples of it, so that a device that works in large units is not made to leave any out.
const STEP: u64 = 1 << 30;

/// A block of filling: the number again and again.
pub(super) fn block_of(pattern: u32) -> Vec<u8> {
    pattern.to_le_bytes().into_iter().cycle().take(BLOCK).collect()
}

/// Fills the free sectors of a target.
pub(super) struct Filler<'a> {
    device: &'a dyn WriteAt,
    place: Placement,
    fill: Fill,
    limit: Option<Bytes>,
    rest: Option<Bytes>,
    block: Vec<u8>,
    progress: &'a LoadProgress,
}

impl<'a> Filler<'a> {
    pub(super) fn new(target: &Target<'a>, progress: &'a LoadProgress) -> Self {
        let block = match target.fill {
            Fill::Pattern(pattern) => block_of(pattern),
            Fill::Keep | Fill::Zero | Fill::Discard => vec![],
        };
        Self {
            device: target.device,
            place: target.place,
            fill: target.fill,
            limit: target.end().map(Sector::to_bytes),
            rest: target.fill_to,
            block,
            progress,
        }
    }

    /// Fills what a chunk describes but doesn't hold.
    pub(super) fn fill_gaps(&self, header: &ChunkHeader<'_>) -> Result<()> {
        let covered = header.covered();
        let mut at = covered.start();
        for region in header.regions() {
            self.fill_sectors(at, region.start())?;
            at = region.end();
        }
        self.fill_sectors(at, covered.end())
    }

    /// Fills from the end of the image up to where the target says.
    pub(super) fn fill_rest(&self, from: Bytes) -> Result<()> {
        match self.rest {
            Some(to) if self.fill != Fill::Keep => self.fill(from, to),
            _ => Ok(()),
        }
    }

    fn fill_sectors(&self, from: Sector, to: Sector) -> Result<()> {
        let range =
            SectorRange::new(from, to).and_then(|range| range.absolute_from(self.place.start));
        range.map_or(Ok(()), |range| self.fill(range.start().to_bytes(), range.end().to_bytes()))
    }

    fn fill(&self, from: Bytes, to: Bytes) -> Result<()> {
        let to = self.limit.map_or(to, |limit| to.min(limit)).get();
        let mut at = from.get();
        while at < to {
            let next =
                at.saturating_add(1).checked_next_multiple_of(STEP).map_or(to, |n| n.min(to));
            self.fill_step(Bytes(at), next.saturating_sub(at))?;
            at = next;
        }
        Ok(())
    }

    fn fill_step(&self, at: Bytes, len: u64) -> Result<()> {
        let progress = self.progress;
        match self.fill {
            Fill::Keep => LoadProgress::add(&progress.skipped, len),
            Fill::Zero => {
                self.device.zero(at, len)?;
                LoadProgress::add(&progress.filled, len);
            }
            Fill::Pattern(_) => {
                write_repeated(self.device, at, len, &self.block)?;
                LoadProgress::add(&progress.filled, len);
            }
            Fill::Discard => {
                let gone = self.device.discard(at, len)?.min(len);
                LoadProgress::add(&progress.discarded, gone);
                LoadProgress::add(&progress.skipped, len.saturating_sub(gone));
            }
        }
        Ok(())
    }
}
