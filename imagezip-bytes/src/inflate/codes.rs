//! Decoding the symbols of a block.

use super::Fault;
use super::bits::Bits;
use super::copy::copy;
use super::entry::Entry;
use super::header::{Tables, fault};

/// Decodes symbols into `out` from `at` on until `limit` is reached or the block ends: where the
/// data end, and whether the block does. As [`Inflate::run`](super::Inflate::run) has it.
pub(super) fn decode<const N: usize>(
    bits: &mut Bits<'_>,
    tables: &Tables,
    out: &mut [u8; N],
    at: usize,
    limit: usize,
) -> Result<(usize, bool), Fault> {
    let (at, ended) = decode_fast(bits, tables, out, at, limit)?;
    if ended { Ok((at, true)) } else { decode_slow(bits, tables, out, at, limit) }
}

/// [`decode`] while the input has two words to refill from.
#[inline]
fn decode_fast<const N: usize>(
    stream: &mut Bits<'_>,
    tables: &Tables,
    out: &mut [u8; N],
    mut at: usize,
    limit: usize,
) -> Result<(usize, bool), Fault> {
    // A copy of its own can stay in registers.
    let mut bits = *stream;
    let (literals, distances) = (&tables.literals, &tables.distances);
    let mut ended = false;
    while at < limit && bits.refill_fast() {
        // At least 56 bits: up to three literals by the main table's 11 bits each, or two and a
        // length by at most 20.
        let mut entry = literals.first(bits.peek());
        if entry.is_literal() {
            put(out, &mut at, &mut bits, entry);
            entry = literals.first(bits.peek());
            if entry.is_literal() {
                put(out, &mut at, &mut bits, entry);
                entry = literals.first(bits.peek());
                if entry.is_literal() {
                    put(out, &mut at, &mut bits, entry);
                    continue;
                }
            }
        }
        if entry.is_special() {
            if entry.is_subtable() {
                bits.skip(entry.bits());
                entry = literals.second(entry, bits.peek());
                if entry.is_literal() {
                    put(out, &mut at, &mut bits, entry);
                    continue;
                }
            }
            if entry.is_special() {
                bits.skip(entry.bits());
                if !entry.is_end() {
                    return fault(&bits);
                }
                ended = true;
                break;
            }
        }
        let len = entry.value(bits.peek());
        bits.skip(entry.bits());
        // A distance takes up to 28 bits.
        bits.refill();
        let mut entry = distances.first(bits.peek());
        if entry.is_special() {
            bits.skip(entry.bits());
            if !entry.is_subtable() {
                return fault(&bits);
            }
            // Symbols without a meaning have codes of five bits, and the main table them all.
            entry = distances.second(entry, bits.peek());
        }
        let distance = entry.value(bits.peek());
        bits.skip(entry.bits());
        let Some(from) = at.checked_sub(distance) else { return fault(&bits) };
        copy(out, from, at, len);
        at = at.wrapping_add(len);
    }
    if bits.exhausted() {
        return Err(Fault::Short);
    }
    *stream = bits;
    Ok((at, ended))
}

/// Writes a literal.
#[inline]
fn put<const N: usize>(out: &mut [u8; N], at: &mut usize, bits: &mut Bits<'_>, entry: Entry) {
    if let Some(to) = out.get_mut(*at) {
        *to = entry.byte();
    }
    *at = at.wrapping_add(1);
    bits.skip(entry.bits());
}

/// [`decode`] to the end of the input.
#[cold]
fn decode_slow<const N: usize>(
    bits: &mut Bits<'_>,
    tables: &Tables,
    out: &mut [u8; N],
    mut at: usize,
    limit: usize,
) -> Result<(usize, bool), Fault> {
    while at < limit {
        bits.refill();
        let mut entry = tables.literals.first(bits.peek());
        if entry.is_subtable() {
            bits.skip(entry.bits());
            entry = tables.literals.second(entry, bits.peek());
        }
        if entry.is_literal() {
            put(out, &mut at, bits, entry);
        } else if entry.is_special() {
            bits.skip(entry.bits());
            if !entry.is_end() {
                return fault(bits);
            }
            return if bits.exhausted() { Err(Fault::Short) } else { Ok((at, true)) };
        } else {
            let len = entry.value(bits.peek());
            bits.skip(entry.bits());
            bits.refill();
            let mut entry = tables.distances.first(bits.peek());
            if entry.is_subtable() {
                bits.skip(entry.bits());
                entry = tables.distances.second(entry, bits.peek());
            }
            if entry.is_special() {
                bits.skip(entry.bits());
                return fault(bits);
            }
            let distance = entry.value(bits.peek());
            bits.skip(entry.bits());
            let Some(from) = at.checked_sub(distance) else { return fault(bits) };
            copy(out, from, at, len);
            at = at.wrapping_add(len);
        }
        if bits.exhausted() {
            return Err(Fault::Short);
        }
    }
    Ok((at, false))
}
