//! A user, for administrators.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::people;
use crate::db::members::Membership;
use crate::db::people::User;
use crate::http::to_its_end;
use crate::names::Login;
use crate::server::Boss;
use crate::web::at::At;
use crate::web::fields::Fields;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, done, show};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "user.html")]
struct OfUser {
    page: Page,
    error: String,
    user: User,
    memberships: Vec<Membership>,
    /// Whether it is the visitor.
    own: bool,
    has_password: bool,
    sessions: i64,
    tokens: usize,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new()
        .route("/people/users/{login}", get(user).post(set_flags))
        .route("/people/users/{login}/password", post(set_password))
        .route("/people/users/{login}/sessions/end", post(end_sessions))
        .route("/people/users/{login}/tokens/revoke", post(revoke))
}

async fn user(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(login): At<Login>,
) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &login, "").await
}

async fn shown(
    boss: &Boss,
    visitor: &Visitor,
    login: &Login,
    error: &str,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let user = people(boss, visitor).user(login).await?;
    show(&OfUser {
        error: error.to_owned(),
        memberships: boss.db.memberships_of(login).await?,
        own: user.login == visitor.actor.user.login,
        has_password: boss.db.password(login).await?.is_some(),
        sessions: boss.db.count_sessions(login).await?,
        tokens: boss.db.tokens(login).await?.len(),
        page: Page::of(boss, visitor, Part::People, format!("User {login}")).await?,
        user,
    })
}

async fn again(
    boss: &Boss,
    visitor: &Visitor,
    login: &Login,
    trouble: Trouble,
) -> Result<Response, Trouble> {
    let mut response = shown(boss, visitor, login, trouble.message()).await?;
    *response.status_mut() = trouble.status();
    Ok(response)
}

async fn set_flags(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(login): At<Login>,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let people = people(&boss, &visitor);
    let user = people.user(&login).await?;
    let admin = fields.ticked("admin").unwrap_or(user.admin);
    let studly = fields.ticked("studly").unwrap_or(user.studly);
    match people.set_flags(&login, admin, studly).await {
        Ok(()) => done(&boss, &visitor, "What the user may is changed.", &path(&login)).await,
        Err(error) => again(&boss, &visitor, &login, error.into()).await,
    }
}

async fn set_password(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(login): At<Login>,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    if login == visitor.actor.user.login {
        let message =
            "You change your own password on your own page, where the old one is asked for.";
        let trouble = Trouble::new(StatusCode::CONFLICT, message);
        return again(&boss, &visitor, &login, trouble).await;
    }
    let password = fields.given("password").unwrap_or_default().to_owned();
    let set = {
        let (boss, visitor, login) = (Arc::clone(&boss), visitor.clone(), login.clone());
        to_its_end(async move { people(&boss, &visitor).set_password(&login, &password).await })
    };
    match set.await {
        Ok(()) => {
            let notice = format!("{login} has a new password, and is signed out everywhere.");
            done(&boss, &visitor, &notice, &path(&login)).await
        }
        Err(error) => again(&boss, &visitor, &login, error.into()).await,
    }
}

async fn end_sessions(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(login): At<Login>,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let count = people(&boss, &visitor).end_sessions(&login).await?;
    let notice = format!("{login} is signed out everywhere; there were {count} sessions.");
    done(&boss, &visitor, &notice, &path(&login)).await
}

async fn revoke(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    At(login): At<Login>,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let count = people(&boss, &visitor).revoke_tokens(&login).await?;
    let notice = format!("None of {login}'s tokens counts any more; there were {count}.");
    done(&boss, &visitor, &notice, &path(&login)).await
}

fn path(login: &Login) -> String {
    format!("/people/users/{login}")
}
