//! Companion apps of the evening, each with the requests that real apps of its kind send.
//!
//! They are clients like any other: they write requests for Plex and Jellyfin and read the responses, which nothing
//! else in this crate does. They know nothing of Greenroom; only the address they use changes.

mod dashboard;
mod jellyfin_player;
mod menus;
mod metadata;
mod playlists;
mod plex_player;
mod requests;
mod statistics;
mod widget;

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::request::ServerKind;
use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};

use super::app_client::AppClient;
use super::workload::Workload;

pub(super) use menus::SECOND_VISIT;

/// Sections of the simulated Plex.
const FILMS: u32 = 1;
const SHOWS: u32 = 2;
const MUSIC: u32 = 3;

/// The owner, and the users with whom the libraries are shared.
const OWNER: u32 = 1;
const SAM: u32 = 2;
const KIM: u32 = 3;

/// A companion app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DemoApp {
    /// A dashboard open in three tabs.
    Dashboard,
    /// A sessions badge on a start page.
    Widget,
    /// A tool that reads a whole library and edits parts of it.
    Metadata,
    /// A tool that polls for new items.
    Requests,
    /// A tool that creates a playlist from titles.
    Playlists,
    /// A user browsing the menus of a television.
    Menus,
    /// A film on Plex.
    PlexPlayer,
    /// A film on Jellyfin.
    JellyfinPlayer,
    /// A collector of statistics.
    Statistics,
}

impl DemoApp {
    /// Every app, in the order they join the evening.
    pub(super) const EVERY: [Self; 9] = [
        Self::Dashboard,
        Self::Widget,
        Self::Statistics,
        Self::Requests,
        Self::Metadata,
        Self::PlexPlayer,
        Self::Playlists,
        Self::JellyfinPlayer,
        Self::Menus,
    ];

    /// Name in the comparison.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard in three tabs",
            Self::Widget => "session widget",
            Self::Metadata => "metadata manager",
            Self::Requests => "request tool",
            Self::Playlists => "playlist tool",
            Self::Menus => menus::FIRST_VISIT,
            Self::PlexPlayer => "plex player",
            Self::JellyfinPlayer => "jellyfin player",
            Self::Statistics => "statistics collector",
        }
    }

    /// Name of the app as a whole, where its parts are not listed.
    pub(super) fn whole_name(self) -> &'static str {
        if self == Self::Menus { "kodi menus" } else { self.name() }
    }

    /// Label of its token.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard",
            Self::Widget => "widget",
            Self::Metadata => "metadata",
            Self::Requests => "requests",
            Self::Playlists => "playlists",
            Self::Menus => "menus",
            Self::PlexPlayer => "plex-player",
            Self::JellyfinPlayer => "jellyfin-player",
            Self::Statistics => "statistics",
        }
    }

    /// Its kind of server.
    pub(super) fn server(self) -> ServerKind {
        match self {
            Self::Dashboard | Self::Widget | Self::Metadata | Self::Requests | Self::Playlists | Self::PlexPlayer => {
                ServerKind::Plex
            }
            Self::Menus | Self::JellyfinPlayer | Self::Statistics => ServerKind::Jellyfin,
        }
    }

    /// User of its token; an API key has none.
    pub(super) fn user(self) -> Option<u32> {
        match self {
            Self::Dashboard | Self::Widget | Self::Metadata | Self::Requests | Self::Playlists => Some(OWNER),
            Self::PlexPlayer | Self::Menus => Some(SAM),
            Self::JellyfinPlayer => Some(KIM),
            Self::Statistics => None,
        }
    }

    /// Headers of its every request.
    pub(super) fn headers(self, token: &str) -> HeaderMap {
        match self {
            Self::Dashboard => plex("Komandorr", Some(token), JSON),
            Self::Widget => plex("Homepage", None, ""),
            Self::Metadata => plex("Kometa", Some(token), ""),
            Self::Requests => plex("Overseerr", Some(token), JSON),
            Self::Playlists => plex("Cmdarr", None, JSON),
            Self::PlexPlayer => plex("Plex for Android (TV)", Some(token), JSON),
            Self::Menus => jellyfin("Kodi", "Living room", Some(token)),
            Self::JellyfinPlayer => jellyfin("Jellyfin Android TV", "Bedroom", Some(token)),
            Self::Statistics => {
                let mut headers = jellyfin("Jellystat", "Server", None);
                headers.remove(AUTHORIZATION);
                insert(&mut headers, HeaderName::from_static("x-mediabrowser-token"), token);
                headers
            }
        }
    }

    /// Plays its part of the evening.
    pub(super) async fn play(self, visitor: AppClient, evening: Workload) {
        match self {
            Self::Dashboard => Box::pin(dashboard::play(&visitor, Duration::ZERO, evening.length)).await,
            Self::Widget => widget::play(&visitor, Duration::ZERO, evening.length).await,
            Self::Metadata => metadata::play(&visitor, &evening).await,
            Self::Requests => requests::play(&visitor, &evening).await,
            Self::Playlists => playlists::play(&visitor, &evening).await,
            Self::Menus => menus::play(visitor, &evening).await,
            Self::PlexPlayer => plex_player::play(&visitor, &evening).await,
            Self::JellyfinPlayer => jellyfin_player::play(&visitor, &evening).await,
            Self::Statistics => statistics::play(&visitor, Duration::ZERO, evening.length).await,
        }
    }

    /// Whether it repeats a request that the server did not answer, until it does.
    pub(super) fn tries_again(self) -> bool {
        match self {
            Self::Metadata | Self::Playlists => true,
            Self::Dashboard
            | Self::Widget
            | Self::Requests
            | Self::Menus
            | Self::PlexPlayer
            | Self::JellyfinPlayer
            | Self::Statistics => false,
        }
    }

    /// Continues its regular reads for a round after the evening; the menus repeat the second visit, whose paths are
    /// `visit`. Apps without such reads do nothing.
    pub(super) async fn repeat_reads(self, visitor: AppClient, evening: Workload, visit: Arc<[String]>) {
        let end = evening.length + evening.round;
        match self {
            Self::Dashboard => Box::pin(dashboard::play(&visitor, evening.length, end)).await,
            Self::Widget => widget::play(&visitor, evening.length, end).await,
            Self::Statistics => statistics::play(&visitor, evening.length, end).await,
            Self::Menus => menus::retrace(&visitor, &visit).await,
            Self::Metadata | Self::Requests | Self::Playlists | Self::PlexPlayer | Self::JellyfinPlayer => {}
        }
    }
}

