//! Events from frames, players and webhooks.

use greenroom_dialect::classification::Representation;
use greenroom_dialect::plex::webhook;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_event::{PlaybackState, ServerEvent};
use greenroom_dialect::tag::Audience;
use proptest::prelude::*;
use serde_json::json;

use crate::test_request::{describe, get, hits};

fn frame(value: &serde_json::Value) -> Vec<ServerEvent> {
    ServerKind::Plex.parse_frame(value.to_string().as_bytes())
}

/// Invalidations of a frame; a frame about players fails the test.
fn stale(value: &serde_json::Value) -> String {
    match frame(value).as_slice() {
        [] => String::new(),
        [ServerEvent::Stale(stale)] => describe(stale),
        other => panic!("{other:?}"),
    }
}

fn wrapped(kind: &str, name: &str, entry: &serde_json::Value) -> serde_json::Value {
    json!({ "NotificationContainer": { "type": kind, "size": 1, name: [entry] } })
}

fn timeline(kind: i32, state: i32) -> serde_json::Value {
    json!({ "identifier": "com.plexapp.plugins.library", "sectionID": 2, "itemID": 583, "parentItemID": 582,
            "rootItemID": 581, "type": kind, "title": "", "state": state, "updatedAt": 1_516_554_117 })
}

const MOVED: &str = "across* collections* history* item:581^* item:582^* item:583^* items* section:2* sections* \
         sessions* under:581* under:582* under:583* unversioned-image:581* unversioned-image:582* \
         unversioned-image:583*";

/// The same for a removed item, whose images go with it.
const REMOVED: &str = "across* collections* history* image:583* item:581^* item:582^* item:583^* items* section:2* \
         sections* sessions* under:581* under:582* under:583* unversioned-image:581* \
         unversioned-image:582* unversioned-image:583*";

#[test]
fn a_frame_with_too_many_ids_invalidates_everything() {
    let ids: Vec<String> = (1..=200).map(|id| id.to_string()).collect();
    let entry = |at: u32| {
        let key = format!("/library/metadata/{}", ids.join(&format!("{at},")));
        json!({ "event": "ended", "Activity": { "type": "library.refresh.items",
                "Context": { "key": key, "librarySectionID": 1 } } })
    };
    let frame = |entries: u32| {
        let news: Vec<_> = (1..=entries).map(entry).collect();
        json!({ "NotificationContainer": { "type": "activity", "ActivityNotification": news } })
    };
    assert!(stale(&frame(1)).contains("item:1"));
    assert_eq!(stale(&frame(20)), "all*");
}

#[test]
fn a_finished_timeline_entry_invalidates_item_section_and_ancestors() {
    for (state, expected) in [(0, MOVED), (5, MOVED), (9, REMOVED)] {
        assert_eq!(stale(&wrapped("timeline", "TimelineEntry", &timeline(4, state))), expected, "{state}");
    }
    for state in [1, 2, 3, 4, 6] {
        assert_eq!(stale(&wrapped("timeline", "TimelineEntry", &timeline(4, state))), "", "{state}");
    }
    let as_text = json!({ "TimelineEntry": { "itemID": "583", "sectionID": "2", "parentItemID": "582", "rootItemID": "581", "type": "4", "state": "5" } });
    assert_eq!(stale(&as_text), MOVED);
}

#[test]
fn the_programme_guide_is_not_the_library() {
    let mut guide = timeline(4, 5);
    guide["identifier"] = json!("tv.plex.providers.epg.cloud:2");
    assert_eq!(stale(&wrapped("timeline", "TimelineEntry", &guide)), "");
    assert_eq!(stale(&wrapped("timeline", "TimelineEntry", &timeline(-1, 5))), "");
}

#[test]
fn a_playlist_entry_invalidates_that_playlist_for_everyone() {
    let mut entry = timeline(15, 5);
    entry["itemID"] = json!(9);
    entry["sectionID"] = json!(-1);
    entry["parentItemID"] = json!(-1);
    let invalidations = stale(&wrapped("timeline", "TimelineEntry", &entry));
    assert_eq!(invalidations, "image:playlist:9* item:9* playlist:9* playlists*");
}

