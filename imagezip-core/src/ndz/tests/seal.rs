//! Protected chunks of version 4. The digests are known from another program.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]

use super::known::{HEADER, data};
use super::*;

/// The payload, in hexadecimal.
const PAYLOAD: &str = "\
785e12101805231900000000ffffecc1834218000000d1bcbc2dbb65dbae3fcfb56cdbb6fd2177eff50aad4f68fd\
421b10daa0d08684362cb411a18d0aedbfd0c684362eb409a14d0a6d4a68d3429b11daacd0e684362fb405a12d0a\
6d4968cb425b11daaad0d684b62eb40da16d0a6d4b68db42db11daaed0f684b62fb403a11d0aed4868c7423b11da\
a9d0ce84762eb40ba15d0aed4a68d742bb11daadd0ee84762fb407a13d0aed4968cf427b11daabd0de84f62eb40f\
a17d0aed4b68df420b105aa0d08284162cb410a1850a2d4c68bf84162eb408a1450a2d4a68d1428b115aacd07e0b\
ed8fd0fe0a2d4e68f1424b105aa2d09284962cb414a1a50a2d4d68e942cb105aa6d0b284962db47f42cb115aaed0\
f284962fb402a1150aad4868c5422b115aa9d0ca84562eb40aa1550aad4a68d542ab115aadd0ea84562fb406a135\
0aad4968cd426b115aabd0da84d62eb40ea1750aad4b68dd42eb11da0f000000ffff0300d371a981";

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The image as version 4 with that payload and identity 0, 1, … 15; the fields of 16 bits at 36
/// are given.
fn sealed(payload: &[u8], cipher: u16, checksum_type: u16) -> Vec<u8> {
    let mut file: Vec<u8> = HEADER[..9].iter().copied().flat_map(u32::to_le_bytes).collect();
    file[0] = 0x6c;
    file[4..8].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
    file.extend(cipher.to_le_bytes());
    file.extend(checksum_type.to_le_bytes());
    file.extend(if cipher == 0 { [0; 32] } else { core::array::from_fn(|i| 0xa0 + i as u8) });
    file.resize(328, 0);
    file.extend(0..16);
    file.extend(HEADER[9..].iter().copied().flat_map(u32::to_le_bytes));
    file.resize(HEADER_BYTES, 0);
    file.extend(payload);
    file.resize(CHUNK_BYTES, 0);
    file
}

fn with_checksum(mut file: Vec<u8>, checksum: &[u8]) -> Vec<u8> {
    file[72..72 + checksum.len()].copy_from_slice(checksum);
    file
}

/// What an image gives back: the data of its regions.
fn decoded(file: &Vec<u8>, keys: &dyn Keys) -> crate::Result<Vec<u8>> {
    let (mut buffer, mut all) = (ChunkBuffer::new(), Vec::new());
    let image = Image::open_with(file, keys)?;
    let chunk = image.chunk(0, &mut buffer)?;
    assert_eq!(chunk.header().image_id(), Some(core::array::from_fn(|i| i as u8)));
    chunk.decode(&mut Decompressor::new(), &mut |_, data| {
        all.extend(data);
        Ok(())
    })?;
    Ok(all)
}

fn fault(file: &Vec<u8>, keys: &dyn Keys) -> ErrorKind {
    let error = decoded(file, keys).unwrap_err();
    assert_eq!(error.place, Place::Chunk(0));
    error.kind
}

/// Keys that know what they will be asked.
struct Expecting {
    /// The digest that the signature has to be of.
    digest: &'static str,
    /// What the ciphertext decrypts to.
    plain: Vec<u8>,
}

impl Keys for Expecting {
    fn verify(&self, seal: Seal<'_>, digest: Digest) -> Result<(), ErrorKind> {
        assert_eq!(seal.checksum_type(), ChecksumType::SIGNED_SHA1);
        assert_eq!(seal.checksum().len(), 256);
        assert!(seal.checksum()[..64].iter().all(|byte| *byte == 0x77));
        let right = digest.to_string() == self.digest;
        right.then_some(()).ok_or(ErrorKind::Corrupt(CorruptKind::SealSignature))
    }

