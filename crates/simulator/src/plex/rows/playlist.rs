//! Playlists as rows.

use crate::catalogue::ItemId;
use crate::plex::call::Call;
use crate::plex::node::Node;
use crate::state::Playlist;

/// A playlist as a row. `items` are what is in it now.
pub(in crate::plex) fn row(call: &Call<'_>, playlist: &Playlist, items: &[ItemId]) -> Node {
    let id = playlist.id;
    let watch = call.view.watch(call.user.id, id);
    Node::item("Playlist")
        .set("ratingKey", id.to_string())
        .set("key", format!("/playlists/{id}/items"))
        .set("guid", guid(call, playlist))
        .set("type", "playlist")
        .set("title", &playlist.title)
        .set("titleSort", crate::catalogue::sortable(&playlist.title))
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

fn guid(call: &Call<'_>, playlist: &Playlist) -> String {
    let uuid = call.catalogue().chance().uuid("playlist", u64::from(playlist.id.0));
    format!("com.plexapp.agents.none://{uuid}")
}

/// The path of a playlist's picture.
pub(in crate::plex) fn composite(playlist: &Playlist) -> String {
    format!("/playlists/{}/composite/{}", playlist.id, playlist.updated_at)
}

/// How long all of it plays, in whole seconds.
pub(in crate::plex) fn duration_ms(call: &Call<'_>, items: &[ItemId]) -> u64 {
    let all: u64 = items.iter().filter_map(|id| call.view.record(*id)?.duration_ms).sum();
    all / 1_000 * 1_000
}
