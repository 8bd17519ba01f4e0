//! Comparing devices.

use std::io::{self, BufWriter, Stdout};
use std::path::Path;

use imagezip_core::pipeline::check;
use imagezip_core::sector::Sector;

use super::statistics::covered;
use super::{Exit, Imagehash};
use crate::hash::{Bytes, Disk, Findings, Subject};
use crate::target;

impl Imagehash {
    /// Compares a device with a signature.
    pub(super) fn check_device(&self, image: &Path, device: &Path) -> anyhow::Result<Exit> {
        let disk = self.open_disk(device)?;
        let subject = self.subject(image)?;
        let work = self.work();
        let mut signature = self.signature_for(&subject, &work)?;
        if self.skip_relocated {
            signature = signature.without(&subject.relocated()?)?;
        }
        let mut findings = self.findings(&subject);
        let work = self.work();
        let mut each = |range, finding| findings.add(range, finding);
        let (workers, done) = (&work.workers, &work.done);
        let total = covered(&signature).to_bytes();
        let compare = || check(workers, &disk, Sector::ZERO, &signature, done, &mut each);
        let checked =
            work.watch("compared", total, compare).map_err(|error| failed(error, device))?;
        let (found, left_out) = findings.finish()?;
        let statistics = work.about(image, None, &signature).checked(device, &checked);
        self.tell(&statistics.with(found, left_out))?;
        Ok(if checked.is_match() { Exit::OK } else { Exit::NO })
    }

    /// Compares a device with the data of an image.
    pub(super) fn check_bytes(&self, image: &Path, device: &Path) -> anyhow::Result<Exit> {
        let disk = self.open_disk(device)?;
        let subject = self.subject(image)?;
        let mut findings = self.findings(&subject);
        let work = self.work();
        let mut each = |difference: &_| findings.add_difference(difference);
        let total = subject.data_len().unwrap_or_default();
        let compare = || subject.compare(&work.workers, &disk, &work.done, &mut each);
        let sum = work.watch("compared", total, compare)?;
        let (found, left_out) = findings.finish()?;
        self.tell(&work.compared(image, device, &sum).with(found, left_out))?;
        Ok(if sum.is_match() { Exit::OK } else { Exit::NO })
    }

    fn open_disk(&self, path: &Path) -> anyhow::Result<Disk> {
        for point in target::mounted_read_write(path).unwrap_or_default() {
            let (path, point) = (path.display(), point.display());
            eprintln!("imagehash: {path} is mounted on {point}: it may change while it is read");
        }
        match self.partition {
            Some(number) => Disk::partition(path, number),
            None => Disk::from_sector(path, self.start()?),
        }
    }

    fn findings(&self, subject: &Subject) -> Findings<BufWriter<Stdout>> {
        // Only to name them: a signature may be all that there is of the image.
        let relocations = subject.relocations().unwrap_or_default();
        let out = (!self.json).then(|| BufWriter::new(io::stdout()));
        let bytes = if self.escape { Bytes::Escaped } else { Bytes::Hexadecimal };
        Findings::new(out, self.detail == 0, bytes, &relocations)
    }
}

/// Says which device an error is about.
fn failed(error: imagezip_core::Error, device: &Path) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("comparing {}", device.display()))
}
