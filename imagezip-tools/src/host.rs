//! A host's files, disks and threads, as `imagezip-core` wants them.

mod arriving;
mod direct;
mod retrying;
mod target_file;
mod target_reader;

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::thread;

use anyhow::{Context, ensure};
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::partition::LogicalSectorSize;
use imagezip_core::pipeline::Workers;
use imagezip_core::sector::Bytes;
use rustix::fs::{Advice, fadvise};

pub use arriving::ArrivingFile;
pub(crate) use direct::{Buffer, Direct};
pub use retrying::Retrying;
pub use target_file::TargetFile;
pub use target_reader::TargetReader;

/// A file or block device, read at any position.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    size: Bytes,
    kind: FileKind,
}

/// What kind of file a [`FileDevice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A block device.
    Block {
        /// The bytes of its logical sectors.
        sector: u32,
    },
    /// Anything else.
    Other,
}

impl FileDevice {
    /// Opens the file or block device at `path` for reading.
    ///
    /// # Errors
    /// If it can't be opened or its size can't be found out.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_with(path, File::options().read(true))
    }

    /// Opens the file or block device at `path` for reading and writing.
    ///
    /// # Errors
    /// As [`FileDevice::open`].
    pub fn open_for_writing(path: &Path) -> anyhow::Result<Self> {
        Self::open_with(path, File::options().read(true).write(true))
    }

    /// As [`FileDevice::open_for_writing`]; where there is nothing, an empty file is made.
    ///
    /// # Errors
    /// As [`FileDevice::open`].
    pub fn open_or_create(path: &Path) -> anyhow::Result<Self> {
        let mut options = File::options();
        // What is there stays: a delta needs what it is a delta to.
        Self::open_with(path, options.read(true).write(true).create(true).truncate(false))
    }

    fn open_with(path: &Path, options: &OpenOptions) -> anyhow::Result<Self> {
        let file = options.open(path).with_context(|| format!("opening {}", path.display()))?;
        // One can be opened, and has a size.
        let directory = file.metadata().is_ok_and(|metadata| metadata.is_dir());
        ensure!(!directory, "{} is a directory", path.display());
        Self::new(file).with_context(|| format!("finding the size of {}", path.display()))
    }

    /// An open file.
    ///
    /// # Errors
    /// If its size can't be found out.
    pub fn new(file: File) -> io::Result<Self> {
        // The end of a block device is found by seeking; its metadata says 0.
        let size = io::Seek::seek(&mut &file, io::SeekFrom::End(0))?;
        let kind = FileKind::of(&file)?;
        Ok(Self { file, size: Bytes(size), kind })
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// What kind of file it is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The bytes of the device's logical sectors, in which its partition table counts. A file has
    /// sectors of 512 bytes.
    ///
    /// # Errors
    /// The size, if it is one that disks don't have.
    pub fn logical_sector_size(&self) -> Result<LogicalSectorSize, u32> {
        match self.kind {
            FileKind::Block { sector } => LogicalSectorSize::new(sector.into()).ok_or(sector),
            FileKind::Regular | FileKind::Other => Ok(LogicalSectorSize::B512),
        }
    }
}

impl FileKind {
    /// What kind of file an open file is.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub fn of(file: &File) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        Ok(if kind.is_file() {
            Self::Regular
        } else if kind.is_block_device() {
            Self::Block { sector: rustix::fs::ioctl_blksszget(file)? }
        } else {
            Self::Other
        })
    }
}

impl ReadAt for FileDevice {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        self.file.read_exact_at(buf, offset.get()).map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::UnexpectedEof => ErrorKind::Truncated,
                _ => ErrorKind::Read(error.raw_os_error().unwrap_or(0)),
            };
            kind.at(Place::Byte(offset))
        })
    }

    fn will_need(&self, offset: Bytes, len: u64) {
        // What can't be fetched early is fetched when it is read.
        let _ = fadvise(&self.file, offset.get(), NonZeroU64::new(len), Advice::WillNeed);
    }
}

/// The host's threads, one for each CPU unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Threads(usize);

impl Threads {
    /// So many threads; at least one.
    pub fn new(count: usize) -> Self {
        Self(count.max(1))
    }

    /// One thread for each CPU that this process may use.
    pub fn all_cpus() -> Self {
        Self(thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Workers for Threads {
    fn count(&self) -> usize {
        self.0
    }

    fn run(&self, body: &(dyn Fn(usize) + Sync)) {
        thread::scope(|scope| {
            for number in 0..self.0 {
                scope.spawn(move || body(number));
            }
        });
    }
}
