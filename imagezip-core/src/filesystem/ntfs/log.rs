//! Whether the log file has anything to be done (docs/format.md, "NTFS").

use alloc::vec;

use crate::error::{ErrorKind, IncompatibleKind, Result};
use crate::layout::Layout;

use super::attribute::kind;
use super::mft::{Mft, number};
use super::record::{damaged, unmark};
use super::stream::Stream;

/// How the log was left, if nothing in it is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// Windows, or another driver that writes a log, has ended its use of the volume.
    Closed,
    /// There is none: the volume is new, or its last driver is one that writes no log. Nothing tells whether that
    /// driver was interrupted.
    Empty,
}

/// So much is read at once.
const PIECE: usize = 256 << 10;

/// Where the second restart page begins, at most.
const LARGEST_PAGE: usize = 64 << 10;

/// Looks at the log file.
///
/// # Errors
/// `Incompatible(Unclean)` if something has to be done by the log, or may have to be. `Corrupt` if it can't be found, `Read` if
/// the device fails.
pub(super) fn state(mft: &Mft<'_>) -> Result<Log> {
    let wrong = || damaged(number::LOG_FILE);
    let mut buf = vec![];
    let record = mft.record(number::LOG_FILE, &mut buf)?;
    let stream = mft.stream(&record, kind::DATA, &[])?.ok_or_else(wrong)?;
    if !stream.is_plain || stream.initialized < stream.size {
        return Err(wrong());
    }
    let mut head = vec![0; usize::try_from(stream.size).unwrap_or(PIECE).min(PIECE)];
    stream.read_at(mft.device, &mft.geometry, 0, &mut head)?;
    if is_empty(&head) {
        rest_is_empty(mft, &stream, &mut head)?;
        return Ok(Log::Empty);
    }
    let unclean = ErrorKind::Incompatible(IncompatibleKind::Unclean);
    if is_closed(&mut head).unwrap_or_default() { Ok(Log::Closed) } else { Err(unclean.into()) }
}

fn is_empty(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0xff)
}

/// Fails unless what follows the first piece is empty, too.
fn rest_is_empty(mft: &Mft<'_>, stream: &Stream, buf: &mut [u8]) -> Result<()> {
    let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
    let mut at = len;
    while at < stream.size {
        let left = usize::try_from(stream.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let piece = buf.get_mut(..left.min(PIECE)).unwrap_or_default();
        stream.read_at(mft.device, &mft.geometry, at, piece)?;
        if piece.is_empty() || !is_empty(piece) {
            return Err(ErrorKind::Incompatible(IncompatibleKind::Unclean).into());
        }
        at = at.saturating_add(len);
    }
    Ok(())
}

/// A page from which a restart begins, as it lies on the disk.
#[derive(Clone, Copy)]
struct Page<'a>(Layout<'a, 0x1e>);

#[rustfmt::skip]
impl Page<'_> {
    fn size(self) -> u32 { self.0.u32::<0x10>() }
    fn area_at(self) -> u16 { self.0.u16::<0x18>() }
    fn version(self) -> [u16; 2] { [self.0.u16::<0x1c>(), self.0.u16::<0x1a>()] }
}

/// The part of it that tells who uses the log.
#[derive(Clone, Copy)]
struct Area<'a>(Layout<'a, 0x30>);

#[rustfmt::skip]
impl Area<'_> {
    fn lsn(self) -> u64 { self.0.u64::<0x00>() }
    fn first_client(self) -> u16 { self.0.u16::<0x0c>() }
    fn flags(self) -> u16 { self.0.u16::<0x0e>() }

    /// Nobody uses it, or the one who did has written all that was to be done.
    fn is_closed(self) -> bool {
        self.first_client() == 0xffff || self.flags() & 2 != 0
    }
}

/// Whether the newer one of the two restart pages says that nothing is to be done; `None` if one
/// of them is damaged.
///
/// The damaged one may be the newer one, whose write was interrupted.
fn is_closed(head: &mut [u8]) -> Option<bool> {
    let size = usize::try_from(Page(Layout::new(head)?).size()).ok()?;
    if !size.is_power_of_two() || !(512..=LARGEST_PAGE).contains(&size) {
        return None;
    }
    let (first, rest) = head.split_at_mut_checked(size)?;
    let second = rest.get_mut(..size)?;
    let (first, second) = (restart(first)?, restart(second)?);
    let newest = first.0.max(second.0);
    Some([first, second].iter().all(|(lsn, closed)| *closed || *lsn < newest))
}

/// How new a restart page is, and whether it says that nothing is to be done; `None` if it is
/// damaged, or of a version by which Windows keeps changes for the next start.
fn restart(page: &mut [u8]) -> Option<(u64, bool)> {
    unmark(page, *b"RSTR")?;
    let header = Page(Layout::new(page)?);
    let area = Area(Layout::at(page, usize::from(header.area_at()))?);
    let known = matches!(header.version(), [1, 0 | 1]);
    known.then(|| (area.lsn(), area.is_closed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn page(lsn: u64, client: u16, flags: u16, version: [u16; 2]) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..4].copy_from_slice(b"RSTR");
        page[4..8].copy_from_slice(&[0x1e, 0, 9, 0]);
        page[0x10..0x14].copy_from_slice(&4096_u32.to_le_bytes());
        page[0x18..0x1a].copy_from_slice(&0x30_u16.to_le_bytes());
        page[0x1a..0x1c].copy_from_slice(&version[1].to_le_bytes());
        page[0x1c..0x1e].copy_from_slice(&version[0].to_le_bytes());
        page[0x30..0x38].copy_from_slice(&lsn.to_le_bytes());
        page[0x3c..0x3e].copy_from_slice(&client.to_le_bytes());
        page[0x3e..0x40].copy_from_slice(&flags.to_le_bytes());
        page[0x1e] = 7;
        for sector in page.chunks_exact_mut(512) {
            sector[510..].copy_from_slice(&[7, 0]);
        }
        page
    }

    fn closed(first: &[u8], second: &[u8]) -> Option<bool> {
        is_closed(&mut [first, second].concat())
    }

    #[test]
    fn the_newer_page_counts() {
        let open = |lsn| page(lsn, 0, 0, [1, 1]);
        let no_client = |lsn| page(lsn, 0xffff, 0, [1, 1]);
        let flagged = |lsn| page(lsn, 0, 2, [1, 1]);
        assert_eq!(closed(&no_client(5), &flagged(4)), Some(true));
        assert_eq!(closed(&flagged(4), &flagged(5)), Some(true));
        assert_eq!(closed(&flagged(4), &open(5)), Some(false));
        assert_eq!(closed(&open(4), &flagged(5)), Some(true));
        assert_eq!(closed(&open(5), &flagged(5)), Some(false));
        assert_eq!(closed(&open(5), &open(5)), Some(false));
    }

    #[test]
    fn pages_that_cannot_be_believed() {
        let good = page(5, 0xffff, 2, [1, 1]);
        assert_eq!(closed(&good, &good), Some(true));
        assert_eq!(closed(&good, &page(4, 0xffff, 2, [2, 0])), None);
        assert_eq!(closed(&page(5, 0xffff, 2, [2, 0]), &good), None);
        for (at, value) in
            [(0, b'X'), (4, 0x1f), (6, 8), (510, 8), (4095, 1), (0x11, 0x20), (0x19, 0x10)]
        {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(closed(&bad, &good), None, "{at}");
            assert!(at == 0x11 || closed(&good, &bad).is_none(), "{at}");
        }
        assert_eq!(is_closed(&mut good.clone()), None);
        assert_eq!(is_closed(&mut []), None);
    }
}
