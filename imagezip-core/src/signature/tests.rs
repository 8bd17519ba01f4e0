#![expect(clippy::cast_possible_truncation, reason = "the numbers are small")]

use super::form::Form;
use super::*;
use crate::error::{Error, IncompatibleKind};
use crate::ndz::ChunkMap;
use crate::sector::{Bytes, SectorCount, SectorRange};
use proptest::prelude::*;

fn range(start: u64, len: u64) -> SectorRange {
    let (start, len) = (Sector::new(start).unwrap(), SectorCount::new(len).unwrap());
    SectorRange::with_len(start, len).unwrap()
}

fn entry(start: u64, len: u64) -> Entry {
    let digest = HashType::Sha1.digest(&start.to_le_bytes());
    Entry { range: range(start, len), chunk: ChunkNumber::new(7, true), digest }
}

fn signature(entries: &[Entry]) -> Signature {
    let mut signature = Signature::new(HashType::Sha1, HashBlockSize::DEFAULT);
    for entry in entries {
        signature.push(*entry).unwrap();
    }
    signature
}

fn encode(signature: &Signature) -> Vec<u8> {
    let mut bytes = Vec::new();
    signature.write(&mut bytes).unwrap();
    bytes
}

fn error_of(bytes: &[u8]) -> Error {
    Signature::read(bytes).unwrap_err()
}

fn patch(bytes: &[u8], at: usize, value: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

fn corrupt(kind: CorruptKind, place: Place) -> Error {
    ErrorKind::Corrupt(kind).at(place)
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        parts in prop::collection::vec((0..300_u64, 1..=128_u64, any::<(u32, bool)>()), 0..300),
        hash_type in prop::sample::select(&[HashType::Md5, HashType::Sha1][..]),
        rest in 0..512_u16,
    ) {
        let mut signature = Signature::new(hash_type, HashBlockSize::DEFAULT);
        let mut at = 0;
        for (gap, len, (chunk, spans)) in parts {
            let whole = range(at + gap, len);
            for piece in cut(whole, HashBlockSize::DEFAULT) {
                let digest = hash_type.digest(&at.to_le_bytes());
                let chunk = ChunkNumber::new(chunk, spans);
                signature.push(Entry { range: piece, chunk, digest }).unwrap();
            }
            at = whole.end().get();
        }
        let remainder = Remainder::new(Sector::new(at).unwrap(), rest, hash_type.digest(b"rest"));
        if let Some(remainder) = remainder {
            signature.set_remainder(remainder).unwrap();
        }
        for version in [Version::V1, Version::V2] {
            let mut bytes = Vec::new();
            signature.write_as(version, &mut bytes).unwrap();
            let again = Signature::read(&bytes).unwrap();
            prop_assert_eq!(again.end(), signature.end());
            prop_assert!(again == signature);
        }
        let again = Signature::read(&encode(&signature)).unwrap();
        prop_assert!(again.iter().eq((0..signature.len()).map(|i| signature.get(i).unwrap())));
    }

    #[test]
    fn damage_is_refused_or_consistent(
        form in 0..3_usize, at in 0..32 + 48 * 40_usize, value in any::<u8>(), len in 0..=32 + 48 * 40_usize,
    ) {
        let entries: Vec<_> = (0..40).map(|i| entry(128 * i, 28)).collect();
        let mut bytes = in_form(FORMS[form], &signature(&entries));
        let entry_len = FORMS[form].entry_len();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(signature) = Signature::read(&bytes) {
            check(&signature);
        }
        bytes.truncate(len);
        if let Ok(signature) = Signature::read(&bytes) {
            prop_assert_eq!(signature.len(), (bytes.len() - 32) / entry_len);
        }
    }

    #[test]
    fn noise_is_refused_or_consistent(mut bytes in prop::collection::vec(any::<u8>(), 0..400), form in 0..3_usize) {
        let _ = Signature::read(&bytes);
        let form = FORMS[form];
        let start = in_form(form, &signature(&[]));
        let count = bytes.len().saturating_sub(32) / form.entry_len();
        let kept = bytes.len().min(start.len());
        bytes[..kept].copy_from_slice(&start[..kept]);
        if bytes.len() > 32 {
            bytes = patch(&bytes, 16, u32::try_from(count).unwrap());
            bytes.truncate(32 + form.entry_len() * count);
        }
        if let Ok(signature) = Signature::read(&bytes) {
            check(&signature);
        }
    }

    #[test]
    fn version_3_is_read(
        parts in prop::collection::vec((0..1_u64 << 40, 1..=128_u64, any::<(u32, bool)>()), 0..40),
        hash_type in prop::sample::select(&HashType::ALL[..]), early in any::<bool>(),
    ) {
        prop_assume!(!(early && hash_type == HashType::Sha256));
        let mut signature = Signature::new(hash_type, HashBlockSize::DEFAULT);
        let mut at = 0;
        for (gap, len, (chunk, spans)) in parts {
            for range in cut(range(at + gap, len), HashBlockSize::DEFAULT) {
                let digest = hash_type.digest(&at.to_le_bytes());
                let chunk = ChunkNumber::new(chunk, spans);
                signature.push(Entry { range, chunk, digest }).unwrap();
                at = range.end().get();
            }
        }
        let form = if early { Form::EarlyWide } else { Form::Wide };
        let again = Signature::read(&in_form(form, &signature)).unwrap();
        prop_assert!(again == signature);
    }
}

