//! How long a node may take.

use crate::config::Limits;

/// What is assumed of a disk that nobody has told the size of.
const UNKNOWN: u64 = 1 << 40;

/// Seconds until a node is up, for its work, and without any progress, for a disk of so many bytes.
/// The slowest disk of the site is read twice: once to be saved, and once more because other nodes
/// read, too; and there are five minutes for all else.
pub(super) fn of_disk(limits: &Limits, bytes: Option<u64>) -> [u32; 3] {
    let rate = u64::from(limits.slowest_mb_per_s.max(1)).saturating_mul(1_000_000);
    let seconds = bytes.unwrap_or(UNKNOWN).div_ceil(rate).saturating_mul(2).saturating_add(300);
    [limits.boot, u32::try_from(seconds).unwrap_or(u32::MAX), limits.idle]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_disks_get_longer() {
        let limits = Limits::default();
        assert_eq!(of_disk(&limits, Some(10_000_000_000)), [360, 1300, 300]);
        assert_eq!(of_disk(&limits, Some(1_000_000_000_000))[1], 100_300);
        assert!(of_disk(&limits, None)[1] > 100_000);
        assert_eq!(of_disk(&limits, Some(u64::MAX))[1], u32::MAX);
    }
}
