//! Parsing of dashboard responses as servers write them.

use serde_json::json;

use super::*;
use crate::crawl::LibraryContents;

fn shelf() -> LibraryInfo {
    LibraryInfo {
        key: "3".into(),
        title: "Music".into(),
        contents: LibraryContents::Music,
        stamp: None,
        is_scanning: false,
    }
}

#[test]
fn a_session_of_a_plex_is_read_with_all_its_parts() {
    let body = json!({"MediaContainer": {"size": 1, "Metadata": [{
        "sessionKey": "7", "ratingKey": "12", "type": "episode", "title": "Pilot", "grandparentTitle": "A Show",
        "parentIndex": 1, "index": "2", "viewOffset": 600_000, "duration": 1_200_000, "thumb": "/library/metadata/12/thumb/5",
        "grandparentThumb": "/library/metadata/10/thumb/5", "year": 2001, "rating": 7.5,
        "User": {"id": "1", "title": "anna", "thumb": "https://plex.tv/users/1/avatar"},
        "Player": {"device": "TV", "product": "Plex for TV", "platform": "tvOS", "state": "paused", "token": "SECRET-1"},
        "Session": {"location": "wan", "bandwidth": 4000},
        "Media": [{"videoResolution": "1080", "videoCodec": "h264", "audioCodec": "aac", "container": "mkv", "bitrate": 3000}],
        "TranscodeSession": {"speed": 3.5, "videoDecision": "transcode", "audioDecision": "copy"},
        "Part": {"key": "/library/parts/1/file.mkv?X-Plex-Token=SECRET-2"}
    }]}});
    let sessions = ServerKind::Plex.sessions(body.to_string().as_bytes()).expect("it is a list");
    let [session] = &sessions[..] else { panic!("one session") };
    assert_eq!((session.id.as_str(), session.state.as_str(), session.offset_ms), ("7", "paused", 600_000));
    assert_eq!((session.user.name.as_str(), session.player.device.as_deref()), ("anna", Some("TV")));
    assert_eq!((session.item.index, session.item.parent_index), (Some(2), Some(1)));
    assert!(session.transcode.as_ref().is_some_and(TranscodeInfo::is_active));
    assert_eq!(session.stream.location.as_deref(), Some("wan"));
    let raw = session.raw.to_string();
    assert!(!raw.contains("SECRET") && raw.contains("\"ratingKey\":\"12\""), "{raw}");
}

#[test]
fn a_connected_jellyfin_session_without_playback_is_not_listed() {
    let body = json!([
        {"Id": "a", "UserName": "kim", "PlayState": {}},
        {"Id": "b", "UserName": "anna", "DeviceName": "TV", "Client": "Jellyfin Web",
         "PlayState": {"PositionTicks": 600_000_000, "IsPaused": true},
         "NowPlayingItem": {"Id": "0123456789abcdef0123456789abcdef", "Type": "Episode", "Name": "Pilot",
            "SeriesName": "A Show", "RunTimeTicks": 1_200_000_000_u64, "ImageTags": {"Primary": "x"}}}
    ]);
    let sessions = ServerKind::Jellyfin.sessions(body.to_string().as_bytes()).expect("it is a list");
    let [session] = &sessions[..] else { panic!("one session") };
    assert_eq!(
        (session.state.as_str(), session.offset_ms, session.item.duration_ms),
        ("paused", 60_000, Some(120_000))
    );
    assert_eq!(session.item.grandparent_title.as_deref(), Some("A Show"));
    assert!(ServerKind::Jellyfin.is_item_picture(session.item.thumb.as_deref().expect("it has one")));
}

#[test]
fn a_body_that_is_no_list_is_unusable_and_an_empty_list_is_empty() {
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        for body in ["", "<html>", "7", "{\"MediaContainer\": 3}"] {
            assert!(kind.sessions(body.as_bytes()).is_err(), "{body}");
            assert!(kind.activities(body.as_bytes()).is_err(), "{body}");
            assert!(kind.play_history(body.as_bytes()).is_err(), "{body}");
        }
    }
    assert_eq!(ServerKind::Plex.sessions(br#"{"MediaContainer":{"size":0}}"#), Ok(Vec::new()));
    assert_eq!(ServerKind::Jellyfin.sessions(b"[]"), Ok(Vec::new()));
}

#[test]
fn playbacks_are_parsed_and_rows_without_an_id_are_skipped() {
    let body = json!({"MediaContainer": {"size": 2, "totalSize": 40, "Metadata": [
        {"historyKey": "/status/sessions/history/9", "viewedAt": 1_700_000_000, "accountID": 1, "title": "A Film", "type": "movie"},
        {"viewedAt": 1_700_000_001, "title": "no key"}
    ]}});
    let page = ServerKind::Plex.play_history(body.to_string().as_bytes()).expect("it is a page");
    assert_eq!((page.received, page.total, page.rows.len()), (2, 40, 1));
    assert_eq!((page.rows[0].id.as_str(), page.rows[0].user.as_str()), ("9", "1"));
    let body = json!({"TotalRecordCount": 3, "Items": [
        {"Id": 5, "Type": "VideoPlaybackStopped", "Date": "2024-02-20T19:26:41.1362081Z", "UserId": "u", "ItemId": "i", "Name": "anna has finished playing Pilot"},
        {"Id": 6, "Type": "SessionStarted", "Date": "2024-02-20T19:26:41Z", "Name": "anna is online"}
    ]});
    let page = ServerKind::Jellyfin.play_history(body.to_string().as_bytes()).expect("it is a page");
    assert_eq!((page.received, page.total, page.rows.len()), (2, 3, 1));
    assert_eq!(page.rows[0].at_s, 1_708_457_201);
}

#[test]
fn only_the_image_of_an_item_is_linked() {
    for path in ["/library/metadata/7/thumb/1700000000", "/library/metadata/7/art"] {
        assert!(ServerKind::Plex.is_item_picture(path), "{path}");
    }
    for path in [
        "/library/metadata/7",
        "/library/metadata/7/thumb/1/2",
        "/library/metadata/7/thumb/1?url=http://evil",
        "/library/metadata/../../x/thumb/1",
        "/library/metadata/7/file/1",
        "/photo/:/transcode?url=/library/metadata/7/thumb/1",
        "//evil/library/metadata/7/thumb/1",
        "http://evil/library/metadata/7/thumb/1",
        "/accounts/1/thumb",
    ] {
        assert!(!ServerKind::Plex.is_item_picture(path), "{path}");
    }
    assert!(ServerKind::Jellyfin.is_item_picture("/Items/0123456789abcdef0123456789abcdef/Images/Primary"));
    for path in ["/Items/7/Images/Primary", "/Items/0123456789abcdef0123456789abcdef/Images/Primary/0?x"] {
        assert!(!ServerKind::Jellyfin.is_item_picture(path), "{path}");
    }
}

#[test]
fn counts_are_requested_without_rows() {
    let target = ServerKind::Plex.item_count_target(&shelf(), ItemCountKind::Albums);
    assert_eq!(target, "/library/sections/3/all?type=9&X-Plex-Container-Start=0&X-Plex-Container-Size=0");
    assert_eq!(ServerKind::Plex.item_count(br#"{"MediaContainer":{"size":0,"totalSize":12}}"#), Ok(12));
    assert_eq!(ServerKind::Jellyfin.item_count(br#"{"TotalRecordCount":4,"Items":[]}"#), Ok(4));
    assert!(ServerKind::Jellyfin.item_count(b"{}").is_err());
}
