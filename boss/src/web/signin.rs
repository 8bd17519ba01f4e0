//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use serde::Deserialize;

use super::at::Asked;
use super::fields::Fields;
use super::guard::{Visitor, is_ours};
use super::headers::Way;
use super::page::{Page, show};
use super::trouble::Trouble;
use crate::boot::Key;
use crate::names::Login;
use crate::password;
use crate::server::Boss;

/// The cookie with the session's key. Behind TLS browsers take one of the other name only from this
/// very host, for all of its paths, and never send it in the clear.
const COOKIE: &str = "boss";
const COOKIE_OF_TLS: &str = "__Host-boss";
/// Login, password, and where to go on.
const LARGEST: usize = 8 << 10;

#[derive(Template)]
#[template(path = "signin.html")]
struct SignIn {
    page: Page,
    login: String,
    next: String,
    error: String,
}

/// Where somebody wanted to go.
#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

/// What anybody can reach.
pub(super) fn outside() -> Router<Arc<Boss>> {
    Router::new().route("/signin", get(form).post(sign_in)).layer(DefaultBodyLimit::max(LARGEST))
}

/// What needs a session.
pub(super) fn inside() -> Router<Arc<Boss>> {
    Router::new().route("/signout", post(sign_out))
}

/// The key in somebody's cookies. Behind TLS the other cookie counts for nothing: hosts beside this
/// one can have set it.
pub(super) fn key_in(jar: &CookieJar, tls: bool) -> Option<&str> {
    jar.get(name_of(tls)).map(Cookie::value)
}

const fn name_of(tls: bool) -> &'static str {
    if tls { COOKIE_OF_TLS } else { COOKIE }
}

/// The page to sign in, that leads on to where somebody wanted to go.
pub(super) fn then(wanted: &Uri) -> String {
    let wanted = wanted.path_and_query().map_or("/", |wanted| wanted.as_str());
    let query = serde_urlencoded::to_string([("next", wanted)]).unwrap_or_default();
    format!("/signin?{query}")
}

/// A path of this site; anything else could lead anywhere.
fn path_here(wanted: &str) -> &str {
    let leads_away = wanted.starts_with("//") || wanted.contains(['\\', '\r', '\n', '\t']);
    if wanted.starts_with('/') && !leads_away { wanted } else { "/" }
}

async fn form(Asked(Wanted { next }): Asked<Wanted>) -> Result<Response, Trouble> {
    again("", &next, "")
}

/// The form once more, and why.
fn again(login: &str, next: &str, error: &str) -> Result<Response, Trouble> {
    let page = Page::for_nobody("Sign in");
    let (login, next, error) = (login.to_owned(), path_here(next).to_owned(), error.to_owned());
    show(&SignIn { page, login, next, error })
}

async fn sign_in(
    State(boss): State<Arc<Boss>>,
    Extension(way): Extension<Way>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Trouble> {
    is_ours(&headers)?;
    let body = body.map_err(|rejection| {
        let message = "The form is larger than a login and a password, or was broken off. Sign in on \
                       its page.";
        Trouble::new(rejection.status(), message)
    })?;
    let fields = Fields::read(&headers, &body)?;
    let (name, next) = (fields.text("login"), fields.text("next"));
    let login: Option<Login> = name.parse().ok();
    let may_try = boss.limits.address_may_try(way.address)
        && login.as_ref().is_none_or(|login| boss.limits.login_may_try(login));
    if !may_try {
        tracing::warn!(address = %way.address, "too many attempts to sign in");
        let error = "That were too many attempts. Wait a minute, then try again.";
        let mut response = again(name, next, error)?;
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return Ok(response);
    }
    let password = fields.given("password").unwrap_or_default();
    let known = match &login {
        Some(login) => password::is(&boss.db, login, password).await?,
        None => false,
    };
    let Some(login) = login.filter(|_| known) else {
        // What was typed as the login may be a password.
        let whose = match name.parse() {
            Ok(login) => boss.db.user(&login).await?.map(|user| user.login.to_string()),
            Err(_) => None,
        };
        let whose = whose.as_deref().unwrap_or("nobody's");
        tracing::warn!(address = %way.address, login = whose, "a wrong password");
        let error = "Login and password don't fit. Try again; who has forgotten the password gets \
                     another from the testbed's operators.";
        let mut response = again(name, next, error)?;
        *response.status_mut() = StatusCode::FORBIDDEN;
        return Ok(response);
    };
    // Who signs in again has no use for the session before.
    if let Some(before) = key_in(&CookieJar::from_headers(&headers), way.tls)
        && let Some(session) = boss.db.session(before).await?
    {
        boss.db.end_session(&session).await?;
    }
    let key = Key::generate()?;
    boss.db.add_session(&key, &login).await?;
    tracing::info!(address = %way.address, %login, "signed in");
    let jar = CookieJar::new().add(cookie(key.reveal(), way.tls));
    Ok((jar, Redirect::to(path_here(next))).into_response())
}

async fn sign_out(
    State(boss): State<Arc<Boss>>,
    Extension(way): Extension<Way>,
    visitor: Visitor,
) -> Result<Response, Trouble> {
    boss.db.end_session(&visitor.session).await?;
    let mut gone = cookie(String::new(), way.tls);
    gone.make_removal();
    Ok((CookieJar::new().add(gone), Redirect::to("/signin")).into_response())
}

/// Ends with the browser's session; the server's own limits count in any case.
fn cookie(key: String, tls: bool) -> Cookie<'static> {
    Cookie::build((name_of(tls), key))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(tls)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_never_led_away() {
        for (wanted, goes) in [
            ("/experiments?a=b", "/experiments?a=b"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("https://evil.example", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(path_here(wanted), goes, "{wanted}");
        }
        assert_eq!(then(&"/a?b=c".parse().unwrap()), "/signin?next=%2Fa%3Fb%3Dc");
    }

    #[test]
    fn a_cookie_is_only_ours() {
        let plain = cookie("k".to_owned(), false).to_string();
        assert_eq!(plain, "boss=k; HttpOnly; SameSite=Lax; Path=/");
        let tls = cookie("k".to_owned(), true).to_string();
        assert_eq!(tls, "__Host-boss=k; HttpOnly; SameSite=Lax; Secure; Path=/");
        let jar = CookieJar::new().add(cookie("others".to_owned(), false));
        assert_eq!((key_in(&jar, true), key_in(&jar, false)), (None, Some("others")));
    }
}
