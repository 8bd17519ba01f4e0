//! The description of the interface, made of the code. `boss/openapi.json` is what it was made to
//! last; a test says if it isn't that any more.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::server::Boss;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "boss",
        description = "The control server of a testbed that saves its nodes' disks. Times are \
                       seconds since 1970, sizes bytes. What one may not know of is answered as \
                       if it weren't there.",
    ),
    security(("token" = [])),
    components(schemas(super::error::Problem))
)]
struct Head;

/// The whole document.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Head::openapi();
    document.merge(super::documented().into_openapi());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("What `boss user token` has printed"));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    document
}

/// Where it is.
pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new().route("/api/v1/openapi.json", get(async || Json(document())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let now = document().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let then = std::fs::read_to_string(path).unwrap_or_default();
        assert!(then == now, "boss/openapi.json is old: UPDATE=1 cargo test -p boss makes it new");
    }

    #[test]
    fn all_of_it_says_how_it_fails_and_only_the_status_is_for_everybody() {
        for (path, item) in document().paths.paths {
            let operations = [item.get, item.put, item.post, item.patch, item.delete];
            for operation in operations.into_iter().flatten() {
                let id = operation.operation_id.clone().unwrap_or_default();
                assert_eq!(operation.security.is_some(), !path.starts_with("/api"), "{id}");
                if path.starts_with("/api") {
                    assert!(operation.responses.responses.contains_key("401"), "{id}");
                }
            }
        }
    }
}
