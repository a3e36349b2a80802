//! Properties of a library's pages and of what notifications say about its items, whatever a server sends.

use std::collections::HashSet;

use greenroom_dialect::crawl::{ChangeHint, CrawlPage};
use greenroom_dialect::request::ServerKind;
use greenroom_library::item::Item;
use greenroom_library::snapshot::{Snapshot, SnapshotBuilder};

/// The longest key, text and list that is kept.
const MAX: (usize, usize, usize) = (64, 8 * 1024, 257);

/// More hints than this never come of one frame.
const MAX_HINTS: usize = 4096;

/// Checks what must hold of a body and of a frame of these bytes.
pub fn check(bytes: &[u8]) {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        let page = kind.page(None, bytes);
        assert_eq!(page, kind.page(None, bytes), "a body always says the same");
        if let Ok(page) = page {
            judge(kind, page, bytes);
        }
        if let Ok(shelves) = kind.libraries(bytes) {
            for shelf in shelves {
                assert_sendable(&kind.page_target(&shelf, greenroom_library::item::ItemKind::Track, 0, 1, None));
            }
        }
        let hints = kind.hints(bytes);
        assert!(hints.len() <= MAX_HINTS, "{} hints", hints.len());
        assert_eq!(hints.iter().collect::<HashSet<&ChangeHint>>().len(), hints.len(), "nothing is said twice");
        assert!(hints.is_empty() || is_json(bytes), "what is no JSON says nothing");
    }
}

fn judge(kind: ServerKind, page: CrawlPage, body: &[u8]) {
    assert!(is_json(body), "what is no JSON is unfit");
    let kept = page.items.len() + page.containers.len();
    assert_eq!(kept as u64 + u64::from(page.skipped), page.rows, "each row is kept or counted");
    for branch in &page.containers {
        assert_sendable(&kind.container_target(branch, 0, 1, None));
    }
    let mut builder = SnapshotBuilder::default();
    for item in page.items {
        assert_bounded(&item);
        assert_sendable(&kind.items_target(&[&item.key], None));
        builder.push(item);
    }
    let snapshot = builder.build();
    let mut file = Vec::new();
    snapshot.encode(&mut file).expect("a Vec takes everything");
    let read = Snapshot::decode(&file).expect("it was just written");
    assert!(read.items().eq(snapshot.items()), "what is kept is read again as it was");
}

fn assert_bounded(item: &Item) {
    let (longest_key, longest_text, longest_list) = MAX;
    assert!((1..=longest_key).contains(&item.key.len()), "{:?}", item.key);
    let above = [&item.parent_title, &item.grandparent_title].into_iter().flatten();
    let paths = item.files.iter().map(|file| &file.path);
    let mut texts = above.chain(&item.artists).chain(paths).chain([&item.title]);
    assert!(texts.all(|text| (1..=longest_text).contains(&text.len())));
    assert!(item.artists.len() < longest_list && item.guids.len() <= longest_list);
}

/// Whether a target can be asked for as it is.
fn assert_sendable(target: &str) {
    let address: http::Uri = target.parse().unwrap_or_else(|error| panic!("{target:?}: {error}"));
    assert_eq!(address.path_and_query().map(http::uri::PathAndQuery::as_str), Some(target));
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}
