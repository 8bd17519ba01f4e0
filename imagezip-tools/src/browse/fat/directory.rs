//! The entries of a FAT directory: long names and short ones.

use imagezip_core::filesystem::ext::files::Timestamp;

use super::geometry::Width;
use super::{Node, Start};
use crate::browse::time::days_from_civil;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::browse) struct DirectoryEntry {
    /// Its long name, or its short one if it has no other.
    pub(in crate::browse) name: String,
    pub(in crate::browse) node: Node,
}

/// The size of an entry in bytes.
const ENTRY: usize = 32;
/// The characters of a long name in an entry.
const UNITS: usize = 13;
/// The most entries that a long name takes.
const MAX_PARTS: u8 = 20;

const READ_ONLY: u8 = 0x01;
const VOLUME_LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
/// What marks an entry as a part of a long name.
const LONG_NAME: u8 = 0x0f;

/// Code page 437, of which short names are taken to be.
const UPPER_HALF: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
     αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The parts of a long name that came so far, the last of the name first.
#[derive(Default)]
struct LongName {
    units: Vec<[u16; UNITS]>,
    /// How many are still to come.
    left: u8,
    /// Of the short name that it belongs to.
    checksum: u8,
}

/// The entries in the bytes of a directory.
pub(super) fn entries(bytes: &[u8], width: Width) -> Vec<DirectoryEntry> {
    let mut entries = Vec::new();
    let mut long = LongName::default();
    for entry in bytes.chunks_exact(ENTRY).filter_map(<[u8]>::first_chunk::<ENTRY>) {
        match (entry[0], entry[11]) {
            (0, _) => break,
            (0xe5, _) => long = LongName::default(),
            (_, attributes) if attributes & 0x3f == LONG_NAME => long.add(entry),
            (_, attributes) if attributes & VOLUME_LABEL != 0 => long = LongName::default(),
            _ => {
                let long = std::mem::take(&mut long).of(entry);
                let name = long.unwrap_or_else(|| short_name(entry));
                // A slash would be taken for the end of the name.
                if !matches!(name.as_str(), "." | ".." | "") && !name.contains(['/', '\0']) {
                    entries.push(DirectoryEntry { name, node: node(entry, width) });
                }
            }
        }
    }
    entries
}

impl LongName {
    fn add(&mut self, entry: &[u8; ENTRY]) {
        let (order, checksum) = (entry[0], entry[13]);
        if order & 0x40 != 0 {
            let left = order & 0x3f;
            *self = Self { units: Vec::new(), left: left.min(MAX_PARTS), checksum };
        }
        let number = order & 0x3f;
        if self.left == 0 || number != self.left || checksum != self.checksum {
            *self = Self::default();
            return;
        }
        let places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
        self.units.push(places.map(|at| u16_at(entry, at)));
        self.left = self.left.saturating_sub(1);
    }

    /// The name, if it is all there and belongs to `entry`.
    fn of(self, entry: &[u8; ENTRY]) -> Option<String> {
        let short = entry.iter().take(11);
        let sum = short.fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if self.units.is_empty() || self.left > 0 || sum != self.checksum {
            return None;
        }
        let units = self.units.iter().rev().flatten().copied();
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        Some(String::from_utf16_lossy(&units))
    }
}

fn short_name(entry: &[u8; ENTRY]) -> String {
    let text = |bytes: &[u8], lower: bool| -> String {
        let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        let bytes = bytes.iter().take(end);
        let text: String = bytes.map(|byte| character(*byte)).collect();
        if lower { text.to_lowercase() } else { text }
    };
    let mut base: [u8; 8] = *entry.first_chunk().unwrap_or(&[0; 8]);
    if base[0] == 0x05 {
        base[0] = 0xe5;
    }
    let flags = entry[12];
    let mut name = text(&base, flags & 0x08 != 0);
    let extension = text(entry.get(8..11).unwrap_or_default(), flags & 0x10 != 0);
    if !extension.is_empty() {
        name.push('.');
        name.push_str(&extension);
    }
    name
}

/// The character of that number in code page 437.
fn character(byte: u8) -> char {
    let upper = byte.checked_sub(0x80).map(usize::from);
    let upper =
        upper.map(|index| UPPER_HALF.chars().nth(index).unwrap_or(char::REPLACEMENT_CHARACTER));
    upper.unwrap_or_else(|| char::from(byte))
}

fn node(entry: &[u8; ENTRY], width: Width) -> Node {
    let attributes = entry[11];
    let high = if width == Width::Bits32 { u16_at(entry, 20) } else { 0 };
    let cluster = u32::from(high) << 16 | u32::from(u16_at(entry, 26));
    let is_directory = attributes & DIRECTORY != 0;
    let size = u32::from(u16_at(entry, 30)) << 16 | u32::from(u16_at(entry, 28));
    Node {
        start: Start::Cluster(cluster),
        size: if is_directory { 0 } else { size.into() },
        is_directory,
        is_read_only: attributes & READ_ONLY != 0,
        modified: time(u16_at(entry, 24), u16_at(entry, 22)),
    }
}

/// The time that a date and a time of day say; `None` if there is no such day.
fn time(date: u16, time: u16) -> Option<Timestamp> {
    let (year, month, day) = (1980 + i64::from(date >> 9), date >> 5 & 0xf, date & 0x1f);
    if !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let days = days_from_civil(year, month.into(), day.into());
    let (hours, minutes, halves) = (time >> 11, time >> 5 & 0x3f, time & 0x1f);
    let of_day = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(halves) * 2;
    Some(Timestamp { seconds: days * 86400 + of_day, nanoseconds: 0 })
}

fn u16_at(entry: &[u8; ENTRY], at: usize) -> u16 {
    entry.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| u16::from_le_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(name: &[u8; 11], attributes: u8) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        entry[..11].copy_from_slice(name);
        entry[11] = attributes;
        entry
    }

    #[test]
    fn short_names() {
        let name = |bytes: &[u8; 11]| short_name(&entry(bytes, 0));
        assert_eq!(name(b"README  TXT"), "README.TXT");
        assert_eq!(name(b"A B     \x87  "), "A B.ç");
        assert_eq!(name(b"\x05          "), "σ");
        let mut lower = entry(b"GRUB    CFG", 0);
        lower[12] = 0x18;
        assert_eq!(short_name(&lower), "grub.cfg");
        assert_eq!(UPPER_HALF.chars().count(), 128);
    }

    #[test]
    fn a_long_name_belongs_to_its_short_one() {
        let short = entry(b"LONGNA~1TXT", 0x20);
        let sum = short[..11].iter().fold(0_u8, |s, b| s.rotate_right(1).wrapping_add(*b));
        let mut long = entry(&[0; 11], LONG_NAME);
        (long[0], long[13]) = (0x41, sum);
        for (place, unit) in [1, 3, 5].into_iter().zip("Aé".encode_utf16()) {
            long[place..place + 2].copy_from_slice(&unit.to_le_bytes());
        }
        let names = |entries: &[[u8; ENTRY]]| -> Vec<String> {
            let found = super::entries(&entries.concat(), Width::Bits16);
            found.into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(&[long, short]), ["Aé"]);
        long[13] ^= 1;
        assert_eq!(names(&[long, short]), ["LONGNA~1.TXT"]);
        let deleted = entry(b"\xe5          ", 0);
        let label = entry(b"LABEL      ", VOLUME_LABEL);
        assert_eq!(names(&[deleted, label, short, [0; ENTRY], short]), ["LONGNA~1.TXT"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for entry in entries(&bytes, Width::Bits32) {
                prop_assert!(!entry.name.contains(['/', '\0']));
            }
        }
    }
}
