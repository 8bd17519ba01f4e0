//! Files with which Windows swaps and hibernates: their content is of no use after the next start.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Result};
use crate::extent::ExtentSet;
use crate::sector::{Sector, SectorCount, SectorRange};

use super::attribute::kind;
use super::mft::{Mft, number};
use super::names;
use super::record::Reference;

/// So much of the start of each of the files is kept, in whole clusters: what Windows looks at when it starts. Else it
/// might find there what an earlier use of the disk left.
const KEPT: SectorCount = SectorCount::from_u32(4096 / 512);

/// The bytes that are looked at to tell whether a file's content is needed.
const HEAD: usize = 4096;

const HIBERNATION: &str = "hiberfil.sys";
const SWAPPING: [&str; 2] = ["pagefile.sys", "swapfile.sys"];

/// Space whose content nobody will miss.
#[derive(Default)]
pub(super) struct Unneeded {
    pub(super) sectors: ExtentSet,
    /// The files that have it.
    pub(super) files: Vec<Reference>,
}

/// The sectors whose content nobody will miss. If that can't be told, there are none.
///
/// # Errors
/// `Read` if the device fails.
pub(super) fn unneeded(mft: &Mft<'_>, notes: &mut Vec<String>) -> Result<Unneeded> {
    let note = match find(mft) {
        Ok(Found::Unneeded(unneeded)) => return Ok(unneeded),
        Ok(Found::Hibernated(how)) => how,
        Err(error @ Error { kind: ErrorKind::Read(_), .. }) => return Err(error),
        Err(_) => "its root directory is not understood: page files are kept",
    };
    notes.push(note.into());
    Ok(Unneeded::default())
}

enum Found {
    Unneeded(Unneeded),
    /// All is kept.
    Hibernated(&'static str),
}

fn find(mft: &Mft<'_>) -> Result<Found> {
    let (mut unneeded, mut files) = (Vec::new(), Vec::new());
    for (reference, name) in names::in_root(mft, &[HIBERNATION, SWAPPING[0], SWAPPING[1]])? {
        let Some((head, mut ranges)) = content(mft, reference, name)? else {
            continue;
        };
        let is_unneeded = match head.first_chunk() {
            // The dump of a crash begins with "PAGEDUMP" or "PAGEDU64".
            Some(b"PAGE") if name != HIBERNATION => false,
            _ if name != HIBERNATION || head.iter().all(|byte| *byte == 0) => true,
            Some(b"wake" | b"WAKE") => true,
            Some(b"hibr" | b"HIBR") => {
                return Ok(Found::Hibernated("Windows is hibernated: page files are kept"));
            }
            _ => {
                let how = "hiberfil.sys may hold a hibernated system: page files are kept";
                return Ok(Found::Hibernated(how));
            }
        };
        if is_unneeded {
            unneeded.append(&mut ranges);
            files.push(reference);
        }
    }
    Ok(Found::Unneeded(Unneeded { sectors: ExtentSet::from_unsorted(unneeded), files }))
}

/// The start of a file, and the sectors behind it, if the file is what its name says.
fn content(
    mft: &Mft<'_>,
    reference: Reference,
    name: &str,
) -> Result<Option<(Vec<u8>, Vec<SectorRange>)>> {
    let mut buf = vec![];
    let record = mft.record(reference.number(), &mut buf)?;
    // What is left of an earlier directory, or a file that has another name, too.
    if !record.is(reference) || record.base().0 != 0 || record.links() != 1 {
        return Ok(None);
    }
    let own = record.find(kind::FILE_NAME, &[], 0)?.and_then(|own| own.resident());
    if !own.is_some_and(|own| names::is_child(own, number::ROOT, name)) {
        return Ok(None);
    }
    let Some(stream) = mft.stream(&record, kind::DATA, &[])? else {
        return Ok(None);
    };
    if !stream.is_as_written {
        return Ok(None);
    }
    let written = usize::try_from(stream.initialized).unwrap_or(HEAD).min(HEAD);
    let mut head = vec![0; written];
    stream.read_at(mft.device, &mft.geometry, 0, &mut head)?;
    let mut kept = KEPT;
    let mut ranges = stream.ranges(&mft.geometry);
    for range in &mut ranges {
        let cut = range.start().saturating_add(kept);
        let (first, rest) = range.split_at(up(cut, mft));
        kept = SectorCount::new(kept.get().saturating_sub(first.len().get())).unwrap_or_default();
        *range = rest;
    }
    Ok(Some((head, ranges)))
}

/// The first sector of a cluster that is not before `sector`.
fn up(sector: Sector, mft: &Mft<'_>) -> Sector {
    let (cluster, offset) = mft.geometry.locate(sector.to_bytes().get());
    let cluster = cluster.saturating_add(u64::from(offset > 0));
    let limits = mft.geometry.sectors(&(0..cluster));
    limits.map_or(Sector::MAX, SectorRange::end)
}
