//! The bench's data: a disk, and images that say which of its sectors matter.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Image;
use imagezip_core::sector::Bytes;

/// A file to read from.
pub(crate) struct Disk(File, u64);

impl Disk {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let size = file.metadata()?.len();
        Ok(Self(file, size))
    }
}

impl imagezip_core::device::ReadAt for Disk {
    fn size(&self) -> Bytes {
        Bytes(self.1)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        self.0.read_exact_at(buf, offset.get()).map_err(|error| {
            ErrorKind::Read(error.raw_os_error().unwrap_or(0)).at(Place::Byte(offset))
        })
    }
}

/// A run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) at: u64,
    pub(crate) len: usize,
}

/// The sectors that an image holds.
pub(crate) fn extents(image: &Path) -> Result<ExtentSet> {
    let file = Disk::open(image)?;
    let extents = Image::open(&file).and_then(|image| image.extents());
    extents.with_context(|| image.display().to_string())
}

/// The extents in runs of at most `longest` bytes, in disk order.
pub(crate) fn runs(extents: &ExtentSet, longest: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    for extent in extents {
        let (mut at, end) = (extent.start().to_bytes().get(), extent.end().to_bytes().get());
        while at < end {
            let len = usize::try_from(end - at).map_or(longest, |left| left.min(longest));
            runs.push(Run { at, len });
            at += len as u64;
        }
    }
    runs
}

/// All data of the extents, one after another.
pub(crate) fn read(disk: &Path, extents: &ExtentSet) -> Result<Vec<u8>> {
    let disk = Disk::open(disk)?;
    let mut data = vec![0; usize::try_from(extents.sector_count().to_bytes().get())?];
    let mut rest = data.as_mut_slice();
    for run in runs(extents, 1 << 20) {
        let (piece, after) = rest.split_at_mut(run.len);
        disk.0.read_exact_at(piece, run.at)?;
        rest = after;
    }
    Ok(data)
}

/// Reads a run into the start of `buffer`.
pub(crate) fn read_run(disk: &Disk, run: Run, buffer: &mut [u8]) -> Result<()> {
    let buffer = buffer.get_mut(..run.len).context("a run is longer than the buffer")?;
    Ok(disk.0.read_exact_at(buffer, run.at)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::sector::{Sector, SectorCount, SectorRange};

    #[test]
    fn runs_cover_the_extents_in_order() {
        let range = |start, len| {
            SectorRange::with_len(Sector::from_u32(start), SectorCount::from_u32(len)).unwrap()
        };
        let extents = ExtentSet::from_unsorted(vec![range(1, 5), range(10, 1)]);
        let expected = [(512, 1024), (1536, 1024), (2560, 512), (5120, 512)];
        assert_eq!(runs(&extents, 1024), expected.map(|(at, len)| Run { at, len }));
    }
}
