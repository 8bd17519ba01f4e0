//! The FATs: for each cluster which one follows it, or that it is free.

use alloc::vec;

use super::boot_sector::{Geometry, Width};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::filesystem::clusters::ClusterSet;
use crate::filesystem::read_if_there;
use crate::sector::Bytes;

/// How much is read at once: all of any FAT12, and whole entries of the others.
const PIECE: u64 = 256 << 10;

/// What all FATs together say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// The first one says that the file system was not unmounted, or that the disk had errors.
    pub(super) is_dirty: bool,
    /// How many clusters are free in a FAT and not in the first one, or the other way.
    pub(super) differing: u64,
}

/// Adds to `in_use` each cluster that any FAT does not call free, or which any names as the
/// one after another.
///
/// The latter is what a chain looks like that was written in part.
///
/// # Errors
/// `Corrupt(AllocationMap)` if the first FAT does not begin as it must, `Read` if the device
/// fails.
pub(super) fn read(
    device: &dyn ReadAt,
    geometry: &Geometry,
    in_use: &mut ClusterSet,
) -> Result<Summary> {
    let mut summary = Summary::default();
    let (mut first, mut other) = (vec![0; piece_len(PIECE)], vec![0; piece_len(PIECE)]);
    let bytes = geometry.used_table_bytes();
    let mut at = 0;
    while at < bytes {
        let len = piece_len(bytes.saturating_sub(at).min(PIECE));
        first.truncate(len);
        other.truncate(len);
        let mut tables = geometry.tables();
        let table = tables.next().unwrap_or_default();
        read_piece(device, table, at, &mut first)?;
        let piece = Piece { geometry, bytes: &first, at };
        if at == 0 {
            summary.is_dirty = check_start(&piece, table)?;
        }
        piece.mark(in_use);
        for table in tables {
            read_piece(device, table, at, &mut other)?;
            if first != other {
                let copy = Piece { geometry, bytes: &other, at };
                copy.mark(in_use);
                summary.differing = summary.differing.saturating_add(piece.differing(&copy));
            }
        }
        at = at.saturating_add(PIECE);
    }
    Ok(summary)
}

/// Whether the first FAT begins as it must.
///
/// # Errors
/// `Corrupt(AllocationMap)` if not, `Read` if the device fails.
pub(super) fn check(device: &dyn ReadAt, geometry: &Geometry) -> Result<()> {
    let mut bytes = [0; 8];
    let table = geometry.tables().next().unwrap_or_default();
    read_piece(device, table, 0, &mut bytes)?;
    check_start(&Piece { geometry, bytes: &bytes, at: 0 }, table).map(drop)
}

fn piece_len(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}

fn read_piece(device: &dyn ReadAt, table: Bytes, at: u64, piece: &mut [u8]) -> Result<()> {
    let at = table.checked_add(at).ok_or(ErrorKind::Truncated)?;
    device.read_at(at, piece)
}

/// The entries 0 and 1 belong to no cluster: the media byte with all other bits set, and an end of
/// chain with two flags in it. Returns whether one of the flags says that something is wrong.
fn check_start(piece: &Piece<'_>, table: Bytes) -> Result<bool> {
    let width = piece.geometry.width;
    let (media, last, flags) = match width {
        Width::Bits12 => (0xf00, 0xff8, 0),
        Width::Bits16 => (0xff00, 0xfff8, 0xc000),
        Width::Bits32 => (0x0fff_ff00, 0x0fff_fff8, 0x0c00_0000),
    };
    let (zeroth, first) = (piece.value(0), piece.value(1));
    let is_right = zeroth == Some(media | u32::from(piece.geometry.media))
        && first.is_some_and(|value| value | flags >= last);
    if !is_right {
        return Err(ErrorKind::Corrupt(CorruptKind::AllocationMap).at(Place::Byte(table)));
    }
    Ok(first.is_some_and(|value| value & flags != flags))
}

