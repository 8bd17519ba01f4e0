//! A reader of images that shares no code with the one under test, and that insists on everything
//! that old readers do (docs/format.md): what it reads, they read.

use std::io::Read;

use anyhow::{Context, Result, ensure};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Reloc, RelocType};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};

const CHUNK: usize = 1 << 20;
const HEADER: usize = 4096;

/// What an image file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The version of all chunks; 0 of an empty file.
    pub version: u32,
    /// The sectors that there are data for.
    pub extents: ExtentSet,
    /// Their data, in ascending order.
    pub data: Vec<u8>,
    /// The relocations of all chunks.
    pub relocs: Vec<Reloc>,
    /// The number of sectors that the image is about; from version 2 on.
    pub sectors: u64,
}

/// Where things are in the header area of a version.
struct Form {
    version: u32,
    header: usize,
    /// The numbers of sectors take 8 bytes, not 4.
    wide: bool,
}

impl Form {
    fn of(magic: u32) -> Result<Self> {
        let version = magic.wrapping_sub(0x6969_6969) + 1;
        let header = match version {
            1 => 24,
            2 | 3 => 36,
            4 => 344,
            5 => 72,
            _ => anyhow::bail!("magic number {magic:#x}"),
        };
        Ok(Self { version, header, wide: version == 5 })
    }

    /// The sizes of a region's and of a relocation's entry.
    const fn entries(&self) -> (usize, usize) {
        if self.wide { (16, 24) } else { (8, 16) }
    }
}

/// Reads an image whose chunks are not encrypted.
///
/// # Errors
/// If an old reader would refuse it or misread it.
pub fn read(file: &[u8]) -> Result<Contents> {
    ensure!(file.len().is_multiple_of(CHUNK), "a short chunk at the end");
    let mut contents = Contents::default();
    for (number, chunk) in file.chunks(CHUNK).enumerate() {
        contents.add(number, chunk).with_context(|| format!("chunk {number}"))?;
    }
    let len = contents.extents.sector_count().to_bytes().get();
    ensure!(usize::try_from(len)? == contents.data.len(), "regions of chunks overlap");
    Ok(contents)
}

impl Contents {
    fn add(&mut self, number: usize, chunk: &[u8]) -> Result<()> {
        let form = Form::of(u32_at(chunk, 0))?;
        ensure!(number == 0 || form.version == self.version, "versions are mixed");
        self.version = form.version;
        ensure!(u32_at(chunk, 8) as usize == number, "number");
        ensure!(u32_at(chunk, 16) as usize == HEADER, "size of the header area");
        let payload = u32_at(chunk, 4) as usize;
        ensure!(payload <= CHUNK - HEADER, "length of the payload");
        let regions = u32_at(chunk, 20) as usize;
        let relocs = if form.version == 1 { 0 } else { u32_at(chunk, 32) as usize };
        let (region_bytes, reloc_bytes) = form.entries();
        let tables = form.header + regions * region_bytes + relocs * reloc_bytes;
        ensure!(regions >= 1 && tables <= HEADER, "{regions} regions, {relocs} relocations");
        ensure!(chunk[tables..HEADER].iter().all(|byte| *byte == 0), "bytes after the tables");
        ensure!(chunk[HEADER + payload..].iter().all(|byte| *byte == 0), "bytes after the payload");

        let covered = self.covered(&form, chunk);
        let mut end = None;
        let mut expected = 0;
        for region in chunk[form.header..][..regions * region_bytes].chunks(region_bytes) {
            let (start, size) = pair(&form, region);
            ensure!(size > 0 && end.is_none_or(|end| start > end), "region at {start}");
            ensure!(self.extents.end().is_none_or(|end| start >= end.get()), "order of chunks");
            end = Some(start + size);
            expected += size * 512;
            if let Some((first, last)) = covered {
                ensure!(first <= start && start + size <= last, "region outside of its chunk");
            }
            self.extents.push(range(start, size)?);
        }
        for reloc in chunk[tables - relocs * reloc_bytes..tables].chunks(reloc_bytes) {
            let reloc = reloc_of(&form, reloc)?;
            let sector = reloc.sector.get();
            let inside = covered.is_some_and(|(first, last)| first <= sector && sector < last);
            ensure!(inside && reloc.offset < 512, "relocation outside of its chunk");
            self.relocs.push(reloc);
        }
        let before = self.data.len();
        let mut decoder = flate2::read::ZlibDecoder::new(&chunk[HEADER..HEADER + payload]);
        decoder.read_to_end(&mut self.data)?;
        ensure!(decoder.total_in() == payload as u64, "bytes after the zlib stream");
        ensure!((self.data.len() - before) as u64 == expected, "as much data as regions");
        Ok(())
    }

