//! Linux swap space (docs/format.md, "Swap").
//!
//! What was swapped out is worthless after the next boot; only the header is kept, by which the
//! space is found again. A hibernated system is the exception: then the mark at the end of the
//! first page is another one, and all of the space counts as in use.

use super::{Allocation, FilesystemKind};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::{Bytes, SectorCount, SectorRange};

/// What is kept: as much as the reference keeps, and more than any header.
const KEPT: SectorCount = SectorCount::from_u32(64);

/// Less than the largest page is what doesn't make a whole one; so much or more is space that the header leaves to others.
const LEFT: SectorCount = SectorCount::from_u32(128);

/// The sizes of a page on the machines that Linux knows. The mark is the end of the first one.
const PAGE_SIZES: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];

/// Where the header with version and size begins.
const HEADER_AT: usize = 1024;

/// Marks of a hibernated system: of Linux itself, its user-space tools and `TuxOnIce`.
const HIBERNATED: [&[u8]; 5] =
    [b"S1SUSPEND", b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001", b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c"];

/// The mark at the end of the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Swap space.
    Swap(Header),
    /// Swap space that holds a hibernated system.
    Hibernated,
}

/// The header of swap space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Version 0, whose header is a bitmap of the pages.
    V0,
    /// Version 1 and whatever may follow.
    V1 {
        /// The version.
        version: u32,
        /// The size that the header tells, 0 if it tells none.
        size: Bytes,
    },
}

/// The mark of swap space in the first bytes of a device.
pub(super) fn find(head: &[u8]) -> Option<Mark> {
    PAGE_SIZES.into_iter().find_map(|page| {
        let (_, mark) = head.get(..page)?.split_last_chunk::<10>()?;
        if HIBERNATED.iter().any(|known| mark.starts_with(known)) {
            return Some(Mark::Hibernated);
        }
        match mark {
            b"SWAP-SPACE" => Some(Mark::Swap(Header::V0)),
            b"SWAPSPACE2" => Some(Mark::Swap(Header::v1(head, page)?)),
            _ => None,
        }
    })
}

impl Header {
    fn v1(head: &[u8], page: usize) -> Option<Self> {
        let header = Layout::<8>::at(head, HEADER_AT)?;
        let last_page = u64::from(header.u32::<4>());
        let pages = if last_page == 0 { 0 } else { last_page.saturating_add(1) };
        let size = pages.saturating_mul(u64::try_from(page).ok()?);
        Some(Self::V1 { version: header.u32::<0>(), size: Bytes(size) })
    }
}

/// The sectors to keep of the swap space that fills `device`.
///
/// # Errors
/// `Corrupt(SwapHeader)` if Linux would not swap to it: then something else may be there.
pub(super) fn allocation(device: &dyn ReadAt, header: Header) -> Result<Allocation> {
    let all = device.sectors();
    let mut sectors = all.len();
    if let Header::V1 { version, size } = header {
        let fits = size > Bytes(0) && size <= device.size();
        if version != 1 || !fits {
            let place = Place::Byte(Bytes(1024));
            return Err(ErrorKind::Corrupt(CorruptKind::SwapHeader).at(place));
        }
        sectors = size.whole_sectors();
    }
    let (space, behind) = all.split_at(SectorRange::first(sectors).end());
    let mut kept = ExtentSet::from(SectorRange::first(KEPT.min(space.len())));
    if behind.len() >= LEFT {
        kept.push(behind);
    }
    Ok(Allocation::new(kept, FilesystemKind::Swap, sectors))
}
