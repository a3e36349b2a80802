//! Dashboard data of a Jellyfin server.

use serde_json::Value;

use super::json_value::{decimal, flag, list, name, number, text};
use super::strip_secrets::without_secrets;
use super::{
    DashboardActivity, DashboardItem, DashboardPlayer, DashboardSession, DashboardUser, ItemCountKind,
    PlayHistoryEntry, PlayHistoryPage, StreamInfo, TranscodeInfo, timestamp,
};
use crate::crawl::LibraryInfo;
use crate::response_facts::UnusableResponse;

/// Jellyfin writes durations in units of 0.1 µs.
const TICKS_PER_MS: u64 = 10_000;

/// The rows of a bare list.
fn rows(body: &Value) -> Result<&[Value], UnusableResponse> {
    body.as_array().map(Vec::as_slice).ok_or(UnusableResponse::Malformed)
}

pub(super) fn sessions(body: &Value) -> Result<Vec<DashboardSession>, UnusableResponse> {
    let playing = rows(body)?.iter().filter(|row| row.get("NowPlayingItem").is_some_and(Value::is_object));
    Ok(playing.map(session).collect())
}

fn session(row: &Value) -> DashboardSession {
    let part = |name: &str| row.get(name).unwrap_or(&Value::Null);
    let (playing, state, how) = (part("NowPlayingItem"), part("PlayState"), part("TranscodingInfo"));
    let streams = list(playing, "MediaStreams");
    let codec = |kind: &str| {
        let stream = streams.iter().find(|stream| text(stream, "Type").as_deref() == Some(kind))?;
        text(stream, "Codec")
    };
    let height = streams.iter().find_map(|stream| number(stream, "Height"));
    let decision = |is_direct| if is_direct { "copy".to_owned() } else { "transcode".to_owned() };
    DashboardSession {
        id: text(row, "Id").unwrap_or_default(),
        user: DashboardUser {
            id: text(row, "UserId").unwrap_or_default(),
            name: text(row, "UserName").unwrap_or_default(),
            thumb: None,
        },
        item: item(playing),
        state: if flag(state, "IsPaused") { "paused".into() } else { "playing".into() },
        offset_ms: number(state, "PositionTicks").unwrap_or_default() / TICKS_PER_MS,
        player: DashboardPlayer {
            device: name(row, "DeviceName"),
            product: name(row, "Client"),
            platform: name(row, "Client"),
        },
        transcode: how.is_object().then(|| TranscodeInfo {
            speed: None,
            video: decision(flag(how, "IsVideoDirect")),
            audio: decision(flag(how, "IsAudioDirect")),
        }),
        stream: StreamInfo {
            resolution: height.map(|height| height.to_string()),
            video_codec: codec("Video"),
            audio_codec: codec("Audio"),
            container: text(playing, "Container"),
            bitrate_kbps: number(how, "Bitrate").map(|bits| bits / 1000),
            location: None,
            bandwidth_kbps: None,
        },
        raw: without_secrets(row),
    }
}

