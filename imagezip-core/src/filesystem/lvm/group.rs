//! What the metadata say about one physical volume of a volume group.

use alloc::vec::Vec;
use core::ops::Range;

use super::segment::{Names, Role, Segment};
use super::text::{Item, Malformed, Read, Section};
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind, Result};

/// A volume group, as seen from one of its physical volumes. Extents are counted from the first
/// one on that volume, or in a logical volume.
pub(super) struct Group<'a> {
    pub(super) id: &'a [u8],
    pub(super) sequence: u64,
    /// In sectors.
    pub(super) extent_size: u64,
    /// Where the first extent begins, in sectors.
    pub(super) first_extent: u64,
    /// How many extents there are.
    pub(super) extents: u64,
    /// Those that have extents here.
    pub(super) volumes: Vec<Volume<'a>>,
}

/// A logical volume.
pub(super) struct Volume<'a> {
    pub(super) name: &'a [u8],
    /// Its extents on the physical volume, in its own order.
    pub(super) pieces: Vec<Piece>,
    /// Why it is not all of what a file system would see, if so.
    pub(super) role: Option<Role>,
}

/// Extents that follow each other in a logical volume and on the physical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The first, in the logical volume; means nothing unless that is linear.
    pub(super) at: u64,
    /// The first, on the physical volume.
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Piece {
    /// Its extents on the physical volume.
    pub(super) fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.len)
    }
}

impl<'a> Group<'a> {
    /// Takes the text apart, for the physical volume `uuid`.
    pub(super) fn parse(text: &'a [u8], uuid: &[u8; 32]) -> Result<Self> {
        let incompatible = |kind| Err(ErrorKind::Incompatible(kind).into());
        let malformed = |Malformed| ErrorKind::Corrupt(CorruptKind::LvmMetadata);
        let root = Section::new(text).map_err(malformed)?;
        let group = only_section(root).map_err(malformed)?;
        if !is_whole(group).map_err(malformed)? {
            return incompatible(IncompatibleKind::LvmGroup);
        }
        let names = Names::of(group).map_err(malformed)?;
        let own = own_section(group, uuid).map_err(malformed)?;
        let own = Own { name: own.0, section: own.1 };
        if !own.is_used().map_err(malformed)? {
            return incompatible(IncompatibleKind::LvmGroup);
        }
        let volumes = volumes(group, own.name, &names).map_err(malformed)?;
        let Some(volumes) = volumes else {
            return incompatible(IncompatibleKind::LvmSegment);
        };
        Self::of(group, &own, volumes).map_err(|error| malformed(error).into())
    }

    fn of(group: Section<'a>, own: &Own<'a>, volumes: Vec<Volume<'a>>) -> Read<Self> {
        let found = Self {
            id: group.text(b"id")?,
            sequence: group.number(b"seqno")?,
            extent_size: group.number(b"extent_size")?,
            first_extent: own.section.number(b"pe_start")?,
            extents: own.section.number(b"pe_count")?,
            volumes,
        };
        let fits = found.extent_size > 0 && !found.has_overlap();
        if fits { Ok(found) } else { Err(Malformed) }
    }

    /// Whether two pieces share an extent, or one lies beyond the last.
    fn has_overlap(&self) -> bool {
        let pieces = self.volumes.iter().flat_map(|volume| &volume.pieces);
        let mut ranges: Vec<_> = pieces.map(|piece| (piece.start, piece.range().end)).collect();
        ranges.sort_unstable();
        let mut end = 0;
        for (start, next) in ranges {
            if start < end || next > self.extents {
                return true;
            }
            end = next;
        }
        false
    }
}

/// The section of the physical volume that is looked at.
struct Own<'a> {
    name: &'a [u8],
    section: Section<'a>,
}

impl Own<'_> {
    /// Whether it is there and belongs to its group alone.
    fn is_used(&self) -> Read<bool> {
        let status = self.section.has_only(b"status", &[b"ALLOCATABLE"])?;
        Ok(status && self.section.has_only(b"flags", &[])?)
    }
}

