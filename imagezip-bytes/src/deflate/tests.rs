use super::token::MAX_DISTANCE;
use super::*;
use std::vec;
use std::vec::Vec;

mod codes;
mod data;
mod fuzz;

use data::Random;

const EFFORTS: [Effort; 3] = [Effort::Fast, Effort::Default, Effort::High];

fn encoded(encoder: &mut Encoder, input: &[u8]) -> (Vec<u8>, Vec<Break>) {
    // What was there before stays, and changes nothing.
    let (mut out, mut breaks) = (vec![0xa5; 3], vec![Break { input: 1, bit: 1, stored: false }; 2]);
    encoder.encode(input, &mut out, &mut breaks);
    assert_eq!(out[..3], [0xa5; 3]);
    (out.split_off(3), breaks)
}

/// Decodes blocks, none of which is the last, with two implementations.
fn decoded(blocks: &[u8]) -> Vec<u8> {
    // An empty last block.
    let stream = [blocks, &[3, 0]].concat();
    let out = miniz_oxide::inflate::decompress_to_vec(&stream).unwrap();
    let mut theirs = vec![0; out.len() + 1];
    let mut zlib_rs = flate2::Decompress::new(false);
    let status = zlib_rs.decompress(&stream, &mut theirs, flate2::FlushDecompress::Finish);
    assert_eq!(status.unwrap(), flate2::Status::StreamEnd);
    assert_eq!(zlib_rs.total_in(), stream.len() as u64);
    assert!(theirs[..theirs.len() - 1] == out && zlib_rs.total_out() == out.len() as u64);
    out
}

/// What is before a break, made complete.
fn head(blocks: &[u8], at: Break) -> Vec<u8> {
    let whole = usize::try_from(at.bit / 8).unwrap();
    let mut head = blocks[..whole].to_vec();
    if !at.bit.is_multiple_of(8) {
        head.push(blocks[whole] & ((1 << (at.bit % 8)) - 1));
    }
    // The type of the empty stored block is three zeros, which may need a byte of their own.
    if matches!(at.bit % 8, 0 | 6 | 7) {
        head.push(0);
    }
    head.extend([0, 0, 0xff, 0xff]);
    head
}

/// Checks all that is promised about the output for `input`, and returns it.
fn check(encoder: &mut Encoder, input: &[u8]) -> (Vec<u8>, Vec<Break>) {
    let (blocks, breaks) = encoded(encoder, input);
    assert!(
        blocks.len() <= max_compressed_len(input.len()),
        "{} for {}",
        blocks.len(),
        input.len()
    );
    assert!(decoded(&blocks) == input, "{} bytes are decoded wrongly", input.len());
    assert!(breaks.is_sorted_by_key(|at| (at.input, at.bit)));
    assert_eq!(breaks.last().map_or(0, |at| at.input), input.len());
    for at in &breaks {
        assert!(at.input % 512 == 0 && at.input > 0 || at.input == input.len());
        assert!(decoded(&head(&blocks, *at)) == input[..at.input], "{at:?}");
    }
    // The tail is what any other input is, so one will do.
    if let Some(at) = breaks.get(breaks.len() / 2) {
        let (tail, _) = encoded(encoder, &input[at.input..]);
        assert!(decoded(&[head(&blocks, *at), tail].concat()) == input);
    }
    (blocks, breaks)
}

fn check_all(input: &[u8]) {
    for effort in EFFORTS {
        check(&mut Encoder::new(effort), input);
    }
}

#[test]
fn lengths_around_edges() {
    let lengths = [
        0, 1, 2, 3, 4, 7, 8, 9, 257, 258, 259, 511, 512, 513, 8191, 8192, 8193, 16_383, 16_385,
        32_767, 32_768, 32_769, 65_023, 65_024, 65_025, 65_535, 65_536, 130_049, 262_143, 262_144,
    ];
    let mut random = Random(1);
    for effort in EFFORTS {
        let mut encoder = Encoder::new(effort);
        for len in lengths {
            check(&mut encoder, &vec![0; len]);
            check(&mut encoder, &random.noise(len, 256));
            check(&mut encoder, &random.noise(len, 3));
            check(&mut encoder, &random.structured(len));
        }
    }
}

#[test]
fn nothing_becomes_nothing() {
    for effort in EFFORTS {
        assert_eq!(encoded(&mut Encoder::new(effort), &[]), (vec![], vec![]));
    }
}

#[test]
fn what_is_too_long_is_left_out() {
    let input = vec![7; INPUT_MAX + 1];
    let (blocks, _) = encoded(&mut Encoder::new(Effort::Default), &input);
    assert_eq!(decoded(&blocks).len(), INPUT_MAX);
}

/// A match at each distance that a code has as its first or last, and beyond the farthest.
#[test]
fn distances() {
    // The smallest table doesn't hold as many positions as a match may lie back.
    const FARTHEST: [usize; 3] = [2000, MAX_DISTANCE, MAX_DISTANCE];
    let mut random = Random(2);
    let mut encoders = EFFORTS.map(Encoder::new);
    let steps = (0..16).flat_map(|bits| [1_usize << bits, (1 << bits) + (1 << bits >> 1)]);
    for step in steps.flat_map(|step| [step.saturating_sub(1), step, step + 1]) {
        let input = random.noise(step.max(1), 256).repeat(3);
        for (encoder, farthest) in encoders.iter_mut().zip(FARTHEST) {
            let (blocks, _) = check(encoder, &input[..input.len().min(INPUT_MAX)]);
            if (300..=farthest).contains(&step) {
                assert!(blocks.len() < step + step / 4 + 200, "{step}: {}", blocks.len());
            }
        }
    }
}

