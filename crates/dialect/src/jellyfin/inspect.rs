//! What the body of an answer says: whether it may be kept, its rows' tags, and what lies under what.

use std::collections::HashSet;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::rows::{self, Row, Rows};
use super::socket::SCAN_TASK;
use crate::class::Class;
use crate::facts::{Facts, MAX_TAGGED_ROWS, Unfit, tells_how_much};
use crate::picture;
use crate::tag::Tag;
use crate::verdict::{Read, Representation};

/// How long an answer about tasks may be fresh while one runs, in seconds.
const RUNNING_TASK_FRESH_S: u32 = 5;

/// Kinds whose rows show counts of what lies below.
const BRANCHES: [&str; 7] =
    ["Series", "Season", "MusicAlbum", "MusicArtist", "BoxSet", "Folder", "PhotoAlbum"];

/// Kinds whose rows show counts of items that do not lie below them: no chain of parents leads there.
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

/// Kinds that always lie under something: such a row without a parent tells nothing about its parents.
const LEAVES: [&str; 3] = ["Episode", "Season", "Audio"];

/// States of a task that is at work.
const AT_WORK: [&str; 2] = ["Running", "Cancelling"];

/// Reads the body of a 200 answer.
pub(crate) fn inspect(read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<Facts, Unfit> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    if read.representation == Representation::Opaque {
        return opaque(read.class, &kind, body);
    }
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Unfit::ContentType);
    }
    let rows = rows::read(body).map_err(|_| Unfit::Malformed)?;
    if promises_list(read) && !rows.is_list {
        return Err(Unfit::Malformed);
    }
    Ok(facts(read, &rows))
}

fn opaque(class: Class, kind: &str, body: &Bytes) -> Result<Facts, Unfit> {
    let fits = match class {
        Class::Images => kind.starts_with("image/"),
        _ => kind.starts_with("image/") || kind.starts_with("text/css"),
    };
    if !fits {
        return Err(Unfit::ContentType);
    }
    if kind.starts_with("image/") && picture::is_broken_off(body) {
        return Err(Unfit::Malformed);
    }
    Ok(Facts::default())
}

/// Whether the answer is a list: an object without one is somebody else's.
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

fn facts(read: &Read, rows: &Rows) -> Facts {
    let mut facts = Facts::default();
    match read.class {
        Class::Activities => {
            let at_work = |row: &Row| row.state.as_deref().is_some_and(|state| AT_WORK.contains(&state));
            facts.max_fresh_s = rows.kept.iter().any(at_work).then_some(RUNNING_TASK_FRESH_S);
            facts.scanning = rows.kept.iter().find(|row| row.key.as_deref() == Some(SCAN_TASK)).map(at_work);
        }
        Class::Users => facts.own_user = own_user(read, rows),
        class if holds_items(class) => {
            facts.tags = tags(rows);
            facts.parents = rows.kept.iter().flat_map(parents).collect();
        }
        _ => {}
    }
    if tells_how_much(read.class) {
        facts.total = Some(total(rows));
    }
    facts
}

/// A window may say how many there are in all; where counting was not wanted it says 0.
fn total(rows: &Rows) -> u64 {
    let here = u64::try_from(rows.count).unwrap_or(u64::MAX);
    rows.total.unwrap_or(0).max(here).max(rows.counted)
}

