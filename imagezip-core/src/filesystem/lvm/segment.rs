//! Segments of logical volumes: which extents they have, and what else they make use of.

use alloc::vec::Vec;

use super::group::Piece;
use super::text::{Item, List, Malformed, Read, Section};

/// Why a logical volume is not what a file system sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Parts of it lie on other physical volumes.
    Elsewhere,
    /// It is cut into stripes.
    Stripes,
    Mirror,
    /// The name of the segment's type, or of its user's.
    Raid,
    Thin,
    /// A snapshot, or what snapshots were made of: they need what is free there.
    Snapshot,
    Cache,
    Vdo,
    /// Its extents are moved to another place.
    Moving,
    /// It is not for use by itself.
    Hidden,
    /// It has flags that are not known.
    Flags,
    /// It is used, or made, in a way that is not known.
    Other,
}

impl Role {
    /// What is said about it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Elsewhere => "on several physical volumes",
            Self::Stripes => "stripes",
            Self::Mirror => "mirror",
            Self::Raid => "part of LVM RAID",
            Self::Thin => "part of a thin pool",
            Self::Snapshot => "snapshot or its origin",
            Self::Cache => "part of a cache",
            Self::Vdo => "part of VDO",
            Self::Moving => "move of extents under way",
            Self::Hidden => "hidden logical volume",
            Self::Flags => "logical volume with unknown flags",
            Self::Other => "part of another logical volume",
        }
    }

    /// The part that is played by what a segment of this type uses.
    fn in_type(kind: &[u8]) -> Self {
        let prefixes: [(&[u8], Self); 8] = [
            (b"snapshot", Self::Snapshot),
            (b"thin", Self::Thin),
            (b"raid", Self::Raid),
            (b"mirror", Self::Mirror),
            (b"cache", Self::Cache),
            (b"writecache", Self::Cache),
            (b"vdo", Self::Vdo),
            (b"integrity", Self::Raid),
        ];
        let found = prefixes.into_iter().find(|(prefix, _)| kind.starts_with(prefix));
        found.map_or(Self::Other, |(_, role)| role)
    }
}

/// The names that segments refer to.
pub(super) struct Names<'a> {
    /// Physical volumes, in order.
    physical: Vec<&'a [u8]>,
    /// Whatever else, in order, with the part that it plays.
    used: Vec<(&'a [u8], Role)>,
}

impl<'a> Names<'a> {
    /// All names in the segments of a group.
    pub(super) fn of(group: Section<'a>) -> Read<Self> {
        let mut names = Self { physical: Vec::new(), used: Vec::new() };
        for item in group.section(b"physical_volumes")?.items() {
            names.physical.push(item?.0);
        }
        names.physical.sort_unstable();
        let mut volumes = Vec::new();
        for item in group.section(b"logical_volumes")?.items() {
            let (name, Item::Section(volume)) = item? else { return Err(Malformed) };
            volumes.push(name);
            for item in volume.items() {
                if let (_, Item::Section(segment)) = item? {
                    names.add(segment)?;
                }
            }
        }
        names.used.sort_unstable_by_key(|(name, _)| *name);
        volumes.sort_unstable();
        let twice = |names: &[&[u8]]| names.iter().zip(names.iter().skip(1)).any(|(a, b)| a == b);
        if twice(&volumes) || twice(&names.physical) { Err(Malformed) } else { Ok(names) }
    }

