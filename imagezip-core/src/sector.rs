//! Units: sectors of 512 bytes and bytes, as types that cannot be mixed up.
//!
//! A sector here is always 512 bytes, whatever the device's own sector size: that is the unit of
//! every image and signature (docs/format.md, "Units").

use core::fmt;

/// Bytes in a sector.
pub const SECTOR_BYTES: u64 = 512;

/// The largest sector number or count whose size in bytes still fits 64 bits.
const LIMIT: u64 = u64::MAX / SECTOR_BYTES;

/// A sector's number, counted from the start of a disk, a partition or an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sector(u64);

/// A number of sectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectorCount(u64);

/// A length or a position in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Sector {
    /// The first sector.
    pub const ZERO: Self = Self(0);
    /// The highest sector number there is: its position in bytes fits 64 bits.
    pub const MAX: Self = Self(LIMIT);

    /// Sector `number`, unless it is beyond [`Sector::MAX`].
    pub const fn new(number: u64) -> Option<Self> {
        if number <= LIMIT { Some(Self(number)) } else { None }
    }

    /// Sector `number`.
    pub const fn from_u32(number: u32) -> Self {
        Self(number as u64)
    }

    /// The sector's number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position of the sector's first byte.
    pub const fn to_bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(SECTOR_BYTES))
    }

    /// The sector `count` further on, unless that is beyond [`Sector::MAX`].
    pub const fn checked_add(self, count: SectorCount) -> Option<Self> {
        match self.0.checked_add(count.0) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// The sector `count` further on, or [`Sector::MAX`].
    #[must_use]
    pub const fn saturating_add(self, count: SectorCount) -> Self {
        match self.checked_add(count) {
            Some(sum) => sum,
            None => Self::MAX,
        }
    }

    /// The sector `count` before this one, unless that is before the first.
    pub const fn checked_sub(self, count: SectorCount) -> Option<Self> {
        match self.0.checked_sub(count.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The number of sectors from `earlier` to this one; none if it is not earlier.
    pub const fn since(self, earlier: Self) -> SectorCount {
        SectorCount(self.0.saturating_sub(earlier.0))
    }
}

impl SectorCount {
    /// No sectors.
    pub const ZERO: Self = Self(0);

    /// `count` sectors, unless their size in bytes does not fit 64 bits.
    pub const fn new(count: u64) -> Option<Self> {
        if count <= LIMIT { Some(Self(count)) } else { None }
    }

    /// `count` sectors.
    pub const fn from_u32(count: u32) -> Self {
        Self(count as u64)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The size in bytes.
    pub const fn to_bytes(self) -> Bytes {
        Bytes(self.0.saturating_mul(SECTOR_BYTES))
    }

    /// Both together, or the most there can be.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        match Self::new(self.0.saturating_add(other.0)) {
            Some(sum) => sum,
            None => Self(LIMIT),
        }
    }
}

impl Bytes {
    /// The number of bytes, or the position.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// `len` bytes further on, unless that does not fit 64 bits.
    pub const fn checked_add(self, len: u64) -> Option<Self> {
        match self.0.checked_add(len) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The number of whole sectors in so many bytes.
    pub const fn whole_sectors(self) -> SectorCount {
        // The divisor is a constant other than zero.
        SectorCount(self.0.wrapping_div(SECTOR_BYTES))
    }
}

impl fmt::Display for Sector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SectorCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The sectors from `start` up to, not including, `end`; never backwards, possibly empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectorRange {
    start: Sector,
    end: Sector,
}

impl SectorRange {
    /// No sectors, at the start.
    pub const EMPTY: Self = Self { start: Sector::ZERO, end: Sector::ZERO };

    /// The sectors from `start` up to `end`, unless that is backwards.
    pub const fn new(start: Sector, end: Sector) -> Option<Self> {
        if start.0 <= end.0 { Some(Self { start, end }) } else { None }
    }

    /// `len` sectors from `start`, unless they end beyond [`Sector::MAX`].
    pub const fn with_len(start: Sector, len: SectorCount) -> Option<Self> {
        match start.checked_add(len) {
            Some(end) => Some(Self { start, end }),
            None => None,
        }
    }

    /// The first `len` sectors.
    pub const fn first(len: SectorCount) -> Self {
        Self { start: Sector::ZERO, end: Sector(len.0) }
    }

    /// The first sector.
    pub const fn start(self) -> Sector {
        self.start
    }

    /// The sector after the last.
    pub const fn end(self) -> Sector {
        self.end
    }

    /// How many sectors.
    pub const fn len(self) -> SectorCount {
        self.end.since(self.start)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.start.0 == self.end.0
    }

    /// Whether all of `other` lies inside.
    pub const fn contains(self, other: Self) -> bool {
        self.start.0 <= other.start.0 && other.end.0 <= self.end.0
    }

    /// The sectors in both, if any.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let start = self.start.max(other.start);
        let end = self.end.min(other.end);
        (start < end).then_some(Self { start, end })
    }

    /// This range and, if `at` lies inside, what of it begins there.
    pub fn split_at(self, at: Sector) -> (Self, Self) {
        let at = at.clamp(self.start, self.end);
        (Self { start: self.start, end: at }, Self { start: at, end: self.end })
    }

    /// The same range counted from `base`, if it does not begin before that.
    pub const fn relative_to(self, base: Sector) -> Option<Self> {
        match (
            self.start.checked_sub(SectorCount(base.0)),
            self.end.checked_sub(SectorCount(base.0)),
        ) {
            (Some(start), Some(end)) => Some(Self { start, end }),
            _ => None,
        }
    }

    /// A range that is counted from `base`, counted from sector 0.
    pub const fn absolute_from(self, base: Sector) -> Option<Self> {
        let by = SectorCount(base.0);
        match (self.start.checked_add(by), self.end.checked_add(by)) {
            (Some(start), Some(end)) => Some(Self { start, end }),
            _ => None,
        }
    }
}

impl fmt::Debug for SectorRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

impl fmt::Display for SectorRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_bytes_end() {
        assert_eq!(Sector::MAX.get(), 0x007f_ffff_ffff_ffff);
        assert!(Sector::new(Sector::MAX.get() + 1).is_none());
        assert!(SectorCount::new(u64::MAX).is_none());
        assert!(Sector::MAX.checked_add(SectorCount::from_u32(1)).is_none());
        assert_eq!(Sector::MAX.saturating_add(SectorCount::from_u32(1)), Sector::MAX);
        assert_eq!(Sector::MAX.to_bytes().get(), u64::MAX - 511);
        assert_eq!(Bytes(1023).whole_sectors(), SectorCount::from_u32(1));
    }

    #[test]
    fn ranges() {
        let range = |a, b| SectorRange::new(Sector::from_u32(a), Sector::from_u32(b)).unwrap();
        assert!(SectorRange::new(Sector::from_u32(2), Sector::from_u32(1)).is_none());
        assert_eq!(range(2, 5).len().get(), 3);
        assert_eq!(range(2, 5).intersection(range(4, 9)), Some(range(4, 5)));
        assert_eq!(range(2, 5).intersection(range(5, 9)), None);
        assert_eq!(range(2, 5).split_at(Sector::from_u32(9)), (range(2, 5), range(5, 5)));
        assert_eq!(range(2, 5).relative_to(Sector::from_u32(2)), Some(range(0, 3)));
        assert_eq!(range(2, 5).relative_to(Sector::from_u32(3)), None);
        assert_eq!(range(0, 3).absolute_from(Sector::from_u32(2)), Some(range(2, 5)));
    }
}
