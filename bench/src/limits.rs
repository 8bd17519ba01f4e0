//! What this machine can do with the bench's data, without image format, engine and tools.

mod single;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use imagezip_core::codec::{Compressor, Decompress, Decompressor, Level, Piece};
use imagezip_core::digest::HashType;
use imagezip_core::ndz::{ChunkBuffer, Image, PIECE_MAX};

use crate::cores;
use crate::data::{self, Disk, Run};
use crate::measure::{Measure, timed};

/// What `cat` reads at once.
const CAT: usize = 128 << 10;
/// What is written at once, and read by each of several threads.
const LARGE: usize = 1 << 20;
/// A signature's hash block.
const BLOCK: usize = 64 << 10;

/// Measures each limit once.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// The disk.
    #[arg(long)]
    disk: PathBuf,
    /// A full image of it.
    #[arg(long)]
    image: PathBuf,
    /// A delta that holds what has changed.
    #[arg(long)]
    changed: PathBuf,
    /// The default level.
    #[arg(long)]
    level: u8,
    /// The level for fast disks.
    #[arg(long)]
    fast: u8,
    /// A file to write; it is removed.
    #[arg(long)]
    scratch: PathBuf,
    /// Of the chunks that one thread works on, those whose number modulo `parts` is this.
    #[arg(long, default_value_t = 0)]
    part: usize,
    /// Into how many parts the work of one thread is divided.
    #[arg(long, default_value_t = 1)]
    parts: usize,
}

impl Limits {
    pub(crate) fn run(self) -> Result<BTreeMap<&'static str, Measure>> {
        let level = Level::new(self.level).context("no such level")?;
        let fast = Level::new(self.fast).context("no such level")?;
        let mut limits = BTreeMap::new();
        let extents = data::extents(&self.image)?;
        limits.insert("read", read_as_cat(&self.disk, &data::runs(&extents, CAT))?);
        limits.insert("read-all-cores", read(&self.disk, &data::runs(&extents, LARGE))?);

        let changed = data::read(&self.disk, &data::extents(&self.changed)?)?;
        limits.insert("compress-changed", compress(&changed, level)?);
        drop(changed);

        let data = data::read(&self.disk, &extents)?;
        limits.insert("hash", hash(&data)?);
        limits.insert("compress", compress(&data, level)?);
        limits.insert("compress-fast", compress(&data, fast)?);
        let (unsynced, _) = write(&self.scratch, &data)?;
        limits.insert("write-disk", unsynced);
        single::measure(&data, self.part, self.parts, &mut limits)?;
        drop(data);

        let image = std::fs::read(&self.image)?;
        limits.insert("inflate", inflate(&image)?);
        let (unsynced, synced) = write(&self.scratch, &image)?;
        limits.insert("write-image", unsynced);
        limits.insert("write-image-synced", synced);
        Ok(limits)
    }
}

/// One thread, one buffer, in disk order.
fn read_as_cat(disk: &Path, runs: &[Run]) -> Result<Measure> {
    let disk = Disk::open(disk)?;
    let mut buffer = vec![0; CAT];
    let (time, ()) =
        timed(|| runs.iter().try_for_each(|run| data::read_run(&disk, *run, &mut buffer)))?;
    Ok(Measure::new(time, runs.iter().map(|run| run.len as u64).sum(), 0))
}

fn read(disk: &Path, runs: &[Run]) -> Result<Measure> {
    let disk = Disk::open(disk)?;
    let buffer = || vec![0; LARGE];
    cores::measure(runs.len(), buffer, |buffer, item| {
        data::read_run(&disk, runs[item], buffer)?;
        Ok((runs[item].len, 0))
    })
}

fn hash(data: &[u8]) -> Result<Measure> {
    let blocks: Vec<_> = data.chunks(BLOCK).collect();
    cores::measure(
        blocks.len(),
        || (),
        |(), item| {
            std::hint::black_box(HashType::Sha1.digest(blocks[item]));
            Ok((blocks[item].len(), 0))
        },
    )
}

/// In pieces as the engine makes them where extents are long.
fn compress(data: &[u8], level: Level) -> Result<Measure> {
    let pieces: Vec<_> = data.chunks(PIECE_MAX).collect();
    let state = || (Compressor::new(level), Piece::new());
    cores::measure(pieces.len(), state, |(compressor, piece), item| {
        compressor.compress(pieces[item], piece);
        Ok((pieces[item].len(), piece.deflate().len()))
    })
}

/// The image's chunks, from memory, to nowhere.
fn inflate(image: &[u8]) -> Result<Measure> {
    let image = Image::open(image)?;
    let state = || (Decompressor::new(), ChunkBuffer::new());
    let count = usize::try_from(image.chunk_count())?;
    cores::measure(count, state, |(decompressor, buffer), item| {
        let chunk = image.chunk(u32::try_from(item)?, buffer)?;
        let len = chunk.header().sector_count().to_bytes().get();
        decompressor.decompress(chunk.payload(), len, &mut |data| {
            std::hint::black_box(data);
            Ok(())
        })?;
        Ok((chunk.payload().len(), usize::try_from(len)?))
    })
}

/// Writes `data` to a new file: how long it took until all were in the page cache, and until they
/// were on the disk.
fn write(path: &Path, data: &[u8]) -> Result<(Measure, Measure)> {
    let mut file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let (unsynced, ()) =
        timed(|| data.chunks(LARGE).try_for_each(|part| Ok(file.write_all(part)?)))?;
    let (sync, ()) = timed(|| Ok(file.sync_data()?))?;
    drop(file);
    std::fs::remove_file(path)?;
    let measure = |time: Duration| Measure::new(time, data.len() as u64, data.len() as u64);
    Ok((measure(unsynced), measure(unsynced + sync)))
}