#[test]
fn a_new_item_invalidates_the_lists_that_show_it() {
    let signals = frame(&wrapped("timeline", "TimelineEntry", &timeline(4, 5)));
    let Some(ServerEvent::Stale(stale)) = signals.first() else { panic!() };
    for read in [
        "/library/sections/2/all",
        "/library/sections/2/recentlyAdded",
        "/library/recentlyAdded",
        "/library/sections",
        "/library/metadata/581",
        "/library/metadata/582/children",
        "/hubs",
        "/hubs/sections/2",
        "/library/onDeck",
        "/library/sections/2/all?title=x",
        "/library/sections/2/all?X-Plex-Container-Size=0",
    ] {
        assert!(hits(stale, &get(read).read().tags), "{read}");
    }
    for read in ["/library/sections/3/all", "/library/metadata/1", "/playlists/9", "/activities", "/"] {
        assert!(!hits(stale, &get(read).read().tags), "{read}");
    }
}

#[test]
fn an_announced_change_leaves_pictures_of_a_known_version() {
    let entry = |state| wrapped("timeline", "TimelineEntry", &timeline(4, state));
    let update = json!({ "key": "/library/metadata/583", "librarySectionID": 2 });
    for (frame_value, stamped) in [
        (entry(5), false),
        (activity("ended", "library.update.item.metadata", &update), false),
        (activity("ended", "library.refresh.items", &update), true),
        (entry(9), true),
    ] {
        let signals = frame(&frame_value);
        let Some(ServerEvent::Stale(stale)) = signals.first() else { panic!() };
        let at_stamp = get("/library/metadata/583/thumb/1690000000").read().tags;
        assert_eq!(hits(stale, &at_stamp), stamped, "{frame_value}");
        assert!(hits(stale, &get("/library/metadata/583/thumb").read().tags), "{frame_value}");
    }
}

#[test]
fn a_new_player_is_among_the_devices_at_once() {
    let shows = ["/devices", "/statistics/bandwidth?timespan=4"];
    let by_event = ServerKind::Plex.playback_invalidations("583", PlaybackState::Playing);
    let reported = get("/:/timeline?ratingKey=583&state=playing&time=1000").write();
    let by_report = reported.throttled.expect("a progress report").invalidations;
    let by_end = get("/:/timeline?ratingKey=583&state=stopped&time=1000").write().invalidations;
    for (stale, cause) in [(by_event, "an event"), (by_report, "a report"), (by_end, "the only report")] {
        let everyone: Vec<_> = stale.into_iter().filter(|one| one.audience == Audience::Everyone).collect();
        for read in shows {
            assert!(hits(&everyone, &get(read).read().tags), "{cause} must hit {read}");
        }
        assert!(!hits(&everyone, &get("/accounts").read().tags), "{cause}");
    }
    assert!(!hits(&reported.invalidations, &get("/devices").read().tags), "not every ten seconds");
}

fn activity(event: &str, kind: &str, context: &serde_json::Value) -> serde_json::Value {
    let activity = json!({ "uuid": "u", "type": kind, "progress": 0, "Context": context });
    wrapped("activity", "ActivityNotification", &json!({ "event": event, "uuid": "u", "Activity": activity }))
}

