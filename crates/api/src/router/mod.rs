//! All routes and their OpenAPI document ([`openapi`]). The access policy decides which requests pass; paths it does
//! not list are closed.

pub(crate) mod openapi;

use std::sync::{Arc, LazyLock};

use axum::{Extension, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{cache_api, decisions, health, live_api, metrics, policies, session_api, stored_api, warnings};
use crate::{cache_mode, cluster, jobs_api, notifications_api, statistics_api};
use greenroom_control::error::Problem;
use greenroom_control::state::ApiState;

/// Built once, because the document is large.
static PATHS: LazyLock<(Router<Arc<ApiState>>, OpenApi)> = LazyLock::new(|| {
    let (router, mut description) = documented_routes().split_for_parts();
    openapi::complete(&mut description);
    let not_found = || async { Problem::NOT_FOUND };
    let method_not_allowed = || async { Problem::METHOD_NOT_ALLOWED };
    let router = router
        .merge(greenroom_control::web::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    (router, description)
});

/// All routes, behind the middleware that checks requests.
pub(crate) fn router(state: Arc<ApiState>) -> Router {
    let authorize = axum::middleware::from_fn_with_state(Arc::clone(&state), greenroom_control::middleware::authorize);
    let caches = Extension(state.control.app_caches.clone());
    PATHS.0.clone().layer(caches).layer(authorize).with_state(state)
}

/// The routes of the caches for apps alone, behind the same middleware.
pub(crate) fn caches_router(state: Arc<ApiState>) -> Router {
    let authorize = axum::middleware::from_fn_with_state(Arc::clone(&state), greenroom_control::middleware::authorize);
    let (router, _) = greenroom_app_cache_api::routes::<Arc<ApiState>>().split_for_parts();
    let not_found = || async { Problem::NOT_FOUND };
    let method_not_allowed = || async { Problem::METHOD_NOT_ALLOWED };
    let router = router.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    router.layer(Extension(state.control.app_caches.clone())).layer(authorize).with_state(state)
}

/// All routes without that middleware, for tests that walk them.
#[cfg(test)]
pub(crate) fn unguarded_router() -> &'static Router<Arc<ApiState>> {
    &PATHS.0
}

/// The OpenAPI document.
pub(crate) fn description() -> &'static OpenApi {
    &PATHS.1
}

/// API routes: path and method come from the handlers' annotations. Each topic is a function of its own, so that a changed
/// handler lets the compiler check the routes of its topic anew, not all.
fn documented_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::with_openapi(openapi::base_document())
        .merge(process_routes())
        .merge(gateway_routes())
        .merge(stored_routes())
        .merge(mode_routes())
        .merge(job_routes())
        .merge(policy_routes())
        .merge(overview_routes())
        .merge(statistics_routes())
        .merge(greenroom_library_api::routes())
        .merge(greenroom_dashboard_api::compat_routes())
        .merge(greenroom_library_api::folders_api::routes())
        .merge(greenroom_app_cache_api::routes())
        .merge(greenroom_dashboard_api::routes())
}

/// Health, metrics, and this document.
fn process_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::scrape))
        .routes(routes!(openapi::document))
}

/// Log-in to the control plane, the servers, their statistics.
fn gateway_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(session_api::whoami, session_api::login, session_api::logout))
        .routes(routes!(cache_api::servers))
        .routes(routes!(live_api::watch))
        .routes(routes!(cache_api::stats))
        .routes(routes!(cache_api::clear))
        .routes(routes!(cache_api::warm))
}

/// Routes that list stored entries.
fn stored_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(stored_api::list_stored))
        .routes(routes!(stored_api::show_stored))
        .routes(routes!(stored_api::count_stored))
        .routes(routes!(stored_api::verify_stored))
        .routes(routes!(stored_api::vacuum_stored))
        .routes(routes!(stored_api::back_up))
}

/// Modes of the cache, bypasses, and why a read gets its response.
fn mode_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(cache_mode::set_mode))
        .routes(routes!(cache_mode::observations))
        .routes(routes!(cache_mode::bypasses, cache_mode::bypass, cache_mode::remove_bypass))
        .routes(routes!(cache_mode::explain_read))
}

/// Jobs.
fn job_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(jobs_api::list))
        .routes(routes!(jobs_api::run))
        .routes(routes!(jobs_api::cancel))
}

/// Lifetimes and invalidations.
fn policy_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(policies::list, policies::change, policies::reset))
        .routes(routes!(policies::invalidate))
}

/// Warnings, gateways, recent requests, notices.
fn overview_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(warnings::list))
        .routes(routes!(cluster::show))
        .routes(routes!(decisions::last))
        .routes(routes!(notifications_api::test))
}

/// Statistics of the past.
fn statistics_routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(statistics_api::rows))
        .routes(routes!(statistics_api::series))
        .routes(routes!(statistics_api::today))
        .routes(routes!(statistics_api::spot_checks, statistics_api::enable_spot_checks))
        .routes(routes!(statistics_api::what_if))
}
