//! The content of an attribute, as its runs say.

use alloc::vec::Vec;

use crate::device::ReadAt;
use crate::error::{ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::sector::{Bytes, SectorRange};

use super::attribute::Outside;
use super::boot::Geometry;
use super::runs::{self, Run};

/// Clusters that follow each other, in the content and on the volume.
#[derive(Clone, Copy)]
struct Piece {
    /// The first one, counted from the start of the content.
    at: u64,
    run: Run,
}

/// The most pieces of a stream: 8 MiB of memory. No file that is looked at comes near that.
const MOST: usize = 1 << 18;

/// The content of an attribute that lies in clusters.
pub(super) struct Stream {
    /// One after the other, without gaps.
    pieces: Vec<Piece>,
    /// How many clusters there are so far, holes included.
    clusters: u64,
    /// The length in bytes.
    pub(super) size: u64,
    /// So many bytes were ever written.
    pub(super) initialized: u64,
    /// Whether it is neither compressed nor encrypted nor sparse.
    pub(super) is_plain: bool,
    /// Whether it is neither compressed nor encrypted.
    pub(super) is_as_written: bool,
}

impl Stream {
    /// One with the part that begins with cluster 0; `None` if that is damaged.
    pub(super) fn new(geometry: &Geometry, part: &Outside<'_>) -> Option<Self> {
        let mut stream = Self {
            pieces: Vec::new(),
            clusters: 0,
            size: part.size,
            initialized: part.initialized.min(part.size),
            is_plain: part.is_plain,
            is_as_written: part.is_as_written,
        };
        stream.add(geometry, part)?;
        Some(stream)
    }

    /// Adds the next part; `None` if it is damaged or does not follow.
    pub(super) fn add(&mut self, geometry: &Geometry, part: &Outside<'_>) -> Option<()> {
        if part.first != self.clusters {
            return None;
        }
        let (pieces, mut at) = (&mut self.pieces, self.clusters);
        let total = runs::decode(part.runs, geometry.clusters, &mut |run| {
            pieces.push(Piece { at, run });
            at = at.saturating_add(run.clusters);
        });
        self.clusters = self.clusters.checked_add(part.clusters)?;
        (total? == part.clusters && self.pieces.len() <= MOST).then_some(())
    }

    /// Whether the parts are all there is, and no cluster is there twice.
    pub(super) fn is_whole(&self, geometry: &Geometry) -> bool {
        let enough = geometry.bytes(self.clusters).is_some_and(|bytes| self.size <= bytes);
        let ranges: Vec<SectorRange> = self.ranges(geometry).collect();
        let sum = ranges.iter().fold(0, |sum: u64, range| sum.saturating_add(range.len().get()));
        enough && ExtentSet::from_unsorted(ranges).sector_count().get() == sum
    }

    /// The sectors that it has, in the order of the content.
    pub(super) fn ranges(&self, geometry: &Geometry) -> impl Iterator<Item = SectorRange> {
        let sectors = |run: Run| geometry.sectors(&run.range()?);
        self.pieces.iter().filter_map(move |piece| sectors(piece.run))
    }

    /// Fills `buf` with the content from byte `at` on. Holes read as zeros, and so does what was
    /// never written; what lies behind the last cluster is `Truncated`.
    ///
    /// # Errors
    /// `Read` if the device fails.
    pub(super) fn read_at(
        &self,
        device: &dyn ReadAt,
        geometry: &Geometry,
        at: u64,
        buf: &mut [u8],
    ) -> Result<()> {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let (cluster, offset) = geometry.locate(at);
            let (place, len) =
                self.extent(geometry, cluster, offset).ok_or(ErrorKind::Truncated)?;
            let part = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut_checked(part).ok_or(ErrorKind::Truncated)?;
            match place {
                Some(place) => device.read_at(place, now)?,
                None => now.fill(0),
            }
            at = at.saturating_add(u64::try_from(part).unwrap_or(u64::MAX));
            rest = later;
        }
        Ok(())
    }

    /// Where byte `offset` of a cluster lies, `None` in a hole, and how many bytes follow on there.
    fn extent(
        &self,
        geometry: &Geometry,
        cluster: u64,
        offset: u64,
    ) -> Option<(Option<Bytes>, u64)> {
        let after = self.pieces.partition_point(|piece| piece.at <= cluster);
        let Piece { at, run } = self.pieces.get(after.checked_sub(1)?)?;
        let skipped = cluster.checked_sub(*at)?;
        let left = run.clusters.checked_sub(skipped).filter(|left| *left > 0)?;
        let len = geometry.bytes(left)?.checked_sub(offset)?;
        let place = match run.first {
            None => None,
            Some(first) => {
                let start = geometry.bytes(first.checked_add(skipped)?)?;
                Some(Bytes(start.checked_add(offset)?))
            }
        };
        Some((place, len))
    }
}
