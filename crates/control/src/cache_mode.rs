//! How reads are answered, over the API: the mode of a server, what is bypassed, what was observed, and why one read
//! is answered as it is.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use greenroom_dialect::credential::Secret;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{Done, read};
use super::{Control, Plane};
use crate::class_name::check_class;
use crate::error::Problem;
use crate::explain;
use crate::explain::told::Told;
use greenroom_config::Mode;
use greenroom_proxy::bypass::{Bypass, Bypasses, Unchanged};
use greenroom_proxy::server::Server;
use greenroom_proxy::shadow::Report;

/// A mode for a server; for all if none is said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ModeTurn)]
struct Turn {
    #[serde(default)]
    server: Option<String>,
    mode: Mode,
}

/// A read to tell about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WhyAsked)]
struct Asked {
    url: String,
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
}

/// What is bypassed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bypassed {
    bypasses: Vec<Bypass>,
}

/// One server and what was observed of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Observed {
    server: String,
    mode: Mode,
    /// The outcome so far, or of the last time; nothing if it never was.
    report: Option<Report>,
}

/// What was observed, by server.
#[utoipa::path(get, path = "/api/v1/observe", responses((status = 200, body = Vec<Observed>)))]
pub(super) async fn observed(State(plane): State<Arc<Plane>>) -> Json<Vec<Observed>> {
    let observed = |server: &Arc<Server>| Observed {
        server: server.name().to_owned(),
        mode: server.mode(),
        report: server.observed(),
    };
    Json(plane.control.chosen(None).map(observed).collect())
}

/// Turns servers to a mode.
#[utoipa::path(
    put,
    path = "/api/v1/mode",
    request_body = Turn,
    responses(
        (status = 200, body = Done),
        (status = 404, description = "No such server"),
        (status = 409, description = "Too much is bypassed already"),
        (status = 507, description = "The change cannot be kept"),
    ),
)]
pub(super) async fn turn(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let turn: Turn = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    plane.control.turn(turn.server.as_deref(), turn.mode).await?;
    let whose =
        turn.server.as_ref().map_or_else(|| "all servers".to_owned(), |name| format!("server {name}"));
    let what = match turn.mode {
        Mode::Cache => "are answered from the cache where that is allowed",
        Mode::Observe => "are answered by the server; the cache only observes, from here on",
        Mode::Bypass => "are answered by the server, as without Greenroom",
    };
    let is_bypassed = turn.mode != Mode::Bypass
        && plane.control.chosen(turn.server.as_deref()).any(|server| server.mode() == Mode::Bypass);
    let but =
        if is_bypassed { " But all servers together are still bypassed: take that back first." } else { "" };
    Ok(Json(Done::said(format!("Reads of {whose} {what}.{but}"))))
}

/// What is bypassed.
#[utoipa::path(get, path = "/api/v1/bypass", responses((status = 200, body = Bypassed)))]
pub(super) async fn bypasses(State(plane): State<Arc<Plane>>) -> Json<Bypassed> {
    Json(Bypassed { bypasses: plane.control.bypasses() })
}

