//! Codecs by themselves, on one core.

#[cfg(feature = "c-codecs")]
mod c;
mod rust;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use imagezip_core::codec::Decompressor;
use serde::Serialize;

use crate::data;
use crate::measure::{Measure, cpu_timed};

/// What is compressed as one stream: a few times what a chunk has room for would be cut, less
/// would be unfair to those that learn.
const STREAM: usize = 1 << 20;

/// Makes zlib streams, and data of them again.
pub(crate) trait Codec {
    /// The library, and the level.
    fn name(&self) -> (&'static str, u8);

    /// `data` as one zlib stream.
    fn compress(&mut self, data: &[u8]) -> Result<Vec<u8>>;

    /// Inflates `stream` into `data`, which it fills exactly.
    fn inflate(&mut self, stream: &[u8], data: &mut [u8]) -> Result<()>;
}

/// Stock zlib, unless this program was built without it.
#[cfg(feature = "c-codecs")]
#[expect(clippy::unnecessary_wraps, reason = "as without it")]
pub(crate) fn zlib(level: u8) -> Option<Box<dyn Codec>> {
    Some(Box::new(c::Zlib::new(level)))
}

#[cfg(not(feature = "c-codecs"))]
pub(crate) fn zlib(_: u8) -> Option<Box<dyn Codec>> {
    None
}

fn all() -> Vec<Box<dyn Codec>> {
    let mut all: Vec<Box<dyn Codec>> = Vec::new();
    for level in 0..=9 {
        all.extend(rust::Own::new(level).map(|codec| Box::new(codec) as Box<dyn Codec>));
    }
    for level in [1, 4, 6] {
        all.push(Box::new(rust::Miniz::new(level)));
    }
    for level in 1..=6 {
        all.push(Box::new(rust::ZlibRs::new(level)));
    }
    all.extend([1, 4, 6].into_iter().filter_map(zlib));
    #[cfg(feature = "c-codecs")]
    for level in [1, 2, 4, 6] {
        all.extend(c::Libdeflate::new(level).map(|codec| Box::new(codec) as Box<dyn Codec>));
    }
    all
}

/// Measures every codec with the same data on one core.
#[derive(Debug, Args)]
pub(crate) struct Codecs {
    /// The disk.
    #[arg(long)]
    disk: PathBuf,
    /// A full image of it.
    #[arg(long)]
    image: PathBuf,
    /// How many bytes to take, evenly from all that are in use.
    #[arg(long)]
    bytes: usize,
    /// How often to measure; the best counts.
    #[arg(long)]
    rounds: usize,
    /// Leaves the data in this file, for programs that read files.
    #[arg(long)]
    corpus: PathBuf,
}

/// What one codec did, the best time of all rounds, in CPU time of the thread.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    codec: &'static str,
    level: u8,
    compress: Measure,
    /// Its own streams with its own decoder.
    inflate: Measure,
    /// Its own streams with the decoder of the tools and the agent.
    inflate_here: Measure,
}

impl Codecs {
    pub(crate) fn run(self) -> Result<Vec<Row>> {
        let data = data::read(&self.disk, &data::extents(&self.image)?)?;
        let corpus = sample(&data, self.bytes);
        drop(data);
        std::fs::write(&self.corpus, &corpus)?;

        let mut codecs = all();
        let mut rows: Vec<Row> = Vec::new();
        for round in 0..self.rounds.max(1) {
            for (number, codec) in codecs.iter_mut().enumerate() {
                let fresh = measure(codec.as_mut(), &corpus)?;
                match rows.get_mut(number).filter(|_| round > 0) {
                    Some(row) => {
                        row.compress = row.compress.better(fresh.compress);
                        row.inflate = row.inflate.better(fresh.inflate);
                        row.inflate_here = row.inflate_here.better(fresh.inflate_here);
                    }
                    None => rows.push(fresh),
                }
            }
        }
        Ok(rows)
    }
}

/// Every so manieth stream's worth of `data`, so that there are about `bytes`.
fn sample(data: &[u8], bytes: usize) -> Vec<u8> {
    let step = (data.len() / bytes.max(1)).max(1);
    data.chunks_exact(STREAM).step_by(step).flatten().copied().collect()
}

fn measure(codec: &mut dyn Codec, corpus: &[u8]) -> Result<Row> {
    let (name, level) = codec.name();
    let bytes = corpus.len() as u64;
    let (time, streams) = cpu_timed(|| {
        corpus.chunks(STREAM).map(|data| codec.compress(data)).collect::<Result<Vec<_>>>()
    })?;
    let size = streams.iter().map(|stream| stream.len() as u64).sum();
    let mut decompressor = Decompressor::new();
    let by_codec = |stream: &[u8], out: &mut [u8]| codec.inflate(stream, out);
    let here = |stream: &[u8], out: &mut [u8]| rust::inflate_here(&mut decompressor, stream, out);
    Ok(Row {
        codec: name,
        level,
        compress: Measure::new(time, bytes, size),
        inflate: inflate(&streams, corpus, by_codec).with_context(|| format!("{name} {level}"))?,
        inflate_here: inflate(&streams, corpus, here).with_context(|| format!("{name} {level}"))?,
    })
}

/// Inflates all streams, each of which has to give what it was made of.
fn inflate(
    streams: &[Vec<u8>],
    corpus: &[u8],
    mut work: impl FnMut(&[u8], &mut [u8]) -> Result<()>,
) -> Result<Measure> {
    let mut out = vec![0; STREAM];
    let (mut time, mut size) = (Duration::ZERO, 0);
    for (stream, data) in streams.iter().zip(corpus.chunks(STREAM)) {
        let out = &mut out[..data.len()];
        time += cpu_timed(|| work(stream, out))?.0;
        size += stream.len() as u64;
        ensure!(out == data, "other data come back");
    }
    Ok(Measure::new(time, size, corpus.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_codecs_give_back_what_they_got() {
        let corpus: Vec<u8> =
            (0..3 * STREAM / 2).map(|i| ((i * i) >> 7).to_le_bytes()[0]).collect();
        for mut codec in all() {
            let row = measure(codec.as_mut(), &corpus).unwrap();
            assert_eq!(row.compress.bytes, corpus.len() as u64);
        }
    }

    #[test]
    fn a_sample_is_taken_evenly() {
        let data: Vec<u8> = (0..8).flat_map(|number| vec![number; STREAM]).collect();
        let taken = sample(&data, 4 * STREAM);
        assert_eq!(taken.len(), 4 * STREAM);
        assert!(taken.chunks(STREAM).zip([0, 2, 4, 6]).all(|(part, number)| part[0] == number));
    }
}
