use std::fs;
use std::path::PathBuf;

use imagezip_core::codec::Decompressor;
use imagezip_core::digest::{HashType, Hasher};
use imagezip_core::error::Error;
use imagezip_core::ndz::NoKeys;
use tempfile::tempdir;

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/formats")).join(name)
}

/// An image that the reference made.
fn golden_image(name: &str) -> Vec<u8> {
    zstd::decode_all(File::open(golden(name)).unwrap()).unwrap()
}

/// What an image gives back: for each piece its place, and the digest of all.
fn content(bytes: &Vec<u8>, keys: &dyn Keys) -> core::result::Result<(Vec<u64>, Digest), Error> {
    let image = Image::open_with(bytes, keys)?;
    let (mut starts, mut hasher) = (Vec::new(), Hasher::new(HashType::Sha1));
    let mut chunks = image.chunks();
    while let Some(chunk) = chunks.next_chunk()? {
        chunk.decode(&mut Decompressor::new(), &mut |start, data| {
            starts.push(start.get());
            hasher.update(data);
            Ok(())
        })?;
    }
    Ok((starts, hasher.finish()))
}

fn kind<T: core::fmt::Debug>(result: core::result::Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind
}

/// A key ring with what `add` makes of a file of that text.
fn with(
    add: fn(&mut KeyRing, &Path) -> anyhow::Result<()>,
    text: &[u8],
) -> anyhow::Result<KeyRing> {
    let dir = tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, text).unwrap();
    let mut ring = KeyRing::new();
    add(&mut ring, &path).map(|()| ring)
}

#[test]
fn what_the_reference_encrypted_is_read() {
    let plain = content(&golden_image("base.ndz.zst"), &NoKeys).unwrap();
    let encrypted = golden_image("base.enc.ndz.zst");
    assert_eq!(kind(content(&encrypted, &NoKeys)), kind(content(&encrypted, &KeyRing::new())));

    let mut ring = KeyRing::new();
    ring.add_cipher_key(&golden("key")).unwrap();
    assert_eq!(content(&encrypted, &ring).unwrap(), plain);
    ring.check_all_signed(&Image::open(&encrypted).unwrap()).unwrap();

    let wrong = with(KeyRing::add_cipher_key, "07".repeat(32).as_bytes()).unwrap();
    assert!(matches!(kind(content(&encrypted, &wrong)), ErrorKind::Corrupt(_)));
}

#[test]
fn what_the_reference_signed_is_checked() {
    let plain = content(&golden_image("base.ndz.zst"), &NoKeys).unwrap();
    let mut signed = golden_image("base.signed.ndz.zst");
    let mut ring = KeyRing::new();
    ring.add_signature_key(&golden("base.signed.ndz.skey")).unwrap();
    assert_eq!(content(&signed, &ring).unwrap(), plain);
    ring.check_all_signed(&Image::open(&signed).unwrap()).unwrap();

    let forged = ErrorKind::Corrupt(CorruptKind::SealSignature);
    for at in [72, 135, 328, 4095, 4096, 5000] {
        signed[at] ^= 1;
        assert_eq!(kind(content(&signed, &ring)), forged, "byte {at}");
        signed[at] ^= 1;
    }
    let unsigned = golden_image("base.v4.ndz.zst");
    assert_eq!(kind(ring.check_all_signed(&Image::open(&unsigned).unwrap())), forged);
    let old = golden_image("base.ndz.zst");
    assert_eq!(kind(ring.check_all_signed(&Image::open(&old).unwrap())), forged);
    // Not signed, and nobody asked for that.
    KeyRing::new().check_all_signed(&Image::open(&old).unwrap()).unwrap();
}

#[test]
fn another_signers_image_is_refused() {
    let signed = golden_image("base.signed.ndz.zst");
    // As long as the right one, and as odd.
    let other = format!("{}\n11\n", "F".repeat(128));
    let ring = with(KeyRing::add_signature_key, other.as_bytes()).unwrap();
    assert_eq!(kind(content(&signed, &ring)), ErrorKind::Corrupt(CorruptKind::SealSignature));
}

#[test]
fn blowfish_vector() {
    let mut area = [0_u8; 4096];
    let mut ring = KeyRing::new();
    ring.add_cipher_key(&golden("key")).unwrap();
    let header = [0x6969_696c, 8, 0, 0, 4096, 1, 0, 1, 0, 1];
    let bytes = header.into_iter().flat_map(u32::to_le_bytes).chain(0xa0..=0xbf);
    area.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    area[344..352].copy_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0]);
    let header = ChunkHeader::new(&area).unwrap();
    let seal = header.seal().unwrap();

    let mut payload = SIXTEEN_ENCRYPTED;
    assert_eq!(ring.decrypt(seal, &mut payload), Ok(16));
    assert_eq!(&payload[..16], b"sixteen bytes !!");
    let wrong = Err(ErrorKind::Corrupt(CorruptKind::SealPadding));
    assert_eq!(ring.decrypt(seal, &mut SIXTEEN_ENCRYPTED[..15].to_vec()), wrong, "half a block");
    assert_eq!(ring.decrypt(seal, &mut []), wrong, "padding is never empty");
    assert_eq!(ring.decrypt(seal, &mut SIXTEEN_ENCRYPTED[..16].to_vec()), wrong, "no padding");
}

/// "sixteen bytes !!" and a block of padding as Python's `cryptography` encrypts them with the key
/// 00 … 1f and the IV a0 … a7. (The command `openssl enc` has only keys of 16 bytes.)
const SIXTEEN_ENCRYPTED: [u8; 24] = [
    0xf4, 0x95, 0x71, 0x3c, 0xff, 0xf6, 0xc5, 0xa5, 0xe9, 0x6f, 0x92, 0x9d, 0x7d, 0x3b, 0x75, 0xe6,
    0xde, 0xd6, 0xe7, 0x1b, 0x05, 0x45, 0x50, 0xe2,
];

#[test]
fn key_files_are_checked() {
    let digits = "ab".repeat(32);
    let cipher = |text: &str| with(KeyRing::add_cipher_key, text.as_bytes()).is_ok();
    for good in [digits.clone(), digits.to_uppercase(), format!("{digits}00\nmore")] {
        assert!(cipher(&good), "{good}");
    }
    let long = "0".repeat(1 << 17);
    for bad in ["", "ab", &digits[1..], &digits.replace('b', "g"), &digits.replace('b', "+"), &long]
    {
        assert!(!cipher(bad), "{bad}");
    }

    let n = fs::read_to_string(golden("base.signed.ndz.skey")).unwrap();
    let n = n.split_whitespace().next().unwrap();
    let rsa = |text: &str| with(KeyRing::add_signature_key, text.as_bytes()).is_ok();
    for good in [format!("{n} 11"), format!("\n\t00{n}\r\n00000011\nwhatever")] {
        assert!(rsa(&good), "{good}");
    }
    let even = format!("{}2 11", &n[..127]);
    for bad in [
        "",
        n,
        "0 11",
        "11 11",
        &format!("{n}00 11"),
        &format!("{n} 1"),
        &format!("{n} 10"),
        &format!("{n} {n}"),
        &format!("{n} 0"),
        &format!("{n} -11"),
        &even,
        "\u{feff}",
        &long,
    ] {
        assert!(!rsa(bad), "{bad}");
    }
    assert!(KeyRing::new().add_cipher_key(Path::new("/nowhere")).is_err());
}