const JSON: &str = "application/json";

/// Headers by which Plex apps identify themselves.
fn plex(product: &str, token: Option<&str>, accept: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let identifier = product.to_ascii_lowercase().replace(' ', "-");
    insert(&mut headers, HeaderName::from_static("x-plex-product"), product);
    insert(&mut headers, HeaderName::from_static("x-plex-version"), "1.0");
    insert(&mut headers, HeaderName::from_static("x-plex-client-identifier"), &identifier);
    insert(&mut headers, USER_AGENT, product);
    if let Some(token) = token {
        insert(&mut headers, HeaderName::from_static("x-plex-token"), token);
    }
    if !accept.is_empty() {
        insert(&mut headers, ACCEPT, accept);
    }
    headers
}

/// Headers by which Jellyfin apps identify themselves.
fn jellyfin(client: &str, device: &str, token: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let identifier = client.to_ascii_lowercase().replace(' ', "-");
    let token = token.map(|token| format!(r#", Token="{token}""#)).unwrap_or_default();
    let line =
        format!(r#"MediaBrowser Client="{client}", Device="{device}", DeviceId="{identifier}", Version="1.0"{token}"#);
    insert(&mut headers, AUTHORIZATION, &line);
    insert(&mut headers, USER_AGENT, client);
    insert(&mut headers, ACCEPT, JSON);
    headers
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Rows of a Plex response, whatever their name in it.
fn rows(reply: &serde_json::Value) -> Vec<serde_json::Value> {
    let container = &reply["MediaContainer"];
    ["Metadata", "Directory", "Video", "Track"]
        .iter()
        .find_map(|name| container[name].as_array().cloned())
        .unwrap_or_default()
}

/// Percent-encodes a value of a query.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_told_apart_by_name_and_token() {
        for one in DemoApp::EVERY {
            let same =
                DemoApp::EVERY.into_iter().filter(|other| other.name() == one.name() || other.label() == one.label());
            assert_eq!(same.count(), 1, "{one:?}");
        }
    }

    #[test]
    fn a_statistics_collector_shows_its_key_in_the_old_form_only() {
        let headers = DemoApp::Statistics.headers("key");
        assert!(!headers.contains_key(AUTHORIZATION));
        assert_eq!(headers["x-mediabrowser-token"], "key");
    }

    #[test]
    fn a_title_is_encoded_whole() {
        assert_eq!(encoded("Rock & Roll?"), "Rock%20%26%20Roll%3F");
    }
}
