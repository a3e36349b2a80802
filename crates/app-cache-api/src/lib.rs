//! The API of the caches for apps: routes below `/api/v1/caches`, for the router of a control plane that puts
//! [`AppCaches`](greenroom_app_cache::AppCaches) into the extensions of each request and checks the token of each request.
//!
//! Modules: `caches`, `entries` (one entry), `entry_response` (an entry as a response), `operations` (what changes an
//! entry in its place), `leases`, `batch`, `invalidation` (with flushing), `listing`, `parameters` (of URLs), `request`
//! (names and bodies), `problem`.

mod batch;
mod caches;
mod entries;
mod entry_response;
mod invalidation;
mod leases;
mod listing;
mod operations;
mod parameters;
mod problem;
mod request;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes of all caches.
pub fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new()
        .routes(routes!(caches::all))
        .routes(routes!(caches::one, caches::remove))
        .routes(routes!(caches::sequence))
        .routes(routes!(listing::list))
        .routes(routes!(entries::get, entries::put, entries::delete))
        .routes(routes!(operations::pop))
        .routes(routes!(operations::touch))
        .routes(routes!(operations::increment))
        .routes(routes!(operations::retag))
        .routes(routes!(leases::acquire, leases::release))
        .routes(routes!(leases::fence))
        .routes(routes!(batch::run))
        .routes(routes!(batch::look_up))
        .routes(routes!(invalidation::invalidate))
        .routes(routes!(invalidation::flush))
}
