//! Images into disks and files, each sector where it belongs.

use anyhow::{Context, ensure};
use imagezip_core::Error;
use imagezip_core::device::{ReadAt, WriteAt};
use imagezip_core::error::{CorruptKind, ErrorKind};
use imagezip_core::ndz::Image;
use imagezip_core::overlay::Patch;
use imagezip_core::partition::edit::set_type;
use imagezip_core::pipeline::{
    Base, Fill, Fit, LoadProgress, Loaded, Order, Target, Workers, converge, load,
};
use imagezip_core::relocation::Placement;
use imagezip_core::sector::{Bytes, Sector};
use imagezip_core::signature::Signature;

use super::destination::sector_size;
use super::report::Names;
use super::source::{Demands, Source};
use crate::host::{FileDevice, FileKind, TargetFile, TargetReader};

/// An image and the device that it goes to.
#[derive(Clone, Copy)]
pub struct Loading<'a> {
    /// Where the image comes from.
    pub source: &'a Source,
    /// The image.
    pub image: &'a Image<'a, dyn ReadAt + 'a>,
    /// What it must be.
    pub demands: &'a Demands,
    /// The device.
    pub device: &'a FileDevice,
    /// What the two are called.
    pub names: &'a Names,
    /// Where on the device the image goes.
    pub place: Placement,
    /// The threads to work with.
    pub workers: &'a dyn Workers,
}

/// How an image is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// The image's signature, if only what the device doesn't hold is written.
    pub signature: Option<&'a Signature>,
    /// Whether all that is written is read back, past the cache if the system lets it.
    pub verify: bool,
    /// What becomes of sectors that the image doesn't hold.
    pub fill: Fill,
    /// What of the image must fit the target.
    pub fit: Fit,
    /// The order of its chunks.
    pub order: Order,
    /// Whether to write around the page cache, if the system lets it.
    pub direct: bool,
    /// Whether a regular file that is longer is cut at the image's end.
    pub truncate: bool,
    /// The partition, and the type that it gets when the image is loaded.
    pub partition_type: Option<(u32, u32)>,
}

impl Loading<'_> {
    /// Writes the image to the device, and waits until it is on the disk.
    ///
    /// # Errors
    /// If the image is damaged or doesn't fit, the signature is another image's, or the device
    /// can't be written or doesn't give back what was written.
    pub fn load(&self, manner: Manner<'_>, progress: &LoadProgress) -> anyhow::Result<Loaded> {
        let name = &self.names.target;
        let writing = || format!("writing {name}");
        let mut file = TargetFile::new(self.device).with_context(writing)?;
        if manner.direct && !file.write_directly() {
            eprintln!("{name} can't be written directly; its data go through the cache");
        }
        let reader = if manner.verify { TargetReader::uncached } else { TargetReader::cached };
        // A file that is shorter has zeros there in the end, where nothing is written.
        let [before, after] = [(); 2].map(|()| reader(self.device).growing());
        let target = Target {
            fill: manner.fill,
            fill_to: self.fill_to(),
            fit: manner.fit,
            order: manner.order,
            read_back: manner.verify.then_some(&after as &dyn ReadAt),
            ..Target::new(&file, self.place)
        };
        let loaded = match manner.signature {
            Some(signature) => {
                let base = Base { signature, device: &before };
                converge(self.workers, self.image, base, target, progress)
            }
            None => self.source.with_arrival(self.image, self.demands, |arrival| {
                load(self.workers, self.image, arrival, target, progress)
            }),
        };
        let reading = before.has_failed() || after.has_failed();
        let loaded = loaded.map_err(|error| self.explain(error, reading, self.room(&file)))?;
        if let Some((number, kind)) = manner.partition_type {
            self.set_partition_type(&file, number, kind)?;
        }
        if manner.truncate {
            self.truncate(loaded.end)?;
        }
        file.finish(loaded.end).with_context(writing)?;
        Ok(loaded)
    }

    /// Says what an error is about; `reading` the device, at times.
    fn explain(&self, error: Error, reading: bool, room: Option<Bytes>) -> anyhow::Error {
        let Names { image, target } = self.names;
        let context = match error.kind {
            ErrorKind::Corrupt(CorruptKind::TargetNotAsWritten) => {
                format!("reading back what was written to {target}")
            }
            ErrorKind::Corrupt(CorruptKind::SignatureForeign) => {
                format!("comparing {image} with the signature of --converge")
            }
            _ if reading => format!("reading {target}"),
            _ => return self.names.explain_room(error, room),
        };
        anyhow::Error::new(error).context(context)
    }

    /// Free space is filled up to the end of the whole device, but not of a partition.
    fn fill_to(&self) -> Option<Bytes> {
        let end = self.place.end.map(Sector::to_bytes);
        (!self.place.slice).then(|| end.unwrap_or(self.device.size()))
    }

    /// Where the target ends for the image.
    fn room(&self, file: &TargetFile<'_>) -> Option<Bytes> {
        let (place, device) = (self.place.end.map(Sector::to_bytes), file.end());
        place.into_iter().chain(device).min()
    }

    fn set_partition_type(
        &self,
        file: &TargetFile<'_>,
        number: u32,
        kind: u32,
    ) -> anyhow::Result<()> {
        let name = &self.names.target;
        let setting = || format!("{name}: giving partition {number} the type {kind:#x}");
        let size = sector_size(self.device, name)?;
        for Patch { at, bytes } in
            set_type(self.device, size, number, kind).with_context(setting)?
        {
            file.write_at(at, &bytes).with_context(setting)?;
        }
        Ok(())
    }

    fn truncate(&self, end: Bytes) -> anyhow::Result<()> {
        let name = &self.names.target;
        ensure!(self.device.kind() == FileKind::Regular, "{name} is no file that can be truncated");
        let file = self.device.file();
        let len = file.metadata().with_context(|| format!("truncating {name}"))?.len();
        if len > end.get() {
            file.set_len(end.get()).with_context(|| format!("truncating {name}"))?;
        }
        Ok(())
    }
}
