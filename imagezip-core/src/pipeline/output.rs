//! Putting what was packed into an image, in order, so that its chunks are full.

use alloc::vec::Vec;

use embedded_io::Write;

use super::Proof;
use super::pack::{Packed, gather};
use super::portions::Portion;
use crate::codec::{Compressor, Level, Piece};
use crate::delta::NewSignature;
use crate::digest::Digest;
use crate::error::Result;
use crate::fingerprint::Fingerprint;
use crate::ndz::{ImageWriter, Written};
use crate::sector::{Bytes, SectorCount, SectorRange};
use crate::signature::{ChunkNumber, Entry, Signature};

/// An image in the making, with what has to be known about it.
pub(super) struct Output<W> {
    writer: ImageWriter<W>,
    proof: Proof,
    // Its chunk numbers are those of the image that is written, whose chunks describe all sectors,
    // in the image or not (docs/format.md, "Signature file"); they are known at the end.
    signature: Signature,
    /// For what has to be compressed again because it is divided between two chunks.
    compressor: Compressor,
    gathered: Vec<u8>,
}

/// So little room in a chunk is left free: 1/256 of it.
const ROOM_MIN: usize = 4096;

/// How often a part of the right length for the rest of a chunk is looked for.
const TRIES: usize = 12;

impl<W: Write> Output<W> {
    pub(super) fn new(writer: ImageWriter<W>, signature: NewSignature, level: Level) -> Self {
        let NewSignature { hash_type, block } = signature;
        Self {
            writer,
            proof: Proof::new(),
            signature: Signature::new(hash_type, block),
            compressor: Compressor::new(level),
            gathered: Vec::new(),
        }
    }

    /// Adds data that come after all that were added; `bytes_of` gives them once more.
    pub(super) fn push<'d>(
        &mut self,
        packed: &[Packed],
        bytes_of: &dyn Fn(SectorRange) -> Result<&'d [u8]>,
    ) -> Result<()> {
        for Packed { portion, piece, fingerprint } in packed {
            if piece.deflate().len() <= self.writer.room() || portion.is_tied() {
                self.push_piece(portion, piece, *fingerprint)?;
            } else {
                let mut gathered = core::mem::take(&mut self.gathered);
                let data = gather(&portion.extents, bytes_of, &mut gathered)?;
                self.divide(portion, piece, data)?;
                self.gathered = gathered;
            }
        }
        Ok(())
    }

    /// Fills the chunk in the making with the first part of the data, and puts the rest into the
    /// next one.
    ///
    /// What comes after the bound between two chunks can't refer to what is before it, so what is
    /// near the bound has to be compressed again. The head need not be, nor the tail, which comes
    /// so far behind the bound that it doesn't refer to anything before it.
    fn divide(&mut self, portion: &Portion, piece: &Piece, data: &[u8]) -> Result<()> {
        let mut rest = (portion.clone(), data);
        // How much of the rest is too much, and what it would take.
        let mut beyond = (data.len(), piece.deflate().len());
        if let Some(head) = piece.head(data, self.writer.room()) {
            let part = split(&mut rest, head.len());
            self.push_part(&part, &head)?;
            beyond = less(beyond, (head.len(), head.deflate().len()));
        }
        let mut part = Piece::new();
        let mut failed = 0;
        for _ in 0..TRIES {
            let room = self.writer.room();
            let len = data_for(room, beyond, failed);
            let Some(tried) = rest.1.get(..len).filter(|_| len > 0 && room >= ROOM_MIN) else {
                break;
            };
            self.compressor.compress(tried, &mut part);
            let made = (len, part.deflate().len());
            if made.1 <= room {
                let taken = split(&mut rest, len);
                self.push_part(&taken, &part)?;
                beyond = less(beyond, made);
                failed = 0;
            } else {
                beyond = made;
                failed = failed.saturating_add(1);
            }
        }
        if rest.1.len() == data.len() {
            return self.push_part(&rest, piece);
        }
        if !rest.1.is_empty() {
            let tail = piece.tail(data, data.len().saturating_sub(rest.1.len()));
            let again = rest.1.len().saturating_sub(tail.as_ref().map_or(0, Piece::len));
            let between = split(&mut rest, again);
            self.compressor.compress(between.1, &mut part);
            self.push_part(&between, &part)?;
            if let Some(tail) = tail {
                self.push_part(&rest, &tail)?;
            }
        }
        Ok(())
    }

    fn push_part(&mut self, (portion, data): &(Portion, &[u8]), piece: &Piece) -> Result<()> {
        self.push_piece(portion, piece, Fingerprint::of(data))
    }

    fn push_piece(&mut self, portion: &Portion, piece: &Piece, data: Fingerprint) -> Result<()> {
        self.writer.push(&portion.extents, &portion.relocs, piece)?;
        self.proof.push(&portion.extents, data);
        Ok(())
    }

    /// Adds entries of the signature, each of which comes after all that were added.
    pub(super) fn sign(&mut self, digests: &[(SectorRange, Digest)]) -> Result<()> {
        digests.iter().try_for_each(|(range, digest)| {
            let chunk = ChunkNumber::default();
            self.signature.push(Entry { range: *range, chunk, digest: *digest })
        })
    }

    /// How many bytes of the image have been written.
    pub(super) fn bytes_written(&self) -> u64 {
        self.writer.bytes_written().get()
    }

    /// Writes what is left of the image, which is of something with `size` sectors.
    pub(super) fn finish(self, size: SectorCount) -> Result<(Written, Signature, Proof)> {
        let Self { writer, proof, mut signature, .. } = self;
        let image = writer.finish(size)?;
        signature.number_chunks(&image.map);
        Ok((image, signature, proof))
    }
}

/// Takes the first `len` bytes, whole sectors, off a portion with its data.
fn split<'d>(rest: &mut (Portion, &'d [u8]), len: usize) -> (Portion, &'d [u8]) {
    let (data, after) = rest.1.split_at_checked(len).unwrap_or((rest.1, &[]));
    let sectors = Bytes(u64::try_from(len).unwrap_or(u64::MAX)).whole_sectors();
    rest.1 = after;
    (rest.0.split_off_head(sectors), data)
}

fn less(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0.saturating_sub(b.0), a.1.saturating_sub(b.1))
}

/// How many bytes of data, in whole sectors, are likely to fill `room` and still fit it, where so
/// many bytes become so many, which is too much, and so many guesses `failed`.
fn data_for(room: usize, (data, deflate): (usize, usize), failed: u32) -> usize {
    let room = room.saturating_sub(room / 64);
    // If all of the data become smaller at the same rate.
    let likely = room.saturating_mul(data).checked_div(deflate).unwrap_or_default();
    // No data become larger, but for the headers of stored blocks.
    let certain = room.min(likely);
    let len = match failed {
        0 => likely,
        1 => certain.midpoint(likely),
        _ => certain,
    };
    len.saturating_sub(len % 512)
}
