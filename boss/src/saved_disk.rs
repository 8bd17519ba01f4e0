//! What a node has saved of its disk: as a map, and as the files that changed.
//!
//! Users can write where these files are, and boss is root: they are opened without following
//! links, and reading them has limits. What is shown may be wrong if they are; nothing else may.

mod cache;
mod changes;
mod held;
mod map;
mod open;
mod sets;
mod svg;
mod table;
mod tool;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

pub use changes::{ChangedFile, ChangedFiles, Changes, Difference, PartitionFiles};
pub use map::{Area, DiskMap, Scope};
pub use sets::{Category, Sets, Usage};
pub use svg::svg;
pub use words::name;

use crate::config::Config;
use crate::db::Database;
use crate::db::experiments::Experiment;
use crate::files::blocking;
use crate::layout::Layout;
use crate::names::Vname;
use crate::swapinfo::Swapinfo;
use cache::Cache;
use open::Opened;
use tool::Imagefs;

/// How many maps, and how many comparisons, are made at once.
const AT_ONCE: usize = 2;
/// How many comparisons are being made or waiting. Who asks for one more is told to ask again.
const MAX_WORKING: usize = 64;
/// How long a call of `imagefs` may take.
const TOOL_LIMIT: Duration = Duration::from_mins(10);
/// How long a failure counts.
const FAILURE_AGE: Duration = Duration::from_mins(1);

/// The saved disks of all experiments, and what was found out about them.
#[derive(Debug)]
pub struct SavedDisks {
    swapinfo: Swapinfo,
    layout: Layout,
    tool: Imagefs,
    maps: Cache<Arc<DiskMap>>,
    map_turns: Semaphore,
    changes: Arc<Cache<State>>,
    turns: Arc<Semaphore>,
}

/// A comparison.
#[derive(Clone, Debug)]
enum State {
    Working,
    Ready(Arc<ChangedFiles>),
    Failed(String, Instant),
}

impl State {
    const fn is_working(&self) -> bool {
        matches!(self, Self::Working)
    }

    fn is_stale(&self) -> bool {
        matches!(self, Self::Failed(_, when) if when.elapsed() > FAILURE_AGE)
    }
}

impl SavedDisks {
    /// Those of a site.
    pub fn new(config: &Config, db: &Database) -> Self {
        let layout = Layout::new(config);
        let program: PathBuf = config.directories.tools.join("imagefs");
        Self {
            swapinfo: Swapinfo::new(db, &layout),
            layout,
            tool: Imagefs { program, limit: TOOL_LIMIT },
            maps: Cache::default(),
            map_turns: Semaphore::new(AT_ONCE),
            changes: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The map of what a node has saved; none if it has saved nothing. It's made in seconds, as a
    /// rule, and kept.
    ///
    /// # Errors
    /// If what is there is no saved disk of this node, its base is gone, or is none of those that
    /// the project may use.
    pub async fn map(
        &self,
        experiment: &Experiment,
        vname: &Vname,
    ) -> anyhow::Result<Option<Arc<DiskMap>>> {
        let Some(opened) = self.open(experiment, vname).await? else { return Ok(None) };
        let key = opened.key.clone();
        let _turn = self.map_turns.acquire().await?;
        if let Some(map) = self.maps.get(&key) {
            return Ok(Some(map));
        }
        let map = Arc::new(blocking(move || opened.map()).await?);
        self.maps.put(key, Arc::clone(&map), |_| false);
        Ok(Some(map))
    }

    /// Which files a node's saved disk has other than its base; none if it has saved nothing. The
    /// answer comes at once: the first who asks has the comparison begun.
    ///
    /// # Errors
    /// As [`SavedDisks::map`].
    pub async fn changes(
        &self,
        experiment: &Experiment,
        vname: &Vname,
    ) -> anyhow::Result<Option<Changes>> {
        let Some(opened) = self.open(experiment, vname).await? else { return Ok(None) };
        let key = opened.key.clone();
        let busy = self.changes.count(State::is_working) >= MAX_WORKING;
        let known = if busy {
            Some(self.changes.get(&key).unwrap_or(State::Working))
        } else {
            let is_good = |state: &State| !state.is_stale();
            self.changes.get_or_note(&key, State::Working, is_good, State::is_working)
        };
        let Some(known) = known else {
            self.begin(opened);
            return Ok(Some(Changes::Working));
        };
        Ok(Some(match known {
            State::Working => Changes::Working,
            State::Ready(files) => Changes::Ready(files),
            State::Failed(why, _) => Changes::Failed(why),
        }))
    }

    /// Has a comparison made.
    fn begin(&self, opened: Opened) {
        let (tool, turns) = (self.tool.clone(), Arc::clone(&self.turns));
        let changes = Arc::clone(&self.changes);
        tokio::spawn(async move {
            let made = match turns.acquire().await {
                Ok(_turn) => changes::compare(&tool, &opened).await,
                Err(error) => Err(error.into()),
            };
            let state = match made {
                Ok(files) => State::Ready(Arc::new(files)),
                Err(error) => State::Failed(format!("{error:#}"), Instant::now()),
            };
            changes.put(opened.key, state, State::is_working);
        });
    }

    async fn open(&self, experiment: &Experiment, vname: &Vname) -> anyhow::Result<Option<Opened>> {
        let place = self.layout.swapinfo(&experiment.pid, &experiment.gid, &experiment.eid);
        if !place.here.try_exists().unwrap_or(true) {
            return Ok(None);
        }
        let Some(saved) = self.swapinfo.saved(experiment, vname).await? else { return Ok(None) };
        let (layout, experiment) = (self.layout.clone(), experiment.clone());
        let vname = vname.clone();
        blocking(move || Opened::open(&layout, &experiment, &vname, saved).map(Some)).await
    }
}