#[test]
fn activities_count_when_they_begin_and_end() {
    let section = json!({ "librarySectionID": "2" });
    assert_eq!(stale(&activity("started", "library.update.section", &section)), "activities* sections*");
    assert_eq!(stale(&activity("updated", "library.update.section", &section)), "");
    assert_eq!(
        stale(&activity("ended", "library.update.section", &section)),
        "across* activities* collections* section:2* sections*"
    );
    assert_eq!(
        stale(&activity("ended", "library.update.section", &json!({}))),
        "across* activities* collections* libraries* sections*"
    );
    let item = json!({ "key": "/library/metadata/7/children", "refreshed": true });
    assert_eq!(
        stale(&activity("ended", "library.refresh.items", &item)),
        "across* activities* collections* history* image:7* item:7^* items* libraries* sections* \
         sessions* under:7*"
    );
    let placed = json!({ "key": "/library/metadata/7", "librarySectionID": 2 });
    assert_eq!(
        stale(&activity("ended", "library.update.item.metadata", &placed)),
        "across* activities* collections* history* item:7^* items* section:2* sections* sessions* \
         under:7* unversioned-image:7*"
    );
    let drawn = json!({ "key": "/library/metadata/7" });
    assert_eq!(
        stale(&activity("ended", "media.generate.chapter.thumbs", &drawn)),
        "activities* history* image:7* item:7^* items* sections* sessions* under:7*"
    );
    assert_eq!(stale(&activity("started", "butler", &json!({}))), "activities*");
}

#[test]
fn an_activity_that_refreshed_nothing_is_ignored() {
    for event in ["started", "updated", "ended"] {
        let context = json!({ "key": "/library/metadata/7/children", "refreshed": false, "exists": true });
        assert_eq!(stale(&activity(event, "library.refresh.items", &context)), "");
    }
}

#[test]
fn other_notifications_invalidate_what_they_concern() {
    let done = json!({ "title": "Library scan complete", "notificationName": "LIBRARY_UPDATE" });
    assert_eq!(stale(&wrapped("status", "StatusNotification", &done)), "across* collections* libraries* sections*");
    for kind in ["preference", "update.statechange", "device", "account", "reachability"] {
        assert_eq!(stale(&wrapped(kind, "Setting", &json!({}))), "sections* server* users*", "{kind}");
    }
    for kind in ["transcodeSession.start", "transcodeSession.end", "transcode.end"] {
        assert_eq!(stale(&wrapped(kind, "TranscodeSession", &json!({ "key": "k" }))), "sessions*", "{kind}");
    }
    assert_eq!(stale(&wrapped("transcodeSession.update", "TranscodeSession", &json!({ "key": "k" }))), "");
    assert_eq!(stale(&wrapped("backgroundProcessingQueue", "X", &json!({}))), "");
}

#[test]
fn playback_is_identified_by_session_item_and_state() {
    for (word, state) in [
        ("playing", PlaybackState::Playing),
        ("buffering", PlaybackState::Buffering),
        ("paused", PlaybackState::Paused),
        ("stopped", PlaybackState::Stopped),
        ("error", PlaybackState::Stopped),
    ] {
        let entry = json!({ "sessionKey": "7", "ratingKey": "2174", "key": "/library/metadata/2174", "state": word, "viewOffset": 61_000 });
        let position_ms = Some(61_000);
        let said = ServerEvent::Playback { session: "7".into(), item: "2174".into(), state, position_ms };
        assert_eq!(frame(&wrapped("playing", "PlaySessionStateNotification", &entry)), std::slice::from_ref(&said));
        assert_eq!(frame(&json!({ "PlaySessionStateNotification": entry })), [said], "without a wrapper");
    }
}

#[test]
fn a_pause_or_stop_invalidates_lists_for_everyone_and_playing_only_the_item() {
    let invalidations_of = |state| describe(&ServerKind::Plex.playback_invalidations("583", state));
    assert_eq!(invalidations_of(PlaybackState::Playing), "item:583* players* sessions*");
    let all = "history* item:583^* items* members:583* sessions* under:583* watch-lists*";
    assert_eq!(invalidations_of(PlaybackState::Paused), all);
    assert_eq!(invalidations_of(PlaybackState::Stopped), all);
    assert_eq!(
        describe(&ServerKind::Plex.playback_invalidations("", PlaybackState::Stopped)),
        "history* items* sessions* user-state* watch-lists*"
    );
}

