//! The JSON API: figures, clear, warm, sessions of the page.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};
use greenroom_dialect::class::Class;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, ORIGIN, SET_COOKIE};
use http_body::Body as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Plane;
use super::servers::ServerFigures;
use super::snapshot::Snapshot;
use crate::auth::middleware::{Admitted, Pass, Peer};
use crate::auth::policy::Decision;
use crate::auth::session::{cookie, cookie_name, no_cookie};
use crate::class_name::check_class;
use crate::error::Problem;
use crate::jobs::warming;
use greenroom_proxy::read::origin_loader::class_tag;

/// Longest body that is read.
const MAX_BODY_BYTES: usize = 4096;
/// How long a client may take to send it.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Which servers something is asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WhichServer)]
pub(super) struct Which {
    /// The one; all if it is not said.
    server: Option<String>,
}

/// What is to be cleared: all of a server (or of all servers), or only one class or tag of it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClearWhat)]
struct What {
    server: Option<String>,
    class: Option<String>,
    tag: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmed: Option<usize>,
}

impl Done {
    /// It was done, and this is what.
    pub(super) fn said(message: String) -> Self {
        Self { success: true, message, warmed: None }
    }
}

/// What the caller may do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Whoami {
    logged_in: bool,
    may_read: bool,
    may_change: bool,
}

/// All figures.
#[utoipa::path(get, path = "/api/v1/cache/stats", responses((status = 200, body = Snapshot)))]
pub(super) async fn stats(State(plane): State<Arc<Plane>>) -> Json<Snapshot> {
    Json(plane.control.snapshot())
}

/// The servers and how they do.
#[utoipa::path(get, path = "/api/v1/servers", responses((status = 200, body = Vec<ServerFigures>)))]
pub(super) async fn servers(State(plane): State<Arc<Plane>>) -> Json<Vec<ServerFigures>> {
    Json(plane.control.snapshot().servers)
}

/// Drops what is kept. If that is all of it, counting begins anew.
#[utoipa::path(
    post,
    path = "/api/v1/cache/clear",
    request_body = Option<What>,
    responses((status = 200, body = Done), (status = 404, description = "No such server, or no such class")),
)]
pub(super) async fn clear(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let what: What = read(&headers, body).await?.unwrap_or_default();
    let whose = what.server.as_ref().map_or_else(String::new, |name| format!(" for {name}"));
    let only = what.server.as_deref();
    if what.class.is_none() && what.tag.is_none() {
        plane.control.clear(only)?;
        plane.control.cache.settled().await;
        let message = format!("No answer kept until now{whose} is used any more; counting begins anew.");
        return Ok(Json(Done::said(message)));
    }
    check_class(what.class.as_deref())?;
    if let Some(class) = what.class.as_deref().and_then(Class::named) {
        plane.control.clear_tag(only, class_tag(class).as_str())?;
    }
    if let Some(tag) = &what.tag {
        plane.control.clear_tag(only, tag)?;
    }
    plane.control.cache.settled().await;
    Ok(Json(Done::said(format!("No such answer kept until now{whose} is used any more."))))
}

/// Refreshes what is to stay warm.
#[utoipa::path(
    post,
    path = "/api/v1/cache/warm",
    request_body = Option<Which>,
    responses(
        (status = 200, body = Done),
        (status = 404, description = "No such server"),
        (status = 409, description = "Somebody else is warming"),
    ),
)]
pub(super) async fn warm(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let which: Which = read(&headers, body).await?.unwrap_or_default();
    let warmed = plane.control.warm(which.server.as_deref()).await?;
    let message = warming::sentence(warmed);
    Ok(Json(Done { success: true, message, warmed: Some(warmed) }))
}

/// What the caller may do.
#[utoipa::path(get, path = "/api/v1/session", responses((status = 200, body = Whoami)))]
pub(super) async fn whoami(Extension(admitted): Extension<Admitted>) -> Json<Whoami> {
    Json(Whoami {
        logged_in: matches!(admitted.pass, Pass::Session(_)),
        may_read: admitted.may_read,
        may_change: admitted.may_change,
    })
}

