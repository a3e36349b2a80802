//! The live fallback: what no snapshot has, the server is searched for. Only where it is asked for, within a budget, as
//! our own work behind everybody else's, and judged by the same rules.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_dialect::crawl::{Contents, Shelf};
use greenroom_library::item::{Item, ItemKind};
use http::Request;
use parking_lot::Mutex;

use crate::index::{Library, LibraryId};
use greenroom_origin::body::{Body, Collected, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::Lane;
use greenroom_origin::scheduler::Errand;
use greenroom_proxy::server::Server;

/// So many items of one search are looked at.
const MAX_FOUND: u64 = 50;
/// How long the server may take for one.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024;
const MINUTE_MS: u64 = 60_000;
/// A shorter beginning of a title finds everything.
const SHORTEST_SEARCH: usize = 2;

/// How much may be asked in any minute, by server.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: Mutex<HashMap<String, Vec<u64>>>,
}

impl Budget {
    /// Takes one request out of the minute's budget, if there is one left.
    pub(super) fn take(&self, server: &str, per_minute: usize, now_ms: u64) -> bool {
        let mut used = self.used.lock();
        let times = used.entry(server.to_owned()).or_default();
        times.retain(|at_ms| now_ms.saturating_sub(*at_ms) < MINUTE_MS && *at_ms <= now_ms);
        if times.len() >= per_minute {
            return false;
        }
        times.push(now_ms);
        true
    }
}

/// Whether the server can be asked at all: it is there, as far as is known, and there is a token for it.
pub(super) fn may_ask(library: &Library) -> bool {
    library.server.origin.own_credential().is_some() && library.server.origin.breaker.admits()
}

/// What the server shows for a title; `None` if it cannot be asked.
pub(super) async fn search(library: &Library, title: &str) -> Option<Vec<Item>> {
    let server = &library.server;
    let credential = server.origin.own_credential().filter(|_| server.origin.breaker.admits())?;
    let shelf = shelf(&library.id);
    let user = server.identify(&credential).account();
    let kind = server.origin.settings.kind;
    let target = kind.search_target(&shelf, ItemKind::Track, title, MAX_FOUND, user.as_deref());
    let request = server.origin.own_request(&target, &credential)?;
    let body = server.origin.clock.timeout(PATIENCE, ask(server, request)).await.ok()??;
    Some(kind.page(Some(ItemKind::Track), &body).ok()?.items)
}

async fn ask(server: &Server, request: Request<Body>) -> Option<bytes::Bytes> {
    let _place = server.origin.queue.place(Errand::own(None, Class::Search)).await.ok()?;
    server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let response = server.origin.send(request, Lane::Read, breaker::key_of("a search")).await.ok()?;
    let is_ok = response.status() == http::StatusCode::OK;
    match collect(response.into_body(), MAX_ANSWER_BYTES).await {
        Collected::Whole(body) if is_ok => Some(body),
        _ => None,
    }
}

fn shelf(id: &LibraryId) -> Shelf {
    Shelf {
        key: id.key.clone(),
        title: String::new(),
        contents: Contents::Music,
        stamp: None,
        is_scanning: false,
    }
}

/// What of a title to search for: servers look for it as it stands, so what is written differently everywhere is left
/// out. `None` if nothing is left that would tell anything apart.
pub(super) fn searchable(title: &str) -> Option<&str> {
    let lower = title.to_ascii_lowercase();
    let ends =
        [" (", " [", " {", " - ", " feat", " ft.", " featuring "].iter().filter_map(|mark| lower.find(mark));
    let end = ends.min().unwrap_or(title.len());
    let head = title.get(..end).map(str::trim).filter(|head| head.chars().count() >= SHORTEST_SEARCH);
    head.or_else(|| Some(title.trim()).filter(|title| title.chars().count() >= SHORTEST_SEARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_comes_back_with_time() {
        let budget = Budget::default();
        assert!(budget.take("home", 2, 1_000_000) && budget.take("home", 2, 1_030_000));
        assert!(!budget.take("home", 2, 1_059_999));
        assert!(budget.take("away", 2, 1_059_999), "of another server");
        assert!(budget.take("home", 2, 1_060_000));
        assert!(!budget.take("home", 2, 1_060_001));
        assert!(budget.take("home", 2, 900_000), "the clock was set back");
        assert!(!budget.take("home", 0, 2_000_000));
    }

    #[test]
    fn only_the_core_of_a_title_is_searched_for() {
        for (title, core) in [
            ("Creep (Remastered 2011)", Some("Creep")),
            ("Alive - Kumarion Remix", Some("Alive")),
            ("Right Here feat. Foxes", Some("Right Here")),
            ("(I Can't Get No) Satisfaction", Some("(I Can't Get No) Satisfaction")),
            (" - ", None),
            ("A", None),
            ("Über (live)", Some("Über")),
        ] {
            assert_eq!(searchable(title), core, "{title}");
        }
    }
}
