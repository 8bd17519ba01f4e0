//! A host's files, disks and threads, as `imagezip-core` wants them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use anyhow::Context;
use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::pipeline::Workers;
use imagezip_core::sector::Bytes;

/// A file or block device, read at any position.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    size: Bytes,
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

    fn open_with(path: &Path, options: &OpenOptions) -> anyhow::Result<Self> {
        let file = options.open(path).with_context(|| format!("opening {}", path.display()))?;
        // The end of a block device is found by seeking; its metadata says 0.
        let size = io::Seek::seek(&mut &file, io::SeekFrom::End(0))
            .with_context(|| format!("finding the size of {}", path.display()))?;
        Ok(Self { file, size: Bytes(size) })
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
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
}

/// The host's threads, one for each CPU unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Threads(usize);

impl Threads {
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
