//! Why all of a group counts as in use.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Error, ErrorKind, Result};

/// Why what describes a group can't be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// The descriptor's checksum is wrong.
    Descriptor,
    /// The descriptor points outside the file system.
    Bounds,
    /// The bitmap's checksum is wrong.
    BitmapChecksum,
    /// Bitmap and descriptor count the free clusters differently.
    FreeCount,
    /// The bitmap says that metadata are free.
    FreeMetadata,
    /// The journal's copy of the bitmap or of the descriptors is damaged.
    Journal,
    /// Blocks were given to files that only a fast commit knows of.
    FastCommit,
}

impl Doubt {
    const ALL: [Self; 7] = [
        Self::Descriptor,
        Self::Bounds,
        Self::BitmapChecksum,
        Self::FreeCount,
        Self::FreeMetadata,
        Self::Journal,
        Self::FastCommit,
    ];
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptor => "the descriptor's checksum is wrong",
            Self::Bounds => "the descriptor points outside the file system",
            Self::BitmapChecksum => "the bitmap's checksum is wrong",
            Self::FreeCount => "bitmap and descriptor count the free blocks differently",
            Self::FreeMetadata => "the bitmap says that metadata are free",
            Self::Journal => "the journal's copy of the bitmap or descriptor is damaged",
            Self::FastCommit => "a fast commit that was not checkpointed allocates there",
        })
    }
}

/// Something about a group that was checked, or why it can't be trusted.
pub(super) type Trusted<T> = core::result::Result<T, Doubt>;

/// Turns what is damaged into a doubt. A device that fails stays an error.
pub(super) fn trust<T>(result: Result<T>) -> Result<Trusted<T>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error { kind: ErrorKind::Corrupt(_), .. }) => Ok(Err(Doubt::Journal)),
        Err(error) => Err(error),
    }
}

/// The doubts about the groups of a file system: for each kind how many groups, and the first.
#[derive(Default)]
pub(super) struct Doubts([(u32, u32); Doubt::ALL.len()]);

impl Doubts {
    /// Adds a group. Groups come in ascending order.
    pub(super) fn add(&mut self, doubt: Doubt, group: u32) {
        let kinds = Doubt::ALL.iter().zip(&mut self.0);
        for (_, (count, first)) in kinds.filter(|(kind, _)| **kind == doubt) {
            if *count == 0 {
                *first = group;
            }
            *count = count.saturating_add(1);
        }
    }

    /// A line for each kind of doubt there is.
    pub(super) fn notes(&self) -> Vec<String> {
        let kinds = Doubt::ALL.iter().zip(self.0).filter(|(_, (count, _))| *count > 0);
        kinds
            .map(|(doubt, (count, first))| match count {
                1 => format!("group {first} counts as in use: {doubt}"),
                _ => format!("{count} groups from group {first} on count as in use: {doubt}"),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_a_line_for_each_kind() {
        let mut doubts = Doubts::default();
        assert!(doubts.notes().is_empty());
        for group in [3, 5, 9] {
            doubts.add(Doubt::FreeCount, group);
        }
        doubts.add(Doubt::Descriptor, 7);
        assert_eq!(
            doubts.notes(),
            [
                "group 7 counts as in use: the descriptor's checksum is wrong",
                "3 groups from group 3 on count as in use: \
                 bitmap and descriptor count the free blocks differently",
            ]
        );
    }
}
