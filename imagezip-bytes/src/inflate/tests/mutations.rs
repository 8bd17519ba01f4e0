//! Valid streams of several encoders, damaged.

use super::writer::Writer;
use super::{Fault, Judged, Random, judge, ours};
use std::io::Read;
use std::vec;
use std::vec::Vec;

/// How many damaged streams are judged; `INFLATE_ROUNDS` says another number.
const ROUNDS: usize = 20_000;

/// Data as disks hold them, in pieces.
fn data(random: &mut Random) -> Vec<u8> {
    let mut data = Vec::new();
    for _ in 0..random.below(6) {
        let len = random.below(3000);
        match random.below(4) {
            0 => data.resize(data.len() + len, random.next().to_le_bytes()[0]),
            1 => data.extend((0..len).map(|_| random.next().to_le_bytes()[0])),
            // Few different bytes, some of them rare: long codes.
            2 => data.extend((0..len).map(|_| random.next().trailing_zeros().to_le_bytes()[0])),
            _ => {
                let back = 1 + random.below(data.len() + 1);
                (0..len).for_each(|_| {
                    data.push(data.len().checked_sub(back).map_or(1, |from| data[from]));
                });
            }
        }
    }
    data
}

/// `data` as one of the encoders has it.
fn encoded(random: &mut Random, data: &[u8]) -> Vec<u8> {
    let level = random.below(10).to_le_bytes()[0];
    match random.below(4) {
        0 => {
            let mut writer = Writer::default();
            for part in data.chunks(1 + random.below(5000)) {
                if random.below(2) == 0 {
                    writer.stored(false, part);
                } else {
                    writer.number(0, 1).number(1, 2);
                    for byte in part {
                        writer.fixed((*byte).into());
                    }
                    writer.fixed(256);
                }
            }
            writer.stored(true, &[]).finish()
        }
        1 => miniz_oxide::deflate::compress_to_vec(data, level),
        _ => {
            let mut stream = Vec::new();
            let level = flate2::Compression::new(level.into());
            flate2::read::DeflateEncoder::new(data, level).read_to_end(&mut stream).unwrap();
            stream
        }
    }
}

fn damage(random: &mut Random, stream: &mut Vec<u8>) {
    // Headers are where the most can go wrong.
    let end = if random.below(2) == 0 { stream.len().min(100) } else { stream.len() };
    let at = random.below(end);
    match random.below(6) {
        0 => stream.truncate(at),
        1 => drop(stream.remove(at)),
        2 => stream.insert(at, random.next().to_le_bytes()[0]),
        3 => stream.splice(at.., random.next().to_le_bytes()).for_each(drop),
        _ => stream[at] ^= 1 << random.below(8),
    }
}

#[test]
fn damaged_streams_are_decided_as_zlib_does() {
    let rounds = std::env::var("INFLATE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let mut random = Random(2);
    let (mut accepted, mut cut, mut refused, mut miniz_differs) = (0, 0, 0, 0);
    for _ in 0..rounds.unwrap_or(ROUNDS) / 10 {
        let data = data(&mut random);
        let stream = encoded(&mut random, &data);
        assert!(ours(&stream) == Ok((data, stream.len())));
        assert_eq!(judge(&stream), Judged::Alike);
        for _ in 0..10 {
            let mut stream = stream.clone();
            for _ in 0..=random.below(3) {
                if !stream.is_empty() {
                    damage(&mut random, &mut stream);
                }
            }
            if judge(&stream) == Judged::MinizDiffers {
                miniz_differs += 1;
            }
            match ours(&stream) {
                Ok(_) => accepted += 1,
                Err(Fault::Short) => cut += 1,
                Err(Fault::Code) => refused += 1,
            }
        }
    }
    let counts = [accepted, cut, refused, miniz_differs];
    assert!(accepted > 1000 && cut > 1000 && refused > 1000, "{counts:?}");
    // See `miniz_differs_where_nobody_goes`.
    assert!(miniz_differs < accepted / 20, "{counts:?}");
}

#[test]
fn streams_may_end_at_no_other_byte() {
    let mut random = Random(3);
    let data = [data(&mut random), vec![9; 300], data(&mut random)].concat();
    for _ in 0..20 {
        let stream = encoded(&mut random, &data);
        for end in 0..stream.len() {
            assert_eq!(ours(&stream[..end]), Err(Fault::Short), "{end} of {}", stream.len());
        }
        assert_eq!(judge(&stream[..stream.len() - 1]), Judged::Alike);
        // What follows is not looked at.
        let followed = [&stream[..], &[0xff; 20]].concat();
        assert!(ours(&followed) == Ok((data.clone(), stream.len())));
    }
}
