//! The log: files that were fsynced after the last commit.
//!
//! What it holds is in no other tree. At the next mount it is put into those, so all its blocks and
//! all extents that its files have are in use.

use alloc::vec::Vec;

use crate::error::{CorruptKind, ErrorKind, Limit, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::SectorRange;

use super::chunk::Chunks;
use super::extents::sectors;
use super::key::{Key, kind, owner};
use super::node::Pointer;
use super::tree::{Trees, Visitor, corrupt, root};

/// So many ranges may be kept in memory, and so many trees; no real log comes near.
const MAX_RANGES: usize = 1 << 20;
const MAX_TREES: usize = 1 << 16;

/// The logical sectors that the log has, and those of the files in it.
///
/// # Errors
/// `Corrupt` if the log is damaged or points outside of all chunks; `TooLarge(Journal)` if it is in
/// more pieces than can be kept.
pub(super) fn used(trees: &mut Trees<'_>) -> Result<ExtentSet> {
    let Some(log_root) = trees.superblock.log_root else {
        return Ok(ExtentSet::new());
    };
    let mut walk = Walk {
        chunks: trees.chunks.clone(),
        node_size: u64::from(trees.superblock.node_size),
        ranges: Vec::new(),
        trees: Some(Vec::new()),
    };
    trees.walk(log_root, Key::FIRST, &mut walk)?;
    for log in walk.trees.take().unwrap_or_default() {
        trees.walk(log, Key::FIRST, &mut walk)?;
    }
    Ok(ExtentSet::from_unsorted(walk.ranges))
}

struct Walk {
    chunks: Chunks,
    node_size: u64,
    ranges: Vec<SectorRange>,
    /// The trees that were found: one for each subvolume. `None` inside of one.
    trees: Option<Vec<Pointer>>,
}

impl Walk {
    fn add(&mut self, logical: u64, len: u64) -> Result<()> {
        let corrupt = || corrupt(CorruptKind::JournalLog, logical);
        let range = sectors(logical, len).filter(|_| self.chunks.find(logical, len).is_some());
        let range = range.ok_or_else(corrupt)?;
        let is_full = self.ranges.len() >= MAX_RANGES;
        match self.ranges.last_mut() {
            Some(last) if last.end() == range.start() => {
                *last = SectorRange::new(last.start(), range.end()).unwrap_or(*last);
            }
            _ if is_full => {
                return Err(ErrorKind::TooLarge(Limit::Journal).into());
            }
            _ => self.ranges.push(range),
        }
        Ok(())
    }
}

impl Visitor for Walk {
    fn block(&mut self, logical: u64) -> Result<()> {
        self.add(logical, self.node_size)
    }

    fn item(&mut self, key: Key, data: &[u8]) -> Result<bool> {
        if let Some(trees) = &mut self.trees {
            let log = root(owner::LOG, data).filter(|_| key.kind == kind::ROOT);
            if trees.len() >= MAX_TREES {
                return Err(ErrorKind::TooLarge(Limit::Journal).into());
            }
            trees.push(log.ok_or_else(|| corrupt(CorruptKind::JournalLog, key.object))?);
        } else if key.kind == kind::EXTENT_DATA
            && let Some((logical, len)) = extent(data)
        {
            self.add(logical, len)?;
        }
        Ok(true)
    }
}

/// Where the data of a part of a file lie, unless they are in the item or a hole.
fn extent(data: &[u8]) -> Option<(u64, u64)> {
    let is_inline = Layout::<21>::new(data)?.u8::<20>() == 0;
    let item = Layout::<53>::new(data).filter(|_| !is_inline)?;
    let (logical, len) = (item.u64::<21>(), item.u64::<29>());
    (logical != 0).then_some((logical, len))
}
