//! The chunks of a file or of a stream, one after the other.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use anyhow::Context;
use imagezip_core::ndz::{CHUNK_BYTES, HEADER_BYTES};

/// Where chunks come from.
pub enum ChunkSource {
    /// A file or block device: what isn't wanted is not read.
    File {
        /// The file.
        file: File,
        /// Its size in bytes.
        size: u64,
        /// Where the next chunk begins.
        at: u64,
    },
    /// Anything else.
    Stream {
        /// What is read.
        from: Box<dyn Read>,
        /// How many bytes were read.
        at: u64,
    },
}

/// How much of a chunk there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// All that was wanted.
    Whole,
    /// Not all of a chunk: the file has been cut off.
    Partial,
    /// Nothing: the file has ended.
    End,
}

impl ChunkSource {
    /// The image that `from` gives.
    pub fn of(from: Box<dyn Read>) -> Self {
        Self::Stream { from, at: 0 }
    }

    /// The image at `path`; `-` for standard input.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::of(Box::new(io::stdin())));
        }
        let opening = || format!("opening {}", path.display());
        let file = File::open(path).with_context(opening)?;
        let kind = file.metadata().with_context(opening)?.file_type();
        if kind.is_file() || kind.is_block_device() {
            let size = io::Seek::seek(&mut &file, io::SeekFrom::End(0)).with_context(opening)?;
            return Ok(Self::File { file, size, at: 0 });
        }
        Ok(Self::of(Box::new(file)))
    }

    /// Reads the next chunk into `buffer`, which has room for one: only its header area, unless
    /// all of it is wanted. (Of a stream, all is read anyway.)
    ///
    /// # Errors
    /// If reading fails.
    pub fn next(&mut self, buffer: &mut [u8], all: bool) -> io::Result<Filled> {
        let chunk = CHUNK_BYTES as u64;
        match self {
            Self::File { size, at, .. } if *at >= *size => Ok(Filled::End),
            Self::File { size, at, .. } if *size - *at < chunk => {
                *at = *size;
                Ok(Filled::Partial)
            }
            Self::File { file, at, .. } => {
                let wanted = if all { CHUNK_BYTES } else { HEADER_BYTES };
                file.read_exact_at(&mut buffer[..wanted], *at)?;
                *at += chunk;
                Ok(Filled::Whole)
            }
            Self::Stream { from, at } => {
                let mut filled = 0;
                while filled < CHUNK_BYTES {
                    match from.read(&mut buffer[filled..CHUNK_BYTES]) {
                        Ok(0) => break,
                        Ok(len) => filled += len,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                *at += filled as u64;
                Ok(match filled {
                    0 => Filled::End,
                    CHUNK_BYTES => Filled::Whole,
                    _ => Filled::Partial,
                })
            }
        }
    }

    /// The file's size; of a stream, how much has been read.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Stream { at, .. } => *at,
        }
    }
}

/// Whether the file at `path` begins as an image does. An empty file doesn't.
pub fn is_image(path: &Path) -> bool {
    let mut magic = [0; 4];
    let mut begins = |mut source: Box<dyn Read>| source.read_exact(&mut magic).is_ok();
    let read = if path == Path::new("-") {
        begins(Box::new(io::stdin()))
    } else {
        File::open(path).is_ok_and(|file| begins(Box::new(file)))
    };
    // The versions are numbered from 0x69696969 on, little-endian.
    read && matches!(magic, [0x69..=0x6d, 0x69, 0x69, 0x69])
}
