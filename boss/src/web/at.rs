//! What an address names.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::trouble::Trouble;
use crate::server::Boss;

/// What is named in the path. What can't be a name names nothing.
pub(super) struct At<T>(pub(super) T);

/// What is said after the question mark.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Boss>> for At<T> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, boss: &Arc<Boss>) -> Result<Self, Trouble> {
        match Path::from_request_parts(parts, boss).await {
            Ok(Path(named)) => Ok(Self(named)),
            Err(rejection) => {
                let why = rejection.body_text();
                let message = format!("There is no such page: {why}. The lists lead to all pages.");
                Err(Trouble::new(StatusCode::NOT_FOUND, message))
            }
        }
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Boss>> for Asked<T> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, boss: &Arc<Boss>) -> Result<Self, Trouble> {
        match Query::from_request_parts(parts, boss).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => {
                let message = format!(
                    "What the address has after the question mark makes no sense: {}. Leave that \
                     out, or go there by the pages' links.",
                    rejection.body_text()
                );
                Err(Trouble::new(StatusCode::BAD_REQUEST, message))
            }
        }
    }
}
