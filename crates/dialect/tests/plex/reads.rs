//! The allow-list, row by row: path, class, tags, lifetime.

use greenroom_dialect::class::Class;
use greenroom_dialect::classification::{Classification, ImageSubject, Representation, SharingScope, StreamReason};
use greenroom_dialect::request::ServerKind;

use crate::test_request::{get, send, tag_names};

/// Path, class, tags.
const TABLE: &[(&str, Class, &str)] = &[
    ("/", Class::Server, "server"),
    ("/identity", Class::Identity, "server"),
    ("/library", Class::Server, "server sections"),
    ("/servers", Class::Server, "server"),
    ("/clients", Class::Server, "server"),
    ("/devices", Class::Server, "server users players"),
    ("/accounts", Class::Server, "server users"),
    ("/accounts/1", Class::Server, "server users"),
    ("/updater/status", Class::Server, "server"),
    ("/livetv/dvrs", Class::Server, "server"),
    ("/media/providers?includeStorage=1", Class::Server, "server sections"),
    ("/:/prefs", Class::Server, "server"),
    ("/:/prefs/get?id=FriendlyName", Class::Server, "server"),
    ("/activities", Class::Activities, "activities"),
    ("/butler", Class::Statistics, "activities"),
    ("/status/sessions", Class::Sessions, "sessions"),
    ("/status/sessions/background", Class::Sessions, "sessions"),
    ("/transcode/sessions", Class::Sessions, "sessions"),
    ("/status/sessions/history/all?sort=viewedAt:desc", Class::History, "history"),
    ("/status/sessions/history/12", Class::History, "history"),
    ("/statistics/resources?timespan=6", Class::LiveStatistics, ""),
    ("/statistics/bandwidth?timespan=6", Class::LiveStatistics, "players"),
    ("/statistics/bandwidth?timespan=4", Class::Statistics, "players"),
    ("/library/sections", Class::Sections, "sections"),
    ("/library/sections/", Class::Sections, "sections"),
    ("/library/sections/all", Class::Sections, "sections"),
    ("/library/sections/2?includeDetails=1", Class::Sections, "sections section:2"),
    ("/library/sections/2/prefs", Class::Server, "server sections section:2"),
    ("/library/sections/2/timeline", Class::Statistics, "section:2 libraries"),
    ("/library/sections/2/all", Class::Lists, "section:2 libraries user-state"),
    ("/library/sections/2/all?type=8&sort=titleSort&includeGuids=1", Class::Lists, "section:2 libraries user-state"),
    ("/library/sections/2/all?unwatched=1", Class::Lists, "section:2 libraries watch-lists user-state"),
    ("/library/sections/2/all?show.unwatchedLeaves=1", Class::Lists, "section:2 libraries watch-lists user-state"),
    ("/library/sections/2/all?sort=lastViewedAt:desc", Class::Lists, "section:2 libraries watch-lists user-state"),
    ("/library/sections/2/all?sort=addedAt%3Adesc", Class::Recent, "section:2 libraries user-state"),
    (
        "/library/sections/2/all?type=4&sort=addedAt:desc&addedAt%3E%3E=1",
        Class::Recent,
        "section:2 libraries user-state",
    ),
    ("/library/sections/2/all?type=10&title=Hey", Class::Lists, "section:2 libraries user-state"),
    ("/library/sections/2/all?type=10&artist.title==Hey", Class::Lists, "section:2 libraries user-state"),
    ("/library/sections/2/all?type=4&X-Plex-Container-Size=0", Class::Counts, "section:2 libraries"),
    (
        "/library/sections/2/all?unwatched=1&X-Plex-Container-Size=0",
        Class::Counts,
        "section:2 libraries watch-lists user-state",
    ),
    ("/library/sections/2/allLeaves?X-Plex-Container-Size=0", Class::Counts, "section:2 libraries"),
    ("/library/sections/2/allLeaves", Class::Lists, "section:2 libraries user-state"),
    ("/library/sections/2/recentlyAdded?X-Plex-Container-Size=30", Class::Recent, "section:2 libraries user-state"),
    ("/library/sections/2/onDeck", Class::Resume, "section:2 libraries watch-lists user-state"),
    ("/library/sections/2/search?query=x", Class::Search, "section:2 libraries user-state"),
    ("/library/sections/2/collections", Class::Lists, "section:2 libraries collections user-state"),
    ("/library/sections/2/folder?parent=3", Class::Lists, "section:2 libraries user-state"),
    ("/library/sections/2/common?type=1", Class::Lists, "section:2 libraries user-state"),
    ("/library/sections/2/firstCharacter", Class::Lists, "section:2 libraries"),
    ("/library/sections/2/genre?includeMeta=1", Class::Lists, "section:2 libraries"),
    ("/library/sections/2/label", Class::Lists, "section:2 libraries"),
    ("/library/sections/2/genre/23", Class::Lists, "section:2 libraries user-state"),
    ("/library/all?type=4", Class::Lists, "across libraries user-state"),
    ("/library/recentlyAdded", Class::Recent, "across libraries user-state"),
    ("/library/onDeck", Class::Resume, "across libraries watch-lists user-state"),
    ("/library/search?query=x", Class::Search, "across libraries user-state"),
    ("/library/tags?type=1", Class::Lists, "across libraries"),
    ("/library/metadata/7", Class::Item, "item:7 user-state"),
    ("/library/metadata/7,8", Class::Item, "item:7 item:8 user-state"),
    ("/library/metadata/7?checkFiles=0&includeChapters=1", Class::Item, "item:7 user-state"),
    ("/library/metadata/7/children", Class::Item, "item:7 user-state"),
    ("/library/metadata/7/children?X-Plex-Container-Size=0", Class::Counts, "item:7"),
    ("/library/metadata/7/grandchildren", Class::Item, "item:7 user-state"),
    ("/library/metadata/7/allLeaves", Class::Item, "item:7 user-state"),
    ("/library/metadata/7/extras", Class::Item, "item:7 user-state"),
    ("/library/metadata/7/related", Class::Item, "item:7 across libraries user-state"),
    ("/library/metadata/7/similar", Class::Item, "item:7 across libraries user-state"),
    ("/library/metadata/7/nearest", Class::Item, "item:7 across libraries user-state"),
    ("/library/metadata/7/posters", Class::Item, "item:7"),
    ("/library/collections/7", Class::Collections, "collections item:7 user-state"),
    ("/library/collections/7/items", Class::Collections, "collections item:7 user-state"),
    ("/hubs", Class::Hubs, "across libraries watch-lists playlists user-state"),
    ("/hubs/promoted", Class::Hubs, "across libraries watch-lists playlists user-state"),
    ("/hubs/sections/2", Class::Hubs, "section:2 libraries watch-lists playlists user-state"),
    ("/hubs/metadata/7/related", Class::Hubs, "item:7 across libraries watch-lists user-state"),
    ("/hubs/home/recentlyAdded?type=1", Class::Recent, "across libraries user-state"),
    ("/hubs/continueWatching", Class::Resume, "across libraries watch-lists user-state"),
    ("/hubs/continueWatching/items", Class::Resume, "across libraries watch-lists user-state"),
    ("/hubs/search?query=x&limit=3", Class::Search, "across libraries playlists user-state"),
    ("/hubs/sections/2/manage", Class::Collections, "collections section:2"),
    ("/playlists", Class::Playlists, "playlists user-state"),
    ("/playlists/9", Class::Playlists, "playlist:9 every-playlist user-state"),
    ("/playlists/9/items", Class::Playlists, "playlist:9 every-playlist user-state"),
];

