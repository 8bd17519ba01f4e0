//! Cutting what is saved into portions that are compressed by themselves.

use alloc::vec::Vec;

use crate::extent::ExtentSet;
use crate::ndz::{Format, PIECE_MAX, Reloc};
use crate::sector::{Bytes, Sector, SectorCount, SectorRange};

/// Runs of sectors that stay in one chunk, because a relocation concerns several of them.
///
/// No run is longer than [`Ties::LONGEST`], so what damaged relocations tie together may be divided.
pub(super) struct Ties {
    runs: Vec<SectorRange>,
}

impl Ties {
    /// Far longer than LILO's tables, and far shorter than a piece or a window.
    const LONGEST: SectorCount = SectorCount::from_u32(16);

    /// The runs that `relocs` tie, all of whose sectors must be in use: what is not in use has no
    /// window that could save it.
    pub(super) fn new(relocs: &[Reloc]) -> Self {
        let several = |range: &SectorRange| range.len() > SectorCount::from_u32(1);
        let mut ranges: Vec<_> = relocs.iter().map(Reloc::sectors).filter(several).collect();
        ranges.sort_unstable();
        let mut runs: Vec<SectorRange> = Vec::new();
        for range in ranges {
            // Those that only touch are not merged.
            let merged = runs
                .last()
                .filter(|last| range.start() < last.end())
                .and_then(|last| SectorRange::new(last.start(), last.end().max(range.end())));
            match (merged, runs.last_mut()) {
                (Some(merged), Some(last)) if merged.len() <= Self::LONGEST => *last = merged,
                (Some(_), _) => {}
                (None, _) => runs.push(range),
            }
        }
        Self { runs }
    }

    /// The run with sectors on both sides of the bound before `sector`.
    fn across(&self, sector: Sector) -> Option<SectorRange> {
        let at = self.runs.partition_point(|run| run.end() <= sector);
        self.runs.get(at).copied().filter(|run| run.start() < sector)
    }

    /// The sectors that are saved with those of a window: what is tied over a bound between two
    /// windows belongs to the earlier one.
    pub(super) fn share(&self, window: SectorRange) -> SectorRange {
        let moved = |bound| self.across(bound).map_or(bound, SectorRange::end);
        SectorRange::new(moved(window.start()), moved(window.end())).unwrap_or(window)
    }

    /// What of `changed`, which is in `window`, has to be saved with the window: with all that is
    /// tied to it. Nobody knows here what has changed in the next window, so what is tied to that
    /// is always saved.
    pub(super) fn complete(&self, window: SectorRange, changed: &ExtentSet) -> ExtentSet {
        let share = self.share(window);
        let first = self.runs.partition_point(|run| run.start() < share.start());
        let runs = self.runs.get(first..).unwrap_or_default().iter();
        let tied = runs
            .take_while(|run| run.start() < share.end())
            .filter(|run| run.end() > window.end() || changed.within(**run).next().is_some());
        changed.within(share).collect::<ExtentSet>().union(&tied.copied().collect())
    }
}

/// What goes into one piece.
#[derive(Clone, Default)]
pub(super) struct Portion {
    pub(super) extents: Vec<SectorRange>,
    pub(super) relocs: Vec<Reloc>,
    sectors: SectorCount,
}

impl Portion {
    const MOST: SectorCount = Bytes(PIECE_MAX as u64).whole_sectors();

    /// Whether relocations tie sectors of it together, so that it can't be divided anywhere.
    pub(super) fn is_tied(&self) -> bool {
        self.relocs.iter().any(|reloc| reloc.sectors().len() > SectorCount::from_u32(1))
    }

    /// Takes the first `sectors` away, with their relocations.
    pub(super) fn split_off_head(&mut self, sectors: SectorCount) -> Self {
        let mut head = Self::default();
        let mut left = sectors;
        let mut rest = Vec::new();
        for extent in self.extents.drain(..) {
            let (taken, after) = extent.split_at(extent.start().saturating_add(left));
            left =
                SectorCount::new(left.get().saturating_sub(taken.len().get())).unwrap_or_default();
            head.extents.extend(Some(taken).filter(|taken| !taken.is_empty()));
            rest.extend(Some(after).filter(|after| !after.is_empty()));
        }
        self.extents = rest;
        let end = head.extents.last().map_or(Sector::ZERO, |extent| extent.end());
        let first = self.relocs.partition_point(|reloc| reloc.sector < end);
        let after = self.relocs.split_off(first);
        head.relocs = core::mem::replace(&mut self.relocs, after);
        head.sectors = sectors;
        self.sectors =
            SectorCount::new(self.sectors.get().saturating_sub(sectors.get())).unwrap_or_default();
        head
    }
}

/// Cuts sectors into portions that each fit a piece.
pub(super) struct Cutter<'a> {
    pub(super) format: Format,
    /// Ascending by sector.
    pub(super) relocs: &'a [Reloc],
    pub(super) ties: Ties,
}

impl Cutter<'_> {
    /// The portions that `extents` make.
    pub(super) fn portions(&self, extents: &ExtentSet) -> Vec<Portion> {
        let mut portions = Vec::new();
        let mut portion = Portion::default();
        for mut rest in extents {
            while !rest.is_empty() {
                let (taken, after) = rest.split_at(self.reach(&portion, rest));
                if taken.is_empty() {
                    portions.push(core::mem::take(&mut portion));
                    continue;
                }
                portion.relocs.extend(self.relocs_in(taken));
                portion.extents.push(taken);
                portion.sectors = portion.sectors.saturating_add(taken.len());
                rest = after;
            }
        }
        if !portion.extents.is_empty() {
            portions.push(portion);
        }
        portions
    }

    /// How far `extent` can go into `portion`: to its own start if not at all. An empty portion
    /// takes at least one sector.
    fn reach(&self, portion: &Portion, extent: SectorRange) -> Sector {
        let start = extent.start();
        let room = Portion::MOST.get().saturating_sub(portion.sectors.get());
        let room = SectorCount::new(room).unwrap_or_default();
        let (fitting, _) = extent.split_at(start.saturating_add(room));
        let regions = portion.extents.len().saturating_add(1);
        let Some(relocs) = self.format.relocs_beside(regions) else {
            return start;
        };
        let relocs = relocs.saturating_sub(portion.relocs.len());
        let mut end = fitting.end();
        if let Some(first_too_many) = self.relocs_in(fitting).get(relocs) {
            end = first_too_many.sector;
        }
        if end < extent.end()
            && let Some(run) = self.ties.across(end)
        {
            end = run.start().max(start);
        }
        if end == start && portion.extents.is_empty() {
            return start.saturating_add(SectorCount::from_u32(1));
        }
        end
    }

    fn relocs_in(&self, range: SectorRange) -> &[Reloc] {
        let from = self.relocs.partition_point(|reloc| reloc.sector < range.start());
        let to = self.relocs.partition_point(|reloc| reloc.sector < range.end());
        self.relocs.get(from..to).unwrap_or_default()
    }
}
