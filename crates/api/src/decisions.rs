//! The request log: how each request was answered, and why.

use greenroom_cache::clock::millis;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use greenroom_control::ControlPlane;
use greenroom_control::error::Problem;
use greenroom_control::state::ApiState;
use greenroom_request_log::recent_decisions::{MAX_DECISIONS, NumberedDecision};
use greenroom_statistics::DecisionFilter;
use greenroom_statistics::user_names::UserNames;

/// Max log entries per live update.
const MAX_LIVE_ENTRIES: usize = 50;
/// Default number of entries.
const DEFAULT_LIMIT: usize = 100;

/// Filters of the request log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DecisionsQuery {
    /// Max entries: 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Only of this request type.
    class: Option<String>,
    /// Only of this app.
    app: Option<String>,
    /// Only of this server.
    server: Option<String>,
}

/// The last requests, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DecisionsResponse {
    /// At most 500 are stored.
    items: Vec<DecisionEntry>,
}

/// The decision about one request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DecisionEntry {
    /// Increases by one with every entry, also across restarts.
    number: u64,
    /// When it was answered.
    at_ms: u64,
    server: String,
    app: String,
    /// The user: the beginning of a keyed hash; absent before the server is known to accept the token.
    #[schema(value_type = Option<String>)]
    user: Option<greenroom_request_log::UserHash>,
    /// The user's name, if it is known.
    user_name: Option<String>,
    /// The request type, or "writes", "streams", "refused".
    class: &'static str,
    /// Its result.
    verdict: &'static str,
    /// Code of the reason.
    reason: Option<&'static str>,
    status: u16,
    /// Upper limit of the response's age, if it was cached.
    age_s: Option<u64>,
    /// Time until the response began, in microseconds.
    elapsed_us: u64,
    /// Length of the response body, as far as known when it began.
    bytes: u64,
}

impl DecisionEntry {
    fn from_decision((server, decisions): (&str, NumberedDecision), names: &UserNames) -> Self {
        let NumberedDecision { number, decision } = decisions;
        Self {
            number,
            at_ms: decision.at_ms.as_millis(),
            server: server.to_owned(),
            app: decision.app.name.clone(),
            user: decision.user,
            user_name: decision.user.and_then(|user| names.get(server, user)),
            class: decision.category.name(),
            verdict: decision.outcome.result.name(),
            reason: decision.outcome.reason.map(greenroom_request_log::DecisionReason::name),
            status: decision.status,
            age_s: decision.outcome.age_ms.map(|age_ms| age_ms / 1000).map(millis),
            elapsed_us: decision.elapsed_us,
            bytes: decision.bytes,
        }
    }
}

/// The request log: app, request type, result and reason of the last requests.
#[utoipa::path(
    get,
    path = "/api/v1/decisions",
    params(DecisionsQuery),
    responses((status = 200, body = DecisionsResponse), (status = 404, description = "No such server"))
)]
pub(super) async fn last(
    State(state): State<Arc<ApiState>>,
    Query(DecisionsQuery { limit, class, app, server }): Query<DecisionsQuery>,
) -> Result<Json<DecisionsResponse>, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_DECISIONS).contains(&limit) {
        return Err(Problem::BAD_QUERY);
    }
    state.control.check_server(server.as_deref())?;
    state.control.refresh_user_names().await;
    Ok(Json(recent_decisions(&state.control, &DecisionFilter { server, class, app }, 0, limit)))
}

fn recent_decisions(control: &ControlPlane, filter: &DecisionFilter, after: u64, limit: usize) -> DecisionsResponse {
    let decisions = control.statistics.decisions(filter, after, limit);
    DecisionsResponse {
        items: decisions
            .into_iter()
            .map(|decision| DecisionEntry::from_decision(decision, &control.user_names))
            .collect(),
    }
}

/// The entries after this number, newest first, as a live frame, with the newest number.
pub(super) fn decisions_since(control: &ControlPlane, after: u64) -> Option<(u64, bytes::Bytes)> {
    let decisions = recent_decisions(control, &DecisionFilter::default(), after, MAX_LIVE_ENTRIES);
    let newest = decisions.items.first()?.number;
    let json = serde_json::to_string(&decisions).ok()?;
    Some((newest, bytes::Bytes::from(format!("event: decisions\ndata: {json}\n\n"))))
}
