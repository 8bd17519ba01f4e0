//! Disks in memory: saved as a node saves its disk, and loaded as a node loads an image.

use std::ops::Range;

use anyhow::{Result, ensure};
use imagezip_core::allocation::{DiskMap, Options, Selection, scan};
use imagezip_core::codec::Decompressor;
use imagezip_core::digest::Sha256;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Image;
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::pipeline::{self, Progress, Saved, Source};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};
use imagezip_core::signature::Signature;
use imagezip_tools::host::Threads;

/// What a disk is full of before an image is loaded, so that a sector that is not in the image
/// shows.
pub const FILLING: u8 = 0x5a;

const SECTOR: usize = 512;

/// An image file, and what the save told about it.
pub struct Made {
    /// The image file.
    pub image: Vec<u8>,
    /// The new signature, and counts.
    pub saved: Saved,
}

/// Which sectors of a disk are to be saved; `least_free` is the reference's `-F`.
pub fn map(disk: &[u8], selection: Selection, least_free: SectorCount) -> Result<DiskMap> {
    let sector_size = LogicalSectorSize::B512;
    Ok(scan(&disk, selection, Options { least_free, ..Options::new(sector_size) })?)
}

/// A map made of extents that are known already.
pub fn map_of(in_use: ExtentSet, sectors: SectorCount) -> DiskMap {
    DiskMap::known(SectorRange::first(sectors), in_use)
}

/// Saves a disk, or its delta to `base`, and verifies the file as a node does.
pub fn save(disk: &[u8], map: &DiskMap, base: Option<&Signature>) -> Result<Made> {
    let source = Source { base, ..Source::new(&disk, map) };
    let (workers, mut image) = (Threads::all_cpus(), Vec::new());
    let saved = pipeline::save(&workers, source, &mut image, &Progress::default())?;
    let digest = pipeline::verify(&workers, &image, &saved.proof)?;
    ensure!(digest == Sha256::of(&image), "the digest is another file's");
    Ok(Made { image, saved })
}

/// Loads an image over what is on a disk, and tells which sectors that gave data to.
pub fn load(image: &[u8], disk: &mut [u8]) -> Result<ExtentSet> {
    let image = Image::open(image)?;
    let (mut scratch, mut chunks) = (Decompressor::new(), image.chunks());
    let mut loaded = Vec::new();
    while let Some(chunk) = chunks.next_chunk()? {
        chunk.decode(&mut scratch, &mut |start, data| {
            let at = byte_at(start);
            disk[at..at + data.len()].copy_from_slice(data);
            let count = SectorCount::new((data.len() / SECTOR) as u64).unwrap_or_default();
            loaded.extend(SectorRange::with_len(start, count));
            Ok(())
        })?;
    }
    let loaded = ExtentSet::from_unsorted(loaded);
    ensure!(loaded == image.extents()?, "data for other sectors than the regions");
    Ok(loaded)
}

/// A disk of that many bytes to which nothing was loaded.
pub fn filled(bytes: usize) -> Vec<u8> {
    vec![FILLING; bytes]
}

/// A disk of that many bytes to which only the sectors of `extents` came, from `source`.
pub fn filled_but(extents: &ExtentSet, source: &[u8]) -> Vec<u8> {
    let mut disk = filled(source.len());
    for extent in extents {
        let bytes = bytes_of(extent);
        disk[bytes.clone()].copy_from_slice(&source[bytes]);
    }
    disk
}

/// The sectors of `extents` in which two disks differ.
pub fn differing(extents: &ExtentSet, one: &[u8], other: &[u8]) -> ExtentSet {
    let unequal =
        extents.iter().filter(|extent| one[bytes_of(*extent)] != other[bytes_of(*extent)]);
    let sectors = unequal.flat_map(|extent| extent.start().get()..extent.end().get());
    let ranges = sectors.filter_map(|number| {
        let range = SectorRange::with_len(Sector::new(number)?, SectorCount::from_u32(1))?;
        (one[bytes_of(range)] != other[bytes_of(range)]).then_some(range)
    });
    ranges.collect()
}

/// The positions of a range's bytes on the disk that it is counted on.
pub fn bytes_of(range: SectorRange) -> Range<usize> {
    byte_at(range.start())..byte_at(range.end())
}

fn byte_at(sector: Sector) -> usize {
    usize::try_from(sector.to_bytes().get()).unwrap_or(usize::MAX)
}
