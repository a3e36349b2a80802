//! Writes and events about images, playlists and libraries invalidate the right reads and no others.

use greenroom_dialect::classification::{Read, Write};
use greenroom_dialect::reach;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_event::ServerEvent;
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use greenroom_library::lineage::Lineage;
use http::{HeaderMap, HeaderValue};

use super::{filled, headers, read, written};

/// Images of [`super::ITEM`]: with a version in the query, without one, and with all parameters in the path.
const PICTURES: [&str; 4] = [
    "/Items/{item}/Images/Primary?tag=abc&maxWidth=300",
    "/Items/{item}/Images/Primary",
    "/Items/{item}/Images/Backdrop/0?quality=90",
    "/Items/{item}/Images/Primary/0/abc/jpg/100/100/0/0",
];

const PICTURES_BY_NAME: [&str; 5] = [
    "/Genres/Rock/Images/Primary",
    "/MusicGenres/Rock/Images/Primary/0",
    "/Studios/Acme/Images/Thumb?tag=abc",
    "/Persons/Jo%20Doe/Images/Primary",
    "/Artists/Jo/Images/Logo",
];

/// Whether all who may have this response see it invalidated.
fn hits(stale: &[TagInvalidation], read: &Read) -> bool {
    let lineage = Lineage::new(1);
    let tags = reach::resolved(&lineage, read.tags.clone());
    let stale = reach::expanded(&lineage, stale);
    let mut everyone = stale.iter().filter(|one| one.audience == Audience::Everyone);
    everyone.any(|one| one.tag == Tag::all() || tags.contains(&one.tag))
}

fn told(frame: &str) -> Vec<TagInvalidation> {
    match ServerKind::Jellyfin.parse_frame(filled(frame).as_bytes()).as_slice() {
        [ServerEvent::Stale(stale)] => stale.clone(),
        other => panic!("{frame} says {other:?}"),
    }
}

fn write(request: &str) -> Write {
    let (method, target) = request.split_once(' ').expect("a method, a space and a target");
    written(method, target, "")
}

#[test]
fn an_edit_of_text_leaves_pictures_alone() {
    for request in [
        "POST /Items/{item}",
        "POST /Items/{item}/ContentType?contentType=x",
        "POST /Items/{item}/RemoteSearch/Subtitles/1",
        "POST /Videos/{item}/Subtitles",
        "DELETE /Audio/{item}/Lyrics",
    ] {
        let stale = write(request).invalidations;
        assert!(hits(&stale, &read("/Items/{item}")) && hits(&stale, &read("/Items")), "{request}");
        assert!(hits(&stale, &read("/Items/{item}/Images")), "{request}: the list may name other tags");
        for picture in PICTURES.iter().chain(&PICTURES_BY_NAME) {
            assert!(!hits(&stale, &read(picture)), "{request} must leave {picture}");
        }
    }
    // Half a minute after an edit through the gateway the server announces it.
    let frame = r#"{"MessageType":"LibraryChanged","Data":{"ItemsUpdated":["{item}"],"IsEmpty":false}}"#;
    let stale = told(frame);
    assert!(hits(&stale, &read("/Items/{item}")));
    for (picture, wanted) in PICTURES.into_iter().zip([false, true, true, false]) {
        assert_eq!(hits(&stale, &read(picture)), wanted, "{picture}: only at a URL without version it may be another");
    }
}

#[test]
fn an_image_write_and_a_refresh_touch_pictures() {
    for request in [
        "POST /Items/{item}/Images/Primary",
        "DELETE /Items/{item}/Images/Primary/0",
        "POST /Items/{item}/RemoteImages/Download?type=Primary",
        "POST /Items/{item}/Refresh?replaceAllImages=true",
        "POST /Items/RemoteSearch/Apply/{item}",
        "DELETE /Items/{item}",
    ] {
        let stale = write(request).invalidations;
        for picture in PICTURES {
            assert!(hits(&stale, &read(picture)), "{request} must hit {picture}");
        }
        assert!(!hits(&stale, &read("/Items/{other}/Images/Primary")), "{request}: of another item");
    }
    for frame in [
        r#"{"MessageType":"RefreshProgress","Data":{"ItemId":"{item}","Progress":"100"}}"#,
        r#"{"MessageType":"LibraryChanged","Data":{"ItemsRemoved":["{item}"]}}"#,
    ] {
        assert!(PICTURES.iter().all(|picture| hits(&told(frame), &read(picture))), "{frame}");
    }
}

