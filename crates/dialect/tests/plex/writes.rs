//! The table of writes, row by row.

use greenroom_dialect::classification::{Classification, TokenRevocation};
use greenroom_dialect::request::{BodyUse, MAX_BODY_READ, RequestView, ServerKind};
use greenroom_dialect::tag::Tag;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};

use crate::test_request::{describe, get, send};

/// Method, target, name, invalidations: `*` for everyone, `^` with ancestors.
const TABLE: &[(&str, &str, &str, &str)] = &[
    ("GET", "/:/scrobble?identifier=com.plexapp.plugins.library&key=583", "scrobble", WATCHED),
    ("PUT", "/:/scrobble?key=583", "scrobble", WATCHED),
    ("HEAD", "/:/scrobble?key=583", "scrobble", WATCHED),
    ("GET", "/:/unscrobble?key=583", "scrobble", WATCHED),
    ("PUT", "/:/scrobble?uri=library://x/item/%2Flibrary%2Fmetadata%2F583", "scrobble", WATCHED),
    ("GET", "/:/rate?key=583&rating=8", "rate", "by-rating item:583 items sessions*"),
    ("PUT", "/:/rate?key=583&rating=8", "rate", "by-rating item:583 items sessions*"),
    ("PUT", "/actions/removeFromContinueWatching?ratingKey=583", "action", "by-continued sessions*"),
    ("PUT", "/actions/somethingNew?ratingKey=583", "action", WATCHED),
    ("GET", "/:/scrobble", "scrobble", "history* items sessions* user-state watch-lists"),
    ("GET", "/:/timeline?ratingKey=583&key=/library/metadata/583&state=stopped&time=1", "timeline", REPORTED),
    ("POST", "/:/timeline?ratingKey=583&key=/library/metadata/583&state=paused", "timeline", REPORTED),
    ("GET", "/:/progress?key=583&time=1&state=stopped", "progress", REPORTED),
    ("GET", "/:/progress?key=583&time=1", "progress", REPORTED),
    ("GET", "/status/sessions/terminate?sessionId=a", "terminate", "activities* sessions*"),
    ("POST", "/status/sessions/terminate?sessionId=a", "terminate", "activities* sessions*"),
    ("DELETE", "/status/sessions/history/4", "history", "history* items* user-state* watch-lists*"),
    ("PUT", "/library/metadata/7?title.value=x", "edit", EDITED),
    ("POST", "/library/metadata/7", "edit", EDITED),
    ("POST", "/library/metadata/7/posters?url=http://x", "poster", PICTURED),
    ("PUT", "/library/metadata/7/poster?url=x", "poster", PICTURED),
    ("POST", "/library/metadata/7/arts", "poster", PICTURED),
    ("POST", "/library/metadata/7/themes", "poster", PICTURED),
    ("PUT", "/library/metadata/7/clearLogo?url=x", "poster", PICTURED),
    (
        "PUT",
        "/library/metadata/7/prefs?episodeSort=1",
        "edit",
        "history* item:7^* items* sections* sessions* under:7* watch-lists*",
    ),
    ("POST", "/library/metadata/7/marker", "edit", "activities* history* item:7^* items* sections* sessions* under:7*"),
    (
        "DELETE",
        "/library/metadata/7/marker/3",
        "edit",
        "activities* history* item:7^* items* sections* sessions* under:7*",
    ),
    (
        "PUT",
        "/library/metadata/7/subtitles",
        "edit",
        "activities* history* item:7^* items* sections* sessions* under:7*",
    ),
    ("PUT", "/library/metadata/7/match?guid=x", "match", MATCHED),
    ("PUT", "/library/metadata/7/unmatch", "match", MATCHED),
    ("PUT", "/library/metadata/7/merge?ids=8", "match", MATCHED),
    ("PUT", "/library/metadata/7/split", "match", MATCHED),
    ("PUT", "/library/metadata/7/refresh", "refresh", REFRESHED),
    ("PUT", "/library/metadata/7/analyze", "refresh", REFRESHED),
    ("DELETE", "/library/metadata/7", "delete", GONE),
    ("DELETE", "/library/metadata/7/media/9", "delete", GONE),
    ("GET", "/library/sections/2/refresh", "refresh", SCANNED),
    ("POST", "/library/sections/2/refresh?force=1", "refresh", SCANNED),
    ("DELETE", "/library/sections/2/refresh", "refresh", SCANNED),
    ("PUT", "/library/sections/2/analyze", "refresh", SCANNED),
    ("GET", "/library/sections/all/refresh", "refresh", SCANNED_ALL),
    ("DELETE", "/library/sections/all/refresh", "refresh", SCANNED_ALL),
    ("POST", "/library/sections/refresh", "refresh", SCANNED_ALL),
    (
        "PUT",
        "/library/sections/2/emptyTrash",
        "section",
        "across* activities* collections* every-playlist* history* image:section:2* inside:2* \
         items* playlists* section:2* sections* sessions*",
    ),
    (
        "PUT",
        "/library/sections/2/all?type=1&id=7&title.value=x",
        "edit",
        "across* collections* history* inside:2* item:7^* items* \
         section:2* sections* sessions* under:7*",
    ),
    (
        "PUT",
        "/library/sections/2/all?type=1&genre.locked=1",
        "edit",
        "across* collections* history* inside:2* items* section:2* sections* sessions*",
    ),
    ("POST", "/library/sections?name=x", "section", "across* collections* libraries* sections* server* users*"),
    ("POST", "/library/sections/all", "section", "across* collections* libraries* sections* server* users*"),
    ("DELETE", "/library/sections/2", "section", SECTION),
    ("PUT", "/library/sections/2", "section", SECTION),
    ("PUT", "/library/sections/2/prefs?hidden=1", "section", SECTION),
    ("POST", "/playlists?title=x&type=audio&uri=y", "playlist", "every-playlist* playlists*"),
    ("POST", "/playlists/upload?path=x", "playlist", "every-playlist* playlists*"),
    ("PUT", "/playlists/9?title=x", "playlist", PLAYLIST),
    ("DELETE", "/playlists/9", "playlist", PLAYLIST),
    ("PUT", "/playlists/9/items?uri=x", "playlist", PLAYLIST),
    ("DELETE", "/playlists/9/items/3", "playlist", PLAYLIST),
    ("PUT", "/playlists/9/items/3/move?after=2", "playlist", PLAYLIST),
    (
        "POST",
        "/library/collections?sectionId=2&title=x&uri=server://m/com.plexapp.plugins.library/library/metadata/7,8",
        "collection",
        "across* collections* history* item:7* item:8* items* section:2* sections* sessions*",
    ),
    (
        "PUT",
        "/library/collections/5/items?uri=server://m/com.plexapp.plugins.library/library/metadata/7",
        "collection",
        "across* collections* history* image:5* item:5* item:7* items* libraries* sections* \
         sessions*",
    ),
    (
        "DELETE",
        "/library/collections/5/items/7",
        "collection",
        "across* collections* history* image:5* item:5* item:7* items* libraries* sections* \
         sessions*",
    ),
    (
        "PUT",
        "/library/collections/5/items/7/move",
        "collection",
        "across* collections* history* image:5* item:5* item:7* items* libraries* sections* \
         sessions*",
    ),
    (
        "DELETE",
        "/library/collections/5",
        "collection",
        "across* collections* history* image:5* item:5* items* libraries* sections* sessions* \
         user-state*",
    ),
    (
        "POST",
        "/library/collections/7/posters",
        "poster",
        "collections* history* image:7* item:7^* items* sections* sessions* under:7*",
    ),
    (
        "DELETE",
        "/library/sections/2/collection/5",
        "collection",
        "across* collections* history* image:5* inside:2* item:5* items* section:2* sections* \
         sessions*",
    ),
    ("POST", "/hubs/sections/2/manage?metadataItemId=5", "collection", "across* collections* section:2* watch-lists*"),
    ("PUT", "/hubs/sections/2/manage/move", "collection", "across* collections* section:2* watch-lists*"),
    ("PUT", "/:/prefs?FriendlyName=x", "settings", "across* sections* server* users* watch-lists*"),
    ("DELETE", "/activities/abc", "activity", "activities* sections*"),
    ("POST", "/butler", "butler", "activities*"),
    ("DELETE", "/butler/BackupDatabase", "butler", "activities*"),
    ("PUT", "/updater/check", "updater", "activities* server*"),
    ("PUT", "/updater/apply", "updater", "activities* server*"),
    ("PUT", "/library/parts/3?audioStreamID=4", "selection", "sessions* user-state"),
    ("PUT", "/library/optimize", "maintenance", "activities*"),
    ("PUT", "/library/clean/bundles", "maintenance", "activities*"),
    ("POST", "/playQueues?uri=x", "queue", ""),
    ("PUT", "/playQueues/3/shuffle", "queue", ""),
    ("POST", "/video/:/transcode/universal/fallback", "transcode", "sessions*"),
    ("DELETE", "/transcode/sessions/abc", "player", "sessions*"),
    ("POST", "/log?message=x", "log", ""),
    ("POST", "/security/token", "account", ""),
    ("POST", "/users/signin", "account", ""),
    ("POST", "/media/subscriptions", "unknown", "all*"),
    ("POST", "/nonsense", "unknown", "all*"),
    ("PUT", "/library/nonsense", "unknown", "all*"),
    ("PUT", "/library/metadata/iva:7", "unknown", "all*"),
    ("PROPFIND", "/library/sections", "unknown", "all*"),
    ("DELETE", "/", "unknown", "all*"),
];

