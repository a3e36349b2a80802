//! `/Search/Hints`: short results while a user types.

use http::Method;
use serde_json::{Value, json};

use super::RouteResult;
use crate::catalogue::{ItemRecord, MediaKind};
use crate::jellyfin::dto::{ImageKind, JsonFields, kind_name, media_type, put, ticks};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::find::{ItemQuery, ItemType, ListItem, find};
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::ResponseContext;
use crate::state::PlaylistRecord;

/// Everything below `/Search`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    if (&ask.method, rest) != (&Method::GET, &["hints"][..]) {
        return Err(JellyfinError::NotFound);
    }
    let term = ask.params.text("searchterm").map(str::trim).unwrap_or_default().to_owned();
    if term.is_empty() {
        return Err(JellyfinError::invalid("searchTerm"));
    }
    let mut asked = ItemQuery::from_params(&ask.params, &ask.server.switches)?;
    asked.recursive = true;
    let user = ask.user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, user);
    let page = (asked.start, asked.limit.unwrap_or(usize::MAX));
    (asked.start, asked.limit) = (0, None);
    let mut records: Vec<ItemRecord> = find(&scene, &asked)
        .things
        .into_iter()
        .filter_map(|thing| if let ListItem::Item(id) = thing { scene.record(id) } else { None })
        .collect();
    let term = term.to_lowercase();
    records.sort_by_key(|record| (rank(&record.title, &term), record.title.to_lowercase(), record.id));
    let playlists = playlists(&scene, &asked, &term);
    let total = records.len() + playlists.len();
    let hints = records.iter().map(|record| hint(&scene, record)).chain(playlists);
    let hints: Vec<Value> = hints.skip(page.0).take(page.1).collect();
    Ok(JellyfinResponse::json(json!({"SearchHints": hints, "TotalRecordCount": total})))
}

/// Exact titles first, then titles that begin with the term, then those with the term at the start of a word, then the
/// rest.
fn rank(title: &str, term: &str) -> u8 {
    let title = title.to_lowercase();
    if title == term {
        0
    } else if title.starts_with(term) {
        1
    } else {
        3 - u8::from(title.contains(&format!(" {term}")))
    }
}

/// Visible playlists whose name holds the term, after all items.
fn playlists(scene: &ResponseContext<'_>, asked: &ItemQuery, term: &str) -> Vec<Value> {
    let Some(user) = scene.user.filter(|_| !scene.starting && asked.wants(ItemType::Playlist)) else {
        return Vec::new();
    };
    let mut found: Vec<&PlaylistRecord> = scene.view.playlists(user);
    found.retain(|playlist| playlist.title.to_lowercase().contains(term));
    found.sort_by_key(|playlist| (rank(&playlist.title, term), playlist.title.to_lowercase(), playlist.id));
    let row = |playlist: &&PlaylistRecord| {
        let id = JellyfinId::new(IdNamespace::Item, playlist.id.0).hex();
        json!({
            "ItemId": id,
            "Id": id,
            "Name": playlist.title,
            "Type": "Playlist",
            "IsFolder": true,
            "MediaType": "Audio",
            "Artists": [],
        })
    };
    found.iter().map(row).collect()
}

fn hint(scene: &ResponseContext<'_>, record: &ItemRecord) -> Value {
    let id = JellyfinId::new(IdNamespace::Item, record.id.0);
    let mut fields = JsonFields::new();
    put(&mut fields, "ItemId", id.hex());
    put(&mut fields, "Id", id.hex());
    put(&mut fields, "Name", record.title.as_str());
    put(&mut fields, "Type", kind_name(record.kind));
    put(&mut fields, "IsFolder", !record.kind.is_playable());
    put(&mut fields, "MediaType", media_type(record.kind));
    put(&mut fields, "ProductionYear", record.year);
    put(&mut fields, "RunTimeTicks", ticks(record));
    put(&mut fields, "Artists", json!([]));
    put(&mut fields, "IndexNumber", record.index.filter(|_| record.parent.is_some()));
    let primary = scene.images.picture(id, Some(record.kind), ImageKind::Primary);
    put(&mut fields, "PrimaryImageTag", primary.map(|picture| picture.tag));
    match (record.kind, &record.parent, &record.grandparent) {
        (MediaKind::Track, Some(album), Some(artist)) => {
            put(&mut fields, "Album", album.title.as_str());
            put(&mut fields, "AlbumId", ResponseContext::hex(album.id));
            put(&mut fields, "AlbumArtist", artist.title.as_str());
            put(&mut fields, "Artists", json!([artist.title]));
        }
        (MediaKind::Album, Some(artist), _) => {
            put(&mut fields, "AlbumArtist", artist.title.as_str());
            put(&mut fields, "Artists", json!([artist.title]));
        }
        (MediaKind::Episode, Some(season), Some(show)) => {
            put(&mut fields, "Series", show.title.as_str());
            put(&mut fields, "ParentIndexNumber", season.index);
        }
        _ => {}
    }
    Value::Object(fields)
}
