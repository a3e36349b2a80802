//! `/api/plex/watch-history`: what was played, from the mirror.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::StatusCode;
use http::header::AGE;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caches::Cached;
use super::iso;
use super::stats::Detail;
use crate::Plane;
use crate::history::page::Asked;
use crate::history::row::View;
use crate::jobs::{Awaited, Outcome};

/// Rows that are told unless it is said otherwise, and at most.
const USUAL: u64 = 500;
const MOST: u64 = 10_000;

/// How much of it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// At most so many, the newest first.
    limit: Option<u64>,
    /// So many of the newest are passed over.
    offset: Option<u64>,
}

/// One playback. What the server's history does not tell is empty.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexPlayed)]
pub(crate) struct Row {
    user_id: String,
    /// The name that is shown.
    email: String,
    username: String,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    grandparent_title: Option<String>,
    parent_index: Option<u64>,
    index: Option<u64>,
    viewed_at: String,
    /// In seconds.
    duration: Option<u64>,
    /// In seconds.
    view_offset: Option<u64>,
    /// In percent: what is in a history was played.
    progress: f64,
    view_count: u64,
    rating: Option<f64>,
    year: Option<u64>,
    /// A link of ours.
    thumb: Option<String>,
    content_rating: Option<String>,
    studio: Option<String>,
    summary: Option<String>,
    genres: Vec<String>,
}

/// What came of a sync.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Synced {
    success: bool,
    message: String,
}

/// What was played, the newest first: a bare list, as its readers expect; the mirror's age is in `Age`.
#[utoipa::path(get, path = "/api/plex/watch-history", tag = "compatible", params(Wanted), responses(
    (status = 200, description = "What was played", body = Vec<Row>),
    (status = 400, description = "The limit or the offset is no number"),
    (status = 503, description = "The mirror cannot be read", body = Detail)))]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, (StatusCode, Json<Detail>)> {
    let control = &plane.control;
    let asked = Asked {
        servers: plane.shown_servers().iter().map(|server| server.name().to_owned()).collect(),
        offset: wanted.offset.unwrap_or_default(),
        limit: wanted.limit.unwrap_or(USUAL).clamp(1, MOST),
        skips_total: true,
        ..Asked::default()
    };
    let read = control.history.page(asked).await;
    let synced_ms = control.history.synced_ms(plane.shown_servers());
    control.counts.note(Cached::History, read.is_ok() && synced_ms.is_some());
    let page = read.map_err(|_| {
        let detail = Detail { detail: "what was played is not kept, or cannot be read" };
        (StatusCode::SERVICE_UNAVAILABLE, Json(detail))
    })?;
    let rows: Vec<Row> = page.views.into_iter().map(|view| plane.row_of(view)).collect();
    let age_s = synced_ms.map(|at_ms| control.clock.now_ms().saturating_sub(at_ms) / 1000);
    let age = age_s.map(|age_s| [(AGE, age_s.to_string())]);
    Ok(match age {
        Some(age) => (AppendHeaders(age), Json(rows)).into_response(),
        None => Json(rows).into_response(),
    })
}

/// Brings the mirror up to what the servers have, now: runs the job `history`, and waits a while for its end.
#[utoipa::path(post, path = "/api/plex/watch-history/sync", tag = "compatible", responses(
    (status = 200, description = "What came of it", body = Synced),
    (status = 202, description = "It goes on, or ran already", body = Synced)))]
pub(crate) async fn sync(State(plane): State<Arc<Plane>>) -> (StatusCode, Json<Synced>) {
    let (status, success, message) = match plane.control.sync_history().await {
        Awaited::Ended(last) if matches!(last.outcome, Outcome::Done | Outcome::CaughtUp) => {
            (StatusCode::OK, true, format!("Watch history sync completed. {}", last.message))
        }
        Awaited::Ended(last) => (StatusCode::OK, false, last.message),
        Awaited::GoesOn => (StatusCode::ACCEPTED, true, "Watch history sync goes on.".to_owned()),
        Awaited::Already => (StatusCode::ACCEPTED, true, "Watch history sync runs already.".to_owned()),
        Awaited::Unknown => (StatusCode::OK, false, "The history is not kept.".to_owned()),
    };
    (status, Json(Synced { success, message }))
}

impl Plane {
    fn row_of(&self, view: View) -> Row {
        let control = &self.control;
        let server = control.inside.server(&view.server);
        let picture = view.more.thumb.as_ref();
        let thumb = server
            .zip(picture)
            .and_then(|(server, path)| control.links.link(server, path, control.clock.now_ms()));
        Row {
            user_id: view.more.user_id,
            email: view.user.clone(),
            username: view.user,
            kind: view.kind,
            title: view.more.own_title,
            grandparent_title: view.more.grandparent_title,
            parent_index: view.more.parent_index,
            index: view.more.index,
            viewed_at: iso(view.at_ms),
            duration: view.duration_s,
            view_offset: view.duration_s,
            progress: 100.0,
            view_count: 1,
            rating: None,
            year: view.more.year,
            thumb,
            content_rating: None,
            studio: None,
            summary: None,
            genres: Vec::new(),
        }
    }
}
