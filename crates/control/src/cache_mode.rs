//! Cache modes over the API: the mode of a server, bypasses, results of observe mode, and explanations of reads.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_dialect::credential::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{ActionResponse, JsonBody};
use crate::class_name::check_class;
use crate::control::{ApiState, ControlPlane};
use crate::error::Problem;
use crate::explain;
use crate::explain::explanation::Explanation;
use greenroom_config::CacheMode;
use greenroom_proxy::bypass::{Bypass, BypassError, Bypasses};
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::ShadowReport;

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
pub(super) async fn observations(State(plane): State<Arc<ApiState>>) -> Json<Vec<ObservationResponse>> {
    let observed = |server: &Arc<Server>| ObservationResponse {
        server: server.name().to_owned(),
        mode: server.mode(),
        report: server.shadow_report(),
    };
    Json(plane.control.select_servers(None).map(observed).collect())
}

/// Sets the mode of one server or all.
#[utoipa::path(
    put,
    path = "/api/v1/mode",
    request_body = SetModeRequest,
    responses(
        (status = 200, body = ActionResponse),
        (status = 404, description = "No such server"),
        (status = 409, description = "Too much is bypassed already"),
        (status = 507, description = "The change cannot be kept"),
    ),
)]
pub(super) async fn set_mode(
    State(plane): State<Arc<ApiState>>,
    body: JsonBody<SetModeRequest>,
) -> Result<Json<ActionResponse>, Problem> {
    let turn = body.required()?;
    plane.control.set_mode(turn.server.as_deref(), turn.mode).await?;
    let whose = turn.server.as_ref().map_or_else(|| "all servers".to_owned(), |name| format!("server {name}"));
    let what = match turn.mode {
        CacheMode::Cache => "are answered from the cache where that is allowed",
        CacheMode::Observe => "are answered by the server; the cache only observes, from here on",
        CacheMode::Bypass => "are answered by the server, as without Greenroom",
    };
    let is_bypassed = turn.mode != CacheMode::Bypass
        && plane.control.select_servers(turn.server.as_deref()).any(|server| server.mode() == CacheMode::Bypass);
    let but = if is_bypassed { " But all servers together are still bypassed: take that back first." } else { "" };
    Ok(Json(ActionResponse::succeeded(format!("Reads of {whose} {what}.{but}"))))
}

/// The active bypasses.
#[utoipa::path(get, path = "/api/v1/bypass", responses((status = 200, body = BypassesResponse)))]
pub(super) async fn bypasses(State(plane): State<Arc<ApiState>>) -> Json<BypassesResponse> {
    Json(BypassesResponse { bypasses: plane.control.bypasses() })
}

/// Adds a bypass.
#[utoipa::path(
    put,
    path = "/api/v1/bypass",
    request_body = Option<Bypass>,
    responses(
        (status = 200, body = BypassesResponse),
        (status = 404, description = "No such server, or no such class"),
        (status = 409, description = "Too much is bypassed already"),
        (status = 507, description = "The change cannot be kept"),
    ),
)]
pub(super) async fn bypass(
    State(plane): State<Arc<ApiState>>,
    body: JsonBody<Bypass>,
) -> Result<Json<BypassesResponse>, Problem> {
    let bypass = body.or_default();
    plane.control.bypass(bypass).await?;
    Ok(Json(BypassesResponse { bypasses: plane.control.bypasses() }))
}

/// Removes bypasses.
#[utoipa::path(
    delete,
    path = "/api/v1/bypass",
    request_body = Option<Bypass>,
    responses(
        (status = 200, body = BypassesResponse),
        (status = 404, description = "No such server, or no such class"),
        (status = 507, description = "The change cannot be kept"),
    ),
)]
pub(super) async fn remove_bypass(
    State(plane): State<Arc<ApiState>>,
    body: JsonBody<Bypass>,
) -> Result<Json<BypassesResponse>, Problem> {
    let bypass = body.or_default();
    plane.control.remove_bypasses_within(bypass).await?;
    Ok(Json(BypassesResponse { bypasses: plane.control.bypasses() }))
}

