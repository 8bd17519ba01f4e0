//! What users set for themselves: clock, password, tokens, sessions.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::fields::Fields;
use super::guard::Visitor;
use super::page::{Page, Part, done, show};
use super::people::people;
use super::trouble::Trouble;
use super::zone::{Time, Zone};
use crate::db::members::Membership;
use crate::db::now;
use crate::db::people::User;
use crate::error::ErrorKind;
use crate::http::to_its_end;
use crate::server::Boss;

#[derive(Template)]
#[template(path = "me.html")]
struct Me {
    page: Page,
    error: String,
    typed: Fields,
    user: User,
    memberships: Vec<Membership>,
    zone: String,
    zones: Vec<String>,
    tokens: Vec<Token>,
    sessions: i64,
}

/// A token, as it is shown.
struct Token {
    id: String,
    note: String,
    made: Time,
    ends: Option<Time>,
    over: bool,
}

/// A token that was made, this once.
#[derive(Template)]
#[template(path = "me_token.html")]
struct Made {
    page: Page,
    token: String,
    ends: Time,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/me", get(me))
        .route("/me/time-zone", post(set_zone))
        .route("/me/password", post(set_password))
        .route("/me/tokens", post(add_token))
        .route("/me/tokens/revoke", post(revoke))
        .route("/me/sessions/end", post(end_sessions))
}

async fn me(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &Fields::default(), "").await
}

async fn shown(
    boss: &Boss,
    visitor: &Visitor,
    typed: &Fields,
    error: &str,
) -> Result<Response, Trouble> {
    let user = visitor.actor.user.clone();
    let page = Page::of(boss, visitor, Part::Me, user.login.as_str()).await?;
    let mut tokens = Vec::new();
    for token in boss.db.tokens(&user.login).await? {
        tokens.push(Token {
            made: page.time(token.created_at),
            ends: token.expires_at.map(|at| page.time(at)),
            over: token.expires_at.is_some_and(|at| at <= now()),
            id: token.id,
            note: token.note,
        });
    }
    show(&Me {
        error: error.to_owned(),
        typed: typed.clone(),
        memberships: boss.db.memberships_of(&user.login).await?,
        zone: typed.given("time_zone").unwrap_or(&visitor.session.time_zone).to_owned(),
        zones: Zone::names(),
        tokens,
        sessions: boss.db.count_sessions(&user.login).await?,
        user,
        page,
    })
}

/// The page with what was typed, and why it wasn't done.
async fn again(
    boss: &Boss,
    visitor: &Visitor,
    typed: &Fields,
    trouble: Trouble,
) -> Result<Response, Trouble> {
    let mut response = shown(boss, visitor, typed, trouble.message()).await?;
    *response.status_mut() = trouble.status();
    Ok(response)
}

async fn set_zone(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    let Some(name) = fields.given("time_zone") else {
        return done(&boss, &visitor, "Nothing was changed.", "/me").await;
    };
    if !name.is_empty() && !Zone::is_known(name) {
        let message = format!("There is no time zone {name:?}. Choose one of the list.");
        let trouble = Trouble::new(StatusCode::BAD_REQUEST, message);
        return again(&boss, &visitor, &fields, trouble).await;
    }
    boss.db.set_time_zone(&visitor.actor.user.login, name).await?;
    let notice = match name {
        "" => "Times are shown as your browser has them.".to_owned(),
        name => format!("Times are shown as in {name}."),
    };
    done(&boss, &visitor, &notice, "/me").await
}

async fn set_password(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    let given = |name| fields.given(name).unwrap_or_default().to_owned();
    let (old, new) = (given("old"), given("new"));
    let trouble = if !boss.limits.login_may_try(&visitor.actor.user.login) {
        let message = "That were too many attempts. Wait a minute, then try again.";
        Some(Trouble::new(StatusCode::TOO_MANY_REQUESTS, message))
    } else if new != given("again") {
        let message = "The new password was not the same twice. Nothing was changed; try again.";
        Some(Trouble::new(StatusCode::BAD_REQUEST, message))
    } else {
        let (boss, visitor) = (Arc::clone(&boss), visitor.clone());
        let work = to_its_end(async move {
            people(&boss, &visitor).change_password(&old, &new, &visitor.session).await
        });
        work.await.err().map(Trouble::from)
    };
    if let Some(trouble) = trouble {
        return again(&boss, &visitor, &Fields::default(), trouble).await;
    }
    let notice = "Your password is changed, and you are signed out everywhere else.";
    done(&boss, &visitor, notice, "/me").await
}

async fn add_token(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    let made = async {
        let days = match fields.parse("days", "Days")? {
            0 => return Err(ErrorKind::Invalid.because("Days: at least 1")),
            days => days,
        };
        let login = &visitor.actor.user.login;
        people(&boss, &visitor).add_token(login, days, fields.text("note")).await
    };
    match made.await {
        Err(error) => again(&boss, &visitor, &fields, error.into()).await,
        Ok((key, ends)) => {
            let page = Page::of(&boss, &visitor, Part::Me, "A new token").await?;
            show(&Made { token: key.reveal(), ends: page.time(ends), page })
        }
    }
}

async fn revoke(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    let (people, login) = (people(&boss, &visitor), &visitor.actor.user.login);
    let notice = match (fields.given("token"), fields.ticked("all")) {
        (Some(id), _) => {
            people.revoke_token(login, id).await?;
            "The token counts no more.".to_owned()
        }
        (None, Some(true)) => {
            let count = people.revoke_tokens(login).await?;
            format!("None of your tokens counts any more; there were {count}.")
        }
        _ => "Nothing was changed: tick that you mean all tokens.".to_owned(),
    };
    done(&boss, &visitor, &notice, "/me").await
}

async fn end_sessions(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
) -> Result<Response, Trouble> {
    people(&boss, &visitor).end_sessions(&visitor.actor.user.login).await?;
    Ok(Redirect::to("/signin").into_response())
}
