//! An experiment: how it is, and what can be done with it now.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::disks::Disk;
use super::nodes::{self, Node};
use super::{experiments, state};
use crate::db::experiments::{Experiment, ExperimentState};
use crate::db::swaps::Swap;
use crate::experiment::overview::{is_stuck, mend_stuck, waiting};
use crate::names::ExperimentId;
use crate::server::Boss;
use crate::swapinfo::Swapinfo;
use crate::web::at::At;
use crate::web::guard::Visitor;
use crate::web::page::{self, Page, Part};
use crate::web::swaps::words::{self, Badge};
use crate::web::trouble::Trouble;
use crate::web::zone::Time;

/// How many swaps are listed.
const MOST_SWAPS: u32 = 10;
/// Without JavaScript the page is loaded again after so many seconds while something goes on.
const REFRESH: u32 = 15;

#[derive(Template)]
#[template(path = "experiment.html")]
struct Show {
    page: Page,
    id: String,
    state: Badge,
    experiment: Experiment,
    made_at: Time,
    directory: String,
    waits: bool,
    /// What is to be done about it, if it counts as being swapped and is not.
    stuck: Option<&'static str>,
    /// The number of the swap that is going on.
    going_on: Option<i64>,
    nodes: Vec<Node>,
    disks: Vec<Disk>,
    /// Why saved disks can't be listed.
    no_disks: String,
    swaps: Vec<Past>,
    may: May,
}

/// What the visitor may do, and what makes sense now.
#[derive(Clone, Copy, Debug)]
struct May {
    /// How the experiment is; nothing, if it isn't theirs to change.
    state: Option<ExperimentState>,
    /// Whether the experiment wants its disks to be saved, and they may be.
    saves: bool,
    sets_saving: bool,
    admin: bool,
}

/// A swap of the past, or the one that is going on.
struct Past {
    id: i64,
    kind: &'static str,
    badge: Badge,
    at: Time,
    by: String,
}

pub(super) async fn show(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
) -> Result<Response, Trouble> {
    let experiment = experiments(&boss, &visitor.actor).find(&id).await?;
    let mut page = Page::of(&boss, &visitor, Part::Experiments, id.to_string()).await?;
    let swaps = boss.db.swaps_of(&id, MOST_SWAPS).await?;
    let going_on = swaps.first().filter(|swap| !swap.ended);
    if going_on.is_some() {
        page.refresh = REFRESH;
    }
    let swapinfo = Swapinfo::new(&boss.db, &boss.layout);
    let (saved, no_disks) = match swapinfo.saved_disks(&experiment).await {
        Ok(saved) => (saved, String::new()),
        Err(error) => (Vec::new(), format!("{error:#}")),
    };
    let Experiment { pid, gid, eid, .. } = &experiment;
    let show = Show {
        nodes: nodes::of(&boss, &page, &experiment, &saved, swaps.first()).await?,
        disks: saved.iter().map(|disk| Disk::of(disk, &page)).collect(),
        id: id.to_string(),
        state: state(experiment.state),
        made_at: page.time(experiment.created_at),
        directory: boss.layout.experiment(pid, gid, eid).node.display().to_string(),
        waits: match going_on {
            Some(swap) => waiting(&boss.db).await?.contains(&swap.id),
            None => false,
        },
        stuck: is_stuck(&experiment, swaps.first()).then(|| mend_stuck(page.admin)),
        going_on: going_on.map(|swap| swap.id),
        swaps: swaps.iter().map(|swap| Past::of(swap, &page)).collect(),
        may: May::of(&boss, &visitor, &experiment).await?,
        no_disks,
        page,
        experiment,
    };
    page::show(&show)
}

impl May {
    async fn of(boss: &Boss, visitor: &Visitor, experiment: &Experiment) -> sqlx::Result<Self> {
        let actor = &visitor.actor;
        let controls = actor.controls(&boss.db, experiment).await?;
        Ok(Self {
            state: controls.then_some(experiment.state),
            saves: experiment.savedisk && !experiment.firewalled,
            sets_saving: actor.sets_state_saving(&boss.db).await?,
            admin: actor.user.admin,
        })
    }

    /// It can be swapped in, removed, and changed.
    fn swapped(self) -> bool {
        self.state == Some(ExperimentState::Swapped)
    }

    /// It can be swapped out, and its disks be loaded and captured.
    fn active(self) -> bool {
        self.state == Some(ExperimentState::Active)
    }

    /// Machines can be chosen.
    fn choose(self) -> bool {
        self.swapped() && self.admin
    }

    fn edit(self) -> bool {
        self.swapped() || (self.active() && self.sets_saving)
    }

    fn collect(self) -> bool {
        self.active() && self.saves
    }
}

impl Past {
    fn of(swap: &Swap, page: &Page) -> Self {
        Self {
            id: swap.id,
            kind: words::kind(swap.kind),
            badge: words::of_swap(swap),
            at: page.time(swap.requested_at),
            by: swap.requested_by.to_string(),
        }
    }
}
