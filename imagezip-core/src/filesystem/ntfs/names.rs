//! Names in the root directory.

use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Limit, Result};
use crate::layout::Layout;

use super::attribute::kind;
use super::mft::{Mft, number};
use super::record::{Reference, unmark};

/// The name of the attributes that index names: `$I30`.
const BY_NAME: [u8; 8] = *b"$\0I\x003\x000\0";

/// The most of an index that is read, in bytes: room for some ten thousand names.
const LARGEST_INDEX: u64 = 4 << 20;

/// Finds files in the root directory, each name as it is given or in other case.
///
/// What is found may be left from earlier, so the record must confirm it.
///
/// # Errors
/// `Corrupt` if the directory is damaged, `TooLarge` if it is large, `Read` if the device fails.
pub(super) fn in_root(
    mft: &Mft<'_>,
    names: &[&'static str],
) -> Result<Vec<(Reference, &'static str)>> {
    let mut buf = vec![];
    let record = mft.record(number::ROOT, &mut buf)?;
    let wrong = || record.damaged();
    let root = record.find(kind::INDEX_ROOT, &BY_NAME, 0)?.and_then(|root| root.resident());
    let root = root.ok_or_else(wrong)?;
    let mut found = Vec::new();
    let entries = root.get(0x10..).ok_or_else(wrong)?;
    search(entries, names, &mut found).ok_or_else(wrong)?;
    let Some(stream) = mft.stream(&record, kind::INDEX_ALLOCATION, &BY_NAME)? else {
        return Ok(found);
    };
    let size = Layout::<0x10>::new(root).map_or(0, Layout::u32::<0x08>);
    let size = usize::try_from(size).unwrap_or_default();
    if !size.is_power_of_two() || !(512..=65536).contains(&size) || !stream.is_plain {
        return Err(wrong());
    }
    let mut blocks = mft.all(&stream, LARGEST_INDEX)?;
    for block in blocks.chunks_exact_mut(size) {
        // Blocks that are not in use need not have any content.
        if unmark(block, *b"INDX").is_some() {
            search(block.get(0x18..).unwrap_or_default(), names, &mut found).ok_or_else(wrong)?;
        }
    }
    if found.len() > MOST {
        return Err(Error::from(ErrorKind::TooLarge(Limit::Metadata)));
    }
    Ok(found)
}

/// The most entries for the names that are looked for, those left from earlier included.
const MOST: usize = 64;

/// Looks through the entries behind an index header.
fn search(
    index: &[u8],
    names: &[&'static str],
    found: &mut Vec<(Reference, &'static str)>,
) -> Option<()> {
    let header = Layout::<0x10>::new(index)?;
    let start = usize::try_from(header.u32::<0x00>()).ok()?;
    let end = usize::try_from(header.u32::<0x04>()).ok()?;
    let mut rest = index.get(start..end)?;
    loop {
        let entry = Layout::<0x10>::new(rest)?;
        let len = usize::from(entry.u16::<0x08>());
        if entry.u16::<0x0c>() & 2 != 0 {
            return Some(());
        }
        if len < 0x10 || !len.is_multiple_of(8) {
            return None;
        }
        let (bytes, later) = rest.split_at_checked(len)?;
        let key = bytes.get(0x10..)?.get(..usize::from(entry.u16::<0x0a>()))?;
        let name = names.iter().find(|name| is_child(key, number::ROOT, name));
        found.extend(name.map(|name| (Reference(entry.u64::<0x00>()), *name)));
        rest = later;
    }
}

/// Whether a `$FILE_NAME` is this name in this directory, in upper case or lower.
pub(super) fn is_child(file_name: &[u8], directory: u64, name: &str) -> bool {
    let Some(header) = Layout::<0x42>::new(file_name) else {
        return false;
    };
    let units = file_name.get(0x42..).unwrap_or_default().chunks_exact(2);
    let len = usize::from(header.u8::<0x40>());
    Reference(header.u64::<0x00>()).number() == directory
        && len == name.len()
        && units.len() >= len
        && units.zip(name.bytes()).all(|(unit, byte)| {
            unit.first().is_some_and(|low| low.eq_ignore_ascii_case(&byte))
                && unit.last() == Some(&0)
        })
}
