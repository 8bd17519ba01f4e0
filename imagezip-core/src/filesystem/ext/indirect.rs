//! Indirect blocks: how ext2 and ext3 tell where a file's blocks lie.

use crate::error::Result;
use crate::layout::Layout;

use super::inode::{Extent, Places, Source};

/// The numbers in an inode that name blocks of the file itself. Three follow that name blocks
/// full of numbers, at one to three removes.
const DIRECT: usize = 12;

/// Tells `places` of the blocks that an inode's numbers name.
pub(super) fn walk(source: Source<'_>, numbers: &[u8; 60], places: &mut dyn Places) -> Result<()> {
    for (place, number) in block_numbers(numbers).enumerate() {
        let removes = place.saturating_add(1).saturating_sub(DIRECT);
        add(source, number, removes, places)?;
    }
    Ok(())
}

/// Tells of the blocks that block `number` stands for, at so many removes.
///
/// This ends: there are three removes at most, and every number tells of a block or more.
fn add(source: Source<'_>, number: u32, removes: usize, places: &mut dyn Places) -> Result<()> {
    let Some(next) = places.missing() else {
        return Ok(());
    };
    if number == 0 {
        return places.skip(source, span(source, removes));
    }
    let Some(below) = removes.checked_sub(1) else {
        let extent = Extent { logical: next, physical: number.into(), len: 1, written: true };
        return places.append(source, extent);
    };
    places.descend()?;
    let block = source.read(number.into())?;
    block_numbers(&block).try_for_each(|number| add(source, number, below, places))
}

/// How many blocks of a file a number at so many removes stands for.
fn span(source: Source<'_>, removes: usize) -> u64 {
    let per_block = u64::from(source.superblock.geometry.block_size().bytes()) / 4;
    (0..removes).fold(1, |span: u64, _| span.saturating_mul(per_block))
}

fn block_numbers(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).filter_map(Layout::<4>::new).map(Layout::u32::<0>)
}
