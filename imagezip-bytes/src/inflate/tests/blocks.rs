//! Blocks made by hand, at the limits of what there can be.

use super::writer::{Writer, codes};
use super::{Fault, Judged, Random, judge, miniz, ours, zlib};
use std::vec;
use std::vec::Vec;

/// A code of `count` symbols, no two shorter ones left to be joined: lengths 1, 2, 3, … as far as
/// `longest`, shared out at random.
fn complete(random: &mut Random, symbols: usize, count: usize, longest: u32) -> Vec<u32> {
    let mut lens = vec![0_u32];
    while lens.len() < count {
        let at = random.below(lens.len());
        if lens[at] < longest {
            lens[at] += 1;
            lens.push(lens[at]);
        }
    }
    lens.resize(symbols, 0);
    for at in (1..symbols).rev() {
        lens.swap(at, random.below(at + 1));
    }
    lens
}

#[test]
fn any_complete_codes_are_read_and_others_refused() {
    let mut random = Random(1);
    let (mut accepted, mut refused, mut differ) = (0, 0, 0);
    for round in 0..4000 {
        let longest = 9 + u32::try_from(random.below(7)).unwrap();
        let (symbols, count) = (257 + random.below(30), 2 + random.below(255));
        let mut literals = complete(&mut random, symbols, count, longest);
        if literals[256] == 0 && round % 8 > 0 {
            let other = literals.iter().position(|len| *len > 0).unwrap();
            literals.swap(256, other);
        }
        let (symbols, count) = (1 + random.below(30), 1 + random.below(30));
        let mut distances = complete(&mut random, symbols, count.min(symbols), longest);
        if count == 1 && round % 2 == 0 {
            distances[0] = 1;
        }
        // One in three is damaged.
        if round % 3 == 0 {
            let lens = if random.below(2) == 0 { &mut literals } else { &mut distances };
            let at = random.below(lens.len());
            lens[at] = (lens[at] + 1 + u32::try_from(random.below(15)).unwrap()) % 16;
        }
        let mut writer = Writer::default();
        writer.dynamic(&literals, &distances);
        // Any bits mean something then.
        for _ in 0..100 {
            writer.number(random.below(1 << 16), 16);
        }
        writer.code(codes(&literals)[256]);
        let stream = writer.finish();
        match judge(&stream) {
            Judged::Alike if ours(&stream).is_ok() => accepted += 1,
            Judged::Alike => refused += 1,
            Judged::MinizDiffers => differ += 1,
        }
    }
    assert!(accepted > 200 && refused > 1000, "{accepted} {refused} {differ}");
}

/// The symbols that there are in a code without meaning anything.
#[test]
fn fixed_symbols_without_a_meaning_are_refused() {
    for symbol in 0..288 {
        let mut writer = Writer::default();
        writer.number(1, 1).number(1, 2).fixed(0).fixed(symbol);
        if symbol > 256 {
            // Any extra bits, and a distance of 1.
            let extra = match symbol {
                265..285 => u32::try_from((symbol - 261) / 4).unwrap(),
                _ => 0,
            };
            writer.number(0, extra).code((0, 5));
        }
        let stream = writer.fixed(256).finish();
        assert_eq!(judge(&stream), Judged::Alike, "{symbol}");
        assert_eq!(ours(&stream).is_ok(), symbol < 286, "{symbol}");
    }
    for symbol in 0..32 {
        let mut writer = Writer::default();
        writer
            .stored(false, &vec![7; 40_000])
            .number(1, 1)
            .number(1, 2)
            .fixed(257)
            .code((symbol, 5));
        let extra = u32::try_from((symbol / 2).saturating_sub(1)).unwrap();
        let stream = writer.number(0, extra).fixed(256).finish();
        assert_eq!(judge(&stream), Judged::Alike, "{symbol}");
        assert_eq!(ours(&stream).is_ok(), symbol < 30, "{symbol}");
    }
}

