//! Times in the user's zone.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Where a user's clock is.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    zone: TimeZone,
    /// Nobody has said: the browser may know better.
    browsers: bool,
}

/// A time, as an element of HTML.
#[derive(Clone, Debug)]
pub(super) struct Time {
    at: Option<Timestamp>,
    zone: Zone,
}

impl Zone {
    /// The zone of that name in the system's data base; UTC, if there is none, until the browser
    /// says.
    pub(super) fn named(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) if !name.is_empty() => Self { zone, browsers: false },
            _ => Self { zone: TimeZone::UTC, browsers: true },
        }
    }

    /// Whether there is such a zone.
    pub(super) fn is_known(name: &str) -> bool {
        !name.is_empty() && TimeZone::get(name).is_ok()
    }

    /// The names of all.
    pub(super) fn names() -> Vec<String> {
        let mut names: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Seconds since 1970 in this zone.
    pub(super) fn time(&self, seconds: i64) -> Time {
        Time { at: Timestamp::from_second(seconds).ok(), zone: self.clone() }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.at else { return f.write_str("(no time)") };
        let here = at.to_zoned(self.zone.zone.clone());
        let local = if self.zone.browsers { " data-local" } else { "" };
        let shown = here.strftime("%Y-%m-%d %H:%M:%S %Z");
        write!(f, "<time datetime=\"{at}\"{local}>{shown}</time>")
    }
}

/// All of it is made here: digits, and the zone's abbreviation.
impl HtmlSafe for Time {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_users_zone() {
        let shown = |name, seconds| Zone::named(name).time(seconds).to_string();
        assert_eq!(
            shown("Europe/Berlin", 1_795_788_000),
            "<time datetime=\"2026-11-27T14:00:00Z\">2026-11-27 15:00:00 CET</time>"
        );
        assert_eq!(
            shown("", 1_795_788_000),
            "<time datetime=\"2026-11-27T14:00:00Z\" data-local>2026-11-27 14:00:00 UTC</time>"
        );
        assert_eq!(shown("", i64::MAX), "(no time)");
        assert!(Zone::is_known("Europe/Berlin"));
        for none in ["", "Mars/Olympus", "../etc/passwd"] {
            assert!(!Zone::is_known(none), "{none}");
        }
        assert!(Zone::names().len() > 100);
    }
}