#[test]
fn a_changed_counter_invalidates_lists_and_items_of_the_section() {
    let stale = greenroom_dialect::plex::section_changed("2");
    assert_eq!(
        describe(&stale),
        "across* collections* history* image:section:2* inside:2* items* section:2* sections* \
         sessions*"
    );
    for read in ["/library/sections/2/all", "/library/sections/2/genre", "/library/recentlyAdded", "/hubs/sections/2"] {
        assert!(hits(&stale, &get(read).read().tags), "{read}");
    }
}

#[test]
fn webhooks_only_invalidate() {
    let sent = |event: &str| {
        let payload = json!({ "event": event, "user": true, "owner": true, "Account": { "id": 1 },
            "Metadata": { "librarySectionType": "show", "ratingKey": "583", "parentRatingKey": "582",
                          "grandparentRatingKey": "581", "librarySectionID": 2, "type": "episode" } });
        describe(&webhook(payload.to_string().as_bytes()))
    };
    let all = "history* item:583^* items* members:583* sessions* under:583* watch-lists*";
    for (event, stale) in [
        ("library.new", MOVED),
        ("library.on.deck", "across* watch-lists*"),
        ("media.play", "item:583* players* sessions*"),
        ("media.resume", "item:583* players* sessions*"),
        ("media.pause", all),
        ("media.stop", all),
        ("media.scrobble", all),
        ("media.rate", all),
        ("device.new", "server* users*"),
        ("nonsense", ""),
    ] {
        assert_eq!(sent(event), stale, "{event}");
    }
    assert_eq!(describe(&webhook(br#"{"event":"media.stop"}"#)), "history* items* sessions* user-state* watch-lists*");
    assert!(webhook(b"nonsense").is_empty());
    assert!(webhook(b"[]").is_empty());
}

#[test]
fn an_oversized_frame_invalidates_everything() {
    let entries: Vec<_> = (0..2000).map(|_| timeline(4, 5)).collect();
    let huge = json!({ "NotificationContainer": { "type": "timeline", "TimelineEntry": entries } });
    assert_eq!(stale(&huge), "all*");
    assert_eq!(ServerKind::Plex.parse_frame(&vec![b' '; 5 * 1024 * 1024]).len(), 1);
}

#[test]
fn unknown_frames_are_ignored() {
    for foreign in [
        "",
        "x",
        "[]",
        "{}",
        "null",
        r#"{"NotificationContainer":3}"#,
        r#"{"MessageType":"KeepAlive"}"#,
        r#"{"NotificationContainer":{"type":"timeline","TimelineEntry":"x"}}"#,
    ] {
        assert!(ServerKind::Plex.parse_frame(foreign.as_bytes()).is_empty(), "{foreign}");
    }
}

#[test]
fn an_error_body_has_the_requested_format() {
    let (kind, body) = ServerKind::Plex.error_body(Representation::Json, 503, "the server does not answer");
    assert_eq!(kind, "application/json");
    assert!(body.starts_with(b"{"));
    let (kind, body) = ServerKind::Plex.error_body(Representation::Xml, 503, "the server does not answer");
    assert_eq!(kind, "text/xml;charset=utf-8");
    assert!(body.ends_with(b"<Response code=\"503\" status=\"the server does not answer\"/>\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (ServerKind::Plex.parse_frame(&bytes), webhook(&bytes));
    }

    #[test]
    fn any_values_are_read_without_a_panic(
        name in prop::sample::select(vec!["TimelineEntry", "ActivityNotification", "PlaySessionStateNotification", "StatusNotification"]),
        field in prop::sample::select(vec!["state", "type", "itemID", "sectionID", "Activity", "event", "ratingKey", "key"]),
        value in prop::sample::select(vec!["-1", "1e99", "null", "true", "[]", "{}", "\"\"", "\"x\"", "18446744073709551616"]),
    ) {
        let text = format!(r#"{{"NotificationContainer":{{"{name}":[{{"{field}":{value}}}]}}}}"#);
        let _ = ServerKind::Plex.parse_frame(text.as_bytes());
        let _ = ServerKind::Plex.parse_frame(format!(r#"{{"{name}":{{"{field}":{value}}}}}"#).as_bytes());
    }
}
