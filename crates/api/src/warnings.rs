//! Warnings over the API: what a person should change, and actions that help.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use greenroom_control::snapshot::ServerWarning;
use greenroom_control::state::ApiState;

/// The active warnings, most urgent first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WarningsResponse {
    items: Vec<ServerWarning>,
}

/// The active warnings. An action is a request to this API that helps.
#[utoipa::path(get, path = "/api/v1/warnings", responses((status = 200, body = WarningsResponse)))]
pub(super) async fn list(State(state): State<Arc<ApiState>>) -> Json<WarningsResponse> {
    if let Some(recommender) = &state.control.recommender {
        recommender.measure().await;
        recommender.evaluate();
    }
    Json(WarningsResponse { items: state.control.sorted_warnings() })
}
