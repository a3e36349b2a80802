//! Items as rows.

use super::media::{self, MediaDetail};
use super::tag;
use crate::kind;
use crate::node::Node;
use crate::request::PlexReadRequest;
use greenroom_simulator_backend::catalogue::{AncestorItem, ItemId, ItemRecord, MediaKind};

/// Level of detail of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RowDetail {
    /// All fields, as for a single item.
    pub(crate) detail: bool,
    /// Its external ids.
    pub(crate) guids: bool,
    /// Its section: included in lists over several sections.
    pub(crate) section: bool,
}

impl RowDetail {
    /// As in a list of one section.
    pub(crate) fn listed(call: &PlexReadRequest<'_>) -> Self {
        Self { guids: call.params.flag("includeGuids"), ..Self::default() }
    }

    /// As in a list of several sections.
    pub(crate) fn mixed(call: &PlexReadRequest<'_>) -> Self {
        Self { section: true, ..Self::listed(call) }
    }

    /// As a single item.
    pub(crate) const DETAIL: Self = Self { detail: true, guids: true, section: true };
}

/// Rows of items. Items deleted meanwhile are left out.
pub(crate) fn rows(call: &PlexReadRequest<'_>, ids: &[ItemId], form: RowDetail) -> Vec<Node> {
    ids.iter().filter_map(|id| call.view.record(*id)).map(|record| row(call, &record, form)).collect()
}

/// An item as a row.
pub(crate) fn row(call: &PlexReadRequest<'_>, record: &ItemRecord, form: RowDetail) -> Node {
    let mut node =
        Node::item(kind::element(record.kind)).set("ratingKey", record.id.to_string()).set("key", key(record));
    node = ancestors_first(node, record);
    node = node
        .set("guid", guid(record.kind, &record.guid))
        .maybe("parentGuid", record.parent.as_ref().map(|above| guid(parent_kind(record.kind), &above.guid)))
        .maybe("grandparentGuid", record.grandparent.as_ref().map(|above| guid(top_kind(record.kind), &above.guid)))
        .maybe("studio", record.studio.as_ref())
        .maybe("parentStudio", record.parent.as_ref().and_then(|above| above.studio.as_ref()))
        .set("type", kind::word(record.kind))
        .set("title", &record.title);
    node = ancestors_second(node, record);
    if form.section {
        node = node
            .set("librarySectionTitle", record.section.title())
            .set("librarySectionID", record.section.number())
            .set("librarySectionKey", format!("/library/sections/{}", record.section.number()));
    }
    if record.title_sort != record.title {
        node = node.set("titleSort", &record.title_sort);
    }
    node = node
        .maybe("contentRating", record.content_rating.as_ref())
        .set("summary", &record.summary)
        .maybe("index", record.index)
        .maybe("parentIndex", parent_index(record))
        .maybe("parentYear", parent_year(record))
        .maybe("rating", record.rating.map(tenths))
        .maybe("audienceRating", record.audience_rating.map(tenths));
    node = user_state(call, node, record);
    node = node
        .maybe("year", record.year)
        .maybe("tagline", record.tagline.as_ref())
        .set("thumb", picture(record.id, "thumb", record.updated_at))
        .set("art", art(record))
        .maybe("duration", record.duration_ms)
        .maybe("originallyAvailableAt", record.released.map(greenroom_simulator_backend::catalogue::CalendarDate::iso))
        .set("addedAt", record.added_at)
        .set("updatedAt", record.updated_at);
    node = by_kind(call, node, record);
    if let Some(media) = media::node(record, if form.detail { MediaDetail::Streams } else { MediaDetail::Parts }) {
        node = node.with(media);
    }
    node = node.with_all(tag::nodes(record, form.detail));
    if form.guids || form.detail {
        node = node.with_all(external(record));
    }
    if form.detail { details(node, record) } else { node }
}

fn key(record: &ItemRecord) -> String {
    match record.kind {
        MediaKind::Collection => format!("/library/collections/{}/children", record.id),
        kind if kind.is_playable() => format!("/library/metadata/{}", record.id),
        _ => format!("/library/metadata/{}/children", record.id),
    }
}

/// The identifier of an item beyond this server.
pub(crate) fn guid(kind: MediaKind, hex: &str) -> String {
    match kind {
        MediaKind::Collection => format!("collection://{hex}"),
        _ => format!("plex://{}/{hex}", kind::word(kind)),
    }
}

fn parent_kind(of: MediaKind) -> MediaKind {
    kind::above(of).first().copied().unwrap_or(of)
}

fn top_kind(of: MediaKind) -> MediaKind {
    kind::above(of).last().copied().unwrap_or(of)
}

fn ancestors_first(node: Node, record: &ItemRecord) -> Node {
    let id = |above: &AncestorItem| above.id.to_string();
    node.maybe("parentRatingKey", record.parent.as_ref().map(id))
        .maybe("grandparentRatingKey", record.grandparent.as_ref().map(id))
}

fn ancestors_second(node: Node, record: &ItemRecord) -> Node {
    let key = |above: &AncestorItem| format!("/library/metadata/{}", above.id);
    let node = node
        .maybe("grandparentKey", record.grandparent.as_ref().map(key))
        .maybe("parentKey", record.parent.as_ref().map(key))
        .maybe("grandparentTitle", record.grandparent.as_ref().map(|above| &above.title))
        .maybe("parentTitle", record.parent.as_ref().map(|above| &above.title));
    let thumb = |above: &AncestorItem| picture(above.id, "thumb", above.updated_at);
    let art = |above: &AncestorItem| picture(above.id, "art", above.updated_at);
    let theme = |above: &AncestorItem| picture(above.id, "theme", above.updated_at);
    let node = node
        .maybe("parentThumb", record.parent.as_ref().map(thumb))
        .maybe("grandparentThumb", record.grandparent.as_ref().map(thumb))
        .maybe("grandparentArt", record.grandparent.as_ref().map(art));
    match record.kind {
        MediaKind::Season => node.maybe("parentTheme", record.parent.as_ref().map(theme)),
        MediaKind::Episode => node.maybe("grandparentTheme", record.grandparent.as_ref().map(theme)),
        _ => node,
    }
}

