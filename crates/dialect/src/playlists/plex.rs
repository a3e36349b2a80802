//! Playlists of a Plex server. Items are addressed by a URI (`server://…/library/metadata/1,2`); entries are
//! removed one by one.

use http::Method;
use serde_json::Value;

use super::{
    AcceptedCount, AccountContext, PlaylistEntry, PlaylistInfo, PlaylistPage, WriteRequest, escaped, text,
    whole_seconds,
};
use crate::response_facts::UnusableResponse;

pub(super) fn playlists_target(start: u64, size: u64) -> String {
    format!("/playlists?playlistType=audio&{}", window(start, size))
}

pub(super) fn entries_target(playlist: &str, start: u64, size: u64) -> String {
    format!("/playlists/{}/items?includeGuids=1&{}", escaped(playlist), window(start, size))
}

pub(super) fn visible_items_target(keys: &[String]) -> String {
    format!("/library/metadata/{}?excludeElements=Media,Genre,Mood,Similar,Style", keys.join(","))
}

fn window(start: u64, size: u64) -> String {
    format!("X-Plex-Container-Start={start}&X-Plex-Container-Size={size}")
}

pub(super) fn playlists(body: &[u8]) -> Result<PlaylistPage<PlaylistInfo>, UnusableResponse> {
    page(body, |row| {
        Some(PlaylistInfo {
            id: text(&row["ratingKey"])?,
            title: row["title"].as_str()?.to_owned(),
            length: row["leafCount"].as_u64(),
            is_smart: is_true(&row["smart"]),
            summary: row["summary"].as_str().filter(|summary| !summary.is_empty()).map(str::to_owned),
            may_delete: None,
        })
    })
}

pub(super) fn entries(body: &[u8]) -> Result<PlaylistPage<PlaylistEntry>, UnusableResponse> {
    page(body, |row| {
        let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        // The track's own credit, if it differs from the album's artist.
        let credit = Some(field("originalTitle")).filter(|credit| !credit.is_empty());
        let artist = credit.unwrap_or_else(|| field("grandparentTitle"));
        let id = |guid: &Value| guid["id"].as_str().map(str::to_owned);
        let guids = row["Guid"].as_array().into_iter().flatten().filter_map(id);
        Some(PlaylistEntry {
            entry: text(&row["playlistItemID"]),
            key: text(&row["ratingKey"])?,
            title: field("title"),
            artists: Some(artist).filter(|artist| !artist.is_empty()).into_iter().collect(),
            album: field("parentTitle"),
            duration_s: whole_seconds(row["duration"].as_u64()),
            ids: guids.collect(),
        })
    })
}

fn page<T>(body: &[u8], read: impl Fn(&Value) -> Option<T>) -> Result<PlaylistPage<T>, UnusableResponse> {
    let body: Value = serde_json::from_slice(body).map_err(|_| UnusableResponse::Malformed)?;
    let container = body["MediaContainer"].as_object().ok_or(UnusableResponse::Malformed)?;
    // An empty list has no such field, only a size.
    let rows = match container.get("Metadata") {
        Some(Value::Array(rows)) => rows.as_slice(),
        None if container.get("size").and_then(Value::as_u64) == Some(0) => &[],
        Some(_) | None => return Err(UnusableResponse::Malformed),
    };
    Ok(PlaylistPage {
        rows: rows.iter().filter_map(read).collect(),
        sent: rows.len() as u64,
        total: container.get("totalSize").and_then(Value::as_u64),
    })
}

pub(super) fn create(account: &AccountContext, title: &str, keys: &[String]) -> WriteRequest {
    let uri = escaped(&address(account, keys));
    let target = format!("/playlists?type=audio&title={}&smart=0&uri={uri}", escaped(title));
    WriteRequest::without_body(Method::POST, target)
}

pub(super) fn created(body: &[u8]) -> Result<String, UnusableResponse> {
    let body: Value = serde_json::from_slice(body).map_err(|_| UnusableResponse::Malformed)?;
    text(&body["MediaContainer"]["Metadata"][0]["ratingKey"]).ok_or(UnusableResponse::Malformed)
}

pub(super) fn add(account: &AccountContext, playlist: &str, keys: &[String]) -> WriteRequest {
    let uri = escaped(&address(account, keys));
    WriteRequest::without_body(Method::PUT, format!("/playlists/{}/items?uri={uri}", escaped(playlist)))
}

pub(super) fn accepted_count(body: &[u8]) -> Option<AcceptedCount> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let count = |name: &str| body["MediaContainer"][name].as_u64();
    Some(AcceptedCount { requested: count("leafCountRequested")?, added: count("leafCountAdded")? })
}

pub(super) fn remove(playlist: &str, entries: &[String]) -> WriteRequest {
    let entry = entries.first().map(String::as_str).unwrap_or_default();
    WriteRequest::without_body(Method::DELETE, format!("/playlists/{}/items/{}", escaped(playlist), escaped(entry)))
}

pub(super) fn delete(playlist: &str) -> WriteRequest {
    WriteRequest::without_body(Method::DELETE, format!("/playlists/{}", escaped(playlist)))
}

pub(super) fn rename(playlist: &str, title: &str, summary: Option<&str>) -> WriteRequest {
    let summary = summary.map(|summary| format!("&summary={}", escaped(summary))).unwrap_or_default();
    let target = format!("/playlists/{}?title={}{summary}", escaped(playlist), escaped(title));
    WriteRequest::without_body(Method::PUT, target)
}

pub(super) fn relocate(playlist: &str, entry: &str, after: Option<&str>) -> WriteRequest {
    let after = after.map(|after| format!("?after={}", escaped(after))).unwrap_or_default();
    let target = format!("/playlists/{}/items/{}/move{after}", escaped(playlist), escaped(entry));
    WriteRequest::without_body(Method::PUT, target)
}

fn address(account: &AccountContext, keys: &[String]) -> String {
    let machine = &account.machine;
    format!("server://{machine}/com.plexapp.plugins.library/library/metadata/{}", keys.join(","))
}

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_u64() == Some(1) || value.as_str() == Some("1")
}
