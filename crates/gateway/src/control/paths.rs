//! Every path there is. What each may is decided at the gate, which lets nothing pass that is not listed there.

use std::sync::{Arc, LazyLock};

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::{
    Plane, api, compatible, dashboard, decisions, gate, health, history, jobs, libraries, live, matching,
    metrics, modes, notices, openapi, page, playlists, policies, statistics, warnings,
};

/// Made once: a description is long.
static PATHS: LazyLock<(Router<Arc<Plane>>, OpenApi)> = LazyLock::new(|| {
    let (router, mut description) = described().split_for_parts();
    openapi::complete(&mut description);
    let nothing_here = || async { Problem::NOTHING_HERE };
    let wrong_method = || async { Problem::WRONG_METHOD };
    let router =
        router.merge(page::routes()).fallback(nothing_here).method_not_allowed_fallback(wrong_method);
    (router, description)
});

/// Every path, behind the gate.
pub(super) fn router(plane: Arc<Plane>) -> Router {
    let gate = axum::middleware::from_fn_with_state(Arc::clone(&plane), gate::admit);
    PATHS.0.clone().layer(gate).with_state(plane)
}

/// Every path, before the gate: for tests that walk them.
#[cfg(test)]
pub(super) fn everything() -> &'static Router<Arc<Plane>> {
    &PATHS.0
}

/// What the paths are for.
pub(super) fn description() -> &'static OpenApi {
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
        .routes(routes!(modes::turn))
        .routes(routes!(modes::observed))
        .routes(routes!(modes::bypasses, modes::bypass, modes::no_bypass))
        .routes(routes!(modes::tell_why))
        .routes(routes!(matching::look_up::tracks))
        .routes(routes!(matching::look_up::paths))
        .routes(routes!(matching::look_up::ids))
        .routes(routes!(matching::rulings::list, matching::rulings::pin, matching::rulings::take_back))
        .routes(routes!(matching::rulings::disown))
        .routes(routes!(matching::rulings::write_out, matching::rulings::read_in))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::run))
        .routes(routes!(jobs::cancel))
        .routes(routes!(policies::list, policies::change, policies::reset))
        .routes(routes!(policies::invalidate))
        .routes(routes!(warnings::list))
        .routes(routes!(decisions::last))
        .routes(routes!(statistics::rows))
        .routes(routes!(statistics::series))
        .routes(routes!(statistics::today))
        .routes(routes!(statistics::spot_checks, statistics::enable_spot_checks))
        .routes(routes!(statistics::what_if))
        .routes(routes!(libraries::all))
        .routes(routes!(libraries::one, libraries::choose))
        .routes(routes!(libraries::build))
        .routes(routes!(libraries::cancel))
        .routes(routes!(libraries::progress))
        .routes(routes!(notices::test))
        .routes(routes!(playlists::sync))
        .routes(routes!(playlists::runs))
        .routes(routes!(playlists::standing))
        .routes(routes!(playlists::run_standing))
        .routes(routes!(playlists::run))
        .routes(routes!(playlists::cancel))
        .routes(routes!(playlists::missing))
        .routes(routes!(playlists::rows))
        .merge(compatible::routes())
        .routes(routes!(dashboard::summary))
        .routes(routes!(dashboard::figures))
        .routes(routes!(history::page))
        .routes(routes!(history::sync))
}
