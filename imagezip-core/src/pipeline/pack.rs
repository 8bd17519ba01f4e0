//! What all saves do with data in memory: pack them, and put the packed ones into an image.

use alloc::vec::Vec;

use embedded_io::Write;

use super::Proof;
use super::portions::{Cutter, Portion};
use crate::codec::{Compressor, Level, Piece};
use crate::delta::NewSignature;
use crate::digest::{Digest, HashType};
use crate::error::Result;
use crate::extent::ExtentSet;
use crate::ndz::{ImageWriter, Written};
use crate::sector::{SectorCount, SectorRange};
use crate::signature::{ChunkNumber, Entry, Signature};

/// Some sectors, compressed.
pub(super) struct Packed {
    portion: Portion,
    piece: Piece,
    digest: Digest,
}

/// Packs data; each thread has one.
pub(super) struct Packer {
    compressor: Compressor,
    gathered: Vec<u8>,
    packed: Vec<Packed>,
}

impl Packer {
    pub(super) fn new(level: Level) -> Self {
        Self { compressor: Compressor::new(level), gathered: Vec::new(), packed: Vec::new() }
    }

    /// Packs `extents`, whose data `bytes_of` gives, in place of what was packed before.
    pub(super) fn pack<'d>(
        &mut self,
        extents: &ExtentSet,
        cutter: &Cutter<'_>,
        bytes_of: impl Fn(SectorRange) -> Result<&'d [u8]>,
    ) -> Result<()> {
        self.packed.clear();
        for portion in cutter.portions(extents) {
            self.gathered.clear();
            for extent in &portion.extents {
                self.gathered.extend_from_slice(bytes_of(*extent)?);
            }
            let mut piece = Piece::new();
            self.compressor.compress(&self.gathered, &mut piece);
            let digest = HashType::Sha1.digest(&self.gathered);
            self.packed.push(Packed { portion, piece, digest });
        }
        Ok(())
    }

    pub(super) fn packed(&self) -> &[Packed] {
        &self.packed
    }
}

/// An image in the making, with what has to be known about it.
pub(super) struct Output<W> {
    writer: ImageWriter<W>,
    proof: Proof,
    // Its chunk numbers are those of the image that is written, whose chunks describe all sectors,
    // in the image or not (docs/format.md, "Signature file"); they are known at the end.
    signature: Signature,
}

impl<W: Write> Output<W> {
    pub(super) fn new(writer: ImageWriter<W>, signature: NewSignature) -> Self {
        let NewSignature { hash_type, block } = signature;
        Self { writer, proof: Proof::new(), signature: Signature::new(hash_type, block) }
    }

    /// Adds data that come after all that were added.
    pub(super) fn push(&mut self, packed: &[Packed]) -> Result<()> {
        for Packed { portion, piece, digest } in packed {
            self.writer.push(&portion.extents, &portion.relocs, piece)?;
            self.proof.push(&portion.extents, *digest);
        }
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
        let Self { writer, proof, mut signature } = self;
        let image = writer.finish(size)?;
        signature.number_chunks(&image.map);
        Ok((image, signature, proof))
    }
}
