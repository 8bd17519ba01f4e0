//! Images.

#![expect(unused_qualifications, reason = "utoipa writes them")]

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{Problem, Reply};
use super::request::{At, Who, With};
use crate::error::ErrorKind;
use crate::names::{ImageId, ImageName, Pid};
use crate::server::Boss;
use crate::view::Image;

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
struct Version {
    /// Counts from 0; the newest, if it isn't said.
    version: Option<u32>,
}

pub(super) fn router() -> OpenApiRouter<Arc<Boss>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// All versions of the images that are the user's projects', or everybody's.
#[utoipa::path(get, path = "/api/v1/images", operation_id = "list_images", responses(
    (status = 200, body = Vec<Image>), (status = 401, body = Problem)
))]
async fn list(State(boss): State<Arc<Boss>>, Who(actor): Who) -> Reply<Vec<Image>> {
    let mut all = Vec::new();
    for image in boss.db.images().await? {
        if actor.sees_image(&boss.db, &image).await? {
            all.push(Image::of(&boss.db, &image).await?);
        }
    }
    Ok(Json(all))
}

/// A version of an image.
#[utoipa::path(get, path = "/api/v1/images/{pid}/{name}", operation_id = "get_image",
    params(("pid" = String, Path), ("name" = String, Path), Version),
    responses(
        (status = 200, body = Image), (status = 401, body = Problem), (status = 404, body = Problem)
    )
)]
async fn show(
    State(boss): State<Arc<Boss>>,
    Who(actor): Who,
    At((pid, name)): At<(Pid, ImageName)>,
    With(Version { version }): With<Version>,
) -> Reply<Image> {
    let id = ImageId { pid, name, version };
    let none = || ErrorKind::NotFound.because(format_args!("there is no image {id}"));
    let image = boss.db.image(&id).await?.ok_or_else(none)?;
    if !actor.sees_image(&boss.db, &image).await? {
        return Err(none().into());
    }
    Ok(Json(Image::of(&boss.db, &image).await?))
}