const FORMS: [Form; 3] = [Form::Classic, Form::Wide, Form::EarlyWide];

/// A file with entries of that form, written without the code under test.
fn in_form(form: Form, signature: &Signature) -> Vec<u8> {
    let version: u32 = if form == Form::Classic { 0x2014_0618 } else { 0x2020_0101 };
    let count = u32::try_from(signature.len()).unwrap();
    let mut bytes = b".ndzsig\0".to_vec();
    let words = [version, signature.hash_type().code(), count, signature.block().sectors(), 0, 0];
    bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
    for entry in signature.iter() {
        let (start, size) = (entry.range.start().get(), entry.range.len().get());
        let chunk = entry.chunk.number() | if entry.chunk.spans() { 1 << 31 } else { 0 };
        let begin = bytes.len();
        match form {
            Form::Classic => {
                bytes.extend([start as u32, size as u32].map(u32::to_le_bytes).concat());
            }
            Form::Wide => {
                bytes.extend(start.to_le_bytes());
                bytes.extend((size as u32).to_le_bytes());
            }
            Form::EarlyWide => bytes.extend([start, size].map(u64::to_le_bytes).concat()),
        }
        bytes.extend(chunk.to_le_bytes());
        bytes.extend(entry.digest.as_bytes());
        // What follows a short digest means nothing.
        bytes.resize(begin + form.entry_len(), 0xee);
    }
    bytes
}

/// What holding a signature proves.
fn check(signature: &Signature) {
    let mut end = Sector::ZERO;
    for entry in signature.iter() {
        assert!(entry.range.start() >= end && !entry.range.is_empty());
        assert_eq!(cut(entry.range, signature.block()).count(), 1);
        end = entry.range.end();
    }
}

#[test]
fn a_signature_is_known_byte_for_byte() {
    // The first entry of an image made elsewhere: sector 16, all bytes 16.
    let mut one = Signature::new(HashType::Sha1, HashBlockSize::DEFAULT);
    let digest = one.digest(&[16; 512]);
    one.push(Entry { range: range(16, 1), chunk: ChunkNumber::default(), digest }).unwrap();
    let known = [
        0x2e, 0x6e, 0x64, 0x7a, 0x73, 0x69, 0x67, 0x00, 0x18, 0x06, 0x14, 0x20, 2, 0, 0, 0, 1, 0,
        0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x35,
        0x02, 0x3c, 0xe5, 0x08, 0xa5, 0xd9, 0xf7, 0x84, 0xa9, 0xec, 0x06, 0xc9, 0x18, 0x96, 0x57,
        0xf7, 0xbb, 0x35, 0xb4,
    ];
    assert_eq!(encode(&one), known);
}

