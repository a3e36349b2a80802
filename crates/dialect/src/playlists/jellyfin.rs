//! Playlists of a Jellyfin server. Items are addressed by their ids; several entries can be removed at once,
//! and since 10.9 a whole playlist can be replaced.

use http::Method;
use serde_json::{Value, json};

use super::{AccountContext, PlaylistEntry, PlaylistInfo, PlaylistPage, WriteRequest, escaped, text, whole_seconds};
use crate::response_facts::UnusableResponse;

/// Ticks of a millisecond.
const TICKS_PER_MS: u64 = 10_000;

pub(super) fn playlists_target(account: &AccountContext, start: u64, size: u64) -> String {
    format!(
        "/Items?{}includeItemTypes=Playlist&recursive=true&fields=ChildCount,CanDelete&enableUserData=false\
         &enableImages=false&sortBy=SortName,DateCreated&startIndex={start}&limit={size}",
        user(account)
    )
}

pub(super) fn ownership_target(playlist: &str) -> String {
    format!("/Playlists/{}/Users", escaped(playlist))
}

pub(super) fn entries_target(account: &AccountContext, playlist: &str, start: u64, size: u64) -> String {
    format!(
        "/Playlists/{}/Items?{}fields=ProviderIds&enableUserData=false&enableImages=false&startIndex={start}&limit={size}",
        escaped(playlist),
        user(account)
    )
}

pub(super) fn visible_items_target(account: &AccountContext, keys: &[String]) -> String {
    format!("/Items?{}ids={}&enableUserData=false&enableImages=false", user(account), joined_ids(keys))
}

fn user(account: &AccountContext) -> String {
    if account.user.is_empty() { String::new() } else { format!("userId={}&", escaped(&account.user)) }
}

pub(super) fn playlists(body: &[u8]) -> Result<PlaylistPage<PlaylistInfo>, UnusableResponse> {
    page(body, |row| {
        let is_video = row["MediaType"].as_str() == Some("Video");
        (!is_video).then_some(())?;
        Some(PlaylistInfo {
            id: text(&row["Id"])?,
            title: row["Name"].as_str()?.to_owned(),
            length: row["ChildCount"].as_u64(),
            is_smart: false,
            summary: None,
            may_delete: row["CanDelete"].as_bool(),
        })
    })
}

pub(super) fn entries(body: &[u8]) -> Result<PlaylistPage<PlaylistEntry>, UnusableResponse> {
    page(body, |row| {
        let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let names = row["Artists"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut artists: Vec<String> = names.map(str::to_owned).collect();
        if artists.is_empty() {
            artists.extend(row["AlbumArtist"].as_str().filter(|name| !name.is_empty()).map(str::to_owned));
        }
        let recording = ["MusicBrainzRecording", "MusicBrainzTrack"];
        let ids = recording.into_iter().filter_map(|name| row["ProviderIds"][name].as_str());
        Some(PlaylistEntry {
            entry: text(&row["PlaylistItemId"]),
            key: text(&row["Id"])?,
            title: field("Name"),
            artists,
            album: field("Album"),
            duration_s: whole_seconds(row["RunTimeTicks"].as_u64().map(|ticks| ticks / TICKS_PER_MS)),
            ids: ids.take(1).map(|id| format!("mbid://{id}")).collect(),
        })
    })
}

fn page<T>(body: &[u8], read: impl Fn(&Value) -> Option<T>) -> Result<PlaylistPage<T>, UnusableResponse> {
    let body: Value = serde_json::from_slice(body).map_err(|_| UnusableResponse::Malformed)?;
    let rows = body["Items"].as_array().ok_or(UnusableResponse::Malformed)?;
    Ok(PlaylistPage {
        rows: rows.iter().filter_map(read).collect(),
        sent: rows.len() as u64,
        total: body["TotalRecordCount"].as_u64(),
    })
}

pub(super) fn create(account: &AccountContext, title: &str, keys: &[String]) -> WriteRequest {
    // Playlists are private unless the owner shares them.
    let mut body = json!({"Name": title, "Ids": keys, "MediaType": "Audio", "IsPublic": false});
    if !account.user.is_empty() {
        body["UserId"] = json!(account.user);
    }
    WriteRequest { method: Method::POST, target: "/Playlists".into(), body: body.to_string().into_bytes() }
}

pub(super) fn created(body: &[u8]) -> Result<String, UnusableResponse> {
    let body: Value = serde_json::from_slice(body).map_err(|_| UnusableResponse::Malformed)?;
    text(&body["Id"]).ok_or(UnusableResponse::Malformed)
}

pub(super) fn add(account: &AccountContext, playlist: &str, keys: &[String]) -> WriteRequest {
    let target = format!("/Playlists/{}/Items?{}ids={}", escaped(playlist), user(account), joined_ids(keys));
    WriteRequest::without_body(Method::POST, target)
}

pub(super) fn remove(playlist: &str, entries: &[String]) -> WriteRequest {
    let target = format!("/Playlists/{}/Items?entryIds={}", escaped(playlist), joined_ids(entries));
    WriteRequest::without_body(Method::DELETE, target)
}

pub(super) fn relocate(playlist: &str, entry: &str, index: usize) -> WriteRequest {
    let target = format!("/Playlists/{}/Items/{}/Move/{index}", escaped(playlist), escaped(entry));
    WriteRequest::without_body(Method::POST, target)
}

pub(super) fn set(playlist: &str, keys: &[String]) -> WriteRequest {
    let target = format!("/Playlists/{}", escaped(playlist));
    WriteRequest { method: Method::POST, target, body: json!({"Ids": keys}).to_string().into_bytes() }
}

fn joined_ids(ids: &[String]) -> String {
    ids.iter().map(|id| escaped(id)).collect::<Vec<_>>().join(",")
}