fn parent_index(record: &ItemRecord) -> Option<u32> {
    match record.kind {
        // The number of the disc; shows have their number in the library.
        MediaKind::Track | MediaKind::Season => Some(1),
        _ => record.parent.as_ref().and_then(|above| above.index),
    }
}

/// Year of a track's album, or of a show for its seasons and episodes.
fn parent_year(record: &ItemRecord) -> Option<u16> {
    let above = if record.kind == MediaKind::Episode { record.grandparent.as_ref() } else { record.parent.as_ref() };
    above.and_then(|above| above.year)
}

fn tenths(value: u16) -> f64 {
    f64::from(value) / 10.0
}

/// Path of an image; it changes with the item.
pub(crate) fn picture(id: ItemId, what: &str, version: u64) -> String {
    format!("/library/metadata/{id}/{what}/{version}")
}

fn art(record: &ItemRecord) -> String {
    let top = record.grandparent.as_ref().or(record.parent.as_ref());
    match top {
        Some(above) => picture(above.id, "art", above.updated_at),
        None => picture(record.id, "art", record.updated_at),
    }
}

/// The user's state on it.
fn user_state(call: &PlexReadRequest<'_>, node: Node, record: &ItemRecord) -> Node {
    let watch = call.view.watch(call.user.id, record.id);
    let rated = |node: Node| node.maybe("userRating", watch.rating.map(tenths)).maybe("lastRatedAt", watch.rated_at);
    if record.kind.is_playable() {
        return rated(
            node.maybe("viewOffset", (watch.offset_ms > 0).then_some(watch.offset_ms))
                .maybe("viewCount", (watch.views > 0).then_some(watch.views))
                .maybe("skipCount", (watch.skips > 0).then_some(watch.skips))
                .maybe("lastViewedAt", watch.last_viewed_at),
        );
    }
    if record.kind == MediaKind::Collection {
        return rated(node);
    }
    let below = call.view.watched(call.user.id, record.id);
    rated(
        node.maybe("viewCount", (below.views > 0).then_some(below.views))
            .maybe("lastViewedAt", below.last_viewed_at)
            .set("leafCount", below.leaves)
            .set("viewedLeafCount", below.viewed),
    )
}

fn by_kind(call: &PlexReadRequest<'_>, node: Node, record: &ItemRecord) -> Node {
    let theme = || picture(record.id, "theme", record.updated_at);
    let children = || call.view.children(record.id).len();
    match record.kind {
        MediaKind::Film => node
            .set("audienceRatingImage", "imdb://image.rating")
            .set("chapterSource", "media")
            .set("ratingImage", "imdb://image.rating"),
        MediaKind::Episode => {
            node.set("audienceRatingImage", "themoviedb://image.rating").set("chapterSource", "media")
        }
        MediaKind::Show => node
            .set("audienceRatingImage", "themoviedb://image.rating")
            .set("theme", theme())
            .set("childCount", children()),
        MediaKind::Season | MediaKind::Artist => node.set("childCount", children()),
        MediaKind::Album => node.set("loudnessAnalysisVersion", "2").set("childCount", children()),
        MediaKind::Track => node.set("ratingCount", record.id.0 % 100_000).set("musicAnalysisVersion", "1"),
        MediaKind::Collection => node
            .set("subtype", "movie")
            .set("smart", false)
            .set("childCount", children().to_string())
            .set("minYear", collection_years(call, record).0)
            .set("maxYear", collection_years(call, record).1),
    }
}

fn collection_years(call: &PlexReadRequest<'_>, record: &ItemRecord) -> (String, String) {
    let years = || call.view.children(record.id).into_iter().filter_map(|id| call.view.record(id)?.year);
    (years().min().unwrap_or(0).to_string(), years().max().unwrap_or(0).to_string())
}

fn external(record: &ItemRecord) -> Vec<Node> {
    record
        .external
        .iter()
        .map(|external| Node::new("Guid").set("id", format!("{}://{}", external.source, external.id)))
        .collect()
}

/// Fields of a single item only.
fn details(node: Node, record: &ItemRecord) -> Node {
    let locks = record.locks.iter().map(|name| Node::new("Field").set("locked", true).set("name", name));
    let mut node = node.with_all(locks);
    for (kind, value) in [("critic", record.rating), ("audience", record.audience_rating)] {
        if let Some(value) = value {
            node = node.with(
                Node::new("Rating").set("image", "imdb://image.rating").set("type", kind).set("value", tenths(value)),
            );
        }
    }
    for (kind, what) in [("coverPoster", "thumb"), ("background", "art")] {
        node = node.with(
            Node::new("Image")
                .set("alt", &record.title)
                .set("type", kind)
                .set("url", picture(record.id, what, record.updated_at)),
        );
    }
    match record.kind {
        MediaKind::Show | MediaKind::Artist => {
            let folder = format!("{}/{}", record.section.folder(), record.title);
            node.with(Node::new("Location").set("path", folder))
        }
        _ => node,
    }
}
