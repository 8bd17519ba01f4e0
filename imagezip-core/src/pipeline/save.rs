//! Making an image: each block is read once, hashed, and compressed from the same buffer.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use embedded_io::Write;

use super::output::Output;
use super::pack::Packer;
use super::portions::{Cutter, Ties};
use super::{Proof, Workers, ordered};
use crate::allocation::DiskMap;
use crate::codec::Level;
use crate::delta::{Comparison, Judgement, NewSignature, WindowData};
use crate::device::ReadAt;
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::{Format, ImageWriter, Reloc, Written};
use crate::sector::{SectorCount, SectorRange};
use crate::signature::Signature;

/// What to save.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The disk.
    pub device: &'a dyn ReadAt,
    /// Which of its sectors are in use.
    pub map: &'a DiskMap,
    /// The signature of the image that the result is a delta to; `None` for a full image.
    pub base: Option<&'a Signature>,
    /// How to make the signature of the saved state; `None` for none. That of a delta is made like
    /// its base's.
    pub signature: Option<NewSignature>,
    /// How hard to compress.
    pub level: Level,
    /// What a reader adjusts when the image goes to another place; those in the same sector in
    /// the order in which they apply. Those that concern sectors that are not saved are left out.
    pub relocs: &'a [Reloc],
    /// The version of the image.
    pub format: Format,
    /// The image's identity, for formats that have one.
    pub id: [u8; 16],
}

impl<'a> Source<'a> {
    /// A full image of `device` as most programs make it: version 3, without relocations, with a
    /// signature. The fields say what else there can be.
    pub fn new(device: &'a dyn ReadAt, map: &'a DiskMap) -> Self {
        Self {
            device,
            map,
            base: None,
            signature: Some(NewSignature::default()),
            level: Level::default(),
            relocs: &[],
            format: Format::default(),
            id: [0; 16],
        }
    }

    /// Tells the device that what is in use of a window will be read soon.
    fn announce(&self, window: SectorRange) {
        let mut in_use = self.map.in_use.within(window);
        let Some(first) = in_use.next() else { return };
        let end = in_use.last().unwrap_or(first).end();
        let place = SectorRange::new(first.start(), end)
            .and_then(|range| range.absolute_from(self.map.base()));
        if let Some(place) = place {
            self.device.will_need(place.start().to_bytes(), place.len().to_bytes().get());
        }
    }
}

/// So many windows before it is read, the device is told about one.
const AHEAD: usize = 8;

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
    /// The signature of the saved state: of the base image with the delta applied. Empty if none
    /// was asked for.
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
    let comparison = Comparison::new(&source.map.in_use, source.base, source.signature);
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(source.level)).collect();
    let mut windows = comparison.windows();
    let mut ahead = comparison.windows();
    ahead.by_ref().take(AHEAD).for_each(|window| source.announce(window));
    let in_use = |reloc: &&Reloc| source.map.in_use.contains(reloc.sectors());
    let mut relocs: Vec<Reloc> = source.relocs.iter().filter(in_use).copied().collect();
    relocs.sort_by_key(|reloc| reloc.sector);
    let ties = Ties::new(&relocs);
    let cutter = Cutter { format: source.format, relocs: &relocs, ties };
    let writer = ImageWriter::new(out, source.format).with_id(source.id);
    let mut output = Output::new(writer, comparison.signature().unwrap_or_default(), source.level);
    ordered(
        workers,
        slots,
        || {
            ahead.next().into_iter().for_each(|window| source.announce(window));
            Ok(windows.next())
        },
        |window, slot: &mut Slot| slot.fill(source, &comparison, &cutter, window),
        |slot| {
            output.push(slot.packer.packed(), &|extent| slot.data.get(extent))?;
            output.sign(&slot.judgement.digests)?;
            let bytes = |sectors: SectorCount| sectors.to_bytes().get();
            progress.scanned.fetch_add(bytes(slot.scanned), Ordering::Relaxed);
            let changed = slot.judgement.changed.sector_count();
            progress.changed.fetch_add(bytes(changed), Ordering::Relaxed);
            progress.written.store(output.bytes_written(), Ordering::Relaxed);
            Ok(())
        },
    )?;
    let (image, signature, proof) = output.finish(source.map.sectors())?;
    let scanned = source.map.in_use.sector_count();
    Ok(Saved { image, signature, proof, scanned })
}

/// The buffers of one window and what was made of it.
struct Slot {
    data: WindowData,
    judgement: Judgement,
    packer: Packer,
    scanned: SectorCount,
}

impl Slot {
    fn new(level: Level) -> Self {
        Self {
            data: WindowData::default(),
            judgement: Judgement::default(),
            packer: Packer::new(level),
            scanned: SectorCount::ZERO,
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
        let in_use = source.map.in_use.within(window);
        self.scanned = in_use.fold(SectorCount::ZERO, |sum, e| sum.saturating_add(e.len()));
        self.judgement.changed = cutter.ties.complete(window, &self.judgement.changed);
        self.packer.pack(&self.judgement.changed, cutter, &|extent| self.data.get(extent))
    }
}

/// The sectors of `share` after those of `window`.
fn beyond(window: SectorRange, share: SectorRange) -> ExtentSet {
    SectorRange::new(window.end(), share.end()).map(ExtentSet::from).unwrap_or_default()
}
