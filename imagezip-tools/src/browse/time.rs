//! Points in time as people read them.

use imagezip_core::filesystem::ext::files::Timestamp;

/// The days from the start of 1970 to a day of the Gregorian calendar.
///
/// Counted in years that begin with March, so that the leap day is the last.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day that begins so many days after the start of 1970.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The time as `2026-11-27 08:30:00`, UTC.
pub fn show(time: Timestamp) -> String {
    // What inodes and FAT can say lies within a few thousand years.
    let seconds = time.seconds.clamp(-1 << 40, 1 << 40);
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn days_and_dates_are_the_same(days in -1_000_000..1_000_000_i64) {
            let (year, month, day) = civil_from_days(days);
            prop_assert!((1..=12).contains(&month) && (1..=31).contains(&day));
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn well_known_times() {
        let show = |seconds| show(Timestamp { seconds, nanoseconds: 0 });
        assert_eq!(show(0), "1970-01-01 00:00:00");
        assert_eq!(show(-1), "1969-12-31 23:59:59");
        assert_eq!(show(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(show(1_795_767_600), "2026-11-27 08:20:00");
        show(i64::MAX);
        show(i64::MIN);
    }
}
