//! Sets of sectors, as sorted extents.

use alloc::vec::Vec;
use core::fmt;

use crate::sector::{Sector, SectorCount, SectorRange};

/// A set of sectors: extents in ascending order, none empty, with a gap between any two.
///
/// Every operation is linear in the number of extents, but for [`ExtentSet::from_unsorted`],
/// which sorts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExtentSet {
    extents: Vec<SectorRange>,
}

impl ExtentSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { extents: Vec::new() }
    }

    /// The union of ranges in any order, overlapping or not.
    pub fn from_unsorted(mut ranges: Vec<SectorRange>) -> Self {
        ranges.sort_unstable();
        ranges.into_iter().collect()
    }

    /// Adds a range at the end.
    ///
    /// The range must not begin before the last one that was added. What of it lies before the
    /// end of the set is already there, so a range that begins earlier is not added whole: callers
    /// that can't promise the order use [`ExtentSet::from_unsorted`].
    pub fn push(&mut self, range: SectorRange) {
        if range.is_empty() {
            return;
        }
        match self.extents.last_mut() {
            Some(last) if range.start() <= last.end() => {
                let end = last.end().max(range.end());
                *last = SectorRange::new(last.start(), end).unwrap_or(*last);
            }
            _ => self.extents.push(range),
        }
    }

    /// The extents in ascending order.
    pub fn iter(&self) -> core::iter::Copied<core::slice::Iter<'_, SectorRange>> {
        self.extents.iter().copied()
    }

    /// The extents in ascending order.
    pub fn as_slice(&self) -> &[SectorRange] {
        &self.extents
    }

    /// The number of extents.
    pub fn extent_count(&self) -> usize {
        self.extents.len()
    }

    /// The number of sectors in the set.
    pub fn sector_count(&self) -> SectorCount {
        self.iter().fold(SectorCount::ZERO, |sum, extent| sum.saturating_add(extent.len()))
    }

    /// Whether there is nothing in the set.
    pub fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    /// The sector after the last one in the set.
    pub fn end(&self) -> Option<Sector> {
        self.extents.last().map(|extent| extent.end())
    }

    /// Whether all of `range` is in the set. Found by bisection.
    pub fn contains(&self, range: SectorRange) -> bool {
        range.is_empty()
            || self.ending_after(range.start()).first().is_some_and(|extent| extent.contains(range))
    }

    /// The extents that end after `start`. Found by bisection.
    fn ending_after(&self, start: Sector) -> &[SectorRange] {
        let first = self.extents.partition_point(|extent| extent.end() <= start);
        self.extents.get(first..).unwrap_or_default()
    }

    /// The parts of the set that lie in `range`, in ascending order.
    pub fn within(&self, range: SectorRange) -> impl Iterator<Item = SectorRange> + '_ {
        self.ending_after(range.start()).iter().map_while(move |extent| extent.intersection(range))
    }

    /// The sectors in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        let mut sum = Self::new();
        loop {
            let from_left = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a <= b,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return sum,
            };
            let next = if from_left { left.next() } else { right.next() };
            sum.extend(next);
        }
    }

    /// The sectors in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        let mut common = Self::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            common.extend(a.intersection(*b));
            if a.end() <= b.end() {
                left.next();
            } else {
                right.next();
            }
        }
        common
    }

    /// The sectors in this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let Some(end) = self.end() else {
            return Self::new();
        };
        let whole = SectorRange::new(Sector::ZERO, end).unwrap_or(SectorRange::EMPTY);
        self.intersection(&other.complement(whole))
    }

    /// The sectors of `whole` that are not in the set.
    #[must_use]
    pub fn complement(&self, whole: SectorRange) -> Self {
        let mut gaps = Self::new();
        let mut at = whole.start();
        for extent in self.within(whole) {
            gaps.extend(SectorRange::new(at, extent.start()));
            at = extent.end();
        }
        gaps.extend(SectorRange::new(at, whole.end()));
        gaps
    }

    /// The set without its extents of fewer than `least` sectors.
    #[must_use]
    pub fn without_short(&self, least: SectorCount) -> Self {
        self.iter().filter(|extent| extent.len() >= least).collect()
    }

    /// The same sectors counted from `base`; those before `base` are left out.
    #[must_use]
    pub fn relative_to(&self, base: Sector) -> Self {
        let rest = SectorRange::new(base, Sector::MAX).unwrap_or(SectorRange::EMPTY);
        self.within(rest).filter_map(|extent| extent.relative_to(base)).collect()
    }

    /// Sectors that are counted from `base`, counted from sector 0; those that would come to lie
    /// beyond [`Sector::MAX`] are left out.
    #[must_use]
    pub fn absolute_from(&self, base: Sector) -> Self {
        self.iter().filter_map(|extent| extent.absolute_from(base)).collect()
    }
}

