//! What is said about a load.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use imagezip_core::Error;
use imagezip_core::error::{ErrorKind, Limit, Place};
use imagezip_core::pipeline::Loaded;
use imagezip_core::sector::Bytes;
use serde::Serialize;

use super::meter::LoadMeter;

/// What the image and its target are called.
#[derive(Clone, Debug)]
pub struct Names {
    /// The image.
    pub image: String,
    /// The target.
    pub target: String,
}

impl Names {
    /// Says which of the two an error is about, and the system's reason for it.
    pub fn explain(&self, error: Error) -> anyhow::Error {
        let reason = |code: i32| match code {
            0 => String::new(),
            code => format!(": {}", io::Error::from_raw_os_error(code)),
        };
        let context = match error.kind {
            ErrorKind::Write(code) => format!("writing {}{}", self.target, reason(code)),
            ErrorKind::Read(code) => format!("reading {}{}", self.image, reason(code)),
            _ => format!("loading {}", self.image),
        };
        anyhow::Error::new(error).context(context)
    }

    /// As [`Names::explain`], when the target has room up to the byte `room`.
    pub fn explain_room(&self, error: Error, room: Option<Bytes>) -> anyhow::Error {
        let (Place::Sector(end), ErrorKind::TooLarge(Limit::Target), Some(room)) =
            (error.place, &error.kind, room)
        else {
            return self.explain(error);
        };
        let (image, target) = (&self.image, &self.target);
        let (end, room) = (end.to_bytes(), room.whole_sectors().to_bytes());
        anyhow::Error::new(error).context(format!(
            "{image} would end at byte {end} of {target}, which ends at byte {room}; \
             nothing was written"
        ))
    }
}

/// Statistics of a load.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The image's file.
    pub image: String,
    /// What it was written to.
    pub target: String,
    /// The image's chunks.
    pub chunks: u64,
    /// Those of them whose data were read.
    pub chunks_read: u64,
    /// The bytes of the target that were compared with a signature, if that was asked for.
    pub compared: Option<u64>,
    /// The bytes of data that the target had already, if that was asked for.
    pub avoided: Option<u64>,
    /// The bytes of data written.
    pub written: u64,
    /// The bytes written where the image holds nothing.
    pub filled: u64,
    /// The bytes discarded there.
    pub discarded: u64,
    /// The bytes there that were left as they were.
    pub skipped: u64,
    /// The byte of the target at which the image ends.
    pub end: u64,
    /// The bytes that were read back and compared, if that was asked for.
    pub verified: Option<u64>,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// About what was loaded, in so many seconds. What nobody asked for is not in it.
    pub fn new(names: &Names, loaded: &Loaded, meter: &LoadMeter, seconds: f64) -> Self {
        let LoadMeter { progress, verify, converge, .. } = meter;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            image: names.image.clone(),
            target: names.target.clone(),
            chunks: loaded.chunks,
            chunks_read: count(&progress.chunks_read),
            compared: converge.then(|| count(&progress.compared)),
            avoided: converge.then(|| count(&progress.avoided)),
            written: count(&progress.written),
            filled: count(&progress.filled),
            discarded: count(&progress.discarded),
            skipped: count(&progress.skipped),
            end: loaded.end.get(),
            verified: verify.then(|| count(&progress.verified)),
            seconds,
        }
    }

    /// The statistics as JSON.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn json(&self) -> anyhow::Result<String> {
        serde_json::to_string(self).context("statistics")
    }

    /// The statistics for people.
    pub fn text(&self) -> String {
        let Self { chunks, written, filled, discarded, skipped, seconds, .. } = self;
        let avoided = match self.avoided {
            None => String::new(),
            Some(avoided) => {
                format!(", {avoided} were there already; {} chunks read", self.chunks_read)
            }
        };
        format!(
            "{chunks} chunks, {written} bytes of data written{avoided} in {seconds:.3} seconds; \
             free: {filled} bytes filled, {discarded} discarded, {skipped} left as they were"
        )
    }
}
