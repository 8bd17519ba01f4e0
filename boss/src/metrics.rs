//! Numbers for Prometheus.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::swap::{Kind, Outcome, RunState};

/// All of them.
pub struct Metrics {
    registry: Registry,
    tmcd: Family<Command, Histogram>,
    runs: Family<Runs, Gauge>,
    ended: Family<Ended, Counter>,
    look: Histogram,
}

/// A name of this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name(&'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> fmt::Result {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Command {
    command: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Runs {
    kind: Name,
    state: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    kind: Name,
    outcome: Name,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("boss");
        let short = || Histogram::new(exponential_buckets(0.0001, 2.0, 16));
        let tmcd = Family::new_with_constructor(short as fn() -> Histogram);
        registry.register_with_unit(
            "tmcd_reply",
            "From a request of a node until its reply is sent",
            Unit::Seconds,
            tmcd.clone(),
        );
        let runs = Family::default();
        registry.register("runs", "Nodes that are being swapped, by state", runs.clone());
        let ended = Family::default();
        registry.register("runs_ended", "Nodes that were swapped, by outcome", ended.clone());
        let look = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register_with_unit(
            "supervisor_look",
            "One look at all nodes that are being swapped",
            Unit::Seconds,
            look.clone(),
        );
        Self { registry, tmcd, runs, ended, look }
    }
}

impl Metrics {
    /// A node was answered.
    pub fn tmcd(&self, command: &'static str, took: Duration) {
        let label = Command { command: Name(command) };
        self.tmcd.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// A run has ended.
    pub fn ended(&self, kind: Kind, outcome: Outcome) {
        let label = Ended { kind: Name(kind.name()), outcome: Name(outcome.name()) };
        self.ended.get_or_create(&label).inc();
    }

    /// All runs were looked at: these.
    pub fn looked(&self, runs: impl Iterator<Item = (Kind, RunState)>, took: Duration) {
        self.look.observe(took.as_secs_f64());
        self.runs.clear();
        for (kind, state) in runs {
            let label = Runs { kind: Name(kind.name()), state: Name(state.name()) };
            self.runs.get_or_create(&label).inc();
        }
    }

    /// The page that Prometheus fetches.
    pub fn page(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