#[test]
fn files_must_be_as_long_as_they_say() {
    let bytes = encode(&signature(&[entry(0, 1), entry(5, 3)]));
    for len in [0, 31, 32, 95] {
        let place = Place::Byte(Bytes(len as u64));
        assert_eq!(error_of(&bytes[..len]), ErrorKind::Truncated.at(place));
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    let place = Place::Byte(Bytes(96));
    assert_eq!(error_of(&longer), corrupt(CorruptKind::SignatureTrailing, place));
    let huge = patch(&bytes, 16, u32::MAX);
    assert_eq!(error_of(&huge), ErrorKind::Truncated.at(Place::Byte(Bytes(96))));
}

#[test]
fn each_contradiction_has_its_kind() {
    let bytes = encode(&signature(&[entry(0, 1), entry(5, 3)]));
    let broken = |at, value| error_of(&patch(&bytes, at, value));
    assert_eq!(broken(0, 0), corrupt(CorruptKind::SignatureMagic, Place::Whole));
    assert_eq!(broken(8, 3).kind, ErrorKind::Incompatible(IncompatibleKind::Version));
    for hash_type in [0, 3, 4] {
        assert_eq!(broken(12, hash_type).kind, ErrorKind::Incompatible(IncompatibleKind::HashType));
    }
    for block in [0, 65_537] {
        let kind = ErrorKind::Incompatible(IncompatibleKind::HashBlockSize);
        assert_eq!(broken(20, block).kind, kind);
    }
    let second = Place::Entry(1);
    assert_eq!(broken(64, 0), corrupt(CorruptKind::SignatureOrder, second));
    assert_eq!(broken(36, 6), corrupt(CorruptKind::SignatureOrder, second), "first is longer");
    assert_eq!(broken(68, 0), corrupt(CorruptKind::SignatureBlock, second));
    assert_eq!(broken(68, 129), corrupt(CorruptKind::SignatureBlock, second));
    assert_eq!(broken(64, 126), corrupt(CorruptKind::SignatureBlock, second), "crosses 128");
    assert_eq!(broken(64, u32::MAX), corrupt(CorruptKind::SignatureBlock, second), "crosses 2^32");
}

#[test]
fn a_block_size_in_bytes_is_recognised() {
    let bytes = encode(&signature(&[entry(0, 128), entry(128, 2)]));
    let updated = patch(&bytes, 20, 65_536);
    assert_eq!(Signature::read(&updated).unwrap().block(), HashBlockSize::DEFAULT);
    // An entry of more than 64 KiB: the size is meant.
    let large = patch(&patch(&updated, 36, 100), 68, 129);
    assert_eq!(Signature::read(&large).unwrap().block(), HashBlockSize::MAX);
    // An entry that crosses a bound of 64 KiB.
    let crossing = patch(&patch(&updated, 36, 100), 64, 127);
    assert_eq!(Signature::read(&crossing).unwrap().block(), HashBlockSize::MAX);
    // Version 1 has no such field.
    let v1 = patch(&patch(&bytes, 8, 0x2003_1107), 20, 77);
    assert_eq!(Signature::read(&v1).unwrap(), Signature::read(&bytes).unwrap());
}

#[test]
fn entries_are_small_and_of_one_type() {
    assert_eq!(size_of::<Span>(), 16);
    let mut sha1 = signature(&[]);
    let digest = HashType::Md5.digest(b"");
    let error = sha1.push(Entry { digest, ..entry(0, 1) }).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incompatible(IncompatibleKind::HashType));
    let remainder = Remainder::new(Sector::ZERO, 5, digest).unwrap();
    let error = sha1.set_remainder(remainder).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incompatible(IncompatibleKind::HashType));
}

