//! Where the part of the log begins and ends that has to be replayed.
//!
//! Whoever writes to the log gives each block the number of the round, and writes up to eight
//! records at once. So after a loss of power the newest records may be incomplete; what comes
//! after the first gap does not count.

use crate::error::{Error, ErrorKind, Result};

use super::record::{self, Header, MOST_BYTES, Pass, V1_BYTES};
use super::ring::Ring;
use super::wrong;

/// The most records that are written at once.
const MOST_WRITES: u32 = 8;
/// An operation that says that the file system was unmounted.
const UNMOUNT: u8 = 0x20;

/// A part of the log: from the first block up to, not including, another. If that is the same
/// it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where the first record begins.
    pub(super) tail: u32,
    /// Where the next record will begin.
    pub(super) head: u32,
}

/// The part of the log that has to be replayed; `None` if the file system was unmounted cleanly.
///
/// # Errors
/// `Corrupt` if that can't be told.
pub(super) fn find(ring: &mut Ring<'_>) -> Result<Option<Extent>> {
    if ring.cycle(0)? == 0 {
        // Zeros all over are a log that was never used.
        let last = ring.blocks.saturating_sub(1);
        return if ring.cycle(last)? == 0 { Ok(None) } else { Err(wrong(ring.place(0))) };
    }
    let head = find_head(ring)?;
    let (at, header) = last_record(ring, head, head, 1)?.0;
    if is_unmount(ring, head, at, &header)? {
        return Ok(None);
    }
    let extent = without_torn(ring, Extent { tail: header.tail, head })?;
    if extent.head != head {
        let (at, header) = last_record(ring, extent.head, extent.head, 1)?.0;
        if is_unmount(ring, extent.head, at, &header)? {
            return Ok(None);
        }
    }
    if extent.tail >= ring.blocks {
        return Err(wrong(ring.place(extent.head)));
    }
    Ok((extent.tail != extent.head).then_some(extent))
}

/// The most blocks that a record has beside its header.
fn most_blocks(ring: &Ring<'_>) -> u32 {
    let bytes = if ring.superblock.log_v2 { MOST_BYTES } else { V1_BYTES };
    bytes / 512
}

/// The block after the last complete record.
fn find_head(ring: &mut Ring<'_>) -> Result<u32> {
    let end = ring.blocks;
    let (first, last) = (ring.cycle(0)?, ring.cycle(end.saturating_sub(1))?);
    let scanned = most_blocks(ring).saturating_mul(MOST_WRITES);
    if last == 0 {
        // The first round is not complete.
        let head = first_of_cycle(ring, 0)?;
        let head = find_cycle(ring, head.saturating_sub(scanned), head, 0)?.unwrap_or(head);
        let start = head.saturating_sub(scanned);
        return match whole_record(ring, start, head, 0)? {
            Some(head) => Ok(head),
            None => Err(wrong(ring.place(0))),
        };
    }
    // Blocks of this round before the head mean that it is too far.
    let (head, older) = if first == last {
        (end, last.wrapping_sub(1))
    } else {
        (first_of_cycle(ring, last)?, last)
    };
    let scanned = scanned.min(end);
    let found = if let Some(start) = head.checked_sub(scanned) {
        find_cycle(ring, start, head, older)?
    } else {
        let start = end.saturating_sub(scanned.saturating_sub(head));
        match find_cycle(ring, start, end, older.wrapping_sub(1))? {
            Some(found) => Some(found),
            None => find_cycle(ring, 0, head, older)?,
        }
    };
    let head = found.unwrap_or(head);
    // It may be in the middle of a record.
    let most = most_blocks(ring);
    let start = head.saturating_sub(most);
    let head = if let Some(head) = whole_record(ring, start, head, 0)? {
        head
    } else {
        let start = end.saturating_sub(most.saturating_sub(head));
        match whole_record(ring, start, end, head)? {
            Some(found) if found != end => found,
            Some(_) => head,
            None => return Err(wrong(ring.place(head))),
        }
    };
    Ok(if head == end { 0 } else { head })
}

