//! Keys to the chunks of version 4 images: Blowfish for what is encrypted, RSA for what is signed
//! (docs/format.md, "Protected chunks").
//!
//! Both are far too weak for today: 512 bits of RSA over SHA-1, a cipher with blocks of 64 bits.
//! They are here to read what older tools made; [`crate::signing`] is what protects images.

mod rsa;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use blowfish::Blowfish;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, InnerIvInit, KeyInit};
use imagezip_core::device::ReadAt;
use imagezip_core::digest::Digest;
use imagezip_core::error::{CorruptKind, ErrorKind, IncompatibleKind, Place};
use imagezip_core::ndz::{ChecksumType, ChunkHeader, Cipher, Image, Keys, Seal};

use rsa::PublicKey;

type Result<T> = core::result::Result<T, ErrorKind>;

/// The keys that a user gave, if any.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    cipher: Option<Blowfish>,
    signature: Option<PublicKey>,
}

impl KeyRing {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys in these files, if any are given: to what is encrypted, and to what is signed.
    ///
    /// # Errors
    /// If a file can't be read or is something else.
    pub fn of_files(cipher: Option<&Path>, signature: Option<&Path>) -> anyhow::Result<Self> {
        let mut keys = Self::new();
        if let Some(path) = cipher {
            keys.add_cipher_key(path)?;
        }
        if let Some(path) = signature {
            keys.add_signature_key(path)?;
        }
        Ok(keys)
    }

    /// Adds the key in a file of 64 hexadecimal digits; what follows them is ignored.
    ///
    /// # Errors
    /// If the file can't be read or is something else.
    pub fn add_cipher_key(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = read_key_file(path)?;
        let digits = text.trim_ascii_start().get(..64);
        let key = digits.and_then(number::<32>).ok_or_else(|| {
            anyhow!("{}: a key of 64 hexadecimal digits is expected", path.display())
        })?;
        let cipher = Blowfish::new_from_slice(&key).map_err(|_| anyhow!("a key of 32 bytes"))?;
        self.cipher = Some(cipher);
        Ok(())
    }

    /// Adds the RSA key in a file of hexadecimal numbers, of which the first two are the modulus
    /// and the exponent. (The rest, which the classic imagezip writes, are secrets.)
    ///
    /// # Errors
    /// If the file can't be read or is something else.
    pub fn add_signature_key(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = read_key_file(path)?;
        let mut numbers = text.split(u8::is_ascii_whitespace).filter(|n| !n.is_empty());
        let mut next = || numbers.next().and_then(number::<{ Seal::SIGNATURE_LEN }>);
        let key =
            next().zip(next()).and_then(|(modulus, exponent)| PublicKey::new(&modulus, &exponent));
        self.signature = Some(key.ok_or_else(|| {
            let name = path.display();
            anyhow!("{name}: the numbers of an RSA key of 512 bits are expected, in hexadecimal")
        })?);
        Ok(())
    }

    /// Checks that every chunk of `image` is signed, if there is a key to check signatures with:
    /// else leaving out the signature would be all that a forger has to do.
    ///
    /// # Errors
    /// `Corrupt(SealSignature)` for a chunk that is not signed, and those of [`Image::headers`].
    pub fn check_all_signed<D: ReadAt + ?Sized>(
        &self,
        image: &Image<'_, D>,
    ) -> imagezip_core::Result<()> {
        let mut number = 0;
        image.headers(&mut |header| {
            self.check_signed(header, number)?;
            number += 1;
            Ok(())
        })
    }

    /// Checks that the chunk of that number is signed, if there is a key to check signatures with.
    ///
    /// # Errors
    /// `Corrupt(SealSignature)` if it is not.
    pub fn check_signed(&self, header: &ChunkHeader<'_>, number: u32) -> imagezip_core::Result<()> {
        let signed = |seal: Seal<'_>| seal.checksum_type() == ChecksumType::SIGNED_SHA1;
        if self.signature.is_none() || header.seal().is_some_and(signed) {
            return Ok(());
        }
        Err(unsigned().at(Place::Chunk(number.into())))
    }
}

impl Keys for KeyRing {
    fn verify(&self, seal: Seal<'_>, digest: Digest) -> Result<()> {
        let Some(key) = &self.signature else { return Ok(()) };
        let signature = seal.checksum().first_chunk().ok_or_else(unsigned)?;
        let signed = key.recover(signature).ok_or_else(unsigned)?;
        // What follows the digest is left over from the writer's memory.
        if signed.starts_with(digest.as_bytes()) { Ok(()) } else { Err(unsigned()) }
    }

    fn decrypt(&self, seal: Seal<'_>, payload: &mut [u8]) -> Result<usize> {
        if seal.cipher() != Cipher::BLOWFISH_CBC {
            return Err(ErrorKind::Incompatible(IncompatibleKind::Cipher));
        }
        let cipher =
            self.cipher.clone().ok_or(ErrorKind::Incompatible(IncompatibleKind::Encrypted))?;
        let wrong = || ErrorKind::Corrupt(CorruptKind::SealPadding);
        let decryptor = Decryptor::inner_iv_slice_init(cipher, &seal.iv()[..8]);
        let plain = decryptor.map_err(|_| wrong())?.decrypt_padded::<Pkcs7>(payload);
        plain.map(<[u8]>::len).map_err(|_| wrong())
    }
}

fn unsigned() -> ErrorKind {
    ErrorKind::Corrupt(CorruptKind::SealSignature)
}

/// The bytes of a key file, which is small.
fn read_key_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    const LIMIT: u64 = 64 << 10;
    let name = path.display();
    let file = File::open(path).with_context(|| format!("opening the key file {name}"))?;
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).with_context(|| format!("reading {name}"))?;
    ensure!(bytes.len() as u64 <= LIMIT, "{name} is too long for a key file");
    Ok(bytes)
}

/// The hexadecimal number as `LEN` bytes, the highest first; `None` if it is larger or none.
fn number<const LEN: usize>(digits: &[u8]) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    let mut ends = bytes.iter_mut().rev();
    for pair in digits.rchunks(2) {
        let text = str::from_utf8(pair).ok().filter(|text| !text.starts_with('+'))?;
        let value = u8::from_str_radix(text, 16).ok()?;
        match ends.next() {
            Some(byte) => *byte = value,
            None if value == 0 => {}
            None => return None,
        }
    }
    (!digits.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests;
