//! What protects the chunks of version 4: checksum, signature, cipher (docs/format.md,
//! "Protected chunks").
//!
//! This module checks what needs no key. Ciphers and signatures are work for the [`Keys`] that a
//! caller brings, so that a program without them, such as the agent, doesn't carry their code.

use super::HEADER_BYTES;
use crate::digest::{Digest, HashType, Hasher};
use crate::error::{CorruptKind, ErrorKind, IncompatibleKind};
use crate::layout::Layout;

type Result<T> = core::result::Result<T, ErrorKind>;

/// Where the field with the checksum begins and ends in the header area.
const CHECKSUM: core::ops::Range<usize> = 72..328;

/// The cipher of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cipher(pub u16);

impl Cipher {
    /// The payload is not encrypted.
    pub const NONE: Self = Self(0);
    /// Blowfish with a key of 32 bytes, in CBC mode with PKCS#7 padding; its IV is the first 8
    /// bytes of [`Seal::iv`].
    pub const BLOWFISH_CBC: Self = Self(1);
}

/// The kind of checksum that a chunk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChecksumType(pub u16);

impl ChecksumType {
    /// No checksum.
    pub const NONE: Self = Self(0);
    /// The SHA-1 digest itself.
    pub const SHA1: Self = Self(1);
    /// The digest, encrypted with an RSA key of 512 bits.
    pub const SIGNED_SHA1: Self = Self(0x8001);

    /// The number of bytes of the checksum; `None` for an unknown type.
    const fn len(self) -> Option<usize> {
        match self {
            Self::NONE => Some(0),
            Self::SHA1 => Some(HashType::Sha1.digest_len()),
            Self::SIGNED_SHA1 => Some(Seal::SIGNATURE_LEN),
            _ => None,
        }
    }
}

/// The protection of a chunk as its header states it.
#[derive(Clone, Copy)]
pub struct Seal<'a>(Layout<'a, HEADER_BYTES>);

impl<'a> Seal<'a> {
    /// The number of bytes of a signed checksum: an RSA block of 512 bits.
    pub const SIGNATURE_LEN: usize = 64;

    /// The protection of the chunk of version 4 that has this header area.
    pub(super) const fn new(area: Layout<'a, HEADER_BYTES>) -> Self {
        Self(area)
    }

    /// How the payload is encrypted.
    pub fn cipher(self) -> Cipher {
        Cipher(self.0.u16::<36>())
    }

    /// What is in [`Seal::checksum`].
    pub fn checksum_type(self) -> ChecksumType {
        ChecksumType(self.0.u16::<38>())
    }

    /// The initialisation vector; for Blowfish only 8 bytes count.
    pub fn iv(self) -> [u8; 32] {
        self.0.array::<40, 32>()
    }

    /// The field with the checksum: 20 bytes of digest or 64 of signature, and zeros.
    pub fn checksum(self) -> &'a [u8] {
        self.0.as_bytes().get(CHECKSUM).unwrap_or_default()
    }

    /// Checks the chunk and decrypts its `payload` in place; the length of the plain payload.
    ///
    /// # Errors
    /// `Corrupt(SealChecksum)` for a wrong checksum, `Incompatible` for an unknown one, and what
    /// `keys` reports.
    pub(super) fn open(self, keys: &dyn Keys, payload: &mut [u8]) -> Result<usize> {
        let kind = self.checksum_type();
        let len = kind.len().ok_or(ErrorKind::Incompatible(IncompatibleKind::ChecksumType))?;
        let wrong = ErrorKind::Corrupt(CorruptKind::SealChecksum);
        // The reference digests what follows the checksum in its field as it is found, but all
        // writers have zeros there: then this is the same, and nothing unchecked is left.
        let (checksum, rest) = self.checksum().split_at_checked(len).ok_or(wrong.clone())?;
        if len > 0 && rest.iter().any(|byte| *byte != 0) {
            return Err(wrong);
        }
        match kind {
            ChecksumType::SHA1 if self.digest(payload).as_bytes() != checksum => return Err(wrong),
            ChecksumType::SIGNED_SHA1 => keys.verify(self, self.digest(payload))?,
            _ => {}
        }
        match self.cipher() {
            Cipher::NONE => Ok(payload.len()),
            _ => keys.decrypt(self, payload),
        }
    }

    /// The SHA-1 that the checksum is of: header area and payload as they are stored, with zeros
    /// in place of the checksum.
    fn digest(self, payload: &[u8]) -> Digest {
        let area = self.0.as_bytes();
        let mut hasher = Hasher::new(HashType::Sha1);
        hasher.update(area.get(..CHECKSUM.start).unwrap_or_default());
        hasher.update(&[0; CHECKSUM.end - CHECKSUM.start]);
        hasher.update(area.get(CHECKSUM.end..).unwrap_or_default());
        hasher.update(payload);
        hasher.finish()
    }
}

/// The keys to an image's protected chunks.
pub trait Keys: Sync {
    /// Checks the signed checksum of a chunk, [`Seal::checksum`]; `digest` is the SHA-1 that it
    /// has to be of.
    ///
    /// A holder of no RSA key accepts everything: the reference's reader, too, checks signatures
    /// only when it is given a key.
    ///
    /// # Errors
    /// `Corrupt(SealSignature)` if the signature is not the key's or of another digest.
    fn verify(&self, seal: Seal<'_>, digest: Digest) -> Result<()>;

    /// Decrypts the `payload` of a chunk whose [`Seal::cipher`] is not [`Cipher::NONE`], in
    /// place; the plain payload is that many bytes from the start.
    ///
    /// # Errors
    /// `Incompatible(Encrypted)` without a key, `Incompatible(Cipher)` for an unknown cipher,
    /// `Corrupt(SealPadding)` if the key can't be right.
    fn decrypt(&self, seal: Seal<'_>, payload: &mut [u8]) -> Result<usize>;
}

/// No keys: signed chunks are read as if they were not signed, encrypted ones are not read.
#[derive(Clone, Copy, Debug)]
pub struct NoKeys;

impl Keys for NoKeys {
    fn verify(&self, _: Seal<'_>, _: Digest) -> Result<()> {
        Ok(())
    }

    fn decrypt(&self, seal: Seal<'_>, _: &mut [u8]) -> Result<usize> {
        let kind = match seal.cipher() {
            Cipher::BLOWFISH_CBC => IncompatibleKind::Encrypted,
            _ => IncompatibleKind::Cipher,
        };
        Err(ErrorKind::Incompatible(kind))
    }
}
