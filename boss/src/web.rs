//! The pages, for people with a browser.
//!
//! Made by the server of `templates/`, they work without JavaScript; `static/boss.js` only brings
//! what changes while one looks. Who isn't signed in gets nothing but the page for that:
//! `guard` stands before all other routes, and takes forms only from the pages themselves. What
//! somebody may is asked in [`access`](crate::access), as everywhere, whatever a page has shown.

mod assets;
mod at;
mod experiments;
mod fields;
mod guard;
mod headers;
mod home;
mod images;
mod limit;
mod me;
mod nodes;
mod page;
mod people;
mod signin;
mod sitevars;
mod swaps;
mod trouble;
mod zone;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::server::Boss;

pub use limit::Limits;
pub use swaps::Watches;

/// All pages.
pub(crate) fn router(boss: &Arc<Boss>) -> Router<Arc<Boss>> {
    let inside = Router::new()
        .merge(home::router())
        .merge(experiments::router())
        .merge(swaps::router())
        .merge(signin::inside())
        .merge(images::router())
        .merge(me::router())
        .merge(nodes::router())
        .merge(people::router())
        .merge(sitevars::router())
        .fallback(trouble::nothing)
        .method_not_allowed_fallback(trouble::not_so)
        .layer(from_fn_with_state(Arc::clone(boss), guard::guard));
    let outside = Router::new().merge(signin::outside()).merge(assets::router());
    inside
        .merge(outside)
        .layer(from_fn_with_state(Arc::clone(boss), headers::set))
        .layer(from_fn(trouble::shown))
}