    fn decrypt(&self, seal: Seal<'_>, payload: &mut [u8]) -> Result<usize, ErrorKind> {
        assert_eq!(seal.cipher(), Cipher::BLOWFISH_CBC);
        assert_eq!(seal.iv()[..8], [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7]);
        payload[..self.plain.len()].copy_from_slice(&self.plain);
        Ok(self.plain.len())
    }
}

const UNSIGNED: &str = "9b4113f8d2bfbaccda92f10e26ebadbcdc0ef137";
const SIGNED: &str = "cfdde4994a427c663df1945a8502c32ad39483b0";

#[test]
fn checksums_of_version_4_are_checked() {
    let payload = bytes_of(PAYLOAD);
    let bare = sealed(&payload, 0, 0);
    assert_eq!(decoded(&bare, &NoKeys).unwrap(), data());
    assert_eq!(Image::open(&bare).unwrap().sectors().unwrap().get(), 1000);

    let good = with_checksum(sealed(&payload, 0, 1), &bytes_of(UNSIGNED));
    assert_eq!(decoded(&good, &NoKeys).unwrap(), data());
    let wrong = ErrorKind::Corrupt(CorruptKind::SealChecksum);
    // The identity, the checksum itself, bytes after it, the unused header area, the payload.
    for at in [328, 72, 72 + 20, 72 + 64, 4000, 4096 + 361] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let mut buffer = ChunkBuffer::new();
        let error = Image::open(&bad).unwrap().chunk(0, &mut buffer).err().unwrap();
        assert_eq!(error, wrong.clone().at(Place::Chunk(0)), "byte {at}");
    }
    let mut padding = good;
    padding[4096 + 362] ^= 1;
    assert_eq!(decoded(&padding, &NoKeys).unwrap(), data(), "what follows is not checked");

    for unknown in [2, 3, 0x8000, 0x8002, 0x4001] {
        let kind = ErrorKind::Incompatible(IncompatibleKind::ChecksumType);
        assert_eq!(fault(&sealed(&payload, 0, unknown), &NoKeys), kind);
    }
}

#[test]
fn signed_checksums_are_checked_with_a_key() {
    let mut file = with_checksum(sealed(&bytes_of(PAYLOAD), 0, 0x8001), &[0x77; 64]);
    let key = Expecting { digest: SIGNED, plain: Vec::new() };
    assert_eq!(decoded(&file, &key).unwrap(), data());
    assert_eq!(decoded(&file, &NoKeys).unwrap(), data(), "without a key it is not checked");
    file[4000] ^= 1;
    assert_eq!(fault(&file, &key), ErrorKind::Corrupt(CorruptKind::SealSignature));
    let tail = with_checksum(file, &[0x77; 65]);
    assert_eq!(fault(&tail, &key), ErrorKind::Corrupt(CorruptKind::SealChecksum));
}

#[test]
fn payloads_are_decrypted_after_the_check() {
    // What it says doesn't matter, but it is what the checksum is of.
    let ciphertext = [0x31; 368];
    let plain = Expecting { digest: "", plain: bytes_of(PAYLOAD) };
    assert_eq!(decoded(&sealed(&ciphertext, 1, 0), &plain).unwrap(), data());
    let wrong = with_checksum(sealed(&ciphertext, 1, 1), &[0x77; 20]);
    assert_eq!(fault(&wrong, &plain), ErrorKind::Corrupt(CorruptKind::SealChecksum));
    let no_key = ErrorKind::Incompatible(IncompatibleKind::Encrypted);
    assert_eq!(fault(&sealed(&ciphertext, 1, 0), &NoKeys), no_key);
    let unknown = ErrorKind::Incompatible(IncompatibleKind::Cipher);
    assert_eq!(fault(&sealed(&ciphertext, 2, 0), &NoKeys), unknown);
}

/// Keys that claim a longer plain payload than there is ciphertext are not believed.
struct Boasting;

impl Keys for Boasting {
    fn verify(&self, _: Seal<'_>, _: Digest) -> Result<(), ErrorKind> {
        Ok(())
    }

    fn decrypt(&self, _: Seal<'_>, payload: &mut [u8]) -> Result<usize, ErrorKind> {
        Ok(payload.len() + 1)
    }
}

#[test]
fn keys_cannot_make_a_payload_longer() {
    assert_eq!(fault(&sealed(&[0; 368], 1, 0), &Boasting), ErrorKind::Truncated);
}
