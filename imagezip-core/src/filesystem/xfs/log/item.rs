//! The items of transactions. Unlike everything else they are little-endian: the order of bytes
//! of the machine that wrote them.

use alloc::vec::Vec;

use crate::layout::Layout;
use crate::sector::{Sector, SectorCount, SectorRange};

/// What is known of the kinds of items. Intents, and the notes that they are done, are all from
/// 0x1236 to 0x1249 but for those that are named here.
mod kind {
    pub(super) const FIRST: u16 = 0x1236;
    pub(super) const INODE: u16 = 0x123b;
    pub(super) const BUFFER: u16 = 0x123c;
    pub(super) const DQUOT: u16 = 0x123d;
    /// A mapping exchange that is done.
    pub(super) const LAST: u16 = 0x1249;
}

/// Inodes or quotas, of which not all is replayed.
const PARTIAL: u16 = 0x1 | 0x4 | 0x8 | 0x10;
/// The buffer was given up.
const CANCEL: u16 = 0x2;
/// The bits that tell what is in a buffer: nothing told, B-trees, AGF, AGFL, superblock.
const CONTENT_SHIFT: u32 = 11;
const CONTENTS: [u16; 5] = [0, 4, 5, 6, 18];

/// The bytes of a buffer for which its item has a bit.
const CHUNK: usize = 128;
/// What a buffer's item has before these bits, in bytes.
const BUFFER_HEADER: usize = 20;

/// An item as it is in the log.
pub(super) struct Item {
    /// How many regions it has.
    total: u16,
    /// How many of them have begun.
    begun: u16,
    /// The first region, which describes the item.
    description: Vec<u8>,
    /// The others, if they are kept.
    regions: Vec<Vec<u8>>,
    is_kept: bool,
}

/// What an item is about.
pub(super) enum Subject {
    /// Nothing that tells of free space or that is read during recovery.
    Other,
    /// A part of the device that recovery reads.
    Read(SectorRange),
    /// The contents of a part of the device.
    Buffer(SectorRange),
    /// A part of the device of which what the log has does not count.
    Cancel(SectorRange),
}

impl Item {
    /// An item that begins with this region or part of one. `None` if it is none.
    pub(super) fn new(region: &[u8]) -> Option<Self> {
        let total = Layout::<4>::new(region)?.u16::<2>();
        // An inode has up to four regions, a buffer one for each two bits.
        let description = region.to_vec();
        (total > 0).then(|| Self {
            total,
            begun: 1,
            description,
            regions: Vec::new(),
            is_kept: false,
        })
    }

    /// Whether all its regions have begun.
    pub(super) fn is_complete(&self) -> bool {
        self.begun >= self.total
    }

    /// Adds a region or the beginning of one. Returns how many bytes of it are kept.
    pub(super) fn add(&mut self, region: &[u8], with_data: bool) -> Option<usize> {
        if self.begun == 1 {
            self.is_kept = with_data && self.is_wanted();
        }
        self.begun = self.begun.checked_add(1)?;
        if !self.is_kept {
            return Some(0);
        }
        self.regions.push(region.to_vec());
        Some(region.len().saturating_add(size_of::<Vec<u8>>()))
    }

    /// Goes on with the last region. Returns how many bytes are kept.
    pub(super) fn go_on(&mut self, region: &[u8], with_data: bool) -> Option<usize> {
        if self.begun == 1 {
            self.description.extend_from_slice(region);
        } else if self.is_kept && with_data {
            self.regions.last_mut()?.extend_from_slice(region);
        } else {
            return Some(0);
        }
        Some(region.len())
    }

    /// Whether it is a buffer that may tell of free space.
    pub(super) fn is_wanted(&self) -> bool {
        let Some(view) = Layout::<BUFFER_HEADER>::new(&self.description) else { return false };
        let flags = view.u16::<4>();
        view.u16::<0>() == kind::BUFFER
            && flags & (PARTIAL | CANCEL) == 0
            && CONTENTS.contains(&flags.wrapping_shr(CONTENT_SHIFT))
    }

    /// What it is about. `None` if its kind is not known or it makes no sense.
    pub(super) fn subject(&self) -> Option<Subject> {
        let view = Layout::<4>::new(&self.description)?;
        match view.u16::<0>() {
            kind::BUFFER => {
                let view = Layout::<BUFFER_HEADER>::new(&self.description)?;
                let place = range(view.u64::<8>(), view.u16::<6>().into())?;
                Some(match view.u16::<4>() & CANCEL {
                    0 => Subject::Buffer(place),
                    _ => Subject::Cancel(place),
                })
            }
            kind::INODE => self.inode(),
            kind::DQUOT => {
                let view = Layout::<24>::new(&self.description)?;
                Some(Subject::Read(range(view.u64::<8>(), view.u32::<16>())?))
            }
            kind::FIRST..=kind::LAST => Some(Subject::Other),
            _ => None,
        }
    }

    /// Where an inode's buffer is. Machines of 32 bits leave out padding.
    fn inode(&self) -> Option<Subject> {
        let place = if let Some(view) = Layout::<56>::new(&self.description) {
            range(view.u64::<40>(), view.u32::<48>())?
        } else {
            let view = Layout::<52>::new(&self.description)?;
            range(view.u64::<36>(), view.u32::<44>())?
        };
        Some(Subject::Read(place))
    }

    /// Of a buffer that is kept: the beginning of its first chunk, if that is there.
    pub(super) fn first_chunk(&self) -> Option<&[u8; 4]> {
        let is_first = self.description.get(BUFFER_HEADER)? & 1 != 0;
        self.regions.first().filter(|_| is_first)?.first_chunk()
    }

    /// Of a buffer that is kept: puts its chunks into their places. `None` if the bits don't agree with
    /// the regions or the buffer.
    pub(super) fn apply(&self, buffer: &mut [u8]) -> Option<()> {
        let words = Layout::<BUFFER_HEADER>::new(&self.description)?.u32::<16>();
        let map = self.description.get(BUFFER_HEADER..)?;
        let map = map.get(..usize::try_from(words).ok()?.checked_mul(4)?)?;
        let mut regions = self.regions.iter();
        let mut left: &[u8] = &[];
        let mut places = buffer.chunks_exact_mut(CHUNK);
        for byte in map {
            for bit in 0..8 {
                let place = places.next();
                if byte & 1_u8.wrapping_shl(bit) == 0 {
                    // A region holds chunks that follow each other.
                    if !left.is_empty() {
                        return None;
                    }
                    continue;
                }
                if left.is_empty() {
                    left = regions.next()?;
                }
                let (chunk, rest) = left.split_at_checked(CHUNK)?;
                place?.copy_from_slice(chunk);
                left = rest;
            }
        }
        left.is_empty().then_some(())
    }
}

fn range(start: u64, len: u32) -> Option<SectorRange> {
    SectorRange::with_len(Sector::new(start)?, SectorCount::from_u32(len))
}
