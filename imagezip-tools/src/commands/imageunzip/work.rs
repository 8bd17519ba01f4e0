//! The work that the options of `imageunzip` ask for.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Context, ensure};
use imagezip_core::device::ReadAt;
use imagezip_core::ndz::Image;
use imagezip_core::pipeline::{LoadProgress, Loaded};
use imagezip_core::relocation::Placement;
use imagezip_core::sector::{SECTOR_BYTES, Sector};
use imagezip_core::signature::Signature;

use super::Imageunzip;
use crate::host::{FileDevice, FileKind, Threads};
use crate::unzip::destination::{Destination, Opened, is_standard_output, partition};
use crate::unzip::loading::Loading;
use crate::unzip::meter::LoadMeter;
use crate::unzip::report::Names;
use crate::unzip::source::{Demands, Source};
use crate::unzip::streaming::Streaming;

/// All that is there to work with.
pub(super) struct Work<'a> {
    pub(super) options: &'a Imageunzip,
    pub(super) names: &'a Names,
    pub(super) demands: &'a Demands,
    pub(super) workers: &'a Threads,
    pub(super) source: &'a Source,
    pub(super) image: &'a Image<'a, dyn ReadAt + 'a>,
    pub(super) meter: &'a LoadMeter,
    pub(super) signature: Option<&'a Signature>,
}

/// What the work came to.
pub(super) struct Done {
    pub(super) loaded: Loaded,
    /// The answer, if the work was to find one.
    pub(super) line: Option<String>,
    /// Whether there are no data on standard output.
    pub(super) stdout_is_free: bool,
}

impl Work<'_> {
    /// Does what the options say.
    pub(super) fn run(&self) -> anyhow::Result<Done> {
        let options = self.options;
        let stdout = is_standard_output(options.target.as_deref());
        if options.crc {
            let (loaded, sum, len) =
                self.streaming().checksum(options.gaps(), &self.meter.progress)?;
            let line = Some(format!("{sum} {len}"));
            return Ok(Done { loaded, line, stdout_is_free: true });
        }
        let loaded = if options.copy_chunks {
            let target = options.target.as_deref().unwrap_or(Path::new("-"));
            self.streaming().copy_chunks(target, &self.meter.progress)?
        } else {
            let target = Opened::open(options.target.as_deref(), options.force)?;
            let done = self.put(&target.destination);
            let done = if target.is_new() { done } else { done.map_err(|e| self.unfinished(e)) }?;
            target.keep();
            done
        };
        Ok(Done { loaded, line: None, stdout_is_free: !stdout })
    }

    /// Writes the image's data to the target.
    fn put(&self, to: &Destination) -> anyhow::Result<Loaded> {
        let options = self.options;
        match to {
            Destination::Device(device) if !options.allocated_only => self.load(device),
            Destination::Device(device) => self.write(device.file()),
            Destination::Stream(file) => {
                let converge = options.converge.is_some();
                let to_device =
                    [options.slice.is_some(), options.verify, converge, options.truncate];
                ensure!(
                    !to_device.contains(&true),
                    "{} is neither disk nor file: -s, --verify, --converge and --truncate need \
                     one",
                    self.names.target
                );
                self.write(file)
            }
        }
    }

    /// Says so if the target is no longer what it was, but not what it should be either.
    fn unfinished(&self, error: anyhow::Error) -> anyhow::Error {
        let LoadProgress { written, filled, discarded, .. } = &self.meter.progress;
        if [written, filled, discarded].iter().all(|bytes| bytes.load(Ordering::Relaxed) == 0) {
            return error;
        }
        error.context(format!("{} is not complete", self.names.target))
    }

    fn streaming(&self) -> Streaming<'_> {
        let Self { names, demands, workers, source, image, .. } = *self;
        Streaming { source, image, demands, names, workers }
    }

    fn write(&self, file: impl std::io::Write + Send) -> anyhow::Result<Loaded> {
        self.streaming().write(file, self.options.gaps(), &self.meter.progress)
    }

    fn load(&self, device: &FileDevice) -> anyhow::Result<Loaded> {
        let Self { options, names, demands, workers, source, image, meter, signature } = *self;
        let place = self.place(device)?;
        let loading = Loading { source, image, demands, device, names, place, workers };
        let loaded = loading.load(options.manner(signature), &meter.progress)?;
        self.mention_rest(device, &loaded)?;
        Ok(loaded)
    }

    fn place(&self, device: &FileDevice) -> anyhow::Result<Placement> {
        let options = self.options;
        if let Some(number) = options.slice {
            return partition(device, &self.names.target, number, options.force);
        }
        let end = match options.max_sectors {
            Some(count) => Some(Sector::new(count).context("-M: more sectors than there can be")?),
            None => None,
        };
        Ok(Placement { end, ..Placement::default() })
    }

    /// Says so if the target ends before the image, or a file after what it was in the image.
    fn mention_rest(&self, device: &FileDevice, loaded: &Loaded) -> anyhow::Result<()> {
        let (name, end) = (&self.names.target, loaded.end.get());
        if device.kind() != FileKind::Regular && end > device.size().get() {
            eprintln!(
                "{name} ends at byte {}, what the image was made of at byte {end}: only free \
                 space is missing",
                device.size()
            );
        }
        if end.is_multiple_of(SECTOR_BYTES) || device.kind() != FileKind::Regular {
            return Ok(());
        }
        let len = device.file().metadata().with_context(|| format!("reading {name}"))?.len();
        if len > end {
            eprintln!(
                "{name}: the file in the image has {end} bytes, what was here before goes on to \
                 {len}; --truncate cuts it"
            );
        }
        Ok(())
    }
}