/// A piece of a FAT. It begins with a whole entry.
struct Piece<'a> {
    geometry: &'a Geometry,
    bytes: &'a [u8],
    /// Where in the FAT it begins.
    at: u64,
}

impl Piece<'_> {
    /// The number of its first entry.
    fn first(&self) -> u32 {
        let bits = self.at.saturating_mul(8);
        let number = bits.checked_div(self.geometry.width.bits()).unwrap_or_default();
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// The entry with this number, counted from the first in the piece.
    fn value(&self, number: usize) -> Option<u32> {
        value(self.geometry.width, self.bytes, number)
    }

    /// The entries, with their numbers.
    fn entries(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let values = (0..).map_while(|number| self.value(number));
        (self.first()..).zip(values)
    }

    fn mark(&self, in_use: &mut ClusterSet) {
        let heap = &self.geometry.heap;
        for (number, value) in self.entries().filter(|(_, value)| *value != 0) {
            for number in [number, value] {
                heap.index(number).map(|index| in_use.insert(index));
            }
        }
    }

    /// How many clusters are free in one of two and not in the other.
    fn differing(&self, other: &Self) -> u64 {
        let pairs = self.entries().zip(other.entries());
        let differing = pairs.filter(|((number, value), (_, other))| {
            self.geometry.heap.index(*number).is_some() && (*value == 0) != (*other == 0)
        });
        u64::try_from(differing.count()).unwrap_or(u64::MAX)
    }
}

/// An entry of the FAT that `bytes` begins.
fn value(width: Width, bytes: &[u8], number: usize) -> Option<u32> {
    let at = match width {
        Width::Bits12 => number.checked_add(number / 2)?,
        Width::Bits16 => number.checked_mul(2)?,
        Width::Bits32 => number.checked_mul(4)?,
    };
    let rest = bytes.get(at..)?;
    let bits = match width {
        Width::Bits32 => u32::from_le_bytes(*rest.first_chunk()?),
        _ => u16::from_le_bytes(*rest.first_chunk()?).into(),
    };
    Some(own_bits(width, number % 2 == 1, bits))
}

/// What of the bytes in which an entry begins is its own; of FAT12 that depends on its number.
fn own_bits(width: Width, is_odd: bool, bits: u32) -> u32 {
    match width {
        Width::Bits12 if is_odd => bits >> 4,
        Width::Bits12 => bits & 0xfff,
        Width::Bits16 => bits,
        Width::Bits32 => bits & 0x0fff_ffff,
    }
}

/// The indexes of the clusters that follow on one with index `index`, by each of the FATs.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn next(
    device: &dyn ReadAt,
    geometry: &Geometry,
    index: u32,
    mut found: impl FnMut(u32),
) -> Result<()> {
    let number = u64::from(index).saturating_add(2);
    let at = number.saturating_mul(geometry.width.bits()) / 8;
    for table in geometry.tables() {
        let mut bytes = [0; 4];
        let len = if geometry.width == Width::Bits32 { 4 } else { 2 };
        let entry = bytes.get_mut(..len).unwrap_or_default();
        let at = table.checked_add(at).ok_or(ErrorKind::Truncated)?;
        if !read_if_there(device, at, entry)? {
            continue;
        }
        let value = own_bits(geometry.width, number % 2 == 1, u32::from_le_bytes(bytes));
        geometry.heap.index(value).map(&mut found);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn entries_of_12_bits() {
        let bytes = [0x21, 0x43, 0x65, 0x87, 0xa9];
        let values: Vec<_> = (0..4).map(|n| value(Width::Bits12, &bytes, n)).collect();
        assert_eq!(values, [Some(0x321), Some(0x654), Some(0x987), None]);
        assert_eq!(value(Width::Bits16, &bytes, 1), Some(0x8765));
        assert_eq!(value(Width::Bits32, &[1, 2, 3, 0xf4], 0), Some(0x0403_0201));
        assert_eq!(value(Width::Bits32, &bytes, usize::MAX), None);
    }
}