const WATCHED: &str = "history* item:583^ items members:583 sessions* under:583 watch-lists";
const REPORTED: &str = "history* item:583^ items members:583 players* sessions* under:583 watch-lists";
const PICTURED: &str = "history* image:7* item:7^* items* sections* sessions* under:7*";
const EDITED: &str = "across* collections* history* item:7^* items* libraries* sections* sessions* under:7*";
const MATCHED: &str = "across* collections* history* image:7* item:7^* items* libraries* sections* sessions* \
         under:7* user-state*";
const REFRESHED: &str = "activities* history* image:7* item:7^* items* sections* sessions* under:7*";
const GONE: &str = "across* collections* every-playlist* history* image:7* item:7^* items* libraries* \
         playlists* sections* sessions* under:7*";
const SCANNED: &str = "across* activities* collections* section:2* sections*";
const SCANNED_ALL: &str = "across* activities* collections* libraries* sections*";
const PLAYLIST: &str = "image:playlist:9* item:9* playlist:9* playlists*";
const SECTION: &str = "across* collections* every-playlist* history* image:section:2* inside:2* items* \
         playlists* section:2* sections* server* sessions* users*";

#[test]
fn every_write_lists_its_invalidations() {
    for (method, target, name, stale) in TABLE {
        let write = send(method, target).token("some-token").write();
        assert_eq!(write.name, *name, "{method} {target}");
        assert_eq!(describe(&write.invalidations), *stale, "{method} {target}");
        assert!(write.throttled.is_none(), "{method} {target}");
        assert_eq!(write.revokes, TokenRevocation::Nothing, "{method} {target}");
    }
}

