//! `/api/plex/media/recent`: recently added films and shows, with images.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use greenroom_dialect::crawl::{LibraryContents, LibraryInfo};
use greenroom_dialect::dashboard::DashboardItem;
use greenroom_dialect::request::ServerKind;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::merge::{self, CacheMetadata};
use super::stats::{ErrorDetailResponse, NO_DATA};
use greenroom_control::compat_cache_counters::CompatCache;
use greenroom_control::state::ApiState;
use greenroom_proxy::internal_client::InternalCaller;
use greenroom_proxy::server::Server;

/// Max items shown.
const MAX_ITEMS: usize = 30;
/// Items requested per library.
const ITEMS_PER_LIBRARY: u32 = 30;

/// Recently added items.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatRecentResponse {
    media: Vec<Row>,
    /// True if all of it came from the cache.
    cached: bool,
    /// When the oldest of it was loaded.
    timestamp: String,
    /// Age of the data, in seconds.
    cache_age: f64,
    /// True if any of it is stale.
    stale: bool,
    /// Always false: errors have an error status.
    error: bool,
    /// Servers whose response is incomplete.
    unavailable: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlexRecent)]
struct Row {
    title: String,
    /// `movie` or `show`.
    #[serde(rename = "type")]
    kind: &'static str,
    year: Option<u64>,
    /// A signed link; `null` if there is no image.
    poster: Option<String>,
    rating: Option<f64>,
}

/// Recently added items.
#[utoipa::path(get, path = "/api/plex/media/recent", tag = "compatible", responses(
    (status = 200, description = "Recently added items", body = CompatRecentResponse),
    (status = 503, description = "No server responded, and nothing is cached", body = ErrorDetailResponse)))]
pub(crate) async fn list(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
) -> Result<Json<CompatRecentResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let recent = gather_recent(&state, InternalCaller::new(&headers)).await;
    let is_error = recent.is_empty;
    state.control.compat_cache_counters.record(CompatCache::Recent, !is_error && recent.metadata.is_cached);
    if is_error {
        return Err(NO_DATA);
    }
    let RecentMedia { media, metadata, unavailable, .. } = recent;
    Ok(Json(CompatRecentResponse {
        media,
        cached: metadata.is_cached,
        timestamp: metadata.timestamp(),
        cache_age: metadata.age_s(),
        stale: metadata.is_stale,
        error: false,
        unavailable,
    }))
}

struct RecentMedia {
    media: Vec<Row>,
    metadata: CacheMetadata,
    is_empty: bool,
    unavailable: Vec<String>,
}

/// Requests everything. Returns whether any server responded, and the servers whose response is incomplete.
pub(super) async fn warm_recent(state: &ApiState, caller: InternalCaller<'_>) -> (bool, Vec<String>) {
    let recent = gather_recent(state, caller).await;
    (!recent.is_empty && !recent.metadata.is_cached, recent.unavailable)
}

/// Requests the libraries of every server, then the recent additions of each film and show library.
async fn gather_recent(state: &ApiState, caller: InternalCaller<'_>) -> RecentMedia {
    let control = &state.control;
    let servers = crate::compat::compat_servers(state);
    let users = users(state, &servers, caller).await;
    let libraries = merge::fetch_all(
        &control.internal_client,
        &servers,
        caller,
        |server| server.origin.settings.kind.libraries_target(account_of(server).as_deref()),
        |server, body| server.origin.settings.kind.libraries(body).ok(),
    )
    .await;
    let mut metadata = libraries.metadata;
    let mut unavailable = libraries.unavailable.clone();
    let listed: Vec<(&Arc<Server>, &LibraryInfo)> = libraries
        .responses
        .iter()
        .flat_map(|(server, list)| list.iter().map(move |library| (server, library)))
        .filter(|(_, library)| is_listed(library))
        .collect();
    let users = &users;
    let requests = listed.iter().map(|(server, library)| async move {
        let user = users.get(server.name()).map(String::as_str);
        let target = |server: &Server| server.origin.settings.kind.recent_target(library, ITEMS_PER_LIBRARY, user);
        let read = |server: &Server, body: &[u8]| server.origin.settings.kind.recent(body).ok();
        merge::fetch_all(&control.internal_client, &[*server], caller, target, read).await
    });
    let responses = join_all(requests).await;
    let (mut media, mut has_response) = (Vec::new(), listed.is_empty() && !libraries.is_error());
    for ((server, library), response) in listed.iter().zip(responses) {
        for name in response.unavailable {
            if !unavailable.contains(&name) {
                unavailable.push(name);
            }
        }
        for (_, items) in response.responses {
            metadata = metadata.merge(response.metadata);
            has_response = true;
            media.extend(items.iter().map(|item| (item.added_s, recent_row(state, server, library, item))));
        }
    }
    let media = newest(media);
    RecentMedia { media, metadata, is_empty: !has_response, unavailable }
}

