//! Loading images onto disks and files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, ensure};
use imagezip_core::codec::Decompressor;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::ndz::Image;
use imagezip_core::sector::{Sector, SectorCount};

use crate::host::FileDevice;

/// Writes the sectors that the image at `image` holds to `target`, on which the image's first
/// sector is sector `base`. Nothing else of `target` is touched, so that a delta can follow its
/// base image. Returns how many sectors were written.
///
/// # Errors
/// If the image is damaged (all its headers are checked before the first write), does not fit
/// the target, or can't be read or written.
pub fn load(image: &Path, target: &FileDevice, base: Sector) -> anyhow::Result<SectorCount> {
    let name = image.display();
    let file = FileDevice::open(image)?;
    let image = Image::open(&file).with_context(|| format!("reading {name}"))?;
    let size = image.sectors().with_context(|| format!("reading {name}"))?;
    let end = base.saturating_add(size).to_bytes();
    ensure!(end <= target.size(), "{name} ends at byte {end}, the target at {}", target.size());

    let mut scratch = Decompressor::new();
    let mut written = SectorCount::ZERO;
    let mut write = |start: Sector, data: &[u8]| {
        let at = base.saturating_add(start.since(Sector::ZERO)).to_bytes();
        write_at(target.file(), at.get(), data)
            .map_err(|code| ErrorKind::Write(code).at(Place::Byte(at)))
    };
    let mut chunks = image.chunks();
    while let Some(chunk) = chunks.next_chunk().with_context(|| format!("reading {name}"))? {
        chunk.decode(&mut scratch, &mut write).with_context(|| format!("loading {name}"))?;
        written = written.saturating_add(chunk.header().sector_count());
    }
    Ok(written)
}

/// Writes all of `data`, or returns the operating system's error number.
fn write_at(file: &File, at: u64, data: &[u8]) -> Result<(), i32> {
    file.write_all_at(data, at).map_err(|error| error.raw_os_error().unwrap_or(0))
}
