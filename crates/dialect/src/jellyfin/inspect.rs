//! Inspects response bodies: whether they are cacheable, the tags of their rows, and parents of items.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::rows::{self, JellyfinRow, JellyfinRows};
use super::socket::SCAN_TASK;
use super::{edit, groups, guid};
use crate::class::Class;
use crate::classification::{EditedDocument, Read, Representation};
use crate::image_integrity;
use crate::own_user;
use crate::response_facts::UnusableResponse::{self, Malformed};
use crate::response_facts::{
    ItemFacts, MAX_TAGGED_ROWS, ResponseFacts, SetMembers, UnsharedReason, has_meaningful_total,
};
use crate::sabotage::is_disabled;
use crate::tag::{Tag, TagGroup};

/// Max fresh time of a response about tasks while one runs, in seconds.
const RUNNING_TASK_FRESH_S: u32 = 5;

/// Kinds whose rows show counts of their descendants.
const BRANCHES: [&str; 7] = ["Series", "Season", "MusicAlbum", "MusicArtist", "BoxSet", "Folder", "PhotoAlbum"];

/// Parameters of a list of everything in a folder, as the server spells them.
const WHOLE: [&str; 11] = [
    "parentId",
    "userId",
    "fields",
    "sortBy",
    "sortOrder",
    "enableImages",
    "enableImageTypes",
    "enableTotalRecordCount",
    "enableUserData",
    "imageTypeLimit",
    "",
];

/// Kinds whose rows may show counts of items that are not their descendants: no chain of parents leads there.
const GATHERINGS: [&str; 11] = [
    "BoxSet",
    "Folder",
    "CollectionFolder",
    "UserView",
    "UserRootFolder",
    "AggregateFolder",
    "Playlist",
    "MusicArtist",
    "PhotoAlbum",
    "ManualPlaylistsFolder",
    "PlaylistsFolder",
];

/// Kinds of folders, which may hold playlists and show when the last one was added.
const FOLDERS: [&str; 7] = [
    "Folder",
    "CollectionFolder",
    "UserView",
    "UserRootFolder",
    "AggregateFolder",
    "ManualPlaylistsFolder",
    "PlaylistsFolder",
];

/// Kinds beside folders that hold items which do not name them as a parent.
const COLLECTIONS: [&str; 2] = ["BoxSet", "Playlist"];

/// Kinds that always have a parent: if such a row names none, its parents are unknown.
const LEAVES: [&str; 3] = ["Episode", "Season", "Audio"];

/// States of a running task.
const AT_WORK: [&str; 2] = ["Running", "Cancelling"];

/// Inspects the body of a 200 response.
pub(crate) fn inspect(read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<ResponseFacts, UnusableResponse> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    if read.representation == Representation::Opaque {
        return opaque(read.class, &kind, body);
    }
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(UnusableResponse::ContentType);
    }
    if read.target == "/QuickConnect/Enabled" {
        // The one response that is neither an object nor a list.
        return serde_json::from_slice::<bool>(body).map(|_| ResponseFacts::default()).map_err(|_| Malformed);
    }
    let rows = rows::read(body).map_err(|_| Malformed)?;
    if promises_list(read) && !rows.is_list {
        return Err(Malformed);
    }
    let document = document(read, body);
    let unshared = (is_device_list(read) && holds_token(body)).then_some(UnsharedReason::HoldsToken);
    let mut facts = facts(read, &rows);
    facts.items.document = document;
    Ok(ResponseFacts { unshared, ..facts })
}

/// The document in the body, if writes replace it.
fn document(read: &Read, body: &Bytes) -> Option<(String, Vec<(String, u64)>)> {
    let path = read.target.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (is_user, id) = match segments[..] {
        ["Items", id] if read.class == Class::Item => (false, id),
        ["Users", id] => (true, id),
        _ => return None,
    };
    let body: Value = serde_json::from_slice(body).ok()?;
    if !is_user {
        return Some((id.to_owned(), edit::fields(body.as_object()?)));
    }
    let user = body.get("Id")?.as_str()?;
    let name = EditedDocument::UserConfiguration(guid::normalize(user).into_owned()).key().into_owned();
    Some((name, edit::fields(body.get("Configuration")?.as_object()?)))
}

fn is_device_list(read: &Read) -> bool {
    read.target.split('?').next() == Some("/Devices")
}

