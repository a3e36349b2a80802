//! Playlists as rows.

use crate::node::Node;
use crate::request::PlexReadRequest;
use greenroom_simulator_backend::catalogue::ItemId;
use greenroom_simulator_backend::state::PlaylistRecord;

/// A playlist as a row. `items` are its current items.
pub(crate) fn row(call: &PlexReadRequest<'_>, playlist: &PlaylistRecord, items: &[ItemId]) -> Node {
    let id = playlist.id;
    let watch = call.view.watch(call.user.id, id);
    Node::item("Playlist")
        .set("ratingKey", id.to_string())
        .set("key", format!("/playlists/{id}/items"))
        .set("guid", guid(call, playlist))
        .set("type", "playlist")
        .set("title", &playlist.title)
        .set("titleSort", greenroom_simulator_backend::catalogue::sortable(&playlist.title))
        .set("summary", &playlist.summary)
        .set("smart", playlist.smart.is_some())
        .set("playlistType", playlist.medium)
        .set("composite", composite(playlist))
        .maybe("content", playlist.smart.as_ref())
        .maybe("viewCount", (watch.views > 0).then_some(watch.views))
        .maybe("lastViewedAt", watch.last_viewed_at)
        .maybe("userRating", watch.rating.map(|tenths| f64::from(tenths) / 10.0))
        .set("duration", duration_ms(call, items))
        .set("leafCount", items.len())
        .set("addedAt", playlist.added_at)
        .set("updatedAt", playlist.updated_at)
}

fn guid(call: &PlexReadRequest<'_>, playlist: &PlaylistRecord) -> String {
    let uuid = call.catalogue().rng().uuid("playlist", u64::from(playlist.id.0));
    format!("com.plexapp.agents.none://{uuid}")
}

/// Path of a playlist's image.
pub(crate) fn composite(playlist: &PlaylistRecord) -> String {
    format!("/playlists/{}/composite/{}", playlist.id, playlist.updated_at)
}

/// Total duration, in whole seconds.
pub(crate) fn duration_ms(call: &PlexReadRequest<'_>, items: &[ItemId]) -> u64 {
    let all: u64 = items.iter().filter_map(|id| call.view.record(*id)?.duration_ms).sum();
    all / 1_000 * 1_000
}
