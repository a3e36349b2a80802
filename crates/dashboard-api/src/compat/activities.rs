//! `/api/plex/activities`: server activities and current playback in one list.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_dialect::dashboard::{DashboardActivity, DashboardSession};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::merge;
use super::sessions::percent_of;
use greenroom_control::compat_cache_counters::CompatCache;
use greenroom_control::state::ApiState;
use greenroom_proxy::internal_client::InternalCaller;

/// Activities of the servers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatActivitiesResponse {
    /// True if no server responded and nothing was cached.
    error: bool,
    /// The reason for the error, or for a missing half.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    activities: Vec<Row>,
    /// True if all of it came from the cache.
    cached: bool,
    /// When the oldest of it was loaded.
    timestamp: String,
    /// Age of the data, in seconds.
    cache_age: Option<f64>,
    /// True if any of it is stale or half of it is missing.
    stale: bool,
    /// Servers without a response, cached or not.
    unavailable: Vec<String>,
}

/// One activity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexActivity)]
struct Row {
    uuid: String,
    title: String,
    subtitle: String,
    /// The server's type of the activity, or `stream`, `transcode`, `pause` for a playback.
    #[serde(rename = "type")]
    kind: String,
    /// In percent.
    progress: f64,
    /// The server's data, without secrets.
    #[schema(value_type = Object)]
    raw_data: serde_json::Value,
    /// On which server.
    server: String,
}

/// Server activities and current playback.
#[utoipa::path(get, path = "/api/plex/activities", tag = "compatible",
    responses((status = 200, description = "Server activities and current sessions", body = CompatActivitiesResponse)))]
pub(crate) async fn list(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> Json<CompatActivitiesResponse> {
    let servers = crate::compat::compat_servers(&state);
    let internal_client = &state.control.internal_client;
    let (activities, sessions) = tokio::join!(
        merge::fetch_all(
            internal_client,
            &servers,
            InternalCaller::new(&headers),
            |server| server.origin.settings.kind.activities_target().to_owned(),
            |server, body| server.origin.settings.kind.activities(body).ok(),
        ),
        merge::fetch_sessions(internal_client, &servers, InternalCaller::new(&headers)),
    );
    let metadata = match (activities.is_error(), sessions.is_error()) {
        (false, false) => activities.metadata.merge(sessions.metadata),
        (true, false) => sessions.metadata,
        _ => activities.metadata,
    };
    let error = activities.is_error() && sessions.is_error();
    state.control.compat_cache_counters.record(CompatCache::Activities, !error && metadata.is_cached);
    let mut unavailable = activities.unavailable.clone();
    unavailable.extend(sessions.unavailable.iter().filter(|name| !activities.unavailable.contains(name)).cloned());
    // One half alone would look complete.
    let message = activities.message().or(sessions.message());
    let mut rows = Vec::new();
    for (server, list) in &activities.responses {
        rows.extend(list.iter().map(|activity| Row::from_activity(server.name(), activity)));
    }
    for (server, list) in &sessions.responses {
        rows.extend(list.iter().map(|session| Row::from_session(server.name(), session)));
    }
    Json(CompatActivitiesResponse {
        error,
        message,
        activities: rows,
        cached: !error && metadata.is_cached,
        timestamp: metadata.timestamp(),
        cache_age: (!error).then(|| metadata.age_s()),
        stale: metadata.is_stale || (!error && message.is_some()),
        unavailable,
    })
}

impl Row {
    fn from_activity(server: &str, activity: &DashboardActivity) -> Self {
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

    fn from_session(server: &str, session: &DashboardSession) -> Self {
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
