//! A run of imagezip, from opening the disk to the last line of output.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use imagezip_core::allocation::Selection;
use imagezip_core::device::ReadAt;
use imagezip_core::overlay::Padded;
use imagezip_core::relocation::short_sector;
use imagezip_core::sector::SECTOR_BYTES;

use super::base::Base;
use super::hash_stats::{Comparison, HashStats};
use super::image::{self, Choice, Written};
use super::prepare::Prepared;
use super::report::{ImageStatistics, Statistics, describe};
use super::request::{Destination, Request};
use super::tolerant::Tolerant;
use crate::host::FileDevice;

/// Saves what the request says, or only says what would be saved.
///
/// # Errors
/// If something can't be read or written, or the request can't be met.
pub fn run(
    request: &Request,
    destination: Option<&Destination>,
    detail: u8,
) -> anyhow::Result<Statistics> {
    let source = request.source.as_path();
    let file = FileDevice::open(source)?;
    if let Some(destination) = destination {
        check_distinct(source, &destination.image)?;
    }
    let sector_size = file.logical_sector_size().map_err(|bytes| {
        anyhow!("{} has sectors of {bytes} bytes, not 512 or 4096", source.display())
    })?;
    let disk = Tolerant::new(file, request.tolerant);
    let padded = Padded::new(&disk);
    let device: &dyn ReadAt = if request.padded { &padded } else { &disk };
    if request.selection == Selection::Raw && device.size().get() % SECTOR_BYTES != 0 {
        bail!("{} is not a whole number of sectors: use -f in place of -r", source.display());
    }
    let reading = || format!("reading {}", source.display());
    let mut prepared = Prepared::new(device, sector_size, request).with_context(reading)?;
    if request.padded {
        let short = padded.short().filter(|(sector, _)| *sector < prepared.map.area.end());
        prepared.relocs.extend(short.and_then(|(sector, valid)| short_sector(sector, valid)));
    }
    describe(&prepared, detail);
    let base = request.base.as_deref().map(|path| Base::read(path, prepared.map.sectors()));
    let base = base.transpose()?;
    if let Some(base) = base.as_ref().filter(|base| base.beyond > 0 && detail > 0) {
        eprintln!("{}: {} entries are about sectors after the end", base.name, base.beyond);
    }

    let view = prepared.view(device);
    let mut statistics = Statistics::new(source, &prepared);
    let choice = match &base {
        Some(base) if request.max_delta.is_some() || destination.is_none() => {
            Some(image::compare(&view, &prepared, base, request).with_context(reading)?)
        }
        _ => None,
    };
    if let Some(choice) = choice.as_ref().filter(|_| request.max_delta.is_some()) {
        say_choice(choice);
    }
    statistics.comparison = choice.as_ref().map(|choice| choice.comparison);
    if let Some(destination) = destination {
        let full = choice.is_some_and(|choice| choice.full);
        let written = image::write(&view, &prepared, base.as_ref(), full, request, destination)?;
        statistics.comparison = written.comparison.or(statistics.comparison);
        let stats = HashStats {
            signature: base.as_ref().map(|base| (base.name.clone(), base.modified)),
            partition: partition_number(request),
            block: written.saved.signature.block(),
            times: (disk.time(), written.time),
            comparison: &statistics
                .comparison
                .unwrap_or(Comparison { current: statistics.in_use, ..Comparison::default() }),
        };
        if base.is_some() || destination.signature.is_some() {
            eprint!("{stats}");
        }
        say_result(destination, &written);
        let mut image = ImageStatistics::new(&destination.image, &prepared, &written);
        image.signature = destination.signature.as_ref().map(|path| path.display().to_string());
        statistics.image = Some(image);
    } else if let Some((base, comparison)) = base.as_ref().zip(statistics.comparison.as_ref()) {
        let stats = HashStats {
            signature: Some((base.name.clone(), base.modified)),
            partition: partition_number(request),
            block: base.signature.block(),
            times: (disk.time(), disk.time().max(Duration::from_millis(1))),
            comparison,
        };
        eprint!("{stats}");
    }
    statistics.unreadable = disk.lost().get();
    if statistics.unreadable > 0 {
        eprintln!(
            "imagezip: WARNING: {} sectors of {} can't be read; they are zeros in the image",
            statistics.unreadable,
            source.display()
        );
    }
    Ok(statistics)
}

fn partition_number(request: &Request) -> u32 {
    match request.selection {
        Selection::Partition(number) => number,
        _ => 0,
    }
}

/// The lines that scripts read.
fn say_choice(choice: &Choice) {
    let Comparison { current, .. } = choice.comparison;
    let delta = choice.comparison.delta();
    eprintln!("Full image size {current} sect, delta image size {delta} sect");
    let kind = if choice.full { "full" } else { "delta" };
    eprintln!("Auto image selection creating {kind} image.");
}

fn say_result(destination: &Destination, written: &Written) {
    eprintln!("Image size: {} bytes", written.size);
    if let Some(signature) = &destination.signature {
        let image = destination.image.display();
        eprintln!("{image}: new signature written to {}", signature.display());
    }
}

/// An image must not be written over what it is made of.
fn check_distinct(source: &Path, image: &Path) -> anyhow::Result<()> {
    let (Ok(from), Ok(to)) = (fs::metadata(source), fs::metadata(image)) else { return Ok(()) };
    let same_file = (from.dev(), from.ino()) == (to.dev(), to.ino());
    let same_device = from.rdev() != 0 && from.rdev() == to.rdev();
    ensure!(
        !same_file && !same_device,
        "{} and {} are the same: the image would overwrite what it is made of",
        source.display(),
        image.display()
    );
    Ok(())
}
