//! What the inodes of an unclean file system refer to.
//!
//! A check after a loss of power makes the bitmaps anew from the inodes. So what inodes refer to
//! is in use then, whatever the bitmaps say now; with soft updates the two never differ that way
//! if the disk keeps the order of writes.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Limit, Place, Result};
use crate::extent::ExtentSet;
use crate::layout::Layout;
use crate::sector::{Bytes, SectorRange};

use super::geometry::Geometry;
use super::superblock::Superblock;

/// How many bytes of inodes are read at once.
const PIECE: u64 = 64 << 10;
/// How many pieces of space are kept at least before they are put in order, and the most that may be left then.
const SOME: usize = 1 << 16;
const MOST: usize = 1 << 20;

/// Direct addresses in an inode, and further ones of blocks of addresses.
const DIRECT: usize = 12;

/// The types of a file, in the upper bits of its mode.
const TYPE: u16 = 0xf000;
const PIPE: u16 = 0x1000;
const CHARACTER_DEVICE: u16 = 0x2000;
const BLOCK_DEVICE: u16 = 0x6000;
const SYMBOLIC_LINK: u16 = 0xa000;
const SOCKET: u16 = 0xc000;

/// An inode's fields that matter here.
struct Inode {
    mode: u16,
    size: u64,
    /// Of extended attributes.
    attributes: [u64; 2],
    direct: [u64; DIRECT],
    indirect: [u64; 3],
}

impl Inode {
    /// UFS1's, of 128 bytes.
    fn narrow(bytes: &[u8]) -> Option<Self> {
        let view = Layout::<128>::new(bytes)?;
        Some(Self {
            mode: view.u16::<0>(),
            size: view.u64::<8>(),
            attributes: [0; 2],
            direct: narrow_addresses(&view.array::<40, 48>()),
            indirect: narrow_addresses(&view.array::<88, 12>()),
        })
    }

    /// UFS2's, of 256 bytes.
    fn wide(bytes: &[u8]) -> Option<Self> {
        let view = Layout::<256>::new(bytes)?;
        Some(Self {
            mode: view.u16::<0>(),
            size: view.u64::<16>(),
            attributes: wide_addresses(&view.array::<96, 16>()),
            direct: wide_addresses(&view.array::<112, 96>()),
            indirect: wide_addresses(&view.array::<208, 24>()),
        })
    }
}

fn narrow_addresses<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut addresses = [0; N];
    for (to, from) in addresses.iter_mut().zip(bytes.as_chunks().0) {
        *to = u64::from(u32::from_le_bytes(*from));
    }
    addresses
}

fn wide_addresses<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut addresses = [0; N];
    for (to, from) in addresses.iter_mut().zip(bytes.as_chunks().0) {
        *to = u64::from_le_bytes(*from);
    }
    addresses
}

/// The sectors among `free` that inodes refer to. `inodes` is how many of each group are looked
/// at.
///
/// # Errors
/// `Read` if the device fails; `Corrupt` or `TooLarge` if what is found is more than can be.
pub(super) fn referred(
    device: &dyn ReadAt,
    superblock: &Superblock,
    free: &ExtentSet,
    inodes: &[u32],
) -> Result<ExtentSet> {
    let geometry = &superblock.geometry;
    let mut walk = Walk {
        device,
        geometry,
        longest_link: u64::from(superblock.longest_link),
        free,
        found: Vec::new(),
        full: SOME,
        // No block of addresses belongs to two files.
        left: geometry.size.checked_div(u64::from(geometry.per_block)).unwrap_or_default(),
    };
    for (group, count) in (0..geometry.groups).zip(inodes) {
        walk.group(group, *count)?;
    }
    Ok(ExtentSet::from_unsorted(walk.found))
}

struct Walk<'a> {
    device: &'a dyn ReadAt,
    geometry: &'a Geometry,
    longest_link: u64,
    free: &'a ExtentSet,
    found: Vec<SectorRange>,
    /// How many of these are there before they are put in order.
    full: usize,
    /// How many blocks of addresses may still be read.
    left: u64,
}

