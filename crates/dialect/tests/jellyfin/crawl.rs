//! Crawling a whole library, and change hints from frames.

use greenroom_dialect::crawl::{ChangeHint, CrawlPage, ItemContainer, LibraryContents, LibraryInfo};
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::response_facts::UnusableResponse;
use greenroom_library::item::{Item, ItemKind, MediaFile};
use proptest::prelude::*;

use super::{ITEM, ME, OTHER, PARENT, filled};

const TRACKS: &str = r#"{"Items":[
    {"Name":"Caf\u00e9 del Mar","ServerId":"0555","Id":"{item}","DateCreated":"2017-07-14T02:40:00.1234567Z",
     "Path":"/m/a.flac","ChannelId":null,"RunTimeTicks":4310000000,"ProductionYear":1997,"IndexNumber":4,
     "ParentIndexNumber":2,"IsFolder":false,"Type":"Audio","Artists":["Energy 52","Nalin"],
     "ArtistItems":[{"Name":"Energy 52","Id":"{me}"}],"Album":"Dreams","AlbumId":"{parent}",
     "AlbumArtist":"Various Artists","AlbumArtists":[{"Name":"Various Artists","Id":"{other}"}],
     "ProviderIds":{"MusicBrainzTrack":"9a1c","MusicBrainzAlbum":"77","MusicBrainzArtist":"78"},"MediaType":"Audio"},
    {"Name":"B","Id":"08CA909F-6D10-44AA-9930-BE392943948E","Type":"Audio","Artists":["X"],"AlbumArtist":"X"},
    {"Id":"08ca909f6d1044aa9930be392943948d","Type":"Audio"}],"TotalRecordCount":900,"StartIndex":250}"#;

fn page(kind: Option<ItemKind>, body: &str) -> Result<CrawlPage, UnusableResponse> {
    ServerKind::Jellyfin.page(kind, filled(body).as_bytes())
}

fn music() -> LibraryInfo {
    LibraryInfo {
        key: PARENT.into(),
        title: "Music".into(),
        contents: LibraryContents::Music,
        stamp: Some("a2ce".into()),
        is_scanning: false,
    }
}

#[test]
fn a_page_of_tracks_is_parsed_with_all_indexed_fields() {
    let read = page(Some(ItemKind::Track), TRACKS).expect("it is fit");
    assert_eq!((read.rows, read.skipped, read.offset, read.total), (3, 1, Some(250), Some(900)));
    let whole = Item {
        parent_key: Some(PARENT.into()),
        parent_title: Some("Dreams".into()),
        grandparent_key: Some(OTHER.into()),
        grandparent_title: Some("Various Artists".into()),
        artists: vec!["Energy 52".into(), "Nalin".into()],
        index: Some(4),
        parent_index: Some(2),
        year: Some(1997),
        duration_ms: Some(431_000),
        guids: vec!["mbid://9a1c".into()],
        files: vec![MediaFile { path: "/m/a.flac".into(), size_bytes: None }],
        added_at_s: Some(1_500_000_000),
        ..Item::new(ItemKind::Track, ITEM, "Café del Mar")
    };
    let plain = Item {
        grandparent_title: Some("X".into()),
        ..Item::new(ItemKind::Track, "08ca909f6d1044aa9930be392943948e", "B")
    };
    assert_eq!(read.items, [whole, plain]);
}

#[test]
fn films_have_all_media_files_and_ids() {
    let body = r#"{"Items":[{"Name":"A","Id":"{item}","Type":"Movie","Path":"/f/a.mkv",
        "ProviderIds":{"Imdb":"tt0083658","Tmdb":"78","TmdbCollection":"422837","Tvdb":""},
        "MediaSources":[{"Path":"/f/a.mkv","Size":9000000000},{"Path":"/f/a - 4k.mkv","Size":null}]}],
        "TotalRecordCount":1,"StartIndex":0}"#;
    let read = page(None, body).expect("it is fit");
    let guids: Vec<Box<str>> = vec!["imdb://tt0083658".into(), "tmdb://78".into()];
    assert_eq!(read.items[0].guids, guids);
    let files = [("/f/a.mkv", Some(9_000_000_000)), ("/f/a - 4k.mkv", None)];
    let files = files.map(|(path, size_bytes)| MediaFile { path: path.into(), size_bytes });
    assert_eq!(read.items[0].files, files);
}

