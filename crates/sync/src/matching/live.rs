//! Live search: searches the server for tracks missing from the snapshot. Only if the request allows it, within a
//! budget, as own requests at the lowest priority, and judged by the same rules.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_dialect::crawl::{LibraryContents, LibraryInfo};
use greenroom_library::item::{Item, ItemKind};
use http::Request;
use parking_lot::Mutex;

use crate::index::{Library, LibraryId};
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;
use greenroom_proxy::server::Server;

/// Max items read of one search.
const MAX_RESULTS: u64 = 50;
/// Timeout of one search.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Max bytes of a response.
const MAX_RESPONSE_BYTES: u64 = 4 * 1024 * 1024;
const MINUTE_MS: u64 = 60_000;
/// A shorter search term finds everything.
const MIN_TITLE_CHARS: usize = 2;

/// Searches per minute, by server.
#[derive(Debug, Default)]
pub(super) struct LiveSearchBudget {
    used: Mutex<HashMap<String, Vec<u64>>>,
}

impl LiveSearchBudget {
    /// Takes one search from the minute's budget; false if none is left.
    pub(super) fn try_acquire(&self, server: &str, per_minute: usize, now_ms: Timestamp) -> bool {
        let mut used = self.used.lock();
        let count = used.entry(server.to_owned()).or_default();
        count.retain(|at_ms| {
            now_ms.millis_since(Timestamp::from_millis(*at_ms)) < MINUTE_MS && *at_ms <= now_ms.as_millis()
        });
        if count.len() >= per_minute {
            return false;
        }
        count.push(now_ms.as_millis());
        true
    }
}

/// Whether the server can be searched: it is up, as far as known, and has a configured token.
pub(super) fn is_available(library: &Library) -> bool {
    library.server.origin.own_credential().is_some() && library.server.origin.breaker.allows_requests()
}

/// Items the server finds for a title; `None` if it cannot be searched.
pub(super) async fn search(library: &Library, title: &str) -> Option<Vec<Item>> {
    let server = &library.server;
    let credential = server.origin.own_credential().filter(|_| server.origin.breaker.allows_requests())?;
    let info = library_info(&library.id);
    let user = server.identify(&credential).account();
    let kind = server.origin.settings.kind;
    let target = kind.search_target(&info, ItemKind::Track, title, MAX_RESULTS, user.as_deref());
    let request = server.origin.own_request(&target, &credential)?;
    let body = server.origin.clock.timeout(TIMEOUT, ask(server, request)).await.ok()??;
    Some(kind.page(Some(ItemKind::Track), &body).ok()?.items)
}

async fn ask(server: &Server, request: Request<Body>) -> Option<bytes::Bytes> {
    let _place = server.origin.queue.acquire(QueueRequest::background(None, Class::Search)).await.ok()?;
    server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    let response = server.origin.send(request, UpstreamRequestKind::Read, breaker::key_of("a search")).await.ok()?;
    let is_ok = response.status() == http::StatusCode::OK;
    match collect(response.into_body(), MAX_RESPONSE_BYTES).await {
        CollectedBody::Whole(body) if is_ok => Some(body),
        _ => None,
    }
}

fn library_info(id: &LibraryId) -> LibraryInfo {
    LibraryInfo {
        key: id.key.clone(),
        title: String::new(),
        contents: LibraryContents::Music,
        stamp: None,
        is_scanning: false,
    }
}

/// The part of a title to search for: servers search literally, so parts that are written differently everywhere are
/// cut. `None` if nothing distinctive is left.
pub(super) fn searchable_title(title: &str) -> Option<&str> {
    let lower = title.to_ascii_lowercase();
    let ends =
        [" (", " [", " {", " - ", " feat", " ft.", " featuring "].iter().filter_map(|separator| lower.find(separator));
    let end = ends.min().unwrap_or(title.len());
    let core = title.get(..end).map(str::trim).filter(|core| core.chars().count() >= MIN_TITLE_CHARS);
    core.or_else(|| Some(title.trim()).filter(|title| title.chars().count() >= MIN_TITLE_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_restored_after_a_minute() {
        let budget = LiveSearchBudget::default();
        assert!(
            budget.try_acquire("home", 2, Timestamp::from_millis(1_000_000))
                && budget.try_acquire("home", 2, Timestamp::from_millis(1_030_000))
        );
        assert!(!budget.try_acquire("home", 2, Timestamp::from_millis(1_059_999)));
        assert!(budget.try_acquire("away", 2, Timestamp::from_millis(1_059_999)), "of another server");
        assert!(budget.try_acquire("home", 2, Timestamp::from_millis(1_060_000)));
        assert!(!budget.try_acquire("home", 2, Timestamp::from_millis(1_060_001)));
        assert!(budget.try_acquire("home", 2, Timestamp::from_millis(900_000)), "the clock was set back");
        assert!(!budget.try_acquire("home", 0, Timestamp::from_millis(2_000_000)));
    }

    #[test]
    fn only_the_core_of_a_title_is_searched() {
        for (title, core) in [
            ("Creep (Remastered 2011)", Some("Creep")),
            ("Alive - Kumarion Remix", Some("Alive")),
            ("Right Here feat. Foxes", Some("Right Here")),
            ("(I Can't Get No) Satisfaction", Some("(I Can't Get No) Satisfaction")),
            (" - ", None),
            ("A", None),
            ("Über (live)", Some("Über")),
        ] {
            assert_eq!(searchable_title(title), core, "{title}");
        }
    }
}