impl From<SectorRange> for ExtentSet {
    fn from(range: SectorRange) -> Self {
        core::iter::once(range).collect()
    }
}

/// Adds ranges in ascending order, as [`ExtentSet::push`] does.
impl Extend<SectorRange> for ExtentSet {
    fn extend<I: IntoIterator<Item = SectorRange>>(&mut self, ranges: I) {
        ranges.into_iter().for_each(|range| self.push(range));
    }
}

/// Collects ranges in ascending order, as [`ExtentSet::push`] does.
impl FromIterator<SectorRange> for ExtentSet {
    fn from_iter<I: IntoIterator<Item = SectorRange>>(ranges: I) -> Self {
        let mut set = Self::new();
        set.extend(ranges);
        set
    }
}

impl<'a> IntoIterator for &'a ExtentSet {
    type Item = SectorRange;
    type IntoIter = core::iter::Copied<core::slice::Iter<'a, SectorRange>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for ExtentSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.extents).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SPACE: u32 = 96;

    fn range(start: u32, end: u32) -> SectorRange {
        SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
    }

    fn ranges() -> impl Strategy<Value = Vec<SectorRange>> {
        let one = (0..SPACE, 0..12_u32).prop_map(|(at, len)| range(at, (at + len).min(SPACE)));
        prop::collection::vec(one, 0..24)
    }

    /// The model: a plain set of sector numbers.
    fn model(ranges: &[SectorRange]) -> BTreeSet<u64> {
        ranges.iter().flat_map(|r| r.start().get()..r.end().get()).collect()
    }

    fn members(set: &ExtentSet) -> BTreeSet<u64> {
        for pair in set.as_slice().windows(2) {
            assert!(pair[0].end() < pair[1].start(), "extents touch: {set:?}");
        }
        assert!(set.iter().all(|extent| !extent.is_empty()));
        model(set.as_slice())
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(a in ranges(), b in ranges(), view in (0..SPACE, 0..SPACE)) {
            let (left, right) = (ExtentSet::from_unsorted(a.clone()), ExtentSet::from_unsorted(b.clone()));
            let (ma, mb) = (model(&a), model(&b));
            prop_assert_eq!(members(&left), ma.clone());
            prop_assert_eq!(members(&left.union(&right)), &ma | &mb);
            prop_assert_eq!(members(&left.intersection(&right)), &ma & &mb);
            prop_assert_eq!(members(&left.difference(&right)), &ma - &mb);
            prop_assert_eq!(left.sector_count().get(), ma.len() as u64);

            let view = range(view.0.min(view.1), view.0.max(view.1));
            let seen = model(&[view]);
            prop_assert_eq!(members(&left.within(view).collect()), &ma & &seen);
            prop_assert_eq!(members(&left.complement(view)), &seen - &ma);
            prop_assert_eq!(left.contains(view), seen.is_subset(&ma));

            let base = view.start();
            let moved = left.relative_to(base);
            let expected = ma.iter().filter_map(|s| s.checked_sub(base.get())).collect::<BTreeSet<_>>();
            prop_assert_eq!(members(&moved), expected);
            prop_assert_eq!(moved.absolute_from(base), left.within(SectorRange::new(base, Sector::from_u32(SPACE)).unwrap()).collect());
        }
    }

    #[test]
    fn short_extents_are_dropped() {
        let set: ExtentSet = [range(0, 63), range(100, 164), range(200, 201)].into_iter().collect();
        let long = set.without_short(SectorCount::from_u32(64));
        assert_eq!(long.as_slice(), [range(100, 164)]);
    }

    #[test]
    fn ten_million_extents_take_no_time_squared() {
        const COUNT: u32 = 10_000_000;
        // In an order that is no order.
        let ranges = (0..COUNT).map(|i| i.wrapping_mul(2_654_435_761) % COUNT);
        let set = ExtentSet::from_unsorted(ranges.map(|i| range(i * 2, i * 2 + 1)).collect());
        let found = set.extent_count();
        let gaps = set.complement(range(0, 2 * COUNT));
        assert!(gaps.extent_count() >= found - 1);
        assert!(set.intersection(&gaps).is_empty());
        assert_eq!(set.union(&gaps).extent_count(), 1);
        assert!(set.difference(&set).is_empty());
        let pieces = gaps.iter().step_by(16).map(|gap| set.within(gap).count());
        assert_eq!(pieces.sum::<usize>(), 0);
    }
}
