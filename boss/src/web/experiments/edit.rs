//! Changing what an experiment wants.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::prepare::{self, Prepared};
use super::rows::{self, Row, Rows};
use super::{again, choices, experiments, path};
use crate::access::Actor;
use crate::db::experiments::{Experiment, ExperimentState, WantedNode};
use crate::error::Result;
use crate::http::to_its_end;
use crate::names::ExperimentId;
use crate::server::Boss;
use crate::swapinfo::Vnode;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, done};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_edit.html")]
struct Form {
    page: Page,
    error: String,
    id: String,
    state: ExperimentState,
    sets_saving: bool,
    savedisk: bool,
    firewalled: bool,
    nodes: Rows,
}

impl Form {
    /// Whether it has no machines: then all of it can be changed.
    fn swapped(&self) -> bool {
        self.state == ExperimentState::Swapped
    }

    /// Whether it has machines, and nothing is going on.
    fn active(&self) -> bool {
        self.state == ExperimentState::Active
    }
}

/// What a form wants to be another; what it doesn't have stays.
#[derive(Clone, Debug, Default)]
struct Change {
    savedisk: Option<bool>,
    firewalled: Option<bool>,
    rows: Option<Vec<Row>>,
}

/// What became of it.
struct Changed {
    /// The experiment before.
    was: Experiment,
    /// What became of its nodes, if disks are saved from now on.
    nodes: Vec<Vnode>,
}

pub(super) async fn form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
) -> std::result::Result<Response, Trouble> {
    show(&boss, &visitor, &id, Change::default(), None).await
}

pub(super) async fn change(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<ExperimentId>,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    let mut change = Change {
        savedisk: fields.ticked("savedisk"),
        firewalled: fields.ticked("firewalled"),
        rows: Rows::of_form(&fields),
    };
    if fields.text("do") == "row" {
        rows::add(change.rows.get_or_insert_default());
        return show(&boss, &visitor, &id, change, None).await;
    }
    let (site, actor) = (Arc::clone(&boss), visitor.actor.clone());
    let (of, wanted) = (id.clone(), change.clone());
    let work = to_its_end(async move { wanted.apply(&site, &actor, &of).await });
    match work.await {
        Ok(changed) => answer(&boss, &visitor, &id, change.savedisk, changed).await,
        Err(error) => show(&boss, &visitor, &id, change, Some(error.into())).await,
    }
}

impl Change {
    /// Does what is wanted, as far as it is another than before.
    async fn apply(&self, boss: &Boss, actor: &Actor, id: &ExperimentId) -> Result<Changed> {
        let experiments = experiments(boss, actor);
        let was = experiments.controlled(id).await?;
        // Whatever its value is: who may not set it has not seen it.
        if self.savedisk.is_some() {
            actor.needs_state_saving(&boss.db).await?;
        }
        let firewalled = self.firewalled.filter(|wanted| *wanted != was.firewalled);
        let in_order = |mut nodes: Vec<WantedNode>| {
            nodes.sort_by(|one, other| one.vname.cmp(&other.vname));
            nodes
        };
        let before = in_order(boss.db.wanted_nodes(id).await?);
        let nodes = self.rows.as_deref().map(rows::wanted).transpose()?.map(in_order);
        let nodes = nodes.filter(|nodes| *nodes != before);
        if firewalled.is_some() || nodes.is_some() {
            experiments.change(id, firewalled, nodes.as_deref()).await?;
        }
        let nodes = match self.savedisk.filter(|wanted| *wanted != was.savedisk) {
            Some(savedisk) => experiments.set_savedisk(id, savedisk).await?,
            None => Vec::new(),
        };
        Ok(Changed { was, nodes })
    }
}

/// Says what was changed, and for which nodes it could not be.
async fn answer(
    boss: &Boss,
    visitor: &Visitor,
    id: &ExperimentId,
    savedisk: Option<bool>,
    changed: Changed,
) -> std::result::Result<Response, Trouble> {
    let Changed { was, nodes } = changed;
    let active = was.state == ExperimentState::Active;
    let saving = match savedisk.filter(|wanted| *wanted != was.savedisk) {
        None => "",
        Some(true) => " Its disk state is saved on swapout from now on.",
        Some(false) if active => {
            " Its disk state is not saved any more. What nodes needed for that was taken away; \
             disks that were saved before are kept, and the next swapin brings them back as they \
             were."
        }
        Some(false) => {
            " Its disk state is not saved any more. Disks that were saved before are kept, and \
             the next swapin brings them back as they were."
        }
    };
    let notice = format!("{id} is changed.{saving}");
    if Prepared::needs_somebody(&nodes) {
        return prepare::show(boss, visitor, id, &notice, &nodes).await;
    }
    done(boss, visitor, &notice, &path(id)).await
}

/// The form, with what was typed, and what is wrong with it.
async fn show(
    boss: &Boss,
    visitor: &Visitor,
    id: &ExperimentId,
    change: Change,
    trouble: Option<Trouble>,
) -> std::result::Result<Response, Trouble> {
    // Who may not change it gets no form.
    let experiment = experiments(boss, &visitor.actor).controlled(id).await?;
    let rows = match change.rows {
        Some(rows) => rows,
        None => Rows::of_wanted(&boss.db.wanted_nodes(id).await?),
    };
    let form = Form {
        page: Page::of(boss, visitor, Part::Experiments, format!("Edit {id}")).await?,
        error: trouble.as_ref().map(|trouble| trouble.message().to_owned()).unwrap_or_default(),
        id: id.to_string(),
        state: experiment.state,
        sets_saving: visitor.actor.sets_state_saving(&boss.db).await?,
        savedisk: change.savedisk.unwrap_or(experiment.savedisk),
        firewalled: change.firewalled.unwrap_or(experiment.firewalled),
        nodes: Rows::new(rows, choices::images(&boss.db, &id.pid).await?),
    };
    again(&form, trouble.map_or(StatusCode::OK, |trouble| trouble.status()))
}
