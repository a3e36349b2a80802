//! Sessions of the page over the API: logging in and out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};
use http::HeaderMap;
use http::header::{ORIGIN, SET_COOKIE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use greenroom_control::auth::caller::{AuthContext, AuthGrant, ConnectionInfo};
use greenroom_control::auth::policy::AccessDecision;
use greenroom_control::auth::session::{cookie, cookie_name, no_cookie};
use greenroom_control::error::Problem;
use greenroom_control::json_body::{ActionResponse, JsonBody};
use greenroom_control::state::ApiState;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    token: String,
}

/// Permissions of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WhoamiResponse {
    logged_in: bool,
    may_read: bool,
    may_change: bool,
}

/// Permissions of the caller.
#[utoipa::path(get, path = "/api/v1/session", responses((status = 200, body = WhoamiResponse)))]
pub(super) async fn whoami(Extension(admitted): Extension<AuthContext>) -> Json<WhoamiResponse> {
    Json(WhoamiResponse {
        logged_in: matches!(admitted.grant, AuthGrant::Session(_)),
        may_read: admitted.may_read,
        may_change: admitted.may_change,
    })
}

/// Opens a session, given the control token.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    request_body = LoginRequest,
    responses((status = 200, body = ActionResponse, headers(("set-cookie" = String, description = "The session cookie")))),
)]
pub(super) async fn login(
    State(state): State<Arc<ApiState>>,
    Extension(peer): Extension<ConnectionInfo>,
    headers: HeaderMap,
    body: JsonBody<LoginRequest>,
) -> Result<impl IntoResponse, Problem> {
    let login = body.required()?;
    let control = &state.control;
    if !control.token.is_control(login.token.trim().as_bytes()) {
        control.record_refusal(AccessDecision::TokenWrong);
        state.record_wrong_token(peer, &headers);
        return Err(AccessDecision::TokenWrong.problem().unwrap_or(Problem::BAD_BODY));
    }
    // Behind a TLS-terminating proxy, the scheme is known only from the page's own origin.
    let is_encrypted =
        peer.is_encrypted || headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let session = control.sessions.open(control.clock.now());
    let cookie = cookie(&cookie_name(&headers), &session, &state.settings.base_path, is_encrypted);
    let response = ActionResponse::succeeded("Logged in.".into());
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Json(response)))
}

/// Ends the session of this request.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    responses((status = 200, body = ActionResponse, headers(("set-cookie" = String, description = "Deletes the session cookie")))),
)]
pub(super) async fn logout(
    State(state): State<Arc<ApiState>>,
    Extension(admitted): Extension<AuthContext>,
    headers: HeaderMap,
) -> impl IntoResponse {
    if let AuthGrant::Session(session) = admitted.grant {
        state.control.sessions.close(session);
    }
    let response = ActionResponse::succeeded("Logged out.".into());
    (AppendHeaders([(SET_COOKIE, no_cookie(&cookie_name(&headers), &state.settings.base_path))]), Json(response))
}
