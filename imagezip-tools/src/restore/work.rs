//! Loading a saved disk.

use anyhow::{Context, ensure};
use imagezip_core::device::{ReadAt, WriteAt};
use imagezip_core::error::{CorruptKind, ErrorKind};
use imagezip_core::ndz::Image;
use imagezip_core::overlay::Patch;
use imagezip_core::partition::edit::{fit_to_disk, set_type};
use imagezip_core::pipeline::{Fill, Fit, LoadProgress, Loaded, Manner, Target, Workers, restore};
use imagezip_core::relocation::Placement;
use imagezip_core::restore::{Part, RestoreError, RestorePlan, Signed};
use imagezip_core::sector::{Bytes, Sector};

use super::files::SignedFile;
use crate::host::{FileDevice, FileKind, TargetFile, TargetReader};
use crate::unzip::destination::sector_size;

/// A saved disk and where it goes.
pub struct Restore<'a> {
    /// The first image: the base, or a full image.
    pub base: &'a SignedFile,
    /// The delta to it.
    pub delta: Option<&'a SignedFile>,
    /// The disk or file.
    pub device: &'a FileDevice,
    /// Its name.
    pub target: &'a str,
    /// Where on it.
    pub place: Placement,
    /// Whether it is compared first.
    pub manner: Manner,
    /// What becomes of free space.
    pub fill: Fill,
    /// The size of the disk that was saved, if it is known.
    pub saved_size: Option<Bytes>,
    /// The partition, and the type that it gets in the end.
    pub partition_type: Option<(u32, u32)>,
}

/// What is loaded, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amount {
    /// Of the first image.
    pub base: u64,
    /// Of the delta.
    pub delta: u64,
    /// Of the first image, that the delta replaces.
    pub replaced: u64,
}

/// An image of any file.
type AnyImage<'a> = Image<'a, dyn ReadAt + 'a>;

impl Restore<'_> {
    /// Loads everything, and waits until it is on the disk. `note` is told how much there is before
    /// the first write.
    ///
    /// # Errors
    /// If the images are damaged, are not those of their signatures or don't fit, or if the target
    /// can't be written or doesn't give back what was written.
    pub fn run(
        &self,
        workers: &dyn Workers,
        note: &mut dyn FnMut(Amount),
        progress: &LoadProgress,
    ) -> anyhow::Result<(Loaded, bool)> {
        let base = open(self.base)?;
        let delta = self.delta.map(open).transpose()?;
        let delta = delta
            .as_ref()
            .zip(self.delta)
            .map(|(image, file)| Signed { image, signature: &file.signature });
        let base = Signed { image: &base, signature: &self.base.signature };
        let plan = RestorePlan::new(base, delta).map_err(|error| self.explain(&error, false))?;
        note(Amount {
            base: plan.bytes_of(Part::Base).get(),
            delta: plan.bytes_of(Part::Delta).get(),
            replaced: plan.replaced().get(),
        });
        self.must_fit(plan.end())?;

        let writing = || format!("writing {}", self.target);
        let file = TargetFile::new(self.device).with_context(writing)?;
        // A file that is shorter has zeros there in the end, where nothing is written.
        let [before, after] = [(); 2].map(|()| TargetReader::uncached(self.device).growing());
        let target = Target {
            fill: self.fill,
            fill_to: Some(self.place.end.map_or(self.device.size(), Sector::to_bytes)),
            fit: Fit::Data,
            read_back: Some(&after),
            ..Target::new(&file, self.place)
        };
        let loaded = restore(workers, &plan, &before, target, self.manner, progress);
        let reading = before.has_failed() || after.has_failed();
        let (loaded, compared) = loaded.map_err(|error| self.explain(&error, reading))?;
        file.finish(loaded.end).with_context(writing)?;
        self.fit_table(&file).with_context(|| format!("fitting {}", self.target))?;
        Ok((loaded, compared))
    }

    /// Checks that what is written lies on the disk, or in the partition.
    fn must_fit(&self, end: Sector) -> anyhow::Result<()> {
        let needed = self.place.start.saturating_add(end.since(Sector::ZERO)).to_bytes();
        let grows = self.device.kind() == FileKind::Regular && self.place.end.is_none();
        let room = self.place.end.map_or(self.device.size(), Sector::to_bytes);
        ensure!(
            grows || needed <= room,
            "what was saved ends at byte {needed} of {}, but there is room up to byte {room}; \
             nothing was written",
            self.target
        );
        Ok(())
    }

    /// Fits the partition table to a disk of another size, and sets the partition's type.
    fn fit_table(&self, file: &TargetFile<'_>) -> anyhow::Result<()> {
        // A file that was extended has its size now.
        let device = FileDevice::new(self.device.file().try_clone()?)?;
        let size = sector_size(&device, self.target)?;
        let write = |patches: &[Patch]| -> anyhow::Result<()> {
            for Patch { at, bytes } in patches {
                file.write_at(*at, bytes)?;
                // The order counts if the machine is turned off in between.
                file.finish(Bytes(0))?;
                let mut found = vec![0; bytes.len()];
                TargetReader::uncached(&device).read_at(*at, &mut found)?;
                ensure!(found == *bytes, "byte {at} does not give back what was written there");
            }
            Ok(())
        };
        // A table that came from a disk of this size stays as it is.
        if !self.place.slice && self.saved_size != Some(device.size()) {
            write(&fit_to_disk(&device, size)?)?;
        }
        match self.partition_type {
            None => Ok(()),
            Some((number, kind)) => write(&set_type(&device, size, number, kind)?),
        }
    }

    /// Says what an error is about; `reading` the target, at times.
    fn explain(&self, error: &RestoreError, reading: bool) -> anyhow::Error {
        let RestoreError { part, error } = error;
        let file = match (part, self.delta) {
            (Part::Delta, Some(delta)) => delta,
            _ => self.base,
        };
        let (name, target) = (file.path.display(), self.target);
        let context = match error.kind {
            ErrorKind::Corrupt(CorruptKind::SignatureForeign) => {
                // The classic imagezip makes such signatures: of sectors that were free.
                let hint = match part {
                    Part::Base => "",
                    Part::Delta => {
                        "; if the classic imagezip made it, imageunzip loads both images, unproven"
                    }
                };
                let signature = file.signature_path.display();
                format!("{name} is not the image of {signature}, or not with these others{hint}")
            }
            ErrorKind::Corrupt(CorruptKind::TargetNotAsWritten) => {
                format!("reading back what was written to {target}")
            }
            ErrorKind::Write(_) => format!("writing {target}"),
            _ if reading => format!("reading {target}"),
            _ => format!("loading {name}"),
        };
        anyhow::Error::new(error.clone()).context(context)
    }
}

fn open(file: &SignedFile) -> anyhow::Result<AnyImage<'_>> {
    let device: &dyn ReadAt = &file.file;
    Image::open(device).with_context(|| format!("reading {}", file.path.display()))
}
