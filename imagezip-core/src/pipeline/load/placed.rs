//! Chunks with their relocations applied.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::Decompressor;
use crate::error::{ErrorKind, Limit, Place, Result};
use crate::ndz::Chunk;
use crate::relocation::{Adjusted, Placement, Relocated};
use crate::sector::{Bytes, SECTOR_BYTES, Sector};

/// Decompresses chunks into what they are at the place where their image goes.
#[derive(Debug)]
pub(in crate::pipeline) struct PlacedDecoder {
    place: Placement,
    adjusted: Option<Adjusted>,
    notes: Vec<String>,
    copy: Vec<u8>,
}

impl PlacedDecoder {
    pub(in crate::pipeline) fn new(place: Placement) -> Self {
        Self { place, adjusted: None, notes: Vec::new(), copy: Vec::new() }
    }

    /// Gives a chunk's data to `sink`, in ascending order, each time with their position on the
    /// target. Where a file ends within a sector, its data end there, too.
    ///
    /// # Errors
    /// As [`Chunk::decode`] and [`Relocated`]; `TooLarge` if positions don't fit 64 bits.
    pub(in crate::pipeline) fn decode(
        &mut self,
        chunk: &Chunk<'_>,
        scratch: &mut Decompressor,
        sink: &mut dyn FnMut(Bytes, &[u8]) -> Result<()>,
    ) -> Result<()> {
        self.adjust(chunk, scratch)?;
        let (place, adjusted, copy) = (self.place, &self.adjusted, &mut self.copy);
        chunk.decode(scratch, &mut |start, data| {
            let at = position(place, start)?;
            let Some(adjusted) = adjusted else {
                return sink(at, data);
            };
            copy.clear();
            copy.extend_from_slice(data);
            adjusted.replace(start, copy);
            match adjusted.short() {
                Some((sector, len)) => {
                    sink_shortened((at, copy), position(place, sector)?, len, sink)
                }
                None => sink(at, copy),
            }
        })
    }

    /// For people: what the last chunk's relocations could not keep as it was.
    pub(in crate::pipeline) fn notes(&self) -> &[String] {
        self.adjusted.as_ref().map_or(&self.notes, |adjusted| adjusted.notes())
    }

    /// The position on the target where the file ends whose last sector is in the last chunk.
    pub(in crate::pipeline) fn short_end(&self) -> Option<Bytes> {
        let (sector, len) = self.adjusted.as_ref()?.short()?;
        position(self.place, sector).ok()?.checked_add(len.get())
    }

    /// Finds out what the chunk's relocations change.
    fn adjust(&mut self, chunk: &Chunk<'_>, scratch: &mut Decompressor) -> Result<()> {
        self.adjusted = None;
        let mut relocated = Relocated::new(chunk.relocs(), self.place)?;
        if relocated.is_needed() {
            chunk.decode(scratch, &mut |start, data| {
                relocated.feed(start, data);
                Ok(())
            })?;
        }
        let adjusted = relocated.finish()?;
        self.notes = adjusted.notes().to_vec();
        if adjusted.sectors().next().is_some() {
            self.adjusted = Some(adjusted);
        }
        Ok(())
    }
}

/// Gives data at a position to `sink`, but of the sector at `short` only the first `len` bytes.
fn sink_shortened(
    (at, data): (Bytes, &[u8]),
    short: Bytes,
    len: Bytes,
    sink: &mut dyn FnMut(Bytes, &[u8]) -> Result<()>,
) -> Result<()> {
    let index = |position: u64| {
        let index = position.saturating_sub(at.get());
        usize::try_from(index).unwrap_or(usize::MAX).min(data.len())
    };
    let cut = index(short.get().saturating_add(len.get()));
    let (before, _) = data.split_at_checked(cut).unwrap_or((data, &[]));
    if !before.is_empty() {
        sink(at, before)?;
    }
    let after = index(short.get().saturating_add(SECTOR_BYTES));
    match (data.get(after..), at.checked_add(u64::try_from(after).unwrap_or_default())) {
        (Some(rest), Some(at)) if !rest.is_empty() => sink(at, rest),
        _ => Ok(()),
    }
}

/// Where on the target a sector of the image is.
pub(super) fn position(place: Placement, sector: Sector) -> Result<Bytes> {
    let placed = place.start.checked_add(sector.since(Sector::ZERO));
    placed
        .map(Sector::to_bytes)
        .ok_or_else(|| ErrorKind::TooLarge(Limit::Target).at(Place::Sector(sector)))
}
