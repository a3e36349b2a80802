//! What a Plex says.

use serde_json::Value;

use super::clean::without_secrets;
use super::value::{decimal, list, number, text};
use super::{Activity, Counted, Item, Played, PlayedPage, Player, Session, Stream, Transcode, User};
use crate::crawl::Shelf;
use crate::facts::Unfit;

/// What holds everything a Plex says.
fn container(said: &Value) -> Result<&Value, Unfit> {
    said.get("MediaContainer").filter(|container| container.is_object()).ok_or(Unfit::Malformed)
}

pub(super) fn sessions(said: &Value) -> Result<Vec<Session>, Unfit> {
    Ok(list(container(said)?, "Metadata").iter().map(session).collect())
}

fn session(row: &Value) -> Session {
    let part = |name: &str| row.get(name).unwrap_or(&Value::Null);
    let (user, player, place) = (part("User"), part("Player"), part("Session"));
    let media = list(row, "Media").first().unwrap_or(&Value::Null);
    let transcode = list(row, "TranscodeSession").first().map(|row| Transcode {
        speed: decimal(row, "speed"),
        video: text(row, "videoDecision").unwrap_or_else(|| "copy".into()),
        audio: text(row, "audioDecision").unwrap_or_else(|| "copy".into()),
    });
    Session {
        id: text(row, "sessionKey").or_else(|| text(row, "key")).unwrap_or_default(),
        user: User {
            id: text(user, "id").unwrap_or_default(),
            name: text(user, "title").unwrap_or_default(),
            thumb: text(user, "thumb"),
        },
        item: item(row),
        state: text(player, "state").unwrap_or_else(|| "stopped".into()),
        offset_ms: number(row, "viewOffset").unwrap_or_default(),
        player: Player {
            device: text(player, "device").or_else(|| text(player, "title")),
            product: text(player, "product"),
            platform: text(player, "platform"),
        },
        transcode,
        stream: Stream {
            resolution: text(media, "videoResolution"),
            video_codec: text(media, "videoCodec"),
            audio_codec: text(media, "audioCodec"),
            container: text(media, "container"),
            bitrate_kbps: number(media, "bitrate"),
            location: text(place, "location"),
            bandwidth_kbps: number(place, "bandwidth"),
        },
        raw: without_secrets(row),
    }
}

fn item(row: &Value) -> Item {
    Item {
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

pub(super) fn activities(said: &Value) -> Result<Vec<Activity>, Unfit> {
    let activity = |row: &Value| Activity {
        id: text(row, "uuid").unwrap_or_default(),
        kind: text(row, "type").unwrap_or_default(),
        title: text(row, "title").unwrap_or_default(),
        subtitle: text(row, "subtitle").unwrap_or_default(),
        percent: decimal(row, "progress").unwrap_or_default(),
        raw: without_secrets(row),
    };
    Ok(list(container(said)?, "Activity").iter().map(activity).collect())
}

pub(super) fn recent_target(shelf: &Shelf, most: u32) -> String {
    format!(
        "/library/sections/{}/recentlyAdded?X-Plex-Container-Start=0&X-Plex-Container-Size={most}",
        shelf.key
    )
}

pub(super) fn recent(said: &Value) -> Result<Vec<Item>, Unfit> {
    let container = container(said)?;
    let rows = list(container, "Metadata").iter().chain(list(container, "Directory"));
    Ok(rows.map(item).filter(|item| !item.key.is_empty()).collect())
}

pub(super) fn users(said: &Value) -> Result<Vec<User>, Unfit> {
    let user = |row: &Value| User {
        id: text(row, "id").unwrap_or_default(),
        name: text(row, "name").unwrap_or_default(),
        thumb: None,
    };
    Ok(list(container(said)?, "Account").iter().map(user).collect())
}

pub(super) fn tally_target(shelf: &Shelf, of: Counted) -> String {
    let number = match of {
        Counted::Films => 1,
        Counted::Shows => 2,
        Counted::Seasons => 3,
        Counted::Episodes => 4,
        Counted::Artists => 8,
        Counted::Albums => 9,
        Counted::Tracks => 10,
    };
    format!(
        "/library/sections/{}/all?type={number}&X-Plex-Container-Start=0&X-Plex-Container-Size=0",
        shelf.key
    )
}

pub(super) fn tally(said: &Value) -> Result<u64, Unfit> {
    let container = container(said)?;
    number(container, "totalSize").or_else(|| number(container, "size")).ok_or(Unfit::Malformed)
}

pub(super) fn played_target(since_s: u64, start: u64, size: u64) -> String {
    format!(
        "/status/sessions/history/all?sort=viewedAt:asc&viewedAt%3E={since_s}&X-Plex-Container-Start={start}&X-Plex-Container-Size={size}"
    )
}

pub(super) fn played(said: &Value) -> Result<PlayedPage, Unfit> {
    let container = container(said)?;
    let rows = list(container, "Metadata");
    let came = rows.len() as u64;
    let total = number(container, "totalSize").unwrap_or(came);
    Ok(PlayedPage { rows: rows.iter().filter_map(one_played).collect(), came, total })
}

fn one_played(row: &Value) -> Option<Played> {
    let key = text(row, "historyKey")?;
    Some(Played {
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
    let is_number =
        |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = rest.split('/');
    let (key, element, stamp) = (parts.next(), parts.next(), parts.next());
    key.is_some_and(is_number)
        && matches!(element, Some("thumb" | "art" | "banner" | "clearLogo"))
        && stamp.is_none_or(is_number)
        && parts.next().is_none()
}
