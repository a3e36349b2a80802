//! The part of the API that dashboards read: the dashboard's own figures, the history of plays, and the API paths of
//! other dashboards ([`compat`]).

mod compat;
mod dashboard_api;
mod history_api;

use std::sync::Arc;

use greenroom_control::state::ApiState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use compat::routes as compat_routes;

/// The routes of dashboards and of the history of plays.
pub fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(dashboard_api::summary))
        .routes(routes!(dashboard_api::figures))
        .routes(routes!(history_api::page))
        .routes(routes!(history_api::sync))
}