#[test]
fn matches_reach_the_first_byte_and_no_further() {
    let stream = |before: usize, extra: usize| {
        let mut writer = Writer::default();
        writer.stored(false, &vec![7; before]).number(1, 1).number(1, 2);
        // The longest length, and a distance from 24,577 on.
        writer.fixed(285).code((29, 5)).number(extra, 13);
        writer.fixed(256).finish()
    };
    for (before, extra) in
        [(24_577, 0), (24_577, 1), (32_767, 8191), (32_768, 8191), (40_000, 8191)]
    {
        let stream = stream(before, extra);
        assert_eq!(judge(&stream), Judged::Alike);
        assert_eq!(ours(&stream).is_ok(), before >= 24_577 + extra);
    }
}

/// Each distance up to 40 with each length, at a stream's start and later.
#[test]
fn matches_repeat_what_they_copy() {
    for distance in 1..=40_usize {
        for len in (3..=258).step_by(5).chain([4, 7, 8, 9, 15, 16, 17, 258]) {
            for before in [distance, distance + 100] {
                let data: Vec<u8> = (0..=255).cycle().take(before).collect();
                let mut writer = Writer::default();
                writer.stored(false, &data).number(1, 1).number(1, 2);
                put_match(&mut writer, len, distance);
                // Far from the input's end, so that it is copied in the fast way, too.
                let tail: Vec<u8> = vec![0x2a; 40];
                for byte in &tail {
                    writer.fixed((*byte).into());
                }
                let stream = writer.fixed(256).finish();
                let mut whole = data.clone();
                (0..len).for_each(|_| whole.push(whole[whole.len() - distance]));
                whole.extend(&tail);
                assert!(ours(&stream) == Ok((whole, stream.len())), "{len} from {distance}");
                assert_eq!(judge(&stream), Judged::Alike, "{len} from {distance}");
            }
        }
    }
}

fn put_match(writer: &mut Writer, len: usize, distance: usize) {
    // From the tables of RFC 1951, 3.2.5: the first of each number of extra bits.
    let lens = [(3, 257, 0), (11, 265, 1), (19, 269, 2), (35, 273, 3), (67, 277, 4), (131, 281, 5)];
    if len == 258 {
        writer.fixed(285);
    } else {
        let (least, symbol, extra) = *lens.iter().rfind(|(least, ..)| *least <= len).unwrap();
        writer.fixed(symbol + ((len - least) >> extra));
        writer.number((len - least) & ((1 << extra) - 1), extra);
    }
    let distances = [(1, 0, 0), (5, 4, 1), (9, 6, 2), (17, 8, 3), (33, 10, 4)];
    let (least, symbol, extra) = *distances.iter().rfind(|(least, ..)| *least <= distance).unwrap();
    writer.code((symbol + ((distance - least) >> extra), 5));
    writer.number((distance - least) & ((1 << extra) - 1), extra);
}