/// Bypasses something.
#[utoipa::path(
    put,
    path = "/api/v1/bypass",
    request_body = Option<Bypass>,
    responses(
        (status = 200, body = Bypassed),
        (status = 404, description = "No such server, or no such class"),
        (status = 409, description = "Too much is bypassed already"),
        (status = 507, description = "The change cannot be kept"),
    ),
)]
pub(super) async fn bypass(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Bypassed>, Problem> {
    let bypass: Bypass = read(&headers, body).await?.unwrap_or_default();
    plane.control.bypass(bypass).await?;
    Ok(Json(Bypassed { bypasses: plane.control.bypasses() }))
}

/// Takes bypasses back.
#[utoipa::path(
    delete,
    path = "/api/v1/bypass",
    request_body = Option<Bypass>,
    responses(
        (status = 200, body = Bypassed),
        (status = 404, description = "No such server, or no such class"),
        (status = 507, description = "The change cannot be kept"),
    ),
)]
pub(super) async fn no_bypass(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Bypassed>, Problem> {
    let bypass: Bypass = read(&headers, body).await?.unwrap_or_default();
    plane.control.no_bypass(bypass).await?;
    Ok(Json(Bypassed { bypasses: plane.control.bypasses() }))
}

/// Tells why a read is answered as it is.
#[utoipa::path(
    post,
    path = "/api/v1/why",
    request_body = Asked,
    responses((status = 200, body = Told), (status = 404, description = "No such server")),
)]
pub(super) async fn tell_why(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Told>, Problem> {
    let asked: Asked = read(&headers, body).await?.ok_or(Problem::BAD_BODY)?;
    let server = plane.control.meant(&asked.url, asked.server.as_deref())?;
    let question = explain::Question {
        url: asked.url,
        token: asked.token.filter(|token| !token.is_empty()).map(Secret::new),
        headers: explain::headers(&asked.headers).map_err(|_| Problem::BAD_BODY)?,
    };
    explain::tell(&server, &question).await.map(Json).map_err(|_| Problem::NO_ADDRESS)
}

impl Control {
    /// What is bypassed, for all servers.
    pub(super) fn bypasses(&self) -> Vec<Bypass> {
        self.chosen(None).next().map(|server| server.modes.bypasses.list()).unwrap_or_default()
    }

    /// Turns a server, or all of them. A server that is turned is no longer bypassed as a whole.
    async fn turn(&self, only: Option<&str>, mode: Mode) -> Result<(), Problem> {
        self.check_server(only)?;
        let whole = Bypass { server: only.map(str::to_owned), ..Bypass::default() };
        match mode {
            // A bypass is kept, so that it survives a restart; a mode lasts until then.
            Mode::Bypass => return self.bypass(whole).await,
            Mode::Cache | Mode::Observe => self.lift(whole).await?,
        }
        for server in self.chosen(only) {
            if server.turn_to(mode) {
                tracing::info!(
                    server = server.name(),
                    mode = mode.name(),
                    "reads are answered in another mode"
                );
            }
        }
        Ok(())
    }

    async fn bypass(&self, bypass: Bypass) -> Result<(), Problem> {
        self.check_bypass(&bypass)?;
        self.change_bypasses(move |bypasses| bypasses.add(&bypass)).await
    }

    /// Takes back all that lies within `bypass`, and whole servers' bypassing by configuration.
    async fn no_bypass(&self, bypass: Bypass) -> Result<(), Problem> {
        self.check_bypass(&bypass)?;
        self.lift(bypass.clone()).await?;
        let whole = bypass.class.is_none() && bypass.app.is_none();
        for server in self.chosen(bypass.server.as_deref()) {
            if whole && server.modes.switch.mode() == Mode::Bypass {
                server.turn_to(Mode::Cache);
            }
        }
        Ok(())
    }

    async fn lift(&self, bypass: Bypass) -> Result<(), Problem> {
        self.change_bypasses(move |bypasses| bypasses.remove(&bypass)).await
    }

    /// The list is one for all servers.
    async fn change_bypasses(
        &self,
        change: impl FnOnce(&Bypasses) -> Result<bool, Unchanged> + Send + 'static,
    ) -> Result<(), Problem> {
        let Some(server) = self.servers.first().map(|shown| Arc::clone(&shown.server)) else { return Ok(()) };
        let bypasses = Arc::clone(&server.modes.bypasses);
        let lane = bypasses.lane.clone();
        let changed = lane.run(move || change(&bypasses)).await;
        let changed = changed.unwrap_or_else(|undone| Err(Unchanged::NotKept(undone.to_string())));
        let has_changed = changed.map_err(|unchanged| match unchanged {
            Unchanged::TooMany => Problem::TOO_MANY_BYPASSES,
            Unchanged::NotKept(reason) => {
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

    /// The server an address means: by name, by the port it is found at, by its own address, or the only one.
    pub(super) fn meant(&self, url: &str, name: Option<&str>) -> Result<Arc<Server>, Problem> {
        self.check_server(name)?;
        let authority = url.trim().parse::<http::Uri>().ok().and_then(|uri| uri.authority().cloned());
        let fits = |shown: &&super::Shown| match (name, &authority) {
            (Some(name), _) => shown.server.name() == name,
            (None, Some(authority)) => {
                authority == shown.server.origin.client.authority()
                    || authority.port_u16() == Some(shown.listen.port())
            }
            (None, None) => self.servers.len() == 1,
        };
        let found = self.servers.iter().find(fits);
        let only = (self.servers.len() == 1).then(|| self.servers.first()).flatten();
        found.or(only).map(|shown| Arc::clone(&shown.server)).ok_or(Problem::WHICH_SERVER)
    }
}
