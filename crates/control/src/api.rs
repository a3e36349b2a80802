//! The JSON API: statistics, purge, warming, page sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};
use greenroom_cache::{Invalidation, Scope};
use greenroom_dialect::class::Class;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, ORIGIN, SET_COOKIE};
use http_body::Body as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::caller::{AuthContext, AuthGrant, ConnectionInfo};
use crate::auth::policy::AccessDecision;
use crate::auth::session::{cookie, cookie_name, no_cookie};
use crate::class_name::check_class;
use crate::control::{ApiState, ControlPlane};
use crate::error::Problem;
use crate::servers::ServerStats;
use crate::snapshot::StatsSnapshot;
use greenroom_jobs::warming;
use greenroom_proxy::read::origin_loader::class_tag;

/// Maximum size of a request body.
const MAX_BODY_BYTES: usize = 4096;
/// Time limit for receiving the body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Selects one server or all.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WhichServer)]
pub(super) struct ServerSelector {
    /// The server's name; all if absent.
    server: Option<String>,
}

/// What to purge: everything of one server or all, or only one request type or tag.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClearWhat)]
pub(super) struct ClearCacheRequest {
    server: Option<String>,
    class: Option<String>,
    tag: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    token: String,
}

/// Result of an action.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionResponse {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmed: Option<usize>,
}

impl ActionResponse {
    /// A successful action with this message.
    pub(super) fn succeeded(message: String) -> Self {
        Self { success: true, message, warmed: None }
    }
}

/// Permissions of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WhoamiResponse {
    logged_in: bool,
    may_read: bool,
    may_change: bool,
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
    Ok(Json(ActionResponse { success: true, message, warmed: Some(warmed) }))
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
    let response = ActionResponse { success: true, message: "Logged in.".into(), warmed: None };
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
    let response = ActionResponse { success: true, message: "Logged out.".into(), warmed: None };
    (AppendHeaders([(SET_COOKIE, no_cookie(&cookie_name(&headers), &state.settings.base_path))]), Json(response))
}

impl ControlPlane {
    /// Purges one server's cache or all. Loads in progress are discarded too.
    fn clear(&self, server_name: Option<&str>) -> Result<(), Problem> {
        self.check_server(server_name)?;
        for server in self.select_servers(server_name) {
            server.invalidate(&Scope::Namespace(server.name().to_owned()), &Invalidation::purge());
        }
        tracing::info!(server = server_name.unwrap_or("all"), "cache cleared");
        Ok(())
    }

    /// Purges entries with a tag, on one server or on all.
    fn clear_tag(&self, server_name: Option<&str>, tag: &str) -> Result<(), Problem> {
        self.check_server(server_name)?;
        for server in self.select_servers(server_name) {
            let namespace = server.name().to_owned();
            let scope = Scope::Tag { namespace, partition: None, tag: tag.into() };
            server.invalidate(&scope, &Invalidation::purge());
        }
        tracing::info!(server = server_name.unwrap_or("all"), "part of the cache cleared");
        Ok(())
    }

    /// Refreshes the warm keys of one server or of all. Returns how many responses were requested.
    async fn warm(&self, server_name: Option<&str>) -> Result<usize, Problem> {
        self.check_server(server_name)?;
        warming::warm(&self.jobs, &self.cache, server_name).await.ok_or(Problem::ALREADY_WARMING)
    }
}

/// A small JSON object read from the request body.
pub(super) struct JsonBody<T>(Option<T>);

impl<T> JsonBody<T> {
    /// The parsed body; a missing body is rejected.
    pub(super) fn required(self) -> Result<T, Problem> {
        self.0.ok_or(Problem::BAD_BODY)
    }
}

impl<T: Default> JsonBody<T> {
    /// The parsed body, or the default if there is none.
    pub(super) fn or_default(self) -> T {
        self.0.unwrap_or_default()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        read_json(&parts.headers, body).await.map(Self)
    }
}

/// Parses the body as JSON; `None` if it is empty.
async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<Option<T>, Problem> {
    let bytes = read_body(body, MAX_BODY_BYTES, BODY_TIMEOUT).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json(headers) {
        return Err(Problem::NOT_JSON);
    }
    parse_object(&bytes)
}

/// Runs CPU-bound work on a blocking thread and waits for it.
pub(super) async fn run_blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let result = tokio::task::spawn_blocking(work).await;
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// A response body as JSON.
pub(super) fn to_json(response: &impl Serialize) -> String {
    serde_json::to_string(response).expect("a response serializes to JSON")
}

/// True if the content type is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    has_media_type(headers, "application/json")
}

/// True if the content type is this media type, with or without parameters.
pub(super) fn has_media_type(headers: &HeaderMap, media_type: &str) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}

/// Parses a JSON object; `None` for `null`. Arrays are rejected, although serde would read one as a struct.
pub(super) fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, Problem> {
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_list {
        return Err(Problem::BAD_BODY);
    }
    serde_json::from_slice(bytes).map_err(|_| Problem::BAD_BODY)
}

/// Reads a body of at most `max_bytes` bytes within `timeout`.
pub(super) async fn read_body(body: Body, max_bytes: usize, timeout: Duration) -> Result<Bytes, Problem> {
    // A body whose declared length is too long is rejected without reading it.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > max_bytes) {
        return Err(Problem::TOO_LONG);
    }
    let result = tokio::time::timeout(timeout, to_bytes(body, max_bytes)).await.map_err(|_| Problem::TOO_SLOW)?;
    result.map_err(|error| {
        let is_long = error.into_inner().is::<http_body_util::LengthLimitError>();
        if is_long { Problem::TOO_LONG } else { Problem::BAD_BODY }
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    async fn read_as(content_type: &'static str, body: impl Into<Body>) -> Result<Option<ServerSelector>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        read_json(&headers, body.into()).await
    }

    #[tokio::test]
    async fn a_body_is_json_or_empty() {
        let named = read_as("Application/JSON; charset=utf-8", r#"{"server":"home"}"#).await;
        assert_eq!(named.expect("valid JSON").expect("a body").server.as_deref(), Some("home"));
        assert!(read_as("text/plain", "").await.expect("an empty body is valid").is_none());
        assert_eq!(read_as("text/plain", r#"{"server":"home"}"#).await.err(), Some(Problem::NOT_JSON));
    }

    #[tokio::test]
    async fn a_body_with_unknown_fields_or_too_many_bytes_is_rejected() {
        for body in [r#"{"server":"home","class":"lists"}"#, "[]x", "{", r#"{"server":1}"#, " [null]", "[]"] {
            assert_eq!(read_as("application/json", body).await.err(), Some(Problem::BAD_BODY), "{body}");
        }
        let long = format!(r#"{{"server":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
        assert_eq!(read_as("application/json", long).await.err(), Some(Problem::TOO_LONG));
        assert!(read_as("application/json", "null").await.expect("null is valid").is_none());
    }

    #[tokio::test]
    async fn a_body_of_undeclared_length_is_read_up_to_the_limit() {
        let pieces = (0..64).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 100])));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(read_as("application/json", body).await.err(), Some(Problem::TOO_LONG));
        let broken = [Err(std::io::Error::other("connection lost")), Ok(Bytes::new())];
        let body = Body::from_stream(futures_util::stream::iter(broken));
        assert_eq!(read_as("application/json", body).await.err(), Some(Problem::BAD_BODY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_times_out() {
        let endless = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        assert_eq!(read_as("application/json", endless).await.err(), Some(Problem::TOO_SLOW));
    }
}
