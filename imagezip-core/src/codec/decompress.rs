//! Decompressing streams.

use alloc::boxed::Box;
use alloc::vec;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::error::{CorruptKind, Error, ErrorKind, Result};

/// The size of the window that data are decompressed in, and so the most that come at a time.
/// A power of two not below deflate's own 32 KiB.
pub const WINDOW: usize = 128 * 1024;

/// Decompresses streams. It holds about 140 KiB, so each thread keeps one.
///
/// Either [`Decompressor::decompress`] gives a sink all data of a stream, or the caller takes them
/// when it likes: [`Decompressor::begin`], then [`Decompressor::advance`] until there are no more.
pub struct Decompressor {
    inflate: Box<DecompressorOxide>,
    window: Box<[u8]>,
    /// How many bytes of the stream were used.
    taken: usize,
    /// How many bytes of data are to come.
    left: u64,
    /// The end of the stream was found to be right.
    finished: bool,
}

impl Decompressor {
    /// A decompressor.
    pub fn new() -> Self {
        Self {
            inflate: Box::default(),
            window: vec![0; WINDOW].into_boxed_slice(),
            taken: 0,
            left: 0,
            finished: true,
        }
    }

    /// Begins a stream that must hold exactly `len` bytes of data.
    pub fn begin(&mut self, len: u64) {
        self.inflate.init();
        self.taken = 0;
        self.left = len;
        self.finished = false;
    }

    /// The next data of the stream that was begun: [`WINDOW`] bytes, the last time the rest; `None`
    /// when there are no more. `stream` is the whole stream, the same each time.
    ///
    /// No more come out than there must be, whatever the stream holds. The last data come out
    /// only if the stream ends there with the right checksum.
    ///
    /// # Errors
    /// `Corrupt` with one of the `Payload` kinds; after that only another stream can be begun.
    pub fn advance(&mut self, stream: &[u8]) -> Result<Option<&[u8]>> {
        if self.finished {
            return Ok(None);
        }
        let made = self.fill(stream)?;
        if self.left == 0 && !self.finished {
            // The window may be full before the stream's end was seen. More data are an error,
            // so what is in the window stays.
            self.fill(stream)?;
        }
        Ok(self.window.get(..made).filter(|data| !data.is_empty()))
    }

    /// Decompresses into the window until it is full or the stream ends; the number of bytes.
    fn fill(&mut self, stream: &[u8]) -> Result<usize> {
        const FLAGS: u32 = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32;
        let rest = stream.get(self.taken..).unwrap_or_default();
        let (status, taken, made) = decompress(&mut self.inflate, rest, &mut self.window, 0, FLAGS);
        self.taken = self.taken.saturating_add(taken);
        let finished = match status {
            TINFLStatus::Done => true,
            // The window is full, so each call brings data.
            TINFLStatus::HasMoreOutput if made > 0 => false,
            TINFLStatus::Adler32Mismatch => return Err(corrupt(CorruptKind::PayloadChecksum)),
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => {
                return Err(corrupt(CorruptKind::PayloadShort));
            }
            _ => return Err(corrupt(CorruptKind::PayloadCode)),
        };
        self.left = u64::try_from(made)
            .ok()
            .and_then(|made| self.left.checked_sub(made))
            .ok_or_else(|| corrupt(CorruptKind::PayloadLong))?;
        if finished && self.left > 0 {
            return Err(corrupt(CorruptKind::PayloadShort));
        }
        if finished && self.taken < stream.len() {
            return Err(corrupt(CorruptKind::PayloadTrailing));
        }
        self.finished = finished;
        Ok(made)
    }

    /// Decompresses `stream`, which must be one whole stream of exactly `len` bytes of data, and
    /// gives the data to `sink` in order, as [`Decompressor::advance`] brings them.
    ///
    /// When an error is found, `sink` may have got data.
    ///
    /// # Errors
    /// `Corrupt` with one of the `Payload` kinds; or the error that `sink` returns.
    pub fn decompress(
        &mut self,
        stream: &[u8],
        len: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.begin(len);
        while let Some(data) = self.advance(stream)? {
            sink(data)?;
        }
        Ok(())
    }
}

impl Default for Decompressor {
    fn default() -> Self {
        Self::new()
    }
}

fn corrupt(kind: CorruptKind) -> Error {
    ErrorKind::Corrupt(kind).into()
}
