//! Why something isn't shown or done, as a page.

use askama::Template;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use super::guard::Visitor;
use super::page::{Page, Part};
use crate::error::{Error, ErrorKind};

/// Why something isn't shown or done.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    status: StatusCode,
    message: String,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage {
    page: Page,
    message: String,
}

impl Trouble {
    /// With a status that isn't one of an [`ErrorKind`].
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// What, where, and what to do about it: for pages that show it beside their forms.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The status of a page that does so.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        let error = error.into();
        let status = StatusCode::from_u16(error.kind.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if error.kind == ErrorKind::Failed {
            // Paths and statements are the operator's.
            tracing::error!("page: {error}");
            let message = "It failed, and boss' log says why. Try again; if it fails again, tell \
                           the testbed's operators what you did, and when.";
            return Self::new(status, message);
        }
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Makes a page of what a handler has answered, if that is a [`Trouble`]. The [`guard`](super::guard)
/// does the same before for who is signed in.
pub(super) async fn shown(request: Request, next: Next) -> Response {
    as_page(next.run(request).await, None)
}

/// The page for a trouble, for this visitor; other replies stay.
pub(super) fn as_page(mut response: Response, visitor: Option<&Visitor>) -> Response {
    let Some(Trouble { status, message }) = response.extensions_mut().remove() else {
        return response;
    };
    let title = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::UNAUTHORIZED => "Not signed in",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "Too much at once",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::CONFLICT => "Not now",
        status if status.is_client_error() => "That makes no sense",
        _ => "That failed",
    };
    let page = match visitor {
        Some(visitor) => Page::without_notice(visitor, Part::None, title),
        None => Page::for_nobody(title),
    };
    let mut page = match (TroublePage { page, message }).render() {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => status.into_response(),
    };
    for (name, value) in response.headers() {
        if !page.headers().contains_key(name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}

/// No such page.
pub(super) async fn nothing() -> Trouble {
    Trouble::new(
        StatusCode::NOT_FOUND,
        "There is no such page. The links above lead to all that there is.",
    )
}

/// No such method there.
pub(super) async fn not_so() -> Trouble {
    let message = "This address is for a form's answer. Go back to the page with the form.";
    Trouble::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
