//! Invalidations of writes to the library: items, images, playlists, collections, scans.

use super::guid;
use super::query::CanonicalQuery;
use super::write::{ParsedWrite, all, for_everyone, write};
use crate::classification::Write;
use crate::response_facts::MAX_TAGGED_ROWS;
use crate::tag::{Tag, TagInvalidation};

/// Finds the write if it changes the library.
pub(super) fn find(change: &ParsedWrite<'_>) -> Option<Write> {
    let query = change.query;
    Some(match change.lowercase {
        ["items"] if change.deletes => write("delete", deleted(&ids(query))),
        ["items", id] if change.deletes => write("delete", deleted(&[id])),
        // Both may replace the images, too.
        ["items", "remotesearch", "apply", id] | ["items", id, "refresh"] => write("edit", pictured(&[id])),
        ["items", id]
        | ["items", id, "contenttype" | "remotesearch", ..]
        | ["videos", id, "subtitles", ..]
        | ["audio", id, "lyrics" | "remotesearch", ..] => write("edit", edited(&[id])),
        ["items", id, "images" | "remoteimages", ..] => write("image", pictured(&[id])),
        ["videos", id, "alternatesources"] => write("versions", deleted(&[id])),
        ["videos", "mergeversions"] => write("versions", deleted(&ids(query))),
        ["videos", "activeencodings"] => write("transcode", for_everyone([Tag::sessions()])),
        ["playlists"] => write("playlist", for_everyone([Tag::playlists(), Tag::playlist_names()])),
        ["playlists", id] if change.deletes => write("playlist", deleted(&[id])),
        ["playlists", id, "items", ..] => write("playlist", playlist(id)),
        ["playlists", id, ..] => write("playlist", renamed_playlist(id)),
        ["collections"] => write("collection", collection(None)),
        ["collections", id, ..] => write("collection", collection(Some((id, &ids(query))))),
        // Its items are unknown, and so are the playlists and collections that hold them.
        ["library", "virtualfolders", ..] if change.deletes => write("folders", all()),
        ["library", "virtualfolders", ..] => write("folders", folders()),
        ["library", "refresh"] | ["library", "media" | "series" | "movies", ..] => write("scan", scanned()),
        ["livetv", "recordings", id] => write("delete", deleted(&[id])),
        ["livetv", "timers" | "seriestimers", ..] => write("timer", for_everyone([Tag::activities()])),
        ["livetv", ..] => write("live-tv", for_everyone([Tag::server(), Tag::libraries()])),
        // The id does not say which task it is.
        ["scheduledtasks", "running", _] => write("task", for_everyone([Tag::activities(), Tag::segments()])),
        ["scheduledtasks", ..] => write("task", for_everyone([Tag::activities()])),
        _ => return None,
    })
}

fn ids<'a>(query: &'a CanonicalQuery<'_>) -> Vec<&'a str> {
    query.list("ids").collect()
}

/// The items, their ancestors, and every list, count and search of the library; but no image.
fn edited(ids: &[&str]) -> Vec<TagInvalidation> {
    if ids.len() > MAX_TAGGED_ROWS {
        return all();
    }
    let mut stale = Vec::new();
    for id in ids {
        let id = guid::normalize(id);
        stale.push(TagInvalidation::everyone(Tag::item(&id)).with_ancestors());
        stale.push(TagInvalidation::everyone(Tag::playlist(&id)));
        // An episode names its series, a track its album and artist.
        stale.push(TagInvalidation::everyone(Tag::under(&id)));
    }
    stale.extend(for_everyone([Tag::many_items(), Tag::libraries()]));
    stale
}

/// The same, and the items' images.
fn pictured(ids: &[&str]) -> Vec<TagInvalidation> {
    let mut stale = edited(ids);
    if ids.len() <= MAX_TAGGED_ROWS {
        stale.extend(ids.iter().map(|id| TagInvalidation::everyone(Tag::image(&guid::normalize(id)))));
    }
    stale.push(TagInvalidation::everyone(Tag::images_by_name()));
    stale
}

/// The same, and any list that may have contained the items; a deleted item may have been a playlist.
fn deleted(ids: &[&str]) -> Vec<TagInvalidation> {
    let mut stale = pictured(ids);
    let tags = [Tag::watch_lists(), Tag::playlists(), Tag::playlist_names(), Tag::collections()];
    stale.extend(for_everyone(tags));
    stale
}

/// The contents of a playlist, which shows its length in lists and searches. It may be shared, so its writes concern
/// everyone.
fn playlist(id: &str) -> Vec<TagInvalidation> {
    let id = guid::normalize(id);
    for_everyone([Tag::playlist(&id), Tag::item(&id), Tag::section(&id), Tag::playlists()])
}

/// The same, and responses that show the playlist among other items: it has another name, or other users see it.
fn renamed_playlist(id: &str) -> Vec<TagInvalidation> {
    let mut stale = playlist(id);
    stale.push(TagInvalidation::everyone(Tag::playlist_names()));
    stale
}

/// Film lists may group films by collection, so lists are invalidated too. The view with the collections
/// shows its last addition, and views follow everything that a user's lists follow.
fn collection(which: Option<(&str, &[&str])>) -> Vec<TagInvalidation> {
    let tags = [Tag::collections(), Tag::libraries(), Tag::watch_lists(), Tag::many_items()];
    let mut stale = for_everyone(tags);
    if let Some((id, members)) = which {
        let id = guid::normalize(id);
        stale.extend(for_everyone([Tag::item(&id), Tag::section(&id)]));
        stale.extend(members.iter().take(MAX_TAGGED_ROWS).map(|member| TagInvalidation::everyone(Tag::item(member))));
    }
    stale
}

fn folders() -> Vec<TagInvalidation> {
    let tags = [Tag::libraries(), Tag::server(), Tag::watch_lists(), Tag::many_items(), Tag::activities()];
    for_everyone(tags)
}

/// Results of a scan arrive later as events; they are unknown now, so lists are invalidated.
fn scanned() -> Vec<TagInvalidation> {
    for_everyone([Tag::activities(), Tag::libraries(), Tag::many_items()])
}