/// The user in whose name each server is asked, where its API requires one.
async fn users(state: &ApiState, servers: &[&Arc<Server>], caller: InternalCaller<'_>) -> BTreeMap<String, String> {
    let lookups =
        servers.iter().filter(|server| server.origin.settings.kind == ServerKind::Jellyfin).map(|server| async move {
            let user = if let Some(account) = account_of(server) {
                account
            } else {
                let response =
                    state.control.internal_client.ask(server, ServerKind::Jellyfin.accounts_target(), caller).await;
                ServerKind::Jellyfin.administrator(&response.ok()?.body)?
            };
            Some((server.name().to_owned(), user))
        });
    join_all(lookups).await.into_iter().flatten().collect()
}

/// Age of the oldest cached list; `None` unless the lists of all relevant libraries are cached.
pub(super) fn cached_recent_age(state: &ApiState) -> Option<Duration> {
    let internal_client = &state.control.internal_client;
    let mut oldest: Option<Duration> = None;
    for server in crate::compat::compat_servers(state) {
        let kind = server.origin.settings.kind;
        let account = account_of(server);
        let libraries = internal_client.peek(server, &kind.libraries_target(account.as_deref()))?;
        let user = match (kind, account) {
            (ServerKind::Plex, _) => None,
            (_, Some(account)) => Some(account),
            (_, None) => {
                internal_client.peek(server, kind.accounts_target()).and_then(|users| kind.administrator(&users.body))
            }
        };
        for library in kind.libraries(&libraries.body).ok()?.iter().filter(|library| is_listed(library)) {
            let found =
                internal_client.peek(server, &kind.recent_target(library, ITEMS_PER_LIBRARY, user.as_deref()))?;
            oldest = oldest.max(Some(found.age));
        }
        oldest = oldest.max(Some(libraries.age));
    }
    oldest
}

fn recent_row(state: &ApiState, server: &Server, library: &LibraryInfo, item: &DashboardItem) -> Row {
    let now_ms = state.control.clock.now();
    let image_path = item.thumb.as_ref().or(item.grandparent_thumb.as_ref());
    let poster = image_path.and_then(|path| state.control.image_url_signer.sign_url(server, path, now_ms));
    let kind = if library.contents == LibraryContents::Films { "movie" } else { "show" };
    Row { title: title_of(item), kind, year: item.year, poster, rating: item.rating }
}

/// True if additions to this library are shown.
fn is_listed(library: &LibraryInfo) -> bool {
    matches!(library.contents, LibraryContents::Films | LibraryContents::Shows)
}

/// The user of the configured token, if known.
fn account_of(server: &Server) -> Option<String> {
    let identity = server.identities.lookup(&server.origin.own_credential()?)?;
    identity.account().map(|account| account.to_string())
}

/// Display title: seasons and episodes use their show's.
fn title_of(item: &DashboardItem) -> String {
    let show_title = match item.kind.as_str() {
        "season" => item.parent_title.as_ref().or(item.grandparent_title.as_ref()),
        "episode" => item.grandparent_title.as_ref(),
        _ => None,
    };
    let title = show_title.unwrap_or(&item.title);
    if title.is_empty() { "Unknown".to_owned() } else { title.clone() }
}

/// The newest rows of all libraries and servers; undated ones come last.
fn newest<T>(mut rows: Vec<(Option<u64>, T)>) -> Vec<T> {
    rows.sort_by_key(|(added_s, _)| std::cmp::Reverse(*added_s));
    rows.into_iter().take(MAX_ITEMS).map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_items_of_all_libraries_come_first_and_undated_ones_last() {
        let films = (0..30).map(|at| (Some(100 - at), "film"));
        let rows: Vec<_> = films.chain([(None, "undated"), (Some(200), "show"), (Some(85), "late")]).collect();
        let shown = newest(rows);
        assert_eq!((shown.len(), shown[0]), (MAX_ITEMS, "show"));
        assert!(shown.contains(&"late") && !shown.contains(&"undated"), "{shown:?}");
    }

    #[test]
    fn seasons_and_episodes_have_the_title_of_their_show() {
        let item = |kind: &str, parent: Option<&str>, show_title: Option<&str>| DashboardItem {
            kind: kind.to_owned(),
            title: "own".to_owned(),
            parent_title: parent.map(str::to_owned),
            grandparent_title: show_title.map(str::to_owned),
            ..DashboardItem::default()
        };
        assert_eq!(title_of(&item("season", Some("show"), None)), "show");
        assert_eq!(title_of(&item("season", None, Some("show"))), "show");
        assert_eq!(title_of(&item("episode", Some("season"), Some("show"))), "show");
        assert_eq!(title_of(&item("movie", None, None)), "own");
    }
}
