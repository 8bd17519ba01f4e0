//! Reading bits.

/// Bits of a stream in deflate's order: of each byte from the least significant one on
/// (RFC 1951, 3.1.1).
///
/// After the last byte come zeros without end, so that a code can be looked up by more bits than
/// are left; [`Bits::exhausted`] tells whether any of them was taken. Whoever loops must ask.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    /// What is still to be put into `word`.
    rest: &'a [u8],
    /// The next bits. Those above `count` are zero or what comes there anyway.
    word: u64,
    /// How many bits of `word` count, at most 63.
    count: u32,
    /// How many bits were put into `word` after the last byte.
    past: u32,
}

/// The least number of bits that there are after [`Bits::refill`].
pub(super) const REFILLED: u32 = 56;

impl<'a> Bits<'a> {
    /// The bits of `stream` from number `position` on.
    pub(super) fn new(stream: &'a [u8], position: usize) -> Self {
        let rest = stream.get(position >> 3..).unwrap_or_default();
        let mut bits = Self { rest, word: 0, count: 0, past: 0 };
        bits.refill();
        // At most 7 of at least 56.
        bits.skip(u32::try_from(position & 7).unwrap_or_default());
        bits
    }

    /// Where in `stream`, with which this was made, the next bit is.
    pub(super) fn position(&self, stream: &[u8]) -> usize {
        let taken = stream.len().saturating_sub(self.rest.len()).saturating_mul(8);
        let past = usize::try_from(self.past).unwrap_or_default();
        let count = usize::try_from(self.count).unwrap_or_default();
        taken.saturating_add(past).saturating_sub(count)
    }

    /// Whether bits after the last byte were taken.
    pub(super) fn exhausted(&self) -> bool {
        self.past > self.count
    }

    /// Sees to it that at least [`REFILLED`] bits are there.
    #[inline]
    pub(super) fn refill(&mut self) {
        if !self.refill_fast() {
            self.refill_to_the_end();
        }
    }

    /// [`Bits::refill`] if eight bytes are left; `false` and no change if not.
    ///
    /// All eight are put above the bits that are there, and as many of them as fit whole are
    /// counted, without a branch. The bits of the byte that fits in part are put there once more
    /// the next time, the same ones.
    #[inline]
    pub(super) fn refill_fast(&mut self) -> bool {
        let Some(next) = self.rest.first_chunk() else { return false };
        self.word |= u64::from_le_bytes(*next).wrapping_shl(self.count);
        let bytes = 63_u32.wrapping_sub(self.count) >> 3 & 7;
        self.rest =
            usize::try_from(bytes).ok().and_then(|n| self.rest.get(n..)).unwrap_or_default();
        self.count |= REFILLED;
        true
    }

    #[cold]
    fn refill_to_the_end(&mut self) {
        while self.count < REFILLED {
            match self.rest.split_first() {
                Some((next, rest)) => {
                    self.word |= u64::from(*next).wrapping_shl(self.count);
                    self.rest = rest;
                }
                None => self.past = self.past.saturating_add(8),
            }
            self.count = self.count.wrapping_add(8);
        }
    }

    /// The next bits: as many as are there, and some above them that mean nothing.
    #[inline]
    pub(super) const fn peek(&self) -> u64 {
        self.word
    }

    /// Goes past as many bits as the lowest six bits of `count` say. They must be there.
    #[inline]
    pub(super) const fn skip(&mut self, count: u32) {
        self.word = self.word.wrapping_shr(count);
        self.count = self.count.wrapping_sub(count & 63);
    }

    /// Takes the next `count` bits, at most 16, as a number. They must be there.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u16 {
        let value = low_bits(self.word, count);
        self.skip(count);
        u16::try_from(value & 0xffff).unwrap_or_default()
    }

    /// Goes to the next byte's bound (RFC 1951, 3.2.4).
    pub(super) const fn align(&mut self) {
        // Whole bytes came in, so what is left of the current one is what is there modulo 8.
        self.skip(self.count & 7);
    }
}

/// The lowest bits of `word`, as many as the lowest six bits of `count` say.
#[inline]
pub(super) const fn low_bits(word: u64, count: u32) -> u64 {
    word & !u64::MAX.wrapping_shl(count)
}