#[test]
fn stored_blocks_have_their_length_twice() {
    let stream = Writer::default().stored(false, &vec![1; 65_535]).stored(true, &[]).finish();
    assert_eq!(judge(&stream), Judged::Alike);
    assert_eq!(ours(&stream), Ok((vec![1; 65_535], 65_545)));
    for bit in 0..32 {
        let mut stream = stream.clone();
        stream[1 + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(judge(&stream), Judged::Alike);
        assert_eq!(ours(&stream), Err(Fault::Code));
    }
    assert_eq!(judge(&[7]), Judged::Alike);
    assert_eq!(ours(&[7]), Err(Fault::Code), "there is no fourth type of block");
}

/// The ends of what a header may say, and codes that zlib takes or refuses for reasons of its own.
#[test]
fn odd_codes_are_decided_as_zlib_does() {
    let end_only = |len: u32| {
        let mut lens = vec![0; 257];
        lens[256] = len;
        lens
    };
    let stream = |literals: &[u32], distances: &[u32]| {
        let mut writer = Writer::default();
        writer.dynamic(literals, distances);
        // All bits 0: the end's code, if it is the first one.
        writer.number(0, 16).finish()
    };
    let with_match = |distances: &[u32], bits: usize| {
        let mut literals = vec![0; 258];
        (literals[0], literals[256], literals[257]) = (1, 2, 2);
        let mut writer = Writer::default();
        writer.dynamic(&literals, distances);
        let codes = codes(&literals);
        writer.code(codes[0]).code(codes[257]).number(bits, 1).code(codes[256]).finish()
    };
    let cases = [
        ("an end alone in one bit", stream(&end_only(1), &[0]), true),
        ("an end alone in two bits", stream(&end_only(2), &[0]), false),
        ("no end", stream(&[vec![1, 1], vec![0; 255]].concat(), &[0]), false),
        ("no code at all", stream(&[0; 257], &[0]), false),
        ("one distance in two bits", stream(&end_only(1), &[2]), false),
        ("two distances of two and one bits", stream(&end_only(1), &[2, 1]), false),
        ("three distances of one bit", stream(&end_only(1), &[1, 1, 1]), false),
        ("286 literals", stream(&[end_only(1), vec![0; 29]].concat(), &[0]), true),
        ("287 literals", stream(&[end_only(1), vec![0; 30]].concat(), &[0]), false),
        ("30 distances", stream(&end_only(1), &[0; 30]), true),
        ("31 distances", stream(&end_only(1), &[0; 31]), false),
        ("the only distance", with_match(&[1], 0), true),
        ("what isn't the only distance", with_match(&[1], 1), false),
        ("a distance without a code of them", with_match(&[0], 0), false),
    ];
    for (what, stream, accepted) in cases {
        judge(&stream);
        assert_eq!(ours(&stream).is_ok(), accepted, "{what}");
    }
}

/// `miniz_oxide` takes what zlib doesn't, or the other way round. Nothing that an encoder makes.
#[test]
fn miniz_differs_where_nobody_goes() {
    let mut no_end = vec![0; 257];
    (no_end[0], no_end[1]) = (1, 1);
    let stream = Writer::default().dynamic(&no_end, &[0]).number(0, 16).finish();
    assert_eq!((zlib(&stream), ours(&stream)), (Err(Fault::Code), Err(Fault::Code)));
    assert_ne!(miniz(&stream), Err(Fault::Code));
}

/// Repetitions of lengths go from one code into the other, but not over the end, and the first
/// length can't repeat one.
#[test]
fn repetitions_of_lengths_have_bounds() {
    // Codes of 0, 1, 17, 18 and 16.
    let mut lengths = [0; 19];
    (lengths[0], lengths[1], lengths[17], lengths[18], lengths[16]) = (2, 2, 2, 3, 3);
    let lens = codes(&lengths);
    // A symbol, and in how many bits it is said how often.
    let stream = |symbols: &[(usize, usize, u32)]| {
        let mut writer = Writer::default();
        writer.counts(true, &lengths, 258, 3);
        for (symbol, extra, bits) in symbols {
            writer.code(lens[*symbol]).number(*extra, *bits);
        }
        writer.number(0, 32).finish()
    };
    // 138 and 118 lengths of 0, then that of the end, and four more.
    let (zeros, one) = ([(18, 127, 7), (18, 107, 7)], (1, 0, 0));
    let cases = [
        ("exactly all", [&zeros[..], &[one, (17, 1, 3)]].concat(), true),
        ("over the end", [&zeros[..], &[one, (17, 2, 3)]].concat(), false),
        ("far over the end", [&zeros[..], &[one, (18, 127, 7)]].concat(), false),
        ("over the end by other lengths", [&zeros[..], &[one, (16, 2, 2)]].concat(), false),
        ("too many distances", [&zeros[..], &[one, (16, 1, 2)]].concat(), false),
        ("nothing to repeat", [&[(16, 0, 2)], &zeros[..], &[one, (0, 0, 0)]].concat(), false),
    ];
    for (what, symbols, accepted) in cases {
        let stream = stream(&symbols);
        assert_eq!(judge(&stream), Judged::Alike, "{what}");
        assert_eq!(ours(&stream).is_ok(), accepted, "{what}");
    }
}