/// Opens a session for whoever knows the token.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    request_body = Login,
    responses((status = 200, body = Done, headers(("set-cookie" = String, description = "The session")))),
)]
pub(super) async fn login(
    State(plane): State<Arc<Plane>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let login: Login = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    let control = &plane.control;
    if !control.token.is_control(login.token.trim().as_bytes()) {
        control.note_refusal(Decision::TokenWrong);
        plane.note_wrong_token(peer, &headers);
        return Err(Decision::TokenWrong.problem().unwrap_or(Problem::BAD_BODY));
    }
    // Behind a proxy that encrypts, the page's own address says so.
    let is_encrypted = peer.is_encrypted
        || headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let session = control.sessions.open(control.clock.now_ms());
    let cookie = cookie(&cookie_name(&headers), &session, &plane.settings.base_path, is_encrypted);
    let done = Done { success: true, message: "Logged in.".into(), warmed: None };
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Json(done)))
}

/// Ends the session the request belongs to.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    responses((status = 200, body = Done, headers(("set-cookie" = String, description = "No session any more")))),
)]
pub(super) async fn logout(
    State(plane): State<Arc<Plane>>,
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
) -> impl IntoResponse {
    if let Pass::Session(session) = admitted.pass {
        plane.control.sessions.close(session);
    }
    let done = Done { success: true, message: "Logged out.".into(), warmed: None };
    (AppendHeaders([(SET_COOKIE, no_cookie(&cookie_name(&headers), &plane.settings.base_path))]), Json(done))
}

/// The body as JSON; `None` if there is none.
pub(super) async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<Option<T>, Problem> {
    let bytes = whole(body, MAX_BODY_BYTES, BODY_PATIENCE).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = said.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Problem::NOT_JSON);
    }
    object(&bytes)
}

/// What a body says; `None` if it says that it says nothing. A list is no object, though it could be read as one.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, Problem> {
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_list {
        return Err(Problem::BAD_BODY);
    }
    serde_json::from_slice(bytes).map_err(|_| Problem::BAD_BODY)
}

/// A body of at most so many bytes, if it comes in time.
pub(super) async fn whole(body: Body, most: usize, patience: Duration) -> Result<Bytes, Problem> {
    // What says that it is too long is not waited for.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > most) {
        return Err(Problem::TOO_LONG);
    }
    let came = tokio::time::timeout(patience, to_bytes(body, most)).await.map_err(|_| Problem::TOO_SLOW)?;
    came.map_err(|error| {
        let is_long = error.into_inner().is::<http_body_util::LengthLimitError>();
        if is_long { Problem::TOO_LONG } else { Problem::BAD_BODY }
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    async fn read_as(content_type: &'static str, body: impl Into<Body>) -> Result<Option<Which>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        read(&headers, body.into()).await
    }

    #[tokio::test]
    async fn a_body_is_json_or_nothing() {
        let named = read_as("Application/JSON; charset=utf-8", r#"{"server":"home"}"#).await;
        assert_eq!(named.expect("it is valid").expect("it is there").server.as_deref(), Some("home"));
        assert!(read_as("text/plain", "").await.expect("nothing is valid").is_none());
        assert_eq!(read_as("text/plain", r#"{"server":"home"}"#).await.err(), Some(Problem::NOT_JSON));
    }

    #[tokio::test]
    async fn a_body_that_says_more_than_is_understood_is_refused() {
        for body in [r#"{"server":"home","class":"lists"}"#, "[]x", "{", r#"{"server":1}"#, " [null]", "[]"] {
            assert_eq!(read_as("application/json", body).await.err(), Some(Problem::BAD_BODY), "{body}");
        }
        let long = format!(r#"{{"server":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
        assert_eq!(read_as("application/json", long).await.err(), Some(Problem::TOO_LONG));
        assert!(read_as("application/json", "null").await.expect("it says nothing").is_none());
    }

    #[tokio::test]
    async fn a_body_that_does_not_say_how_long_it_is_is_read_no_further_than_it_may_be() {
        let pieces = (0..64).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 100])));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(read_as("application/json", body).await.err(), Some(Problem::TOO_LONG));
        let broken = [Err(std::io::Error::other("the connection is gone")), Ok(Bytes::new())];
        let body = Body::from_stream(futures_util::stream::iter(broken));
        assert_eq!(read_as("application/json", body).await.err(), Some(Problem::BAD_BODY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let endless =
            Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        assert_eq!(read_as("application/json", endless).await.err(), Some(Problem::TOO_SLOW));
    }
}