/// A match of each length at each place around the end of a segment.
#[test]
fn matches_over_the_end_of_a_segment() {
    let mut random = Random(3);
    let mut encoders = EFFORTS.map(Encoder::new);
    for length in [3, 4, 5, 8, 16, 17, 257, 258, 259, 700] {
        for before in [0, 1, 2, 3, 4, 5, 8, 9, 255, 258] {
            let mut input = random.noise(16_384 - before, 200);
            let again = input[..length].to_vec();
            input.extend(again);
            input.extend(random.noise(40_000, 200));
            for encoder in &mut encoders {
                check(encoder, &input);
            }
        }
    }
}

#[test]
fn all_lengths_and_all_literals() {
    let mut random = Random(4);
    let mut input: Vec<u8> = (0..=255).collect();
    for length in 3..=260 {
        let unlike = random.noise(3, 256);
        let from = input.len() - length.min(input.len());
        let again = input[from..].to_vec();
        input.extend(unlike);
        input.extend(again);
    }
    check_all(&input);
    check_all(&(0..=255).collect::<Vec<u8>>());
    check_all(&(0..=255).cycle().take(INPUT_MAX).collect::<Vec<u8>>());
}

/// Frequencies like Fibonacci's numbers make the longest codes.
#[test]
fn codes_that_would_be_too_long() {
    let mut random = Random(5);
    let (mut one, mut next) = (1, 1);
    let mut input = Vec::new();
    for symbol in 0_u8..24 {
        input.extend(vec![symbol * 9; one]);
        (one, next) = (next, one + next);
    }
    input.truncate(INPUT_MAX);
    check_all(&input);
    random.shuffle(&mut input);
    check_all(&input);
    for len in [2000, 8192, 20_000] {
        check_all(&input[..len]);
    }
}

#[test]
fn an_encoder_forgets() {
    let mut random = Random(6);
    let inputs: Vec<_> = (0..24)
        .map(|n| match n % 4 {
            0 => random.noise(100 << (n / 2), 256),
            1 => vec![0; 200_000],
            _ => random.structured(262_144 >> (n % 3)),
        })
        .collect();
    for effort in EFFORTS {
        let mut used = Encoder::new(effort);
        for input in &inputs {
            let fresh = encoded(&mut Encoder::new(effort), input);
            assert!(encoded(&mut used, input) == fresh, "{effort:?}");
        }
    }
}

#[test]
fn nothing_is_allocated_anew() {
    let mut random = Random(7);
    let mut encoder = Encoder::new(Effort::Default);
    let (mut out, mut breaks) = (Vec::new(), Vec::new());
    let input = random.noise(INPUT_MAX, 256);
    encoder.encode(&input, &mut out, &mut breaks);
    let before = (out.capacity(), breaks.capacity());
    out.clear();
    encoder.encode(&input, &mut out, &mut breaks);
    assert_eq!((out.capacity(), breaks.capacity()), before);
}

#[test]
fn what_does_not_compress_is_stored() {
    let noise = Random(8).noise(INPUT_MAX, 256);
    for effort in EFFORTS {
        let (blocks, breaks) = check(&mut Encoder::new(effort), &noise);
        assert_eq!(blocks.len(), max_compressed_len(INPUT_MAX));
        assert_eq!(breaks.len(), 5);
        assert!(breaks.iter().all(|at| at.bit % 8 == 0));
    }
}

/// Noise in text is stored, and the text around it is compressed.
#[test]
fn blocks_end_where_the_data_change() {
    let mut random = Random(9);
    let text = b"The quick brown fox jumps over the lazy dog; ".repeat(1500);
    let input = [&text[..65_536], &random.noise(65_536, 256), &text[..65_536]].concat();
    for effort in EFFORTS {
        let (blocks, breaks) = check(&mut Encoder::new(effort), &input);
        assert!(blocks.len() < 65_536 + 2500, "{effort:?}: {}", blocks.len());
        assert!([65_536, 131_072].iter().all(|end| breaks.iter().any(|at| at.input == *end)));
    }
}

/// No larger than what zlib's levels make, on this crate's own source; which changes, so 2 % more
/// is no failure.
#[test]
fn about_as_small_as_zlib() {
    let source = [
        &include_bytes!("../inflate.rs")[..],
        include_bytes!("../compress.rs"),
        include_bytes!("../deflate.rs"),
        include_bytes!("block.rs"),
        include_bytes!("huffman.rs"),
        include_bytes!("../piece.rs"),
    ]
    .concat();
    for (effort, level) in EFFORTS.into_iter().zip([1, 3, 6]) {
        let (blocks, _) = check(&mut Encoder::new(effort), &source);
        let mut theirs = Vec::with_capacity(source.len());
        let mut zlib = flate2::Compress::new(flate2::Compression::new(level), false);
        zlib.compress_vec(&source, &mut theirs, flate2::FlushCompress::Finish).unwrap();
        let most = theirs.len() + theirs.len() / 50;
        assert!(blocks.len() <= most, "{effort:?}: {} > {}", blocks.len(), theirs.len());
    }
}