fn own_user(read: &Read, rows: &Rows) -> Option<String> {
    let asked = read.target.split('?').next() == Some("/Users/Me");
    rows.kept.first().filter(|_| asked)?.id.clone()
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

fn tags(rows: &Rows) -> Vec<Tag> {
    let mut tags = Vec::new();
    let has = |kinds: &[&str]| {
        rows.count > rows.kept.len()
            || rows.kept.iter().any(|row| row.kind.as_deref().is_some_and(|kind| kinds.contains(&kind)))
    };
    if has(&BRANCHES) {
        tags.push(Tag::branch());
    }
    if has(&GATHERINGS) {
        tags.push(Tag::watch_lists());
    }
    if rows.count > MAX_TAGGED_ROWS {
        tags.push(Tag::many_items());
    } else {
        tags.extend(rows.kept.iter().filter_map(|row| row.id.as_deref()).map(Tag::item));
        tags.extend(places(rows));
    }
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// What the rows lie under: marking that may be marking them. Where a row hides it, or there are too many places,
/// every mark concerns the answer.
fn places(rows: &Rows) -> Vec<Tag> {
    let mut places = HashSet::new();
    for row in rows.kept.iter().filter(|row| row.id.is_some()) {
        let above = [&row.season, &row.series, &row.album, &row.parent].into_iter().flatten();
        let mut above = above.chain(&row.artists).filter(|above| row.id.as_ref() != Some(*above)).peekable();
        if above.peek().is_none() && hides_its_place(row) {
            return vec![Tag::many_items()];
        }
        places.extend(above.map(String::as_str));
        if places.len() > MAX_TAGGED_ROWS {
            return vec![Tag::many_items()];
        }
    }
    places.into_iter().map(Tag::under).collect()
}

/// Whether such a row without a parent tells nothing about its parents.
fn hides_its_place(row: &Row) -> bool {
    row.kind.as_deref().is_none_or(|kind| LEAVES.contains(&kind))
}

/// What a row tells of what lies under what. Above a show or an album there are only folders, whose answers
/// follow every change anyway, so chains end there.
fn parents(row: &Row) -> Vec<(String, Option<String>)> {
    let Some(id) = row.id.clone() else { return Vec::new() };
    let Row { season, series, album, parent, .. } = row;
    let mut links = Vec::new();
    let chain = [season, series, album].into_iter().flatten().filter(|above| **above != id);
    let mut below = id.clone();
    for above in chain {
        links.push((std::mem::replace(&mut below, above.clone()), Some(above.clone())));
    }
    let kind = row.kind.as_deref().unwrap_or_default();
    match parent {
        Some(parent) if links.is_empty() && *parent != id && !kind.is_empty() => {
            links.push((id, Some(parent.clone())));
            links.push((parent.clone(), None));
        }
        _ if links.is_empty() && hides_its_place(row) => {}
        _ => links.push((below, None)),
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(body: &str) -> Vec<(String, Option<String>)> {
        rows::read(body.as_bytes()).unwrap().kept.iter().flat_map(parents).collect()
    }

    fn link(item: &str, parent: Option<&str>) -> (String, Option<String>) {
        (item.into(), parent.map(Into::into))
    }

    #[test]
    fn an_episode_tells_its_season_and_its_show() {
        assert_eq!(
            links(r#"{"Id":"e","Type":"Episode","SeasonId":"s","SeriesId":"t","ParentId":"f"}"#),
            [link("e", Some("s")), link("s", Some("t")), link("t", None)]
        );
        assert_eq!(
            links(r#"{"Id":"s","Type":"Season","SeriesId":"t"}"#),
            [link("s", Some("t")), link("t", None)]
        );
        assert_eq!(
            links(r#"{"Id":"a","Type":"Audio","AlbumId":"b"}"#),
            [link("a", Some("b")), link("b", None)]
        );
    }

    #[test]
    fn a_film_lies_under_its_folder_or_under_nothing() {
        assert_eq!(
            links(r#"{"Id":"m","Type":"Movie","ParentId":"f"}"#),
            [link("m", Some("f")), link("f", None)]
        );
        assert_eq!(links(r#"{"Id":"m","Type":"Movie"}"#), [link("m", None)]);
    }

    #[test]
    fn a_row_that_hides_its_parents_tells_nothing() {
        for body in [
            r#"{"Id":"e","Type":"Episode"}"#,
            r#"{"Id":"a","Type":"Audio"}"#,
            r#"{"Id":"x"}"#,
            r#"{"Type":"Movie"}"#,
        ] {
            assert_eq!(links(body), [], "{body}");
        }
    }
}
