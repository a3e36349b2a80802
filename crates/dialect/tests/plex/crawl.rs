//! Crawling a whole library, and change hints from notifications.

use greenroom_dialect::crawl::{ChangeHint, CrawlPage, ItemContainer, LibraryContents, LibraryInfo};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::response_facts::UnusableResponse;
use greenroom_library::item::{Item, ItemKind, MediaFile};
use proptest::prelude::*;

const TRACKS: &str = r#"{"MediaContainer":{"size":3,"totalSize":900,"offset":250,"librarySectionID":3,"Metadata":[
    {"ratingKey":"71","key":"/library/metadata/71","parentRatingKey":"70","grandparentRatingKey":"69",
     "guid":"plex://track/5d07","type":"track","title":"Caf\u00e9 del \"Mar\"","grandparentTitle":"Various Artists",
     "parentTitle":"Dreams","originalTitle":"Energy 52 feat. Nalin","index":4,"parentIndex":2,"parentYear":1997,
     "duration":431000,"addedAt":1500000000,"updatedAt":1600000000,"viewCount":3,
     "Media":[{"id":1,"duration":431000,"Part":[{"id":1,"file":"/m/a.flac","size":52000000}]},
              {"id":2,"Part":[{"id":2,"file":"/m/a.mp3"}]}],
     "Guid":[{"id":"mbid://9a1c"}],"Genre":[{"tag":"Trance"}]},
    {"ratingKey":72,"type":"track","title":"B","grandparentTitle":"X","originalTitle":"X","year":"2001","duration":"1"},
    {"ratingKey":"73","type":"track","title":""}]}}"#;

fn page(kind: Option<ItemKind>, body: &str) -> Result<CrawlPage, UnusableResponse> {
    ServerKind::Plex.page(kind, body.as_bytes())
}

fn music() -> LibraryInfo {
    LibraryInfo {
        key: "3".into(),
        title: "Music".into(),
        contents: LibraryContents::Music,
        stamp: None,
        is_scanning: false,
    }
}

#[test]
fn a_page_of_tracks_is_parsed_with_all_indexed_fields() {
    let read = page(Some(ItemKind::Track), TRACKS).expect("it is fit");
    assert_eq!((read.rows, read.skipped, read.offset, read.total), (3, 1, Some(250), Some(900)));
    let whole = Item {
        parent_key: Some("70".into()),
        parent_title: Some("Dreams".into()),
        grandparent_key: Some("69".into()),
        grandparent_title: Some("Various Artists".into()),
        artists: vec!["Energy 52 feat. Nalin".into()],
        index: Some(4),
        parent_index: Some(2),
        year: Some(1997),
        duration_ms: Some(431_000),
        guids: vec!["plex://track/5d07".into(), "mbid://9a1c".into()],
        files: vec![
            MediaFile { path: "/m/a.flac".into(), size_bytes: Some(52_000_000) },
            MediaFile { path: "/m/a.mp3".into(), size_bytes: None },
        ],
        added_at_s: Some(1_500_000_000),
        updated_at_s: Some(1_600_000_000),
        ..Item::new(ItemKind::Track, "71", "Café del \"Mar\"")
    };
    let plain = Item {
        grandparent_title: Some("X".into()),
        year: Some(2001),
        duration_ms: Some(1),
        ..Item::new(ItemKind::Track, "72", "B")
    };
    assert_eq!(read.items, [whole, plain]);
}

#[test]
fn the_title_of_an_episode_is_no_artist() {
    let body = r#"{"MediaContainer":{"size":1,"Metadata":[{"ratingKey":"9","type":"episode","title":"A",
        "originalTitle":"Ä","parentRatingKey":"8","grandparentRatingKey":"7","index":3,"parentIndex":1}]}}"#;
    let read = page(None, body).expect("it is fit");
    assert_eq!(read.items[0].artists, Vec::<Box<str>>::new());
    assert_eq!((read.items[0].kind, read.total), (ItemKind::Episode, None));
}

