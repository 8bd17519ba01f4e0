//! What image files hold, for people and programs: what `imagedump` shows.
//!
//! Unlike all other readers, this one goes on after damage: it says what is wrong and tells what
//! can still be told.

mod check;
mod facts;
mod gather;
mod source;
mod text;

#[cfg(test)]
mod tests;

pub use facts::{
    ChunkFacts, Covered, Facts, MapEntry, PerChunk, Ranges, RegionFacts, RelocFacts, Relocations,
    SizeClass,
};
pub use gather::gather;
pub use source::{ChunkSource, Filled, is_image};
pub use text::report;

use imagezip_core::ndz::Keys;

/// What is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// How the chunks are listed.
    pub chunks: Detail,
    /// Which sectors are allocated and which are free.
    pub map: bool,
    /// Chunks may have any numbers, and the first needn't begin at sector 0.
    pub ignore_numbers: bool,
    /// The checksums are checked, with the keys where they are signed, and all data decompressed.
    pub check: Option<&'a dyn Keys>,
}

/// How the chunks of an image are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Not at all.
    None,
    /// One by one.
    Chunks,
    /// With their regions and relocations.
    Regions,
}
