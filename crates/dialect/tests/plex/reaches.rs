//! Each write invalidates the right reads and no others.

use greenroom_dialect::tag::{Audience, TagInvalidation};

use crate::test_request::{get, hits, send};

/// A write, and reads that must be invalidated before any body was inspected.
#[test]
fn each_write_invalidates_the_reads_that_show_it() {
    for (method, write, reads) in [
        (
            "GET",
            "/:/scrobble?key=583",
            &[
                "/library/metadata/583",
                "/library/sections/2/onDeck",
                "/library/sections/2/all?unwatched=1",
                "/hubs",
                "/hubs/promoted",
                "/hubs/continueWatching",
                "/status/sessions/history/all",
                "/status/sessions",
            ][..],
        ),
        (
            "PUT",
            "/library/metadata/7?title.value=x",
            &[
                "/library/metadata/7",
                "/library/metadata/7/children",
                "/library/sections/2/all",
                "/library/sections/2/genre",
                "/library/sections/2/collections",
                "/library/collections/5/items",
                "/library/all",
                "/library/recentlyAdded",
                "/hubs",
                "/hubs/search?query=x",
                "/library/sections/2/all?title=x",
            ],
        ),
        (
            "PUT",
            "/playlists/9/items?uri=x",
            &["/playlists", "/playlists/9", "/playlists/9/items", "/hubs", "/playlists/9/composite"],
        ),
        ("POST", "/playlists/upload", &["/playlists", "/playlists/9/items"]),
        (
            "PUT",
            "/library/collections/5/items",
            &["/library/sections/2/collections", "/library/collections/5/items", "/hubs", "/hubs/sections/2"],
        ),
        ("PUT", "/:/prefs?a=b", &["/", "/:/prefs", "/library/sections", "/media/providers", "/hubs"]),
        ("POST", "/library/sections", &["/library/sections", "/media/providers", "/hubs", "/library"]),
        ("PUT", "/library/sections/2/emptyTrash", &["/library/sections/2/all", "/library/all", "/hubs/sections/2"]),
        ("POST", "/nonsense", &["/library/metadata/1", "/identity", "/activities", "/web/a.js", "/:/resources/a.png"]),
    ] {
        let stale = send(method, write).token("some-token").write().invalidations;
        for read in reads {
            assert!(hits(&stale, &get(read).read().tags), "{method} {write} must hit {read}");
        }
    }
}

/// Titles and pictures show in history and sessions, and a section's composite image carries the time of its
/// last change.
#[test]
fn an_edit_invalidates_history_sessions_and_the_list_of_sections() {
    for (method, write) in [
        ("PUT", "/library/metadata/7?title.value=x"),
        ("POST", "/library/metadata/7/posters?url=x"),
        ("PUT", "/library/metadata/7/poster?url=x"),
        ("PUT", "/library/metadata/7/match?guid=x"),
        ("PUT", "/library/metadata/7/refresh"),
        ("DELETE", "/library/metadata/7"),
        ("DELETE", "/library/metadata/7/media/9"),
        ("PUT", "/library/sections/2/all?type=1&id=7&title.value=x"),
        ("PUT", "/library/sections/2/all?type=1&genre.locked=1"),
        ("PUT", "/library/sections/2/emptyTrash"),
        ("DELETE", "/library/sections/2"),
        ("POST", "/library/collections?sectionId=2&title=x"),
        ("PUT", "/library/collections/5/items?uri=server://m/x/library/metadata/7"),
        ("DELETE", "/library/collections/5"),
        ("POST", "/library/collections/5/posters"),
        ("DELETE", "/library/sections/2/collection/5"),
    ] {
        let stale = send(method, write).token("some-token").write().invalidations;
        for read in ["/status/sessions/history/all", "/status/sessions", "/library/sections", "/library/sections/all"] {
            let tags = get(read).read().tags;
            let hit = |staling: &&TagInvalidation| tags.contains(&staling.tag);
            let found = stale.iter().find(hit).map(|staling| &staling.audience);
            assert_eq!(found, Some(&Audience::Everyone), "{method} {write} must hit {read}");
        }
    }
}

