//! What in a partition has to be adjusted when it moves.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::disklabel::{RELOC_BYTES, for_image};
use super::lilo;
use crate::device::ReadAt;
use crate::error::Result;
use crate::ndz::{Reloc, RelocType};
use crate::overlay::Patch;
use crate::partition::disklabel::{Disklabel, Flavour, LABEL_SECTOR};
use crate::partition::{Guid, MbrType, PartitionKind};
use crate::sector::{Sector, SectorCount, SectorRange};

/// What an image of a partition holds other than the disk does, so that the image can go to
/// another place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixups {
    /// The bytes that differ, counted from the start of the partition, ascending.
    pub patches: Vec<Patch>,
    /// What the image has to say about them, ascending by sector.
    pub relocs: Vec<Reloc>,
    /// For people: what can't be adjusted.
    pub notes: Vec<String>,
}

/// Finds what in a partition depends on its place.
///
/// `window` is the partition, `kind` its type, and `start` where it begins on the disk. Meant for
/// images of single partitions; in the image of a whole disk nothing moves.
///
/// # Errors
/// `Read` if the device fails. What is damaged is no error: it is imaged as it is.
pub fn find(window: &dyn ReadAt, kind: PartitionKind, start: Sector) -> Result<Fixups> {
    match Flavour::of(kind) {
        Some(flavour) => find_label(window, flavour, start),
        None if is_linux(kind) => lilo::find(window, start),
        None => Ok(Fixups::default()),
    }
}

/// Whether a partition of that type may begin with LILO.
fn is_linux(kind: PartitionKind) -> bool {
    matches!(kind, PartitionKind::Mbr(MbrType::LINUX) | PartitionKind::Gpt(Guid::LINUX))
}

fn find_label(window: &dyn ReadAt, flavour: Flavour, start: Sector) -> Result<Fixups> {
    let Some(sector) = read_sector(window, LABEL_SECTOR)? else {
        return Ok(Fixups::default());
    };
    let label = Disklabel::new(&sector).ok();
    let Some(bytes) = label.and_then(|label| for_image(&label, flavour, start)) else {
        return Ok(Fixups::default());
    };
    let kind = match flavour {
        Flavour::FreeBsd => RelocType::FREEBSD_DISKLABEL,
        Flavour::OpenBsd => RelocType::OPENBSD_DISKLABEL,
    };
    Ok(Fixups {
        patches: vec![Patch { at: LABEL_SECTOR.to_bytes(), bytes }],
        relocs: vec![Reloc { kind, sector: LABEL_SECTOR, offset: 0, size: RELOC_BYTES }],
        notes: Vec::new(),
    })
}

/// A sector of the partition; `None` if it doesn't have it.
fn read_sector(window: &dyn ReadAt, sector: Sector) -> Result<Option<[u8; 512]>> {
    let one = SectorRange::with_len(sector, SectorCount::from_u32(1));
    if !one.is_some_and(|one| window.sectors().contains(one)) {
        return Ok(None);
    }
    let mut bytes = [0; 512];
    window.read_sectors(sector, &mut bytes)?;
    Ok(Some(bytes))
}
