//! `/api/plex/sessions`: current sessions with user, player and stream details.

use greenroom_cache::Timestamp;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_dialect::dashboard::DashboardSession;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::{merge, percent};
use greenroom_control::compat_cache_counters::CompatCache;
use greenroom_control::image_urls::ImageUrlSigner;
use greenroom_control::state::ApiState;
use greenroom_proxy::internal_client::InternalCaller;
use greenroom_proxy::server::Server;

/// Current sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexSessions)]
pub(crate) struct CompatSessionsResponse {
    /// True if no server responded and nothing was cached.
    error: bool,
    /// The reason for the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    sessions: Vec<Row>,
    total: usize,
    /// True if all of it came from the cache.
    cached: bool,
    /// When the oldest of it was loaded.
    timestamp: String,
    /// Age of the data, in seconds.
    cache_age: Option<f64>,
    /// True if any of it is stale.
    stale: bool,
    /// Servers without a response, cached or not.
    unavailable: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexSession)]
struct Row {
    session_id: String,
    user: SessionUser,
    media: Media,
    playback: PlaybackProgress,
    device: Device,
    transcode: TranscodeStatus,
    stream: StreamDetails,
    /// On which server.
    server: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct SessionUser {
    name: String,
    id: String,
    /// A public image URL, if any.
    thumb: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Media {
    title: String,
    #[serde(rename = "type")]
    kind: String,
    year: Option<u64>,
    rating: Option<f64>,
    /// A signed link.
    thumb: Option<String>,
    /// A signed link.
    art: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PlaybackProgress {
    state: String,
    /// In percent.
    progress: f64,
    position_ms: u64,
    duration_ms: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Device {
    name: String,
    client: String,
    platform: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct TranscodeStatus {
    is_transcoding: bool,
    speed: Option<f64>,
    video_decision: Option<String>,
    audio_decision: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct StreamDetails {
    video_resolution: String,
    video_codec: String,
    audio_codec: String,
    container: String,
    bitrate: u64,
    location: String,
    bandwidth: u64,
}

/// Current sessions.
#[utoipa::path(get, path = "/api/plex/sessions", tag = "compatible",
    responses((status = 200, description = "Current sessions", body = CompatSessionsResponse)))]
pub(crate) async fn list(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> Json<CompatSessionsResponse> {
    let control = &state.control;
    let response = merge::fetch_sessions(
        &control.internal_client,
        &crate::compat::compat_servers(&state),
        InternalCaller::new(&headers),
    )
    .await;
    let error = response.is_error();
    control.compat_cache_counters.record(CompatCache::Sessions, !error && response.metadata.is_cached);
    let signer = &control.image_url_signer;
    let rows = response
        .responses
        .iter()
        .flat_map(|(server, list)| list.iter().map(|session| Row::new(server, session, signer, control.clock.now())));
    let sessions: Vec<Row> = rows.collect();
    Json(CompatSessionsResponse {
        error,
        message: response.message(),
        total: sessions.len(),
        sessions,
        cached: !error && response.metadata.is_cached,
        timestamp: response.metadata.timestamp(),
        cache_age: (!error).then(|| response.metadata.age_s()),
        stale: response.metadata.is_stale,
        unavailable: response.unavailable,
    })
}

impl Row {
    fn new(server: &Server, session: &DashboardSession, signer: &ImageUrlSigner, now_ms: Timestamp) -> Self {
        let (item, stream, player) = (&session.item, &session.stream, &session.player);
        let or_default = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
        let sign = |path: Option<&String>| signer.sign_url(server, path?, now_ms);
        let image_path = item.grandparent_thumb.as_ref().or(item.thumb.as_ref()).or(item.art.as_ref());
        let transcode = session.transcode.as_ref();
        Self {
            session_id: session.id.clone(),
            user: SessionUser {
                name: if session.user.name.is_empty() { "Unknown User".into() } else { session.user.name.clone() },
                id: session.user.id.clone(),
                thumb: session.user.thumb.clone().filter(|address| is_public_avatar(address)),
            },
            media: Media {
                title: title_of(session),
                kind: if item.kind.is_empty() { "unknown".into() } else { item.kind.clone() },
                year: item.year,
                rating: item.rating,
                thumb: sign(image_path),
                art: sign(item.art.as_ref()),
            },
            playback: PlaybackProgress {
                state: session.state.clone(),
                progress: percent_of(session),
                position_ms: session.offset_ms,
                duration_ms: item.duration_ms.unwrap_or(1),
            },
            device: Device {
                name: or_default(&player.device, "Unknown Device"),
                client: or_default(&player.product, "Unknown Client"),
                platform: or_default(&player.platform, "Unknown"),
            },
            transcode: TranscodeStatus {
                is_transcoding: transcode.is_some_and(greenroom_dialect::dashboard::TranscodeInfo::is_active),
                speed: transcode.and_then(|transcode| transcode.speed),
                video_decision: transcode.map(|transcode| transcode.video.clone()),
                audio_decision: transcode.map(|transcode| transcode.audio.clone()),
            },
            stream: StreamDetails {
                video_resolution: or_default(&stream.resolution, "Unknown"),
                video_codec: or_default(&stream.video_codec, "Unknown"),
                audio_codec: or_default(&stream.audio_codec, "Unknown"),
                container: or_default(&stream.container, "Unknown"),
                bitrate: stream.bitrate_kbps.unwrap_or_default(),
                location: or_default(&stream.location, "wan"),
                bandwidth: stream.bandwidth_kbps.unwrap_or_default(),
            },
            server: server.name().to_owned(),
        }
    }
}

/// Progress in percent.
pub(super) fn percent_of(session: &DashboardSession) -> f64 {
    percent(session.offset_ms, session.item.duration_ms.unwrap_or_default()).min(100.0)
}

fn title_of(session: &DashboardSession) -> String {
    let item = &session.item;
    let title = if item.title.is_empty() { "Unknown" } else { item.title.as_str() };
    match (item.kind.as_str(), &item.grandparent_title) {
        ("episode", Some(show)) => {
            let (season, number) = (item.parent_index.unwrap_or_default(), item.index.unwrap_or_default());
            format!("{show} - S{season:02}E{number:02} - {title}")
        }
        _ => title.to_owned(),
    }
}

/// True for an account image at a public URL without a query.
fn is_public_avatar(address: &str) -> bool {
    address.starts_with("https://plex.tv/users/") && !address.contains(['?', '&', '#', '@'])
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::dashboard::DashboardItem;

    use super::*;

    #[test]
    fn an_episode_is_named_with_its_show_and_numbers() {
        let item = DashboardItem {
            kind: "episode".into(),
            title: "Pilot".into(),
            grandparent_title: Some("A Show".into()),
            index: Some(2),
            parent_index: Some(1),
            ..DashboardItem::default()
        };
        assert_eq!(title_of(&DashboardSession { item, ..DashboardSession::default() }), "A Show - S01E02 - Pilot");
        assert_eq!(title_of(&DashboardSession::default()), "Unknown");
    }

    #[test]
    fn an_account_image_is_shown_only_at_a_public_url_without_a_query() {
        assert!(is_public_avatar("https://plex.tv/users/1a2b/avatar"));
        for address in ["/accounts/1/thumb", "https://plex.tv/users/1/avatar?X-Plex-Token=x", "http://home/users/1"] {
            assert!(!is_public_avatar(address), "{address}");
        }
    }
}