/// Whether the tag only says which part of what another tag means can concern the read.
fn is_narrower(tag: &str) -> bool {
    tag.contains('~') || tag.starts_with("by-")
}

#[test]
fn every_known_path_has_its_class_and_its_tags() {
    for (target, class, tags) in TABLE {
        for read in [get(target).read(), get(target).json().read(), send("HEAD", target).read()] {
            assert_eq!(read.class, *class, "{target}");
            let expected: Vec<&str> = tags.split_whitespace().collect();
            let found: Vec<&str> = tag_names(&read.tags).into_iter().filter(|tag| !is_narrower(tag)).collect();
            assert_eq!(found, expected, "{target}");
            let sharing = if *class == Class::Identity { SharingScope::Public } else { SharingScope::Identity };
            assert_eq!(read.sharing, sharing, "{target}");
        }
    }
}

#[test]
fn agents_old_search_and_channels_are_kept() {
    for (target, class, tags) in [
        ("/system/agents", Class::Server, "server"),
        ("/system/agents?mediaType=1", Class::Server, "server"),
        ("/channels/all", Class::Server, "server"),
        ("/search?query=x", Class::Search, "across libraries playlists user-state"),
        ("/search?type=10&query=x&X-Plex-Container-Size=5", Class::Search, "across libraries playlists user-state"),
        ("/search?query=x&sources=1", Class::Search, "across libraries playlists watch-lists user-state"),
    ] {
        for read in [get(target).read(), get(target).json().read(), send("HEAD", target).read()] {
            let found: Vec<&str> = tag_names(&read.tags).into_iter().filter(|tag| !is_narrower(tag)).collect();
            assert_eq!((read.class, found), (class, tags.split_whitespace().collect()), "{target}");
            assert_eq!(read.sharing, SharingScope::Identity, "{target}");
        }
    }
}

