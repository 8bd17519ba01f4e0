//! A swap's page as it changes, as server-sent events: `part` has an element that takes the place
//! of the one with its id, `over` says that nothing more comes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::parts::Parts;
use super::picture::Picture;
use super::watch::{Pictures, Place, Watches};
use super::{Only, find};
use crate::access::Actor;
use crate::experiment::swaps::Swaps;
use crate::server::Boss;
use crate::web::at::{Asked, At};
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part};
use crate::web::trouble::Trouble;

/// How often it is asked whether the viewer still may see it.
const ASK: Duration = Duration::from_secs(5);
/// A proxy may take a connection for dead where nothing comes for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A browser whose stream has ended asks again after so long.
const AGAIN: Duration = Duration::from_secs(3);
/// What nginx holds back without it, it seems, in buffers.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// One who looks.
struct Viewer {
    boss: Arc<Boss>,
    visitor: Visitor,
    swap: i64,
    page: Page,
    /// What was sent of each part.
    sent: HashMap<String, String>,
    to: mpsc::Sender<Result<Event, Infallible>>,
    _place: Place,
}

pub(super) async fn live(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(id): At<String>,
    Asked(only): Asked<Only>,
) -> Result<Response, Trouble> {
    let swap = find(&boss, &visitor, &id).await?;
    let node = only.of(&boss, &swap).await?;
    let busy = || {
        let message = "Too many pages are open that follow a swap. Close some, and load it again.";
        Trouble::new(StatusCode::SERVICE_UNAVAILABLE, message)
    };
    let place = Watches::place(&boss, &visitor.actor.user.login).ok_or_else(busy)?;
    let pictures = Watches::watch(&boss, swap.id, node.as_ref()).ok_or_else(busy)?;
    // A browser that doesn't read has one part at most waiting for it.
    let (to, events) = mpsc::channel(1);
    let viewer = Viewer {
        page: Page::without_notice(&visitor, Part::Swaps, ""),
        swap: swap.id,
        sent: HashMap::new(),
        boss,
        visitor,
        to,
        _place: place,
    };
    tokio::spawn(viewer.follow(pictures));
    let stream = Sse::new(ReceiverStream::new(events));
    Ok(([UNBUFFERED], stream.keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response())
}

impl Viewer {
    async fn follow(mut self, mut pictures: Pictures) {
        let mut ask = tokio::time::interval(ASK);
        if self.to.send(Ok(Event::default().retry(AGAIN))).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                changed = pictures.changed() => {
                    let picture = pictures.borrow_and_update().clone();
                    let Some(picture) = picture else {
                        if changed.is_err() { return }
                        continue;
                    };
                    let went_on = self.send(&picture).await;
                    if went_on.is_none() || changed.is_err() || picture.swap.ended {
                        return;
                    }
                }
                _ = ask.tick() => if !self.still_may().await { return },
                () = self.to.closed() => return,
            }
        }
    }

    /// Sends the parts that are not what they were; nothing, if nobody takes them.
    async fn send(&mut self, picture: &Picture) -> Option<()> {
        for (id, html) in Parts::of(picture, &self.page).render().ok()? {
            if self.sent.get(&id) == Some(&html) {
                continue;
            }
            let event = Event::default().event("part").data(&html);
            self.sent.insert(id, html);
            self.to.send(Ok(event)).await.ok()?;
        }
        if picture.swap.ended {
            let event = Event::default().event("over").data("over");
            self.to.send(Ok(event)).await.ok()?;
        }
        Some(())
    }

    /// Whether the session goes on, and its user may still see the swap.
    async fn still_may(&self) -> bool {
        let session = &self.visitor.session;
        let Ok(Some(user)) = self.boss.db.user_of_session(session).await else { return false };
        let actor = Actor { user };
        Swaps { boss: &self.boss, actor: &actor }.find(self.swap).await.is_ok()
    }
}
