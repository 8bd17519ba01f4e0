//! The judges are zlib-rs, which decides as zlib does, and `miniz_oxide`.

mod blocks;
mod mutations;
mod writer;

use super::*;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use std::vec;
use std::vec::Vec;

/// What a stream is: its data and its length in bytes, or what is wrong.
type Verdict = Result<(Vec<u8>, usize), Fault>;

/// The most data that the tests decompress.
const MOST: usize = 1 << 20;

/// Decompresses all at once.
fn ours(stream: &[u8]) -> Verdict {
    ours_in_parts(stream, usize::MAX)
}

/// Decompresses so much at a time.
fn ours_in_parts(stream: &[u8], part: usize) -> Verdict {
    let mut out = vec![0x55; MOST + SLACK];
    let out: &mut [u8; MOST + SLACK] = out.first_chunk_mut().unwrap();
    let mut inflate = Inflate::new();
    inflate.begin(0);
    let mut at = 0_usize;
    while inflate.end().is_none() {
        let limit = MOST.min(at.saturating_add(part));
        assert!(at < MOST, "the tests' streams are shorter");
        let end = inflate.run_in(stream, out, at, limit)?;
        assert!(end < limit + OVERSHOOT);
        assert!(end >= limit || inflate.end().is_some());
        at = end;
    }
    Ok((out[..at].to_vec(), inflate.end().unwrap()))
}

/// What zlib-rs says.
fn zlib(stream: &[u8]) -> Verdict {
    let mut state = flate2::Decompress::new(false);
    let mut out = Vec::with_capacity(MOST);
    let status = state.decompress_vec(stream, &mut out, flate2::FlushDecompress::Finish);
    match status {
        Ok(flate2::Status::StreamEnd) => {
            let taken = usize::try_from(state.total_in()).unwrap();
            Ok((out, taken))
        }
        Ok(_) => {
            assert!(out.len() < MOST, "the tests' streams are shorter");
            Err(Fault::Short)
        }
        Err(_) => Err(Fault::Code),
    }
}

/// What `miniz_oxide` says.
fn miniz(stream: &[u8]) -> Verdict {
    let mut state = DecompressorOxide::new();
    let mut out = vec![0; MOST];
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    match decompress(&mut state, stream, &mut out, 0, flags) {
        (TINFLStatus::Done, taken, made) => {
            out.truncate(made);
            Ok((out, taken))
        }
        (TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput, ..) => {
            Err(Fault::Short)
        }
        (TINFLStatus::HasMoreOutput, ..) => panic!("the tests' streams are shorter"),
        _ => Err(Fault::Code),
    }
}

/// What is odd about a stream, so that judges differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Judged {
    /// All three agree.
    Alike,
    /// zlib and we agree, `miniz_oxide` doesn't: it tells of less, or of more.
    MinizDiffers,
}

/// Compares our verdict with the judges', whole and in parts.
///
/// Why a stream is refused may differ: zlib finds out that a code of lengths has no symbols only
/// after it has taken a bit for each length, so it may say that the stream is too short.
fn judge(stream: &[u8]) -> Judged {
    let (verdict, judged) = (ours(stream), zlib(stream));
    let told = |verdict: &Verdict| verdict.clone().map(|(data, end)| (data.len(), end));
    let (is, should) = (told(&verdict), told(&judged));
    assert!(verdict.clone().ok() == judged.ok(), "{should:?}, not {is:?}: {stream:?}");
    assert!(verdict == ours_in_parts(stream, 100), "in parts: {stream:?}");
    if verdict.ok() == miniz(stream).ok() { Judged::Alike } else { Judged::MinizDiffers }
}

/// Bytes that look random, the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// A number less than `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap() % end
    }
}