#[test]
fn parents_depend_on_the_kind() {
    let body = r#"{"Items":[{"Name":"E","Id":"1","Type":"Episode","SeasonId":"2","SeasonName":"S","SeriesId":"3",
        "SeriesName":"W","IndexNumber":7,"ParentIndexNumber":2},
        {"Name":"S","Id":"2","Type":"Season","SeriesId":"3","SeriesName":"W","IndexNumber":2,"Path":"/w/s"},
        {"Name":"V","Id":"4","Type":"Episode","LocationType":"Virtual"}],"TotalRecordCount":3}"#;
    let read = page(None, body).expect("it is fit");
    let [episode, season] = &read.items[..] else { panic!("two are kept") };
    assert_eq!((episode.parent_key.as_deref(), episode.grandparent_title.as_deref()), (Some("2"), Some("W")));
    assert_eq!((season.parent_key.as_deref(), season.grandparent_key.as_deref()), (Some("3"), None));
    assert!(season.files.is_empty(), "a folder is no file");
    assert_eq!(read.skipped, 1, "an episode that is missing is not kept");
}

#[test]
fn albums_and_artists_are_containers() {
    let body = r#"{"Items":[{"Name":"A","Id":"1","Type":"MusicAlbum"},{"Name":"B","Id":"2","Type":"MusicArtist"},
        {"Name":"C","Id":"3","Type":"Playlist"}],"TotalRecordCount":3,"StartIndex":0}"#;
    let read = page(None, body).expect("it is fit");
    let branch = |key: &str, is_direct| ItemContainer { key: key.into(), leaves: ItemKind::Track, is_direct };
    assert_eq!((read.containers, read.skipped), (vec![branch("1", true), branch("2", false)], 1));
}

#[test]
fn unexpected_bodies_are_unusable() {
    let fit = |body: &str| page(None, body).map(|_| ());
    assert_eq!(fit("<html>"), Err(UnusableResponse::ContentType));
    for body in
        ["", "[]", "{}", r#"{"title":"Not Found","status":404}"#, r#"{"Items":null}"#, r#"{"MediaContainer":{}}"#]
    {
        assert_eq!(fit(body), Err(UnusableResponse::Malformed), "{body}");
    }
}

#[test]
fn libraries_are_listed_with_what_they_hold() {
    let body = r#"{"Items":[{"Name":"Filme","Id":"{item}","Etag":"a2ce","Type":"CollectionFolder","CollectionType":"movies"},
        {"Name":"Music","Id":"{parent}","Etag":"a2ce","CollectionType":"music"},
        {"Name":"Shows","Id":"{me}","CollectionType":"tvshows"},{"Name":"Mixed","Id":"{other}"}],"TotalRecordCount":4}"#;
    let shelves = ServerKind::Jellyfin.libraries(filled(body).as_bytes()).expect("it is fit");
    let contents: Vec<LibraryContents> = shelves.iter().map(|shelf| shelf.contents).collect();
    assert_eq!(
        contents,
        [LibraryContents::Films, LibraryContents::Music, LibraryContents::Shows, LibraryContents::Other]
    );
    assert_eq!(shelves[1], music());
}

#[test]
fn folders_show_which_of_them_are_scanned() {
    let body = r#"[{"Name":"a","ItemId":"F137A2DD-21BB-C1B9-9AA5-C0F6BF02A805","RefreshProgress":12.5,"RefreshStatus":"Active"},
        {"ItemId":"ef","RefreshStatus":"Idle"},{"ItemId":"gh","RefreshProgress":null}]"#;
    assert_eq!(
        ServerKind::Jellyfin.scanned_libraries(body.as_bytes()),
        Ok(vec!["f137a2dd21bbc1b99aa5c0f6bf02a805".to_owned()])
    );
    assert_eq!(ServerKind::Jellyfin.scanned_libraries(b"{}"), Err(UnusableResponse::Malformed));
}

