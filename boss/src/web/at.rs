//! What an address names.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::trouble::Trouble;
use crate::server::Boss;

/// What is named in the path. What can't be a name names nothing.
pub(super) struct At<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Boss>> for At<T> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, boss: &Arc<Boss>) -> Result<Self, Trouble> {
        match Path::from_request_parts(parts, boss).await {
            Ok(Path(named)) => Ok(Self(named)),
            Err(rejection) => Err(Trouble::new(StatusCode::NOT_FOUND, rejection.body_text())),
        }
    }
}
