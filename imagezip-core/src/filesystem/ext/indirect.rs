//! Indirect blocks: how ext2 and ext3 tell where a file's blocks lie.

use crate::error::Result;
use crate::layout::Layout;

use super::inode::{FileMap, Source, damaged};

/// The numbers in an inode that name blocks of the file itself. Three follow that name blocks
/// full of numbers, at one to three removes.
const DIRECT: usize = 12;

/// Adds the blocks that an inode's numbers name to `map`.
pub(super) fn walk(source: Source<'_>, numbers: &[u8; 60], map: &mut FileMap) -> Result<()> {
    for (place, number) in block_numbers(numbers).enumerate() {
        let removes = place.saturating_add(1).saturating_sub(DIRECT);
        add(source, number, removes, map)?;
    }
    Ok(())
}

/// Adds the blocks that block `number` stands for, at so many removes.
///
/// This ends: there are three removes at most, and a file without holes grows with every number.
fn add(source: Source<'_>, number: u32, removes: usize, map: &mut FileMap) -> Result<()> {
    let Some(next) = map.missing() else {
        return Ok(());
    };
    if number == 0 {
        return Err(damaged());
    }
    let Some(below) = removes.checked_sub(1) else {
        return map.append(source.superblock, next, number.into(), 1);
    };
    let block = source.read(number.into())?;
    block_numbers(&block).try_for_each(|number| add(source, number, below, map))
}

fn block_numbers(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).filter_map(Layout::<4>::new).map(Layout::u32::<0>)
}
