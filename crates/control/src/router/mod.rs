//! Every path there is. What each may is decided at the gate, which lets nothing pass that is not listed there.

pub(crate) mod openapi;

use std::sync::{Arc, LazyLock};

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::middleware;
use crate::error::Problem;
use crate::stored_api;
use crate::{Plane, api, decisions, health, libraries, live, metrics, policies, warnings};
use crate::{
    cache_mode, compat, dashboard_api, history_api, jobs_api, matching_api, notifications_api, playlists_api,
    statistics_api, web,
};

/// Made once: a description is long.
static PATHS: LazyLock<(Router<Arc<Plane>>, OpenApi)> = LazyLock::new(|| {
    let (router, mut description) = described().split_for_parts();
    openapi::complete(&mut description);
    let nothing_here = || async { Problem::NOTHING_HERE };
    let wrong_method = || async { Problem::WRONG_METHOD };
    let router = router.merge(web::routes()).fallback(nothing_here).method_not_allowed_fallback(wrong_method);
    (router, description)
});

/// Every path, behind the gate.
pub(crate) fn router(plane: Arc<Plane>) -> Router {
    let gate = axum::middleware::from_fn_with_state(Arc::clone(&plane), middleware::admit);
    PATHS.0.clone().layer(gate).with_state(plane)
}

/// Every path, before the gate: for tests that walk them.
#[cfg(test)]
pub(crate) fn everything() -> &'static Router<Arc<Plane>> {
    &PATHS.0
}

/// What the paths are for.
pub(crate) fn description() -> &'static OpenApi {
    &PATHS.1
}

/// What programs ask for: path and method come from the handlers' own description.
fn described() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::with_openapi(openapi::beginning())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::scrape))
        .routes(routes!(openapi::document))
        .routes(routes!(api::whoami, api::login, api::logout))
        .routes(routes!(api::servers))
        .routes(routes!(live::watch))
        .routes(routes!(api::stats))
        .routes(routes!(api::clear))
        .routes(routes!(api::warm))
        .routes(routes!(stored_api::list_stored))
        .routes(routes!(stored_api::show_stored))
        .routes(routes!(stored_api::count_stored))
        .routes(routes!(stored_api::verify_stored))
        .routes(routes!(stored_api::vacuum_stored))
        .routes(routes!(stored_api::back_up))
        .routes(routes!(cache_mode::turn))
        .routes(routes!(cache_mode::observed))
        .routes(routes!(cache_mode::bypasses, cache_mode::bypass, cache_mode::no_bypass))
        .routes(routes!(cache_mode::tell_why))
        .routes(routes!(matching_api::lookup::tracks))
        .routes(routes!(matching_api::lookup::paths))
        .routes(routes!(matching_api::lookup::ids))
        .routes(routes!(
            matching_api::overrides::list,
            matching_api::overrides::pin,
            matching_api::overrides::take_back
        ))
        .routes(routes!(matching_api::overrides::disown))
        .routes(routes!(matching_api::overrides::write_out, matching_api::overrides::read_in))
        .routes(routes!(jobs_api::list))
        .routes(routes!(jobs_api::run))
        .routes(routes!(jobs_api::cancel))
        .routes(routes!(policies::list, policies::change, policies::reset))
        .routes(routes!(policies::invalidate))
        .routes(routes!(warnings::list))
        .routes(routes!(decisions::last))
        .routes(routes!(statistics_api::rows))
        .routes(routes!(statistics_api::series))
        .routes(routes!(statistics_api::today))
        .routes(routes!(statistics_api::spot_checks, statistics_api::enable_spot_checks))
        .routes(routes!(statistics_api::what_if))
        .routes(routes!(libraries::all))
        .routes(routes!(libraries::one, libraries::choose))
        .routes(routes!(libraries::build))
        .routes(routes!(libraries::cancel))
        .routes(routes!(libraries::progress))
        .routes(routes!(notifications_api::test))
        .routes(routes!(playlists_api::sync))
        .routes(routes!(playlists_api::runs))
        .routes(routes!(playlists_api::standing))
        .routes(routes!(playlists_api::run_standing))
        .routes(routes!(playlists_api::run))
        .routes(routes!(playlists_api::cancel))
        .routes(routes!(playlists_api::missing))
        .routes(routes!(playlists_api::rows))
        .merge(compat::routes())
        .routes(routes!(dashboard_api::summary))
        .routes(routes!(dashboard_api::figures))
        .routes(routes!(history_api::page))
        .routes(routes!(history_api::sync))
}
