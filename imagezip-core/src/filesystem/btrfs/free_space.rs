//! What the free-space tree says about a chunk.

use crate::error::{Error, ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;

use super::super::free_space::MAX_PIECES;
use super::chunk::Chunk;
use super::extents::sectors;
use super::key::{Key, kind};
use super::node::Pointer;
use super::tree::{Trees, Visitor};

/// The free logical sectors of `chunk`; none if what is said about it makes no sense.
///
/// # Errors
/// `Read` if the device fails, `TooLarge` if no tree has so many blocks.
pub(super) fn read(trees: &mut Trees<'_>, root: Pointer, chunk: &Chunk) -> Result<ExtentSet> {
    let mut walk = Walk {
        chunk: *chunk,
        sector_size: u64::from(trees.superblock.sector_size),
        at: chunk.start,
        free: ExtentSet::new(),
        count: None,
    };
    let from = Key::new(chunk.start, kind::FREE_SPACE_INFO, 0);
    match trees.walk(root, from, &mut walk) {
        Ok(()) | Err(Error { kind: ErrorKind::Corrupt(_), .. }) => {}
        Err(error) => return Err(error),
    }
    let count = u32::try_from(walk.free.extent_count()).ok();
    let is_whole = count.is_some() && count == walk.count;
    Ok(if is_whole { walk.free } else { ExtentSet::new() })
}

struct Walk {
    chunk: Chunk,
    sector_size: u64,
    /// Nothing may begin before this address.
    at: u64,
    free: ExtentSet,
    /// How many free extents there are, if that was told.
    count: Option<u32>,
}

impl Walk {
    /// The next item, of `len` bytes from `start` on, as far as it is in the chunk's order.
    fn next(&mut self, start: u64, len: u64) -> Option<()> {
        let end = start.checked_add(len)?;
        let fits = self.count.is_some() && start >= self.at && end <= self.chunk.end();
        self.at = end;
        fits.then_some(())
    }

    fn add(&mut self, start: u64, len: u64) -> Option<()> {
        self.free.push(sectors(start, len)?);
        (self.free.extent_count() <= MAX_PIECES).then_some(())
    }

    /// Adds what the bits of a bitmap say that begins at `start`.
    fn bitmap(&mut self, start: u64, len: u64, bits: &[u8]) -> Option<()> {
        let count = len.checked_div(self.sector_size)?;
        if u64::try_from(bits.len()).ok()? != count.div_ceil(8) {
            return None;
        }
        let bytes = bits.iter().flat_map(|byte| (0..8_u32).map(move |bit| byte >> bit & 1 == 1));
        let mut at = start;
        let mut run = None;
        for (_, is_free) in (0..count).zip(bytes) {
            match (is_free, run) {
                (true, None) => run = Some(at),
                (false, Some(from)) => {
                    self.add(from, at.checked_sub(from)?)?;
                    run = None;
                }
                _ => {}
            }
            at = at.checked_add(self.sector_size)?;
        }
        match run {
            Some(from) => self.add(from, at.checked_sub(from)?),
            None => Some(()),
        }
    }

    fn take(&mut self, key: Key, data: &[u8]) -> Option<()> {
        match key.kind {
            kind::FREE_SPACE_INFO if key.object == self.chunk.start => {
                let info = Layout::<8>::new(data).filter(|_| key.offset == self.chunk.len)?;
                self.count = Some(info.u32::<0>());
                Some(())
            }
            kind::FREE_SPACE_EXTENT => {
                self.next(key.object, key.offset)?;
                self.add(key.object, key.offset)
            }
            kind::FREE_SPACE_BITMAP => {
                self.next(key.object, key.offset)?;
                self.bitmap(key.object, key.offset, data)
            }
            _ => None,
        }
    }
}

impl Visitor for Walk {
    fn item(&mut self, key: Key, data: &[u8]) -> Result<bool> {
        if key.object >= self.chunk.end() {
            return Ok(false);
        }
        let is_sound = self.take(key, data).is_some();
        if !is_sound {
            self.count = None;
        }
        Ok(is_sound)
    }
}
