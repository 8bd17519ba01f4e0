//! Images that users may have written, read with a limit to time and memory.

use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use imagezip_core::codec::Decompressor;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{Error, ErrorKind, Place, Result};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{ChunkBuffer, Image};
use imagezip_core::sector::{Bytes, Sector, SectorCount, SectorRange};

use crate::files::FileReader;

/// The most extents that are taken into memory: 16 bytes each. A disk of 4 TB of which every hash
/// block is by itself has more; nobody can see them on a map.
pub(super) const MAX_EXTENTS: usize = 4 << 20;

/// When somebody stops waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(time).unwrap_or(now))
    }

    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.0
    }

    pub(super) fn check(self) -> anyhow::Result<()> {
        ensure!(!self.is_over(), "it takes too long to read; is the file server slow?");
        Ok(())
    }
}

/// An image's file and what its headers say.
pub(super) struct Held<'a> {
    image: Image<'a, FileReader<'a>>,
    /// The sectors that it holds.
    pub(super) extents: ExtentSet,
    /// The sectors with relocations, which no signature tells of.
    pub(super) relocated: ExtentSet,
    /// The end of the last region of each chunk.
    ends: Vec<Sector>,
    /// The size of what it was made of, if it says that.
    size: Option<SectorCount>,
}

impl<'a> Held<'a> {
    /// Reads the headers.
    pub(super) fn read(file: &'a FileReader<'a>, deadline: Deadline) -> anyhow::Result<Self> {
        let image = Image::open(file).context("it is no image")?;
        let (mut extents, mut ends, mut size) = (ExtentSet::new(), Vec::new(), None);
        let mut relocated = Vec::new();
        let mut headers = image.each_header();
        while let Some(header) = headers.next_header().context("the image is damaged")? {
            extents.extend(header.regions());
            ends.push(extents.end().unwrap_or_default());
            let end = header.covered().end().since(Sector::ZERO);
            size = header.version().has_bounds().then_some(end);
            relocated.extend(header.relocs().map(|reloc| reloc.sectors()));
            if extents.extent_count().max(relocated.len()) > MAX_EXTENTS {
                bail!("it is in more than {MAX_EXTENTS} pieces, which no map can show");
            }
            deadline.check()?;
        }
        Ok(Self { image, extents, relocated: ExtentSet::from_unsorted(relocated), ends, size })
    }

    /// The size of what the image was made of, or the end of what it holds if that is further on.
    fn size(&self) -> SectorCount {
        let end = self.extents.end().unwrap_or_default().since(Sector::ZERO);
        self.size.unwrap_or_default().max(end)
    }

    /// Copies what the image holds of `range` to its place in a buffer that begins there.
    fn copy(&self, range: SectorRange, buf: &mut [u8], deadline: Deadline) -> Result<()> {
        let mut at = range.start();
        let mut buffer = ChunkBuffer::new();
        while let Some(held) = rest(range, at).and_then(|rest| self.extents.within(rest).next()) {
            let chunk = self.ends.partition_point(|end| *end <= held.start());
            let number = u32::try_from(chunk).unwrap_or(u32::MAX);
            // What one chunk holds may go on behind an extent; all of it is taken now.
            let end = self.ends.get(chunk).copied().unwrap_or(range.end());
            let chunk = self.image.chunk(number, &mut buffer)?;
            let mut is_done = false;
            let decoded = chunk.decode(&mut Decompressor::new(), &mut |start, data| {
                if deadline.is_over() || start >= range.end() {
                    is_done = start >= range.end();
                    return Err(ErrorKind::Read(0).into());
                }
                put(range, buf, start, data);
                Ok(())
            });
            decoded.or_else(|error| if is_done { Ok(()) } else { Err(error) })?;
            // A chunk always ends behind a sector that it holds.
            at = end.max(held.start().saturating_add(SectorCount::from_u32(1)));
        }
        Ok(())
    }
}

