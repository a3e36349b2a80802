//! Notices, over the API: whether they come through.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::Plane;
use super::api::read;
use crate::error::Problem;

/// Whom a message for trying out is sent to.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Whom {
    /// The name of one target; all if it is not said.
    target: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Tried {
    /// Whether every target took it.
    success: bool,
    /// That, in a sentence.
    message: String,
    /// Each of them.
    targets: Vec<TriedTarget>,
}

/// What became of it at one target.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct TriedTarget {
    /// Its name.
    target: String,
    /// Whether it took the message.
    delivered: bool,
    /// Why it did not.
    reason: Option<String>,
}

/// Sends a message for trying out, and says what became of it.
#[utoipa::path(
    post,
    path = "/api/v1/notices/test",
    request_body = Option<Whom>,
    responses(
        (status = 200, description = "It was sent; each target says whether it took it", body = Tried),
        (status = 404, description = "No such target"),
    ),
)]
pub(super) async fn test(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tried>, Problem> {
    let whom: Whom = read(&headers, body).await?.unwrap_or_default();
    let tried = plane.control.notices.test(whom.target.as_deref()).await.ok_or(Problem::UNKNOWN_TARGET)?;
    if tried.is_empty() {
        return Err(Problem::UNKNOWN_TARGET);
    }
    let of = |(target, outcome): (String, Result<(), crate::notifications::Refusal>)| TriedTarget {
        target,
        delivered: outcome.is_ok(),
        reason: outcome.err().map(|refusal| refusal.to_string()),
    };
    let targets: Vec<TriedTarget> = tried.into_iter().map(of).collect();
    let delivered = targets.iter().filter(|target| target.delivered).count();
    let success = delivered == targets.len();
    let message = match (success, targets.len()) {
        (true, 1) => "The message was taken.".to_owned(),
        (true, all) => format!("All {all} targets took the message."),
        (false, all) => format!("{delivered} of {all} targets took the message."),
    };
    Ok(Json(Tried { success, message, targets }))
}