fn item(row: &Value) -> DashboardItem {
    let key = text(row, "Id").unwrap_or_default();
    let kind = match text(row, "Type").unwrap_or_default().as_str() {
        "Audio" => "track".to_owned(),
        "Series" => "show".to_owned(),
        "MusicAlbum" => "album".to_owned(),
        "MusicArtist" => "artist".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    let is_track = kind == "track";
    let picture = |id: &str, element: &str| format!("/Items/{id}/Images/{element}");
    let has_own = row.get("ImageTags").is_some_and(|tags| tags.get("Primary").is_some());
    let series = text(row, "SeriesId");
    DashboardItem {
        thumb: has_own.then(|| picture(&key, "Primary")),
        grandparent_thumb: series.map(|id| picture(&id, "Primary")),
        art: (!list_is_empty(row, "BackdropImageTags")).then(|| picture(&key, "Backdrop")),
        kind,
        title: text(row, "Name").unwrap_or_default(),
        parent_title: if is_track { text(row, "Album") } else { text(row, "SeasonName") },
        grandparent_title: if is_track { text(row, "AlbumArtist") } else { text(row, "SeriesName") },
        index: number(row, "IndexNumber"),
        parent_index: number(row, "ParentIndexNumber"),
        added_s: text(row, "DateCreated").and_then(|written| timestamp::parse(&written)),
        year: number(row, "ProductionYear"),
        rating: decimal(row, "CommunityRating"),
        duration_ms: number(row, "RunTimeTicks").map(|ticks| ticks / TICKS_PER_MS),
        key,
    }
}

fn list_is_empty(row: &Value, name: &str) -> bool {
    row.get(name).and_then(Value::as_array).is_none_or(Vec::is_empty)
}

/// Running tasks only; the others wait for their schedule.
pub(super) fn activities(body: &Value) -> Result<Vec<DashboardActivity>, UnusableResponse> {
    let runs = |row: &&Value| text(row, "State").is_some_and(|state| state != "Idle");
    let activity = |row: &Value| DashboardActivity {
        id: text(row, "Id").unwrap_or_default(),
        kind: text(row, "Key").unwrap_or_default(),
        title: text(row, "Name").unwrap_or_default(),
        subtitle: text(row, "Category").unwrap_or_default(),
        percent: decimal(row, "CurrentProgressPercentage").unwrap_or_default(),
        raw: without_secrets(row),
    };
    Ok(rows(body)?.iter().filter(runs).map(activity).collect())
}

pub(super) fn recent_target(shelf: &LibraryInfo, most: u32, user: Option<&str>) -> String {
    let user = user.map_or_else(String::new, |user| format!("&userId={user}"));
    format!("/Items/Latest?parentId={}&limit={most}&fields=DateCreated{user}", shelf.key)
}

/// A bare list, or one in an object with a count.
pub(super) fn recent(body: &Value) -> Result<Vec<DashboardItem>, UnusableResponse> {
    let rows = body.get("Items").and_then(Value::as_array).map_or_else(|| rows(body), |rows| Ok(rows))?;
    Ok(rows.iter().map(item).filter(|item| !item.key.is_empty()).collect())
}

pub(super) fn users(body: &Value) -> Result<Vec<DashboardUser>, UnusableResponse> {
    let user = |row: &Value| DashboardUser {
        id: text(row, "Id").unwrap_or_default(),
        name: text(row, "Name").unwrap_or_default(),
        thumb: None,
    };
    Ok(rows(body)?.iter().map(user).collect())
}

pub(super) fn administrator(body: &Value) -> Option<String> {
    let users = rows(body).ok()?;
    let is_administrator = |row: &&Value| row["Policy"]["IsAdministrator"].as_bool() == Some(true);
    users.iter().find(is_administrator).and_then(|row| text(row, "Id"))
}

pub(super) fn item_count_target(shelf: &LibraryInfo, of: ItemCountKind) -> String {
    let kind = match of {
        ItemCountKind::Films => "Movie",
        ItemCountKind::Shows => "Series",
        ItemCountKind::Seasons => "Season",
        ItemCountKind::Episodes => "Episode",
        ItemCountKind::Artists => "MusicArtist",
        ItemCountKind::Albums => "MusicAlbum",
        ItemCountKind::Tracks => "Audio",
    };
    format!("/Items?parentId={}&includeItemTypes={kind}&recursive=true&limit=0", shelf.key)
}

pub(super) fn item_count(body: &Value) -> Result<u64, UnusableResponse> {
    number(body, "TotalRecordCount").ok_or(UnusableResponse::Malformed)
}

/// The activity log: the only list with a row for every playback. Its rows give the item's key only; other
/// kinds of rows are skipped.
pub(super) fn play_history_target(since_s: u64, start: u64, size: u64) -> String {
    let since = timestamp::format(since_s);
    format!("/System/ActivityLog/Entries?startIndex={start}&limit={size}&minDate={since}&hasUserId=true")
}

pub(super) fn play_history(body: &Value) -> Result<PlayHistoryPage, UnusableResponse> {
    let items = body.get("Items").and_then(Value::as_array).ok_or(UnusableResponse::Malformed)?;
    let row_count = items.len() as u64;
    let total = number(body, "TotalRecordCount").unwrap_or(row_count);
    Ok(PlayHistoryPage { rows: items.iter().filter_map(history_entry).collect(), received: row_count, total })
}

fn history_entry(row: &Value) -> Option<PlayHistoryEntry> {
    let kind = match text(row, "Type")?.as_str() {
        "VideoPlaybackStopped" => "video",
        "AudioPlaybackStopped" => "track",
        _ => return None,
    };
    let item = DashboardItem {
        key: text(row, "ItemId").unwrap_or_default(),
        kind: kind.to_owned(),
        title: text(row, "Name").unwrap_or_default(),
        ..DashboardItem::default()
    };
    Some(PlayHistoryEntry {
        id: text(row, "Id")?,
        at_s: timestamp::parse(&text(row, "Date")?)?,
        user: text(row, "UserId").unwrap_or_default(),
        item,
        player: None,
    })
}

pub(super) fn items_by_key_target(keys: &[&str]) -> String {
    format!("/Items?ids={}&enableUserData=false&enableTotalRecordCount=false", keys.join(","))
}

/// `/Items/0123456789abcdef0123456789abcdef/Images/Primary`.
pub(super) fn is_item_picture(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/Items/") else { return false };
    let Some((id, element)) = rest.split_once("/Images/") else { return false };
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id && matches!(element, "Primary" | "Backdrop" | "Thumb" | "Logo" | "Banner" | "Art")
}
