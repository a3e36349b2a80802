//! Notifications over the API: sends test messages.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use greenroom_control::error::Problem;
use greenroom_control::json_body::JsonBody;
use greenroom_control::state::ApiState;

/// The target of a test message.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestNotificationRequest {
    /// The name of one target; all if absent.
    target: Option<String>,
}

/// Results of a test message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct TestNotificationResponse {
    /// True if every target accepted it.
    success: bool,
    /// The results as a sentence.
    message: String,
    /// Results by target.
    targets: Vec<TestNotificationResult>,
}

/// Result of a test message for one target.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct TestNotificationResult {
    /// Its name.
    target: String,
    /// True if it accepted the message.
    delivered: bool,
    /// Reason of the failure.
    reason: Option<String>,
}

/// Sends a test message and reports the results.
#[utoipa::path(
    post,
    path = "/api/v1/notices/test",
    request_body = Option<TestNotificationRequest>,
    responses(
        (status = 200, description = "The test message was sent; the result of each target", body = TestNotificationResponse),
        (status = 404, description = "No such target"),
    ),
)]
pub(super) async fn test(
    State(state): State<Arc<ApiState>>,
    body: JsonBody<TestNotificationRequest>,
) -> Result<Json<TestNotificationResponse>, Problem> {
    let request = body.or_default();
    let results = state.control.notifier.test(request.target.as_deref()).await.ok_or(Problem::UNKNOWN_TARGET)?;
    if results.is_empty() {
        return Err(Problem::UNKNOWN_TARGET);
    }
    let to_result =
        |(target, outcome): (String, Result<(), greenroom_notifications::DeliveryError>)| TestNotificationResult {
            target,
            delivered: outcome.is_ok(),
            reason: outcome.err().map(|error| error.to_string()),
        };
    let targets: Vec<TestNotificationResult> = results.into_iter().map(to_result).collect();
    let delivered = targets.iter().filter(|target| target.delivered).count();
    let success = delivered == targets.len();
    let message = match (success, targets.len()) {
        (true, 1) => "The message was delivered.".to_owned(),
        (true, count) => format!("Delivered to all {count} targets."),
        (false, count) => format!("Delivered to {delivered} of {count} targets."),
    };
    Ok(Json(TestNotificationResponse { success, message, targets }))
}
