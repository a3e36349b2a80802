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
use super::stats::{ErrorDetailResponse, NOTHING_KNOWN};
use crate::compat_cache_counters::CompatCache;
use crate::control::ApiState;
use greenroom_proxy::internal_client::InternalCaller;
use greenroom_proxy::server::Server;

/// Max items shown.
const MOST: usize = 30;
/// Items requested per library.
const OF_EACH: u32 = 30;

/// Recently added items.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatRecentResponse {
    media: Vec<Row>,
    /// True if all of it came from the cache.
    cached: bool,
    /// When the oldest of it was loaded.
    timestamp: String,
    /// How old that is, in seconds.
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
    (status = 200, description = "What was added lately", body = CompatRecentResponse),
    (status = 503, description = "No server can be asked, and nothing was kept", body = ErrorDetailResponse)))]
pub(crate) async fn list(
    State(plane): State<Arc<ApiState>>,
    headers: HeaderMap,
) -> Result<Json<CompatRecentResponse>, (StatusCode, Json<ErrorDetailResponse>)> {
    let gathered = plane.gather_recent(InternalCaller::new(&headers)).await;
    let is_error = gathered.is_nothing;
    plane.control.compat_cache_counters.record(CompatCache::Recent, !is_error && gathered.marks.is_cached);
    if is_error {
        return Err(NOTHING_KNOWN);
    }
    let RecentMedia { media, marks, unavailable, .. } = gathered;
    Ok(Json(CompatRecentResponse {
        media,
        cached: marks.is_cached,
        timestamp: marks.timestamp(),
        cache_age: marks.age_s(),
        stale: marks.is_stale,
        error: false,
        unavailable,
    }))
}

struct RecentMedia {
    media: Vec<Row>,
    marks: CacheMetadata,
    is_nothing: bool,
    unavailable: Vec<String>,
}

impl ApiState {
    /// Requests everything. Returns whether any server responded, and the servers whose response is incomplete.
    pub(super) async fn warm_recent(&self, asker: InternalCaller<'_>) -> (bool, Vec<String>) {
        let gathered = self.gather_recent(asker).await;
        (!gathered.is_nothing && !gathered.marks.is_cached, gathered.unavailable)
    }

    /// Requests the libraries of every server, then the recent additions of each film and show library.
    async fn gather_recent(&self, asker: InternalCaller<'_>) -> RecentMedia {
        let control = &self.control;
        let servers = self.compat_servers();
        let viewers = self.viewers(&servers, asker).await;
        let shelves = merge::fetch_all(
            &control.internal_client,
            &servers,
            asker,
            |server| server.origin.settings.kind.libraries_target(account_of(server).as_deref()),
            |server, body| server.origin.settings.kind.libraries(body).ok(),
        )
        .await;
        let mut marks = shelves.metadata;
        let mut unavailable = shelves.unavailable.clone();
        let wanted: Vec<(&Arc<Server>, &LibraryInfo)> = shelves
            .responses
            .iter()
            .flat_map(|(server, list)| list.iter().map(move |shelf| (server, shelf)))
            .filter(|(_, shelf)| is_listed(shelf))
            .collect();
        let viewers = &viewers;
        let asked = wanted.iter().map(|(server, shelf)| async move {
            let viewer = viewers.get(server.name()).map(String::as_str);
            let target = |server: &Server| server.origin.settings.kind.recent_target(shelf, OF_EACH, viewer);
            let read = |server: &Server, body: &[u8]| server.origin.settings.kind.recent(body).ok();
            merge::fetch_all(&control.internal_client, &[*server], asker, target, read).await
        });
        let answers = join_all(asked).await;
        let (mut media, mut heard) = (Vec::new(), wanted.is_empty() && !shelves.is_error());
        for ((server, shelf), answer) in wanted.iter().zip(answers) {
            for name in answer.unavailable {
                if !unavailable.contains(&name) {
                    unavailable.push(name);
                }
            }
            for (_, items) in answer.responses {
                marks = marks.merge(answer.metadata);
                heard = true;
                media.extend(items.iter().map(|item| (item.added_s, self.recent_row(server, shelf, item))));
            }
        }
        let media = newest(media);
        RecentMedia { media, marks, is_nothing: !heard, unavailable }
    }

