//! Decompressing deflate (RFC 1951) out of memory, fast and without `unsafe`.
//!
//! Chunks are short, so a stream is always there as a whole; the data it becomes may be far more
//! and come a window at a time. That is what this decoder is made for: it never waits for input
//! in the middle of a symbol, and it may write past the end of what was asked for, because there
//! is room for it. What is left to remember between windows is a bit's number and a kind of block.
//!
//! The time goes into `codes`: looking up a code, and copying. `bits` reads eight bytes at a
//! time, `table` has what a symbol stands for and how many bits it takes in one `entry`, and
//! indices are in bounds because they are masked, so that few comparisons are left.
//!
//! Which codes are accepted is as in zlib.

mod bits;
mod codes;
mod copy;
mod entry;
mod header;
mod table;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;

use bits::Bits;
use codes::decode;
use header::{BlockType, Tables};

/// How far back a match may reach.
pub const HISTORY: usize = 32 * 1024;

/// The data end less than so many bytes after what is asked for: two literals and the longest
/// match may be read after it was looked at last.
const OVERSHOOT: usize = 2 + 258;

/// The room that there must be after the end of what is asked for: matches are copied in steps.
pub const SLACK: usize = OVERSHOOT + copy::OVERWRITTEN;

/// So many bytes are decompressed at a time: whole sectors, and not less than a match may reach
/// back.
///
/// Small enough that what takes the data finds them in a CPU's second cache, and large enough
/// for a disk.
pub const WINDOW: usize = 256 * 1024;

/// The size of a buffer for a window; before it what matches may refer to; after it a byte that would be
/// too much, and what decompressing overwrites.
pub const BUFFER: usize = HISTORY + WINDOW + 1 + SLACK;

/// Why a stream can't be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It ends too early.
    Short,
    /// It isn't deflate.
    Code,
}

/// Decompresses streams. It has tables of 18 KiB.
pub struct Inflate {
    /// The number of the next bit.
    position: usize,
    block: Block,
    /// There is no block after this one.
    last: bool,
    tables: Box<Tables>,
}

/// What the next bits are in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Block {
    /// A block begins.
    Header,
    /// Stored bytes, so many of them.
    Stored(usize),
    /// Symbols.
    Codes,
    /// Nothing: the stream has ended.
    Ended,
}

impl Default for Inflate {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflate {
    /// A decompressor.
    pub fn new() -> Self {
        Self { position: 0, block: Block::Ended, last: true, tables: Box::new(Tables::new()) }
    }

    /// Begins a stream at byte `start` of what [`Inflate::run`] is going to get.
    pub const fn begin(&mut self, start: usize) {
        self.position = start.saturating_mul(8);
        self.block = Block::Header;
        self.last = false;
    }

    /// The byte after the end of the stream, once it has ended.
    pub fn end(&self) -> Option<usize> {
        (self.block == Block::Ended).then(|| self.position.div_ceil(8))
    }

    /// Decompresses into a buffer from `at` on until `limit` is reached or the stream ends; where
    /// the data end then. That may be after `limit`, but less than [`SLACK`] bytes.
    ///
    /// `stream` is the same each time. Before `at` lie the data so far, at least the last
    /// [`HISTORY`] of them and nothing else. After `limit` there must be [`SLACK`] bytes; bytes
    /// after the end may be overwritten.
    ///
    /// # Errors
    /// Why it can't be done.
    pub fn run(
        &mut self,
        stream: &[u8],
        out: &mut [u8; BUFFER],
        at: usize,
        limit: usize,
    ) -> Result<usize, Fault> {
        self.run_in(stream, out, at, limit)
    }

    /// The same for any buffer. This one is compiled wherever it is called, for size where its caller is.
    fn run_in<const N: usize>(
        &mut self,
        stream: &[u8],
        out: &mut [u8; N],
        mut at: usize,
        limit: usize,
    ) -> Result<usize, Fault> {
        let limit = limit.min(N.saturating_sub(SLACK));
        while at < limit && self.block != Block::Ended {
            match self.block {
                Block::Header => self.begin_block(stream)?,
                Block::Codes => {
                    let mut bits = Bits::new(stream, self.position);
                    let tables = &self.tables;
                    let ended;
                    (at, ended) = decode(&mut bits, tables, out, at, limit)?;
                    self.position = bits.position(stream);
                    if ended {
                        self.end_block();
                    }
                }
                Block::Stored(left) => {
                    let from = self.position >> 3;
                    let len = left.min(limit.saturating_sub(at));
                    let bytes = stream.get(from..from.saturating_add(len)).ok_or(Fault::Short)?;
                    let end = at.saturating_add(len);
                    out.get_mut(at..end).ok_or(Fault::Code)?.copy_from_slice(bytes);
                    at = end;
                    self.position = self.position.saturating_add(len.saturating_mul(8));
                    self.block = Block::Stored(left.saturating_sub(len));
                    if len == left {
                        self.end_block();
                    }
                }
                Block::Ended => {}
            }
        }
        Ok(at)
    }

    fn begin_block(&mut self, stream: &[u8]) -> Result<(), Fault> {
        let mut bits = Bits::new(stream, self.position);
        let (last, block_type) = header::read(&mut bits, &mut self.tables)?;
        self.last = last;
        self.block = match block_type {
            BlockType::Stored(len) => Block::Stored(len),
            BlockType::Codes => Block::Codes,
        };
        self.position = bits.position(stream);
        Ok(())
    }

    const fn end_block(&mut self) {
        self.block = if self.last { Block::Ended } else { Block::Header };
    }
}