#[test]
fn a_write_is_recognised_whatever_headers_it_has() {
    for (name, value) in [
        ("Upgrade", "websocket"),
        ("Range", "bytes=0-1"),
        ("Accept", "text/event-stream"),
        ("X-Plex-Token", "another-token"),
        ("Content-Length", "9"),
    ] {
        let write = get("/:/scrobble?key=583&X-Plex-Token=some-token").header(name, value).write();
        assert_eq!(describe(&write.invalidations), WATCHED, "{name}");
    }
}

#[test]
fn a_write_is_recognised_in_any_spelling_of_its_path() {
    for path in ["/%3A/scrobble", "/:/Scrobble", "/:/scrobble/", "//:/scrobble", "/:/%73crobble", "/:/scrobble;a=b"] {
        let write = get(&format!("{path}?key=583")).write();
        assert_eq!(write.name, "scrobble", "{path}");
        assert!(!write.invalidations.is_empty());
    }
    assert_eq!(describe(&get("//:/scrobble?key=583").write().invalidations,), "all*");
}

#[test]
fn a_write_invalidates_all_items_it_may_mean() {
    let stale = describe(&get("/:/scrobble?key=1&key=2&ratingKey=3").write().invalidations);
    for item in ["item:1^", "item:2^", "item:3^"] {
        assert!(stale.contains(item), "{stale}");
    }
    let posted = send("POST", "/:/timeline").form("ratingKey=583&state=stopped").write();
    assert_eq!(describe(&posted.invalidations), REPORTED);
}

