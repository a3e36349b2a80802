//! Each row of the table of writes: its invalidations, their audience, and the tokens it revokes.

use greenroom_dialect::classification::TokenRevocation::{Caller, Everyone, Nothing};
use greenroom_dialect::classification::{Classification, TokenRevocation};
use greenroom_dialect::reach;
use greenroom_dialect::request::{BodyUse, RequestView, ServerKind};
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use greenroom_library::lineage::Lineage;
use http::{HeaderMap, Method};

use super::{ITEM, ME, OTHER, classify, filled, headers, read, written};

/// Invalidations as text: `tag`, `!` for everyone, `=user` for a named user, `^` with ancestors.
fn describe(stale: &[TagInvalidation]) -> Vec<String> {
    let mut all: Vec<String> = stale
        .iter()
        .map(|staling| {
            let whose = match &staling.audience {
                Audience::Account => String::new(),
                Audience::User(user) => format!("={user}"),
                Audience::Everyone => "!".into(),
            };
            format!("{}{}{whose}", staling.tag, if staling.with_ancestors { "^" } else { "" })
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Method and target.
fn split(request: &str) -> (&str, &str) {
    request.split_once(' ').expect("a method, a space and a target")
}

/// Method and target, name, revocation, invalidations.
type Row = (&'static str, &'static str, TokenRevocation, &'static str);

fn check(rows: &[Row]) {
    for (request, name, forgets, stale) in rows {
        let (method, target) = split(request);
        let write = written(method, target, "");
        assert_eq!((write.name, write.revokes), (*name, *forgets), "{request}");
        let mut expected: Vec<String> = filled(stale).split_whitespace().map(str::to_owned).collect();
        expected.sort_unstable();
        assert_eq!(describe(&write.invalidations), expected, "{request}");
    }
}

#[test]
fn what_could_make_a_missing_image_lyrics_or_segments_ends_the_memory_of_their_absence() {
    for (target, writes) in [
        (
            "/Items/{item}/Images/Logo?tag=x",
            &[
                "POST /Items/{item}/Images/Logo",
                "POST /Items/{item}/RemoteImages/Download?type=Logo",
                "POST /Items/{item}/Refresh",
                "POST /Items/RemoteSearch/Apply/{item}",
                "POST /Library/Refresh",
            ][..],
        ),
        ("/Genres/Rock/Images/Primary", &["POST /Items/{item}/Images/Primary", "POST /Items/{item}/Refresh"]),
        ("/UserImage?userId={me}", &["POST /UserImage?userId={me}", "POST /Users/{me}/Images/Primary"]),
        ("/Audio/{item}/Lyrics", &["POST /Audio/{item}/Lyrics", "POST /Audio/{item}/RemoteSearch/Lyrics/x"]),
        ("/MediaSegments/{item}", &["POST /ScheduledTasks/Running/{other}", "POST /Items/{item}/Refresh"]),
    ] {
        let tags = read(target).absence_tags().expect("worth remembering");
        for write in writes {
            let (method, path) = split(write);
            let invalidations = written(method, path, "").invalidations;
            assert!(invalidations.iter().any(|stale| tags.contains(&stale.tag)), "{write} makes {target}");
        }
        for marks in ["POST /UserPlayedItems/{item}", "POST /Sessions/Playing/Progress"] {
            let (method, path) = split(marks);
            let invalidations = written(method, path, r#"{"ItemId":"{parent}"}"#).invalidations;
            let ends = invalidations.iter().any(|stale| tags.contains(&stale.tag));
            assert!(!ends || target.starts_with("/Audio") || target.starts_with("/MediaSegments"), "{marks}, {target}");
        }
    }
}

#[test]
fn lists_of_user_marks() {
    let favorite = "by-favorite item:{item} states";
    let rating = "by-rating item:{item} states";
    let played =
        "by-played by-position counted:{item}^ counts history item:{item} members:{item}@{me} states under:{item}";
    let changed = "by-favorite by-played by-position by-rating counted:{item}^ counts item:{item} states under:{item}";
    let changed_both = "by-favorite by-favorite={other} by-played by-played={other} by-position by-position={other} \
        by-rating by-rating={other} counted:{item}^ counted:{item}^={other} counts counts={other} item:{item} \
        item:{item}={other} states states={other} under:{item} under:{item}={other}";
    let both = "by-favorite by-favorite={other} item:{item} item:{item}={other} states states={other}";
    check(&[
        ("POST /UserPlayedItems/{item}", "played", Nothing, played),
        ("DELETE /UserPlayedItems/{item}?userId={me}", "played", Nothing, played),
        ("POST /Users/{me}/PlayedItems/{item}", "played", Nothing, played),
        ("DELETE /emby/users/{me}/playeditems/{item}", "played", Nothing, played),
        ("POST /UserFavoriteItems/{item}", "favorite", Nothing, favorite),
        ("DELETE /Users/{me}/FavoriteItems/{item}", "favorite", Nothing, favorite),
        ("POST /UserFavoriteItems/{item}?userId={other}", "favorite", Nothing, both),
        ("POST /Users/{other}/FavoriteItems/{item}", "favorite", Nothing, both),
        ("POST /UserItems/{item}/Rating?likes=true", "rating", Nothing, rating),
        ("DELETE /Users/{me}/Items/{item}/Rating", "rating", Nothing, rating),
        ("POST /UserItems/{item}/UserData", "user-data", Nothing, changed),
        ("POST /UserItems/{item}/UserData?userId={other}", "user-data", Nothing, changed_both),
        ("POST /Users/{me}/Items/{item}/UserData", "user-data", Nothing, changed),
    ]);
}

/// The writer sees the effect of a mark on the descendants of a show, season or album.
#[test]
fn invalidating_an_item_covers_its_descendants() {
    let episode = r#"{"Id":"{other}","Type":"Episode","SeasonId":"{parent}","SeriesId":"{item}","UserData":{}}"#;
    let season = r#"{"Id":"{parent}","Type":"Season","SeriesId":"{item}"}"#;
    let track = r#"{"Id":"{other}","Type":"Audio","AlbumId":"{item}"}"#;
    for (target, body) in [
        ("/Items/{other}", episode),
        ("/Items/{parent}", season),
        ("/Items?ids={other},{parent}", episode),
        ("/Items?includeItemTypes=Audio", track),
    ] {
        let read = read(target);
        let body = if target.contains('?') { format!(r#"{{"Items":[{body}]}}"#) } else { body.to_owned() };
        let sent = headers(&[("content-type", "application/json")]);
        let facts = ServerKind::Jellyfin.inspect(&read, &sent, &filled(&body).into()).expect("the body fits");
        let tags = reach::resolved(&Lineage::new(1), [read.tags, facts.tags].concat());
        for (method, write) in [
            ("POST", "/UserPlayedItems/{item}"),
            ("DELETE", "/UserPlayedItems/{item}"),
            ("POST", "/Users/{me}/PlayedItems/{item}"),
            ("POST", "/UserItems/{item}/UserData"),
        ] {
            let stale = written(method, write, "").invalidations;
            let hit = |staling: &TagInvalidation| staling.audience == Audience::Account && tags.contains(&staling.tag);
            assert!(stale.iter().any(hit), "{method} {write} must hit {target}");
        }
    }
}

/// A view shows the time of its last addition.
#[test]
fn a_new_collection_invalidates_the_view_that_holds_it() {
    let read = read("/Items/{parent}");
    let body = r#"{"Id":"{parent}","Type":"CollectionFolder","DateLastMediaAdded":"2026-01-01T00:00:00Z"}"#;
    let sent = headers(&[("content-type", "application/json")]);
    let facts = ServerKind::Jellyfin.inspect(&read, &sent, &filled(body).into()).expect("the body fits");
    let tags = [read.tags, facts.tags].concat();
    for request in ["/Collections?name=x&ids={item}", "/Collections/{item}/Items?ids={other}"] {
        let stale = written("POST", request, "").invalidations;
        let hit = |staling: &TagInvalidation| staling.audience == Audience::Everyone && tags.contains(&staling.tag);
        assert!(stale.iter().any(hit), "{request}");
    }
}

#[test]
fn the_server_logs_the_start_of_playback() {
    let log = read("/System/ActivityLog/Entries").tags;
    for (target, body) in
        [("/Sessions/Playing", r#"{"ItemId":"{item}"}"#), ("/Sessions/Playing", ""), ("/PlayingItems/{item}", "")]
    {
        let stale = written("POST", target, body).invalidations;
        let hit = |staling: &TagInvalidation| staling.audience == Audience::Everyone && log.contains(&staling.tag);
        assert!(stale.iter().any(hit), "{target} {body}");
    }
    let progress = written("POST", "/PlayingItems/{item}/Progress", "").invalidations;
    assert!(!progress.iter().any(|staling| log.contains(&staling.tag)));
}

#[test]
fn playback_progress_invalidates_lists_once_a_minute() {
    let body = r#"{"CanSeek":true,"ItemId":"{item}","PositionTicks":10}"#;
    for (request, body, name, at_once) in [
        ("POST /Sessions/Playing", body, "playback-start", "companions history! item:{item} sessions!"),
        ("POST /Sessions/Playing/Progress", body, "progress", "companions item:{item} sessions"),
        ("POST /PlayingItems/{item}", "", "playback-start", "companions history! item:{item} sessions!"),
        ("POST /Users/{me}/PlayingItems/{item}", "", "playback-start", "companions history! item:{item} sessions!"),
        ("POST /PlayingItems/{item}/Progress", "", "progress", "companions item:{item} sessions"),
        ("POST /Users/{me}/PlayingItems/{item}/Progress", "", "progress", "companions item:{item} sessions"),
    ] {
        let (method, target) = split(request);
        let write = written(method, target, body);
        assert_eq!(write.name, name, "{request}");
        assert_eq!(describe(&write.invalidations).join(" "), filled(at_once), "{request}");
        let minutely = write.throttled.unwrap();
        assert_eq!(minutely.item, ITEM);
        let lists = "by-played by-position companions counted:{item}^ counts item:{item} states";
        assert_eq!(describe(&minutely.invalidations).join(" "), filled(lists), "{request}");
    }
}

#[test]
fn a_pause_or_stop_invalidates_lists_at_once() {
    let stopped = "by-played by-position companions counted:{item}^ counts history! item:{item} sessions! states";
    let body = r#"{"ItemId":"{item}","PositionTicks":10,"NowPlayingQueue":[{"Id":"cut o"#;
    for (request, body, expected) in [
        ("POST /Sessions/Playing/Stopped", body, stopped),
        ("DELETE /PlayingItems/{item}", "", stopped),
        ("DELETE /Users/{me}/PlayingItems/{item}", "", stopped),
        (
            "POST /Sessions/Playing/Progress",
            r#"{"ItemId":"{item}","EventName":"pause"}"#,
            "by-played by-position companions counted:{item}^ counts item:{item} sessions! states",
        ),
    ] {
        let (method, target) = split(request);
        let write = written(method, target, body);
        assert_eq!(describe(&write.invalidations).join(" "), filled(expected), "{request}");
        assert_eq!(write.throttled, None);
    }
}

#[test]
fn a_report_without_an_item_may_concern_any() {
    for target in ["/Sessions/Playing", "/Sessions/Playing/Progress", "/Sessions/Playing/Stopped"] {
        for body in ["", "not json", "{}", "[1]"] {
            let write = written("POST", target, body);
            assert_eq!(
                describe(&write.invalidations).join(" "),
                "companions history! sessions! user-state watch-lists",
                "{target} {body}"
            );
        }
    }
}

#[test]
fn edited_or_deleted_items() {
    let edited = "about:{item}! belonging:{item}! item:{item}^! items! listings! playlist:{item}! under:{item}!";
    let pictured = "about:{item}! belonging:{item}! image:{item}! images-by-name! item:{item}^! items! listings! playlist:{item}! \
         under:{item}!";
    let images = "about:{item}! belonging:{item}! image:{item}! images-by-name! item:{item}^! items! listed-by-images! playlist:{item}! \
        under:{item}!";
    let deleted = "about:{item}! belonging:{item}! by-favorite! by-played! by-position! by-rating! collections! counts! image:{item}! \
        images-by-name! item:{item}^! items! libraries! listings! playlist-names! playlist:{item}! playlists! \
        under:{item}!";
    check(&[
        ("POST /Items/{item}", "edit", Nothing, edited),
        ("POST /Items/{item}/Refresh?recursive=true", "edit", Nothing, pictured),
        ("POST /Items/{item}/ContentType?contentType=x", "edit", Nothing, edited),
        ("POST /Items/RemoteSearch/Apply/{item}", "edit", Nothing, pictured),
        ("POST /Items/{item}/RemoteSearch/Subtitles/1", "edit", Nothing, edited),
        ("POST /Items/{item}/Images/Primary", "image", Nothing, images),
        ("DELETE /Items/{item}/Images/Primary/0", "image", Nothing, images),
        ("POST /Items/{item}/RemoteImages/Download?type=Primary", "image", Nothing, images),
        ("POST /Videos/{item}/Subtitles", "edit", Nothing, edited),
        ("DELETE /Videos/{item}/Subtitles/3", "edit", Nothing, edited),
        ("POST /Audio/{item}/Lyrics", "edit", Nothing, edited),
        ("DELETE /Audio/{item}/Lyrics", "edit", Nothing, edited),
        ("DELETE /Items/{item}", "delete", Nothing, deleted),
        ("DELETE /Items?ids={item}", "delete", Nothing, deleted),
        ("DELETE /LiveTv/Recordings/{item}", "delete", Nothing, deleted),
        ("DELETE /Playlists/{item}", "playlist", Nothing, deleted),
        ("DELETE /Videos/{item}/AlternateSources", "versions", Nothing, deleted),
        ("POST /Videos/MergeVersions?ids={item}", "versions", Nothing, deleted),
        ("DELETE /Videos/ActiveEncodings?deviceId=d", "transcode", Nothing, "sessions!"),
    ]);
}

#[test]
fn too_many_ids_invalidate_everything() {
    let ids = vec!["1"; 300].join(",");
    let write = written("DELETE", &format!("/Items?ids={ids}"), "");
    assert!(write.invalidations.contains(&TagInvalidation::everyone(Tag::all())));
    assert!(write.invalidations.len() < 10);
}

#[test]
fn playlists_and_collections_are_everybodys() {
    let playlist = "about:{item}! item:{item}! playlist:{item}! playlists~*! playlists~playlists! section:{item}!";
    let renamed = "about:{item}! item:{item}! playlist-names! playlist:{item}! playlists~*! playlists~playlists! \
        section:{item}!";
    let collection = "about:{item}! belonging:{item}! collections! counts! item:{item}! items! libraries! listings~*! \
        listings~collections! section:{item}! watch-lists!";
    check(&[
        ("POST /Playlists?name=x", "playlist", Nothing, "playlist-names! playlists~*! playlists~playlists!"),
        ("POST /Playlists/{item}", "playlist", Nothing, renamed),
        ("POST /Playlists/{item}/Items?ids=1,2", "playlist", Nothing, playlist),
        ("DELETE /Playlists/{item}/Items?entryIds=1", "playlist", Nothing, playlist),
        ("POST /Playlists/{item}/Items/1/Move/3", "playlist", Nothing, playlist),
        ("POST /Playlists/{item}/Users/{other}", "playlist", Nothing, renamed),
        ("DELETE /Playlists/{item}/Users/{other}", "playlist", Nothing, renamed),
        (
            "POST /Collections?name=x",
            "collection",
            Nothing,
            "collections! counts! items! libraries! libraries~*! libraries~collections! watch-lists!",
        ),
        (
            "POST /Collections/{item}/Items?ids={parent}",
            "collection",
            Nothing,
            "about:{item}! about:{parent}! belonging:{item}! belonging:{parent}! collections! counts! item:{item}! item:{parent}! items! listings~*! \
             listings~collections! section:{item}!",
        ),
        ("DELETE /Collections/{item}/Items", "collection", Nothing, collection),
    ]);
}

#[test]
fn scans_and_tasks() {
    let scan = "activities! items! libraries!";
    let folders = "activities! collections! counts! items! libraries! server! watch-lists!";
    check(&[
        ("POST /Library/Refresh", "scan", Nothing, scan),
        ("POST /Library/Media/Updated", "scan", Nothing, scan),
        ("POST /Library/Series/Added", "scan", Nothing, scan),
        ("POST /Library/Movies/Updated", "scan", Nothing, scan),
        ("POST /Library/VirtualFolders?name=x", "folders", Nothing, folders),
        ("DELETE /Library/VirtualFolders?name=x", "folders", Nothing, "all!"),
        ("DELETE /Library/VirtualFolders/Paths?name=x&path=y", "folders", Nothing, "all!"),
        ("POST /Library/VirtualFolders/Paths", "folders", Nothing, folders),
        ("POST /LiveTv/Timers", "timer", Nothing, "activities!"),
        ("DELETE /LiveTv/SeriesTimers/1", "timer", Nothing, "activities!"),
        ("POST /LiveTv/TunerHosts", "live-tv", Nothing, "libraries! server!"),
        ("POST /ScheduledTasks/Running/{item}", "task", Nothing, "activities! segments!"),
        ("DELETE /ScheduledTasks/Running/{item}", "task", Nothing, "activities! segments!"),
    ]);
}

#[test]
fn users_rights_and_tokens() {
    let of_other = "all={other} image:users/{other}! users!";
    let own = "all all={me} image:users/{me}! users!";
    check(&[
        ("POST /Users/New", "user", Nothing, "users!"),
        ("DELETE /Users/{other}", "user", Everyone, of_other),
        ("POST /Users/{other}/Policy", "policy", Everyone, of_other),
        ("POST /Users/{other}/Password", "password", Everyone, of_other),
        ("POST /Users/Password", "password", Everyone, own),
        ("POST /Users/ForgotPassword/Pin", "password", Everyone, "all!"),
        ("POST /Users/{other}/Configuration", "user", Nothing, of_other),
        ("POST /Users/Configuration", "user", Nothing, own),
        ("POST /UserImage", "user", Nothing, own),
        ("POST /Users/{other}/Images/Primary", "user", Nothing, of_other),
        ("POST /DisplayPreferences/usersettings?client=emby", "display", Nothing, "display"),
        ("DELETE /Devices?id=x", "device", Everyone, "sessions! users!"),
        ("POST /Devices/Options?id=x", "device", Nothing, "sessions! users!"),
        ("POST /Auth/Keys?app=x", "key", Nothing, "users!"),
        ("DELETE /Auth/Keys/abc", "key", Everyone, "sessions! users!"),
        ("POST /Sessions/Logout", "logout", Caller, "sessions! users!"),
        ("POST /Sessions/Capabilities/Full", "session", Nothing, "sessions!"),
        ("POST /Sessions/1/Command", "session", Nothing, "sessions!"),
    ]);
}

#[test]
fn the_server_itself() {
    check(&[
        ("POST /System/Configuration", "configuration", Nothing, "libraries! server! users!"),
        ("POST /System/Configuration/network", "configuration", Nothing, "libraries! server! users!"),
        ("DELETE /Branding/Splashscreen", "configuration", Nothing, "libraries! server! users!"),
        ("POST /System/Restart", "server", Nothing, "activities! server! sessions!"),
        ("POST /System/Shutdown", "server", Nothing, "activities! server! sessions!"),
        ("DELETE /Plugins/1", "server", Nothing, "activities! server! sessions!"),
        ("POST /Packages/Installed/x", "server", Nothing, "activities! server! sessions!"),
        ("POST /Backup/Create", "backup", Nothing, ""),
        ("POST /Backup/Restore", "backup", Everyone, "all!"),
    ]);
}

#[test]
fn an_unknown_write_invalidates_everything() {
    check(&[
        ("POST /SomethingNew", "unknown", Nothing, "all!"),
        ("PUT /Items/{item}/SomethingNew", "unknown", Nothing, "all!"),
        ("PATCH /", "unknown", Nothing, "all!"),
    ]);
}

#[test]
fn an_ambiguous_write_invalidates_everything_and_keeps_its_revocations() {
    check(&[
        ("POST //UserPlayedItems/{item}", "played", Nothing, "all!"),
        ("POST /UserPlayedItems/{item}?userId=1&userId=2", "played", Nothing, "all!"),
        ("POST /Users/{me}/PlayedItems/{item}?userId={other}", "played", Nothing, "all!"),
        ("POST /Sessions/Logout?x=%ff", "logout", Caller, "all!"),
        ("DELETE /Auth/Keys/a%2Fb", "key", Everyone, "all!"),
    ]);
}

#[test]
fn an_unverified_writer_may_be_the_named_user() {
    let classification = classify(&Method::POST, "/Users/{me}/PlayedItems/{item}", &HeaderMap::new(), &[], None);
    let Classification::Write(write) = classification else { panic!("{classification:?}") };
    let item = Tag::item(ITEM);
    assert!(write.invalidations.contains(&TagInvalidation::account(item.clone())));
    assert!(write.invalidations.contains(&TagInvalidation::user(item.clone(), ME)));
    assert!(!write.invalidations.contains(&TagInvalidation::user(item, OTHER)));
}

#[test]
fn only_the_bodies_of_playback_reports_and_documents_are_read() {
    let body = filled(r#"{"ItemId":"{item}","EventName":"pause","key":"5"}"#);
    let of = |request: &str, body: &[u8]| {
        let (method, target) = split(request);
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = RequestView { method: &method, target, headers: &HeaderMap::new(), body };
        (ServerKind::Jellyfin.body_use(&request), ServerKind::Jellyfin.classify(&request, Some(ME)))
    };
    for report in ["/Sessions/Playing", "/emby/sessions/PLAYING/Progress", "/Sessions/Playing/Stopped?a=b"] {
        let request = format!("POST {report}");
        assert_eq!(of(&request, b"").0, BodyUse::Read, "{report}");
        assert_ne!(of(&request, b"").1, of(&request, body.as_bytes()).1, "{report}");
    }
    for document in ["POST /Items/{item}", "POST /Users/Configuration", "POST /Users/{me}/Configuration"] {
        assert_eq!(of(&filled(document), b"").0, BodyUse::Helpful, "{document}");
    }
    for other in [
        "POST /Sessions/Playing/Ping",
        "POST /UserPlayedItems/5",
        "POST /PlayingItems/5/Progress",
        "POST /Items/5/Images/Primary",
        "POST /Playlists",
        "POST /Playlists/5/Items",
        "POST /Users/5/Policy",
        "POST /System/Configuration",
        "POST /Sessions/5/Playing/Stop",
        "POST /Unheard/Of",
    ] {
        assert_eq!(of(other, b"").0, BodyUse::Unread, "{other}");
        assert_eq!(of(other, b"").1, of(other, body.as_bytes()).1, "{other}");
    }
}
