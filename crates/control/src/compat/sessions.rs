//! `/api/plex/sessions`: who plays what, on what, and how it is sent.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_dialect::dashboard::Session;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::image::Links;
use super::{merged, percent};
use crate::Plane;
use crate::compat::caches::Cached;
use greenroom_proxy::internal_client::Asker;
use greenroom_proxy::server::Server;

/// Who plays what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexSessions)]
pub(crate) struct Sessions {
    /// Whether no server said anything, and nothing was kept either.
    error: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    sessions: Vec<Row>,
    total: usize,
    /// Whether all of it was kept.
    cached: bool,
    /// When the oldest of it was loaded.
    timestamp: String,
    /// How old that is, in seconds.
    cache_age: Option<f64>,
    /// Whether any of it is older than it should be.
    stale: bool,
    /// Servers of which nothing is known.
    unavailable: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexSession)]
struct Row {
    session_id: String,
    user: Who,
    media: Media,
    playback: Playback,
    device: Device,
    transcode: Transcoding,
    stream: Streaming,
    /// On which server.
    server: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Who {
    name: String,
    id: String,
    /// A picture that anybody may fetch; none otherwise.
    thumb: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Media {
    title: String,
    #[serde(rename = "type")]
    kind: String,
    year: Option<u64>,
    rating: Option<f64>,
    /// A link of ours.
    thumb: Option<String>,
    /// A link of ours.
    art: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Playback {
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
struct Transcoding {
    is_transcoding: bool,
    speed: Option<f64>,
    video_decision: Option<String>,
    audio_decision: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Streaming {
    video_resolution: String,
    video_codec: String,
    audio_codec: String,
    container: String,
    bitrate: u64,
    location: String,
    bandwidth: u64,
}

/// Who plays what.
#[utoipa::path(get, path = "/api/plex/sessions", tag = "compatible",
    responses((status = 200, description = "Who plays what", body = Sessions)))]
pub(crate) async fn list(State(plane): State<Arc<Plane>>, headers: HeaderMap) -> Json<Sessions> {
    let control = &plane.control;
    let answer = merged::ask(
        &control.inside,
        &plane.shown_servers(),
        Asker::of(&headers),
        |server| server.origin.settings.kind.sessions_target().to_owned(),
        |server, body| server.origin.settings.kind.sessions(body).ok(),
    )
    .await;
    let error = answer.is_error();
    control.counts.note(Cached::Sessions, !error && answer.marks.is_cached);
    let links = &control.links;
    let rows = answer.said.iter().flat_map(|(server, list)| {
        list.iter().map(|session| Row::of(server, session, links, control.clock.now_ms()))
    });
    let sessions: Vec<Row> = rows.collect();
    Json(Sessions {
        error,
        message: answer.message(),
        total: sessions.len(),
        sessions,
        cached: !error && answer.marks.is_cached,
        timestamp: answer.marks.timestamp(),
        cache_age: (!error).then(|| answer.marks.age_s()),
        stale: answer.marks.is_stale,
        unavailable: answer.unavailable,
    })
}

impl Row {
    fn of(server: &Server, session: &Session, links: &Links, now_ms: u64) -> Self {
        let (item, stream, player) = (&session.item, &session.stream, &session.player);
        let or = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
        let link = |path: Option<&String>| links.link(server, path?, now_ms);
        let picture = item.grandparent_thumb.as_ref().or(item.thumb.as_ref()).or(item.art.as_ref());
        let transcode = session.transcode.as_ref();
        Self {
            session_id: session.id.clone(),
            user: Who {
                name: if session.user.name.is_empty() {
                    "Unknown User".into()
                } else {
                    session.user.name.clone()
                },
                id: session.user.id.clone(),
                thumb: session.user.thumb.clone().filter(|address| is_open_picture(address)),
            },
            media: Media {
                title: title_of(session),
                kind: if item.kind.is_empty() { "unknown".into() } else { item.kind.clone() },
                year: item.year,
                rating: item.rating,
                thumb: link(picture),
                art: link(item.art.as_ref()),
            },
            playback: Playback {
                state: session.state.clone(),
                progress: percent_of(session),
                position_ms: session.offset_ms,
                duration_ms: item.duration_ms.unwrap_or(1),
            },
            device: Device {
                name: or(&player.device, "Unknown Device"),
                client: or(&player.product, "Unknown Client"),
                platform: or(&player.platform, "Unknown"),
            },
            transcode: Transcoding {
                is_transcoding: transcode
                    .is_some_and(greenroom_dialect::dashboard::Transcode::changes_something),
                speed: transcode.and_then(|transcode| transcode.speed),
                video_decision: transcode.map(|transcode| transcode.video.clone()),
                audio_decision: transcode.map(|transcode| transcode.audio.clone()),
            },
            stream: Streaming {
                video_resolution: or(&stream.resolution, "Unknown"),
                video_codec: or(&stream.video_codec, "Unknown"),
                audio_codec: or(&stream.audio_codec, "Unknown"),
                container: or(&stream.container, "Unknown"),
                bitrate: stream.bitrate_kbps.unwrap_or_default(),
                location: or(&stream.location, "wan"),
                bandwidth: stream.bandwidth_kbps.unwrap_or_default(),
            },
            server: server.name().to_owned(),
        }
    }
}

/// How far it is, in percent.
pub(super) fn percent_of(session: &Session) -> f64 {
    percent(session.offset_ms, session.item.duration_ms.unwrap_or_default()).min(100.0)
}

fn title_of(session: &Session) -> String {
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

/// The picture of an account lies where anybody may see it, at an address without a question.
fn is_open_picture(address: &str) -> bool {
    address.starts_with("https://plex.tv/users/") && !address.contains(['?', '&', '#', '@'])
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::dashboard::Item;

    use super::*;

    #[test]
    fn an_episode_is_named_with_its_show_and_numbers() {
        let item = Item {
            kind: "episode".into(),
            title: "Pilot".into(),
            grandparent_title: Some("A Show".into()),
            index: Some(2),
            parent_index: Some(1),
            ..Item::default()
        };
        assert_eq!(title_of(&Session { item, ..Session::default() }), "A Show - S01E02 - Pilot");
        assert_eq!(title_of(&Session::default()), "Unknown");
    }

    #[test]
    fn a_picture_of_an_account_is_told_only_without_a_question() {
        assert!(is_open_picture("https://plex.tv/users/1a2b/avatar"));
        for address in
            ["/accounts/1/thumb", "https://plex.tv/users/1/avatar?X-Plex-Token=x", "http://home/users/1"]
        {
            assert!(!is_open_picture(address), "{address}");
        }
    }
}
