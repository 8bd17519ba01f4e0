//! Attributes: what a record of the MFT is made of (docs/format.md, "NTFS").

use crate::layout::Layout;

/// The kinds of attributes that are looked at.
pub(super) mod kind {
    pub(in super::super) const LIST: u32 = 0x20;
    pub(in super::super) const FILE_NAME: u32 = 0x30;
    pub(in super::super) const VOLUME_INFORMATION: u32 = 0x70;
    pub(in super::super) const DATA: u32 = 0x80;
    pub(in super::super) const INDEX_ROOT: u32 = 0x90;
    pub(in super::super) const INDEX_ALLOCATION: u32 = 0xa0;
}

/// What ends the attributes of a record.
const END: u32 = 0xffff_ffff;

/// The attributes of a record, one after the other.
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Those in `bytes`, which end with a mark.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next one, if there is one more; `None` if what is there is none.
    #[expect(clippy::option_option, reason = "damaged, the end, or an attribute")]
    pub(super) fn next(&mut self) -> Option<Option<Attribute<'a>>> {
        let kind = Layout::<4>::new(self.0)?.u32::<0>();
        if kind == END {
            return Some(None);
        }
        let header = Layout::<0x18>::new(self.0)?;
        let len = usize::try_from(header.u32::<4>()).ok()?;
        if len < 0x18 || !len.is_multiple_of(8) {
            return None;
        }
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Attribute::new(kind, bytes, header).map(Some)
    }
}

/// An attribute whose parts lie inside it.
pub(super) struct Attribute<'a> {
    kind: u32,
    /// In UTF-16.
    name: &'a [u8],
    pub(super) content: Content<'a>,
}

/// Where the content of an attribute is.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    /// In the record.
    Resident(&'a [u8]),
    /// In clusters.
    Outside(Outside<'a>),
}

/// The content of an attribute, or a part of it, that lies in clusters.
#[derive(Clone, Copy)]
pub(super) struct Outside<'a> {
    /// The first cluster of this part, counted from the start of the content.
    pub(super) first: u64,
    /// How many clusters this part has, holes included.
    pub(super) clusters: u64,
    /// The length of the content in bytes, told by the part that begins with cluster 0.
    pub(super) size: u64,
    /// So many of these bytes were ever written.
    pub(super) initialized: u64,
    /// Whether it is neither compressed nor encrypted nor sparse.
    pub(super) is_plain: bool,
    /// Whether it is neither compressed nor encrypted.
    pub(super) is_as_written: bool,
    /// The list of runs.
    pub(super) runs: &'a [u8],
}

impl<'a> Attribute<'a> {
    fn new(kind: u32, bytes: &'a [u8], header: Layout<'a, 0x18>) -> Option<Self> {
        let name_len = usize::from(header.u8::<0x09>()).checked_mul(2)?;
        let name = bytes.get(usize::from(header.u16::<0x0a>())..)?.get(..name_len)?;
        let content = match header.u8::<0x08>() {
            0 => {
                let len = usize::try_from(header.u32::<0x10>()).ok()?;
                let at = usize::from(header.u16::<0x14>());
                Content::Resident(bytes.get(at..)?.get(..len)?)
            }
            1 => Content::Outside(Outside::new(bytes, header.u16::<0x0c>())?),
            _ => return None,
        };
        Some(Self { kind, name, content })
    }

    /// Whether it has this kind and name.
    pub(super) fn is(&self, kind: u32, name: &[u8]) -> bool {
        self.kind == kind && self.name == name
    }

    /// The first cluster of this part of the content.
    pub(super) fn first_cluster(&self) -> u64 {
        match self.content {
            Content::Resident(_) => 0,
            Content::Outside(outside) => outside.first,
        }
    }

    /// The content, if it is in the record.
    pub(super) fn resident(&self) -> Option<&'a [u8]> {
        match self.content {
            Content::Resident(bytes) => Some(bytes),
            Content::Outside(_) => None,
        }
    }

    /// The content, if it is in clusters.
    pub(super) fn outside(&self) -> Option<Outside<'a>> {
        match self.content {
            Content::Resident(_) => None,
            Content::Outside(outside) => Some(outside),
        }
    }
}

impl<'a> Outside<'a> {
    fn new(bytes: &'a [u8], flags: u16) -> Option<Self> {
        let header = Layout::<0x40>::new(bytes)?;
        let first = header.u64::<0x10>();
        // An empty one ends with cluster -1.
        let clusters = header.u64::<0x18>().wrapping_add(1).checked_sub(first)?;
        Some(Self {
            first,
            clusters,
            size: header.u64::<0x30>(),
            initialized: header.u64::<0x38>(),
            is_plain: flags == 0,
            is_as_written: flags & 0x40ff == 0,
            runs: bytes.get(usize::from(header.u16::<0x20>())..)?,
        })
    }
}
