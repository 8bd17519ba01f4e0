//! What is in files: digests, copies.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, ensure};
use imagezip_core::device::ReadAt;
use imagezip_core::digest::{Sha256, Sha256Hasher};
use imagezip_core::error::{Error, ErrorKind};
use imagezip_core::sector::Bytes;

/// How many bytes are read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How much.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// A file as the core reads it.
pub struct FileReader<'a> {
    file: &'a File,
    size: u64,
}

impl<'a> FileReader<'a> {
    /// Of a file whose size doesn't change.
    pub fn new(file: &'a File) -> io::Result<Self> {
        Ok(Self { file, size: file.metadata()?.len() })
    }
}

impl ReadAt for FileReader<'_> {
    fn size(&self) -> Bytes {
        Bytes(self.size)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::error::Result<()> {
        self.file.read_exact_at(buf, offset.get()).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::from(ErrorKind::Truncated),
            _ => Error::from(ErrorKind::Read(error.raw_os_error().unwrap_or_default())),
        })
    }
}

/// Reads a file of at most `limit` bytes.
pub fn read(mut file: &File, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    let read = u64::try_from(read).unwrap_or(u64::MAX);
    ensure!(read <= limit, "it is longer than {limit} bytes");
    Ok(bytes)
}

/// The digest of a file.
pub fn digest(file: &File) -> io::Result<Contents> {
    transfer(file, None)
}

/// Copies a file into an empty one, makes that durable, and returns what it holds. Where the file
/// system can share the data they are shared.
pub fn copy(from: &File, to: &File) -> anyhow::Result<Contents> {
    let shared = rustix::fs::ioctl_ficlone(to, from).is_ok();
    let contents =
        if shared { transfer(to, None) } else { transfer(from, Some(to)) }.context("copying")?;
    to.sync_all().context("making the copy durable")?;
    Ok(contents)
}

fn transfer(mut from: &File, mut to: Option<&File>) -> io::Result<Contents> {
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut bytes = 0_u64;
    from.seek(SeekFrom::Start(0))?;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(Contents { bytes, sha256: hasher.finish() }),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let data = buffer.get(..read).unwrap_or_default();
        hasher.update(data);
        if let Some(to) = &mut to {
            to.write_all(data)?;
        }
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or_default());
    }
}
