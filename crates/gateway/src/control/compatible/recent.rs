//! `/api/plex/media/recent`: films and shows that were added lately, with pictures.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures_util::future::join_all;
use greenroom_upstream::crawl::{Contents, Shelf};
use greenroom_upstream::dashboard::Item;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::caches::Cached;
use super::merged::{self, Marks};
use super::stats::{Detail, NOTHING_KNOWN};
use crate::control::Plane;
use crate::inside::Asker;
use crate::server::Server;

/// Items that are shown.
const MOST: usize = 30;
/// Items that are asked for in each library.
const OF_EACH: u32 = 30;

/// What was added lately.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::control) struct Recent {
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
    /// A link of ours.
    poster: String,
    rating: Option<f64>,
}

/// What was added lately.
#[utoipa::path(get, path = "/api/plex/media/recent", tag = "compatible", responses(
    (status = 200, description = "What was added lately", body = Recent),
    (status = 503, description = "No server can be asked, and nothing was kept", body = Detail)))]
pub(in crate::control) async fn list(
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
    pub(super) async fn warm_recent(&self, asker: Asker<'_>) -> bool {
        let gathered = self.gather_recent(asker).await;
        !gathered.is_nothing && !gathered.marks.is_cached
    }

    /// Asks every server which libraries it has, and each of films and shows for what was added to it.
    async fn gather_recent(&self, asker: Asker<'_>) -> Gathered {
        let control = &self.control;
        let servers = self.shown_servers();
        let shelves = merged::ask(
            &control.inside,
            &servers,
            asker,
            |server| server.settings.kind.shelves_target(None),
            |server, body| server.settings.kind.shelves(body).ok(),
        )
        .await;
        let mut marks = shelves.marks;
        let mut unavailable = shelves.unavailable.clone();
        let wanted: Vec<(&Arc<Server>, &Shelf)> = shelves
            .said
            .iter()
            .flat_map(|(server, list)| list.iter().map(move |shelf| (server, shelf)))
            .filter(|(_, shelf)| matches!(shelf.contents, Contents::Films | Contents::Shows))
            .collect();
        let asked = wanted.iter().map(|(server, shelf)| async move {
            let target = |server: &Server| server.settings.kind.recent_target(shelf, OF_EACH, None);
            let read = |server: &Server, body: &[u8]| server.settings.kind.recent(body).ok();
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
                media.extend(items.iter().filter_map(|item| self.recent_row(server, shelf, item)));
            }
        }
        media.truncate(MOST);
        Gathered { media, marks, is_nothing: !heard, unavailable }
    }

    fn recent_row(&self, server: &Server, shelf: &Shelf, item: &Item) -> Option<Row> {
        let now_ms = self.control.clock.now_ms();
        let poster = self.control.links.link(server, item.thumb.as_ref()?, now_ms)?;
        let kind = if shelf.contents == Contents::Films { "movie" } else { "show" };
        let title = if item.title.is_empty() { "Unknown".to_owned() } else { item.title.clone() };
        Some(Row { title, kind, year: item.year, poster, rating: item.rating })
    }
}
