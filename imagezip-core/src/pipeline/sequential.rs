//! Making an image of what can only be read from start to end, such as standard input.

use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use embedded_io::{Read, Write};

use super::output::Output;
use super::pack::Packer;
use super::portions::{Cutter, Ties};
use super::{Progress, Saved, Workers, ordered};
use crate::codec::Level;
use crate::delta::{Comparison, NewSignature};
use crate::digest::Digest;
use crate::error::{ErrorKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::{Format, ImageWriter, Reloc};
use crate::relocation::short_sector;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};
use crate::signature::cut;
use crate::stream::read_full;

/// What is known about an input of unknown length, and what to make of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input {
    /// Whether it is a file, whose length matters to the byte. Otherwise zeros fill the last
    /// sector.
    pub file: bool,
    /// How to make the signature of the image; `None` for none.
    pub signature: Option<NewSignature>,
    /// How hard to compress.
    pub level: Level,
    /// The version of the image.
    pub format: Format,
    /// The image's identity, for formats that have one.
    pub id: [u8; 16],
}

/// What [`save_stream`] made.
#[derive(Debug)]
pub struct Streamed {
    /// The image, as [`save`](super::save) tells about it.
    pub saved: Saved,
    /// The length of the input.
    pub len: Bytes,
}

/// Writes an image of everything that `from` gives to `out`: all sectors up to its end, free or
/// not. It is read once, by one thread at a time; the others compress and hash.
///
/// An input of no bytes makes an image of no bytes. The end of a file that fills no sector is
/// told by a relocation ([`short_sector`]).
///
/// `from` can be made of [`std::io::Read`] with the crate embedded-io-adapters. To read only so
/// much of it, limit it with `take`.
///
/// # Errors
/// `Read` or `Write`. `TooLarge(Sector32)` as soon as the input turns out to be larger than the
/// format allows, `Incompatible(RelocsV1)` if it turns out to need a relocation: then `out` has
/// got data that are of no use.
///
/// [`std::io::Read`]: https://doc.rust-lang.org/std/io/trait.Read.html
pub fn save_stream<R: Read + Send, W: Write + Send>(
    workers: &dyn Workers,
    from: R,
    input: Input,
    out: W,
    progress: &Progress,
) -> Result<Streamed> {
    let everything = ExtentSet::new();
    let window_len = Comparison::new(&everything, None, input.signature).window_len();
    let mut windows = Windows::new(from, window_len);
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::new(input.level)).collect();
    let writer = ImageWriter::new(out, input.format).with_id(input.id);
    let mut output = Output::new(writer, input.signature.unwrap_or_default(), input.level);
    ordered(
        workers,
        slots,
        || windows.next(),
        |window: Window, slot: &mut Slot| slot.fill(input, window),
        |slot| {
            output.push(slot.packer.packed(), &|extent| slot.window.get(extent))?;
            output.sign(&slot.digests)?;
            let len = slot.window.range.len().to_bytes().get();
            progress.scanned.fetch_add(len, Ordering::Relaxed);
            progress.changed.fetch_add(len, Ordering::Relaxed);
            progress.written.store(output.bytes_written(), Ordering::Relaxed);
            Ok(())
        },
    )?;
    let scanned = windows.start.since(Sector::ZERO);
    let (image, signature, proof) = output.finish(scanned)?;
    Ok(Streamed { saved: Saved { image, signature, proof, scanned }, len: windows.len })
}

/// Cuts the input into windows.
struct Windows<R> {
    from: R,
    /// The bytes of a window.
    window: usize,
    /// Where the next window begins.
    start: Sector,
    /// How much was read.
    len: Bytes,
    ended: bool,
}

/// Some of the input, in whole sectors.
struct Window {
    range: SectorRange,
    bytes: Vec<u8>,
    /// How many bytes are the input's, if zeros had to be added.
    unpadded: Option<Bytes>,
}

impl<R: Read> Windows<R> {
    fn new(from: R, window: SectorCount) -> Self {
        let window = usize::try_from(window.to_bytes().get()).unwrap_or(usize::MAX);
        Self { from, window, start: Sector::ZERO, len: Bytes(0), ended: false }
    }

    fn next(&mut self) -> Result<Option<Window>> {
        if self.ended {
            return Ok(None);
        }
        let mut bytes = vec![0; self.window];
        let len = read_full(&mut self.from, &mut bytes)
            .map_err(|error| error.kind.at(Place::Byte(self.len)))?;
        self.ended = len < bytes.len();
        if len == 0 {
            return Ok(None);
        }
        let len = u64::try_from(len).unwrap_or_default();
        let padded = Bytes(len.div_ceil(SECTOR_BYTES).saturating_mul(SECTOR_BYTES));
        bytes.truncate(usize::try_from(padded.get()).unwrap_or(usize::MAX));
        let sectors = padded.whole_sectors();
        let range = SectorRange::with_len(self.start, sectors)
            .ok_or_else(|| ErrorKind::TooLarge(Limit::Sector32).at(Place::Sector(self.start)))?;
        self.start = range.end();
        self.len = Bytes(self.len.get().saturating_add(len));
        let unpadded = (padded != Bytes(len)).then_some(Bytes(len));
        Ok(Some(Window { range, bytes, unpadded }))
    }
}

impl Window {
    const EMPTY: Self = Self { range: SectorRange::EMPTY, bytes: Vec::new(), unpadded: None };

    /// The relocation for the end of a file that fills no sector.
    fn short_sector(&self) -> Option<Reloc> {
        let whole = self.unpadded?.whole_sectors();
        let valid = self.unpadded?.get().saturating_sub(whole.to_bytes().get());
        short_sector(self.range.start().saturating_add(whole), Bytes(valid))
    }

    fn get(&self, range: SectorRange) -> Result<&[u8]> {
        let truncated = || ErrorKind::Truncated.at(Place::Sector(range.start()));
        let place = |sector: Sector| {
            usize::try_from(sector.since(self.range.start()).to_bytes().get()).ok()
        };
        let span = place(range.start()).zip(place(range.end())).ok_or_else(truncated)?;
        self.bytes.get(span.0..span.1).ok_or_else(truncated)
    }
}

/// A window and what was made of it.
struct Slot {
    window: Window,
    digests: Vec<(SectorRange, Digest)>,
    packer: Packer,
}

impl Slot {
    fn new(level: Level) -> Self {
        Self { window: Window::EMPTY, digests: Vec::new(), packer: Packer::new(level) }
    }

    fn fill(&mut self, input: Input, window: Window) -> Result<()> {
        self.window = window;
        let window = &self.window;
        self.digests.clear();
        if let Some(NewSignature { hash_type, block }) = input.signature {
            for piece in cut(window.range, block) {
                self.digests.push((piece, hash_type.digest(window.get(piece)?)));
            }
        }
        let short = window.short_sector().filter(|_| input.file);
        let relocs = short.as_slice();
        let extents = ExtentSet::from(window.range);
        let cutter = Cutter { format: input.format, relocs, ties: Ties::new(relocs) };
        self.packer.pack(&extents, &cutter, &|extent| window.get(extent))
    }
}