impl Walk<'_> {
    /// The first `count` inodes of a group.
    fn group(&mut self, group: u32, count: u32) -> Result<()> {
        let geometry = self.geometry;
        let too_far = || ErrorKind::Truncated.at(Place::Whole);
        let start = geometry.inodes(group).checked_mul(geometry.fragment_bytes());
        let start = start.ok_or_else(too_far)?;
        let len = u64::from(count.min(geometry.inodes_per_group))
            .saturating_mul(u64::from(geometry.inode_bytes()));
        let mut done = 0_u64;
        while done < len {
            let part = len.saturating_sub(done).min(PIECE);
            let mut bytes = vec![0; usize::try_from(part).unwrap_or_default()];
            self.device.read_at(Bytes(start.checked_add(done).ok_or_else(too_far)?), &mut bytes)?;
            for bytes in bytes.chunks(if geometry.ufs2 { 256 } else { 128 }) {
                let inode = if geometry.ufs2 { Inode::wide(bytes) } else { Inode::narrow(bytes) };
                if let Some(inode) = inode.filter(|inode| inode.mode != 0) {
                    self.inode(&inode)?;
                }
            }
            done = done.saturating_add(part);
        }
        Ok(())
    }

    fn inode(&mut self, inode: &Inode) -> Result<()> {
        let block = self.geometry.per_block;
        for address in inode.attributes {
            self.add(address, block)?;
        }
        match inode.mode & TYPE {
            PIPE | CHARACTER_DEVICE | BLOCK_DEVICE | SOCKET => return Ok(()),
            // The link's target lies where the addresses would.
            SYMBOLIC_LINK if inode.size < self.longest_link => return Ok(()),
            _ => {}
        }
        let mut rest = inode.size;
        for address in inode.direct {
            let fragments = match rest {
                0 => block,
                _ => u32::try_from(rest.div_ceil(self.geometry.fragment_bytes()))
                    .unwrap_or(u32::MAX)
                    .min(block),
            };
            rest = rest.saturating_sub(self.geometry.block_bytes());
            // Only a file without blocks of addresses ends with a part of a block.
            let ends_here = inode.indirect == [0; 3];
            self.add(address, if ends_here { fragments } else { block })?;
        }
        for (address, level) in inode.indirect.into_iter().zip(1_u8..) {
            self.indirect(address, level)?;
        }
        Ok(())
    }

    /// A block of addresses, of blocks of data if its `level` is 1.
    fn indirect(&mut self, address: u64, level: u8) -> Result<()> {
        let geometry = self.geometry;
        if !self.add(address, geometry.per_block)? {
            return Ok(());
        }
        let place =
            Place::Sector(geometry.sectors(&(0..address)).unwrap_or(SectorRange::EMPTY).end());
        let endless = || ErrorKind::Corrupt(CorruptKind::Inode).at(place);
        self.left = self.left.checked_sub(1).ok_or_else(endless)?;
        let mut bytes = vec![0; geometry.block_len()];
        let at = address.checked_mul(geometry.fragment_bytes()).ok_or_else(endless)?;
        self.device.read_at(Bytes(at), &mut bytes)?;
        let step = if geometry.ufs2 { 8 } else { 4 };
        for bytes in bytes.chunks(step) {
            let [address] =
                if geometry.ufs2 { wide_addresses(bytes) } else { narrow_addresses(bytes) };
            match level {
                1 => drop(self.add(address, geometry.per_block)?),
                _ => self.indirect(address, level.saturating_sub(1))?,
            }
        }
        Ok(())
    }

    /// Some fragments are in use. Returns whether there are such: a check drops what refers to
    /// others.
    fn add(&mut self, address: u64, fragments: u32) -> Result<bool> {
        let range: Range<u64> = address..address.saturating_add(u64::from(fragments));
        if address == 0 || range.end > self.geometry.size {
            return Ok(false);
        }
        let Some(sectors) = self.geometry.sectors(&range) else { return Ok(false) };
        self.found.extend(self.free.within(sectors));
        if self.found.len() >= self.full {
            let found = ExtentSet::from_unsorted(core::mem::take(&mut self.found));
            if found.extent_count() > MOST {
                return Err(ErrorKind::TooLarge(Limit::FilePieces).into());
            }
            self.found.extend(&found);
            self.full = self.found.len().saturating_mul(2).max(SOME);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Image;
    use super::*;
    use crate::sector::{Sector, SectorCount};

    /// Every second sector is free, and each address adds three of them.
    #[test]
    fn the_same_space_over_and_over_takes_no_more_memory() {
        let disk = Image::default().build();
        let superblock = Superblock::read(&disk).unwrap();
        let geometry = &superblock.geometry;
        let one = SectorCount::from_u32(1);
        let free = (0..100).step_by(2).map(Sector::from_u32);
        let free = free.map(|at| SectorRange::with_len(at, one).unwrap()).collect();
        let (device, found) = (&disk, Vec::new());
        let mut walk =
            Walk { device, geometry, longest_link: 0, free: &free, found, full: SOME, left: 0 };
        for _ in 0..4 * SOME {
            assert_eq!(walk.add(8, 3), Ok(true));
            assert!(walk.found.len() < 2 * SOME);
        }
    }
}
