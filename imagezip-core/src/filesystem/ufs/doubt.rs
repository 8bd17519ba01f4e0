//! Why all of a cylinder group counts as in use.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// Why a group's header can't be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It is not the header of this group, or its bitmaps have no room in it.
    Header,
    /// The header's checksum is wrong.
    Checksum,
    /// Bitmap and header count the free fragments differently.
    FreeCount,
    /// The bitmap says that metadata are free.
    FreeMetadata,
}

const ALL: [Doubt; 4] = [Doubt::Header, Doubt::Checksum, Doubt::FreeCount, Doubt::FreeMetadata];

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "its header is damaged",
            Self::Checksum => "the header's checksum is wrong",
            Self::FreeCount => "bitmap and header count the free fragments differently",
            Self::FreeMetadata => "the bitmap says that metadata are free",
        })
    }
}

/// The doubts about the groups of a file system: for each kind how many groups, and the first.
#[derive(Default)]
pub(super) struct Doubts([(u32, u32); ALL.len()]);

impl Doubts {
    /// Adds a group. Groups come in ascending order.
    pub(super) fn add(&mut self, doubt: Doubt, group: u32) {
        let kinds = ALL.iter().zip(&mut self.0);
        for (_, (count, first)) in kinds.filter(|(kind, _)| **kind == doubt) {
            if *count == 0 {
                *first = group;
            }
            *count = count.saturating_add(1);
        }
    }

    /// A line for each kind of doubt there is.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let kinds = ALL.iter().zip(self.0).filter(|(_, (count, _))| *count > 0);
        kinds.map(|(doubt, (count, first))| match count {
            1 => format!("cylinder group {first} counts as in use: {doubt}"),
            _ => format!("{count} cylinder groups from {first} on count as in use: {doubt}"),
        })
    }
}
