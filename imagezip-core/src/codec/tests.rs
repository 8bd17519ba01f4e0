use super::*;
use crate::error::{CorruptKind, Error, ErrorKind, Result};
use proptest::prelude::*;
use std::io::Read;
use std::vec;
use std::vec::Vec;

/// Data as disks hold them: runs, repetitions and noise.
fn data(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let part = (0..5_u8, any::<u64>(), 0..most / 4).prop_map(|(kind, seed, len)| match kind {
        0 => vec![seed.to_le_bytes()[0]; len],
        1 => seed.to_le_bytes().into_iter().cycle().take(len).collect(),
        2 => noise(seed, 20_000).into_iter().cycle().take(len).collect(),
        3 => noise(seed, len).into_iter().map(|byte| byte % 5).collect(),
        _ => noise(seed, len),
    });
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    core::iter::repeat_with(next).take(len).collect()
}

fn stream(parts: &[Vec<u8>], level: Level) -> Vec<u8> {
    let mut compressor = Compressor::new(level);
    let piece = |part: &Vec<u8>| {
        let mut piece = Piece::new();
        compressor.compress(part, &mut piece);
        assert!(piece.deflate().len() <= max_compressed_len(part.len()));
        piece
    };
    joined(&parts.iter().map(piece).collect::<Vec<_>>())
}

fn joined(pieces: &[Piece]) -> Vec<u8> {
    let (mut stream, mut adler) = (STREAM_START.to_vec(), Adler32::EMPTY);
    for piece in pieces {
        stream.extend(piece.deflate());
        adler = adler.followed_by(piece.adler(), piece.len());
    }
    stream.extend(stream_end(adler));
    stream
}

fn with(decoder: &mut dyn Decompress, stream: &[u8], len: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    decoder.decompress(stream, len, &mut |bytes| {
        assert!(bytes.len() <= WINDOW);
        out.extend(bytes);
        assert!(out.len() as u64 <= len);
        Ok(())
    })?;
    Ok(out)
}

/// Decompresses with both decoders, which have to agree; but of several faults each may find
/// another first.
fn ours(stream: &[u8], len: u64) -> Result<Vec<u8>> {
    let data = with(&mut Decompressor::new(), stream, len);
    let second = with(&mut SecondDecompressor::new(), stream, len);
    assert!(data.as_ref().ok() == second.as_ref().ok(), "{:?} {:?}", data.err(), second.err());
    data
}

/// Decompresses with an implementation that shares nothing with ours.
fn theirs(stream: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::ZlibDecoder::new(stream);
    decoder.read_to_end(&mut out)?;
    assert_eq!(decoder.total_in(), stream.len() as u64, "bytes after the stream");
    Ok(out)
}

fn fault(stream: &[u8], len: u64) -> CorruptKind {
    match ours(stream, len).unwrap_err().kind {
        ErrorKind::Corrupt(kind) => kind,
        other => panic!("{other}"),
    }
}

