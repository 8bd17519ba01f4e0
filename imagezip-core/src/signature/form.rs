//! The forms of entries in signature files (docs/format.md, "Signature file").

use super::entry::ChunkNumber;
use crate::layout::Layout;
use crate::sector::{Sector, SectorCount, SectorRange};

/// How a file's entries are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Versions 1 and 2: 32 bytes, 32-bit sector numbers, up to 20 bytes of digest.
    Classic,
    /// Version 3: 48 bytes, the first sector in 64 bits, up to 32 bytes of digest.
    Wide,
    /// An early version 3: 40 bytes, 64-bit sector numbers, up to 20 bytes of digest.
    EarlyWide,
}

impl Form {
    /// The size of an entry.
    pub(super) const fn entry_len(self) -> usize {
        match self {
            Self::Classic => CLASSIC,
            Self::Wide => WIDE,
            Self::EarlyWide => EARLY_WIDE,
        }
    }

    /// The room for a digest.
    pub(super) const fn digest_room(self) -> usize {
        match self {
            Self::Classic | Self::EarlyWide => 20,
            Self::Wide => 32,
        }
    }

    /// The entry at the start of `bytes`, if they are enough.
    pub(super) fn parse(self, bytes: &[u8]) -> Option<FileEntry<'_>> {
        let (start, size, chunk) = match self {
            Self::Classic => {
                let entry = Layout::<CLASSIC>::new(bytes)?;
                (u64::from(entry.u32::<0>()), u64::from(entry.u32::<4>()), entry.u32::<8>())
            }
            Self::Wide => {
                let entry = Layout::<WIDE>::new(bytes)?;
                (entry.u64::<0>(), u64::from(entry.u32::<8>()), entry.u32::<12>())
            }
            Self::EarlyWide => {
                let entry = Layout::<EARLY_WIDE>::new(bytes)?;
                (entry.u64::<0>(), entry.u64::<8>(), entry.u32::<16>())
            }
        };
        let bytes = bytes.get(..self.entry_len())?;
        let digest = bytes.get(bytes.len().checked_sub(self.digest_room())?..)?;
        Some(FileEntry { start, size, chunk, digest })
    }
}

const CLASSIC: usize = 32;
const WIDE: usize = 48;
const EARLY_WIDE: usize = 40;

/// An entry in a file, not checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileEntry<'a> {
    start: u64,
    size: u64,
    chunk: u32,
    /// The digest and what comes after it.
    pub(super) digest: &'a [u8],
}

impl FileEntry<'_> {
    /// The sectors, if there are such.
    pub(super) fn range(&self) -> Option<SectorRange> {
        SectorRange::with_len(Sector::new(self.start)?, SectorCount::new(self.size)?)
    }

    /// The chunk of the image.
    pub(super) fn chunk(&self) -> ChunkNumber {
        ChunkNumber::from_file(self.chunk)
    }

    /// Where and how many they are, if the entry is about bytes that fill no sector.
    pub(super) fn remainder(&self) -> Option<(Sector, u16)> {
        let len = u16::try_from(self.chunk).ok().filter(|len| (1..512).contains(len))?;
        (self.size == 0).then_some((Sector::new(self.start)?, len))
    }
}

/// The bytes of an entry of versions 1 and 2; `None` if its sectors have no 32-bit numbers.
pub(super) fn classic_entry(
    start: Sector,
    size: u64,
    chunk: u32,
    digest: &[u8],
) -> Option<[u8; CLASSIC]> {
    let numbers = [u32::try_from(start.get()).ok()?, u32::try_from(size).ok()?, chunk];
    let fields = numbers.into_iter().flat_map(u32::to_le_bytes).chain(digest.iter().copied());
    let mut bytes = [0; CLASSIC];
    bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    Some(bytes)
}
