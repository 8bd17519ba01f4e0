//! What a delta says of each sector of its disk.

use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Bytes, SECTOR_BYTES, SectorRange};

/// What became of a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// No image holds it: it was free, then as now.
    Free,
    /// The base image holds it, and the delta doesn't. Of a full image: the image holds it.
    Allocated,
    /// Both hold it: the delta has it anew. Deltas are made of whole hash blocks, so some of it may
    /// be as it was.
    Changed,
    /// Only the delta holds it: it was free when the base was made.
    New,
    /// The base holds it, and it was free when the disk was saved.
    Gone,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Free, Self::Allocated, Self::Changed, Self::New, Self::Gone];

    /// Its place among [`Category::ALL`].
    const fn index(self) -> usize {
        match self {
            Self::Free => 0,
            Self::Allocated => 1,
            Self::Changed => 2,
            Self::New => 3,
            Self::Gone => 4,
        }
    }
}

/// How many sectors of an area are of which category.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    sectors: [u64; 5],
}

impl Usage {
    /// The sectors of a category.
    pub fn sectors(&self, category: Category) -> u64 {
        self.sectors.get(category.index()).copied().unwrap_or_default()
    }

    /// The bytes of a category.
    pub fn bytes(&self, category: Category) -> Bytes {
        Bytes(self.sectors(category).saturating_mul(SECTOR_BYTES))
    }

    /// All bytes.
    pub fn size(&self) -> Bytes {
        Bytes(self.all().saturating_mul(SECTOR_BYTES))
    }

    /// The bytes that were in use when the disk was saved.
    pub fn in_use(&self) -> Bytes {
        let used = [Category::Allocated, Category::Changed, Category::New];
        Bytes(used.iter().fold(0, |sum, used| sum.saturating_add(self.bytes(*used).get())))
    }

    /// Whether no image holds any of it.
    pub fn is_untouched(&self) -> bool {
        self.all() == self.sectors(Category::Free)
    }

    /// The category that most of it is of; of two that are even, the one that says more.
    pub fn dominant(&self) -> Category {
        let most = Category::ALL.into_iter().max_by_key(|category| self.sectors(*category));
        most.unwrap_or(Category::Free)
    }

    fn all(&self) -> u64 {
        self.sectors.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(super) fn add(&mut self, category: Category, sectors: u64) {
        if let Some(count) = self.sectors.get_mut(category.index()) {
            *count = count.saturating_add(sectors);
        }
    }

    /// Without what another has, which is a part of it.
    pub(super) fn without(mut self, other: &Self) -> Self {
        for (count, less) in self.sectors.iter_mut().zip(other.sectors) {
            *count = count.saturating_sub(less);
        }
        self
    }
}

/// The sectors of a disk by category; all others are free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    allocated: ExtentSet,
    changed: ExtentSet,
    new: ExtentSet,
    gone: ExtentSet,
}

impl Sets {
    /// What a delta to a base says, both by the sectors that they hold. `in_use` are those in use
    /// in the end, if they are known.
    pub fn of_delta(base: &ExtentSet, delta: &ExtentSet, in_use: Option<&ExtentSet>) -> Self {
        let kept = base.difference(delta);
        let (allocated, gone) = match in_use {
            Some(in_use) => (kept.intersection(in_use), kept.difference(in_use)),
            None => (kept, ExtentSet::new()),
        };
        Self { allocated, changed: delta.intersection(base), new: delta.difference(base), gone }
    }

    /// What a full image says.
    pub fn of_full(image: ExtentSet) -> Self {
        Self { allocated: image, ..Self::default() }
    }

    /// The sectors of a category; of [`Category::Free`] none, those are all others.
    pub fn get(&self, category: Category) -> Option<&ExtentSet> {
        match category {
            Category::Free => None,
            Category::Allocated => Some(&self.allocated),
            Category::Changed => Some(&self.changed),
            Category::New => Some(&self.new),
            Category::Gone => Some(&self.gone),
        }
    }

    /// What is in some sectors.
    pub fn usage(&self, range: SectorRange) -> Usage {
        let mut usage = Usage::default();
        let mut free = range.len().get();
        for category in Category::ALL {
            for part in self.get(category).into_iter().flat_map(|set| set.within(range)) {
                usage.add(category, part.len().get());
                free = free.saturating_sub(part.len().get());
            }
        }
        usage.add(Category::Free, free);
        usage
    }

    /// What is in the sectors of a set.
    pub fn usage_of(&self, set: &ExtentSet) -> Usage {
        let mut usage = Usage::default();
        for range in set {
            let part = self.usage(range);
            for category in Category::ALL {
                usage.add(category, part.sectors(category));
            }
        }
        usage
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use imagezip_core::sector::Sector;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    pub(in super::super) fn range(start: u32, end: u32) -> SectorRange {
        SectorRange::new(Sector::from_u32(start), Sector::from_u32(end)).unwrap()
    }

    fn sets() -> impl Strategy<Value = ExtentSet> {
        let one = (0..500_u32, 0..40_u32).prop_map(|(at, len)| range(at, at + len));
        prop::collection::vec(one, 0..20).prop_map(ExtentSet::from_unsorted)
    }

    fn model(set: &ExtentSet) -> BTreeSet<u64> {
        set.iter().flat_map(|r| r.start().get()..r.end().get()).collect()
    }

    proptest! {
        #[test]
        fn each_sector_is_of_one_category(
            base in sets(), delta in sets(), in_use in sets(), known: bool, view in (0..540_u32, 0..540_u32),
        ) {
            let sets = Sets::of_delta(&base, &delta, Some(&in_use).filter(|_| known));
            let view = range(view.0.min(view.1), view.0.max(view.1));
            let (base, delta, in_use) = (model(&base), model(&delta), model(&in_use));
            let mut counted = Usage::default();
            for sector in view.start().get()..view.end().get() {
                let freed = known && !in_use.contains(&sector);
                counted.add(match (base.contains(&sector), delta.contains(&sector)) {
                    (true, true) => Category::Changed,
                    (false, true) => Category::New,
                    (true, false) if freed => Category::Gone,
                    (true, false) => Category::Allocated,
                    (false, false) => Category::Free,
                }, 1);
            }
            prop_assert_eq!(sets.usage(view), counted);
            prop_assert_eq!(counted.size().get(), view.len().get() * 512);
            prop_assert_eq!(sets.usage_of(&view.into()), counted);
        }
    }

    #[test]
    fn what_dominates() {
        let mut usage = Usage::default();
        assert_eq!(usage.dominant(), Category::Gone);
        usage.add(Category::Free, 10);
        assert!(usage.is_untouched());
        usage.add(Category::New, 10);
        assert_eq!(usage.dominant(), Category::New);
        usage.add(Category::Free, 1);
        assert_eq!(usage.dominant(), Category::Free);
        assert_eq!((usage.in_use().get(), usage.size().get()), (5120, 21 * 512));
    }
}
