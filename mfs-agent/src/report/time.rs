//! The date and time in UTC.

use core::fmt;

use rustix::time::{ClockId, clock_gettime};

/// Seconds since 1970 by the node's clock; 0 if that is before.
pub fn unix_time() -> u64 {
    clock_gettime(ClockId::Realtime).tv_sec.try_into().unwrap_or(0)
}

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Utc {
    /// By the node's clock.
    pub fn now() -> Self {
        Self::from_unix(unix_time())
    }

    /// The moment `seconds` after the start of 1970.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "divisors are constants, and all else is \
        far smaller than its type after the division by the seconds of a day"
    )]
    pub fn from_unix(seconds: u64) -> Self {
        const DAY: u64 = 86_400;
        const FOUR_CENTURIES: u64 = 146_097;
        let (days, second) = (seconds / DAY, seconds % DAY);
        // Years here begin in March, so that a leap day is the last of its year. 0000-03-01 is
        // 719,468 days before 1970.
        let days = days + 719_468;
        let (era, day_of_era) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
        let leap_days = day_of_era / 1_460 + day_of_era / 146_096;
        let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // March to January have 31, 30, 31, 30, 31 days over and over: 153 in five months.
        let month_of_year = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_of_year + 2) / 5 + 1;
        let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    /// The moment as part of a file name: `20261123T061000Z`.
    pub fn compact(self) -> impl fmt::Display {
        let Self { year, month, day, hour, minute, second } = self;
        crate::file::Cut::<32>::new(format_args!(
            "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"
        ))
    }
}

impl fmt::Display for Utc {
    /// As RFC 3339 has it: `2026-11-23T06:10:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn dates_are_those_of_date() {
        // Each pair by `date -u -d @N +%FT%TZ`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_133_920_203, "2005-12-07T01:50:03Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc::from_unix(seconds).to_string(), text);
        }
        assert_eq!(Utc::from_unix(951_868_799).compact().to_string(), "20000229T235959Z");
        let _ = Utc::from_unix(u64::MAX);
    }
}