#[test]
fn progress_invalidates_little_at_once_and_the_rest_once_a_minute() {
    for target in [
        "/:/timeline?ratingKey=583&key=%2Flibrary%2Fmetadata%2F583&state=playing&time=1000",
        "/:/timeline?ratingKey=583&state=buffering",
        "/:/progress?key=583&state=playing&time=1",
    ] {
        let write = get(target).write();
        assert_eq!(describe(&write.invalidations), "item:583 sessions*", "{target}");
        let slow = write.throttled.unwrap();
        assert_eq!(slow.item, "583");
        assert_eq!(describe(&slow.invalidations), REPORTED);
    }
    let both = get("/:/timeline?ratingKey=583&state=playing&state=stopped").write();
    assert_eq!(describe(&both.invalidations), REPORTED);
    let nameless = get("/:/timeline?state=playing").write();
    assert_eq!(describe(&nameless.invalidations), "history* items players* sessions* user-state watch-lists");
}

#[test]
fn a_sign_out_revokes_a_token() {
    for (method, target, forgets) in [
        ("GET", "/users/signout", TokenRevocation::Caller),
        ("POST", "/users/signout", TokenRevocation::Caller),
        ("DELETE", "/users/sign_out.json", TokenRevocation::Caller),
        ("DELETE", "/devices/4", TokenRevocation::Everyone),
        ("DELETE", "/devices/4.xml", TokenRevocation::Everyone),
        ("DELETE", "/users/4", TokenRevocation::Everyone),
        ("DELETE", "/security/token", TokenRevocation::Everyone),
        ("DELETE", "/myplex/account", TokenRevocation::Everyone),
        ("POST", "/myplex/refreshReachability", TokenRevocation::Everyone),
        ("PUT", "/devices/4", TokenRevocation::Nothing),
    ] {
        assert_eq!(send(method, target).token("some-token").write().revokes, forgets, "{method} {target}");
    }
}

#[test]
fn too_many_ids_may_mean_any_item() {
    let ids: Vec<String> = (1..=400).map(|id: u32| id.to_string()).collect();
    let stale = send("PUT", &format!("/:/scrobble?key={}", ids.join(","))).write().invalidations;
    assert!(stale.iter().any(|staling| staling.tag == Tag::user_state()));
    assert!(stale.len() < 20);
}

#[test]
fn a_form_longer_than_the_limit_may_name_any_item() {
    let headers: HeaderMap =
        [(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))].into_iter().collect();
    let of = |target: &str, length: usize| {
        let mut body = format!("key=5&padding={}", "x".repeat(length));
        body.truncate(length);
        let request = RequestView { method: &Method::POST, target, headers: &headers, body: body.as_bytes() };
        let Classification::Write(write) = ServerKind::Plex.classify(&request, None) else {
            panic!("{target} is a write")
        };
        (write.invalidations.iter().any(|stale| stale.tag == Tag::user_state()), write.throttled.is_some())
    };
    assert_eq!(of("/:/scrobble", MAX_BODY_READ - 1), (false, false), "all of it is known");
    for target in [
        "/:/scrobble",
        "/:/scrobble?key=6",
        "/:/rate",
        "/:/timeline?state=playing",
        "/actions/removeFromContinueWatching",
    ] {
        assert_eq!(of(target, MAX_BODY_READ), (true, false), "{target}");
    }
}

#[test]
fn any_other_method_is_a_write_and_never_a_read() {
    for method in ["POST", "PUT", "PATCH", "DELETE", "MKCOL", "LOCK"] {
        for target in ["/", "/library/sections", "/hubs", "/identity", "/status/sessions", "/photo/:/transcode"] {
            assert!(matches!(send(method, target).classification(), Classification::Write(_)), "{method} {target}");
        }
    }
}

#[test]
fn a_body_that_need_not_be_read_changes_nothing() {
    let bodies: [&[u8]; 3] = [b"", b"key=5&ratingKey=6&ids=7&uri=8&state=playing", b"{\"ItemId\":\"9\"}"];
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    for (method, target, ..) in TABLE {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let of = |headers: &HeaderMap, body| {
            let request = RequestView { method: &method, target, headers, body };
            (ServerKind::Plex.body_use(&request), ServerKind::Plex.classify(&request, None))
        };
        for kind in [None, Some(HeaderValue::from_static("image/jpeg"))] {
            let headers: HeaderMap = kind.map(|kind| (CONTENT_TYPE, kind)).into_iter().collect();
            let (body_use, classification) = of(&headers, bodies[0]);
            assert_eq!(body_use, BodyUse::Unread, "{target}");
            assert!(bodies.iter().all(|body| of(&headers, body).1 == classification), "{target}");
        }
        let headers = [(CONTENT_TYPE, form.clone())].into_iter().collect();
        assert_eq!(of(&headers, bodies[0]).0, BodyUse::Read, "{target}: a form");
    }
}