    fn add(&mut self, segment: Section<'a>) -> Read<()> {
        let kind = segment.text(b"type")?;
        let moves = kind == b"mirror" && segment.find(b"extents_moved")?.is_some();
        let role = if moves { Role::Moving } else { Role::in_type(kind) };
        for item in segment.items() {
            match item? {
                (b"tags" | b"type", _) => {}
                (_, Item::Text(name)) => self.used.push((name, role)),
                // Names of physical volumes come first when segments are read.
                (key, Item::List(list)) => {
                    let pairs = matches!(key, b"stripes" | b"mirrors");
                    for element in list.elements() {
                        match element? {
                            Item::Text(name) if pairs && self.is_physical(name) => {}
                            Item::Text(name) => self.used.push((name, role)),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_physical(&self, name: &[u8]) -> bool {
        self.physical.binary_search(&name).is_ok()
    }

    /// The part that the logical volume `name` plays in another one, if any.
    pub(super) fn user(&self, name: &[u8]) -> Option<Role> {
        let first = self.used.partition_point(|(used, _)| *used < name);
        self.used.get(first).filter(|(used, _)| *used == name).map(|(_, role)| *role)
    }
}

/// A segment of a logical volume, in extents.
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) len: u64,
    /// What of it lies on the physical volume that is looked at.
    pub(super) pieces: Vec<Piece>,
    /// Why it is no linear one, if so.
    pub(super) role: Option<Role>,
}

impl Segment {
    /// Takes a segment apart; `None` if it uses the physical volume `own` in a way that is not
    /// known.
    pub(super) fn parse(section: Section<'_>, own: &[u8]) -> Read<Option<Self>> {
        let (start, len) = (section.number(b"start_extent")?, section.number(b"extent_count")?);
        let kind = section.text(b"type")?;
        let mut segment = Self { start, len, pieces: Vec::new(), role: None };
        match kind {
            b"striped" => {
                let count = section.number(b"stripe_count")?;
                let each = len.checked_div(count).ok_or(Malformed)?;
                if each.checked_mul(count) != Some(len) {
                    return Err(Malformed);
                }
                segment.add(section.find(b"stripes")?, (count, each), own)?;
                segment.role = if count > 1 {
                    Some(Role::Stripes)
                } else if segment.pieces.is_empty() {
                    Some(Role::Elsewhere)
                } else {
                    is_unknown(section, &LINEAR)?.then_some(Role::Other)
                };
            }
            b"mirror" if section.find(b"mirrors")?.is_some() => {
                let count = section.number(b"mirror_count")?;
                segment.add(section.find(b"mirrors")?, (count, len), own)?;
                segment.role = Some(Role::Mirror);
            }
            _ => {
                if mentions(section, own)? {
                    return Ok(None);
                }
                segment.role = Some(Role::in_type(kind));
            }
        }
        Ok(Some(segment))
    }

    /// Adds what of a list of `count` areas, each of `len` extents, lies on `own`.
    fn add(&mut self, list: Option<Item<'_>>, (count, len): (u64, u64), own: &[u8]) -> Read<()> {
        let Some(Item::List(list)) = list else { return Err(Malformed) };
        let mut elements = list.elements();
        let mut found = 0_u64;
        while let Some(name) = elements.next() {
            let Item::Text(name) = name? else { return Err(Malformed) };
            let first = elements.next().ok_or(Malformed)??.number().ok_or(Malformed)?;
            first.checked_add(len).ok_or(Malformed)?;
            found = found.saturating_add(1);
            if name == own {
                self.pieces.push(Piece { at: self.start, start: first, len });
            }
        }
        if found == count { Ok(()) } else { Err(Malformed) }
    }
}

/// What a linear segment has. Another key might give the others another meaning.
const LINEAR: [&[u8]; 6] =
    [b"start_extent", b"extent_count", b"type", b"stripe_count", b"stripes", b"tags"];

fn is_unknown(section: Section<'_>, known: &[&[u8]]) -> Read<bool> {
    let mut unknown = false;
    for item in section.items() {
        unknown |= !known.contains(&item?.0);
    }
    Ok(unknown)
}

/// Whether a text anywhere in a segment is `name`.
fn mentions(section: Section<'_>, name: &[u8]) -> Read<bool> {
    let mut found = false;
    for item in section.items() {
        match item?.1 {
            Item::Text(text) => found |= text == name,
            Item::List(list) => found |= has(list, name)?,
            _ => {}
        }
    }
    Ok(found)
}

fn has(list: List<'_>, name: &[u8]) -> Read<bool> {
    let mut found = false;
    for element in list.elements() {
        found |= element? == Item::Text(name);
    }
    Ok(found)
}
