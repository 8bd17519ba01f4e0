//! What a node has saved: a map of its disk, and the files that changed.

mod files;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use self::files::{Files, Sort};
use super::disks::{Disk, SECTOR};
use super::experiments;
use crate::error::ErrorKind;
use crate::names::{Eid, ExperimentId, Pid, Vname};
use crate::saved_disk::{Category, Changes, DiskMap, Usage, name, svg};
use crate::server::Boss;
use crate::swapinfo::{DiskState, SavedDisk, Swapinfo};
use crate::web::at::{Asked, At};
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, show, size};
use crate::web::trouble::Trouble;

/// How soon the page asks again for what is being looked for, in seconds.
const AGAIN: u32 = 3;

#[derive(Template)]
#[template(path = "experiment_disk.html")]
struct DiskPage {
    page: Page,
    id: ExperimentId,
    disk: Disk,
    /// As it comes from the server, markup.
    drawing: String,
    rows: Vec<Row>,
    notes: Vec<String>,
    has_base: bool,
    parts: Vec<SavedPart>,
    /// Why there is no map, or no list of files.
    no_map: String,
    no_files: String,
    working: bool,
    files: Files,
}

/// What an area of the disk holds, in words.
struct Row {
    name: String,
    size: String,
    in_use: String,
    changed: String,
    new: String,
    gone: String,
}

/// What the node decided about a partition, or about a part of one, when it saved.
struct SavedPart {
    name: String,
    size: String,
    in_use: String,
    verdict: String,
}

/// Which of the files are shown. What makes no sense is as if it weren't said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    sort: String,
    from: String,
}

pub(super) async fn disk(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At((pid, eid, vname)): At<(Pid, Eid, Vname)>,
    Asked(asked): Asked<Which>,
) -> Result<Response, Trouble> {
    let id = ExperimentId { pid, eid };
    let experiment = experiments(&boss, &visitor.actor).find(&id).await?;
    let saved = Swapinfo::new(&boss.db, &boss.layout).saved_disks(&experiment).await?;
    let saved = saved
        .into_iter()
        .find(|disk| disk.vname == vname && !matches!(disk.state, DiskState::Stale(_)));
    let Some(saved) = saved else {
        let why = format!("node {vname} of {id} has saved nothing; its page says what there is");
        return Err(ErrorKind::NotFound.because(why).into());
    };

    let sort = if asked.sort == "size" { Sort::Size } else { Sort::Path };
    let from = asked.from.parse().unwrap_or_default();
    let mut page =
        Page::of(&boss, &visitor, Part::Experiments, format!("Saved disk of {vname}")).await?;
    let disk = Disk::of(&saved, &page);
    let (map, changes) = if disk.has_page() {
        let map = boss.saved_disks.map(&experiment, &vname).await;
        (map, boss.saved_disks.changes(&experiment, &vname).await)
    } else {
        (Ok(None), Ok(None))
    };
    let (map, no_map) =
        map.map_or_else(|error| (None, format!("{error:#}")), |map| (map, String::new()));
    let (working, files, no_files) = match changes {
        Ok(Some(Changes::Ready(files))) => (false, Files::of(&files, sort, from), String::new()),
        Ok(Some(Changes::Working)) => (true, Files::default(), String::new()),
        Ok(Some(Changes::Failed(why))) => (false, Files::default(), why),
        Ok(None) => (false, Files::default(), String::new()),
        Err(error) => (false, Files::default(), format!("{error:#}")),
    };
    if working {
        page.refresh = AGAIN;
    }
    show(&DiskPage {
        page,
        id,
        disk,
        drawing: map.as_deref().map(svg).unwrap_or_default(),
        rows: map.as_deref().map(rows).unwrap_or_default(),
        notes: map.as_ref().map(|map| map.notes.clone()).unwrap_or_default(),
        has_base: map.as_ref().is_some_and(|map| map.has_base),
        parts: parts(&saved),
        no_map,
        no_files,
        working,
        files,
    })
}

fn parts(disk: &SavedDisk) -> Vec<SavedPart> {
    let DiskState::Current(saved) = &disk.state else { return Vec::new() };
    let bytes = |sectors: u64| size(sectors.saturating_mul(SECTOR));
    let parts = saved.meta.decided.iter().map(|part| SavedPart {
        name: part.name.clone(),
        size: bytes(part.sectors),
        in_use: bytes(part.in_use),
        verdict: part.verdict.clone(),
    });
    parts.collect()
}

fn rows(map: &DiskMap) -> Vec<Row> {
    let areas = map.areas.iter().map(|area| Row::of(name(area), &area.usage, map.knows_gone));
    let mut rows: Vec<_> = areas.collect();
    if map.outside.size().get() > 0 && !rows.is_empty() {
        rows.push(Row::of("outside of partitions".to_owned(), &map.outside, map.knows_gone));
    }
    rows.push(Row::of("in all".to_owned(), &map.total, map.knows_gone));
    rows
}

impl Row {
    fn of(name: String, usage: &Usage, knows_gone: bool) -> Self {
        let bytes = |category| size(usage.bytes(category).get());
        Self {
            name,
            size: size(usage.size().get()),
            in_use: size(usage.in_use().get()),
            changed: bytes(Category::Changed),
            new: bytes(Category::New),
            gone: if knows_gone { bytes(Category::Gone) } else { "not known".to_owned() },
        }
    }
}
