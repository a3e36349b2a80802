//! `/api/plex/activities`: what servers are busy with, and who plays what, in one list.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_dialect::dashboard::{Activity, Session};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::merged;
use super::sessions::percent_of;
use crate::Plane;
use crate::compat::caches::Cached;
use greenroom_proxy::internal_client::Asker;

/// What servers are busy with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Activities {
    /// Whether no server said anything, and nothing was kept either.
    error: bool,
    /// Why, or why half of it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    activities: Vec<Row>,
    /// Whether all of it was kept.
    cached: bool,
    /// When the oldest of it was loaded.
    timestamp: String,
    /// How old that is, in seconds.
    cache_age: Option<f64>,
    /// Whether any of it is older than it should be, or half of it is missing.
    stale: bool,
    /// Servers of which nothing is known.
    unavailable: Vec<String>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexActivity)]
struct Row {
    uuid: String,
    title: String,
    subtitle: String,
    /// The server's word, or `stream`, `transcode`, `pause` for who plays something.
    #[serde(rename = "type")]
    kind: String,
    /// In percent.
    progress: f64,
    /// What the server said, without secrets.
    #[schema(value_type = Object)]
    raw_data: serde_json::Value,
    /// On which server.
    server: String,
}

/// What servers are busy with, and who plays what.
#[utoipa::path(get, path = "/api/plex/activities", tag = "compatible",
    responses((status = 200, description = "What servers are busy with, and who plays what", body = Activities)))]
pub(crate) async fn list(State(plane): State<Arc<Plane>>, headers: HeaderMap) -> Json<Activities> {
    let servers = plane.shown_servers();
    let inside = &plane.control.inside;
    let (activities, sessions) = tokio::join!(
        merged::ask(
            inside,
            &servers,
            Asker::of(&headers),
            |server| server.origin.settings.kind.activities_target().to_owned(),
            |server, body| server.origin.settings.kind.activities(body).ok(),
        ),
        merged::ask(
            inside,
            &servers,
            Asker::of(&headers),
            |server| server.origin.settings.kind.sessions_target().to_owned(),
            |server, body| server.origin.settings.kind.sessions(body).ok(),
        ),
    );
    let marks = match (activities.is_error(), sessions.is_error()) {
        (false, false) => activities.marks.with(sessions.marks),
        (true, false) => sessions.marks,
        _ => activities.marks,
    };
    let error = activities.is_error() && sessions.is_error();
    plane.control.counts.note(Cached::Activities, !error && marks.is_cached);
    let mut unavailable = activities.unavailable.clone();
    unavailable
        .extend(sessions.unavailable.iter().filter(|name| !activities.unavailable.contains(name)).cloned());
    // One half without the other looks whole, and is not.
    let message = activities.message().or(sessions.message());
    let mut rows = Vec::new();
    for (server, list) in &activities.said {
        rows.extend(list.iter().map(|activity| Row::of_activity(server.name(), activity)));
    }
    for (server, list) in &sessions.said {
        rows.extend(list.iter().map(|session| Row::of_session(server.name(), session)));
    }
    Json(Activities {
        error,
        message,
        activities: rows,
        cached: !error && marks.is_cached,
        timestamp: marks.timestamp(),
        cache_age: (!error).then(|| marks.age_s()),
        stale: marks.is_stale || (!error && message.is_some()),
        unavailable,
    })
}

impl Row {
    fn of_activity(server: &str, activity: &Activity) -> Self {
        Self {
            uuid: activity.id.clone(),
            title: or_unknown(&activity.title),
            subtitle: activity.subtitle.clone(),
            kind: if activity.kind.is_empty() { "download".to_owned() } else { activity.kind.clone() },
            progress: activity.percent,
            raw_data: activity.raw.clone(),
            server: server.to_owned(),
        }
    }

    fn of_session(server: &str, session: &Session) -> Self {
        let item = &session.item;
        let kind = match (session.state.as_str(), &session.transcode) {
            ("paused", _) => "pause",
            (_, Some(_)) => "transcode",
            (_, None) => "stream",
        };
        Self {
            uuid: session.id.clone(),
            title: or_unknown(item.grandparent_title.as_deref().unwrap_or(&item.title)),
            subtitle: or_unknown(&item.title),
            kind: kind.to_owned(),
            progress: percent_of(session),
            raw_data: session.raw.clone(),
            server: server.to_owned(),
        }
    }
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { "Unknown".to_owned() } else { text.to_owned() }
}