/// Explains how and why a read is answered.
#[utoipa::path(
    post,
    path = "/api/v1/why",
    request_body = ExplainRequest,
    responses((status = 200, body = Explanation), (status = 404, description = "No such server")),
)]
pub(super) async fn explain_read(
    State(plane): State<Arc<ApiState>>,
    body: JsonBody<ExplainRequest>,
) -> Result<Json<Explanation>, Problem> {
    let asked = body.required()?;
    let server = plane.control.server_for_url(&asked.url, asked.server.as_deref())?;
    let question = explain::ExplainQuery {
        url: asked.url,
        token: asked.token.filter(|token| !token.is_empty()).map(Secret::new),
        headers: explain::headers(&asked.headers).map_err(|_| Problem::BAD_BODY)?,
    };
    explain::explain(&server, &question).await.map(Json).map_err(|_| Problem::NO_ADDRESS)
}

impl ControlPlane {
    /// Sets the mode of one server or all. This ends a bypass of the whole server.
    async fn set_mode(&self, only: Option<&str>, mode: CacheMode) -> Result<(), Problem> {
        self.check_server(only)?;
        let whole = Bypass { server: only.map(str::to_owned), ..Bypass::default() };
        match mode {
            // A bypass is stored and survives a restart; a mode lasts until the restart.
            CacheMode::Bypass => return self.bypass(whole).await,
            CacheMode::Cache | CacheMode::Observe => self.remove_bypass(whole).await?,
        }
        for server in self.select_servers(only) {
            if server.set_mode(mode) {
                tracing::info!(server = server.name(), mode = mode.name(), "reads are answered in another mode");
            }
        }
        Ok(())
    }

    async fn bypass(&self, bypass: Bypass) -> Result<(), Problem> {
        self.check_bypass(&bypass)?;
        self.change_bypasses(move |bypasses| bypasses.add(&bypass)).await
    }

    /// Removes all bypasses within `bypass`, including those of whole servers from the configuration.
    async fn remove_bypasses_within(&self, bypass: Bypass) -> Result<(), Problem> {
        self.check_bypass(&bypass)?;
        self.remove_bypass(bypass.clone()).await?;
        let whole = bypass.class.is_none() && bypass.app.is_none();
        for server in self.select_servers(bypass.server.as_deref()) {
            if whole && server.modes.switch.mode() == CacheMode::Bypass {
                server.set_mode(CacheMode::Cache);
            }
        }
        Ok(())
    }

    async fn remove_bypass(&self, bypass: Bypass) -> Result<(), Problem> {
        self.change_bypasses(move |bypasses| bypasses.remove(&bypass)).await
    }

    /// Changes the list of bypasses, which all servers share.
    async fn change_bypasses(
        &self,
        change: impl FnOnce(&Bypasses) -> Result<bool, BypassError> + Send + 'static,
    ) -> Result<(), Problem> {
        let Some(server) = self.servers.first().map(|shown| Arc::clone(&shown.server)) else { return Ok(()) };
        let bypasses = Arc::clone(&server.modes.bypasses);
        let lane = bypasses.lane.clone();
        let changed = lane.run(move || change(&bypasses)).await;
        let changed = changed.unwrap_or_else(|undone| Err(BypassError::NotSaved(undone.to_string())));
        let has_changed = changed.map_err(|unchanged| match unchanged {
            BypassError::TooMany => Problem::TOO_MANY_BYPASSES,
            BypassError::NotSaved(reason) => {
                tracing::warn!(reason, "the list of what is bypassed stays as it was");
                Problem::NOT_KEPT
            }
        })?;
        if has_changed {
            tracing::info!(bypasses = server.modes.bypasses.list().len(), "what is bypassed has changed");
        }
        Ok(())
    }

    fn check_bypass(&self, bypass: &Bypass) -> Result<(), Problem> {
        self.check_server(bypass.server.as_deref())?;
        check_class(bypass.class.as_deref())
    }
}