/// The part of a range from `at` on, if there is one.
fn rest(range: SectorRange, at: Sector) -> Option<SectorRange> {
    SectorRange::new(at, range.end()).filter(|rest| !rest.is_empty())
}

/// Puts the part of `data` that lies in `range` where it belongs.
fn put(range: SectorRange, buf: &mut [u8], start: Sector, data: &[u8]) {
    let len = u64::try_from(data.len()).unwrap_or_default();
    let Some(whole) = SectorRange::with_len(start, Bytes(len).whole_sectors()) else { return };
    let Some(common) = whole.intersection(range) else { return };
    let index = |from: Sector| {
        let bytes = common.start().since(from).to_bytes().get();
        usize::try_from(bytes).unwrap_or(usize::MAX)
    };
    let len = usize::try_from(common.len().to_bytes().get()).unwrap_or_default();
    let from = data.get(index(start)..).and_then(|data| data.get(..len));
    let to = buf.get_mut(index(range.start())..).and_then(|buf| buf.get_mut(..len));
    if let (Some(from), Some(to)) = (from, to) {
        to.copy_from_slice(from);
    }
}

/// Images on top of each other as a device of which little is read. `Layers` of the core is for
/// those who read all of it, and takes as much memory as the images' headers ask for.
pub(super) struct Stack<'a> {
    /// The base image first.
    pub(super) images: Vec<&'a Held<'a>>,
    /// At least so large is the disk.
    pub(super) least: SectorCount,
    pub(super) deadline: Deadline,
}

impl Stack<'_> {
    /// How large the device is: as the topmost image with a size says.
    pub(super) fn end(&self) -> SectorCount {
        let mut size = self.least;
        for image in self.images.iter().rev() {
            size = size.max(image.size());
            if image.size.is_some() {
                break;
            }
        }
        size
    }
}

impl ReadAt for Stack<'_> {
    fn size(&self) -> Bytes {
        self.end().to_bytes()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let truncated = || Error::from(ErrorKind::Truncated);
        let len = u64::try_from(buf.len()).map_err(|_| truncated())?;
        let end = offset.checked_add(len).filter(|end| *end <= self.size());
        let end = end.ok_or_else(truncated)?;
        let sector = |bytes: Bytes| SectorRange::first(bytes.whole_sectors()).end();
        let rounded = end.checked_add(511).unwrap_or(end);
        let touched = SectorRange::new(sector(offset), sector(rounded)).ok_or_else(truncated)?;
        let room = usize::try_from(touched.len().to_bytes().get()).map_err(|_| truncated())?;
        let mut sectors = vec![0; room];
        for (number, image) in (0_u32..).zip(&self.images) {
            image.copy(touched, &mut sectors, self.deadline).map_err(|error| {
                let chunk = if let Place::Chunk(chunk) = error.place { chunk } else { 0 };
                error.kind.at(Place::Layer { layer: number, chunk })
            })?;
        }
        let skip = offset.get().saturating_sub(touched.start().to_bytes().get());
        let skip = usize::try_from(skip).map_err(|_| truncated())?;
        let part = sectors.get(skip..).and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(part.ok_or_else(truncated)?);
        Ok(())
    }
}

/// The sectors that a signature tells of, if it isn't longer than `limit` bytes.
pub(super) fn signed(file: &File, limit: u64) -> anyhow::Result<ExtentSet> {
    let reader = FileReader::new(file)?;
    ensure!(reader.size().get() <= limit, "it is longer than {limit} bytes");
    let signature = imagezip_core::signature::Signature::read(&reader).context("it is damaged")?;
    let mut extents = ExtentSet::new();
    for entry in signature.iter() {
        extents.push(entry.range);
        ensure!(extents.extent_count() <= MAX_EXTENTS, "it is in too many pieces");
    }
    Ok(extents)
}

#[cfg(test)]
mod tests;
