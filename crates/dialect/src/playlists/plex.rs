//! Playlists of a Plex. Items are named by an address (`server://…/library/metadata/1,2`); entries leave one by one.

use http::Method;
use serde_json::Value;

use super::{Entry, Holder, Listed, Order, Page, Taken, escaped, text, whole_seconds};
use crate::facts::Unfit;

pub(super) fn playlists_target(start: u64, size: u64) -> String {
    format!("/playlists?playlistType=audio&{}", window(start, size))
}

pub(super) fn entries_target(playlist: &str, start: u64, size: u64) -> String {
    format!("/playlists/{}/items?includeGuids=1&{}", escaped(playlist), window(start, size))
}

pub(super) fn seen_target(keys: &[String]) -> String {
    format!("/library/metadata/{}?excludeElements=Media,Genre,Mood,Similar,Style", keys.join(","))
}

fn window(start: u64, size: u64) -> String {
    format!("X-Plex-Container-Start={start}&X-Plex-Container-Size={size}")
}

pub(super) fn playlists(body: &[u8]) -> Result<Page<Listed>, Unfit> {
    page(body, |row| {
        Some(Listed {
            id: text(&row["ratingKey"])?,
            title: row["title"].as_str()?.to_owned(),
            length: row["leafCount"].as_u64(),
            is_smart: is_true(&row["smart"]),
            may_delete: None,
        })
    })
}

pub(super) fn entries(body: &[u8]) -> Result<Page<Entry>, Unfit> {
    page(body, |row| {
        let words = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        // The credit of the track itself, where it differs from the album's artist.
        let credit = Some(words("originalTitle")).filter(|credit| !credit.is_empty());
        let artist = credit.unwrap_or_else(|| words("grandparentTitle"));
        let named = |guid: &Value| guid["id"].as_str().map(str::to_owned);
        let guids = row["Guid"].as_array().into_iter().flatten().filter_map(named);
        Some(Entry {
            entry: text(&row["playlistItemID"]),
            key: text(&row["ratingKey"])?,
            title: words("title"),
            artists: Some(artist).filter(|artist| !artist.is_empty()).into_iter().collect(),
            album: words("parentTitle"),
            duration_s: whole_seconds(row["duration"].as_u64()),
            ids: guids.collect(),
        })
    })
}

fn page<T>(body: &[u8], read: impl Fn(&Value) -> Option<T>) -> Result<Page<T>, Unfit> {
    let said: Value = serde_json::from_slice(body).map_err(|_| Unfit::Malformed)?;
    let container = said["MediaContainer"].as_object().ok_or(Unfit::Malformed)?;
    // Without rows the key is left out, and the size says so.
    let rows = match container.get("Metadata") {
        Some(Value::Array(rows)) => rows.as_slice(),
        None if container.get("size").and_then(Value::as_u64) == Some(0) => &[],
        Some(_) | None => return Err(Unfit::Malformed),
    };
    Ok(Page {
        rows: rows.iter().filter_map(read).collect(),
        sent: rows.len() as u64,
        total: container.get("totalSize").and_then(Value::as_u64),
    })
}

pub(super) fn create(holder: &Holder, title: &str, keys: &[String]) -> Order {
    let uri = escaped(&address(holder, keys));
    let target = format!("/playlists?type=audio&title={}&smart=0&uri={uri}", escaped(title));
    Order::bare(Method::POST, target)
}

pub(super) fn created(body: &[u8]) -> Result<String, Unfit> {
    let said: Value = serde_json::from_slice(body).map_err(|_| Unfit::Malformed)?;
    text(&said["MediaContainer"]["Metadata"][0]["ratingKey"]).ok_or(Unfit::Malformed)
}

pub(super) fn add(holder: &Holder, playlist: &str, keys: &[String]) -> Order {
    let uri = escaped(&address(holder, keys));
    Order::bare(Method::PUT, format!("/playlists/{}/items?uri={uri}", escaped(playlist)))
}

pub(super) fn taken(body: &[u8]) -> Option<Taken> {
    let said: Value = serde_json::from_slice(body).ok()?;
    let count = |name: &str| said["MediaContainer"][name].as_u64();
    Some(Taken { requested: count("leafCountRequested")?, added: count("leafCountAdded")? })
}

pub(super) fn remove(playlist: &str, entries: &[String]) -> Order {
    let entry = entries.first().map(String::as_str).unwrap_or_default();
    Order::bare(Method::DELETE, format!("/playlists/{}/items/{}", escaped(playlist), escaped(entry)))
}

pub(super) fn relocate(playlist: &str, entry: &str, after: Option<&str>) -> Order {
    let after = after.map(|after| format!("?after={}", escaped(after))).unwrap_or_default();
    let target = format!("/playlists/{}/items/{}/move{after}", escaped(playlist), escaped(entry));
    Order::bare(Method::PUT, target)
}

pub(super) fn rename(playlist: &str, title: &str) -> Order {
    Order::bare(Method::PUT, format!("/playlists/{}?title={}", escaped(playlist), escaped(title)))
}

fn address(holder: &Holder, keys: &[String]) -> String {
    let machine = &holder.machine;
    format!("server://{machine}/com.plexapp.plugins.library/library/metadata/{}", keys.join(","))
}

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_u64() == Some(1) || value.as_str() == Some("1")
}