/// Whether a field for an access token is in use. Servers know such a field and leave it empty.
fn holds_token(body: &Bytes) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            Value::Array(rows) => rows.iter().any(any),
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                let is_token = name.to_ascii_lowercase().contains("token");
                any(value) || is_token && !value.is_null() && value != ""
            }),
            _ => false,
        }
    }
    serde_json::from_slice(body).is_ok_and(|value| any(&value))
}

fn opaque(class: Class, kind: &str, body: &Bytes) -> Result<ResponseFacts, UnusableResponse> {
    let is_plausible = match class {
        Class::Images => kind.starts_with("image/"),
        _ => kind.starts_with("image/") || kind.starts_with("text/css"),
    };
    if !is_plausible {
        return Err(UnusableResponse::ContentType);
    }
    if kind.starts_with("image/") && image_integrity::is_broken_off(body) {
        return Err(UnusableResponse::Malformed);
    }
    Ok(ResponseFacts::default())
}

/// Whether the response must be a list: an object without one comes from something else.
fn promises_list(read: &Read) -> bool {
    let path = read.target.split('?').next().unwrap_or_default();
    match read.class {
        Class::Lists => !path.starts_with("/Items/Filters"),
        Class::Counts | Class::Item => path == "/Items",
        Class::Playlists => path.ends_with("/Items"),
        Class::Search | Class::Resume | Class::Recent | Class::Hubs | Class::Collections => true,
        _ => false,
    }
}

fn facts(read: &Read, rows: &JellyfinRows) -> ResponseFacts {
    let mut facts = ResponseFacts::default();
    match read.class {
        Class::Activities => {
            let at_work = |row: &JellyfinRow| row.state.as_deref().is_some_and(|state| AT_WORK.contains(&state));
            facts.max_fresh_s = rows.rows.iter().any(at_work).then_some(RUNNING_TASK_FRESH_S);
            facts.scanning = rows.rows.iter().find(|row| row.key.as_deref() == Some(SCAN_TASK)).map(at_work);
        }
        Class::Users => facts.own_user = own_user(read, rows),
        Class::Sessions => {
            facts.items.companions = rows.rows.iter().flat_map(|row| row.companions.clone()).collect();
        }
        class if holds_items(class) => {
            facts.tags = tags(read, rows);
            facts.parents = rows.rows.iter().flat_map(parents).collect();
            facts.items = items(read, rows);
        }
        _ => {}
    }
    if has_meaningful_total(read.class) {
        facts.total = Some(total(rows));
    }
    facts
}

/// The total of a page; the server sends 0 if the request turned counting off.
fn total(rows: &JellyfinRows) -> u64 {
    let row_count = u64::try_from(rows.count).unwrap_or(u64::MAX);
    rows.total.unwrap_or(0).max(row_count).max(rows.counted)
}

fn own_user(read: &Read, rows: &JellyfinRows) -> Option<String> {
    let is_own_user_request = read.target.split('?').next() == Some("/Users/Me");
    rows.rows.first().filter(|_| is_own_user_request)?.id.clone().filter(|id| own_user::is_id(id))
}

fn holds_items(class: Class) -> bool {
    matches!(
        class,
        Class::Lists
            | Class::Item
            | Class::Search
            | Class::Resume
            | Class::Recent
            | Class::Hubs
            | Class::Playlists
            | Class::Collections
            | Class::Sections
    )
}

/// Facts about items in the rows.
fn items(read: &Read, rows: &JellyfinRows) -> ItemFacts {
    let mut items = ItemFacts::default();
    for row in &rows.rows {
        let (Some(id), Some(kind)) = (&row.id, &row.kind) else { continue };
        items.groups.extend(groups::of_kind(kind).map(|group| (id.clone(), group.to_owned())));
        let contents = groups::of_contents(kind, row.collection_type.as_deref());
        items.contents.extend(contents.map(|group| (id.clone(), group.to_owned())));
        if !row.versions.is_empty() {
            items.versions.push([std::slice::from_ref(id), &row.versions].concat());
        }
        if row.run_time > 0 {
            items.run_times.push((id.clone(), row.run_time));
        }
    }
    items.members = members(read, rows);
    items
}

/// The value of a parameter of this read.
fn parameter<'a>(read: &'a Read, name: &str) -> Option<&'a str> {
    let (_, query) = read.target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// All members of the set that the response lists, if it lists a whole one.
