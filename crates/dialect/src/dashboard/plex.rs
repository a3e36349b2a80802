//! Dashboard data of a Plex server.

use serde_json::Value;

use super::json_value::{decimal, list, name, number, text};
use super::strip_secrets::without_secrets;
use super::{
    DashboardActivity, DashboardItem, DashboardPlayer, DashboardSession, DashboardUser, ItemCountKind,
    PlayHistoryEntry, PlayHistoryPage, StreamInfo, TranscodeInfo,
};
use crate::crawl::LibraryInfo;
use crate::response_facts::UnusableResponse;

/// The object around every Plex response.
fn container(body: &Value) -> Result<&Value, UnusableResponse> {
    body.get("MediaContainer").filter(|container| container.is_object()).ok_or(UnusableResponse::Malformed)
}

pub(super) fn sessions(body: &Value) -> Result<Vec<DashboardSession>, UnusableResponse> {
    Ok(list(container(body)?, "Metadata").iter().map(session).collect())
}

fn session(row: &Value) -> DashboardSession {
    let part = |name: &str| row.get(name).unwrap_or(&Value::Null);
    let (user, player, session) = (part("User"), part("Player"), part("Session"));
    let media = list(row, "Media").first().unwrap_or(&Value::Null);
    let transcode = list(row, "TranscodeSession").first().map(|row| TranscodeInfo {
        speed: decimal(row, "speed"),
        video: text(row, "videoDecision").unwrap_or_else(|| "copy".into()),
        audio: text(row, "audioDecision").unwrap_or_else(|| "copy".into()),
    });
    DashboardSession {
        id: text(row, "sessionKey").or_else(|| text(row, "key")).unwrap_or_default(),
        user: DashboardUser {
            id: text(user, "id").unwrap_or_default(),
            name: text(user, "title").unwrap_or_default(),
            thumb: text(user, "thumb"),
        },
        item: item(row),
        state: text(player, "state").unwrap_or_else(|| "stopped".into()),
        offset_ms: number(row, "viewOffset").unwrap_or_default(),
        player: DashboardPlayer {
            device: name(player, "device").or_else(|| name(player, "title")),
            product: name(player, "product"),
            platform: name(player, "platform"),
        },
        transcode,
        stream: StreamInfo {
            resolution: text(media, "videoResolution"),
            video_codec: text(media, "videoCodec"),
            audio_codec: text(media, "audioCodec"),
            container: text(media, "container"),
            bitrate_kbps: number(media, "bitrate"),
            location: text(session, "location"),
            bandwidth_kbps: number(session, "bandwidth"),
        },
        raw: without_secrets(row),
    }
}

fn item(row: &Value) -> DashboardItem {
    DashboardItem {
        key: text(row, "ratingKey").unwrap_or_default(),
        kind: text(row, "type").unwrap_or_default(),
        title: text(row, "title").unwrap_or_default(),
        parent_title: text(row, "parentTitle"),
        grandparent_title: text(row, "grandparentTitle"),
        index: number(row, "index"),
        parent_index: number(row, "parentIndex"),
        added_s: number(row, "addedAt"),
        year: number(row, "year"),
        rating: decimal(row, "rating"),
        duration_ms: number(row, "duration"),
        thumb: text(row, "thumb"),
        grandparent_thumb: text(row, "grandparentThumb"),
        art: text(row, "art").or_else(|| text(row, "grandparentArt")),
    }
}

pub(super) fn activities(body: &Value) -> Result<Vec<DashboardActivity>, UnusableResponse> {
    let activity = |row: &Value| DashboardActivity {
        id: text(row, "uuid").unwrap_or_default(),
        kind: text(row, "type").unwrap_or_default(),
        title: text(row, "title").unwrap_or_default(),
        subtitle: text(row, "subtitle").unwrap_or_default(),
        percent: decimal(row, "progress").unwrap_or_default(),
        raw: without_secrets(row),
    };
    Ok(list(container(body)?, "Activity").iter().map(activity).collect())
}

pub(super) fn recent_target(shelf: &LibraryInfo, most: u32) -> String {
    format!("/library/sections/{}/recentlyAdded?X-Plex-Container-Start=0&X-Plex-Container-Size={most}", shelf.key)
}

pub(super) fn recent(body: &Value) -> Result<Vec<DashboardItem>, UnusableResponse> {
    let container = container(body)?;
    let rows = list(container, "Metadata").iter().chain(list(container, "Directory"));
    Ok(rows.map(item).filter(|item| !item.key.is_empty()).collect())
}

pub(super) fn users(body: &Value) -> Result<Vec<DashboardUser>, UnusableResponse> {
    let user = |row: &Value| DashboardUser {
        id: text(row, "id").unwrap_or_default(),
        name: text(row, "name").unwrap_or_default(),
        thumb: None,
    };
    Ok(list(container(body)?, "Account").iter().map(user).collect())
}

pub(super) fn item_count_target(shelf: &LibraryInfo, of: ItemCountKind) -> String {
    let number = match of {
        ItemCountKind::Films => 1,
        ItemCountKind::Shows => 2,
        ItemCountKind::Seasons => 3,
        ItemCountKind::Episodes => 4,
        ItemCountKind::Artists => 8,
        ItemCountKind::Albums => 9,
        ItemCountKind::Tracks => 10,
    };
    format!("/library/sections/{}/all?type={number}&X-Plex-Container-Start=0&X-Plex-Container-Size=0", shelf.key)
}

pub(super) fn item_count(body: &Value) -> Result<u64, UnusableResponse> {
    let container = container(body)?;
    number(container, "totalSize").or_else(|| number(container, "size")).ok_or(UnusableResponse::Malformed)
}

pub(super) fn play_history_target(since_s: u64, start: u64, size: u64) -> String {
    format!(
        "/status/sessions/history/all?sort=viewedAt:asc&viewedAt%3E={since_s}&X-Plex-Container-Start={start}&X-Plex-Container-Size={size}"
    )
}

pub(super) fn play_history(body: &Value) -> Result<PlayHistoryPage, UnusableResponse> {
    let container = container(body)?;
    let rows = list(container, "Metadata");
    let row_count = rows.len() as u64;
    let total = number(container, "totalSize").unwrap_or(row_count);
    Ok(PlayHistoryPage { rows: rows.iter().filter_map(history_entry).collect(), received: row_count, total })
}

fn history_entry(row: &Value) -> Option<PlayHistoryEntry> {
    let key = text(row, "historyKey")?;
    Some(PlayHistoryEntry {
        id: key.rsplit('/').next().filter(|id| !id.is_empty())?.to_owned(),
        at_s: number(row, "viewedAt")?,
        user: text(row, "accountID").unwrap_or_default(),
        item: item(row),
        player: None,
    })
}

/// `/library/metadata/7/thumb/1700000000`.
pub(super) fn is_item_picture(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/library/metadata/") else { return false };
    let is_number = |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = rest.split('/');
    let (key, element, stamp) = (parts.next(), parts.next(), parts.next());
    key.is_some_and(is_number)
        && matches!(element, Some("thumb" | "art" | "banner" | "clearLogo"))
        && stamp.is_none_or(is_number)
        && parts.next().is_none()
}