/// The first block with the number of a round, by bisection. The last block has it and the first
/// one hasn't.
fn first_of_cycle(ring: &mut Ring<'_>, cycle: u32) -> Result<u32> {
    let (mut before, mut found) = (0_u32, ring.blocks.saturating_sub(1));
    while before.saturating_add(1) < found {
        let middle = before.midpoint(found);
        if ring.cycle(middle)? == cycle {
            found = middle;
        } else {
            before = middle;
        }
    }
    Ok(found)
}

/// The first of the blocks from `start` up to `end` with the number of a round.
fn find_cycle(ring: &mut Ring<'_>, start: u32, end: u32, cycle: u32) -> Result<Option<u32>> {
    for block in start..end {
        if ring.cycle(block)? == cycle {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

/// `head`, or where the last record before it begins, if that is not complete: if it doesn't end
/// `more` blocks after the head.
///
/// `None` if no record begins before the head, and that is because the ring does.
fn whole_record(ring: &mut Ring<'_>, start: u32, head: u32, more: u32) -> Result<Option<u32>> {
    let superblock = ring.superblock;
    for block in (start..head).rev() {
        if !ring.is_header(block)? {
            continue;
        }
        let header = Header::new(ring.block(block)?);
        if !header.is_own(superblock) {
            return Err(wrong(ring.place(block)));
        }
        let blocks = header.blocks(superblock).saturating_add(header.data_blocks());
        let there = head.saturating_sub(block).saturating_add(more);
        return Ok(Some(if blocks == there { head } else { block }));
    }
    if start == 0 { Ok(None) } else { Err(wrong(ring.place(start))) }
}

/// The `count`-th last record before `head`, or the first one that there is from `tail` on, and
/// whether it is one.
type Last = ((u32, Header), u32);

fn last_record(ring: &mut Ring<'_>, head: u32, tail: u32, count: u32) -> Result<Last> {
    let mut last = None;
    let mut found = 0_u32;
    let blocks = match ring.distance(tail, head) {
        // The tail is not known.
        0 => ring.blocks,
        distance => distance,
    };
    for back in 1..=blocks {
        let block = ring.after(head, ring.blocks.saturating_sub(back));
        if ring.is_header(block)? {
            last = Some((block, Header::new(ring.block(block)?)));
            found = found.saturating_add(1);
        }
        if found == count {
            break;
        }
    }
    Ok((last.ok_or_else(|| wrong(ring.place(head)))?, found))
}

/// Whether the record before the head, which begins at `at`, says that the file system was
/// unmounted.
fn is_unmount(ring: &mut Ring<'_>, head: u32, at: u32, header: &Header) -> Result<bool> {
    let header_blocks = header.blocks(ring.superblock);
    let blocks = header_blocks.saturating_add(header.data_blocks());
    if blocks > ring.blocks || ring.after(at, blocks) != head || header.ops != 1 {
        return Ok(false);
    }
    let data = ring.block(ring.after(at, header_blocks))?;
    Ok(data.u8::<9>() & UNMOUNT != 0)
}

/// The same part of the log without what was not written completely: the records of the last
/// writes are checked, and the head is set back to the first one that is damaged.
fn without_torn(ring: &mut Ring<'_>, extent: Extent) -> Result<Extent> {
    let Extent { tail, head } = extent;
    if tail >= ring.blocks || tail == head {
        return Ok(extent);
    }
    let ((start, _), _) = last_record(ring, head, tail, MOST_WRITES)?;
    let latest = Extent { tail: start, head };
    let bad = match record::walk(ring, latest, Pass::Check, &mut |_| Ok(())) {
        Ok(()) => return Ok(extent),
        Err(record::Bad { error: error @ Error { kind: ErrorKind::Read(_), .. }, .. }) => {
            return Err(error);
        }
        Err(record::Bad { block: 0, error }) => return Err(error),
        Err(bad) => bad.block,
    };
    let ((_, header), _) = last_record(ring, bad, tail, 1)?;
    if header.tail == bad {
        return Err(wrong(ring.place(bad)));
    }
    Ok(Extent { tail: header.tail, head: bad })
}
