//! Images into pipes and checksums: all bytes, one after the other.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{Error, ErrorKind, Place};
use imagezip_core::ndz::{CHUNK_BYTES, Image};
use imagezip_core::pipeline::{Arrival, Gaps, LoadProgress, Loaded, Workers, stream};
use imagezip_core::sector::Bytes;

use super::cksum::Cksum;
use super::report::Names;
use super::source::{Demands, Source};
use crate::output::Output;

/// The bytes that are written at once.
const BUFFER: usize = 256 * 1024;

/// An image that becomes a stream.
#[derive(Clone, Copy)]
pub struct Streaming<'a> {
    /// Where the image comes from.
    pub source: &'a Source,
    /// The image.
    pub image: &'a Image<'a, dyn ReadAt + 'a>,
    /// What it must be.
    pub demands: &'a Demands,
    /// What it and its target are called.
    pub names: &'a Names,
    /// The threads to work with.
    pub workers: &'a dyn Workers,
}

impl Streaming<'_> {
    /// Writes the image's data to `to`, with `gaps` between them.
    ///
    /// # Errors
    /// If the image is damaged, or `to` can't be written.
    pub fn write(
        &self,
        to: impl Write + Send,
        gaps: Gaps,
        progress: &LoadProgress,
    ) -> anyhow::Result<Loaded> {
        let mut to = BufWriter::with_capacity(BUFFER, to);
        let mut position = 0_u64;
        let mut out = |data: &[u8]| {
            to.write_all(data).map_err(|error| failed(position, &error))?;
            position = position.saturating_add(data.len() as u64);
            Ok(())
        };
        let loaded = self.each(gaps, &mut out, progress)?;
        to.flush().map_err(|error| self.names.explain(failed(position, &error)))?;
        Ok(loaded)
    }

    /// The checksum of what [`Streaming::write`] would write, and its length.
    ///
    /// # Errors
    /// If the image is damaged.
    pub fn checksum(
        &self,
        gaps: Gaps,
        progress: &LoadProgress,
    ) -> anyhow::Result<(Loaded, u32, u64)> {
        let mut cksum = Cksum::default();
        let mut out = |data: &[u8]| {
            cksum.update(data);
            Ok(())
        };
        let loaded = self.each(gaps, &mut out, progress)?;
        let (sum, len) = cksum.finish();
        Ok((loaded, sum, len))
    }

    fn each(
        &self,
        gaps: Gaps,
        out: &mut (dyn FnMut(&[u8]) -> imagezip_core::Result<()> + Send),
        progress: &LoadProgress,
    ) -> anyhow::Result<Loaded> {
        let loaded = self.source.with_arrival(self.image, self.demands, |arrival| {
            stream(self.workers, self.image, arrival, gaps, out, progress)
        });
        loaded.map_err(|error| self.names.explain(error))
    }

    /// Copies the image's chunks as they are to a file or to standard output. Their headers are
    /// checked, not their data: they may be encrypted.
    ///
    /// # Errors
    /// If a header is wrong, or the output can't be written. Then no file is left.
    pub fn copy_chunks(&self, to: &Path, progress: &LoadProgress) -> anyhow::Result<Loaded> {
        let mut output = Output::create(to)?;
        let loaded = self.source.with_arrival(self.image, self.demands, |arrival| {
            self.copy_each(arrival, &mut output, progress)
        });
        let loaded = loaded.with_context(|| format!("copying {}", self.names.image))?;
        output.finish()?;
        Ok(loaded)
    }

    fn copy_each(
        &self,
        arrival: Arrival<'_>,
        output: &mut Output,
        progress: &LoadProgress,
    ) -> anyhow::Result<Loaded> {
        let mut headers = self.image.each_header();
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut loaded = Loaded::default();
        for number in 0..self.image.chunk_count() {
            if let Arrival::InOrder(arrived) = arrival
                && !arrived(number)?
            {
                break;
            }
            headers.next_header()?;
            let at = Bytes(u64::from(number) * CHUNK_BYTES as u64);
            self.source.device().read_at(at, &mut buffer)?;
            output.write_all(&buffer).map_err(|error| output.explain(failed(at.get(), &error)))?;
            loaded.chunks += 1;
            loaded.end = Bytes(at.get() + buffer.len() as u64);
            progress.written.fetch_add(buffer.len() as u64, Ordering::Relaxed);
            progress.chunks.fetch_add(1, Ordering::Relaxed);
        }
        Ok(loaded)
    }
}

fn failed(position: u64, error: &std::io::Error) -> Error {
    ErrorKind::Write(error.raw_os_error().unwrap_or(0)).at(Place::Byte(Bytes(position)))
}
