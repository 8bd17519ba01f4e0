//! The checksum of zlib streams.

/// The checksum of zlib streams (RFC 1950).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adler32(u32);

impl Adler32 {
    /// The checksum of no data.
    pub const EMPTY: Self = Self(1);

    const MODULUS: u32 = 65_521;

    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(simd_adler32::adler32(&bytes))
    }

    /// The checksum of this one's data with `len` bytes after them whose own checksum is `next`.
    #[must_use]
    pub fn followed_by(self, next: Self, len: usize) -> Self {
        // The low half is 1 plus the sum of all bytes; the high half is the sum of the values
        // that the low half takes, so each of `len` bytes adds the first part's low half less 1.
        // All terms are below 2^17 once reduced, so 64 bits hold every product and sum.
        let modulus = u64::from(Self::MODULUS);
        let halves = |sum: u32| (u64::from(sum & 0xffff), u64::from(sum >> 16));
        let ((low, high), (next_low, next_high)) = (halves(self.0), halves(next.0));
        let reduce = |sum: u64| sum.checked_rem(modulus).unwrap_or_default();
        let len = reduce(u64::try_from(len).unwrap_or_default());
        let before = low.saturating_add(modulus).saturating_sub(1);
        let low = reduce(before.saturating_add(next_low));
        let high = reduce(
            high.saturating_add(next_high).saturating_add(len.saturating_mul(reduce(before))),
        );
        Self(u32::try_from(high << 16 | low).unwrap_or_default())
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}
