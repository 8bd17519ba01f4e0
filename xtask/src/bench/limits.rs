//! What the machine can do, measured in the same run as the jobs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::job::{DEFAULT_LEVEL, FAST_LEVEL, file};
use super::program::Programs;
use super::stand::Stand;
use crate::command::stdout;

/// Something that was done with bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Measure {
    pub(super) seconds: f64,
    pub(super) bytes: u64,
    pub(super) out: u64,
}

/// The measures of all rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits(BTreeMap<String, Vec<Measure>>);

impl Limits {
    /// Measures all once more. Of the work that one thread does, each round does its part.
    pub(super) fn measure(
        &mut self,
        programs: &Programs,
        stand: &Stand,
        round: usize,
        rounds: usize,
    ) -> Result<()> {
        stand.sync()?;
        let path = |name: &str| stand.bench.path(name).into_os_string();
        let number = |number: usize| number.to_string().into();
        let pairs = [
            ("--disk", stand.bench.disk.path.clone().into_os_string()),
            ("--image", path(file::IMAGE)),
            ("--changed", path(file::DELTA)),
            ("--level", number(DEFAULT_LEVEL.into())),
            ("--fast", number(FAST_LEVEL.into())),
            ("--scratch", path(file::OUT_IMAGE)),
            ("--part", number(round)),
            ("--parts", number(rounds)),
        ];
        let mut arguments = vec![OsStr::new("limits")];
        arguments.extend(pairs.iter().flat_map(|(key, value)| [OsStr::new(*key), value]));
        let measures: BTreeMap<String, Measure> = programs.ask(&arguments)?;
        for (name, measure) in measures {
            self.add(name, measure);
        }
        // One core is easily disturbed, so they take turns.
        for _ in 0..2 {
            self.add("sha1-core".to_owned(), programs.ask(&[OsStr::new("sha1")])?);
            self.add("openssl-core".to_owned(), openssl()?);
        }
        Ok(())
    }

    fn add(&mut self, name: String, measure: Measure) {
        self.0.entry(name).or_default().push(measure);
    }

    /// How long it took: the median; the sum where each round did a part; the best of one core by
    /// itself.
    pub(super) fn seconds(&self, name: &str) -> Result<f64> {
        Ok(self.get(name).with_context(|| format!("{name} was not measured"))?.seconds)
    }

    /// The bytes that came out.
    pub(super) fn out(&self, name: &str) -> Option<u64> {
        self.get(name).map(|measure| measure.out)
    }

    /// The measure of that name, of all rounds together.
    pub(super) fn get(&self, name: &str) -> Option<Measure> {
        let runs = self.0.get(name)?;
        if name.starts_with("zlib-") {
            return Some(runs.iter().fold(Measure::default(), |sum, run| Measure {
                seconds: sum.seconds + run.seconds,
                bytes: sum.bytes + run.bytes,
                out: sum.out + run.out,
            }));
        }
        if name.ends_with("-core") {
            return runs.iter().copied().max_by(|a, b| a.rate().total_cmp(&b.rate()));
        }
        let seconds = median(runs.iter().map(|run| run.seconds))?;
        runs.first().map(|run| Measure { seconds, ..*run })
    }

    /// All names, with all rounds together.
    pub(super) fn all(&self) -> BTreeMap<&str, Measure> {
        self.0.keys().filter_map(|name| Some((name.as_str(), self.get(name)?))).collect()
    }

    /// Shortest and longest time of that name.
    pub(super) fn spread(&self, name: &str) -> Option<(f64, f64)> {
        spread(self.0.get(name)?.iter().map(|run| run.seconds))
    }
}

impl Measure {
    /// Bytes in a second: of those that went in or came out, whichever are the data of the disk.
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    pub(super) fn rate(&self) -> f64 {
        self.bytes.max(self.out) as f64 / self.seconds.max(1e-9)
    }
}

/// The speed of OpenSSL's SHA-1 on one core, in the way everybody measures it.
fn openssl() -> Result<Measure> {
    let arguments = ["speed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "sha1"];
    parse_openssl(&stdout(Command::new("openssl").args(arguments))?)
}

/// How many bytes the speed of a hash is stated for.
const HASHED: u32 = 1 << 30;

/// The line `+F:<number>:sha1:<bytes per second>` of what `openssl speed -mr` prints.
fn parse_openssl(text: &str) -> Result<Measure> {
    let line = text.lines().find_map(|line| line.strip_prefix("+F:"));
    let rate = line.and_then(|line| line.split(':').nth(2)?.parse::<f64>().ok());
    let Some(rate) = rate.filter(|rate| rate.is_finite() && *rate > 0.0) else {
        bail!("`openssl speed` said something else: {text}");
    };
    Ok(Measure { seconds: f64::from(HASHED) / rate, bytes: HASHED.into(), out: 0 })
}

/// The middle one, or the mean of the middle two.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The least and the greatest.
pub(super) fn spread(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |spread: Option<(f64, f64)>, value| {
        let (least, most) = spread.unwrap_or((value, value));
        Some((least.min(value), most.max(value)))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Limits that take so many seconds.
    pub(in super::super) fn limits(seconds: &[(&str, f64)]) -> Limits {
        let mut limits = Limits::default();
        for (name, seconds) in seconds {
            limits.add((*name).to_owned(), Measure { seconds: *seconds, bytes: 1, out: 1 });
        }
        limits
    }

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0].into_iter()), Some(2.5));
        assert_eq!(median([].into_iter()), None);
        assert_eq!(spread([3.0, 1.0, 2.0].into_iter()), Some((1.0, 3.0)));
    }

    #[test]
    fn parts_are_added_and_repetitions_are_not() {
        let mut limits = Limits::default();
        for (seconds, bytes) in [(1.0, 10), (2.0, 20), (9.0, 30)] {
            limits.add("zlib-compress".into(), Measure { seconds, bytes, out: bytes / 2 });
            limits.add("hash".into(), Measure { seconds, bytes: 7, out: 0 });
        }
        let sum = Measure { seconds: 12.0, bytes: 60, out: 30 };
        assert_eq!(limits.get("zlib-compress"), Some(sum));
        assert_eq!(limits.get("hash"), Some(Measure { seconds: 2.0, bytes: 7, out: 0 }));
        assert_eq!(limits.spread("hash"), Some((1.0, 9.0)));
        assert!(limits.seconds("other").is_err());
    }

    #[test]
    fn what_openssl_prints() {
        let text = "+DT:sha1:1:16384\n+R:118021:sha1:1.000000\n+H:16384\n+F:3:sha1:2147483648.00\n";
        let measure = parse_openssl(text).unwrap();
        assert!((measure.seconds - 0.5).abs() < 1e-9);
        assert!(parse_openssl("+F:3:sha1:0.00\n").is_err());
    }
}
