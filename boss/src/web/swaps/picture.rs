//! A swap as it is at a moment, for all who look at it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::db::swaps::{Event, Run, Swap};
use crate::names::Vname;
use crate::server::Boss;
use crate::swap::log::{Tail, tail};
use crate::swap::pace::{HowFar, Paces};
use crate::swap::why_not_off;

/// More events aren't shown while it goes on.
pub(super) const MOST_EVENTS: usize = 100;
/// More nodes' logs aren't read for one page.
const MOST_LOGS: usize = 8;
/// How often logs are read. Nodes write them every three seconds.
const READ_LOGS: Duration = Duration::from_secs(3);
/// How long a page waits for a file server to show logs. It comes without them then.
const PATIENCE: Duration = Duration::from_secs(2);

/// A swap as it is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) swap: Swap,
    pub(super) nodes: Vec<Seen>,
    /// The latest events, the last last.
    pub(super) events: Vec<Event>,
    /// How many were before these.
    pub(super) earlier: usize,
    /// No boss looks after it.
    pub(super) forsaken: bool,
}

/// A run as it is at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) run: Run,
    pub(super) far: Option<HowFar>,
    /// Why it waits until somebody has seen its machine off, if so.
    pub(super) waits_for_off: Option<String>,
    pub(super) log: Log,
}

/// A node's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Log {
    /// It isn't read for this page.
    #[default]
    Elsewhere,
    None,
    Tail(Tail),
    /// Why it can't be read.
    Trouble,
}

/// Looks at a swap again and again.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    paces: Paces,
    events: Vec<Event>,
    earlier: usize,
    last: i64,
    warnings: HashMap<i64, Event>,
    logs: HashMap<i64, Log>,
    reading: Option<JoinHandle<HashMap<i64, Log>>>,
    read: Option<Instant>,
}

impl Watcher {
    /// A swap as it is now, or one node of it; none, if there is none.
    pub(super) async fn look(
        &mut self,
        boss: &Arc<Boss>,
        id: i64,
        node: Option<&Vname>,
    ) -> sqlx::Result<Option<Picture>> {
        // First the swap: what happened before its end is all there when it is seen to be over.
        let Some(swap) = boss.db.swap(id).await? else { return Ok(None) };
        for event in boss.db.events(id, self.last).await? {
            self.note(event);
        }
        let mut runs = boss.db.runs(id).await?;
        runs.retain(|run| node.is_none_or(|node| run.vname == *node));
        let now = Instant::now();
        self.paces.note(&runs, now);
        self.read_logs(boss, &swap, &runs).await;
        let forsaken = boss.db.is_forsaken(&swap).await?;
        let ids: Vec<i64> = runs.iter().map(|run| run.id).collect();
        let nodes = runs.into_iter().map(|run| {
            let warning = self.warnings.get(&run.id).filter(|warning| run.waits_for_off(warning));
            Seen {
                far: self.paces.how_far(&run, now),
                waits_for_off: warning.map(|warning| why_not_off(&warning.text).to_owned()),
                log: self.logs.get(&run.id).cloned().unwrap_or_default(),
                run,
            }
        });
        let nodes = nodes.collect();
        let of_page = |event: &&Event| {
            node.is_none() || event.run_id.is_none_or(|run_id| ids.contains(&run_id))
        };
        let events = self.events.iter().filter(of_page).cloned().collect();
        Ok(Some(Picture { swap, nodes, events, earlier: self.earlier, forsaken }))
    }

    fn note(&mut self, event: Event) {
        self.last = event.id;
        if let (Some(run_id), "warning") = (event.run_id, event.level.as_str()) {
            self.warnings.insert(run_id, event.clone());
        }
        self.events.push(event);
        let excess = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..excess);
        self.earlier += excess;
    }

    /// Has logs read, and takes what was. A file server that doesn't answer holds up the first look
    /// for a moment, and later ones not at all.
    async fn read_logs(&mut self, boss: &Arc<Boss>, swap: &Swap, runs: &[Run]) {
        let due = self.read.is_none_or(|read| read.elapsed() >= READ_LOGS);
        if self.reading.is_none() && due && runs.len() <= MOST_LOGS {
            let first = self.read.is_none();
            self.read = Some(Instant::now());
            let (layout, runs) = (boss.layout.clone(), runs.to_vec());
            let (began, ended) = (swap.requested_at, swap.ended_at);
            let mut reading = tokio::spawn(async move {
                let mut logs = HashMap::new();
                for run in runs {
                    let log = match tail(&layout, &run, began, ended).await {
                        Ok(found) => found.map_or(Log::None, Log::Tail),
                        Err(error) => {
                            tracing::info!(run = run.id, "the node's log: {error:#}");
                            Log::Trouble
                        }
                    };
                    logs.insert(run.id, log);
                }
                logs
            });
            if !first {
                self.reading = Some(reading);
            } else if let Ok(logs) = tokio::time::timeout(PATIENCE, &mut reading).await {
                self.logs = logs.unwrap_or_default();
            } else {
                self.reading = Some(reading);
            }
        } else if let Some(reading) = self.reading.take_if(|reading| reading.is_finished()) {
            self.logs = reading.await.unwrap_or_default();
        }
    }
}
