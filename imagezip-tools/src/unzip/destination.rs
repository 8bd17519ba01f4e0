//! Where the data of an image go.

use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use imagezip_core::device::ReadAt;
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::relocation::Placement;
use rustix::fs::OFlags;

use crate::host::{FileDevice, FileKind};
use crate::partition::find;
use crate::target;
use crate::unfinished::{Guard, making};

/// What data are written to.
#[derive(Debug)]
pub enum Destination {
    /// A disk or a regular file: each where it belongs.
    Device(FileDevice),
    /// A pipe or the like: all, one after the other.
    Stream(File),
}

/// A target, open.
#[derive(Debug)]
pub struct Opened {
    /// The target.
    pub destination: Destination,
    /// The file, if it was made for this: of no use until it is complete.
    created: Option<Guard>,
}

impl Opened {
    /// Whether it is a file that was made for this.
    pub fn is_new(&self) -> bool {
        self.created.is_some()
    }

    /// The target has what it should: a file that was made stays.
    pub fn keep(self) {
        if let Some(guard) = self.created {
            guard.disarm();
        }
    }
}

impl From<Destination> for Opened {
    fn from(destination: Destination) -> Self {
        Self { destination, created: None }
    }
}

/// Whether `path` means standard output.
pub fn is_standard_output(path: Option<&Path>) -> bool {
    path.is_none_or(|path| path == Path::new("-") || path == Path::new("/dev/stdout"))
}

impl Opened {
    /// Opens the target at `path`, for which nothing, `-` and `/dev/stdout` mean standard output.
    /// A regular file is made if there is none, and goes again unless [`Opened::keep`] is called;
    /// nothing of one that is there is lost. A disk that is in use is refused unless `force` is
    /// set.
    ///
    /// # Errors
    /// If it is in use, or can't be opened for reading and writing.
    pub fn open(path: Option<&Path>, force: bool) -> anyhow::Result<Self> {
        let Some(path) = path.filter(|_| !is_standard_output(path)) else {
            return standard_output().map(Self::from).context("opening standard output");
        };
        let opening = || format!("opening {}", path.display());
        let there = match fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(opening),
        };
        let Some(metadata) = there else {
            let (device, created) = making(|| {
                let device = FileDevice::open_or_create(path)?;
                // Through a link that leads nowhere, the file is made there.
                let made = fs::canonicalize(path).with_context(opening)?;
                anyhow::Ok((device, Some(Guard::new(&made).with_context(opening)?)))
            })?;
            let destination = Destination::Device(device);
            return Ok(Self { destination, created });
        };
        ensure!(!metadata.is_dir(), "{} is a directory", path.display());
        let kind = metadata.file_type();
        let seekable = kind.is_file() || kind.is_block_device();
        if !seekable {
            let file = File::options().write(true).open(path).with_context(opening)?;
            return Ok(Destination::Stream(file).into());
        }
        let device = FileDevice::new(target::open(path, force)?).with_context(opening)?;
        Ok(Destination::Device(device).into())
    }
}

/// A regular file is written as one only from its start: a shell may have made it go on after
/// what others have written, and then positions in it mean nothing.
fn standard_output() -> io::Result<Destination> {
    let mut file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let regular = FileKind::of(&file)? == FileKind::Regular;
    let appends = || Ok::<_, io::Error>(rustix::fs::fcntl_getfl(&file)?.contains(OFlags::APPEND));
    if regular && !appends()? && file.stream_position()? == 0 {
        return Ok(Destination::Device(FileDevice::new(file)?));
    }
    Ok(Destination::Stream(file))
}

/// The sector size in which a device's partition table counts.
///
/// # Errors
/// If it is one that disks don't have.
pub fn sector_size(device: &FileDevice, name: &str) -> anyhow::Result<LogicalSectorSize> {
    device
        .logical_sector_size()
        .map_err(|size| anyhow::anyhow!("{name} has sectors of {size} bytes; 512 or 4096 work"))
}

/// Where partition `number` of a disk is.
///
/// # Errors
/// If there is none, or its limits can't be right and `force` isn't set.
pub fn partition(
    device: &FileDevice,
    name: &str,
    number: u32,
    force: bool,
) -> anyhow::Result<Placement> {
    let size = sector_size(device, name)?;
    ensure!(device.size().get() > 0, "{name} is empty; -s needs a disk with a partition table");
    let found = find(device, name, size, number)?;
    if let Some(doubt) = found.doubt.filter(|_| !force) {
        bail!("partition {number} of {name} {doubt}; use --force to load into it");
    }
    Ok(Placement::partition(found.range))
}
