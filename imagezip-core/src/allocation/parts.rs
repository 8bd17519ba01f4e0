//! Parts of BSD slices that the caller wants saved whole or not at all.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Options, Target};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Result};
use crate::filesystem::Examined;
use crate::partition::Partition;
use crate::partition::disklabel::{Disklabel, Flavour, LABEL_AREA, LABEL_SECTOR};
use crate::sector::SectorRange;

/// Takes parts of the slice `partition` out of what was found in use, or adds them whole.
///
/// `window` is the slice. What can't be done becomes a note.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn apply(
    window: &dyn ReadAt,
    partition: &Partition,
    options: Options<'_>,
    examined: &mut Examined,
) -> Result<()> {
    let of_this = |target: &&Target| target.partition == partition.number && target.part.is_some();
    for target in options.ignored.iter().filter(of_this) {
        match locate(window, partition, *target)? {
            Ok(part) => {
                let dropped = crate::extent::ExtentSet::from(part).difference(&LABEL_AREA.into());
                examined.in_use = examined.in_use.difference(&dropped);
            }
            Err(why) => examined.notes.push(format!("part {target} is saved: {why}")),
        }
    }
    for target in options.raw.iter().filter(of_this) {
        match locate(window, partition, *target)? {
            Ok(part) => examined.in_use = examined.in_use.union(&part.into()),
            Err(why) => examined.notes.push(format!("part {target} is not known: {why}")),
        }
    }
    Ok(())
}

/// The sectors of a part, counted from the start of the slice, or why they can't be told.
fn locate(
    window: &dyn ReadAt,
    partition: &Partition,
    target: Target,
) -> Result<core::result::Result<SectorRange, String>> {
    let Some(flavour) = Flavour::of(partition.kind) else {
        return Ok(Err("the partition is no BSD slice".to_string()));
    };
    let mut sector = [0; 512];
    match window.read_sectors(LABEL_SECTOR, &mut sector) {
        Err(error) if error.kind == ErrorKind::Truncated => {
            return Ok(Err(ErrorKind::Corrupt(CorruptKind::Disklabel).to_string()));
        }
        outcome => outcome?,
    }
    let label = match Disklabel::new(&sector) {
        Ok(label) => label,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let start = partition.range.start();
    let index = target.part.map_or(usize::MAX, usize::from);
    let entry = label.entries().nth(index).filter(|entry| entry.size > 0);
    let range = entry.filter(|_| flavour.is_inside(index)).and_then(|entry| {
        let range = label.range(flavour, start, entry)?;
        window.sectors().intersection(range)
    });
    Ok(range.ok_or_else(|| "it is not in the disklabel".to_string()))
}
