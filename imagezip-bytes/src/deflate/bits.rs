//! Writing bits, the first in the lowest place (RFC 1951, 3.1.1).

use alloc::vec::Vec;

/// Appends bits to a vector.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Where the output began.
    start: usize,
    // Fewer than eight between calls.
    bits: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    /// Appends to `out`.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start, bits: 0, count: 0 }
    }

    /// The number of bits that were appended.
    pub(super) fn position(&self) -> u64 {
        let bytes = self.out.len().wrapping_sub(self.start);
        (bytes as u64).wrapping_mul(8).wrapping_add(u64::from(self.count))
    }

    /// Appends the low `count` bits of `value`; there are at most 48 and none above them.
    pub(super) fn put(&mut self, value: u64, count: u32) {
        self.bits |= value.wrapping_shl(self.count);
        self.count = self.count.wrapping_add(count);
        while self.count >= 8 {
            self.out.push(self.bits.to_le_bytes()[0]);
            self.bits >>= 8;
            self.count = self.count.wrapping_sub(8);
        }
    }

    /// Appends many codes: `most` bits altogether or fewer, none longer than 56 bits. Eight bytes
    /// are written after each code, of which the next may replace some, for that needs no branch.
    #[inline]
    pub(super) fn put_all(&mut self, most: u64, codes: impl Iterator<Item = (u64, u32)>) {
        let from = self.out.len();
        let room = usize::try_from(most / 8).unwrap_or(0).saturating_add(16);
        self.out.resize(from.saturating_add(room), 0);
        let room = self.out.get_mut(from..).unwrap_or_default();
        let (mut at, mut bits, mut count) = (0_usize, self.bits, self.count);
        for (code, code_bits) in codes {
            bits |= code.wrapping_shl(count);
            count = count.wrapping_add(code_bits);
            if let Some(place) =
                room.get_mut(at..at.wrapping_add(8)).and_then(<[u8]>::first_chunk_mut)
            {
                *place = bits.to_le_bytes();
            }
            at = at.wrapping_add((count / 8) as usize);
            bits = bits.wrapping_shr(count & !7);
            count %= 8;
        }
        (self.bits, self.count) = (bits, count);
        self.out.truncate(from.saturating_add(at));
    }

    /// Whether the output ends at a byte's bound.
    pub(super) const fn is_aligned(&self) -> bool {
        self.count == 0
    }

    /// Fills up the last byte with zeros.
    pub(super) fn align(&mut self) {
        let fill = self.count.wrapping_neg() % 8;
        self.put(0, fill);
    }

    /// Appends whole bytes, after [`Self::align`].
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}
