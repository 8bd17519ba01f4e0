//! Output files that are complete or not there.
//!
//! A tool may be killed, a disk may run full, a server may go away. What is then under the name of
//! the result must never read as an image, and a result that was there before must still be there.
//! So:
//!
//! * A new file is written in place, so that others can watch it grow, but its first 4096 bytes,
//!   without which it is no image, come last: when everything else is on the disk.
//! * A file that exists is replaced in one step at the end. Until then a temporary file beside it
//!   holds the result.
//! * An [`Output`] that is dropped without [`Output::finish`] removes what it wrote.
//! * What shall be on the disk at the end goes there around the page cache (`behind.rs`).
//! * Devices, pipes and the standard output are written as they are: nothing can be taken back.

mod behind;
mod place;
mod small;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use anyhow::{Context, ensure};
use imagezip_core::device::ReadAt;
use imagezip_core::error::{Error, ErrorKind, Place};
use imagezip_core::sector::Bytes;

use behind::Behind;
use place::{Destination, NamedFile, destination};
pub use small::write_atomically;

/// How much of a file is withheld until the rest is safe: the header of an image's first chunk.
const WITHHELD: usize = 4096;

/// A file, device or stream that a result is written to, from its start to its end.
///
/// What is written must end with [`Output::finish`]; else the file is removed.
#[derive(Debug)]
pub struct Output {
    name: String,
    to: To,
    sync: bool,
    /// Where the next byte goes.
    position: u64,
    /// Why the last write failed.
    failure: Option<io::Error>,
}

#[derive(Debug)]
enum To {
    Regular {
        /// What writes for us, if the result has to be on the disk at the end. It ends before the
        /// file is closed or removed.
        behind: Option<Box<Behind>>,
        file: NamedFile,
        head: Vec<u8>,
    },
    Stream(File),
}

impl Output {
    /// Opens `path` for writing; `-` is the standard output.
    ///
    /// # Errors
    /// If it can't be created or opened, or is a terminal.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let name = if path == Path::new("-") {
            "the standard output".to_owned()
        } else {
            path.display().to_string()
        };
        let to = open(path).with_context(|| format!("cannot write {name}"))?;
        if let To::Stream(file) = &to {
            let terminal = io::IsTerminal::is_terminal(file);
            ensure!(!terminal, "{name} is a terminal: give a file name, or send it to a program");
        }
        Ok(Self { name, to, sync: true, position: 0, failure: None })
    }

    /// Whether to wait until the result is on the disk (it is by default). Without it the order in
    /// which the file's parts get there is the kernel's, which matters when the power fails.
    #[must_use]
    pub fn synced(mut self, sync: bool) -> Self {
        self.sync = sync;
        if let (To::Regular { behind, .. }, false) = (&mut self.to, sync) {
            *behind = None;
        }
        self
    }

    /// What people call this output.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes have been written.
    pub fn len(&self) -> Bytes {
        Bytes(self.position)
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.position == 0
    }

    /// Replaces bytes that have been written. Returns false, and does nothing, if they are in a
    /// stream, which can't be changed.
    ///
    /// # Errors
    /// If the bytes have not been written yet, or from the file.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> anyhow::Result<bool> {
        let written =
            offset.checked_add(bytes.len() as u64).is_some_and(|end| end <= self.position);
        ensure!(written, "{}: changing what is not there yet", self.name);
        self.settle()?;
        let To::Regular { file, head, .. } = &mut self.to else { return Ok(false) };
        put(file.file(), head, offset, bytes).with_context(|| format!("writing {}", self.name))?;
        Ok(true)
    }

    /// Whether the result is in a file, so that it can be read and changed.
    pub fn is_file(&self) -> bool {
        matches!(self.to, To::Regular { .. })
    }

    /// What has been written, for reading back, if it is in a file.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn written(&mut self) -> anyhow::Result<Option<Written<'_>>> {
        self.settle()?;
        Ok(match &self.to {
            To::Regular { file, head, .. } => {
                Some(Written { file: file.file(), head, size: Bytes(self.position) })
            }
            To::Stream(_) => None,
        })
    }

    /// Waits until the file holds everything that was written.
    fn settle(&mut self) -> anyhow::Result<()> {
        let To::Regular { behind: Some(behind), .. } = &mut self.to else { return Ok(()) };
        behind.settle().map_err(|error| not_written(&self.name, &error))
    }

    /// Makes the result durable and gives it its name.
    ///
    /// # Errors
    /// If the system could not store something that it had accepted before, as servers and full
    /// disks do. Then the file is removed, and one that was there before is still there.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.settle()?;
        let Self { name, to, sync, position, .. } = self;
        let result = match to {
            To::Regular { file, head, behind } => {
                drop(behind);
                complete(file, &head, position, sync)
            }
            To::Stream(mut file) => file.flush().and_then(|()| {
                let kind = file.metadata()?.file_type();
                if sync && (kind.is_file() || kind.is_block_device()) {
                    file.sync_all()
                } else {
                    Ok(())
                }
            }),
        };
        result.map_err(|error| not_written(&name, &error))
    }

    /// Adds this output's name to an error of something that wrote to it, and the reason of the
    /// system, which the core doesn't know.
    pub fn explain(&self, error: Error) -> anyhow::Error {
        match (&error.kind, &self.failure) {
            (ErrorKind::Write(_), Some(failure)) => {
                with_reason(&self.name, failure, ErrorKind::Write(code(failure)).at(error.place))
            }
            _ => anyhow::Error::new(error).context(format!("writing {}", self.name)),
        }
    }
}

