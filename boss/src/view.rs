//! What is shown of things, on the command line (`--json`) and by the REST interface: the same.

use std::borrow::Borrow;

mod experiments;
mod machines;
mod swaps;

pub use experiments::{Experiment, ExperimentNode};
pub use machines::{Disk, Group, Image, Node, Project, Sitevar, User};
pub use swaps::{Event, Progress, Run, Swap};

/// A time as people read it.
pub fn time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => seconds.to_string(),
    }
}

/// Bytes as people read them, in the units of disks' makers: 12.3 MB.
pub fn size(bytes: impl Borrow<u64>) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let bytes = *bytes.borrow();
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths: figures of three digits are enough to compare with.
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if tenths >= 1000 {
        return format!("{} {name}", tenths / 10);
    }
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_999, "99.9 kB"),
            (100_000, "100 kB"),
            (999_999, "999 kB"),
            (7_340_032, "7.3 MB"),
            (4_000_787_030_016, "4.0 TB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}
