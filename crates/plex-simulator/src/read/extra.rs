//! Optional parts of an item: chapters, markers, preferences, matches.

use super::container;
use crate::node::Node;
use crate::request::PlexReadRequest;
use crate::rows::item::guid;
use greenroom_simulator_backend::catalogue::{ItemRecord, MediaKind, SortKey};

/// Chapters of a film.
const CHAPTERS: u64 = 5;
/// Length of an opening and of the credits, in milliseconds.
const OPENING_MS: u64 = 45_000;
const CREDITS_MS: u64 = 60_000;

/// The preferences of each kind: name, label, choices.
fn preferences_of(kind: MediaKind) -> &'static [(&'static str, &'static str, &'static str)] {
    match kind {
        MediaKind::Collection => &[
            ("collectionMode", "Collection mode", "-1:Library default|0:Hide collection|1:Hide items|2:Show items"),
            ("collectionSort", "Collection sort", "0:Release date|1:Alphabetical|2:Custom"),
        ],
        MediaKind::Show => &[
            ("episodeSort", "Episode sorting", "-1:Library default|0:Oldest first|1:Newest first"),
            ("flattenSeasons", "Seasons", "-1:Library default|0:Show|1:Hide"),
        ],
        _ => &[],
    }
}

/// Storage key of an item's preference.
pub(crate) fn preference_key(item: greenroom_simulator_backend::catalogue::ItemId, name: &str) -> String {
    format!("item/{item}/{name}")
}

/// The preferences of an item.
pub(super) fn preferences(call: &PlexReadRequest<'_>, record: &ItemRecord) -> Node {
    let settings = preferences_of(record.kind).iter().map(|(name, label, choices)| {
        let default = choices.split(':').next().unwrap_or("0");
        let value = call.view.setting(&preference_key(record.id, name)).unwrap_or(default).to_owned();
        Node::new("Setting")
            .set("id", *name)
            .set("label", *label)
            .set("summary", "")
            .set("type", "int")
            .set("default", default.to_owned())
            .set("value", value)
            .set("hidden", false)
            .set("advanced", false)
            .set("group", "")
            .set("enumValues", *choices)
    });
    Node::single("Preferences").with_all(settings)
}

/// The chapters of a film.
pub(super) fn chapters(record: &ItemRecord) -> Vec<Node> {
    let Some(duration) = record.duration_ms.filter(|_| record.kind == MediaKind::Film) else {
        return Vec::new();
    };
    (0..CHAPTERS)
        .map(|index| {
            Node::new("Chapter")
                .set("id", u64::from(record.id.0) * CHAPTERS + index)
                .set("filter", format!("thumb={}", u64::from(record.id.0) * CHAPTERS + index))
                .set("tag", format!("Chapter {}", index + 1))
                .set("index", index + 1)
                .set("startTimeOffset", duration / CHAPTERS * index)
                .set("endTimeOffset", duration / CHAPTERS * (index + 1))
        })
        .collect()
}

/// Positions of the opening and the credits of an episode.
pub(super) fn markers(record: &ItemRecord) -> Vec<Node> {
    let Some(duration) = record.duration_ms.filter(|_| record.kind == MediaKind::Episode) else {
        return Vec::new();
    };
    let marker = |number: u32, word: &'static str, from: u64, to: u64| {
        Node::new("Marker")
            .set("id", record.id.0 * 2 + number)
            .set("type", word)
            .set("startTimeOffset", from)
            .set("endTimeOffset", to)
            .set("final", word == "credits")
    };
    let credits = duration.saturating_sub(CREDITS_MS);
    vec![marker(0, "intro", 0, OPENING_MS), marker(1, "credits", credits, duration)]
}

/// Match candidates of the same kind: those named by `title=`, which may be an external id (`imdb-tt0012345`), else the
/// item itself.
pub(super) fn matches(call: &PlexReadRequest<'_>, record: &ItemRecord) -> Node {
    let found = match call.params.get("title") {
        None | Some("") => vec![record.clone()],
        Some(title) => {
            let fits = |other: &ItemRecord| {
                other.title.eq_ignore_ascii_case(title)
                    || other.external.iter().any(|external| title == format!("{}-{}", external.source, external.id))
            };
            let all = call.view.list(record.kind, SortKey::Added);
            all.iter().filter_map(|id| call.view.record(*id)).filter(fits).collect()
        }
    };
    let rows = found.iter().map(|record| {
        Node::new("SearchResult")
            .set("guid", guid(record.kind, &record.guid))
            .set("name", &record.title)
            .maybe("year", record.year)
            .set("score", 100)
            .set("lifespanEnded", false)
            .set("summary", &record.summary)
    });
    container(found.len()).with_all(rows)
}