#[test]
fn tasks_show_whether_files_are_scanned() {
    let body = |state: &str| {
        format!(r#"[{{"Name":"x","State":"Running","Key":"Other"}},{{"State":"{state}","Key":"RefreshLibrary"}}]"#)
    };
    assert_eq!(ServerKind::Jellyfin.is_scanning(body("Running").as_bytes()), Ok(true));
    assert_eq!(ServerKind::Jellyfin.is_scanning(body("Idle").as_bytes()), Ok(false));
    assert_eq!(ServerKind::Jellyfin.is_scanning(b"{}"), Err(UnusableResponse::Malformed));
}

#[test]
fn targets_name_user_order_and_fields() {
    let jellyfin = ServerKind::Jellyfin;
    assert_eq!(jellyfin.libraries_target(Some(ME)), format!("/UserViews?userId={ME}"));
    assert_eq!(jellyfin.libraries_target(None), "/Library/MediaFolders");
    assert_eq!(
        jellyfin.page_target(&music(), ItemKind::Track, 500, 250, Some(ME)),
        format!(
            "/Items?parentId={PARENT}&recursive=true&includeItemTypes=Audio\
             &fields=Path,ProviderIds,DateCreated&enableUserData=false&enableImages=false&imageTypeLimit=0\
             &sortBy=DateCreated,SortName&sortOrder=Ascending&startIndex=500&limit=250&userId={ME}"
        )
    );
    let films = jellyfin.page_target(&music(), ItemKind::Film, 0, 1, None);
    assert!(films.contains("MediaSources") && !films.contains("userId"), "{films}");
    let changed = jellyfin.changed_target(&music(), ItemKind::Track, 1_708_457_201, 0, 50, None);
    assert!(changed.ends_with("&minDateLastSaved=2024-02-20T19%3A26%3A41Z"), "{changed}");
    assert!(jellyfin.count_target(&music(), ItemKind::Track, None).contains("&limit=0"));
    assert!(jellyfin.items_target(&[ITEM, OTHER], None).starts_with(&format!("/Items?ids={ITEM},{OTHER}&")));
    let below = jellyfin.leaves_target(ITEM, ItemKind::Season, 0, 9, None);
    assert!(below.contains("includeItemTypes=Episode&isMissing=false"), "{below}");
    let artist = ItemContainer { key: ITEM.into(), leaves: ItemKind::Track, is_direct: false };
    assert!(jellyfin.container_target(&artist, 0, 9, None).starts_with(&format!("/Items?albumArtistIds={ITEM}&")));
}

#[test]
fn a_frame_lists_added_and_removed_items() {
    let hints = |data: &str| {
        let frame = format!(r#"{{"MessageType":"LibraryChanged","MessageId":"x","Data":{data}}}"#);
        ServerKind::Jellyfin.hints(filled(&frame).as_bytes())
    };
    let shelf = || Some(PARENT.to_owned());
    let one = hints(
        r#"{"FoldersAddedTo":["{other}"],"ItemsAdded":["{item}"],"ItemsRemoved":["{other}"],"ItemsUpdated":["{item}"],
            "CollectionFolders":["{parent}"],"IsEmpty":false}"#,
    );
    let removed = ChangeHint::Removed { shelf: shelf(), key: OTHER.into() };
    assert_eq!(one, [removed, ChangeHint::Changed { shelf: shelf(), key: ITEM.into() }]);
    let two = hints(r#"{"ItemsAdded":["{item}"],"CollectionFolders":["{parent}","{other}"]}"#);
    assert_eq!(two, [ChangeHint::Changed { shelf: None, key: ITEM.into() }], "whose it is is not told");
    let folders = hints(r#"{"CollectionFolders":["{parent}"],"IsEmpty":true}"#);
    assert_eq!(folders, [ChangeHint::LibraryChanged { shelf: PARENT.into() }]);
    assert_eq!(hints("{}"), [ChangeHint::AnythingChanged]);
    assert_eq!(hints("[1]"), []);
}

#[test]
fn the_end_of_a_scan_is_an_event_and_other_frames_are_not() {
    let hints = |frame: &str| ServerKind::Jellyfin.hints(frame.as_bytes());
    let ended = r#"{"MessageType":"ScheduledTaskEnded","Data":{"Key":"RefreshLibrary","Status":"Completed"}}"#;
    assert_eq!(hints(ended), [ChangeHint::ScanEnded { shelf: None }]);
    for progress in ["\"12.5\"", "0"] {
        let running = format!(
            r#"{{"MessageType":"RefreshProgress","Data":{{"ItemId":"F137A2DD-21BB-C1B9-9AA5-C0F6BF02A805","Progress":{progress}}}}}"#
        );
        assert_eq!(
            hints(&running),
            [ChangeHint::ScanStarted { shelf: Some("f137a2dd21bbc1b99aa5c0f6bf02a805".into()) }]
        );
    }
    assert_eq!(hints(r#"{"MessageType":"RefreshProgress","Data":{"ItemId":"AB","Progress":"100"}}"#), []);
    for silent in [
        r#"{"MessageType":"ScheduledTaskEnded","Data":{"Key":"CleanLog"}}"#,
        r#"{"MessageType":"UserDataChanged","Data":{"UserId":"x","UserDataList":[]}}"#,
        r#"{"MessageType":"KeepAlive"}"#,
        "<html>",
    ] {
        assert_eq!(hints(silent), [], "{silent}");
    }
}

proptest! {
    #[test]
    fn every_truncated_page_is_unusable(at in 0..TRACKS.len()) {
        prop_assert!(ServerKind::Jellyfin.page(None, &TRACKS.as_bytes()[..at]).is_err());
    }
}