#[test]
fn a_picture_by_name_follows_the_write_to_its_item() {
    for request in
        ["POST /Items/{item}/Images/Primary", "DELETE /Items/{item}/Images/Thumb", "POST /Items/{item}/Refresh"]
    {
        let stale = write(request).invalidations;
        for picture in PICTURES_BY_NAME {
            assert!(hits(&stale, &read(picture)), "{request} must hit {picture}");
        }
    }
    for request in ["POST /Items/{item}", "POST /Playlists", "POST /Users/{me}/Images/Primary"] {
        assert!(!hits(&write(request).invalidations, &read(PICTURES_BY_NAME[0])), "{request}");
    }
}

#[test]
fn a_new_playlist_reaches_search_counts_and_latest() {
    let shows = [
        "/Search/Hints?searchTerm=x",
        "/Search/Hints?searchTerm=x&mediaTypes=Audio",
        "/Items?recursive=true&mediaTypes=Video",
        "/Items/Latest",
        "/Items?searchTerm=x",
        "/Items",
        "/UserViews",
    ];
    for request in [
        "POST /Playlists?name=x",
        "POST /Playlists/{item}",
        "POST /Playlists/{item}/Users/{other}",
        "DELETE /Playlists/{item}",
        "DELETE /Items/{item}",
    ] {
        let stale = write(request).invalidations;
        for target in shows.into_iter().chain(["/Items/Counts", "/Items?includeItemTypes=Playlist&recursive=true"]) {
            assert!(hits(&stale, &read(target)), "{request} must hit {target}");
        }
    }
    // The folder of playlists shows its last addition, in a response that tells its kind.
    let folder = read("/Items/{parent}");
    let body = filled(r#"{"Id":"{parent}","Type":"ManualPlaylistsFolder"}"#);
    let facts = ServerKind::Jellyfin.inspect(&folder, &json(), &body.into()).expect("the body fits");
    let folder = Read { tags: [folder.tags, facts.tags].concat(), ..folder };
    assert!(hits(&write("POST /Playlists?name=x").invalidations, &folder));
}

/// Its length shows in lists and searches; it is still one playlist.
#[test]
fn an_entry_of_a_playlist_changes_no_counts() {
    for request in [
        "POST /Playlists/{item}/Items?ids=1",
        "DELETE /Playlists/{item}/Items?entryIds=1",
        "POST /Playlists/{item}/Items/1/Move/0",
    ] {
        let stale = write(request).invalidations;
        for target in ["/Playlists/{item}/Items", "/Items?includeItemTypes=Playlist", "/Search/Hints?searchTerm=x"] {
            assert!(hits(&stale, &read(target)), "{request} must hit {target}");
        }
        for target in ["/Items/Counts", "/Items/Latest", "/Playlists/{other}/Items", "/Items?includeItemTypes=Movie"] {
            assert!(!hits(&stale, &read(target)), "{request} must leave {target}");
        }
    }
}

#[test]
fn a_library_that_is_removed_takes_items_and_playlist_entries_along() {
    for request in [
        "DELETE /Library/VirtualFolders?name=Films&refreshLibrary=true",
        "DELETE /Library/VirtualFolders/Paths?name=Films&path=%2Fmedia",
    ] {
        let stale = write(request).invalidations;
        for target in [
            "/Items/{item}",
            "/Items?ids={item}",
            "/Playlists/{other}/Items",
            "/Playlists/{other}",
            "/Items?parentId={other}",
            "/UserItems/{item}/UserData",
            "/UserViews",
            "/Items/Counts",
            "/Library/MediaFolders",
            "/Shows/{item}/Episodes",
        ] {
            assert!(hits(&stale, &read(target)), "{request} must hit {target}");
        }
    }
    let added = write("POST /Library/VirtualFolders?name=Films").invalidations;
    assert!(!hits(&added, &read("/Items/{item}")), "a new library changes no item");
}

fn json() -> HeaderMap {
    let mut json = headers(&[]);
    json.insert("content-type", HeaderValue::from_static("application/json"));
    json
}
