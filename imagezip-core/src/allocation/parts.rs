//! Parts of BSD slices that the caller wants saved whole or not at all.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Options, Target};
use crate::device::ReadAt;
use crate::error::{CorruptKind, ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::filesystem::Examined;
use crate::partition::Partition;
use crate::partition::disklabel::{Disklabel, Flavour, LABEL_AREA, LABEL_SECTOR, RAW_PARTITION};
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
            Ok(Located { is_shared: true, .. }) => {
                // What is in it may be another part's.
                let why = "it is not alone in its place";
                examined.notes.push(format!("part {target} is saved: {why}"));
            }
            Ok(Located { range, .. }) => {
                let dropped = ExtentSet::from(range).difference(&LABEL_AREA.into());
                examined.in_use = examined.in_use.difference(&dropped);
            }
            Err(why) => examined.notes.push(format!("part {target} is saved: {why}")),
        }
    }
    for target in options.raw.iter().filter(of_this) {
        match locate(window, partition, *target)? {
            Ok(part) => examined.in_use = examined.in_use.union(&part.range.into()),
            Err(why) => examined.notes.push(format!("part {target} is not known: {why}")),
        }
    }
    Ok(())
}

/// A part of a slice.
struct Located {
    /// Its sectors, counted from the start of the slice.
    range: SectorRange,
    /// Whether another part has some of them. 'c', which is all of the slice, has none of its own.
    is_shared: bool,
}

/// Where a part lies, or why that can't be told.
fn locate(
    window: &dyn ReadAt,
    partition: &Partition,
    target: Target,
) -> Result<core::result::Result<Located, String>> {
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
    let place = |entry| label.range(flavour, start, entry);
    let range = entry.filter(|_| flavour.is_inside(index)).and_then(place);
    let range = range.and_then(|range| window.sectors().intersection(range));
    Ok(match range {
        Some(range) => {
            let mut others = label.inside(flavour).filter(|(other, _)| {
                *other != index && *other != RAW_PARTITION && index != RAW_PARTITION
            });
            let meets = |other: SectorRange| other.intersection(range).is_some();
            let is_shared = others.any(|(_, entry)| place(entry).is_some_and(meets));
            Ok(Located { range, is_shared })
        }
        None => Err("it is not in the disklabel".to_string()),
    })
}
