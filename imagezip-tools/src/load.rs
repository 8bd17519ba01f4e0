//! Loading images onto disks and files.

use std::path::Path;

use anyhow::{Context, ensure};
use imagezip_core::device::ReadAt;
use imagezip_core::ndz::Image;
use imagezip_core::pipeline::{Arrival, LoadProgress, Target, load as load_image};
use imagezip_core::relocation::Placement;
use imagezip_core::sector::{Bytes, Sector, SectorCount};

use crate::host::{FileDevice, TargetFile, Threads};

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

    let loading = || format!("loading {name}");
    let output = TargetFile::new(target).with_context(loading)?;
    let place = Placement { start: base, ..Placement::default() };
    let progress = LoadProgress::default();
    let workers = Threads::all_cpus();
    let target = Target::new(&output, place);
    let loaded = load_image(&workers, &image, Arrival::Complete, target, &progress);
    output.finish(loaded.with_context(loading)?.end).with_context(loading)?;
    Ok(Bytes(progress.written.into_inner()).whole_sectors())
}