#[test]
fn a_scrobble_leaves_other_items_alone() {
    let stale = get("/:/scrobble?key=583").write().invalidations;
    for read in ["/library/metadata/584", "/library/sections", "/identity", "/library/sections/2/genre", "/playlists/9"]
    {
        assert!(!hits(&stale, &get(read).read().tags), "{read}");
    }
    assert!(!hits(&send("PUT", "/playlists/9/items").write().invalidations, &get("/playlists/8/items").read().tags));
    assert!(!hits(
        &get("/library/sections/2/refresh").write().invalidations,
        &get("/library/sections/3/all").read().tags
    ));
}

/// Images of an item: with a time in the path, without one, and both scaled.
const PICTURES: [&str; 4] = [
    "/library/metadata/7/thumb/1",
    "/library/metadata/7/thumb",
    "/photo/:/transcode?url=/library/metadata/7/art/1",
    "/photo/:/transcode?url=/library/metadata/7/art",
];

#[test]
fn an_edit_of_text_leaves_pictures_alone() {
    for (method, write) in [
        ("PUT", "/library/metadata/7?title.value=x&summary.locked=1&thumb.locked=1"),
        ("PUT", "/library/sections/2/all?type=1&id=7&title.value=x"),
        ("PUT", "/library/metadata/7/prefs?episodeSort=1"),
        ("POST", "/library/metadata/7/marker"),
        ("PUT", "/library/metadata/7/subtitles"),
    ] {
        let stale = send(method, write).token("some-token").write().invalidations;
        assert!(hits(&stale, &get("/library/metadata/7").read().tags), "{method} {write}");
        for picture in PICTURES.into_iter().chain(["/library/sections/2/composite/5"]) {
            assert!(!hits(&stale, &get(picture).read().tags), "{method} {write} must leave {picture}");
        }
    }
}

#[test]
fn what_could_make_a_missing_picture_ends_the_memory_of_its_absence() {
    for picture in ["/library/metadata/7/thumb", "/library/metadata/7/clearLogo", "/library/metadata/7/art/1"] {
        let tags = get(picture).read().absence_tags().expect("worth remembering");
        for (method, write) in [
            ("POST", "/library/metadata/7/posters?url=x"),
            ("PUT", "/library/metadata/7/clearLogo?url=x"),
            ("PUT", "/library/metadata/7/refresh"),
            ("PUT", "/library/metadata/7/match?guid=x"),
            ("DELETE", "/library/metadata/7"),
        ] {
            let stale = send(method, write).token("some-token").write().invalidations;
            assert!(hits(&stale, &tags), "{method} {write} may make {picture}");
        }
        let mark = send("GET", "/:/scrobble?key=7").token("some-token").write().invalidations;
        assert!(!hits(&mark, &tags), "a mark makes no {picture}");
    }
}

#[test]
fn an_image_write_and_a_refresh_touch_pictures() {
    for (method, write) in [
        ("POST", "/library/metadata/7/posters?url=x"),
        ("PUT", "/library/metadata/7/poster?url=x"),
        ("PUT", "/library/metadata/7/clearLogo?url=x"),
        ("PUT", "/library/metadata/7?thumb.value=x"),
        ("PUT", "/library/sections/2/all?type=1&id=7&art.value=x"),
        ("PUT", "/library/metadata/7/refresh"),
        ("PUT", "/library/metadata/7/match?guid=x"),
        ("DELETE", "/library/metadata/7"),
    ] {
        let stale = send(method, write).token("some-token").write().invalidations;
        for picture in PICTURES {
            assert!(hits(&stale, &get(picture).read().tags), "{method} {write} must hit {picture}");
        }
        assert!(!hits(&stale, &get("/library/metadata/8/thumb").read().tags), "{method} {write}");
    }
}
