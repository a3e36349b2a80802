//! Statistics of the cache, its purge and its warming over the API.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_dialect::class::Class;
use serde::Deserialize;
use utoipa::ToSchema;

use greenroom_control::class_name::check_class;
use greenroom_control::error::Problem;
use greenroom_control::json_body::{ActionResponse, JsonBody};
use greenroom_control::servers::ServerStats;
use greenroom_control::snapshot::StatsSnapshot;
use greenroom_control::state::ApiState;
use greenroom_jobs::warming;
use greenroom_proxy::read::origin_loader::class_tag;

/// Selects one server or all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WhichServer)]
pub(super) struct ServerSelector {
    /// The server's name; all if absent.
    server: Option<String>,
}

/// Purge request: everything of one server or all, or only one request type or tag.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClearWhat)]
pub(super) struct ClearCacheRequest {
    server: Option<String>,
    class: Option<String>,
    tag: Option<String>,
}

/// All statistics.
#[utoipa::path(get, path = "/api/v1/cache/stats", responses((status = 200, body = StatsSnapshot)))]
pub(super) async fn stats(State(state): State<Arc<ApiState>>) -> Json<StatsSnapshot> {
    Json(state.control.snapshot())
}

/// The servers and their state.
#[utoipa::path(get, path = "/api/v1/servers", responses((status = 200, body = Vec<ServerStats>)))]
pub(super) async fn servers(State(state): State<Arc<ApiState>>) -> Json<Vec<ServerStats>> {
    Json(state.control.snapshot().servers)
}

/// Purges cached responses. The statistics go on.
#[utoipa::path(
    post,
    path = "/api/v1/cache/clear",
    request_body = Option<ClearCacheRequest>,
    responses((status = 200, body = ActionResponse), (status = 404, description = "No such server or request type")),
)]
pub(super) async fn clear(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<ClearCacheRequest>,
) -> Result<Json<ActionResponse>, Problem> {
    let request = body.or_default();
    let for_server = request.server.as_ref().map_or_else(String::new, |name| format!(" for {name}"));
    let server_name = request.server.as_deref();
    if request.class.is_none() && request.tag.is_none() {
        state.control.clear(server_name)?;
        state.control.cache.flush_invalidations().await;
        let message = format!("Cleared the cache{for_server}. The statistics go on.");
        return Ok(Json(ActionResponse::succeeded(message)));
    }
    check_class(request.class.as_deref())?;
    if let Some(class) = request.class.as_deref().and_then(Class::parse) {
        state.control.clear_tag(server_name, class_tag(class).as_str())?;
    }
    if let Some(tag) = &request.tag {
        state.control.clear_tag(server_name, tag)?;
    }
    state.control.cache.flush_invalidations().await;
    Ok(Json(ActionResponse::succeeded(format!("Cleared these cached responses{for_server}."))))
}

/// Refreshes the warm keys.
#[utoipa::path(
    post,
    path = "/api/v1/cache/warm",
    request_body = Option<ServerSelector>,
    responses(
        (status = 200, body = ActionResponse),
        (status = 404, description = "No such server"),
        (status = 409, description = "A warming run is already in progress"),
    ),
)]
pub(super) async fn warm(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<ServerSelector>,
) -> Result<Json<ActionResponse>, Problem> {
    let selector = body.or_default();
    let warmed = state.control.warm(selector.server.as_deref()).await?;
    let message = warming::summary(warmed);
    Ok(Json(ActionResponse::warmed(message, warmed)))
}
