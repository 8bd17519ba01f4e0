//! Packing data in memory, which workers do at the same time.

use alloc::vec::Vec;

use super::portions::{Cutter, Portion};
use crate::codec::{Compressor, Level, Piece};
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::fingerprint::Fingerprint;
use crate::sector::SectorRange;

/// Some sectors, compressed.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) portion: Portion,
    pub(super) piece: Piece,
    /// Of the data.
    pub(super) fingerprint: Fingerprint,
}

/// Packs data; each job has one, which goes round with its buffers.
pub(super) struct Packer {
    compressor: Compressor,
    gathered: Vec<u8>,
    packed: Vec<Packed>,
    /// How many of them there are; the rest is kept for its memory.
    count: usize,
}

impl Packer {
    pub(super) fn new(level: Level) -> Self {
        let (compressor, gathered, packed) = (Compressor::new(level), Vec::new(), Vec::new());
        Self { compressor, gathered, packed, count: 0 }
    }

    /// Packs `extents`, whose data `bytes_of` gives, in place of what was packed before.
    pub(super) fn pack<'d>(
        &mut self,
        extents: &ExtentSet,
        cutter: &Cutter<'_>,
        bytes_of: &dyn Fn(SectorRange) -> Result<&'d [u8]>,
    ) -> Result<()> {
        self.count = 0;
        for portion in cutter.portions(extents) {
            if self.packed.len() == self.count {
                self.packed.push(Packed::default());
            }
            let Some(packed) = self.packed.get_mut(self.count) else { break };
            let data = gather(&portion.extents, bytes_of, &mut self.gathered)?;
            self.compressor.compress(data, &mut packed.piece);
            packed.fingerprint = Fingerprint::of(data);
            packed.portion = portion;
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }

    pub(super) fn packed(&self) -> &[Packed] {
        self.packed.get(..self.count).unwrap_or_default()
    }
}

/// The data of `extents`, which `bytes_of` gives for each of them, as one: as they are if there is
/// but one, else put together in `room`.
pub(super) fn gather<'a, 'd: 'a>(
    extents: &[SectorRange],
    bytes_of: &dyn Fn(SectorRange) -> Result<&'d [u8]>,
    room: &'a mut Vec<u8>,
) -> Result<&'a [u8]> {
    if let [extent] = extents {
        return bytes_of(*extent);
    }
    room.clear();
    for extent in extents {
        room.extend_from_slice(bytes_of(*extent)?);
    }
    Ok(room)
}
