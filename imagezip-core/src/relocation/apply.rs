//! Turning addresses in an image into addresses on the disk that it goes to.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::disklabel;
use super::lilo;
use super::view::View;
use super::{Placement, span};
use crate::error::{CorruptKind, Error, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::ndz::{Reloc, RelocType};
use crate::partition::disklabel::{Disklabel, Flavour};
use crate::sector::{Bytes, Sector};

/// The sectors of a chunk that its relocations concern, on their way to another place.
///
/// A chunk that has any ([`Relocated::is_needed`]) is decoded twice: first its data go through
/// [`Relocated::feed`], then [`Relocated::finish`] says what replaces some of them. Relocations
/// are applied in their order to whole sectors, so it doesn't matter how the data are cut.
#[derive(Debug)]
pub struct Relocated {
    place: Placement,
    relocs: Vec<Reloc>,
    wanted: ExtentSet,
    view: View,
    notes: Vec<String>,
}

impl Relocated {
    /// What the relocations of a chunk concern when its image goes to `place`.
    ///
    /// # Errors
    /// `Corrupt(RelocSize)` if one doesn't concern as many bytes as its type does.
    pub fn new(relocs: impl IntoIterator<Item = Reloc>, place: Placement) -> Result<Self> {
        let mut this = Self {
            place,
            relocs: Vec::new(),
            wanted: ExtentSet::new(),
            view: View::default(),
            notes: Vec::new(),
        };
        let mut wanted = Vec::new();
        for reloc in relocs {
            let Some(span) = span(&reloc)? else {
                this.note_skipped(&reloc);
                continue;
            };
            if has_effect(reloc.kind, place) {
                wanted.push(span.sectors().ok_or_else(|| missing(&reloc))?);
                this.relocs.push(reloc);
            }
        }
        this.wanted = ExtentSet::from_unsorted(wanted);
        Ok(this)
    }

    /// Whether there is anything to do; otherwise the chunk's data are right as they are.
    pub fn is_needed(&self) -> bool {
        !self.relocs.is_empty()
    }

    /// The sectors that have to be fed. Feeding others does no harm.
    pub const fn sectors(&self) -> &ExtentSet {
        &self.wanted
    }

    /// Takes in the image's sectors from `start` on, as they are in the image.
    pub fn feed(&mut self, start: Sector, data: &[u8]) {
        self.view.feed(&self.wanted, start, data);
    }

    /// Applies the relocations.
    ///
    /// # Errors
    /// `Corrupt(RelocData)` if a sector that they concern was not fed: the chunk does not hold it.
    /// Other `Corrupt` kinds if the data are not what a relocation says; `TooLarge` if an address
    /// at the new place can't be expressed.
    pub fn finish(mut self) -> Result<Adjusted> {
        let mut short = None;
        for reloc in core::mem::take(&mut self.relocs) {
            match reloc.kind {
                RelocType::FREEBSD_DISKLABEL => self.place_label(&reloc, Flavour::FreeBsd)?,
                RelocType::OPENBSD_DISKLABEL => self.place_label(&reloc, Flavour::OpenBsd)?,
                RelocType::SHORT_SECTOR => short = Some((reloc.sector, Bytes(reloc.size.into()))),
                RelocType::LILO_ADDRESS => self.place_lilo_address(&reloc)?,
                RelocType::LILO_MAP => self.place_lilo_map(&reloc)?,
                RelocType::LILO_CHECKSUM => self.seal_lilo_table(&reloc)?,
                _ => {}
            }
        }
        Ok(Adjusted { view: self.view, short, notes: self.notes })
    }

    fn place_label(&mut self, reloc: &Reloc, flavour: Flavour) -> Result<()> {
        let position = position(reloc)?;
        let sector: [u8; 512] =
            self.view.read(reloc.sector.to_bytes()).ok_or_else(|| missing(reloc))?;
        let offset = usize::try_from(reloc.offset).unwrap_or(usize::MAX);
        let at = |kind: ErrorKind| kind.at(Place::Sector(reloc.sector));
        let label = Disklabel::new(sector.get(offset..).unwrap_or_default()).map_err(at)?;
        let placed = disklabel::placed(&label, flavour, self.place, &mut self.notes).map_err(at)?;
        self.view.write(position, &placed).ok_or_else(|| missing(reloc))
    }

    fn place_lilo_address(&mut self, reloc: &Reloc) -> Result<()> {
        let position = position(reloc)?;
        let address = self.view.read(position).ok_or_else(|| missing(reloc))?;
        let placed = lilo::place_address(address, self.place, &mut self.notes);
        let placed = placed.map_err(|kind| kind.at(Place::Sector(reloc.sector)))?;
        self.view.write(position, &placed).ok_or_else(|| missing(reloc))
    }

    fn place_lilo_map(&mut self, reloc: &Reloc) -> Result<()> {
        let position = position(reloc)?;
        let mut map = self.view.read(position).ok_or_else(|| missing(reloc))?;
        let placed = lilo::place_map(&mut map, self.place, &mut self.notes);
        placed.map_err(|kind| kind.at(Place::Sector(reloc.sector)))?;
        self.view.write(position, &map).ok_or_else(|| missing(reloc))
    }

    fn seal_lilo_table(&mut self, reloc: &Reloc) -> Result<()> {
        let table = position(reloc)?.get().checked_sub(lilo::TABLE_END).map(Bytes);
        let table = table.ok_or_else(|| missing(reloc))?;
        let mut bytes = self.view.read(table).ok_or_else(|| missing(reloc))?;
        lilo::seal(&mut bytes);
        self.view.write(table, &bytes).ok_or_else(|| missing(reloc))
    }

    /// At most one line for each type.
    fn note_skipped(&mut self, reloc: &Reloc) {
        if reloc.kind == RelocType::NONE {
            return;
        }
        let note = format!("relocations of {:?} are skipped", reloc.kind);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// What replaces data of a chunk.
#[derive(Debug)]
pub struct Adjusted {
    view: View,
    short: Option<(Sector, Bytes)>,
    notes: Vec<String>,
}

impl Adjusted {
    /// Replaces what has to be replaced in the image's sectors from `start` on.
    pub fn replace(&self, start: Sector, data: &mut [u8]) {
        self.view.write_over(start, data);
    }

    /// The sectors, counted as in the image, with what they hold at the new place.
    pub fn sectors(&self) -> impl Iterator<Item = (Sector, &[u8; 512])> {
        self.view.iter()
    }

    /// The last sector of a file that is not a whole number of sectors, and how many of its bytes
    /// are the file's.
    pub const fn short(&self) -> Option<(Sector, Bytes)> {
        self.short
    }

    /// For people: what could not be kept as it was.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Whether applying a relocation of that type at `place` can change anything.
fn has_effect(kind: RelocType, place: Placement) -> bool {
    match kind {
        RelocType::FREEBSD_DISKLABEL | RelocType::OPENBSD_DISKLABEL => place.slice,
        RelocType::LILO_ADDRESS | RelocType::LILO_MAP | RelocType::LILO_CHECKSUM => {
            place.start > Sector::ZERO
        }
        _ => true,
    }
}

/// The position of the first byte that a relocation names.
fn position(reloc: &Reloc) -> Result<Bytes> {
    let start = reloc.sector.to_bytes().checked_add(u64::from(reloc.offset));
    start.ok_or_else(|| missing(reloc))
}

fn missing(reloc: &Reloc) -> Error {
    ErrorKind::Corrupt(CorruptKind::RelocData).at(Place::Sector(reloc.sector))
}
