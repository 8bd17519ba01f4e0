//! LILO: a boot loader that names sectors of the disk in its files (docs/format.md, "LILO").

mod find;

#[cfg(test)]
pub(super) mod tests;

use alloc::string::String;
use alloc::vec::Vec;

pub(super) use find::find;

use super::Placement;
use crate::error::{CorruptKind, ErrorKind, Limit};
use crate::layout::Layout;

/// The size of an address.
pub(super) const ADDRESS_BYTES: usize = 5;
/// The number of addresses in a map sector.
const MAP_ADDRESSES: usize = 102;
/// The size of the descriptor table.
pub(super) const TABLE_BYTES: usize = 1024;
/// Where in the descriptor table the images' descriptions end. A relocation of the checksum names
/// this place, not the checksum's own.
pub(super) const TABLE_END: u64 = 990;

/// Where LILO finds a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Nothing.
    None,
    /// By cylinder, head and sector.
    Geometry,
    /// By number, counted from the start of the disk; in an image, of the partition.
    Sector(u32),
}

/// A sector address of LILO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address([u8; ADDRESS_BYTES]);

/// Flags in an address's device byte: the other bytes are a sector number of 24 bits; of 24 bits
/// with a count; of 32 bits.
const LINEAR: u8 = 0x40;
const LBA: u8 = 0x20;
const LBA_LONG: u8 = 0x10;

impl Address {
    /// The address that begins `at` bytes into `bytes`.
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        bytes.get(at..)?.first_chunk().copied().map(Self)
    }

    /// Whether the last byte is a part of the sector's number.
    const fn is_long(device: u8) -> bool {
        device & (LINEAR | LBA_LONG) == LBA_LONG
    }

    const fn target(self) -> Target {
        let [low, middle, device, high, count] = self.0;
        if matches!(self.0, [0, 0, 0, 0, 0]) {
            Target::None
        } else if device & (LINEAR | LBA | LBA_LONG) == 0 {
            Target::Geometry
        } else {
            let highest = if Self::is_long(device) { count } else { 0 };
            Target::Sector(u32::from_le_bytes([low, middle, high, highest]))
        }
    }

    /// The address of another sector, in the same form; `None` if the form has too few bits.
    fn with_sector(self, sector: u64) -> Option<Self> {
        let [low, middle, high, highest] = u32::try_from(sector).ok()?.to_le_bytes();
        let [_, _, device, _, count] = self.0;
        let count = match (Self::is_long(device), highest) {
            (true, highest) => highest,
            (false, 0) => count,
            (false, _) => return None,
        };
        Some(Self([low, middle, device, high, count]))
    }

    /// The address, taken from an image, as it is at `place`.
    fn placed(self, place: Placement) -> Result<Self, ErrorKind> {
        let Target::Sector(sector) = self.target() else { return Ok(self) };
        let sector = place.start.get().saturating_add(u64::from(sector));
        if place.end.is_some_and(|end| sector > end.get()) {
            return Err(ErrorKind::Corrupt(CorruptKind::LiloAddress));
        }
        self.with_sector(sector).ok_or(ErrorKind::TooLarge(Limit::LiloAddress))
    }
}

/// An address of an image as it is at `place`. Adds to `notes` if it can't be moved.
pub(super) fn place_address(
    bytes: [u8; ADDRESS_BYTES],
    place: Placement,
    notes: &mut Vec<String>,
) -> Result<[u8; ADDRESS_BYTES], ErrorKind> {
    let address = Address(bytes);
    note_geometry(address, notes);
    Ok(address.placed(place)?.0)
}

/// A map sector of an image as it is at `place`. Adds to `notes` if it can't be moved.
pub(super) fn place_map(
    sector: &mut [u8; 512],
    place: Placement,
    notes: &mut Vec<String>,
) -> Result<(), ErrorKind> {
    for bytes in sector.as_chunks_mut().0.iter_mut().take(MAP_ADDRESSES) {
        let address = Address(*bytes);
        note_geometry(address, notes);
        match address.target() {
            Target::None | Target::Geometry | Target::Sector(0) => break,
            Target::Sector(_) => *bytes = address.placed(place)?.0,
        }
    }
    Ok(())
}

fn note_geometry(address: Address, notes: &mut Vec<String>) {
    let note = "LILO: addresses by cylinder, head and sector can't be moved";
    if address.target() == Target::Geometry && !notes.iter().any(|known| known == note) {
        notes.push(note.into());
    }
}

/// Gives the descriptor table its checksum.
pub(super) fn seal(table: &mut [u8; TABLE_BYTES]) {
    if let Some((checksum, _)) = table.split_first_chunk_mut() {
        *checksum = [0; 2];
    }
    let sum = xor(table);
    if let Some((checksum, _)) = table.split_first_chunk_mut() {
        *checksum = sum.to_le_bytes();
    }
}

/// The exclusive or of all words and LILO's constant: 0 over a table with its checksum.
fn xor(table: &[u8; TABLE_BYTES]) -> u16 {
    const SEED: u16 = 0xabcd;
    table.as_chunks().0.iter().fold(SEED, |sum, word| sum ^ u16::from_le_bytes(*word))
}

/// The boot block: the partition's first sector.
struct BootBlock<'a>(Layout<'a, 512>);

impl BootBlock<'_> {
    /// Where in the boot block the addresses are. The message has one only if there is a message.
    const TABLE: [usize; 2] = [24, 29];
    const COMMAND_LINE: usize = 34;
    const MESSAGE: usize = 42;
    const KEYTABLE: usize = 47;
    const SECOND_STAGE: core::ops::Range<usize> = 52..107;

    /// Whether this is the first stage of LILO.
    fn is_lilo(&self) -> bool {
        self.0.array::<6, 4>() == *b"LILO" && self.0.u16::<10>() == 1
    }

    /// Whether there is a message to show.
    fn has_message(&self) -> bool {
        self.0.u16::<40>() > 0
    }
}

/// A description of something to boot, in the descriptor table.
struct Description<'a>(Layout<'a, 52>);

impl<'a> Description<'a> {
    /// Where in the description the addresses of the first map sectors are.
    const INITRD: usize = 36;
    const START: usize = 41;

    /// The descriptions in use, with the position of each in the table.
    fn all(table: &'a [u8; TABLE_BYTES]) -> impl Iterator<Item = (usize, Self)> + use<'a> {
        let places = (0..19_usize).map(|number| number.saturating_mul(52).saturating_add(2));
        places
            .filter_map(|at| Some((at, Self(Layout::at(table, at)?))))
            .take_while(|(_, description)| description.0.u8::<0>() != 0)
    }

    /// Whether there is an initial RAM disk.
    fn has_initrd(&self) -> bool {
        self.0.u32::<32>() > 0
    }
}
