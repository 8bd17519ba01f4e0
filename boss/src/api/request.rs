//! What handlers take of a request. What makes no sense is answered in the form of all errors.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::access::Actor;
use crate::server::Boss;

/// Who asks.
pub(super) struct Who(pub(super) Actor);

/// What the path names.
pub(super) struct At<T>(pub(super) T);

/// What comes after the question mark.
pub(super) struct With<T>(pub(super) T);

/// The body.
pub(super) struct Body<T>(pub(super) T);

impl FromRequestParts<Arc<Boss>> for Who {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, boss: &Arc<Boss>) -> Result<Self, ApiError> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let words = header.and_then(|value| value.to_str().ok()?.split_once(' '));
        let token = words.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            let message = "a header Authorization: Bearer <token> is needed; the operator makes \
                           tokens (boss user token)";
            return Err(ApiError::unauthenticated(message));
        };
        match boss.db.user_of_token(token.trim()).await? {
            Some(user) => Ok(Self(Actor { user })),
            None => Err(ApiError::unauthenticated("the token is none, or has expired")),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        let Path(named) =
            path.map_err(|rejection| ApiError::request(rejection.status(), rejection.body_text()))?;
        Ok(Self(named))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for With<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        let Query(asked) = query
            .map_err(|rejection| ApiError::request(rejection.status(), rejection.body_text()))?;
        Ok(Self(asked))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Json::from_request(request, state).await;
        let Json(said) =
            body.map_err(|rejection| ApiError::request(rejection.status(), rejection.body_text()))?;
        Ok(Self(said))
    }
}
