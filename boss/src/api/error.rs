//! Why something isn't done, as JSON.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, ErrorKind};

/// Why something isn't done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `failed`, `invalid`, `not-found`, `conflict`, `refused` or `unauthenticated`.
    pub(super) kind: &'static str,
    /// What, where, and what to do about it.
    pub(super) message: String,
}

/// The same with its status.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    problem: Problem,
}

/// What a handler answers.
pub(super) type Reply<T> = Result<Json<T>, ApiError>;

impl ApiError {
    /// Nobody is known by the token that came, or none came.
    pub(super) fn unauthenticated(message: &str) -> Self {
        let problem = Problem { kind: "unauthenticated", message: message.to_owned() };
        Self { status: StatusCode::UNAUTHORIZED, problem }
    }

    /// The request makes no sense.
    pub(super) fn request(status: StatusCode, message: String) -> Self {
        Self { status, problem: Problem { kind: ErrorKind::Invalid.name(), message } }
    }
}

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        let error = error.into();
        let status = StatusCode::from_u16(error.kind.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = if error.kind == ErrorKind::Failed {
            // Paths and statements are the operator's.
            tracing::error!("REST: {error}");
            "it failed, and boss' log says why".to_owned()
        } else {
            error.to_string()
        };
        Self { status, problem: Problem { kind: error.kind.name(), message } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// No such path.
pub(super) async fn nothing() -> ApiError {
    ErrorKind::NotFound.because("there is nothing here; /api/v1/openapi.json says what is").into()
}

/// No such method there.
pub(super) async fn not_so() -> ApiError {
    let message = "not by this method; /api/v1/openapi.json says by which";
    ApiError::request(StatusCode::METHOD_NOT_ALLOWED, message.to_owned())
}
