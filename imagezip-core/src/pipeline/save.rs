//! Making an image: each block is read once, hashed, and compressed from the same buffer.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use embedded_io::Write;

use super::portions::{Cutter, Portion, Ties};
use super::{Proof, Workers, ordered};
use crate::allocation::DiskMap;
use crate::codec::{Compressor, Level, Piece};
use crate::delta::{Comparison, Judgement, WindowData};
use crate::device::ReadAt;
use crate::digest::{Digest, HashType};
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::{Format, ImageWriter, Reloc, Written};
use crate::sector::{SectorCount, SectorRange};
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
    /// What a reader adjusts when the image goes to another place, ascending by sector of the
    /// image. Those of sectors that are not saved are left out.
    pub relocs: &'a [Reloc],
    /// The version of the image.
    pub format: Format,
    /// The image's identity, for formats that have one.
    pub id: [u8; 16],
}

impl<'a> Source<'a> {
    /// A full image of `device` as most programs make it: version 3, no relocations. Its fields
    /// say what else there can be.
    pub fn new(device: &'a dyn ReadAt, map: &'a DiskMap) -> Self {
        let (level, format) = (Level::default(), Format::default());
        Self { device, map, base: None, level, relocs: &[], format, id: [0; 16] }
    }
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
/// `TooLarge(Sector32)` if what is imaged has sectors that the format can't express, and
/// `Incompatible(RelocsV1)` if it can't have relocations: then nothing was read or written.
/// `Read` if the disk fails, `Write` if `out` does.
pub fn save<W: Write + Send>(
    workers: &dyn Workers,
    source: Source<'_>,
    out: W,
    progress: &Progress,
) -> Result<Saved> {
    source.format.check_size(source.map.sectors())?;
    source.format.check_relocs(source.relocs)?;
    let comparison = Comparison::new(&source.map.in_use, source.base);
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(source.level)).collect();
    let mut windows = comparison.windows();
    let ties = Ties::new(source.relocs, &source.map.in_use);
    let cutter = Cutter { format: source.format, relocs: source.relocs, ties };
    let mut writer = ImageWriter::new(out, source.format).with_id(source.id);
    let mut proof = Proof::new();
    // Its chunk numbers are those of the image that is written, whose chunks describe all sectors,
    // in the image or not (docs/format.md, "Signature file"); they are known at the end.
    let mut signature = Signature::new(comparison.hash_type(), comparison.block());
    ordered(
        workers,
        slots,
        || Ok(windows.next()),
        |window, slot: &mut Slot| slot.fill(source, &comparison, &cutter, window),
        |slot| {
            for Made { portion, piece, digest } in slot.made.as_slice() {
                writer.push(&portion.extents, &portion.relocs, piece)?;
                proof.push(&portion.extents, *digest);
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
    portion: Portion,
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
        cutter: &Cutter<'_>,
        window: SectorRange,
    ) -> Result<()> {
        // What is tied over the window's end is read again with the next window, to be compared.
        let share = cutter.ties.share(window);
        let wanted = comparison.to_read(window).union(&beyond(window, share));
        self.data.read(source.device, source.map.base(), window, &wanted)?;
        comparison.judge(window, &self.data, &mut self.judgement)?;
        self.judgement.changed = cutter.ties.complete(window, &self.judgement.changed);
        self.made.clear();
        for portion in cutter.portions(&self.judgement.changed) {
            self.gathered.clear();
            for extent in &portion.extents {
                self.gathered.extend_from_slice(self.data.get(*extent)?);
            }
            let mut piece = Piece::new();
            self.compressor.compress(&self.gathered, &mut piece);
            let digest = HashType::Sha1.digest(&self.gathered);
            self.made.push(Made { portion, piece, digest });
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

/// The sectors of `share` after those of `window`.
fn beyond(window: SectorRange, share: SectorRange) -> ExtentSet {
    SectorRange::new(window.end(), share.end()).map(ExtentSet::from).unwrap_or_default()
}
