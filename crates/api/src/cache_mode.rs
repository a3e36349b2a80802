//! Cache modes over the API: the mode of a server, bypasses, results of observe mode, and explanations of reads.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_dialect::credential::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use greenroom_config::CacheMode;
use greenroom_control::error::Problem;
use greenroom_control::explain;
use greenroom_control::explain::explanation::Explanation;
use greenroom_control::json_body::{ActionResponse, JsonBody};
use greenroom_control::state::ApiState;
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::ShadowReport;
use greenroom_state::bypass::Bypass;

/// Sets the mode of one server, or of all if none is named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ModeTurn)]
pub(super) struct SetModeRequest {
    server: Option<String>,
    mode: CacheMode,
}

/// The read to explain.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WhyAsked)]
pub(super) struct ExplainRequest {
    url: String,
    server: Option<String>,
    token: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
}

/// The active bypasses.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BypassesResponse {
    bypasses: Vec<Bypass>,
}

/// Results of observe mode for one server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ObservationResponse {
    server: String,
    mode: CacheMode,
    /// The report so far, or of the last observation; absent if there was none.
    report: Option<ShadowReport>,
}

/// Results of observe mode by server.
#[utoipa::path(get, path = "/api/v1/observe", responses((status = 200, body = Vec<ObservationResponse>)))]
pub(super) async fn observations(State(state): State<Arc<ApiState>>) -> Json<Vec<ObservationResponse>> {
    let response = |server: &Arc<Server>| ObservationResponse {
        server: server.name().to_owned(),
        mode: server.mode(),
        report: server.shadow_report(),
    };
    let of_apis = state.control.apis.iter().map(|api| {
        let stats = api.stats();
        ObservationResponse { server: stats.name, mode: stats.mode, report: stats.observed }
    });
    Json(state.control.select_servers(None).map(response).chain(of_apis).collect())
}

/// Sets the mode of one server or all.
#[utoipa::path(
    put,
    path = "/api/v1/mode",
    request_body = SetModeRequest,
    responses(
        (status = 200, body = ActionResponse),
        (status = 404, description = "No such server"),
        (status = 409, description = "The limit of bypasses is reached"),
        (status = 507, description = "The change cannot be saved"),
    ),
)]
pub(super) async fn set_mode(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<SetModeRequest>,
) -> Result<Json<ActionResponse>, Problem> {
    let request = body.required()?;
    state.control.set_mode(request.server.as_deref(), request.mode).await?;
    let servers = request.server.as_ref().map_or_else(|| "all servers".to_owned(), |name| format!("server {name}"));
    let effect = match request.mode {
        CacheMode::Cache => "are answered from the cache where possible",
        CacheMode::Observe => "are answered by the server; the cache only observes",
        CacheMode::Bypass => "are answered by the server; the cache is bypassed",
    };
    let is_bypassed = request.mode != CacheMode::Bypass
        && (state.control.select_servers(request.server.as_deref()).any(|server| server.mode() == CacheMode::Bypass)
            || state.control.select_apis(request.server.as_deref()).any(|server| server.mode() == CacheMode::Bypass));
    let warning = if is_bypassed { " The bypass of all servers is still active; remove it first." } else { "" };
    Ok(Json(ActionResponse::succeeded(format!("Reads of {servers} {effect}.{warning}"))))
}

/// The active bypasses.
#[utoipa::path(get, path = "/api/v1/bypass", responses((status = 200, body = BypassesResponse)))]
pub(super) async fn bypasses(State(state): State<Arc<ApiState>>) -> Json<BypassesResponse> {
    Json(BypassesResponse { bypasses: state.control.bypasses() })
}

/// Adds a bypass.
#[utoipa::path(
    put,
    path = "/api/v1/bypass",
    request_body = Option<Bypass>,
    responses(
        (status = 200, body = BypassesResponse),
        (status = 404, description = "No such server or request type"),
        (status = 409, description = "The limit of bypasses is reached"),
        (status = 507, description = "The change cannot be saved"),
    ),
)]
pub(super) async fn bypass(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<Bypass>,
) -> Result<Json<BypassesResponse>, Problem> {
    let bypass = body.or_default();
    state.control.bypass(bypass).await?;
    Ok(Json(BypassesResponse { bypasses: state.control.bypasses() }))
}

/// Removes bypasses.
#[utoipa::path(
    delete,
    path = "/api/v1/bypass",
    request_body = Option<Bypass>,
    responses(
        (status = 200, body = BypassesResponse),
        (status = 404, description = "No such server or request type"),
        (status = 507, description = "The change cannot be saved"),
    ),
)]
pub(super) async fn remove_bypass(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<Bypass>,
) -> Result<Json<BypassesResponse>, Problem> {
    let bypass = body.or_default();
    state.control.remove_bypasses_within(bypass).await?;
    Ok(Json(BypassesResponse { bypasses: state.control.bypasses() }))
}

/// Explains how and why a read is answered.
#[utoipa::path(
    post,
    path = "/api/v1/why",
    request_body = ExplainRequest,
    responses((status = 200, body = Explanation), (status = 404, description = "No such server")),
)]
pub(super) async fn explain_read(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<ExplainRequest>,
) -> Result<Json<Explanation>, Problem> {
    let request = body.required()?;
    let api = state.control.api_for_url(&request.url, request.server.as_deref());
    let query = explain::ExplainQuery {
        url: request.url,
        token: request.token.filter(|token| !token.is_empty()).map(Secret::new),
        headers: explain::headers(&request.headers).map_err(|_| Problem::BAD_BODY)?,
    };
    if let Some(api) = api {
        return explain::explain_api(&api, &query).await.map(Json).map_err(|_| Problem::NOT_A_URL);
    }
    let server = state.control.server_for_url(&query.url, request.server.as_deref())?;
    explain::explain(&server, &query).await.map(Json).map_err(|_| Problem::NOT_A_URL)
}