#[test]
fn the_size_of_a_page_is_not_the_size_of_the_list() {
    let body = r#"{"MediaContainer":{"size":2,"Metadata":[{"ratingKey":"1","type":"track","title":"A"},
        {"ratingKey":"2","type":"track","title":"B"}]}}"#;
    let read = |start, asked| page(Some(ItemKind::Track), body).expect("it is fit").with_window(start, asked);
    assert_eq!(read(500, 3).map(|page| page.total), Ok(Some(502)), "fewer came than were asked for");
    assert_eq!(read(500, 2).err(), Some(UnusableResponse::Malformed), "there may be more");
    assert_eq!(read(0, 0).err(), Some(UnusableResponse::Malformed), "a count that is none");
    let body = r#"{"MediaContainer":{"size":0,"totalSize":45000}}"#;
    let page = page(Some(ItemKind::Track), body).expect("it is fit").with_window(0, 0);
    assert_eq!(page.map(|page| page.total), Ok(Some(45_000)));
}

#[test]
fn albums_and_artists_are_containers_and_other_kinds_are_skipped() {
    let body = r#"{"MediaContainer":{"size":5,"Metadata":[{"ratingKey":"1","type":"album","title":"A"},
        {"ratingKey":"2","type":"artist","title":"B"},{"ratingKey":"3","type":"playlist","title":"C"},
        {"ratingKey":"4","type":"movie","title":"D"}],"Directory":[{"key":"/x/allLeaves","title":"All episodes"}]}}"#;
    let branch = |key: &str, is_direct| ItemContainer { key: key.into(), leaves: ItemKind::Track, is_direct };
    let all = page(None, body).expect("it is fit");
    assert_eq!(all.containers, [branch("1", true), branch("2", false)]);
    assert_eq!((all.items.len(), all.rows, all.skipped), (1, 5, 2));
    let seasons = page(Some(ItemKind::Season), body).expect("it is fit");
    assert_eq!(
        (seasons.items.len(), seasons.containers.len(), seasons.skipped_at),
        (0, 0, vec![0, 1, 2, 3, 4]),
        "a server that ignores the type is not believed"
    );
}

#[test]
fn a_count_is_a_page_without_rows() {
    let read = page(Some(ItemKind::Track), r#"{"MediaContainer":{"size":0,"totalSize":45000,"offset":0}}"#);
    assert_eq!(read.expect("it is fit").total, Some(45_000));
}

#[test]
fn unexpected_or_starting_responses_are_unusable_with_a_reason() {
    let fit = |body: &str| page(None, body).map(|_| ());
    assert_eq!(fit("  <?xml version=\"1.0\"?><MediaContainer size=\"0\"/>"), Err(UnusableResponse::ContentType));
    assert_eq!(fit("<html>"), Err(UnusableResponse::ContentType));
    for body in ["", "{}", "[]", r#"{"MediaContainer":{}}"#, r#"{"MediaContainer":{"size":0}} x"#, r#"{"Items":[]}"#] {
        assert_eq!(fit(body), Err(UnusableResponse::Malformed), "{body}");
    }
    let starting = r#"{"MediaContainer":{"size":0,"startState":"startingPlugins"}}"#;
    assert_eq!(fit(starting), Err(UnusableResponse::Starting));
    assert_eq!(ServerKind::Plex.libraries(starting.as_bytes()).map(|_| ()), Err(UnusableResponse::Starting));
}

#[test]
fn fields_of_unexpected_types_are_skipped_and_the_page_is_kept() {
    let body = r#"{"MediaContainer":{"size":1,"Metadata":[{"ratingKey":"1","type":"track","title":"A","index":-1,
        "year":99999,"duration":1.5,"Guid":null,"Media":{"Part":"x"},"parentTitle":{"a":[1]},"addedAt":true}]}}"#;
    let read = page(None, body).expect("it is fit");
    let plain = Item { duration_ms: Some(1), ..Item::new(ItemKind::Track, "1", "A") };
    assert_eq!(read.items, [plain]);
}

#[test]
fn an_overlong_target_is_not_cached() {
    let (title, long) = ("t".repeat(8 * 1024), "x".repeat(8 * 1024 + 1));
    let guids = vec![r#"{"id":"imdb://tt1"}"#; 300].join(",");
    let body = format!(
        r#"{{"MediaContainer":{{"size":3,"Metadata":[
            {{"ratingKey":"1","type":"movie","title":"{title}","parentTitle":"{long}","Guid":[{guids}],
              "Media":[{{"Part":[{{"file":"/{long}"}},{{"file":"/b"}}]}}]}},
            {{"ratingKey":"2","type":"movie","title":"{long}"}},
            {{"ratingKey":"{}","type":"movie","title":"A"}}]}}}}"#,
        "3".repeat(65)
    );
    let read = page(None, &body).expect("it is fit");
    assert_eq!((read.items.len(), read.skipped), (1, 2));
    let film = &read.items[0];
    assert_eq!((film.title.len(), &film.parent_title, film.guids.len()), (8 * 1024, &None, 256));
    assert_eq!(film.files.len(), 1, "the file with a path of any length is left out");
}

