//! Records of the MFT, and other blocks whose sectors carry a mark of the write that they belong to.

use alloc::vec::Vec;

use crate::error::{CorruptKind, Error, ErrorKind, Place};
use crate::layout::Layout;

use super::attribute::{Attribute, Attributes};

/// The bytes of a sector as the marks count them, whatever the sectors' size.
const STRIDE: usize = 512;

/// What a record begins with.
pub(super) const MAGIC: [u8; 4] = *b"FILE";

/// The record with this number is damaged, or what it has to tell.
#[cold]
#[inline(never)]
pub(super) fn damaged(number: u64) -> Error {
    ErrorKind::Corrupt(CorruptKind::MftRecord).at(Place::Entry(number))
}

/// Puts back what the marks replaced: the last two bytes of each sector of `block`. `None` if it doesn't begin with
/// `magic`, or a sector's mark is another one, as it is after a write that was cut short.
pub(super) fn unmark(block: &mut [u8], magic: [u8; 4]) -> Option<()> {
    let header = Layout::<8>::new(block)?;
    let (at, count) = (usize::from(header.u16::<4>()), usize::from(header.u16::<6>()));
    let sectors = block.len().checked_div(STRIDE)?;
    if header.array::<0, 4>() != magic || count.checked_sub(1)? != sectors {
        return None;
    }
    let end = at.checked_add(count.checked_mul(2)?)?;
    // The list itself lies in no place that it replaces.
    if at < 8 || !at.is_multiple_of(2) || end > STRIDE.saturating_sub(2) {
        return None;
    }
    let marks: Vec<u8> = block.get(at..end)?.to_vec();
    let (mark, originals) = marks.split_first_chunk::<2>()?;
    for (sector, original) in block.chunks_exact_mut(STRIDE).zip(originals.chunks_exact(2)) {
        let last = sector.last_chunk_mut::<2>()?;
        if last != mark {
            return None;
        }
        last.copy_from_slice(original);
    }
    Some(())
}

/// The header of a record as it lies on the disk.
#[derive(Clone, Copy)]
struct View<'a>(Layout<'a, 0x30>);

#[rustfmt::skip]
impl View<'_> {
    fn marks_at(self) -> u16 { self.0.u16::<0x04>() }
    fn sequence(self) -> u16 { self.0.u16::<0x10>() }
    fn links(self) -> u16 { self.0.u16::<0x12>() }
    fn attributes_at(self) -> u16 { self.0.u16::<0x14>() }
    fn flags(self) -> u16 { self.0.u16::<0x16>() }
    fn used(self) -> u32 { self.0.u32::<0x18>() }
    fn base(self) -> Reference { Reference(self.0.u64::<0x20>()) }
    fn number(self) -> u32 { self.0.u32::<0x2c>() }
}

/// A reference to a record: its number, and how often it was given to another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference(pub(super) u64);

impl Reference {
    /// The record's number.
    pub(super) fn number(self) -> u64 {
        self.0 & 0xffff_ffff_ffff
    }

    fn sequence(self) -> u16 {
        u16::try_from(self.0.wrapping_shr(48)).unwrap_or_default()
    }
}

/// A record that is in use and as it was written.
pub(super) struct Record<'a> {
    bytes: &'a [u8],
    view: View<'a>,
    /// Its place in the MFT.
    pub(super) number: u64,
}

impl<'a> Record<'a> {
    /// Whether the record is marked as in use. Nothing else of it has to be right if not.
    pub(super) fn is_in_use(bytes: &[u8]) -> bool {
        Layout::<0x30>::new(bytes).is_some_and(|header| View(header).flags() & 1 != 0)
    }

    /// The record that `bytes` are, whose sectors still have their marks.
    #[inline(never)]
    pub(super) fn new(bytes: &'a mut [u8], number: u64) -> Option<Self> {
        unmark(bytes, MAGIC)?;
        let bytes: &[u8] = bytes;
        let view = View(Layout::new(bytes)?);
        // Earlier versions have no number, and the list of marks in its place.
        let right = view.marks_at() < 0x30 || u64::from(view.number()) == number & 0xffff_ffff;
        (right && Self::is_in_use(bytes)).then_some(Self { bytes, view, number })
    }

    /// Its attributes.
    pub(super) fn attributes(&self) -> Attributes<'a> {
        let used = usize::try_from(self.view.used()).unwrap_or(usize::MAX);
        let at = usize::from(self.view.attributes_at());
        Attributes::new(self.bytes.get(at..used).unwrap_or_default())
    }

    /// Its first attribute of a kind and with a name, from cluster `first` of its content on.
    ///
    /// # Errors
    /// `Corrupt` if the record is damaged.
    #[inline(never)]
    pub(super) fn find(
        &self,
        kind: u32,
        name: &[u8],
        first: u64,
    ) -> Result<Option<Attribute<'a>>, Error> {
        let mut attributes = self.attributes();
        while let Some(attribute) = attributes.next().ok_or_else(|| self.damaged())? {
            if attribute.is(kind, name) && attribute.first_cluster() == first {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }

    /// Whether it is the record that a reference means.
    pub(super) fn is(&self, reference: Reference) -> bool {
        reference.number() == self.number && reference.sequence() == self.view.sequence()
    }

    /// Whether it is the record of a file, or has some of its attributes.
    pub(super) fn belongs_to(&self, file: Reference) -> bool {
        self.is(file) || self.base() == file
    }

    /// The record whose attributes it has when these didn't fit; itself has none if it is 0.
    pub(super) fn base(&self) -> Reference {
        self.view.base()
    }

    /// How many names the file has.
    pub(super) fn links(&self) -> u16 {
        self.view.links()
    }

    /// That it is damaged.
    pub(super) fn damaged(&self) -> Error {
        damaged(self.number)
    }
}