fn open(path: &Path) -> io::Result<To> {
    match destination(path)? {
        Destination::StandardOutput => {
            io::stdout().as_fd().try_clone_to_owned().map(|fd| To::Stream(File::from(fd)))
        }
        Destination::Special(path) => File::options().write(true).open(path).map(To::Stream),
        Destination::Regular(path) => {
            let file = NamedFile::create(&path)?;
            let behind = Behind::new(file.file(), WITHHELD as u64)?.map(Box::new);
            Ok(To::Regular { behind, file, head: Vec::new() })
        }
    }
}

/// Writes what was withheld, when the rest is safe.
fn complete(file: NamedFile, head: &[u8], len: u64, sync: bool) -> io::Result<()> {
    file.file().set_len(len)?;
    if sync {
        file.file().sync_all()?;
    }
    file.file().write_all_at(head, 0)?;
    if sync {
        file.file().sync_all()?;
    }
    file.keep(sync)
}

/// Puts bytes where they belong: into what is withheld, or into the file.
fn put(file: &File, head: &mut [u8], offset: u64, bytes: &[u8]) -> io::Result<()> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(head.len());
    let inside = head.len().saturating_sub(start).min(bytes.len());
    let (first, rest) = bytes.split_at(inside);
    head[start..start + inside].copy_from_slice(first);
    if rest.is_empty() { Ok(()) } else { file.write_all_at(rest, offset + inside as u64) }
}

fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

fn not_written(name: &str, reason: &io::Error) -> anyhow::Error {
    with_reason(name, reason, ErrorKind::Write(code(reason)).into())
}

fn with_reason(name: &str, reason: &io::Error, error: Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("writing {name}: {reason}"))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.to {
            To::Regular { head, .. } if head.len() < WITHHELD => {
                let now = bytes.len().min(WITHHELD - head.len());
                head.extend_from_slice(&bytes[..now]);
                Ok(now)
            }
            To::Regular { behind: Some(behind), .. } => behind.push(bytes).map(|()| bytes.len()),
            To::Regular { file, .. } => file.file().write_at(bytes, self.position),
            To::Stream(file) => file.write(bytes),
        };
        match written {
            Ok(written) => {
                self.position += written as u64;
                Ok(written)
            }
            Err(error) => {
                self.failure = Some(match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => error.kind().into(),
                });
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What has been written to an [`Output`], with the bytes that are withheld from others.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    file: &'a File,
    head: &'a [u8],
    size: Bytes,
}

impl ReadAt for Written<'_> {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let end = offset.checked_add(buf.len() as u64).ok_or_else(truncated)?;
        if end > self.size {
            return Err(truncated());
        }
        let start = usize::try_from(offset.get()).unwrap_or(usize::MAX);
        let head = self.head.get(start..).unwrap_or_default();
        let (from_head, rest) = buf.split_at_mut(head.len().min(buf.len()));
        from_head.copy_from_slice(&head[..from_head.len()]);
        if rest.is_empty() {
            return Ok(());
        }
        self.file
            .read_exact_at(rest, offset.get() + from_head.len() as u64)
            .map_err(|error| ErrorKind::Read(code(&error)).at(Place::Byte(offset)))
    }
}

#[cfg(test)]
mod tests;
