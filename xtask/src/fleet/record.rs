//! What nodes did and when, and how long boss took to answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use imagezip_core::swapinfo::Phase;
use serde::Serialize;

/// Something that a node did, or that was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// It was turned on.
    On,
    /// It was turned off. From then on it does nothing.
    Off {
        /// Whether it was in the middle of a job.
        at_work: bool,
    },
    /// Its driver was asked for this in vain.
    PowerFailed(String),
    /// It started again by itself.
    Restarted,
    /// It fetched a script to wait.
    ToldToWait,
    /// It fetched a script that boots its disk.
    BootsDisk,
    /// It fetched a script that boots the MFS.
    BootsMfs,
    /// Boss knows that the MFS runs.
    Setup,
    /// Boss knows that it is up.
    Up,
    /// It wrote its status.
    Status(Phase),
    /// What it has saved has its final name.
    Published,
    /// Boss has taken this as its exit status.
    Startstatus(String),
    /// The same, without the key of this boot.
    Forged(String),
    /// It does nothing any more.
    Silent,
    /// Something that should work didn't.
    Fault(String),
}

/// Something that happened to a node.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, to measure.
    pub at: Instant,
    /// When, to compare with what boss writes down.
    pub time: SystemTime,
    /// What.
    pub did: Did,
}

impl Event {
    pub(super) fn now(did: Did) -> Self {
        Self { at: Instant::now(), time: SystemTime::now(), did }
    }

    /// Seconds since 1970, rounded down as boss does it.
    pub fn seconds(&self) -> i64 {
        let since = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}

/// How long boss took, by what was asked, as nodes saw it.
#[derive(Debug, Default)]
pub struct Samples(Mutex<BTreeMap<&'static str, Taken>>);

#[derive(Debug, Default)]
struct Taken {
    times: Vec<Duration>,
    failed: u64,
}

/// What was measured of one kind of request. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Summary {
    /// How many.
    pub count: usize,
    /// How many had no answer.
    pub failed: u64,
    /// Half of them took at most so long.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// All.
    pub max: f64,
}

impl Samples {
    pub(super) fn note(&self, what: &'static str, time: Duration, good: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(what).or_default();
        taken.times.push(time);
        taken.failed += u64::from(!good);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// By what was asked: a tmcd command, or `boot script`.
    pub fn summaries(&self) -> BTreeMap<&'static str, Summary> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let summary = |taken: &Taken| Summary { failed: taken.failed, ..Summary::of(&taken.times) };
        all.iter().map(|(what, taken)| (*what, summary(taken))).collect()
    }
}

impl Summary {
    /// Of these times.
    pub fn of(times: &[Duration]) -> Self {
        let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).copied().unwrap_or_default()
        };
        Self { count: sorted.len(), failed: 0, p50: at(50), p99: at(99), max: at(100) }
    }
}