/// The only section of the text, which says what it is itself.
fn only_section(root: Section<'_>) -> Read<Section<'_>> {
    if root.text(b"contents")? != b"Text Format Volume Group" || root.number(b"version")? != 1 {
        return Err(Malformed);
    }
    let mut only = None;
    for item in root.items() {
        if let (_, Item::Section(section)) = item?
            && only.replace(section).is_some()
        {
            return Err(Malformed);
        }
    }
    only.ok_or(Malformed)
}

/// Whether the group is used by one machine alone, and by no version with other rules.
fn is_whole(group: Section<'_>) -> Read<bool> {
    let status = group.has_only(b"status", &[b"RESIZEABLE", b"READ", b"WRITE"])?;
    let locked = match group.find(b"lock_type")? {
        None => false,
        Some(item) => item != Item::Text(b"none"),
    };
    let format = matches!(group.find(b"format")?, None | Some(Item::Text(b"lvm2")));
    for item in group.items() {
        let known: [&[u8]; 3] =
            [b"physical_volumes", b"logical_volumes", b"historical_logical_volumes"];
        if let (name, Item::Section(_)) = item?
            && !known.contains(&name)
        {
            return Ok(false);
        }
    }
    Ok(status && !locked && format && group.has_only(b"flags", &[])?)
}

/// The name and the section of the physical volume with this UUID.
fn own_section<'a>(group: Section<'a>, uuid: &[u8; 32]) -> Read<(&'a [u8], Section<'a>)> {
    let mut own = None;
    for item in group.section(b"physical_volumes")?.items() {
        let (name, Item::Section(section)) = item? else { return Err(Malformed) };
        let id = section.text(b"id")?;
        if id.iter().filter(|byte| **byte != b'-').eq(uuid)
            && own.replace((name, section)).is_some()
        {
            return Err(Malformed);
        }
    }
    own.ok_or(Malformed)
}

/// The logical volumes with extents on the physical volume `own`; `None` if one uses it in a way
/// that is not known.
fn volumes<'a>(group: Section<'a>, own: &[u8], names: &Names<'a>) -> Read<Option<Vec<Volume<'a>>>> {
    let mut found = Vec::new();
    for item in group.section(b"logical_volumes")?.items() {
        let (name, Item::Section(section)) = item? else { return Err(Malformed) };
        let Some(volume) = volume(name, section, own, names)? else { return Ok(None) };
        if !volume.pieces.is_empty() {
            found.push(volume);
        }
    }
    Ok(Some(found))
}

fn volume<'a>(
    name: &'a [u8],
    section: Section<'a>,
    own: &[u8],
    names: &Names<'a>,
) -> Read<Option<Volume<'a>>> {
    let visible = section.has(b"status", b"VISIBLE")?;
    let known = section.has_only(b"status", &[b"READ", b"WRITE", b"VISIBLE", b"FIXED_MINOR"])?
        && section.has_only(b"flags", &[b"ACTIVATION_SKIP"])?;
    let mut role = names.user(name);
    if role.is_none() && !(visible && known) {
        role = Some(if visible { Role::Flags } else { Role::Hidden });
    }
    let mut pieces = Vec::new();
    let mut spans = Vec::new();
    for item in section.items() {
        let (_, Item::Section(segment)) = item? else { continue };
        let segment = Segment::parse(segment, own)?;
        let Some(segment) = segment else { return Ok(None) };
        spans.push((segment.start, segment.len));
        role = role.or(segment.role);
        pieces.extend(segment.pieces);
    }
    // All segments have to be there, one after the other.
    spans.sort_unstable();
    let mut next = 0_u64;
    for (start, len) in &spans {
        if *start != next || *len == 0 {
            return Err(Malformed);
        }
        next = start.checked_add(*len).ok_or(Malformed)?;
    }
    let count = u64::try_from(spans.len()).map_err(|_| Malformed)?;
    if section.number(b"segment_count")? != count {
        return Err(Malformed);
    }
    pieces.sort_unstable_by_key(|piece: &Piece| piece.at);
    Ok(Some(Volume { name, pieces, role }))
}
