//! Images and their signatures.

mod act;
mod import;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::at::At;
use super::guard::Visitor;
use super::page::{Page, Part, show, size};
use super::trouble::Trouble;
use super::zone::Time;
use crate::db::images::{Image, ImageUser};
use crate::image::{self, Keeper, Listed, SignatureState};
use crate::jobs;
use crate::names::{ImageId, ImageName, Pid};
use crate::server::Boss;

#[derive(Template)]
#[template(path = "images.html")]
struct All {
    page: Page,
    /// By name, each with its versions, the newest first.
    images: Vec<Named>,
}

/// All versions of an image.
struct Named {
    name: String,
    versions: Vec<Version>,
}

/// A version of an image, as it is shown.
struct Version {
    image: Image,
    is_there: bool,
    state: SignatureState,
    signature: Option<Signature>,
    created: Time,
    size: String,
    slices: String,
    users: Vec<ImageUser>,
    others: usize,
    /// Whether the visitor may sign and remove it.
    keeps: bool,
}

/// A signature, as it is shown.
struct Signature {
    path: String,
    sha256: String,
    created: Time,
    size: String,
}

#[derive(Template)]
#[template(path = "image.html")]
struct OfImage {
    page: Page,
    error: String,
    one: Version,
    /// Whether the visitor may have it read.
    verifies: bool,
    job: Option<Job>,
}

/// What goes on, or went on last.
struct Job {
    what: String,
    begun: Time,
    ended: Option<(Time, Result<String, String>)>,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/images", get(list))
        .route("/images/{pid}/{name}/{version}", get(image))
        .merge(act::router())
        .merge(import::router())
}

/// The image that a path names.
fn id((pid, name, version): (Pid, ImageName, u32)) -> ImageId {
    ImageId { pid, name, version: Some(version) }
}

fn path(image: &ImageId) -> String {
    let version = image.version.unwrap_or_default();
    format!("/images/{}/{}/{version}", image.pid, image.name)
}

/// Which part of a disk an image is of.
fn slices(image: &Image) -> String {
    match (image.load_partition, image.load_length) {
        (0, _) => format!("whole disk, boots slice {}", image.boot_partition),
        (first, 1) => format!("slice {first}"),
        (first, count) => {
            let last = first.saturating_add(count).saturating_sub(1);
            format!("slices {first} to {last}, boots {}", image.boot_partition)
        }
    }
}

async fn version(
    page: &Page,
    keeper: &Keeper,
    listed: Listed,
    users: (Vec<ImageUser>, usize),
) -> Result<Version, Trouble> {
    let Listed { image, is_there, signature: state, row } = listed;
    Ok(Version {
        is_there,
        state,
        signature: row.map(|row| Signature {
            created: page.time(row.created_at),
            size: size(row.bytes),
            path: row.path,
            sha256: row.sha256,
        }),
        created: page.time(image.created_at),
        size: size(image.bytes),
        slices: slices(&image),
        users: users.0,
        others: users.1,
        keeps: keeper.keeps(&image).await?,
        image,
    })
}

async fn list(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    let keeper = Keeper::new(&boss, &visitor.actor);
    let page = Page::of(&boss, &visitor, Part::Images, "Images").await?;
    let mut by_name = BTreeMap::<String, Vec<Version>>::new();
    for listed in keeper.list().await? {
        let users = keeper.known_users(&listed.image).await?;
        let name = format!("{}/{}", listed.image.pid, listed.image.name);
        let version = version(&page, &keeper, listed, users).await?;
        by_name.entry(name).or_default().push(version);
    }
    let mut images = Vec::new();
    for (name, mut versions) in by_name {
        versions.sort_by_key(|one| std::cmp::Reverse(one.image.version));
        images.push(Named { name, versions });
    }
    show(&All { page, images })
}

async fn image(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(named): At<(Pid, ImageName, u32)>,
) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &id(named), "").await
}

async fn shown(
    boss: &Arc<Boss>,
    visitor: &Visitor,
    id: &ImageId,
    error: &str,
) -> Result<Response, Trouble> {
    let keeper = Keeper::new(boss, &visitor.actor);
    let listed = keeper.look(keeper.find(id).await?).await?;
    let users = keeper.users(&listed.image).await?;
    let mut page = Page::of(boss, visitor, Part::Images, id.to_string()).await?;
    let verifies = keeper.verifies(&listed.image).await?;
    // What comes out is for those who may ask for it.
    let job = boss.jobs.find(&image::key(id)).filter(|_| verifies);
    let job = job.map(|job| shown_job(&mut page, job));
    let one = version(&page, &keeper, listed, users).await?;
    show(&OfImage { page, error: error.to_owned(), one, verifies, job })
}

/// Also has the page loaded again until it is over.
fn shown_job(page: &mut Page, job: jobs::Job) -> Job {
    page.refresh = if job.ended.is_some() { 0 } else { 5 };
    let ended = job.ended.map(|(at, result)| (page.time(at), result));
    Job { what: job.what, begun: page.time(job.begun_at), ended }
}

/// The page once more, and why something wasn't done.
async fn again(
    boss: &Arc<Boss>,
    visitor: &Visitor,
    id: &ImageId,
    trouble: Trouble,
) -> Result<Response, Trouble> {
    let mut response = shown(boss, visitor, id, trouble.message()).await?;
    *response.status_mut() = trouble.status();
    Ok(response)
}
