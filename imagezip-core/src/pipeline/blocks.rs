//! Digests of a device's hash blocks.

use crate::buffer::PageBuffer;
use crate::device::ReadAt;
use crate::digest::{Digest, HashType, Hasher};
use crate::error::{ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::sector::{Sector, SectorCount, SectorRange};

/// What is read at once, in sectors: 1 MiB.
pub(super) const WINDOW: SectorCount = SectorCount::from_u32(2048);

/// Reads sectors in large parts to digest them in smaller or larger ones, in ascending order.
pub(super) struct BlockReader {
    /// All sectors that will be asked for.
    wanted: ExtentSet,
    /// The sectors that `bytes` holds.
    held: SectorRange,
    bytes: PageBuffer,
}

impl BlockReader {
    pub(super) fn new() -> Self {
        Self { wanted: ExtentSet::new(), held: SectorRange::EMPTY, bytes: PageBuffer::new() }
    }

    /// Begins anew; `wanted` is what will be asked for.
    pub(super) fn begin(&mut self, wanted: ExtentSet) {
        self.wanted = wanted;
        self.held = SectorRange::EMPTY;
    }

    /// The number of sectors that were announced.
    pub(super) fn wanted(&self) -> SectorCount {
        self.wanted.sector_count()
    }

    /// The digest of `range` of an image that begins at sector `base` of `device`.
    ///
    /// # Errors
    /// What the device reports; `Truncated` for sectors that were not announced.
    pub(super) fn digest(
        &mut self,
        device: &dyn ReadAt,
        base: Sector,
        range: SectorRange,
        hash_type: HashType,
    ) -> Result<Digest> {
        let mut hasher = Hasher::new(hash_type);
        let mut rest = range;
        while !rest.is_empty() {
            // Ranges ascend, so what is held never begins too late.
            if self.held.end() <= rest.start() {
                self.read(device, base, rest.start())?;
            }
            let (part, after) = rest.split_at(self.held.end());
            hasher.update(self.bytes_of(part)?);
            rest = after;
        }
        Ok(hasher.finish())
    }

    /// Reads the announced sectors from `at` on, as many as lie together and fit.
    fn read(&mut self, device: &dyn ReadAt, base: Sector, at: Sector) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Sector(at));
        let room = SectorRange::new(at, at.saturating_add(WINDOW)).ok_or_else(truncated)?;
        let held = self.wanted.within(room).next().filter(|held| held.start() == at);
        self.held = held.ok_or_else(truncated)?;
        let start = self.held.absolute_from(base).ok_or_else(truncated)?.start();
        device.read_sectors(start, self.bytes.grown(byte_len(self.held)))
    }

    /// The bytes of sectors that were read.
    fn bytes_of(&self, range: SectorRange) -> Result<&[u8]> {
        let truncated = || ErrorKind::Truncated.at(Place::Sector(range.start()));
        let skipped = SectorRange::new(self.held.start(), range.start()).ok_or_else(truncated)?;
        let rest = self.bytes.get().get(byte_len(skipped)..).ok_or_else(truncated)?;
        rest.get(..byte_len(range)).ok_or_else(truncated)
    }
}

/// The number of bytes in some sectors.
pub(super) fn byte_len(range: SectorRange) -> usize {
    usize::try_from(range.len().to_bytes().get()).unwrap_or(usize::MAX)
}
