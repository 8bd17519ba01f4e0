//! A run of imagezip, from opening the disk to the last line of output.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use embedded_io_adapters::std::FromStd;
use imagezip_core::allocation::Selection;
use imagezip_core::delta::NewSignature;
use imagezip_core::device::ReadAt;
use imagezip_core::ndz::Format;
use imagezip_core::overlay::Padded;
use imagezip_core::pipeline::{Input, Source, save, save_stream};
use imagezip_core::relocation::short_sector;
use imagezip_core::sector::{SECTOR_BYTES, SectorCount};
use imagezip_core::signature::HashBlockSize;

use super::base::Base;
use super::choice::Choice;
use super::hash_stats::{Comparison, HashStats};
use super::image::{Outlook, Written, check_signature, write};
use super::prepare::Prepared;
use super::report::{ImageStatistics, Statistics, describe};
use super::request::{Destination, Request};
use super::timed::Timed;
use crate::host::FileDevice;
use crate::progress::{save_line, seconds};
use crate::reading::Forgiving;
use crate::target::{mounted_read_write, same_file};

/// Saves what the request says; without a destination, only says what would be saved.
///
/// # Errors
/// If something can't be read or written, or the request can't be met.
pub fn run(
    request: &Request,
    destination: Option<&Destination>,
    detail: u8,
) -> anyhow::Result<Statistics> {
    if request.source == Path::new("-") {
        let destination =
            destination.context("nothing is known about a pipe before it is saved")?;
        return run_stream(request, destination);
    }
    let source = request.source.as_path();
    let file = FileDevice::open(source)?;
    if let Some(destination) = destination {
        ensure!(
            !same_file(source, &destination.image),
            "{} and {} are the same: the image would overwrite what it is made of",
            source.display(),
            destination.image.display()
        );
    }
    warn_if_mounted(request);
    let sector_size = file.logical_sector_size().map_err(|bytes| {
        anyhow!("{} has sectors of {bytes} bytes, not 512 or 4096", source.display())
    })?;
    let forgiving = Forgiving::new(&file);
    let timed = Timed::new(if request.tolerant { &forgiving } else { &file });
    let padded = Padded::new(&timed);
    let device: &dyn ReadAt = if request.padded { &padded } else { &timed };
    if request.selection == Selection::Raw && !device.size().get().is_multiple_of(SECTOR_BYTES) {
        bail!("{} is not a whole number of sectors: use -f in place of -r", source.display());
    }
    let reading = || format!("reading {}", source.display());
    let mut prepared = Prepared::new(device, sector_size, request).with_context(reading)?;
    if request.padded {
        let short = padded.short().filter(|(sector, _)| *sector < prepared.map.area.end());
        prepared.relocs.extend(short.and_then(|(sector, valid)| short_sector(sector, valid)));
    }
    describe(&prepared, detail);

    let bad = || forgiving.bad_sectors().get();
    let disk = Disk { request, prepared, device, timed: &timed, bad: &bad };
    let mut statistics = disk.save(destination, detail)?;
    statistics.unreadable = forgiving.bad_sectors().get();
    if let Some(first) = forgiving.first_bad_sector() {
        eprintln!(
            "imagezip: WARNING: {} sectors of {} can't be read, the first is {first}; they are \
             zeros in the image",
            statistics.unreadable,
            source.display()
        );
    }
    Ok(statistics)
}

/// A disk of which it is known what is to be saved.
struct Disk<'a> {
    request: &'a Request,
    prepared: Prepared,
    device: &'a dyn ReadAt,
    timed: &'a Timed<'a>,
    /// Counts the sectors that can't be read.
    bad: &'a (dyn Fn() -> u64 + Sync),
}

