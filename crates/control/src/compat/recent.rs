//! `/api/plex/media/recent`: films and shows that were added lately, with pictures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use greenroom_dialect::ask::Kind;
use greenroom_dialect::crawl::{Contents, Shelf};
use greenroom_dialect::dashboard::Item;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::caches::Cached;
use super::merged::{self, Marks};
use super::stats::{Detail, NOTHING_KNOWN};
use crate::Plane;
use greenroom_proxy::internal_client::Asker;
use greenroom_proxy::server::Server;

/// Items that are shown.
const MOST: usize = 30;
/// Items that are asked for in each library.
const OF_EACH: u32 = 30;

/// What was added lately.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recent {
    media: Vec<Row>,
    /// Whether all of it was kept.
    cached: bool,
    /// When the oldest of it was loaded.
    timestamp: String,
    /// How old that is, in seconds.
    cache_age: f64,
    /// Whether any of it is older than it should be.
    stale: bool,
    /// Always false: an error is answered with its status.
    error: bool,
    /// Servers of which not everything is known.
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
    /// A link of ours; `null` if there is no picture.
    poster: Option<String>,
    rating: Option<f64>,
}

/// What was added lately.
#[utoipa::path(get, path = "/api/plex/media/recent", tag = "compatible", responses(
    (status = 200, description = "What was added lately", body = Recent),
    (status = 503, description = "No server can be asked, and nothing was kept", body = Detail)))]
pub(crate) async fn list(
    State(plane): State<Arc<Plane>>,
    headers: HeaderMap,
) -> Result<Json<Recent>, (StatusCode, Json<Detail>)> {
    let gathered = plane.gather_recent(Asker::of(&headers)).await;
    let is_error = gathered.is_nothing;
    plane.control.counts.note(Cached::Recent, !is_error && gathered.marks.is_cached);
    if is_error {
        return Err(NOTHING_KNOWN);
    }
    let Gathered { media, marks, unavailable, .. } = gathered;
    Ok(Json(Recent {
        media,
        cached: marks.is_cached,
        timestamp: marks.timestamp(),
        cache_age: marks.age_s(),
        stale: marks.is_stale,
        error: false,
        unavailable,
    }))
}

struct Gathered {
    media: Vec<Row>,
    marks: Marks,
    is_nothing: bool,
    unavailable: Vec<String>,
}

impl Plane {
    /// Asks for all of it; whether a server said anything anew.
    /// Names those that did not say all of it.
    pub(super) async fn warm_recent(&self, asker: Asker<'_>) -> (bool, Vec<String>) {
        let gathered = self.gather_recent(asker).await;
        (!gathered.is_nothing && !gathered.marks.is_cached, gathered.unavailable)
    }

    /// Asks every server which libraries it has, and each of films and shows for what was added to it.
    async fn gather_recent(&self, asker: Asker<'_>) -> Gathered {
        let control = &self.control;
        let servers = self.shown_servers();
        let viewers = self.viewers(&servers, asker).await;
        let shelves = merged::ask(
            &control.inside,
            &servers,
            asker,
            |server| server.origin.settings.kind.shelves_target(account_of(server).as_deref()),
            |server, body| server.origin.settings.kind.shelves(body).ok(),
        )
        .await;
        let mut marks = shelves.marks;
        let mut unavailable = shelves.unavailable.clone();
        let wanted: Vec<(&Arc<Server>, &Shelf)> = shelves
            .said
            .iter()
            .flat_map(|(server, list)| list.iter().map(move |shelf| (server, shelf)))
            .filter(|(_, shelf)| is_shown(shelf))
            .collect();
        let viewers = &viewers;
        let asked = wanted.iter().map(|(server, shelf)| async move {
            let viewer = viewers.get(server.name()).map(String::as_str);
            let target = |server: &Server| server.origin.settings.kind.recent_target(shelf, OF_EACH, viewer);
            let read = |server: &Server, body: &[u8]| server.origin.settings.kind.recent(body).ok();
            merged::ask(&control.inside, &[*server], asker, target, read).await
        });
        let answers = join_all(asked).await;
        let (mut media, mut heard) = (Vec::new(), wanted.is_empty() && !shelves.is_error());
        for ((server, shelf), answer) in wanted.iter().zip(answers) {
            for name in answer.unavailable {
                if !unavailable.contains(&name) {
                    unavailable.push(name);
                }
            }
            for (_, items) in answer.said {
                marks = marks.with(answer.marks);
                heard = true;
                media.extend(items.iter().map(|item| (item.added_s, self.recent_row(server, shelf, item))));
            }
        }
        let media = newest(media);
        Gathered { media, marks, is_nothing: !heard, unavailable }
    }