fn members(read: &Read, rows: &JellyfinRows) -> Option<SetMembers> {
    let (path, query) = read.target.split_once('?').unwrap_or((&read.target, ""));
    if let (Some(playlist), Some(entries)) = (path.strip_prefix("/Playlists/"), &rows.entries) {
        return Some(SetMembers { set: playlist.to_owned(), user: None, members: entries.clone() });
    }
    let value = |name: &str| parameter(read, name);
    let is_whole = query.split('&').all(|pair| WHOLE.contains(&pair.split('=').next().unwrap_or_default()));
    let members: Vec<String> = rows.rows.iter().filter_map(|row| row.id.clone()).collect();
    (path == "/Items" && is_whole && total(rows) == u64::try_from(members.len()).ok()?).then_some(SetMembers {
        set: value("parentId")?.to_owned(),
        user: Some(value("userId")?.to_owned()),
        members,
    })
}

fn tags(read: &Read, rows: &JellyfinRows) -> Vec<Tag> {
    let mut tags = Vec::new();
    let has = |kinds: &[&str]| rows.count > rows.rows.len() || rows.rows.iter().any(|row| row.is_any(kinds));
    if has(&BRANCHES) {
        let branches = rows.rows.iter().filter(|row| row.is_any(&BRANCHES));
        tags.extend(groups::narrowed(&Tag::branch(), &groups_of(rows, branches)));
    }
    if rows.count > rows.rows.len() || rows.rows.iter().any(counts_others) {
        tags.extend(groups::narrowed(&Tag::counts(), &counted_groups(read, rows)));
    }
    if has(&FOLDERS) {
        tags.extend([Tag::playlist_names(), Tag::collections()]);
    }
    if rows.count > MAX_TAGGED_ROWS {
        tags.extend(untagged(rows, &Tag::many_items()));
    } else {
        tags.extend(rows.rows.iter().flat_map(row_tags));
        tags.extend(containing_folders(rows));
    }
    tags.sort_unstable();
    tags.dedup();
    tags
}

fn counts_others(row: &JellyfinRow) -> bool {
    row.has_counts && row.is_any(&GATHERINGS)
}

/// Groups of the items that rows count which are not their descendants.
fn counted_groups(read: &Read, rows: &JellyfinRows) -> Vec<TagGroup> {
    if rows.count > rows.rows.len() {
        return vec![TagGroup::Any];
    }
    let group = |row: &JellyfinRow| match row.id.clone() {
        Some(set) if row.is_any(&COLLECTIONS) => match parameter(read, "userId") {
            Some(user) => TagGroup::Members { set, user: user.to_owned() },
            None => TagGroup::Any,
        },
        Some(folder) if row.is_any(&FOLDERS) => TagGroup::In(folder),
        _ => TagGroup::Any,
    };
    rows.rows.iter().filter(|row| counts_others(row)).map(group).collect()
}

/// Tags of a response whose rows, or the ancestors of which, are not tagged one by one: for edits this one, for marks
/// one of its own, unless no row shows user state.
fn untagged(rows: &JellyfinRows, for_edits: &Tag) -> Vec<Tag> {
    let groups = groups_of(rows, rows.rows.iter());
    let mut tags = groups::narrowed(for_edits, &groups);
    let shows_state = rows.count > rows.rows.len() || rows.rows.iter().any(|row| row.has_user_data);
    if shows_state && !is_disabled("states") {
        tags.extend(groups::narrowed(&Tag::many_states(), &groups));
    }
    tags
}

/// Tags of one row: marks of the item concern it only if it shows user state.
fn row_tags(row: &JellyfinRow) -> impl Iterator<Item = Tag> {
    let shown = row.id.as_deref().map(if row.has_user_data { Tag::item } else { Tag::about });
    let counted = row.id.as_deref().filter(|_| row.has_counts).map(Tag::counted);
    shown.into_iter().chain(counted)
}

/// Groups of rows that stand for all of a response.
fn groups_of<'a>(rows: &JellyfinRows, some: impl Iterator<Item = &'a JellyfinRow>) -> Vec<TagGroup> {
    if rows.count > rows.rows.len() {
        return vec![TagGroup::Any];
    }
    groups::all_or_any(some.map(|row| row.kind.as_deref().and_then(groups::of_kind)))
}

