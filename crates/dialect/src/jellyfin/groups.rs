//! Groups of items: kinds of media that share no list which asks for one of them.
//!
//! An item of a kind without a group counts as one of unknown group, which concerns every list.

use super::item_query::{has_any_of, is};
use super::query::CanonicalQuery;
use crate::tag::{Tag, TagGroup};

const FILMS: &str = "films";
pub(super) const SHOWS: &str = "shows";
const MUSIC: &str = "music";
pub(super) const PLAYLISTS: &str = "playlists";
pub(super) const COLLECTIONS: &str = "collections";

const CHANNELS: &str = "channels";

/// Kinds of items and their groups.
const KINDS: [(&str, &str); 10] = [
    ("Movie", FILMS),
    ("Trailer", FILMS),
    ("Series", SHOWS),
    ("Season", SHOWS),
    ("Episode", SHOWS),
    ("Audio", MUSIC),
    ("MusicAlbum", MUSIC),
    ("MusicArtist", MUSIC),
    ("Playlist", PLAYLISTS),
    ("BoxSet", COLLECTIONS),
];

/// Kinds of folders that hold items of one group only, whatever a library of that kind may be called.
const FOLDERS: [(&str, &str); 7] = [
    ("Series", SHOWS),
    ("Season", SHOWS),
    ("MusicAlbum", MUSIC),
    ("MusicArtist", MUSIC),
    ("ManualPlaylistsFolder", PLAYLISTS),
    ("PlaylistsFolder", PLAYLISTS),
    ("CollectionsFolder", COLLECTIONS),
];

/// Types of libraries and the groups of their items. A library without a type holds anything.
const LIBRARIES: [(&str, &str); 5] =
    [("movies", FILMS), ("tvshows", SHOWS), ("music", MUSIC), ("playlists", PLAYLISTS), ("boxsets", COLLECTIONS)];

/// Whether no item of this group holds another.
pub(crate) fn is_group_of_leaves(group: &str) -> bool {
    group == FILMS
}

/// Whether items of this group hold items of others.
pub(crate) fn is_group_of_sets(group: &str) -> bool {
    [PLAYLISTS, COLLECTIONS].contains(&group)
}

/// The group of an item of this kind.
pub(super) fn of_kind(kind: &str) -> Option<&'static str> {
    find(&KINDS, kind)
}

/// The group of everything in a row of this kind, which may be a library of this type.
pub(super) fn of_contents(kind: &str, collection_type: Option<&str>) -> Option<&'static str> {
    collection_type.and_then(|library| find(&LIBRARIES, library)).or_else(|| find(&FOLDERS, kind))
}

/// The groups of the rows that a query can give on a route whose rows are of `usual` kinds.
pub(super) fn of_query(query: &CanonicalQuery<'_>, usual: Option<&'static str>) -> Vec<TagGroup> {
    if query.list("includeitemtypes").next().is_some() {
        return all_or_any(query.list("includeitemtypes").map(of_kind));
    }
    if let Some(usual) = usual {
        return vec![TagGroup::Of(usual.to_owned())];
    }
    // A playlist has the media type of its entries.
    let media: Vec<&str> = query.list("mediatypes").collect();
    let groups: &[&str] = match media[..] {
        [media] if is(media, "audio") => &[MUSIC, PLAYLISTS],
        [media] if is(media, "video") => &[FILMS, SHOWS, PLAYLISTS],
        _ => &[],
    };
    if !groups.is_empty() {
        return groups.iter().map(|group| TagGroup::Of((*group).to_owned())).collect();
    }
    if has_any_of(query, &["seriesid", "seasonid"]) {
        return vec![TagGroup::Of(SHOWS.to_owned())];
    }
    match query.get("parentid") {
        Some(folder) => vec![TagGroup::In(folder.to_owned())],
        None => vec![TagGroup::Any],
    }
}

/// The groups of the rows at this path, if they are always the same.
pub(super) fn usual(path: &str) -> Option<&'static str> {
    match path.split('/').nth(1)? {
        "Shows" => Some(SHOWS),
        "Artists" | "MusicGenres" => Some(MUSIC),
        "Trailers" => Some(FILMS),
        "Channels" => Some(CHANNELS),
        _ => None,
    }
}

/// Whether this is the path of one person or artist. It shows how many films, shows and songs have it; playlists and
/// collections are not counted, as Jellyfin before 10.11 does for genres and studios.
pub(super) fn is_one_name(path: &str) -> bool {
    const FAMILIES: [&str; 2] = ["Artists", "Persons"];
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    matches!(segments[..], [family, name] if FAMILIES.contains(&family) && name != "AlbumArtists")
}

/// The groups of items that are neither playlists nor collections, in place of any.
pub(super) fn without_sets(groups: Vec<TagGroup>) -> Vec<TagGroup> {
    if groups.contains(&TagGroup::Any) {
        return [FILMS, SHOWS, MUSIC, CHANNELS].map(|group| TagGroup::Of(group.to_owned())).to_vec();
    }
    groups
}

/// `tag`, and the same narrowed to each of these groups.
pub(super) fn narrowed(tag: &Tag, groups: &[TagGroup]) -> Vec<Tag> {
    std::iter::once(tag.clone()).chain(groups.iter().map(|group| tag.narrowed(group))).collect()
}

/// `tag` for responses that can hold items of this group.
pub(super) fn holding(tag: &Tag, group: &str) -> [Tag; 2] {
    [tag.narrowed(&TagGroup::Of(group.to_owned())), tag.narrowed(&TagGroup::Any)]
}

/// The groups, or any if one is unknown.
pub(super) fn all_or_any(groups: impl Iterator<Item = Option<&'static str>>) -> Vec<TagGroup> {
    let mut found = Vec::new();
    for group in groups {
        let Some(group) = group else { return vec![TagGroup::Any] };
        let group = TagGroup::Of(group.to_owned());
        if !found.contains(&group) {
            found.push(group);
        }
    }
    found
}

fn find(table: &'static [(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| is(known, name)).map(|(_, group)| *group)
}
