//! Where blocks end.
//!
//! A segment begins a new block if two blocks, each with codes of its own, are expected to take
//! less than one for both. The entropy of the symbols tells that well enough and is much faster
//! than making the codes.
#![expect(clippy::cast_precision_loss, reason = "these are estimates")]

use super::block::extra_bits;
use super::token::Counts;

/// What the codes of a block are expected to take in its header: a few bits per symbol in use.
const HEADER_BITS: f32 = 100.0;
const SYMBOL_BITS: f32 = 4.0;

/// The bits that a block with these symbols takes at least, if its codes are made for it: their
/// entropy.
pub(super) fn entropy(counts: &Counts) -> f32 {
    weight(&counts.litlen) + weight(&counts.distance)
}

/// About the bits that a block with these symbols takes, without extra bits.
pub(super) fn cost(counts: &Counts) -> f32 {
    let symbols = counts.litlen.iter().chain(&counts.distance);
    let used = symbols.map(|n| (*n).min(1)).fold(0, u32::wrapping_add);
    HEADER_BITS + SYMBOL_BITS * used as f32 + entropy(counts)
}

/// The sum of −n log2(n / all), over all n.
fn weight(counts: &[u32]) -> f32 {
    const LANES: usize = 8;
    let mut all = [0_u32; LANES];
    let mut parts = [0_f32; LANES];
    // There are a multiple of eight of either kind.
    for chunk in counts.as_chunks::<LANES>().0 {
        for ((part, sum), n) in parts.iter_mut().zip(&mut all).zip(chunk) {
            *part += n_log2(*n);
            *sum = sum.wrapping_add(*n);
        }
    }
    n_log2(all.into_iter().fold(0, u32::wrapping_add)) - parts.iter().sum::<f32>()
}

/// n log2(n), where the logarithm is off by less than 0.01; 0 for 0. The exponent of the floating-point number is the whole
/// part of the logarithm; a polynomial that is exact at powers of two gives the rest.
#[inline]
fn n_log2(n: u32) -> f32 {
    // From signed numbers the conversion is one instruction.
    let n = n.cast_signed() as f32;
    let bits = n.to_bits();
    let whole = (bits >> 23).cast_signed() as f32 - 127.0;
    let part = f32::from_bits(bits & 0x7f_ffff | 0x3f80_0000) - 1.0;
    n * (whole + part * (1.0 + (1.0 - part) * 0.344))
}

/// Whether a block with these symbols has no chance to take less than `bits`. As this is decided by
/// an estimate, one that just might is given the chance.
pub(super) fn hopeless(counts: &Counts, bits: u64) -> bool {
    entropy(counts) * 0.99 + extra_bits(counts) as f32 >= bits as f32
}
