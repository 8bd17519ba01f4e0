//! What `imagehash` has done.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use imagezip_core::pipeline::{Checked, Differences};
use imagezip_core::sector::{Bytes, SectorCount};
use imagezip_core::signature::Signature;
use serde::Serialize;

use super::super::exit::print;
use super::{Exit, Imagehash};
use crate::hash::{Consistency, Stretch};
use crate::host::Threads;
use crate::progress::{ByteMeter, Show, watch};

/// Work that has begun.
pub(super) struct Work {
    pub(super) workers: Threads,
    /// Whether a bar is shown.
    bar: bool,
    /// The bytes that were hashed or compared.
    pub(super) done: AtomicU64,
    begun: Instant,
}

impl Work {
    /// Does `work`, which is `what` to so many bytes and counts them in [`Work::done`], and shows
    /// how far it is.
    pub(super) fn watch<T>(&self, what: &str, total: Bytes, work: impl FnOnce() -> T) -> T {
        let show = Show { bar: self.bar, dots: None };
        watch(&ByteMeter::new(what, &self.done, total), show, work)
    }

    /// The statistics of work with a signature.
    pub(super) fn about(
        &self,
        image: &Path,
        file: Option<&Path>,
        signature: &Signature,
    ) -> Statistics {
        Statistics {
            signature: file.map(|file| file.display().to_string()),
            digest: Some(signature.hash_type().to_string()),
            block_size: Some(u64::from(signature.block().sectors()) * 512),
            entries: Some(signature.len() as u64 + u64::from(signature.remainder().is_some())),
            sectors: covered(signature).get(),
            ..self.plain(image)
        }
    }

    /// The statistics of a comparison of bytes.
    pub(super) fn compared(&self, image: &Path, device: &Path, sum: &Differences) -> Statistics {
        Statistics {
            device: Some(device.display().to_string()),
            sectors: sum.sectors.get(),
            differing: Some(sum.differing.get()),
            missing: Some(sum.missing.get()),
            differing_bytes: Some(sum.bytes),
            ..self.plain(image)
        }
    }

    fn plain(&self, image: &Path) -> Statistics {
        Statistics {
            image: image.display().to_string(),
            bytes: self.done.load(Ordering::Relaxed),
            time: self.begun.elapsed(),
            ..Statistics::default()
        }
    }
}

/// The number of sectors that a signature has entries for.
pub(super) fn covered(signature: &Signature) -> SectorCount {
    let lens = signature.iter().map(|entry| entry.range.len());
    lens.fold(SectorCount::ZERO, SectorCount::saturating_add)
}

/// What was done; the keys of the JSON output.
#[derive(Debug, Default, Serialize)]
pub(super) struct Statistics {
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// The type of digest; none where bytes were compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    /// The sectors that the signature or the image has.
    sectors: u64,
    /// Entries or, where bytes were compared, sectors that differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    differing: Option<u64>,
    /// Entries or sectors that are not on the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differing_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differing_chunk_numbers: Option<u64>,
    /// What differs about a signature as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<Stretch>>,
    /// Runs of sectors that differ and are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences_left_out: Option<u64>,
    /// The bytes that were hashed or compared.
    bytes: u64,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    time: Duration,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

impl Statistics {
    /// Adds what a check of a device found.
    pub(super) fn checked(self, device: &Path, checked: &Checked) -> Self {
        Self {
            device: Some(device.display().to_string()),
            differing: Some(checked.differing),
            missing: Some(checked.missing),
            ..self
        }
    }

    /// Adds what a check of a signature found.
    pub(super) fn consistent(self, found: &Consistency) -> Self {
        Self {
            header: Some(found.header.clone()),
            differing: Some(found.wrong),
            differing_chunk_numbers: Some(found.chunk_numbers),
            ..self
        }
    }

    /// Adds what differs.
    pub(super) fn with(self, found: Vec<Stretch>, left_out: u64) -> Self {
        Self { differences: Some(found), differences_left_out: Some(left_out), ..self }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.entries.unwrap_or(self.sectors);
        let what = if self.entries.is_some() { "hashes" } else { "sectors" };
        let missing = self.missing.unwrap_or(0);
        if let Some(differing) = self.differing {
            write!(f, "{} of {total} {what} bad", differing.saturating_add(missing))?;
        } else {
            write!(f, "{}: {total} {what}", self.image)?;
        }
        if missing > 0 {
            write!(f, ", {missing} of them beyond the end of the device")?;
        }
        if let Some(bytes) = self.differing_bytes.filter(|bytes| *bytes > 0) {
            write!(f, ", {bytes} bytes")?;
        }
        if let Some(count) = self.differing_chunk_numbers.filter(|count| *count > 0) {
            write!(f, ", {count} with another chunk's number")?;
        }
        if let (Some(digest), Some(block_size)) = (&self.digest, self.block_size) {
            write!(f, "; {digest}, blocks of {block_size} bytes")?;
        }
        // Bytes per microsecond are megabytes per second.
        let rate = u128::from(self.bytes) / self.time.as_micros().max(1);
        let seconds = self.time.as_secs_f64();
        writeln!(f, "\n{} bytes in {seconds:.3} seconds, {rate} MB/second", self.bytes)
    }
}

impl Imagehash {
    /// Begins some work.
    pub(super) fn work(&self) -> Work {
        let bar = !self.quiet && !self.json;
        Work { workers: self.workers(), bar, done: AtomicU64::new(0), begun: Instant::now() }
    }

    /// Prints statistics, if wanted.
    pub(super) fn tell(&self, statistics: &Statistics) -> anyhow::Result<Exit> {
        if self.json {
            return print(&(serde_json::to_string(statistics)? + "\n"));
        }
        if !self.quiet {
            eprint!("{statistics}");
        }
        Ok(Exit::OK)
    }
}
