//! Checking an image against what was read from the disk.

use alloc::vec::Vec;

use super::{Workers, ordered};
use crate::codec::SecondDecompressor;
use crate::device::ReadAt;
use crate::digest::{Sha256, Sha256Hasher};
use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::extent::ExtentSet;
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::ndz::{ChunkBuffer, Image};
use crate::sector::{Sector, SectorCount, SectorRange};

/// What an image must give back: its extents, and fingerprints of the data as they were read from
/// the disk, before they were compressed.
#[derive(Debug, Default)]
pub struct Proof {
    extents: ExtentSet,
    pieces: Vec<ProvenPiece>,
}

/// Some sectors of the image that lie in one chunk.
#[derive(Clone, Copy, Debug)]
struct ProvenPiece {
    start: Sector,
    len: SectorCount,
    fingerprint: Fingerprint,
}

impl Proof {
    /// Of an image that holds nothing.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds sectors that lie after all that were added, and what their data are like.
    pub(super) fn push(&mut self, extents: &[SectorRange], fingerprint: Fingerprint) {
        let Some(first) = extents.first() else { return };
        let len = extents.iter().fold(SectorCount::ZERO, |sum, e| sum.saturating_add(e.len()));
        self.pieces.push(ProvenPiece { start: first.start(), len, fingerprint });
        self.extents.extend(extents.iter().copied());
    }

    /// The sectors that the image must give back.
    pub const fn extents(&self) -> &ExtentSet {
        &self.extents
    }

    /// The pieces that begin in `range`.
    fn pieces_in(&self, range: SectorRange) -> &[ProvenPiece] {
        let from = self.pieces.partition_point(|piece| piece.start < range.start());
        let to = self.pieces.partition_point(|piece| piece.start < range.end());
        self.pieces.get(from..to).unwrap_or_default()
    }
}

/// Reads the whole image in `file` and checks that it gives back what `proof` says: the same
/// sectors with the same data, and nothing else. Returns the SHA-256 of the file.
///
/// It is decompressed by a [`SecondDecompressor`]: the codec that made it is no witness for itself.
///
/// # Errors
/// Everything that can be wrong with an image; `Corrupt(NotAsWritten)` if it is well formed but
/// not the one that was written.
pub fn verify<D: ReadAt + ?Sized>(
    workers: &dyn Workers,
    file: &D,
    proof: &Proof,
) -> Result<Sha256> {
    let image = Image::open(file)?;
    if image.extents()? != proof.extents {
        return Err(ErrorKind::Corrupt(CorruptKind::NotAsWritten).into());
    }
    let slots = (0..workers.count().saturating_mul(2)).map(|_| Slot::default()).collect();
    let mut numbers = 0..image.chunk_count();
    let mut whole = Sha256Hasher::new();
    ordered(
        workers,
        slots,
        || Ok(numbers.next()),
        |number, slot: &mut Slot| slot.check(&image, number, proof),
        |slot| {
            whole.update(slot.buffer.bytes());
            Ok(())
        },
    )?;
    Ok(whole.finish())
}

/// The buffers for one chunk.
#[derive(Default)]
struct Slot {
    buffer: ChunkBuffer,
    scratch: SecondDecompressor,
}

impl Slot {
    fn check<D: ReadAt + ?Sized>(
        &mut self,
        image: &Image<'_, D>,
        number: u32,
        proof: &Proof,
    ) -> Result<()> {
        let chunk = image.whole_chunk(number, &mut self.buffer)?;
        let mut check = Check { pieces: proof.pieces_in(chunk.covered()), current: None };
        let mut as_written = true;
        chunk.decode(&mut self.scratch, &mut |_, data| {
            as_written &= check.take(data);
            Ok(())
        })?;
        if as_written && check.is_complete() {
            Ok(())
        } else {
            let place = Place::Chunk(u64::from(number));
            Err(ErrorKind::Corrupt(CorruptKind::NotAsWritten).at(place))
        }
    }
}

/// Compares data that come in order with the fingerprints of the pieces that they are made of.
struct Check<'a> {
    pieces: &'a [ProvenPiece],
    /// The piece that has begun, with how many of its bytes are to come.
    current: Option<(Fingerprinter, usize, Fingerprint)>,
}

impl Check<'_> {
    /// Takes in the next data; false if they are not those of the pieces.
    fn take(&mut self, mut data: &[u8]) -> bool {
        while !data.is_empty() {
            let (mut hasher, left, fingerprint) = match self.current.take() {
                Some(current) => current,
                None => match self.begin() {
                    Some(current) => current,
                    None => return false,
                },
            };
            let (now, later) = data.split_at_checked(left).unwrap_or((data, &[]));
            hasher.update(now);
            let left = left.saturating_sub(now.len());
            if left > 0 {
                self.current = Some((hasher, left, fingerprint));
            } else if hasher.finish() != fingerprint {
                return false;
            }
            data = later;
        }
        true
    }

    fn begin(&mut self) -> Option<(Fingerprinter, usize, Fingerprint)> {
        let (piece, rest) = self.pieces.split_first()?;
        self.pieces = rest;
        let len = usize::try_from(piece.len.to_bytes().get()).ok()?;
        Some((Fingerprinter::new(), len, piece.fingerprint))
    }

    /// Whether all pieces were there to their ends.
    fn is_complete(&self) -> bool {
        self.pieces.is_empty() && self.current.is_none()
    }
}