    /// In whose name each server is asked what was added lately, where somebody has to be named.
    async fn viewers(&self, servers: &[&Arc<Server>], asker: Asker<'_>) -> BTreeMap<String, String> {
        let of = servers.iter().filter(|server| server.origin.settings.kind == Kind::Jellyfin).map(
            |server| async move {
                let viewer = if let Some(account) = account_of(server) {
                    account
                } else {
                    let said = self.control.inside.ask(server, Kind::Jellyfin.accounts_target(), asker).await;
                    Kind::Jellyfin.administrator(&said.ok()?.body)?
                };
                Some((server.name().to_owned(), viewer))
            },
        );
        join_all(of).await.into_iter().flatten().collect()
    }

    /// How old the oldest that is kept of it is; nothing unless a list of every library that counts is kept.
    pub(super) fn kept_recent_age(&self) -> Option<Duration> {
        let inside = &self.control.inside;
        let mut oldest: Option<Duration> = None;
        for server in self.shown_servers() {
            let kind = server.origin.settings.kind;
            let account = account_of(server);
            let shelves = inside.peek(server, &kind.shelves_target(account.as_deref()))?;
            let viewer = match (kind, account) {
                (Kind::Plex, _) => None,
                (_, Some(account)) => Some(account),
                (_, None) => inside
                    .peek(server, kind.accounts_target())
                    .and_then(|users| kind.administrator(&users.body)),
            };
            for shelf in kind.shelves(&shelves.body).ok()?.iter().filter(|shelf| is_shown(shelf)) {
                let found = inside.peek(server, &kind.recent_target(shelf, OF_EACH, viewer.as_deref()))?;
                oldest = oldest.max(Some(found.age));
            }
            oldest = oldest.max(Some(shelves.age));
        }
        oldest
    }

    fn recent_row(&self, server: &Server, shelf: &Shelf, item: &Item) -> Row {
        let now_ms = self.control.clock.now_ms();
        let picture = item.thumb.as_ref().or(item.grandparent_thumb.as_ref());
        let poster = picture.and_then(|path| self.control.links.link(server, path, now_ms));
        let kind = if shelf.contents == Contents::Films { "movie" } else { "show" };
        Row { title: title_of(item), kind, year: item.year, poster, rating: item.rating }
    }
}

/// Whether what was added to it is shown.
fn is_shown(shelf: &Shelf) -> bool {
    matches!(shelf.contents, Contents::Films | Contents::Shows)
}

/// The user whose token is configured, as far as that is known.
fn account_of(server: &Server) -> Option<String> {
    let identity = server.identities.known(&server.origin.own_credential()?)?;
    identity.account().map(|account| account.to_string())
}

/// What it is called: seasons and episodes by their show.
fn title_of(item: &Item) -> String {
    let above = match item.kind.as_str() {
        "season" => item.parent_title.as_ref().or(item.grandparent_title.as_ref()),
        "episode" => item.grandparent_title.as_ref(),
        _ => None,
    };
    let title = above.unwrap_or(&item.title);
    if title.is_empty() { "Unknown".to_owned() } else { title.clone() }
}

/// The newest of all libraries and servers; what does not say when it was added comes last.
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
        let rows: Vec<_> =
            films.chain([(None, "undated"), (Some(200), "show"), (Some(85), "late")]).collect();
        let shown = newest(rows);
        assert_eq!((shown.len(), shown[0]), (MOST, "show"));
        assert!(shown.contains(&"late") && !shown.contains(&"undated"), "{shown:?}");
    }

    #[test]
    fn a_season_and_an_episode_are_called_by_their_show() {
        let item = |kind: &str, parent: Option<&str>, above: Option<&str>| Item {
            kind: kind.to_owned(),
            title: "own".to_owned(),
            parent_title: parent.map(str::to_owned),
            grandparent_title: above.map(str::to_owned),
            ..Item::default()
        };
        assert_eq!(title_of(&item("season", Some("show"), None)), "show");
        assert_eq!(title_of(&item("season", None, Some("show"))), "show");
        assert_eq!(title_of(&item("episode", Some("season"), Some("show"))), "show");
        assert_eq!(title_of(&item("movie", None, None)), "own");
    }
}
