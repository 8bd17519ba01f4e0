//! What is done to images: they are read, signed and removed.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

use super::{again, id, path};
use crate::http::to_its_end;
use crate::image::{self, Keeper};
use crate::jobs::Job;
use crate::names::{ImageName, Pid};
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::done;
use crate::web::trouble::Trouble;

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/images/{pid}/{name}/{version}/verify", post(verify))
        .route("/images/{pid}/{name}/{version}/sign", post(sign))
        .route("/images/{pid}/{name}/{version}/remove", post(remove))
        .route("/images/{pid}/{name}/{version}/over", get(over))
}

async fn verify(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(named): At<(Pid, ImageName, u32)>,
) -> Result<Response, Trouble> {
    let id = id(named);
    match Keeper::new(&boss, &visitor.actor).verify(&id).await {
        Ok(()) => Ok(Redirect::to(&path(&id)).into_response()),
        Err(error) => again(&boss, &visitor, &id, error.into()).await,
    }
}

async fn sign(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(named): At<(Pid, ImageName, u32)>,
) -> Result<Response, Trouble> {
    let id = id(named);
    match Keeper::new(&boss, &visitor.actor).sign(&id).await {
        Ok(()) => Ok(Redirect::to(&path(&id)).into_response()),
        Err(error) => again(&boss, &visitor, &id, error.into()).await,
    }
}

async fn remove(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(named): At<(Pid, ImageName, u32)>,
    fields: Fields,
) -> Result<Response, Trouble> {
    let id = id(named);
    let keeper = Keeper::new(&boss, &visitor.actor);
    if fields.ticked("confirm") != Some(true) {
        let message = "Tick that you know what is lost, and send the form again.";
        let trouble = Trouble::new(StatusCode::BAD_REQUEST, message);
        return again(&boss, &visitor, &id, trouble).await;
    }
    let removing = id.clone();
    match to_its_end(async move { keeper.remove(&removing).await }).await {
        Ok(()) => done(&boss, &visitor, &format!("{id} is removed."), "/images").await,
        Err(error) => again(&boss, &visitor, &id, error.into()).await,
    }
}

/// Tells a page that shows what goes on when that is over.
async fn over(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(named): At<(Pid, ImageName, u32)>,
) -> Result<Response, Trouble> {
    let id = id(named);
    Keeper::new(&boss, &visitor.actor).find(&id).await?;
    Ok(said_when_over(boss.jobs.find(&image::key(&id))))
}

/// An event, when it is over; at once, if nothing goes on.
pub(super) fn said_when_over(job: Option<Job>) -> Response {
    let Some(job) = job else { return StatusCode::NO_CONTENT.into_response() };
    let ends = WatchStream::new(job.over()).filter(|over| *over).take(1);
    let events = ends.map(|_| Ok::<_, Infallible>(Event::default().event("over").data("")));
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