/// Takes the data at leisure, with another stream before, given up half-way.
fn at_leisure(stream: &[u8], len: u64) -> Result<Vec<u8>> {
    let mut decompressor = Decompressor::new();
    assert_eq!(decompressor.advance(stream), Ok(None), "no stream was begun");
    decompressor.begin(len);
    let _ = decompressor.advance(stream);
    decompressor.begin(len);
    let mut out = Vec::new();
    while let Some(data) = decompressor.advance(stream)? {
        assert!(data.len() == WINDOW || (out.len() + data.len()) as u64 == len);
        out.extend(data);
    }
    assert_eq!(decompressor.advance(stream), Ok(None));
    Ok(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn streams_of_pieces_are_zlib(
        parts in prop::collection::vec(data(300_000), 0..4),
        level in (0..=9_u8).prop_map(|level| Level::new(level).unwrap()),
    ) {
        let stream = stream(&parts, level);
        let whole = parts.concat();
        prop_assert!(theirs(&stream).unwrap() == whole);
        prop_assert!(ours(&stream, whole.len() as u64).unwrap() == whole);
    }

    #[test]
    fn pieces_can_be_divided(
        data in data(600_000),
        level in (0..=9_u8).prop_map(|level| Level::new(level).unwrap()),
        (room, before) in (0..300_000_usize, 0..600_000_usize),
    ) {
        let mut compressor = Compressor::new(level);
        let mut piece = Piece::new();
        compressor.compress(&data, &mut piece);
        let head = piece.head(&data, room);
        if let Some(head) = &head {
            prop_assert!(head.deflate().len() <= room && head.len() % 512 == 0);
            prop_assert!(head.len() < data.len());
        }
        let before = head.as_ref().map_or(before, Piece::len).min(data.len());
        let tail = piece.tail(&data, before);
        let between = tail.as_ref().map_or(data.len(), |tail| data.len() - tail.len());
        prop_assert!(between >= before);
        prop_assert!(tail.is_none() || between.is_multiple_of(512) && between < data.len());
        // The tail shall be understood without what is before `before`.
        let mut middle = Piece::new();
        compressor.compress(&data[before..between], &mut middle);
        for head in [None, head] {
            let start = if head.is_some() { 0 } else { before };
            let pieces: Vec<_> =
                head.into_iter().chain([middle.clone()]).chain(tail.clone()).collect();
            let whole = joined(&pieces);
            prop_assert!(theirs(&whole).unwrap() == data[start..]);
            prop_assert!(ours(&whole, (data.len() - start) as u64).unwrap() == data[start..]);
        }
    }

    #[test]
    fn streams_of_others_are_read(whole in data(600_000), level in 0..=9_u32) {
        let mut stream = Vec::new();
        let compression = flate2::Compression::new(level);
        flate2::read::ZlibEncoder::new(&whole[..], compression).read_to_end(&mut stream).unwrap();
        prop_assert!(ours(&stream, whole.len() as u64).unwrap() == whole);
        prop_assert!(at_leisure(&stream, whole.len() as u64).unwrap() == whole);
    }

    #[test]
    fn checksums_combine(parts in prop::collection::vec(data(80_000), 0..5)) {
        let combined = parts.iter().fold(Adler32::EMPTY, |sum, part| {
            sum.followed_by(Adler32::of(part), part.len())
        });
        prop_assert_eq!(combined, Adler32::of(&parts.concat()));
    }

    #[test]
    fn damage_is_found(part in data(20_000), at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let mut stream = stream(core::slice::from_ref(&part), Level::default());
        let at = at.index(stream.len());
        stream[at] ^= bits;
        // Some bits of the first two bytes say nothing about the data.
        match ours(&stream, part.len() as u64) {
            Ok(out) => prop_assert!(out == part),
            Err(error) => prop_assert!(matches!(error.kind, ErrorKind::Corrupt(_))),
        }
    }

    #[test]
    fn noise_is_no_stream(bytes in prop::collection::vec(any::<u8>(), 0..4000), len in 0..1_000_000_u64) {
        let mut start = STREAM_START.to_vec();
        start.extend(&bytes);
        for stream in [&bytes, &start] {
            let mut total = 0;
            let _ = Decompressor::new().decompress(stream, len, &mut |part| {
                total += part.len() as u64;
                Ok(())
            });
            prop_assert!(total <= len);
        }
    }
}

#[test]
fn incompressible_data_grow_by_the_stated_bound() {
    let mut piece = Piece::new();
    for level in [0, 1, 6].map(|level| Level::new(level).unwrap()) {
        for len in [1, 511, 65_535, 65_536, 262_144] {
            Compressor::new(level).compress(&noise(7, len), &mut piece);
            let grown = piece.deflate().len();
            assert!(grown >= len && grown <= max_compressed_len(len), "{len}: {grown}");
        }
    }
    assert_eq!(max_compressed_len(262_144), 262_144 + 5 * 5);
}

#[test]
fn runs_become_small() {
    let mut piece = Piece::new();
    Compressor::default().compress(&vec![0; 262_144], &mut piece);
    assert!(piece.deflate().len() < 2048, "{}", piece.deflate().len());
}

#[test]
fn each_fault_has_its_kind() {
    let data = noise(1, 300_000);
    let len = data.len() as u64;
    let stream = stream(&[data], Level::default());
    assert_eq!(fault(&stream, len + 1), CorruptKind::PayloadShort);
    assert_eq!(fault(&stream, len - 1), CorruptKind::PayloadLong);
    assert_eq!(fault(&stream[..stream.len() - 1], len), CorruptKind::PayloadShort);
    assert_eq!(fault(&stream[..1000], len), CorruptKind::PayloadShort);
    assert_eq!(fault(&[], 0), CorruptKind::PayloadShort);
    assert_eq!(fault(&[stream.as_slice(), &[0]].concat(), len), CorruptKind::PayloadTrailing);
    let mut bad = stream.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(fault(&bad, len), CorruptKind::PayloadChecksum);
    bad.clone_from(&stream);
    bad[0] = 0x1f;
    assert_eq!(fault(&bad, len), CorruptKind::PayloadCode);
}

/// Nothing of the last window comes out before its checksum was seen to be right, not even where
/// the data end with the window.
#[test]
fn the_end_is_checked_before_the_last_data_come() {
    let data = noise(3, 2 * WINDOW);
    let mut stream = stream(core::slice::from_ref(&data), Level::default());
    *stream.last_mut().unwrap() ^= 1;
    let mut decompressor = Decompressor::new();
    decompressor.begin(data.len() as u64);
    assert_eq!(decompressor.advance(&stream), Ok(Some(&data[..WINDOW])));
    let error = ErrorKind::Corrupt(CorruptKind::PayloadChecksum);
    assert_eq!(decompressor.advance(&stream), Err(error.into()));
}

/// Matches reach back as far as they can, over every window's start.
#[test]
fn windows_keep_what_matches_refer_to() {
    for back in [1, 7, 258, 32_767, 32_768] {
        let data: Vec<u8> = noise(5, back).into_iter().cycle().take(3 * WINDOW + 12_345).collect();
        let mut stream = Vec::new();
        let level = flate2::Compression::best();
        flate2::read::ZlibEncoder::new(&data[..], level).read_to_end(&mut stream).unwrap();
        assert!(ours(&stream, data.len() as u64).unwrap() == data, "{back}");
        assert!(at_leisure(&stream, data.len() as u64).unwrap() == data, "{back}");
    }
}

/// Nothing of the stream before can be referred to.
#[test]
fn a_stream_begins_with_nothing_to_refer_to() {
    // A block of the fixed code: length 3 from distance 1, and the end.
    let stream = [0x78, 0x5e, 0x03, 0x02, 0x00, 0, 0, 0, 0];
    let mut decompressor = Decompressor::new();
    decompressor
        .decompress(&self::stream(&[noise(1, 1000)], Level::default()), 1000, &mut |_| Ok(()))
        .unwrap();
    let error = ErrorKind::Corrupt(CorruptKind::PayloadCode);
    assert_eq!(decompressor.decompress(&stream, 3, &mut |_| Ok(())), Err(error.into()));
}

#[test]
fn headers_are_taken_as_zlib_takes_them() {
    let valid = stream(&[noise(4, 100)], Level::default());
    let mut taken = 0;
    for header in 0..=u16::MAX {
        let mut stream = valid.clone();
        stream[..2].copy_from_slice(&header.to_be_bytes());
        let theirs = theirs(&stream).is_ok();
        assert_eq!(ours(&stream, 100).is_ok(), theirs, "{header:04x}");
        taken += u32::from(theirs);
    }
    // Eight window sizes, and four levels that nobody reads.
    assert_eq!(taken, 32);
}

#[test]
fn a_bomb_stops_at_the_expected_length() {
    let bomb = stream(&vec![vec![0; 1 << 20]; 64], Level::default());
    let mut total = 0;
    let result = Decompressor::new().decompress(&bomb, 1 << 20, &mut |part| {
        total += part.len();
        Ok(())
    });
    assert_eq!(result.unwrap_err().kind, ErrorKind::Corrupt(CorruptKind::PayloadLong));
    // The last window is withheld: the stream doesn't end after it.
    assert_eq!(total, (1 << 20) - WINDOW);
}

#[test]
fn the_sinks_error_comes_through() {
    let stream = stream(&[noise(2, 1000)], Level::default());
    let error = Error::from(ErrorKind::Write(28));
    let result = Decompressor::new().decompress(&stream, 1000, &mut |_| Err(error.clone()));
    assert_eq!(result, Err(error));
}