impl Disk<'_> {
    fn save(&self, destination: Option<&Destination>, detail: u8) -> anyhow::Result<Statistics> {
        let Self { request, prepared, .. } = self;
        let base = request.base.as_deref().map(|path| Base::read(path, prepared.map.sectors()));
        let base = base.transpose()?;
        if let Some(base) = base.as_ref().filter(|base| base.beyond > 0 && detail > 0) {
            eprintln!("{}: {} entries are about sectors after the end", base.name, base.beyond);
        }
        let view = prepared.view(self.device);
        let choice = match &base {
            Some(base) if request.max_delta.is_some() || destination.is_none() => {
                let choice = Choice::new(&view, prepared, base, request);
                Some(choice.with_context(|| format!("reading {}", request.source.display()))?)
            }
            _ => None,
        };
        if request.max_delta.is_some() {
            choice.iter().for_each(Choice::say);
        }
        let mut statistics = Statistics::new(&request.source, prepared);
        statistics.comparison = choice.map(|choice| choice.comparison);
        let Some(destination) = destination else {
            if let Some((base, comparison)) = base.as_ref().zip(statistics.comparison.as_ref()) {
                let time = self.timed.time();
                eprint!("{}", self.stats(Some(base), comparison, time));
            }
            return Ok(statistics);
        };

        let full = choice.is_some_and(|choice| choice.full);
        let written = self.write(&view, base.as_ref(), full, destination)?;
        if let Some(base) = base.as_ref().filter(|_| !full) {
            let (in_use, changed) = (&prepared.map.in_use, written.saved.proof.extents());
            statistics.comparison = Some(base.comparison(in_use, changed));
        }
        if base.is_some() || destination.signature.is_some() {
            let first = Comparison::first(prepared.map.in_use.sector_count());
            let comparison = statistics.comparison.unwrap_or(first);
            eprint!("{}", self.stats(base.as_ref(), &comparison, written.time));
        }
        say_result(destination, &written);
        let is_delta = base.is_some() && !full;
        let relocs = prepared.relocs.len();
        statistics.image = Some(ImageStatistics::new(destination, &written, is_delta, relocs));
        Ok(statistics)
    }

    fn write(
        &self,
        view: &dyn ReadAt,
        base: Option<&Base>,
        full: bool,
        destination: &Destination,
    ) -> anyhow::Result<Written> {
        let Self { request, prepared, .. } = self;
        check_signature(request, destination, prepared.map.in_use.end())?;
        let like_base = base.map(|base| NewSignature::like(&base.signature));
        let wanted = destination.signature.as_ref();
        let source = Source {
            base: base.filter(|_| !full).map(|base| &base.signature),
            signature: wanted.map(|_| like_base.unwrap_or_default()),
            level: request.level,
            relocs: &prepared.relocs,
            format: prepared.format,
            id: request.id.unwrap_or_default(),
            ..Source::new(view, &prepared.map)
        };
        let total = prepared.map.in_use.sector_count().to_bytes();
        let outlook = Outlook { total, bad: self.bad };
        write(request, destination, prepared.format, outlook, |sink, progress| {
            save(&request.workers, source, sink, progress)
        })
    }

    fn stats<'c>(
        &self,
        base: Option<&Base>,
        comparison: &'c Comparison,
        time: Duration,
    ) -> HashStats<'c> {
        let partition = match self.request.selection {
            Selection::Partition(number) => number,
            _ => 0,
        };
        HashStats {
            signature: base.map(|base| (base.name.clone(), base.modified)),
            partition,
            block: base.map_or_else(HashBlockSize::default, |base| base.signature.block()),
            times: (self.timed.time(), time),
            comparison,
        }
    }
}

/// Saves standard input.
fn run_stream(request: &Request, destination: &Destination) -> anyhow::Result<Statistics> {
    ensure!(
        request.base.is_none(),
        "-H: a delta of what comes through a pipe can't be made: save it to a file first"
    );
    check_signature(request, destination, None)?;
    let format = request.format.unwrap_or(match request.id {
        None => Format::V3,
        Some(_) => Format::V5,
    });
    let input = Input {
        file: request.padded,
        signature: destination.signature.as_ref().map(|_| NewSignature::default()),
        level: request.level,
        format,
        id: request.id.unwrap_or_default(),
    };
    let most = request.count.map_or(u64::MAX, |count| count.to_bytes().get());
    let mut len = 0;
    let outlook = Outlook { total: request.count.unwrap_or_default().to_bytes(), bad: &|| 0 };
    let written = write(request, destination, format, outlook, |sink, progress| {
        let from = FromStd::new(io::stdin().take(most));
        let streamed = save_stream(&request.workers, from, input, sink, progress)?;
        len = streamed.len.get();
        Ok(streamed.saved)
    })?;
    if destination.signature.is_some() {
        let current = SectorCount::new(len.div_ceil(SECTOR_BYTES)).unwrap_or_default();
        let stats = HashStats {
            signature: None,
            partition: 0,
            block: HashBlockSize::default(),
            times: (Duration::ZERO, written.time),
            comparison: &Comparison::first(current),
        };
        eprint!("{stats}");
    }
    say_result(destination, &written);
    let relocs = usize::from(request.padded && !len.is_multiple_of(SECTOR_BYTES));
    let image = ImageStatistics::new(destination, &written, false, relocs);
    Ok(Statistics::of_stream(written.saved.scanned, image))
}

fn say_result(destination: &Destination, written: &Written) {
    let (read, time) = (written.saved.scanned.to_bytes().get(), written.time);
    let payload = written.saved.image.payload.get();
    eprintln!("{}", save_line(read, payload, time));
    eprintln!("Image size: {} bytes", written.size);
    // Bytes in a microsecond are megabytes in a second.
    let thousandths = u128::from(read) * 1000 / time.as_micros().max(1);
    eprintln!("{}.{:03} MB/second", thousandths / 1000, thousandths % 1000);
    eprintln!("Finished in {} seconds", seconds(time));
    if let Some(signature) = &destination.signature {
        let image = destination.image.display();
        eprintln!("{image}: new signature written to {}", signature.display());
    }
}

/// What is written to a disk while it is saved is saved in part.
fn warn_if_mounted(request: &Request) {
    let partition = match request.selection {
        Selection::Partition(number) => partition_device(&request.source, number),
        _ => None,
    };
    let device = partition.as_deref().unwrap_or(&request.source);
    // That it isn't known is no reason not to save.
    for point in mounted_read_write(device).unwrap_or_default() {
        eprintln!(
            "imagezip: WARNING: {} is mounted for writing on {}: what changes while it is saved \
             may not fit together",
            device.display(),
            point.display()
        );
    }
}

/// The device of a partition, as Linux names it, if there is one.
fn partition_device(disk: &Path, number: u32) -> Option<PathBuf> {
    let name = disk.to_str()?;
    let separator = if name.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
    let device = PathBuf::from(format!("{name}{separator}{number}"));
    device.exists().then_some(device)
}
