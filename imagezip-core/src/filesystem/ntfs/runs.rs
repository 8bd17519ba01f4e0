//! Data runs: where the clusters of an attribute lie (docs/format.md, "NTFS").

use core::ops::Range;

/// Clusters of an attribute that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The first one on the volume; `None` if they are a hole.
    pub(super) first: Option<u64>,
    /// How many; at least one. Those that are no hole lie on the volume.
    pub(super) clusters: u64,
}

impl Run {
    /// The clusters on the volume, if they are no hole.
    pub(super) fn range(&self) -> Option<Range<u64>> {
        self.first.map(|first| first..first.saturating_add(self.clusters))
    }
}

/// Hands the runs of a list to `each`, in the order of the attribute, for a volume of `volume`
/// clusters. Returns how many clusters they are, holes included; `None` if the list is damaged.
pub(super) fn decode(list: &[u8], volume: u64, each: &mut dyn FnMut(Run)) -> Option<u64> {
    let mut rest = list;
    let (mut total, mut place) = (0_u64, 0_i64);
    loop {
        let (head, tail) = rest.split_first()?;
        if *head == 0 {
            return Some(total);
        }
        let (count, tail) = number(tail, head & 0xf)?;
        let (step, tail) = number(tail, head.wrapping_shr(4))?;
        let clusters = u64::try_from(count?).ok().filter(|count| *count > 0)?;
        total = total.checked_add(clusters)?;
        let first = match step {
            None => None,
            Some(step) => {
                place = place.checked_add(step)?;
                let first = u64::try_from(place).ok()?;
                first.checked_add(clusters).filter(|end| *end <= volume)?;
                Some(first)
            }
        };
        each(Run { first, clusters });
        rest = tail;
    }
}

/// A signed number of `len` bytes, `None` if it has none, and what follows.
fn number(bytes: &[u8], len: u8) -> Option<(Option<i64>, &[u8])> {
    if len > 8 {
        return None;
    }
    let (bytes, rest) = bytes.split_at_checked(usize::from(len))?;
    let Some(top) = bytes.last() else {
        return Some((None, rest));
    };
    let mut whole = [if *top >= 0x80 { 0xff } else { 0 }; 8];
    whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    Some((Some(i64::from_le_bytes(whole)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn runs(list: &[u8]) -> Option<Vec<(Option<u64>, u64)>> {
        let mut found = Vec::new();
        let total = decode(list, 1000, &mut |run| found.push((run.first, run.clusters)))?;
        assert_eq!(total, found.iter().map(|run| run.1).sum::<u64>());
        Some(found)
    }

    #[test]
    fn steps_are_signed_and_holes_have_none() {
        let list = [0x21, 0x10, 0x00, 0x02, 0x01, 0x05, 0x11, 0x02, 0xf0, 0x00, 0xaa];
        assert_eq!(runs(&list).unwrap(), [(Some(512), 16), (None, 5), (Some(496), 2)]);
        assert_eq!(runs(&[0]).unwrap(), []);
        assert_eq!(runs(&[0x11, 1, 0, 0]).unwrap(), [(Some(0), 1)]);
    }

    #[test]
    fn lists_that_cannot_be() {
        for list in [
            &[][..],
            &[0x11],
            &[0x11, 1],
            &[0x11, 1, 5],
            &[0x11, 0, 5, 0],
            &[0x11, 0x80, 5, 0],
            &[0x10, 5, 0],
            &[0x11, 1, 0xff, 0],
            &[0x21, 25, 0xe0, 0x03, 0],
            &[0x91, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x08, 0xff, 0xff, 0xff, 0xff,
                0xff, 0xff, 0xff, 0x7f, 0x01, 0x02, 0,
            ],
        ] {
            assert_eq!(runs(list), None, "{list:x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(list in prop::collection::vec(any::<u8>(), 0..64)) {
            for (first, clusters) in runs(&list).unwrap_or_default() {
                prop_assert!(first.is_none_or(|first| first + clusters <= 1000));
            }
        }
    }
}
