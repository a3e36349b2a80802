//! What a Jellyfin says.

use serde_json::Value;

use super::clean::without_secrets;
use super::value::{decimal, flag, list, number, text};
use super::{Activity, Counted, Item, Played, PlayedPage, Player, Session, Stream, Transcode, User, instant};
use crate::crawl::Shelf;
use crate::facts::Unfit;

/// Times are written in tenths of microseconds.
const TICKS_PER_MS: u64 = 10_000;

/// What it says without anything around it.
fn rows(said: &Value) -> Result<&[Value], Unfit> {
    said.as_array().map(Vec::as_slice).ok_or(Unfit::Malformed)
}

pub(super) fn sessions(said: &Value) -> Result<Vec<Session>, Unfit> {
    let playing = rows(said)?.iter().filter(|row| row.get("NowPlayingItem").is_some_and(Value::is_object));
    Ok(playing.map(session).collect())
}

fn session(row: &Value) -> Session {
    let part = |name: &str| row.get(name).unwrap_or(&Value::Null);
    let (playing, state, how) = (part("NowPlayingItem"), part("PlayState"), part("TranscodingInfo"));
    let streams = list(playing, "MediaStreams");
    let codec = |kind: &str| {
        let stream = streams.iter().find(|stream| text(stream, "Type").as_deref() == Some(kind))?;
        text(stream, "Codec")
    };
    let height = streams.iter().find_map(|stream| number(stream, "Height"));
    let decision = |is_direct| if is_direct { "copy".to_owned() } else { "transcode".to_owned() };
    Session {
        id: text(row, "Id").unwrap_or_default(),
        user: User {
            id: text(row, "UserId").unwrap_or_default(),
            name: text(row, "UserName").unwrap_or_default(),
            thumb: None,
        },
        item: item(playing),
        state: if flag(state, "IsPaused") { "paused".into() } else { "playing".into() },
        offset_ms: number(state, "PositionTicks").unwrap_or_default() / TICKS_PER_MS,
        player: Player {
            device: text(row, "DeviceName"),
            product: text(row, "Client"),
            platform: text(row, "Client"),
        },
        transcode: how.is_object().then(|| Transcode {
            speed: None,
            video: decision(flag(how, "IsVideoDirect")),
            audio: decision(flag(how, "IsAudioDirect")),
        }),
        stream: Stream {
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

fn item(row: &Value) -> Item {
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
    Item {
        thumb: has_own.then(|| picture(&key, "Primary")),
        grandparent_thumb: series.map(|id| picture(&id, "Primary")),
        art: (!list_is_empty(row, "BackdropImageTags")).then(|| picture(&key, "Backdrop")),
        kind,
        title: text(row, "Name").unwrap_or_default(),
        parent_title: if is_track { text(row, "Album") } else { text(row, "SeasonName") },
        grandparent_title: if is_track { text(row, "AlbumArtist") } else { text(row, "SeriesName") },
        index: number(row, "IndexNumber"),
        parent_index: number(row, "ParentIndexNumber"),
        added_s: text(row, "DateCreated").and_then(|written| instant::read(&written)),
        year: number(row, "ProductionYear"),
        rating: decimal(row, "CommunityRating"),
        duration_ms: number(row, "RunTimeTicks").map(|ticks| ticks / TICKS_PER_MS),
        key,
    }
}

fn list_is_empty(row: &Value, name: &str) -> bool {
    row.get(name).and_then(Value::as_array).is_none_or(Vec::is_empty)
}

/// Tasks that run now; the others only wait for their time.
pub(super) fn activities(said: &Value) -> Result<Vec<Activity>, Unfit> {
    let runs = |row: &&Value| text(row, "State").is_some_and(|state| state != "Idle");
    let activity = |row: &Value| Activity {
        id: text(row, "Id").unwrap_or_default(),
        kind: text(row, "Key").unwrap_or_default(),
        title: text(row, "Name").unwrap_or_default(),
        subtitle: text(row, "Category").unwrap_or_default(),
        percent: decimal(row, "CurrentProgressPercentage").unwrap_or_default(),
        raw: without_secrets(row),
    };
    Ok(rows(said)?.iter().filter(runs).map(activity).collect())
}

pub(super) fn recent_target(shelf: &Shelf, most: u32, user: Option<&str>) -> String {
    let user = user.map_or_else(String::new, |user| format!("&userId={user}"));
    format!("/Items/Latest?parentId={}&limit={most}&fields=DateCreated{user}", shelf.key)
}

/// A bare list, or one with a count around it.
pub(super) fn recent(said: &Value) -> Result<Vec<Item>, Unfit> {
    let rows = said.get("Items").and_then(Value::as_array).map_or_else(|| rows(said), |rows| Ok(rows))?;
    Ok(rows.iter().map(item).filter(|item| !item.key.is_empty()).collect())
}

pub(super) fn users(said: &Value) -> Result<Vec<User>, Unfit> {
    let user = |row: &Value| User {
        id: text(row, "Id").unwrap_or_default(),
        name: text(row, "Name").unwrap_or_default(),
        thumb: None,
    };
    Ok(rows(said)?.iter().map(user).collect())
}

pub(super) fn administrator(said: &Value) -> Option<String> {
    let users = rows(said).ok()?;
    let is_administrator = |row: &&Value| row["Policy"]["IsAdministrator"].as_bool() == Some(true);
    users.iter().find(is_administrator).and_then(|row| text(row, "Id"))
}

pub(super) fn tally_target(shelf: &Shelf, of: Counted) -> String {
    let kind = match of {
        Counted::Films => "Movie",
        Counted::Shows => "Series",
        Counted::Seasons => "Season",
        Counted::Episodes => "Episode",
        Counted::Artists => "MusicArtist",
        Counted::Albums => "MusicAlbum",
        Counted::Tracks => "Audio",
    };
    format!("/Items?parentId={}&includeItemTypes={kind}&recursive=true&limit=0", shelf.key)
}

pub(super) fn tally(said: &Value) -> Result<u64, Unfit> {
    number(said, "TotalRecordCount").ok_or(Unfit::Malformed)
}

/// The activity log: the only place where every playback has a row of its own. What was played is told by its key, and
/// what else the log holds is passed over.
pub(super) fn played_target(since_s: u64, start: u64, size: u64) -> String {
    let since = instant::written(since_s);
    format!("/System/ActivityLog/Entries?startIndex={start}&limit={size}&minDate={since}&hasUserId=true")
}

pub(super) fn played(said: &Value) -> Result<PlayedPage, Unfit> {
    let items = said.get("Items").and_then(Value::as_array).ok_or(Unfit::Malformed)?;
    let came = items.len() as u64;
    let total = number(said, "TotalRecordCount").unwrap_or(came);
    Ok(PlayedPage { rows: items.iter().filter_map(one_played).collect(), came, total })
}

fn one_played(row: &Value) -> Option<Played> {
    let kind = match text(row, "Type")?.as_str() {
        "VideoPlaybackStopped" => "video",
        "AudioPlaybackStopped" => "track",
        _ => return None,
    };
    let item = Item {
        key: text(row, "ItemId").unwrap_or_default(),
        kind: kind.to_owned(),
        title: text(row, "Name").unwrap_or_default(),
        ..Item::default()
    };
    Some(Played {
        id: text(row, "Id")?,
        at_s: instant::read(&text(row, "Date")?)?,
        user: text(row, "UserId").unwrap_or_default(),
        item,
        player: None,
    })
}

pub(super) fn named_target(keys: &[&str]) -> String {
    format!("/Items?ids={}&enableUserData=false&enableTotalRecordCount=false", keys.join(","))
}

/// `/Items/0123456789abcdef0123456789abcdef/Images/Primary`.
pub(super) fn is_item_picture(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/Items/") else { return false };
    let Some((id, element)) = rest.split_once("/Images/") else { return false };
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id && matches!(element, "Primary" | "Backdrop" | "Thumb" | "Logo" | "Banner" | "Art")
}
