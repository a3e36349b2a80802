//! Invalidations of writes to the library: items, images, playlists, collections, scans.

use super::query::CanonicalQuery;
use super::write::{ParsedWrite, all, for_everyone, write};
use super::{groups, guid, list_fields};
use crate::classification::{SCAN, Write};
use crate::response_facts::MAX_TAGGED_ROWS;
use crate::sabotage::is_disabled;
use crate::tag::{Tag, TagInvalidation, UserState};

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
        ["items", id, "images" | "remoteimages", ..] => write("image", images_changed(id)),
        ["videos", id, "alternatesources"] => write("versions", deleted(&[id])),
        ["videos", "mergeversions"] => write("versions", deleted(&ids(query))),
        ["videos", "activeencodings"] => write("transcode", for_everyone([Tag::sessions()])),
        ["playlists"] => {
            let mut stale = for_everyone(groups::holding(&Tag::playlists(), groups::PLAYLISTS));
            stale.push(TagInvalidation::everyone(Tag::playlist_names()));
            write("playlist", stale)
        }
        ["playlists", id] if change.deletes => write("playlist", deleted(&[id])),
        ["playlists", id, "items", ..] => write("playlist", playlist(id)),
        ["playlists", id, ..] => write("playlist", renamed_playlist(id)),
        ["collections"] => write("collection", collection(None, &ids(query))),
        ["collections", id, ..] => write("collection", collection(Some(id), &ids(query))),
        // Its items are unknown, and so are the playlists and collections that hold them.
        ["library", "virtualfolders", ..] if change.deletes => write("folders", all()),
        ["library", "virtualfolders", ..] => write("folders", folders()),
        ["library", "refresh"] | ["library", "media" | "series" | "movies", ..] => write(SCAN, scanned()),
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

/// The items, their ancestors, and every list and search that can hold them; but no image.
fn edited(ids: &[&str]) -> Vec<TagInvalidation> {
    if ids.len() > MAX_TAGGED_ROWS {
        return all();
    }
    let mut stale = Vec::new();
    for id in ids {
        let id = guid::normalize(id);
        stale.extend(shown(&id));
        if !is_disabled("belonging") {
            stale.push(TagInvalidation::everyone(Tag::belonging(&id)));
        }
        stale.push(TagInvalidation::everyone(Tag::listings()).of(&id));
    }
    stale
}

/// Whatever shows the item.
pub(super) fn shown(id: &str) -> [TagInvalidation; 5] {
    [
        TagInvalidation::everyone(Tag::item(id)).with_ancestors(),
        TagInvalidation::everyone(Tag::about(id)),
        TagInvalidation::everyone(Tag::many_items()).of(id),
        TagInvalidation::everyone(Tag::playlist(id)),
        // An episode names its series, a track its album and artist.
        TagInvalidation::everyone(Tag::under(id)),
    ]
}

/// Images of one item, and whatever names them.
fn images_changed(id: &str) -> Vec<TagInvalidation> {
    let id = guid::normalize(id);
    let mut stale = shown(&id).to_vec();
    stale.push(TagInvalidation::everyone(Tag::listed_by(list_fields::IMAGES)).of(&id));
    // Extras show the images of the item that they belong to.
    stale.extend(for_everyone([Tag::image(&id), Tag::images_by_name(), Tag::belonging(&id)]));
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
    if ids.len() <= MAX_TAGGED_ROWS {
        for id in ids {
            let id = guid::normalize(id);
            stale.push(TagInvalidation::everyone(Tag::libraries()).of(&id));
            let states = UserState::EVERY.map(|state| TagInvalidation::everyone(Tag::selected_by(state)).of(&id));
            stale.extend(states);
        }
    }
    stale.extend(for_everyone([Tag::counts(), Tag::playlists(), Tag::playlist_names(), Tag::collections()]));
    stale
}

/// The contents of a playlist, which shows its length in lists and searches. It may be shared, so its writes concern
/// everyone.
fn playlist(id: &str) -> Vec<TagInvalidation> {
    let id = guid::normalize(id);
    let mut stale = for_everyone([Tag::playlist(&id), Tag::item(&id), Tag::about(&id), Tag::section(&id)]);
    stale.extend(for_everyone(groups::holding(&Tag::playlists(), groups::PLAYLISTS)));
    stale
}

/// The same, and responses that show the playlist among other items: it has another name, or other users see it.
fn renamed_playlist(id: &str) -> Vec<TagInvalidation> {
    let mut stale = playlist(id);
    stale.push(TagInvalidation::everyone(Tag::playlist_names()));
    stale
}

/// A new collection, or one whose members change. Film lists may show films as the collections they are in: such a list
/// shows a member or the collection, or is a page of more. The view with the collections shows its last addition.
fn collection(which: Option<&str>, members: &[&str]) -> Vec<TagInvalidation> {
    let lists = if which.is_some() { Tag::listings() } else { Tag::libraries() };
    let mut stale = for_everyone([Tag::collections(), Tag::counts()]);
    stale.extend(for_everyone(groups::holding(&lists, groups::COLLECTIONS)));
    if let Some(id) = which {
        let id = guid::normalize(id);
        stale.extend(for_everyone([Tag::item(&id), Tag::about(&id), Tag::belonging(&id), Tag::section(&id)]));
        stale.push(TagInvalidation::everyone(Tag::many_items()).of(&id));
    }
    for member in members.iter().take(MAX_TAGGED_ROWS) {
        stale.extend(for_everyone([Tag::item(member), Tag::about(member), Tag::belonging(member)]));
        stale.push(TagInvalidation::everyone(Tag::many_items()).of(member));
    }
    if members.is_empty() || members.len() > MAX_TAGGED_ROWS {
        stale.extend(for_everyone([Tag::libraries(), Tag::watch_lists(), Tag::many_items()]));
    }
    stale
}

fn folders() -> Vec<TagInvalidation> {
    let tags = [Tag::libraries(), Tag::server(), Tag::watch_lists(), Tag::many_items(), Tag::activities()];
    let mut stale = for_everyone(tags);
    stale.extend(for_everyone([Tag::collections(), Tag::counts()]));
    stale
}

/// Results of a scan arrive later as events; they are unknown now, so lists are invalidated.
fn scanned() -> Vec<TagInvalidation> {
    for_everyone([Tag::activities(), Tag::libraries(), Tag::many_items()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_of_unknown_fields_or_of_an_image_reaches_what_belongs_to_the_item() {
        let belonging = TagInvalidation::everyone(Tag::belonging("7"));
        assert!(edited(&["7"]).contains(&belonging) && deleted(&["7"]).contains(&belonging));
        assert!(images_changed("7").contains(&belonging));
    }

    #[test]
    fn a_scan_that_was_only_started_reaches_the_activities_alone_where_its_results_are_told() {
        let scan = write(SCAN, scanned());
        assert_eq!(scan.at_once(), [TagInvalidation::everyone(Tag::activities())]);
        assert!(scan.invalidations.contains(&TagInvalidation::everyone(Tag::libraries())));
        let edit = write("edit", edited(&["7"]));
        assert_eq!(edit.at_once(), edit.invalidations);
    }
}
