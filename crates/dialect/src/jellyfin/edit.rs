//! What changing the library makes stale: items, images, playlists, collections, scans.

use super::guid;
use super::query::Query;
use super::write::{Change, everything, for_everyone, write};
use crate::facts::MAX_TAGGED_ROWS;
use crate::tag::{Staling, Tag};
use crate::verdict::Write;

/// What a write to the library makes stale, if it is one.
pub(super) fn find(change: &Change<'_>) -> Option<Write> {
    let query = change.query;
    Some(match change.low {
        ["items"] if change.deletes => write("delete", deleted(&ids(query))),
        ["items", id] if change.deletes => write("delete", deleted(&[id])),
        ["items", "remotesearch", "apply", id]
        | ["items", id]
        | ["items", id, "refresh" | "contenttype" | "remotesearch", ..]
        | ["videos", id, "subtitles", ..]
        | ["audio", id, "lyrics" | "remotesearch", ..] => write("edit", edited(&[id])),
        ["items", id, "images" | "remoteimages", ..] => write("image", edited(&[id])),
        ["videos", id, "alternatesources"] => write("versions", deleted(&[id])),
        ["videos", "mergeversions"] => write("versions", deleted(&ids(query))),
        ["videos", "activeencodings"] => write("transcode", for_everyone([Tag::sessions()])),
        ["playlists"] => write("playlist", for_everyone([Tag::playlists()])),
        ["playlists", id] if change.deletes => write("playlist", deleted(&[id])),
        ["playlists", id, ..] => write("playlist", playlist(id)),
        ["collections"] => write("collection", collection(None)),
        ["collections", id, ..] => write("collection", collection(Some((id, &ids(query))))),
        ["library", "virtualfolders", ..] => write("folders", folders()),
        ["library", "refresh"] | ["library", "media" | "series" | "movies", ..] => write("scan", scanned()),
        ["livetv", "recordings", id] => write("delete", deleted(&[id])),
        ["livetv", "timers" | "seriestimers", ..] => write("timer", for_everyone([Tag::activities()])),
        ["livetv", ..] => write("live-tv", for_everyone([Tag::server(), Tag::libraries()])),
        ["scheduledtasks", ..] => write("task", for_everyone([Tag::activities()])),
        _ => return None,
    })
}

fn ids<'a>(query: &'a Query<'_>) -> Vec<&'a str> {
    query.list("ids").collect()
}

/// The items, what lies above them, and every list, count and search of the library.
fn edited(ids: &[&str]) -> Vec<Staling> {
    if ids.len() > MAX_TAGGED_ROWS {
        return everything();
    }
    let mut stale = Vec::new();
    for id in ids {
        let id = guid::normal(id);
        stale.push(Staling::everyone(Tag::item(&id)).and_ancestors());
        stale.push(Staling::everyone(Tag::image(&id)));
        stale.push(Staling::everyone(Tag::playlist(&id)));
        // An episode names its series, a track its album and artist.
        stale.push(Staling::everyone(Tag::under(&id)));
    }
    stale.extend(for_everyone([Tag::many_items(), Tag::libraries()]));
    stale
}

/// The same, and whatever the items may have been a part of: what was deleted may have been a playlist.
fn deleted(ids: &[&str]) -> Vec<Staling> {
    let mut stale = edited(ids);
    stale.extend(for_everyone([Tag::watch_lists(), Tag::playlists(), Tag::collections()]));
    stale
}

/// A playlist may be shared, so its writes are everybody's.
fn playlist(id: &str) -> Vec<Staling> {
    let id = guid::normal(id);
    for_everyone([Tag::playlist(&id), Tag::item(&id), Tag::section(&id), Tag::playlists()])
}

/// Lists of films may hide films behind their collection, so lists go with it; the view that holds it shows when it
/// was added to last, and a view follows all that the lists of a user follow.
fn collection(which: Option<(&str, &[&str])>) -> Vec<Staling> {
    let tags = [Tag::collections(), Tag::libraries(), Tag::watch_lists(), Tag::many_items()];
    let mut stale = for_everyone(tags);
    if let Some((id, members)) = which {
        let id = guid::normal(id);
        stale.extend(for_everyone([Tag::item(&id), Tag::section(&id)]));
        stale.extend(members.iter().take(MAX_TAGGED_ROWS).map(|member| Staling::everyone(Tag::item(member))));
    }
    stale
}

fn folders() -> Vec<Staling> {
    let tags = [Tag::libraries(), Tag::server(), Tag::watch_lists(), Tag::many_items(), Tag::activities()];
    for_everyone(tags)
}

/// What a scan finds comes later, as events; what it will find is not known, so lists are asked for anew.
fn scanned() -> Vec<Staling> {
    for_everyone([Tag::activities(), Tag::libraries(), Tag::many_items()])
}
