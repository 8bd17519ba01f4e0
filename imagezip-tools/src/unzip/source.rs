//! Where an image comes from.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, bail};
use imagezip_core::device::ReadAt;
use imagezip_core::error::Result;
use imagezip_core::ndz::{ChunkHeader, HEADER_BYTES, Image, Version};
use imagezip_core::pipeline::{Arrival, Workers};
use imagezip_core::sector::SectorCount;

use super::report::Names;
use crate::commands::values::ImageId;
use crate::host::{ArrivingFile, FileDevice, FileKind, Retrying};
use crate::keys::KeyRing;

/// An image, as far as it is there.
#[derive(Debug)]
pub enum Source {
    /// In a file: all of it.
    File(Retrying<FileDevice>),
    /// From a pipe: one chunk after the other.
    Pipe(ArrivingFile<File>),
}

/// What an image must be.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// The keys to its chunks. If there is one for signatures, all chunks must be signed.
    pub keys: KeyRing,
    /// Its identity.
    pub id: Option<ImageId>,
}

/// How much an image is, as far as it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amount {
    /// The version of its first chunk, if it has any.
    pub version: Option<Version>,
    /// Its chunks.
    pub chunks: u32,
    /// The sectors that it holds.
    pub data: SectorCount,
}

impl Demands {
    fn check_identity(&self, found: Option<[u8; 16]>, names: &Names) -> anyhow::Result<()> {
        match (self.id, found) {
            (None, _) => Ok(()),
            (Some(wanted), Some(id)) if id == wanted.0 => Ok(()),
            (Some(_), Some(id)) => bail!(
                "{} has the identity {:032x}, not the one that -u demands",
                names.image,
                u128::from_be_bytes(id)
            ),
            (Some(_), None) => bail!(
                "{} has no identity, but -u demands one; only versions 4 and 5 have it",
                names.image
            ),
        }
    }
}

impl Source {
    /// Opens the image at `path`; `-` is standard input. A read that fails is tried `retries`
    /// times again.
    ///
    /// # Errors
    /// If it can't be opened, or the first chunk can't be read from a pipe.
    pub fn open(path: &Path, retries: u32, workers: &dyn Workers) -> anyhow::Result<Self> {
        let opening = || format!("opening {}", path.display());
        let mut file = if path == Path::new("-") {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(path)
        }
        .with_context(opening)?;
        let seekable = FileKind::of(&file).with_context(opening)? != FileKind::Other;
        if seekable && file.stream_position().with_context(opening)? == 0 {
            let device = FileDevice::new(file).with_context(opening)?;
            return Ok(Self::File(Retrying::new(device, retries)));
        }
        // As many as are worked on, the one that comes next, and one that is asked for too early.
        let most = workers.count().saturating_mul(2).saturating_add(2);
        let reading = || format!("reading {}", path.display());
        Ok(Self::Pipe(ArrivingFile::new(file, most).with_context(reading)?))
    }

    /// The image's bytes.
    pub fn device(&self) -> &dyn ReadAt {
        match self {
            Self::File(device) => device,
            Self::Pipe(arriving) => arriving,
        }
    }

    /// Checks all that can be known of the image before its data are read, and says how much it
    /// is.
    ///
    /// # Errors
    /// If a header is wrong, or the image is not what it must be.
    pub fn check(
        &self,
        image: &Image<'_, dyn ReadAt + '_>,
        demands: &Demands,
        names: &Names,
    ) -> anyhow::Result<Amount> {
        let mut amount = Amount::default();
        if let Self::File(_) = self {
            let count = |header: &ChunkHeader<'_>| {
                demands.keys.check_signed(header, amount.chunks)?;
                amount.chunks = amount.chunks.saturating_add(1);
                amount.data = amount.data.saturating_add(header.sector_count());
                Ok(())
            };
            image.headers(&mut { count }).map_err(|error| names.explain(error))?;
        }
        if self.device().size().get() > 0 {
            let mut area = [0; HEADER_BYTES];
            let header = image.read_header(0, &mut area).map_err(|error| names.explain(error))?;
            amount.version = Some(header.version());
            // All chunks of an image have the same identity, which is checked as they are read.
            demands.check_identity(header.image_id(), names)?;
        }
        Ok(amount)
    }

    /// Calls `work` with how the image arrives, and with each chunk checked as it does.
    pub fn with_arrival<T>(
        &self,
        image: &Image<'_, dyn ReadAt + '_>,
        demands: &Demands,
        work: impl FnOnce(Arrival<'_>) -> T,
    ) -> T {
        let Self::Pipe(arriving) = self else {
            return work(Arrival::Complete);
        };
        let arrived = |number| -> Result<bool> {
            let there = arriving.arrived(number)?;
            if there {
                let mut area = [0; HEADER_BYTES];
                demands.keys.check_signed(&image.read_header(number, &mut area)?, number)?;
            }
            Ok(there)
        };
        work(Arrival::InOrder(&arrived))
    }
}