/// Tags for the ancestors of the rows, because marking an ancestor may mark the rows. If a row hides its
/// parents, or there are too many, the response gets the tag of every mark.
fn containing_folders(rows: &JellyfinRows) -> Vec<Tag> {
    let mut containing_folders = BTreeSet::new();
    for row in rows.rows.iter().filter(|row| row.id.is_some()) {
        let ancestor = [&row.season, &row.series, &row.album, &row.parent].into_iter().flatten();
        let mut ancestor =
            ancestor.chain(&row.artists).filter(|ancestor| row.id.as_ref() != Some(*ancestor)).peekable();
        if ancestor.peek().is_none() && has_unknown_ancestors(row) {
            return untagged(rows, &Tag::unplaced());
        }
        containing_folders.extend(ancestor.map(String::as_str));
        if containing_folders.len() > MAX_TAGGED_ROWS {
            return untagged(rows, &Tag::unplaced());
        }
    }
    containing_folders.into_iter().map(Tag::under).collect()
}

/// Whether the parents of such a row without a parent field are unknown.
fn has_unknown_ancestors(row: &JellyfinRow) -> bool {
    row.kind.as_deref().is_none_or(|kind| LEAVES.contains(&kind))
}

/// Parents that a row names. Above a show or an album there are only folders, whose responses follow every change
/// anyway, so chains end there. The place of a folder, a collection or a playlist is not recorded: a mark of one
/// concerns items that nothing leads to, so it has to count as unknown.
fn parents(row: &JellyfinRow) -> Vec<(String, Option<String>)> {
    let kind = row.kind.as_deref().unwrap_or_default();
    if FOLDERS.contains(&kind) || COLLECTIONS.contains(&kind) {
        return Vec::new();
    }
    let Some(id) = row.id.clone() else { return Vec::new() };
    let JellyfinRow { season, series, album, parent, .. } = row;
    let mut parents = Vec::new();
    let ancestors = [season, series, album].into_iter().flatten().filter(|ancestor| **ancestor != id);
    let mut child = id.clone();
    for ancestor in ancestors {
        parents.push((std::mem::replace(&mut child, ancestor.clone()), Some(ancestor.clone())));
    }
    match parent {
        Some(parent) if parents.is_empty() && *parent != id && !kind.is_empty() => {
            parents.push((id, Some(parent.clone())));
            parents.push((parent.clone(), None));
        }
        _ if parents.is_empty() && has_unknown_ancestors(row) => {}
        _ => parents.push((child, None)),
    }
    parents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(body: &str) -> Vec<(String, Option<String>)> {
        rows::read(body.as_bytes()).unwrap().rows.iter().flat_map(parents).collect()
    }

    fn link(item: &str, parent: Option<&str>) -> (String, Option<String>) {
        (item.into(), parent.map(Into::into))
    }

    #[test]
    fn an_episode_has_its_season_and_show_as_parents() {
        assert_eq!(
            links(r#"{"Id":"e","Type":"Episode","SeasonId":"s","SeriesId":"t","ParentId":"f"}"#),
            [link("e", Some("s")), link("s", Some("t")), link("t", None)]
        );
        assert_eq!(links(r#"{"Id":"s","Type":"Season","SeriesId":"t"}"#), [link("s", Some("t")), link("t", None)]);
        assert_eq!(links(r#"{"Id":"a","Type":"Audio","AlbumId":"b"}"#), [link("a", Some("b")), link("b", None)]);
    }

    #[test]
    fn rows_with_unknown_ancestors_follow_every_mark_if_one_shows_user_state() {
        let tags_of = |body: &str| containing_folders(&rows::read(body.as_bytes()).unwrap());
        let (hint, row) = (r#"[{"Id":"e","Type":"Episode"}]"#, r#"[{"Id":"e","Type":"Episode","UserData":{}}]"#);
        assert!(tags_of(hint).contains(&Tag::unplaced()) && !tags_of(hint).contains(&Tag::many_states()));
        assert!(tags_of(row).contains(&Tag::unplaced()) && tags_of(row).contains(&Tag::many_states()));
    }

    #[test]
    fn a_film_has_its_folder_as_parent_or_none() {
        assert_eq!(links(r#"{"Id":"m","Type":"Movie","ParentId":"f"}"#), [link("m", Some("f")), link("f", None)]);
        assert_eq!(links(r#"{"Id":"m","Type":"Movie"}"#), [link("m", None)]);
    }

    #[test]
    fn a_row_without_parents_yields_no_lineage() {
        for body in
            [r#"{"Id":"e","Type":"Episode"}"#, r#"{"Id":"a","Type":"Audio"}"#, r#"{"Id":"x"}"#, r#"{"Type":"Movie"}"#]
                .into_iter()
                .chain([r#"{"Id":"b","Type":"BoxSet","ParentId":"f"}"#, r#"{"Id":"p","Type":"Playlist"}"#])
        {
            assert_eq!(links(body), [], "{body}");
        }
    }
}
