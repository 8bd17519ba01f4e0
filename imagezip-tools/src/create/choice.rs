//! A full image or a delta: what the difference to a base image is, before anything is written.

use std::sync::atomic::AtomicU64;

use imagezip_core::device::ReadAt;

use super::base::Base;
use super::hash_stats::Comparison;
use super::prepare::Prepared;
use super::request::Request;

/// A comparison of a disk with its base image's signature.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// What was found.
    pub comparison: Comparison,
    /// Whether the image shall be a full one.
    pub full: bool,
}

impl Choice {
    /// Compares a disk with its base image's signature.
    ///
    /// # Errors
    /// If the disk can't be read.
    pub fn new(
        view: &dyn ReadAt,
        prepared: &Prepared,
        base: &Base,
        request: &Request,
    ) -> anyhow::Result<Self> {
        let changed = base.changed(&request.workers, view, prepared, &AtomicU64::new(0))?;
        let comparison = base.comparison(&prepared.map.in_use, &changed);
        let full = request.max_delta.is_some_and(|most| is_too_much(&comparison, most));
        Ok(Self { comparison, full })
    }

    /// The lines that scripts read.
    pub fn say(&self) {
        let (all, delta) = (self.comparison.current, self.comparison.delta());
        eprintln!("Full image size {all} sect, delta image size {delta} sect");
        let kind = if self.full { "full" } else { "delta" };
        eprintln!("Auto image selection creating {kind} image.");
    }
}

/// Whether a delta would have more than so many percent of the sectors of a full image.
fn is_too_much(comparison: &Comparison, most: u32) -> bool {
    let (all, delta) = (comparison.current, comparison.delta());
    all == 0 || u128::from(delta) * 100 > u128::from(most) * u128::from(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_may_be_reached() {
        let comparison = |current, common, modified| Comparison {
            current,
            common,
            modified,
            ..Comparison::default()
        };
        assert!(!is_too_much(&comparison(200, 150, 50), 50));
        assert!(is_too_much(&comparison(200, 150, 51), 50));
        assert!(!is_too_much(&comparison(200, 200, 0), 0));
        assert!(is_too_much(&comparison(200, 200, 1), 0));
        assert!(!is_too_much(&comparison(u64::MAX, 0, u64::MAX), 100));
        assert!(is_too_much(&comparison(0, 0, 0), 100));
    }
}