#[test]
fn libraries_are_listed_with_what_they_hold() {
    let body = r#"{"MediaContainer":{"size":4,"Directory":[
        {"key":"1","type":"movie","title":"Films","contentChangedAt":8700,"refreshing":true},
        {"key":"2","type":"show","title":"Shows","contentChangedAt":"8701","refreshing":"0"},
        {"key":"3","type":"artist","title":"Music"},{"key":"4","type":"photo","title":"Photos"},{"type":"movie"}]}}"#;
    let shelves = ServerKind::Plex.libraries(body.as_bytes()).expect("it is fit");
    let contents: Vec<LibraryContents> = shelves.iter().map(|shelf| shelf.contents).collect();
    assert_eq!(
        contents,
        [LibraryContents::Films, LibraryContents::Shows, LibraryContents::Music, LibraryContents::Other]
    );
    assert_eq!(shelves[0].stamp.as_deref(), Some("8700"));
    assert!(shelves[0].is_scanning && !shelves[1].is_scanning);
    assert_eq!(shelves[2], music());
    assert_eq!(ServerKind::Plex.is_scanning(body.as_bytes()), Ok(true));
}

#[test]
fn targets_name_size_order_and_ids() {
    let plex = ServerKind::Plex;
    assert_eq!(plex.libraries_target(None), "/library/sections");
    assert_eq!(
        plex.page_target(&music(), ItemKind::Track, 500, 250, None),
        "/library/sections/3/all?type=10&sort=id&includeGuids=1&X-Plex-Container-Start=500&X-Plex-Container-Size=250"
    );
    assert_eq!(
        plex.changed_target(&music(), ItemKind::Track, 1_600_000_000, 0, 50, None),
        "/library/sections/3/all?type=10&sort=id&includeGuids=1&push=1&addedAt%3E%3E=1599999999&or=1\
         &updatedAt%3E%3E=1599999999&pop=1&X-Plex-Container-Start=0&X-Plex-Container-Size=50"
    );
    assert!(plex.count_target(&music(), ItemKind::Track, None).ends_with("X-Plex-Container-Size=0"));
    assert_eq!(plex.items_target(&["1", "2"], None), "/library/metadata/1,2?includeGuids=1&checkFiles=0");
    assert!(plex.items_target(&["1/../x?a=b&c"], None).starts_with("/library/metadata/1%2F..%2Fx%3Fa%3Db%26c?"));
    let below = |kind| plex.leaves_target("7", kind, 0, 9, None);
    assert!(below(ItemKind::Track).starts_with("/library/metadata/7/children?"));
    assert!(below(ItemKind::Season).starts_with("/library/metadata/7/children?"));
    assert!(below(ItemKind::Show).starts_with("/library/metadata/7/allLeaves?"));
    let artist = ItemContainer { key: "7".into(), leaves: ItemKind::Track, is_direct: false };
    assert!(plex.container_target(&artist, 0, 9, None).starts_with("/library/metadata/7/allLeaves?"));
}

