//! Writing what the disk lacks.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use imagezip_core::device::ReadAt;
use imagezip_core::error::{CorruptKind, ErrorKind};
use imagezip_core::ndz::{CHUNK_BYTES, Image};
use imagezip_core::pipeline::{Fill, Fit, LoadProgress, Target, restore};
use imagezip_core::relocation::Placement;
use imagezip_core::restore::{Part, RestoreError, RestorePlan, Signed};
use imagezip_core::sector::Sector;
use imagezip_core::swapinfo::Phase;

use super::contents::Contents;
use super::{hints, place};
use crate::cmdline::{FreeSpace, Load};
use crate::disk::Disk;
use crate::disk::target::TargetDisk;
use crate::failure::{Failure, FailureKind, Result};
use crate::progress::Progress;
use crate::threads::{Processors, Threads};

/// What is loaded where, and how.
pub(super) struct Loading<'a> {
    pub(super) contents: &'a Contents<'a>,
    pub(super) disk: &'a Disk,
    pub(super) target: &'a TargetDisk<'a>,
    pub(super) place: Placement,
    pub(super) load: Load,
}

/// What a load came to, for the result line: all in bytes.
pub(super) struct Loaded {
    /// Of the disk that was compared, if it was.
    compared: u64,
    /// Of images that were read: those of whole chunks.
    read: u64,
    written: u64,
    avoided: u64,
    /// Free space that was made zeros.
    cleared: u64,
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compared, read, written, avoided, cleared } = self;
        write!(
            f,
            "written={written} avoided={avoided} read={read} compared={compared} cleared={cleared}"
        )
    }
}

impl Loading<'_> {
    /// Loads everything, and waits until the disk has it.
    ///
    /// # Errors
    /// `DiskMisfit`: the disk or the partition is too small, and nothing was written; `WrongBase`:
    /// an image has other data than its signature says; `Verification`: the disk doesn't give back
    /// what was written; errors of the disk and of images.
    pub(super) fn run(&self, threads: &dyn Threads, progress: &'static Progress) -> Result<Loaded> {
        let Contents { image, name, signature, base, .. } = self.contents;
        let image = open(image, name)?;
        let own = Signed { image: &image, signature };
        match base {
            None => self.load(own, None, threads, progress),
            Some((base, file)) => {
                let name = &base.file.name;
                let image = open(file, &format!("the base image of {name}"))?;
                let base = Signed { image: &image, signature: &base.signature };
                self.load(base, Some(own), threads, progress)
            }
        }
    }

    fn load<'i>(
        &self,
        base: Signed<'_, 'i, dyn ReadAt + 'i>,
        delta: Option<Signed<'_, 'i, dyn ReadAt + 'i>>,
        threads: &dyn Threads,
        progress: &'static Progress,
    ) -> Result<Loaded> {
        let only = base.image;
        let plan = RestorePlan::new(base, delta).map_err(|error| self.explain(&error))?;
        let (base, delta) = (plan.bytes_of(Part::Base).get(), plan.bytes_of(Part::Delta).get());
        progress.set_total(base.saturating_add(delta));
        log::info!(
            "to be loaded: {base} bytes of the base image, without {} that changed, and {delta} \
             that were saved",
            plan.replaced()
        );
        self.must_fit(match self.contents.origin {
            Some(_) => plan.end(),
            None => plan.end().max(self.ask_image(only)?),
        })?;
        progress.enter(Phase::Load);
        let workers = Processors::with_waiting(threads);
        let end = self.place.end.map_or(self.target.size(), Sector::to_bytes);
        let target = Target {
            fill: match self.load.free {
                FreeSpace::Keep => Fill::Keep,
                FreeSpace::Discard => Fill::Discard,
                FreeSpace::Zero => Fill::Zero,
            },
            fill_to: Some(end),
            fit: Fit::Data,
            read_back: Some(self.target),
            ..Target::new(self.target, self.place)
        };
        let counters = progress.load();
        let (loaded, compared) =
            restore(&workers, &plan, self.target, target, self.load.manner, counters)
                .map_err(|error| self.explain(&error))?;
        for note in &loaded.notes {
            log::warn!("{note}");
        }
        let synced = self.target.sync();
        synced.map_err(|error| {
            Failure::of_core(&error, format_args!("writing disk {}", self.disk.name))
        })?;
        log::info!("the disk was {}", if compared { "compared first" } else { "loaded in full" });
        Ok(Loaded::of(counters))
    }

    /// Checks that what is written lies on the disk, or in the partition.
    fn must_fit(&self, end: Sector) -> Result<()> {
        let needed = self.place.start.saturating_add(end.since(Sector::ZERO)).to_bytes();
        let room = self.place.end.map_or(self.target.size(), Sector::to_bytes);
        if needed <= room {
            return Ok(());
        }
        let number = self.contents.partition;
        let what = if number == 0 { String::from("it") } else { format!("partition {number}") };
        Err(FailureKind::DiskMisfit.because(format_args!(
            "what is to be loaded ends at byte {needed}, but disk {} is too small: {what} ends at \
             {room}",
            self.disk
        )))
    }

    /// What only the image tells, if it is a base image: where it ends, with the free space that its
    /// partitions may have there, and whether its disk had other sectors.
    fn ask_image(&self, image: &AnyImage<'_>) -> Result<Sector> {
        let name = &self.contents.name;
        let told = hints::end(image).and_then(|end| Ok((end, hints::sector_size(image)?)));
        let (end, size) =
            told.map_err(|error| Failure::of_core(&error, format_args!("reading {name}")))?;
        let is_whole = self.contents.partition == 0;
        match size.filter(|size| is_whole && *size != self.disk.sector_size) {
            None => Ok(end),
            Some(size) => Err(place::other_sectors(name, size, self.disk)),
        }
    }

    fn explain(&self, error: &RestoreError) -> Failure {
        let RestoreError { part, error } = error;
        let name = match (part, &self.contents.base) {
            (Part::Base, Some((base, _))) => format!("the base image of {}", base.file.name),
            _ => self.contents.name.clone(),
        };
        let disk = self.disk;
        match error.kind {
            ErrorKind::Corrupt(CorruptKind::SignatureForeign) => {
                FailureKind::WrongBase.because(format_args!(
                    "{name} is not the image of its signature: {error}; nothing of that \
                 part was written, but the disk isn't loaded"
                ))
            }
            ErrorKind::Corrupt(CorruptKind::TargetNotAsWritten) => FailureKind::Verification
                .because(format_args!("disk {disk} doesn't give back what was written: {error}")),
            ErrorKind::TooLarge(_) => FailureKind::DiskMisfit
                .because(format_args!("{name} doesn't fit disk {disk}: {error}")),
            ErrorKind::Write(_) => {
                Failure::of_core(error, format_args!("writing disk {}", disk.name))
            }
            _ => Failure::of_core(error, format_args!("loading {name} onto {}", disk.name)),
        }
    }
}

/// An image whose file is on the server.
type AnyImage<'a> = Image<'a, dyn ReadAt + 'a>;

fn open<'a>(file: &'a dyn ReadAt, name: &str) -> Result<AnyImage<'a>> {
    Image::open(file).map_err(|error| Failure::of_core(&error, format_args!("reading {name}")))
}

impl Loaded {
    fn of(counters: &LoadProgress) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            compared: read(&counters.compared),
            read: read(&counters.chunks_read)
                .saturating_mul(u64::try_from(CHUNK_BYTES).unwrap_or_default()),
            written: read(&counters.written),
            avoided: read(&counters.avoided),
            cleared: read(&counters.filled).saturating_add(read(&counters.discarded)),
        }
    }
}