    /// The user in whose name each server is asked, where its API requires one.
    async fn viewers(&self, servers: &[&Arc<Server>], asker: InternalCaller<'_>) -> BTreeMap<String, String> {
        let of = servers.iter().filter(|server| server.origin.settings.kind == ServerKind::Jellyfin).map(
            |server| async move {
                let viewer = if let Some(account) = account_of(server) {
                    account
                } else {
                    let said =
                        self.control.internal_client.ask(server, ServerKind::Jellyfin.accounts_target(), asker).await;
                    ServerKind::Jellyfin.administrator(&said.ok()?.body)?
                };
                Some((server.name().to_owned(), viewer))
            },
        );
        join_all(of).await.into_iter().flatten().collect()
    }

    /// Age of the oldest cached list; `None` unless the lists of all relevant libraries are cached.
    pub(super) fn cached_recent_age(&self) -> Option<Duration> {
        let inside = &self.control.internal_client;
        let mut oldest: Option<Duration> = None;
        for server in self.compat_servers() {
            let kind = server.origin.settings.kind;
            let account = account_of(server);
            let shelves = inside.peek(server, &kind.libraries_target(account.as_deref()))?;
            let viewer = match (kind, account) {
                (ServerKind::Plex, _) => None,
                (_, Some(account)) => Some(account),
                (_, None) => {
                    inside.peek(server, kind.accounts_target()).and_then(|users| kind.administrator(&users.body))
                }
            };
            for shelf in kind.libraries(&shelves.body).ok()?.iter().filter(|shelf| is_listed(shelf)) {
                let found = inside.peek(server, &kind.recent_target(shelf, OF_EACH, viewer.as_deref()))?;
                oldest = oldest.max(Some(found.age));
            }
            oldest = oldest.max(Some(shelves.age));
        }
        oldest
    }

    fn recent_row(&self, server: &Server, shelf: &LibraryInfo, item: &DashboardItem) -> Row {
        let now_ms = self.control.clock.now_ms();
        let picture = item.thumb.as_ref().or(item.grandparent_thumb.as_ref());
        let poster = picture.and_then(|path| self.control.image_url_signer.sign_url(server, path, now_ms));
        let kind = if shelf.contents == LibraryContents::Films { "movie" } else { "show" };
        Row { title: title_of(item), kind, year: item.year, poster, rating: item.rating }
    }
}

/// True if additions to this library are shown.
fn is_listed(shelf: &LibraryInfo) -> bool {
    matches!(shelf.contents, LibraryContents::Films | LibraryContents::Shows)
}

/// The user of the configured token, if known.
fn account_of(server: &Server) -> Option<String> {
    let identity = server.identities.lookup(&server.origin.own_credential()?)?;
    identity.account().map(|account| account.to_string())
}

/// Display title: seasons and episodes use their show's.
fn title_of(item: &DashboardItem) -> String {
    let above = match item.kind.as_str() {
        "season" => item.parent_title.as_ref().or(item.grandparent_title.as_ref()),
        "episode" => item.grandparent_title.as_ref(),
        _ => None,
    };
    let title = above.unwrap_or(&item.title);
    if title.is_empty() { "Unknown".to_owned() } else { title.clone() }
}

/// The newest rows of all libraries and servers; undated ones come last.
fn newest<T>(mut rows: Vec<(Option<u64>, T)>) -> Vec<T> {
    rows.sort_by_key(|(added_s, _)| std::cmp::Reverse(*added_s));
    rows.into_iter().take(MOST).map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_all_libraries_come_first_and_none_is_left_out_for_its_place() {
        let films = (0..30).map(|at| (Some(100 - at), "film"));
        let rows: Vec<_> = films.chain([(None, "undated"), (Some(200), "show"), (Some(85), "late")]).collect();
        let shown = newest(rows);
        assert_eq!((shown.len(), shown[0]), (MOST, "show"));
        assert!(shown.contains(&"late") && !shown.contains(&"undated"), "{shown:?}");
    }

    #[test]
    fn a_season_and_an_episode_are_called_by_their_show() {
        let item = |kind: &str, parent: Option<&str>, above: Option<&str>| DashboardItem {
            kind: kind.to_owned(),
            title: "own".to_owned(),
            parent_title: parent.map(str::to_owned),
            grandparent_title: above.map(str::to_owned),
            ..DashboardItem::default()
        };
        assert_eq!(title_of(&item("season", Some("show"), None)), "show");
        assert_eq!(title_of(&item("season", None, Some("show"))), "show");
        assert_eq!(title_of(&item("episode", Some("season"), Some("show"))), "show");
        assert_eq!(title_of(&item("movie", None, None)), "own");
    }
}