fn entry(rest: &str) -> Vec<ChangeHint> {
    let frame = format!(r#"{{"NotificationContainer":{{"type":"timeline","size":1,"TimelineEntry":[{{{rest}}}]}}}}"#);
    ServerKind::Plex.hints(frame.as_bytes())
}

#[test]
fn timeline_entries_list_added_and_removed_items() {
    let library = r#""identifier":"com.plexapp.plugins.library""#;
    let changed = |key: &str| ChangeHint::Changed { shelf: Some("3".into()), key: key.into() };
    for state in ["0", "5"] {
        let hints = entry(&format!(r#"{library},"sectionID":3,"itemID":71,"type":10,"state":{state}"#));
        assert_eq!(hints, [changed("71")]);
    }
    let string = entry(&format!(r#"{library},"sectionID":"3","itemID":"70","type":9,"state":5"#));
    assert_eq!(string, [changed("70")]);
    let gone = [ChangeHint::Removed { shelf: Some("3".into()), key: "71".into() }];
    assert_eq!(entry(&format!(r#"{library},"sectionID":3,"itemID":71,"type":10,"state":9"#)), gone);
    let deleted = r#""sectionID":3,"itemID":71,"type":10,"state":1,"metadataState":"deleted""#;
    assert_eq!(entry(&format!("{library},{deleted}")), gone);
    for silent in [
        r#""sectionID":3,"itemID":71,"type":10,"state":3"#,
        r#""sectionID":3,"itemID":71,"type":-1,"state":5"#,
        r#""sectionID":3,"itemID":71,"type":15,"state":5"#,
        r#""sectionID":3,"itemID":71,"type":18,"state":5"#,
        r#""sectionID":3,"itemID":-1,"type":10,"state":5"#,
        r#""sectionID":3,"itemID":71,"type":10"#,
    ] {
        assert_eq!(entry(&format!("{library},{silent}")), [], "{silent}");
    }
    let guide = r#""identifier":"tv.plex.providers.epg.cloud:4","sectionID":3,"itemID":71,"type":4,"state":5"#;
    assert_eq!(entry(guide), []);
}

#[test]
fn the_beginning_the_progress_and_the_end_of_a_scan_are_events() {
    let activity = |event: &str, kind: &str, context: &str| {
        let frame = format!(
            r#"{{"NotificationContainer":{{"type":"activity","ActivityNotification":[{{"event":"{event}",
            "Activity":{{"type":"{kind}","progress":0,"Context":{context}}}}}]}}}}"#
        );
        ServerKind::Plex.hints(frame.as_bytes())
    };
    let ended = ChangeHint::ScanEnded { shelf: Some("3".into()) };
    assert_eq!(activity("ended", "library.update.section", r#"{"librarySectionID":"3"}"#), [ended]);
    for event in ["started", "updated"] {
        let started = ChangeHint::ScanStarted { shelf: Some("3".into()) };
        assert_eq!(activity(event, "library.update.section", r#"{"librarySectionID":"3"}"#), [started]);
        assert_eq!(activity(event, "library.refresh.items", "{}"), []);
    }
    let looked = r#"{"key":"/library/metadata/16417/children","refreshed":false}"#;
    assert_eq!(activity("ended", "library.refresh.items", looked), []);
    let found = r#"{"key":"/library/metadata/16417","refreshed":true}"#;
    let changed = ChangeHint::Changed { shelf: None, key: "16417".into() };
    assert_eq!(activity("ended", "library.refresh.items", found), [changed]);
    let status =
        r#"{"NotificationContainer":{"type":"status","StatusNotification":[{"notificationName":"LIBRARY_UPDATE"}]}}"#;
    assert_eq!(ServerKind::Plex.hints(status.as_bytes()), [ChangeHint::ScanEnded { shelf: None }]);
}

#[test]
fn a_frame_with_too_many_entries_may_concern_anything() {
    let entry = |id: u32| {
        format!(r#"{{"identifier":"com.plexapp.plugins.library","sectionID":3,"itemID":{id},"type":10,"state":5}}"#)
    };
    let frame = |count: u32| {
        let entries: Vec<String> = (1..=count).map(entry).collect();
        format!(r#"{{"NotificationContainer":{{"TimelineEntry":[{}]}}}}"#, entries.join(","))
    };
    assert_eq!(ServerKind::Plex.hints(frame(4096).as_bytes()).len(), 4096);
    assert_eq!(ServerKind::Plex.hints(frame(4097).as_bytes()), [ChangeHint::AnythingChanged]);
    assert_eq!(ServerKind::Plex.hints(&vec![b' '; 4 * 1024 * 1024 + 1]), [ChangeHint::AnythingChanged]);
}

proptest! {
    #[test]
    fn every_truncated_page_is_unusable(at in 0..TRACKS.len()) {
        // Some cuts fall within a character, which leaves invalid UTF-8.
        prop_assert!(ServerKind::Plex.page(None, &TRACKS.as_bytes()[..at]).is_err());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
            let _ = (kind.page(None, &bytes), kind.libraries(&bytes), kind.hints(&bytes), kind.is_scanning(&bytes));
        }
    }
}
