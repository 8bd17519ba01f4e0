//! A disk with all that jobs need, in the page cache.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use imagezip_core::digest::Digest;
use imagezip_core::signature::{Entry, Signature};
use imagezip_tools::host::FileDevice;
use rustix::fs::syncfs;
use serde::Serialize;

use super::disk::BenchDisk;
use super::job::{Job, file};
use super::program::{Programs, Usage};
use super::{directory, step};
use crate::command::stdout;
use crate::node_disk::{SECTOR, Slice};

/// The disk, its images and signatures.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) bench: BenchDisk,
    /// What is in use on the disk, found without this project's code.
    pub(super) in_use: Vec<Slice>,
}

/// What the disk is like.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Facts {
    /// Its size in GiB.
    pub(super) gib: u64,
    /// Bytes that an image of it holds.
    pub(super) bytes_in_use: u64,
    /// Bytes that the delta from the base holds.
    pub(super) bytes_changed: u64,
}

impl Stand {
    /// Makes what is missing. Images and signatures are always made anew, by today's tools, and
    /// read back: what is read afterwards is in the page cache, if that has room.
    pub(super) fn prepare(programs: &Programs, gib: u64, fresh: bool) -> Result<Self> {
        step(&format!("a disk of {gib} GiB, with images and signatures"));
        let place = directory().join(format!("disk-{gib}g"));
        let bench = BenchDisk::prepare(&place, gib, fresh, |bench| save_base(programs, bench))?;
        bench.disk.check_root()?;
        let stand = Self { in_use: bench.disk.sectors_in_use()?, bench };
        stand.remove_outputs()?;
        let bench = &stand.bench;
        let (image, delta) = (bench.path(file::IMAGE), bench.path(file::DELTA));
        let (base, scratch) = (bench.path(file::BASE_SIGNATURE), bench.path(file::OUT_SIGNATURE));
        stdout(
            imagezip(programs).arg(bench.path(file::SIGNATURE)).arg(&bench.disk.path).arg(image),
        )?;
        stdout(
            imagezip(programs).arg(scratch).arg("-H").arg(base).arg(&bench.disk.path).arg(delta),
        )?;
        stand.write_other_signature()?;
        Ok(stand)
    }

    /// The signature of a disk with the same blocks in use, all of which differ.
    fn write_other_signature(&self) -> Result<()> {
        let signature = self.signature(file::SIGNATURE)?;
        let mut other = Signature::new(signature.hash_type(), signature.block());
        for entry in signature.iter() {
            let digest: Vec<_> = entry.digest.as_bytes().iter().map(|byte| byte ^ 0xff).collect();
            let digest = Digest::from_field(signature.hash_type(), &digest);
            other.push(Entry { digest: digest.context("a digest is too short")?, ..entry })?;
        }
        let mut bytes = Vec::new();
        other.write(&mut bytes)?;
        Ok(fs::write(self.bench.path(file::OTHER_SIGNATURE), bytes)?)
    }

    /// A signature that is beside the disk.
    pub(super) fn signature(&self, name: &str) -> Result<Signature> {
        let path = self.bench.path(name);
        Signature::read(&FileDevice::open(&path)?).with_context(|| path.display().to_string())
    }

    /// What the disk is like.
    pub(super) fn facts(&self) -> Result<Facts> {
        let bytes = |name: &str| -> Result<u64> {
            let file = FileDevice::open(&self.bench.path(name))?;
            let extents = imagezip_core::ndz::Image::open(&file)?.extents()?;
            Ok(extents.sector_count().to_bytes().get())
        };
        let facts = Facts {
            gib: self.bench.gib,
            bytes_in_use: bytes(file::IMAGE)?,
            bytes_changed: bytes(file::DELTA)?,
        };
        let found: u64 = self.in_use.iter().map(|slice| slice.sectors * SECTOR).sum();
        ensure!(facts.bytes_in_use >= found, "the image lacks what dumpe2fs says is in use");
        Ok(facts)
    }

    /// Runs a job once. Nothing that earlier ones wrote is waiting to be written then, and what it
    /// writes is new.
    pub(super) fn time(
        &self,
        programs: &Programs,
        job: Job,
        classic: bool,
        cpus: Option<usize>,
    ) -> Result<Usage> {
        let reference = programs.reference.as_ref().filter(|_| classic);
        let line = job.line(reference.unwrap_or(&programs.tools), &self.bench, classic);
        if job != Job::LoadMatching {
            self.remove_outputs()?;
        }
        self.sync()?;
        programs.time(cpus, &line)
    }

    /// Waits until nothing waits to be written to the file system with the disk.
    pub(super) fn sync(&self) -> Result<()> {
        Ok(syncfs(File::open(self.bench.path("."))?)?)
    }

    /// Removes what jobs and checks have written.
    pub(super) fn remove_outputs(&self) -> Result<()> {
        for name in [file::OUT_IMAGE, file::OUT_SIGNATURE, file::OUT_DISK, file::CHECKED_DISK] {
            match fs::remove_file(self.bench.path(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes all but the disk and its base image, which the next run can use.
    pub(super) fn tidy(self) -> Result<()> {
        self.remove_outputs()?;
        for name in [file::IMAGE, file::SIGNATURE, file::OTHER_SIGNATURE, file::DELTA] {
            fs::remove_file(self.bench.path(name))?;
        }
        Ok(())
    }

    /// Whether `imagedump -c` finds nothing wrong with an image, and what it says of it.
    pub(super) fn dump(&self, programs: &Programs, name: &str) -> Result<serde_json::Value> {
        let path = self.bench.path(name);
        let text = stdout(programs.tool("imagedump").args(["-c", "--json"]).arg(&path))?;
        serde_json::from_str(&text).with_context(|| format!("imagedump of {}", path.display()))
    }
}

/// `imagezip`, which wants a signature's name next.
fn imagezip(programs: &Programs) -> Command {
    let mut command = programs.tool("imagezip");
    command.args(["--quiet", "-U"]);
    command
}

/// Makes the base image of a disk, and its signature.
pub(super) fn save_base(programs: &Programs, bench: &BenchDisk) -> Result<()> {
    let (image, signature) = (bench.path(file::BASE), bench.path(file::BASE_SIGNATURE));
    stdout(imagezip(programs).arg(signature).arg(&bench.disk.path).arg(image))?;
    Ok(())
}
