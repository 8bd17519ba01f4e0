//! A new experiment.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::rows::{self, Row, Rows};
use super::{again, choices, experiments, path};
use crate::error::{ErrorKind, Result};
use crate::experiment::manage::NewExperiment;
use crate::experiment::places;
use crate::http::to_its_end;
use crate::names::{Gid, Pid};
use crate::server::Boss;
use crate::web::at::Asked;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, done};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "experiment_new.html")]
struct Form {
    page: Page,
    error: String,
    pids: Vec<String>,
    groups_of: String,
    gids: Vec<String>,
    said: Said,
    sets_saving: bool,
    savedisk: bool,
    firewalled: bool,
    nodes: Rows,
}

/// What somebody has typed.
#[derive(Clone, Debug, Default)]
struct Said {
    pid: String,
    gid: String,
    eid: String,
    savedisk: bool,
    firewalled: bool,
    rows: Vec<Row>,
}

/// With what the form is to begin.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    pid: String,
}

pub(super) async fn form(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    Asked(Wanted { pid }): Asked<Wanted>,
) -> std::result::Result<Response, Trouble> {
    let mut said = Said { pid, ..Said::default() };
    rows::add(&mut said.rows);
    show(&boss, &visitor, said, None).await
}

pub(super) async fn make(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> std::result::Result<Response, Trouble> {
    let mut said = Said::of(&fields);
    match fields.text("do") {
        "row" => {
            rows::add(&mut said.rows);
            return show(&boss, &visitor, said, None).await;
        }
        "project" => return show(&boss, &visitor, said, None).await,
        _ => {}
    }
    let new = match said.read(&fields) {
        Ok(new) => new,
        Err(error) => return show(&boss, &visitor, said, Some(error.into())).await,
    };
    let (site, actor) = (Arc::clone(&boss), visitor.actor.clone());
    match to_its_end(async move { experiments(&site, &actor).create(new).await }).await {
        Ok(made) => {
            let id = made.id();
            let notice = format!("{id} is made. It has no machines before it is swapped in.");
            done(&boss, &visitor, &notice, &path(&id)).await
        }
        Err(error) => show(&boss, &visitor, said, Some(error.into())).await,
    }
}

impl Said {
    fn of(fields: &Fields) -> Self {
        Self {
            pid: fields.text("pid").to_owned(),
            gid: fields.text("gid").to_owned(),
            eid: fields.text("eid").to_owned(),
            savedisk: fields.ticked("savedisk").unwrap_or_default(),
            firewalled: fields.ticked("firewalled").unwrap_or_default(),
            rows: Rows::of_form(fields).unwrap_or_default(),
        }
    }

    fn read(&self, fields: &Fields) -> Result<NewExperiment> {
        // Groups that the form showed were of the project that it showed.
        let of_project = fields.given("groups_of").is_none_or(|pid| pid == self.pid);
        let gid: Option<Gid> = fields.parse_if_given("gid", "Group")?.filter(|_| of_project);
        Ok(NewExperiment {
            pid: fields.parse("pid", "Project")?,
            eid: fields.parse("eid", "Name")?,
            gid,
            savedisk: self.savedisk,
            firewalled: self.firewalled,
            nodes: rows::wanted(&self.rows)?,
        })
    }
}

/// The form, with what was said, and what is wrong with it.
async fn show(
    boss: &Boss,
    visitor: &Visitor,
    mut said: Said,
    trouble: Option<Trouble>,
) -> std::result::Result<Response, Trouble> {
    let places: BTreeMap<Pid, Vec<Gid>> = places::of(&boss.db, &visitor.actor).await?;
    let chosen = places.iter().find(|(pid, _)| pid.as_str() == said.pid);
    let Some((pid, gids)) = chosen.or_else(|| places.iter().next()) else {
        let why = "To make an experiment you need the trust local_root in a project; whoever leads \
                   the project gives it.";
        return Err(ErrorKind::Refused.because(why).into());
    };
    if said.pid.is_empty() {
        said.pid = pid.to_string();
    }
    let images = choices::images(&boss.db, pid).await?;
    let form = Form {
        page: Page::of(boss, visitor, Part::Experiments, "New experiment").await?,
        error: trouble.as_ref().map(|trouble| trouble.message().to_owned()).unwrap_or_default(),
        pids: places.keys().map(ToString::to_string).collect(),
        groups_of: pid.to_string(),
        gids: gids.iter().map(ToString::to_string).collect(),
        sets_saving: visitor.actor.sets_state_saving(&boss.db).await?,
        savedisk: said.savedisk,
        firewalled: said.firewalled,
        nodes: Rows::new(std::mem::take(&mut said.rows), images),
        said,
    };
    again(&form, trouble.map_or(StatusCode::OK, |trouble| trouble.status()))
}
