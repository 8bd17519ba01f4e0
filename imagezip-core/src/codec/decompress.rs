//! Decompressing streams (RFC 1950).

use alloc::boxed::Box;
use alloc::vec;

use imagezip_bytes::Adler32;
use imagezip_bytes::inflate::{BUFFER, Fault, HISTORY, Inflate, WINDOW};

use crate::error::{CorruptKind, Error, ErrorKind, Result};

/// The bytes before the deflate blocks of a stream.
const HEADER: usize = 2;

/// Decompresses streams. It holds about 310 KiB, so each thread keeps one; a stream of less than
/// a window uses less of them.
///
/// Either [`Decompress::decompress`] gives a sink all data of a stream, or the caller takes them
/// when it likes: [`Decompressor::begin`], then [`Decompressor::advance`] until there are no more.
pub struct Decompressor {
    inflate: Inflate,
    buffer: Box<[u8]>,
    /// Where in the buffer the data begin that were not taken yet. All before it are data of the
    /// same stream.
    start: usize,
    /// Where they end. Some may belong to the next window.
    end: usize,
    adler: Adler32,
    progress: Progress,
    /// How many bytes of data are to come out.
    left: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing of the stream was read yet.
    Begun,
    /// Its blocks are being read.
    Blocks,
    /// Its end was found to be right, or there is none.
    Finished,
}

impl Decompressor {
    /// A decompressor.
    pub fn new() -> Self {
        Self {
            inflate: Inflate::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            adler: Adler32::EMPTY,
            progress: Progress::Finished,
            left: 0,
        }
    }

    /// Begins a stream that must hold exactly `len` bytes of data.
    pub fn begin(&mut self, len: u64) {
        self.inflate.begin(HEADER);
        (self.start, self.end) = (0, 0);
        self.adler = Adler32::EMPTY;
        self.progress = Progress::Begun;
        self.left = len;
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
        match self.progress {
            Progress::Begun => check_header(stream)?,
            Progress::Blocks => self.make_room(),
            Progress::Finished => return Ok(None),
        }
        self.progress = Progress::Blocks;
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let len = left.min(WINDOW);
        let end = self.start.saturating_add(len);
        // After the last data the end must come: whatever else does is too much.
        let limit = if len == left { end.saturating_add(1) } else { end };
        let buffer = self.buffer.first_chunk_mut::<BUFFER>();
        let buffer = buffer.ok_or_else(|| corrupt(CorruptKind::PayloadLong))?;
        self.end =
            self.inflate.run(stream, buffer, self.end, limit).map_err(|fault| match fault {
                Fault::Short => corrupt(CorruptKind::PayloadShort),
                Fault::Code => corrupt(CorruptKind::PayloadCode),
            })?;
        if len == left && self.end > end {
            return Err(corrupt(CorruptKind::PayloadLong));
        }
        let data = self.buffer.get(self.start..self.end.min(end)).unwrap_or_default();
        self.adler = self.adler.followed_by(Adler32::of(data), data.len());
        if let Some(after) = self.inflate.end().filter(|_| self.end <= end) {
            check_end(stream.get(after..).unwrap_or_default(), self.adler, data.len() == left)?;
            self.progress = Progress::Finished;
        }
        self.start = self.start.saturating_add(data.len());
        self.left = self.left.saturating_sub(u64::try_from(data.len()).unwrap_or_default());
        Ok(Some(data).filter(|data| !data.is_empty()))
    }

    /// Makes room for a window after the data that are kept to refer to.
    fn make_room(&mut self) {
        let gone = self.start.saturating_sub(HISTORY);
        if gone > 0 && self.end <= self.buffer.len() {
            self.buffer.copy_within(gone..self.end, 0);
            self.start = self.start.saturating_sub(gone);
            self.end = self.end.saturating_sub(gone);
        }
    }
}

/// Decompresses whole streams.
pub trait Decompress {
    /// Decompresses `stream`, which must be one whole stream of exactly `len` bytes of data, and
    /// gives the data to `sink` in order, at most [`WINDOW`] bytes at a time.
    ///
    /// When an error is found, `sink` may have got data, but never more than there must be.
    ///
    /// # Errors
    /// `Corrupt` with one of the `Payload` kinds; or the error that `sink` returns.
    fn decompress(
        &mut self,
        stream: &[u8],
        len: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()>;
}

impl Decompress for Decompressor {
    fn decompress(
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

/// Checks the bytes before the blocks (RFC 1950, 2.2): deflate with a window of up to 32 KiB, and
/// no dictionary that both sides know.
fn check_header(stream: &[u8]) -> Result<()> {
    let header = stream.first_chunk::<HEADER>();
    let header = u16::from_be_bytes(*header.ok_or_else(|| corrupt(CorruptKind::PayloadShort))?);
    let (method, window, dictionary) = (header >> 8 & 15, header >> 12, header & 0x20);
    if method == 8 && window <= 7 && dictionary == 0 && header.is_multiple_of(31) {
        Ok(())
    } else {
        Err(corrupt(CorruptKind::PayloadCode))
    }
}

/// Checks the bytes after the blocks, which must be the checksum and nothing else.
fn check_end(trailer: &[u8], adler: Adler32, all: bool) -> Result<()> {
    let (sum, rest) =
        trailer.split_first_chunk().ok_or_else(|| corrupt(CorruptKind::PayloadShort))?;
    if u32::from_be_bytes(*sum) != adler.get() {
        return Err(corrupt(CorruptKind::PayloadChecksum));
    }
    if !all {
        return Err(corrupt(CorruptKind::PayloadShort));
    }
    if rest.is_empty() { Ok(()) } else { Err(corrupt(CorruptKind::PayloadTrailing)) }
}

pub(super) fn corrupt(kind: CorruptKind) -> Error {
    ErrorKind::Corrupt(kind).into()
}
