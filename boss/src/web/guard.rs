//! What stands before all pages but the one to sign in: who asks, and does a form come from us?

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;

use super::fields::Fields;
use super::headers::Way;
use super::signin;
use super::trouble::{Trouble, as_page};
use crate::access::Actor;
use crate::boot::Digest;
use crate::db::sessions::Session;
use crate::server::Boss;

/// The largest form: an experiment with all the nodes that one can have.
const LARGEST: usize = 256 << 10;
/// The field of forms that shows where they come from.
const CSRF: &str = "csrf";

/// Who is signed in. Handlers take it as an argument, and have it on every route behind the guard.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Who, for the question what they may.
    pub(super) actor: Actor,
    /// Their session.
    pub(super) session: Session,
    /// What forms have to say.
    pub(super) csrf: String,
}

impl FromRequestParts<Arc<Boss>> for Visitor {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Boss>) -> Result<Self, Trouble> {
        let visitor = parts.extensions.get::<Self>().cloned();
        visitor.ok_or_else(|| Trouble::new(StatusCode::UNAUTHORIZED, "Sign in first."))
    }
}

/// Lets through who is signed in, and their forms if they come from our pages.
pub(super) async fn guard(State(boss): State<Arc<Boss>>, request: Request, next: Next) -> Response {
    let tls = request.extensions().get::<Way>().is_some_and(|way| way.tls);
    let visitor = match visitor(&boss, request.headers(), tls).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) if asks_for_page(&request) => {
            return Redirect::to(&signin::then(request.uri())).into_response();
        }
        Ok(None) => {
            // Who isn't heard out may not hear the answer: the connection would be reset.
            drop(to_bytes(request.into_body(), LARGEST).await);
            let message = "Your session is over, and nothing was done. Sign in, and do it again.";
            return Trouble::new(StatusCode::UNAUTHORIZED, message).into_response();
        }
        Err(trouble) => return trouble.into_response(),
    };
    let response = match checked(request, &visitor).await {
        Ok(request) => next.run(request).await,
        Err(trouble) => trouble.into_response(),
    };
    as_page(response, Some(&visitor))
}

/// Whose session the request's cookie is.
async fn visitor(boss: &Boss, headers: &HeaderMap, tls: bool) -> Result<Option<Visitor>, Trouble> {
    let jar = CookieJar::from_headers(headers);
    let Some(key) = signin::key_in(&jar, tls) else { return Ok(None) };
    let Some(session) = boss.db.session(key).await? else { return Ok(None) };
    let actor = Actor { user: session.user.clone() };
    Ok(Some(Visitor { actor, session, csrf: csrf(key) }))
}

/// What the forms of a session say. It says nothing of the session's key.
fn csrf(key: &str) -> String {
    Digest::of(&format!("csrf {key}")).to_hex()
}

fn asks_for_page(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The request for its handler: with its visitor and, of a form, its fields.
async fn checked(request: Request, visitor: &Visitor) -> Result<Request, Trouble> {
    let is_form = !asks_for_page(&request);
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(visitor.clone());
    if !is_form {
        return Ok(Request::from_parts(parts, Body::empty()));
    }
    let bytes = to_bytes(body, LARGEST).await.map_err(|_| {
        let message = format!("The form is larger than {LARGEST} bytes, or was broken off.");
        Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    })?;
    is_ours(&parts.headers)?;
    let fields = Fields::read(&parts.headers, &bytes)?;
    if fields.text(CSRF) != visitor.csrf {
        return Err(foreign());
    }
    parts.extensions.insert(fields);
    Ok(Request::from_parts(parts, Body::empty()))
}

/// Whether a browser says that a form is of one of our pages. Browsers that say nothing have to
/// have the form's secret.
pub(super) fn is_ours(headers: &HeaderMap) -> Result<(), Trouble> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(foreign()) };
    }
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = origin.split_once("://").map(|(_, host)| host);
    if host.is_some() && host == text(header::HOST) { Ok(()) } else { Err(foreign()) }
}

fn foreign() -> Trouble {
    Trouble::new(
        StatusCode::FORBIDDEN,
        "The form came from another site, or from before you signed in, and nothing was done. Go to \
         its page again, and send it from there.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_other_sites_are_found() {
        let ours = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert("host", "boss.example.org".parse().unwrap());
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            is_ours(&headers).is_ok()
        };
        assert!(ours(&[]));
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(!ours(&[("sec-fetch-site", "cross-site")]));
        assert!(!ours(&[("sec-fetch-site", "same-site")]));
        assert!(ours(&[("origin", "https://boss.example.org")]));
        assert!(!ours(&[("origin", "https://other.example.org")]));
        assert!(!ours(&[("origin", "https://boss.example.org.evil")]));
        assert!(!ours(&[("origin", "null")]));
    }

    #[test]
    fn a_forms_secret_is_the_sessions() {
        assert_eq!(csrf("a").len(), 64);
        assert_eq!(csrf("a"), csrf("a"));
        assert_ne!(csrf("a"), csrf("b"));
    }
}
