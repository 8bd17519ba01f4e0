//! Making an image: each block is read once, hashed, and compressed from the same buffer.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use embedded_io::Write;

use super::{Proof, Workers, ordered};
use crate::allocation::DiskMap;
use crate::codec::{Compressor, Level, Piece};
use crate::delta::{Comparison, Judgement, WindowData};
use crate::device::ReadAt;
use crate::digest::{Digest, HashType};
use crate::error::{ErrorKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::{ImageWriter, PIECE_MAX, REGIONS_MAX, Written};
use crate::sector::{SECTOR_BYTES, SectorCount, SectorRange};
use crate::signature::{ChunkNumber, Entry, Signature};

/// What to save.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The disk.
    pub device: &'a dyn ReadAt,
    /// Which of its sectors are in use.
    pub map: &'a DiskMap,
    /// The signature of the image that the result is a delta to; `None` for a full image.
    pub base: Option<&'a Signature>,
    /// How hard to compress.
    pub level: Level,
}

/// How far a save is; read by others while it runs. All in bytes of the disk, but for `written`.
#[derive(Debug, Default)]
pub struct Progress {
    /// Read and compared.
    pub scanned: AtomicU64,
    /// Found changed.
    pub changed: AtomicU64,
    /// Bytes of the image that were handed to the writer.
    pub written: AtomicU64,
}

/// What a save made.
#[derive(Debug)]
pub struct Saved {
    /// What is in the image.
    pub image: Written,
    /// The signature of the saved state: of the base image with the delta applied.
    pub signature: Signature,
    /// What the image must give back.
    pub proof: Proof,
    /// The sectors that were compared.
    pub scanned: SectorCount,
}

/// Writes the image of `source` to `out`: a full one, or the delta to its base.
///
/// Nothing is written when nothing has changed: that is what an empty delta looks like.
///
/// # Errors
/// `Read` if the disk fails, `Write` if `out` does, `TooLarge(Sector32)` if what is imaged has
/// sectors that the format can't express: then nothing was read or written.
pub fn save<W: Write + Send>(
    workers: &dyn Workers,
    source: Source<'_>,
    out: W,
    progress: &Progress,
) -> Result<Saved> {
    if u32::try_from(source.map.sectors().get()).is_err() {
        let end = source.map.area.end();
        return Err(ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(end)));
    }
    let comparison = Comparison::new(&source.map.in_use, source.base);
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(source.level)).collect();
    let mut windows = comparison.windows();
    let mut writer = ImageWriter::new(out);
    let mut proof = Proof::new();
    // Its chunk numbers are those of the image that is written, whose chunks describe all sectors,
    // in the image or not (docs/format.md, "Signature file"); they are known at the end.
    let mut signature = Signature::new(comparison.hash_type(), comparison.block());
    ordered(
        workers,
        slots,
        || Ok(windows.next()),
        |window, slot: &mut Slot| slot.fill(source, &comparison, window),
        |slot| {
            for Made { extents, piece, digest } in slot.made.as_slice() {
                writer.push(extents, piece)?;
                proof.push(extents, *digest);
            }
            for (range, digest) in slot.judgement.digests.iter().copied() {
                signature.push(Entry { range, chunk: ChunkNumber::default(), digest })?;
            }
            progress.scanned.fetch_add(slot.in_use_bytes(), Ordering::Relaxed);
            let changed = slot.judgement.changed.sector_count().to_bytes().get();
            progress.changed.fetch_add(changed, Ordering::Relaxed);
            progress.written.store(writer.bytes_written().get(), Ordering::Relaxed);
            Ok(())
        },
    )?;
    let image = writer.finish(source.map.sectors())?;
    signature.number_chunks(&image.map);
    let scanned = source.map.in_use.sector_count();
    Ok(Saved { image, signature, proof, scanned })
}

/// The buffers of one window and what was made of it.
struct Slot {
    data: WindowData,
    judgement: Judgement,
    gathered: Vec<u8>,
    compressor: Compressor,
    made: Vec<Made>,
}

/// Some changed sectors, compressed.
struct Made {
    extents: Vec<SectorRange>,
    piece: Piece,
    digest: Digest,
}

impl Slot {
    fn new(level: Level) -> Self {
        Self {
            data: WindowData::default(),
            judgement: Judgement::default(),
            gathered: Vec::new(),
            compressor: Compressor::new(level),
            made: Vec::new(),
        }
    }

    fn fill(
        &mut self,
        source: Source<'_>,
        comparison: &Comparison<'_>,
        window: SectorRange,
    ) -> Result<()> {
        let wanted = comparison.to_read(window);
        self.data.read(source.device, source.map.base(), window, &wanted)?;
        comparison.judge(window, &self.data, &mut self.judgement)?;
        self.made.clear();
        for extents in portions(&self.judgement.changed) {
            self.gathered.clear();
            for extent in &extents {
                self.gathered.extend_from_slice(self.data.get(*extent)?);
            }
            let mut piece = Piece::new();
            self.compressor.compress(&self.gathered, &mut piece);
            let digest = HashType::Sha1.digest(&self.gathered);
            self.made.push(Made { extents, piece, digest });
        }
        Ok(())
    }

    fn in_use_bytes(&self) -> u64 {
        let digests = self.judgement.digests.iter();
        let sectors =
            digests.fold(SectorCount::ZERO, |sum, (range, _)| sum.saturating_add(range.len()));
        sectors.to_bytes().get()
    }
}

/// Cuts changed sectors into portions that each fit a piece.
fn portions(changed: &ExtentSet) -> Vec<Vec<SectorRange>> {
    let most = u64::try_from(PIECE_MAX).unwrap_or(u64::MAX).wrapping_div(SECTOR_BYTES);
    let mut portions = Vec::new();
    let mut portion = Vec::new();
    let mut room = most;
    for extent in changed {
        let mut rest = extent;
        while !rest.is_empty() {
            let reach = SectorCount::new(room).unwrap_or_default();
            let (taken, after) = rest.split_at(rest.start().saturating_add(reach));
            portion.push(taken);
            room = room.saturating_sub(taken.len().get());
            rest = after;
            if room == 0 || portion.len() >= REGIONS_MAX {
                portions.push(core::mem::take(&mut portion));
                room = most;
            }
        }
    }
    if !portion.is_empty() {
        portions.push(portion);
    }
    portions
}