#[test]
fn a_head_request_has_the_key_of_its_get() {
    for (target, _, _) in TABLE {
        assert_eq!(send("HEAD", target).read(), get(target).read());
    }
}

#[test]
fn a_body_with_user_state_lives_shorter_than_one_without() {
    for (target, class, tags) in TABLE {
        let lifetime = get(target).read().lifetime;
        let default = class.lifetime(ServerKind::Plex);
        let personal = tags.contains("user-state");
        assert_eq!(lifetime.user_state, personal, "{target}");
        let fresh = if personal { default.fresh_s } else { default.fresh_with_signal_s.max(default.fresh_s) };
        assert_eq!(lifetime.fresh_s, fresh, "{target}");
        if personal {
            assert!(lifetime.fresh_s <= 300, "{target}");
        }
    }
    assert_eq!(get("/library/sections/1/genre").read().lifetime.fresh_s, 3600);
    assert_eq!(get("/library/metadata/1").read().lifetime.fresh_s, 60);
    assert_eq!(get("/library/sections/1/all").read().lifetime.fresh_s, 300);
}

#[test]
fn images_are_shared_by_item_and_live_by_their_version() {
    const DAY: u32 = 86_400;
    for (target, of, kind, fresh) in [
        ("/library/metadata/7/thumb/1700000000", "7", "thumb", 30 * DAY),
        ("/library/metadata/7/art/1700000000?width=10", "7", "art", 30 * DAY),
        ("/library/metadata/7/thumb", "7", "thumb", DAY),
        ("/library/metadata/7/composite/17", "7", "composite", 30 * DAY),
        ("/library/collections/7/composite/17", "7", "composite", 30 * DAY),
        ("/playlists/9/composite/17", "playlist:9", "composite", 30 * DAY),
        ("/library/sections/2/composite/17", "section:2", "composite", 30 * DAY),
        ("/:/resources/movie.png", "resource:movie.png", "", DAY),
        ("/photo/:/transcode?width=1&height=2&url=/library/metadata/7/thumb/17", "7", "thumb", 30 * DAY),
        ("/photo/:/transcode?width=1&height=2&url=%2Flibrary%2Fmetadata%2F7%2Fthumb", "7", "thumb", DAY),
        ("/photo/:/transcode?url=/:/resources/movie.png", "resource:movie.png", "", DAY),
        ("/photo/:/transcode?url=/playlists/9/composite/17", "playlist:9", "composite", 30 * DAY),
    ] {
        let read = get(target).header("Range", "bytes=0-").header("Accept", "image/webp").read();
        assert_eq!(read.class, Class::Images, "{target}");
        assert_eq!(read.sharing, SharingScope::Image(ImageSubject::new(of, kind)), "{target}");
        assert_eq!(read.representation, Representation::Opaque);
        assert_eq!(read.lifetime.fresh_s, fresh, "{target}");
        let tags = [format!("image:{of}"), format!("unversioned-image:{of}")];
        assert_eq!(tag_names(&read.tags), tags[..if fresh == DAY { 2 } else { 1 }], "{target}");
    }
}

#[test]
fn files_of_the_web_client_are_shared_and_its_pages_are_not_cached() {
    let read = get("/web/js/main-1-abc.js").read();
    assert_eq!((read.class, read.sharing), (Class::Assets, SharingScope::Public));
    for page in ["/web", "/web/", "/web/index.html", "/web/index.htm"] {
        assert_eq!(get(page).classification(), Classification::Stream(StreamReason::Moment), "{page}");
    }
}

