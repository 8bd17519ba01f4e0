//! Whether what a job has written is right. None of this is timed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::signature::Signature;
use imagezip_tools::create::sha256_of;
use serde::Serialize;

use super::job::{Job, Output, file};
use super::program::Programs;
use super::stand::Stand;
use crate::command::stdout;
use crate::experiment::compare_sectors;
use crate::node_disk::SECTOR;

/// How well the chunks of a full image are filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Packing {
    /// Bytes of the image.
    pub(super) bytes: u64,
    /// Of them, compressed data.
    pub(super) payload_bytes: u64,
    /// Of them, headers: 4 KiB for each chunk.
    pub(super) header_bytes: u64,
    /// Of them, space that nothing uses.
    pub(super) padding_bytes: u64,
}

impl Packing {
    /// Of the full image of the disk, at the default level.
    pub(super) fn of(programs: &Programs, stand: &Stand) -> Result<Self> {
        let facts = stand.dump(programs, file::IMAGE)?;
        let number = |key: &str| {
            // One file was asked about; its facts may be alone or in a list.
            let facts = facts.get(0).unwrap_or(&facts);
            facts[key].as_u64().with_context(|| format!("imagedump says no {key}"))
        };
        let (bytes, payload_bytes) = (number("bytes")?, number("payload_bytes")?);
        let header_bytes = number("chunks")? * imagezip_core::ndz::HEADER_BYTES as u64;
        let used = payload_bytes + header_bytes;
        let padding_bytes = bytes.checked_sub(used).context("chunks hold more than they can")?;
        Ok(Self { bytes, payload_bytes, header_bytes, padding_bytes })
    }
}

/// Checks results.
pub(super) struct Checker<'a> {
    programs: &'a Programs,
    stand: &'a Stand,
    /// Images that were found right.
    known: BTreeSet<Known>,
}

/// What an image is a delta to, its digest and that of its signature, if it has one.
type Known = (Option<&'static str>, [u8; 32], Option<[u8; 32]>);

impl<'a> Checker<'a> {
    pub(super) fn new(programs: &'a Programs, stand: &'a Stand) -> Self {
        Self { programs, stand, known: BTreeSet::new() }
    }

    /// Checks what the job has left, and returns its size in bytes.
    pub(super) fn check(&mut self, job: Job) -> Result<u64> {
        let checked = match job.output() {
            Output::Signature => self.check_signature(),
            Output::Disk => self.check_disk(file::OUT_DISK),
            Output::Image => self.check_image(job),
        };
        checked.with_context(|| format!("the result of {} is wrong", job.name()))
    }

    /// The signature of the image, read by another program than made that of the disk.
    fn check_signature(&self) -> Result<u64> {
        let made = self.stand.signature(file::OUT_SIGNATURE)?;
        let known = self.stand.signature(file::SIGNATURE)?;
        let entries = |signature: &Signature| {
            signature.iter().map(|entry| (entry.range, entry.digest)).collect::<Vec<_>>()
        };
        ensure!(!known.is_empty() && entries(&made) == entries(&known), "other entries");
        self.len(file::OUT_SIGNATURE)
    }

    fn check_disk(&self, name: &str) -> Result<u64> {
        let path = self.stand.bench.path(name);
        compare_sectors(&self.stand.bench.disk.path, &path, &self.stand.in_use)?;
        Ok(fs::metadata(path)?.blocks() * SECTOR)
    }

    /// Loads the image, after what it is a delta to, and compares disk and signature.
    fn check_image(&mut self, job: Job) -> Result<u64> {
        let base = match job {
            Job::Delta0 => Some(file::IMAGE),
            Job::Delta5 => Some(file::BASE),
            _ => None,
        };
        let digest = |name: &str| -> Result<[u8; 32]> {
            let Sha256(digest) = sha256_of(&self.stand.bench.path(name))?;
            Ok(digest)
        };
        let signature = job.is_signed().then(|| digest(file::OUT_SIGNATURE)).transpose()?;
        let seen = (base, digest(file::OUT_IMAGE)?, signature);
        if !self.known.contains(&seen) {
            self.stand.dump(self.programs, file::OUT_IMAGE)?;
            self.load(base)?;
            self.check_disk(file::CHECKED_DISK)?;
            if job.is_signed() {
                let signature = self.stand.signature(file::OUT_SIGNATURE)?;
                is_true(&signature, &self.stand.bench.path(file::CHECKED_DISK))?;
            }
            fs::remove_file(self.stand.bench.path(file::CHECKED_DISK))?;
            self.known.insert(seen);
        }
        self.len(file::OUT_IMAGE)
    }

    fn load(&self, base: Option<&str>) -> Result<()> {
        let target = self.stand.bench.path(file::CHECKED_DISK);
        for name in base.into_iter().chain([file::OUT_IMAGE]) {
            let image = self.stand.bench.path(name);
            stdout(self.programs.tool("imageunzip").arg("--quiet").arg(image).arg(&target))?;
        }
        Ok(())
    }

    fn len(&self, name: &str) -> Result<u64> {
        Ok(fs::metadata(self.stand.bench.path(name))?.len())
    }
}

/// Checks every entry of a signature against a disk.
fn is_true(signature: &Signature, disk: &Path) -> Result<()> {
    let disk = File::open(disk)?;
    let mut data = Vec::new();
    for entry in signature.iter() {
        data.resize(usize::try_from(entry.range.len().to_bytes().get())?, 0);
        disk.read_exact_at(&mut data, entry.range.start().to_bytes().get())?;
        ensure!(signature.digest(&data) == entry.digest, "wrong signature of {}", entry.range);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_disk::Slice;

    #[test]
    fn only_the_sectors_in_use_have_to_be_the_same() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let (left, right) = (directory.path().join("a"), directory.path().join("b"));
        let mut data = vec![0; 8 * 512];
        fs::write(&left, &data)?;
        data[3 * 512] = 1;
        fs::write(&right, &data)?;
        let slice = |start, sectors| Slice { start, sectors };
        compare_sectors(&left, &right, &[slice(0, 3), slice(4, 4)])?;
        assert!(compare_sectors(&left, &right, &[slice(2, 2)]).is_err());
        Ok(())
    }
}