#[test]
fn what_cannot_be_written_is_refused_at_once() {
    let refused = |signature: &Signature, version, kind: ErrorKind| {
        let mut bytes = Vec::new();
        assert_eq!(signature.check_writable(version).unwrap_err().kind, kind);
        assert_eq!(signature.write_as(version, &mut bytes).unwrap_err().kind, kind);
        assert!(bytes.is_empty());
    };
    let at = |start| {
        let mut signature = Signature::new(HashType::Sha1, HashBlockSize::new(64).unwrap());
        signature.push(entry(0, 1)).unwrap();
        signature.push(Entry { range: range(start, 1), ..entry(0, 1) }).unwrap();
        signature
    };
    refused(&at(1 << 32), Version::V2, ErrorKind::TooLarge(Limit::Sector32));
    assert_eq!(Signature::read(&encode(&at((1 << 32) - 1))).unwrap(), at((1 << 32) - 1));
    let block = ErrorKind::Incompatible(IncompatibleKind::SignatureV1Block);
    refused(&at(5), Version::V1, block);
    let sha256 = Signature::new(HashType::Sha256, HashBlockSize::DEFAULT);
    let kind = ErrorKind::Incompatible(IncompatibleKind::SignatureSha256);
    refused(&sha256, Version::V1, kind.clone());
    refused(&sha256, Version::V2, kind);
    let disk = SectorCount::new(1 << 32).unwrap();
    let check = |sectors| Version::V2.check(HashType::Md5, HashBlockSize::MAX, sectors);
    assert_eq!(check(disk), Ok(()));
    let larger = disk.saturating_add(SectorCount::from_u32(1));
    assert_eq!(check(larger), Err(ErrorKind::TooLarge(Limit::Sector32)));
}

#[test]
fn later_versions_are_known_by_their_length() {
    let known = signature(&[entry(0, 1), entry(128, 128)]);
    let wide = in_form(Form::Wide, &known);
    let unknown = ErrorKind::Incompatible(IncompatibleKind::SignatureForm);
    assert_eq!(error_of(&wide[..wide.len() - 1]).kind, unknown);
    assert_eq!(error_of(&[wide.as_slice(), &[0]].concat()).kind, unknown);
    assert_eq!(error_of(&wide[..32 + 79]).kind, ErrorKind::Truncated);
    // Sizes and chunk numbers the other way round.
    let swap = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + 8].rotate_left(4);
        bytes
    };
    let one = swap(&wide, 32 + 8);
    assert_eq!(error_of(&one), corrupt(CorruptKind::SignatureBlock, Place::Entry(0)));
    assert_eq!(error_of(&swap(&one, 32 + 48 + 8)).kind, unknown);
    // A digest that the entries have no room for.
    for form in [Form::Classic, Form::EarlyWide] {
        let sha256 = patch(&in_form(form, &known), 12, 4);
        assert_eq!(error_of(&sha256).kind, ErrorKind::Incompatible(IncompatibleKind::HashType));
    }
    let empty = in_form(Form::Wide, &signature(&[]));
    assert!(Signature::read(&empty).unwrap().is_empty());
}

#[test]
fn the_end_of_a_file_is_the_last_entry() {
    let mut known = signature(&[entry(0, 2)]);
    let digest = known.digest(b"end");
    let sector = |sector| Remainder::new(Sector::from_u32(sector), 3, digest).unwrap();
    let error = known.set_remainder(sector(1)).unwrap_err();
    assert_eq!(error, corrupt(CorruptKind::SignatureOrder, Place::Whole));
    known.set_remainder(sector(2)).unwrap();
    assert!(known.push(entry(5, 1)).is_err());
    let bytes = encode(&known);
    assert_eq!(Signature::read(&bytes).unwrap(), known);
    let end = bytes[64..].to_vec();
    let twice = patch(&[bytes.as_slice(), &end].concat(), 16, 3);
    assert_eq!(error_of(&twice), corrupt(CorruptKind::SignatureOrder, Place::Entry(2)));
    for bytes in [0, 512] {
        assert!(Remainder::new(Sector::ZERO, bytes, digest).is_none());
    }
}

#[test]
fn chunk_numbers() {
    let spanning = ChunkNumber::new(u32::MAX, true);
    assert_eq!((spanning.number(), spanning.spans()), (u32::MAX >> 1, true));
    let plain = ChunkNumber::new(3, false);
    assert_eq!((plain.number(), plain.spans()), (3, false));
    assert_eq!(ChunkNumber::of(range(0, 5), &ChunkMap::default()), ChunkNumber::new(0, false));
}