#[test]
fn uncacheable_requests_pass_through_with_their_reason() {
    for (target, reason) in [
        ("/video/:/transcode/universal/start.m3u8?path=x", StreamReason::Media),
        ("/video/:/transcode/universal/session/abc/base/0.ts", StreamReason::Media),
        ("/video/:/transcode/universal/decision?path=x", StreamReason::Moment),
        ("/music/:/transcode/universal/start.mp3", StreamReason::Media),
        ("/audio/:/transcode/universal/start.mp3", StreamReason::Media),
        ("/photo/:/transcode/universal/start.jpg", StreamReason::Media),
        ("/library/parts/1/17/file.mkv", StreamReason::Media),
        ("/library/streams/3.srt", StreamReason::Media),
        ("/library/file?url=x", StreamReason::Media),
        ("/library/media/3/chapterImages/1", StreamReason::Media),
        ("/library/metadata/7/theme/17", StreamReason::Media),
        ("/livetv/sessions/a/b/index.m3u8", StreamReason::Media),
        ("/downloadQueue/1", StreamReason::Media),
        ("/playQueues/1", StreamReason::Moment),
        ("/player/playback/play", StreamReason::Moment),
        ("/player/timeline/poll", StreamReason::Events),
        ("/player/proxy/poll?timeout=1", StreamReason::Events),
        ("/sync/items/1", StreamReason::Moment),
        ("/system", StreamReason::Moment),
        ("/system/agents/tv.plex.agents.movie/config/1", StreamReason::Moment),
        ("/system/proxy?url=http://x", StreamReason::Moment),
        ("/system/agents?url=http://x", StreamReason::Unknown),
        ("/channels", StreamReason::Unknown),
        ("/security/token?type=delegation", StreamReason::Account),
        ("/security/resources?source=x", StreamReason::Account),
        ("/myplex/account", StreamReason::Account),
        ("/pins/1", StreamReason::Account),
        ("/pins.xml", StreamReason::Account),
        ("/user", StreamReason::Account),
        ("/users", StreamReason::Account),
        ("/users/account", StreamReason::Account),
        ("/resources", StreamReason::Account),
        ("/api/v2/resources", StreamReason::Account),
        ("/diagnostics/databases", StreamReason::Account),
        ("/logs", StreamReason::Account),
        ("/:/websockets/notifications?X-Plex-Token=abc", StreamReason::Socket),
        ("/:/websocket/notifications", StreamReason::Socket),
        ("/:/eventsource/notifications?filters=playing", StreamReason::Events),
        ("/library/metadata/augmentations/4?wait=1", StreamReason::Moment),
        ("/library/metadata/7/subtitles?language=en", StreamReason::Moment),
        ("/library/metadata/7/matches", StreamReason::Moment),
        ("/hubs/metadata/7/postplay", StreamReason::Moment),
        ("/library/randomArtwork", StreamReason::Moment),
        ("/library/sections/2/all?sort=random", StreamReason::Moment),
        ("/library/metadata/7?checkFiles=1", StreamReason::Moment),
        ("/library/metadata/7?asyncCheckFiles=1", StreamReason::Moment),
        ("/library/metadata/7?asyncAugmentMetadata=1", StreamReason::Moment),
        ("/library/metadata/7?asyncRefreshAnalysis=true", StreamReason::Moment),
        ("/services/ultrablur/colors?url=http://x", StreamReason::Unknown),
        ("/media/providers?url=http://x", StreamReason::Unknown),
        ("/library/sections/2/nonsense", StreamReason::Unknown),
        ("/library/sections/x/all", StreamReason::Unknown),
        ("/library/metadata/iva:1", StreamReason::Unknown),
        ("/nonsense", StreamReason::Unknown),
    ] {
        assert_eq!(get(target).classification(), Classification::Stream(reason), "{target}");
        let of_a_head = if reason == StreamReason::Socket { StreamReason::Moment } else { reason };
        assert_eq!(send("HEAD", target).classification(), Classification::Stream(of_a_head), "HEAD {target}");
    }
}

#[test]
fn a_range_changes_the_meaning_of_no_request() {
    for target in [
        "/library/sections/1/all",
        "/library/metadata/7/thumb/1",
        "/web/js/main.js",
        "/nonsense",
        "/playQueues/1",
        "/library/parts/1/2/file.mkv",
    ] {
        let ranged = get(target).header("Range", "bytes=0-99").classification();
        assert_eq!(ranged, get(target).classification(), "{target}");
    }
}

#[test]
fn sockets_and_event_streams_are_recognised_by_their_headers_too() {
    let socket = get("/:/ws").header("Upgrade", "WebSocket").classification();
    assert_eq!(socket, Classification::Stream(StreamReason::Upgrade));
    let known = get("/:/websockets/notifications").header("Upgrade", "WebSocket").classification();
    assert_eq!(known, Classification::Stream(StreamReason::Socket));
    let events = get("/activities").header("Accept", "text/event-stream").classification();
    assert_eq!(events, Classification::Stream(StreamReason::Odd), "the server decides");
    let known = get("/:/eventsource/notifications").header("Accept", "text/event-stream").classification();
    assert_eq!(known, Classification::Stream(StreamReason::Events));
    assert!(matches!(
        get("/activities").header("Accept", "application/json, text/event-stream").classification(),
        Classification::Read(_)
    ));
}

#[test]
fn a_preflight_passes_and_changes_nothing() {
    assert_eq!(send("OPTIONS", "/library/sections").classification(), Classification::Stream(StreamReason::Moment));
    assert_eq!(send("TRACE", "/library/sections").classification(), Classification::Stream(StreamReason::Odd));
}

#[test]
fn many_ids_in_one_path_are_not_tagged_one_by_one() {
    let ids: Vec<String> = (1..=300).map(|id: u32| id.to_string()).collect();
    let read = get(&format!("/library/metadata/{}", ids.join(","))).read();
    assert_eq!(tag_names(&read.tags), ["items", "user-state"]);
}