    /// The sectors that the chunk says it describes; checked to begin where the one before ends.
    fn covered(&mut self, form: &Form, chunk: &[u8]) -> Option<(u64, u64)> {
        let (first, last) = match form.version {
            1 => return None,
            5 => (u64_at(chunk, 40), u64_at(chunk, 48)),
            _ => (u32_at(chunk, 24).into(), u32_at(chunk, 28).into()),
        };
        let tiles = first == self.sectors && first < last;
        self.sectors = last;
        // A range without sectors has no region inside.
        Some(if tiles { (first, last) } else { (0, 0) })
    }

    /// The data of sectors that lie in one extent.
    ///
    /// `positions` are [`Contents::positions`].
    fn get(&self, range: SectorRange, positions: &[usize]) -> Option<&[u8]> {
        let extents = self.extents.as_slice();
        let index = extents.partition_point(|extent| extent.end() <= range.start());
        let extent = extents.get(index).filter(|extent| extent.contains(range))?;
        let skipped = bytes(range.start().since(extent.start()));
        self.data.get(positions.get(index)? + skipped..)?.get(..bytes(range.len()))
    }

    /// Where the data of each extent begin.
    fn positions(&self) -> Vec<usize> {
        let mut end = 0;
        let starts = self.extents.iter().map(|extent| {
            let start = end;
            end += bytes(extent.len());
            start
        });
        starts.collect()
    }

    /// Writes the data to a disk.
    pub fn apply(&self, disk: &mut [u8]) {
        let mut data = self.data.as_slice();
        for extent in &self.extents {
            let at = bytes(extent.start().since(Sector::ZERO));
            let (here, rest) = data.split_at(bytes(extent.len()));
            disk[at..at + here.len()].copy_from_slice(here);
            data = rest;
        }
    }
}

/// What the sectors of a disk must hold.
#[derive(Clone, Copy)]
pub enum Expected<'a> {
    /// What they hold on this disk.
    Disk(&'a [u8]),
    /// What they hold in this image.
    Image(&'a Contents),
}

/// Checks that images give back `sectors` when they are loaded one after another, the last one
/// over all others.
///
/// # Errors
/// If one of the sectors is in none of the images, or holds something else.
pub fn check(images: &[&Contents], sectors: &ExtentSet, expected: Expected<'_>) -> Result<()> {
    let positions = match expected {
        Expected::Disk(_) => Vec::new(),
        Expected::Image(image) => image.positions(),
    };
    let right = |range: SectorRange| match expected {
        Expected::Disk(disk) => {
            disk.get(bytes(range.start().since(Sector::ZERO))..)?.get(..bytes(range.len()))
        }
        Expected::Image(image) => image.get(range, &positions),
    };
    let mut left = sectors.clone();
    for image in images.iter().rev() {
        let positions = image.positions();
        for range in &left.intersection(&image.extents) {
            let found = image.get(range, &positions);
            ensure!(found.is_some() && found == right(range), "other data in {range}");
        }
        left = left.difference(&image.extents);
    }
    ensure!(left.is_empty(), "no data for {left:?}");
    Ok(())
}

fn bytes(count: SectorCount) -> usize {
    usize::try_from(count.to_bytes().get()).unwrap_or(usize::MAX)
}

/// Where a region begins, and its size.
fn pair(form: &Form, entry: &[u8]) -> (u64, u64) {
    if form.wide {
        (u64_at(entry, 0), u64_at(entry, 8))
    } else {
        (u32_at(entry, 0).into(), u32_at(entry, 4).into())
    }
}

fn reloc_of(form: &Form, entry: &[u8]) -> Result<Reloc> {
    let kind = RelocType(u32_at(entry, 0));
    let (sector, offset, size) = if form.wide {
        (u64_at(entry, 8), u32_at(entry, 4), u32::try_from(u64_at(entry, 16))?)
    } else {
        (u32_at(entry, 4).into(), u32_at(entry, 8), u32_at(entry, 12))
    };
    let sector = Sector::new(sector).context("relocation at a sector that can't be")?;
    Ok(Reloc { kind, sector, offset, size })
}

fn range(start: u64, size: u64) -> Result<SectorRange> {
    let (start, size) = (Sector::new(start), SectorCount::new(size));
    let range = start.zip(size).and_then(|(start, size)| SectorRange::with_len(start, size));
    range.context("a region that can't be")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |field| u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |field| u64::from_le_bytes(*field))
}
