//! A file on boss' machine becomes an image: for administrators.

use std::path::PathBuf;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::act::said_when_over;
use super::{Job, shown_job};
use crate::db::people::{Project, User};
use crate::error::{self, ErrorKind};
use crate::image::{self, Description, Keeper};
use crate::names::{Gid, ImageId};
use crate::people::own_group;
use crate::server::Boss;
use crate::web::at::Asked;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, show};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "image_import.html")]
struct Form {
    page: Page,
    error: String,
    typed: Fields,
    projects: Vec<Project>,
    users: Vec<User>,
}

#[derive(Template)]
#[template(path = "image_imported.html")]
struct Imported {
    page: Page,
    image: ImageId,
    job: Option<Job>,
}

/// Which image.
#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    image: String,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/images/import", get(form).post(import))
        .route("/images/imported", get(imported))
        .route("/images/imported/over", get(over))
}

async fn form(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &Fields::default(), "").await
}

async fn shown(
    boss: &Boss,
    visitor: &Visitor,
    typed: &Fields,
    error: &str,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    show(&Form {
        page: Page::of(boss, visitor, Part::Images, "Import an image").await?,
        error: error.to_owned(),
        typed: typed.clone(),
        projects: boss.db.projects().await?,
        users: boss.db.users().await?,
    })
}

async fn import(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let begun = async {
        let (file, id, description) = read(&boss, &fields).await?;
        Keeper::new(&boss, &visitor.actor).import(&file, &id, description).await?;
        Ok::<_, error::Error>(id)
    };
    match begun.await {
        Ok(id) => {
            let query = serde_urlencoded::to_string([("image", id.to_string())])?;
            Ok(Redirect::to(&format!("/images/imported?{query}")).into_response())
        }
        Err(error) => {
            let trouble = Trouble::from(error);
            let mut response = shown(&boss, &visitor, &fields, trouble.message()).await?;
            *response.status_mut() = trouble.status();
            Ok(response)
        }
    }
}

/// What the form says: the file, what it becomes, and what is said of that.
async fn read(boss: &Boss, fields: &Fields) -> error::Result<(PathBuf, ImageId, Description)> {
    let file = PathBuf::from(fields.text("file"));
    if !file.is_absolute() {
        let why = "File: a path on boss' machine begins with /";
        return Err(ErrorKind::Invalid.because(why));
    }
    let id = ImageId {
        pid: fields.parse("pid", "Project")?,
        name: fields.parse("name", "Name")?,
        version: None,
    };
    let none = || ErrorKind::NotFound.because(format_args!("there is no project {}", id.pid));
    let project = boss.db.project(&id.pid).await?.ok_or_else(none)?;
    let gid: Option<Gid> = fields.parse_if_given("gid", "Group")?;
    let load_partition: u8 = fields.parse_if_given("partition", "Slice")?.unwrap_or(0);
    let boots = fields.parse_if_given("boot_partition", "Slice that boots")?;
    let description = Description {
        gid: gid.map_or_else(|| own_group(&id.pid), Ok)?,
        creator: fields.parse_if_given("creator", "Creator")?.unwrap_or(project.head),
        load_partition,
        load_length: fields.parse_if_given("length", "How many slices")?.unwrap_or(1),
        boot_partition: boots.unwrap_or(load_partition.max(1)),
        global: fields.ticked("global").unwrap_or(false),
    };
    Ok((file, id, description))
}

/// The image that a query names.
fn named(wanted: &Wanted) -> error::Result<ImageId> {
    wanted.image.parse().map_err(|error| ErrorKind::Invalid.because(error))
}

async fn imported(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let image = named(&wanted)?;
    let title = format!("Import of {image}");
    let mut page = Page::of(&boss, &visitor, Part::Images, title).await?;
    let job = boss.jobs.find(&image::key(&image)).map(|job| shown_job(&mut page, job));
    show(&Imported { page, image, job })
}

async fn over(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    Ok(said_when_over(boss.jobs.find(&image::key(&named(&wanted)?))))
}
