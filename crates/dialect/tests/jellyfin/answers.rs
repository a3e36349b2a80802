//! Inspection of response bodies.

use bytes::Bytes;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::response_facts::{ResponseFacts, UnusableResponse};
use http::HeaderMap;
use proptest::prelude::*;

use super::{filled, headers, read};

const JSON: &str = "application/json; charset=utf-8";

fn inspected(target: &str, kind: &str, body: &str) -> Result<ResponseFacts, UnusableResponse> {
    let sent = headers(&[("content-type", kind)]);
    ServerKind::Jellyfin.inspect(&read(target), &sent, &Bytes::from(filled(body)))
}

fn tags(target: &str, body: &str) -> Vec<String> {
    inspected(target, JSON, body).expect("the body fits").tags.iter().map(ToString::to_string).collect()
}

#[test]
fn rows_become_tags_and_parents() {
    let body = r#"{"Items":[
        {"Name":"a","Id":"e1","Type":"Episode","SeasonId":"s1","SeriesId":"t1","UserData":{"ItemId":"0"}},
        {"Name":"b","Id":"m1","Type":"Movie","UserData":{},"People":[{"Id":"p1"}]}],"TotalRecordCount":2,"StartIndex":0}"#;
    assert_eq!(tags("/Items", body), ["item:e1", "item:m1", "under:s1", "under:t1"]);
    let facts = inspected("/Items", JSON, body).unwrap();
    let links = [("e1", Some("s1")), ("s1", Some("t1")), ("t1", None), ("m1", None)];
    let links = links.map(|(item, parent): (&str, Option<&str>)| (item.to_owned(), parent.map(str::to_owned)));
    assert_eq!(facts.parents, links);
    assert_eq!(facts.max_fresh_s, None);
}

#[test]
fn both_json_profiles_yield_the_same_rows() {
    let pascal = r#"{"Items":[{"Id":"e1","Type":"Episode","SeasonId":"s1","SeriesId":"t1"}]}"#;
    let camel = r#"{"items":[{"id":"e1","type":"Episode","seasonId":"s1","seriesId":"t1"}]}"#;
    assert_eq!(inspected("/Items", JSON, pascal), inspected("/Items", JSON, camel));
    let kind = "application/json; profile=\"CamelCase\"; charset=utf-8";
    assert_eq!(inspected("/Items", kind, camel), inspected("/Items", JSON, camel));
}

#[test]
fn containers_get_the_branch_tag_and_mixed_lists_are_covered_by_every_invalidation() {
    for (kind, expected) in [
        ("Series", &["branch", "branch~shows", "counted:x", "item:x", "under:p"][..]),
        ("Season", &["branch", "branch~shows", "counted:x", "item:x", "under:p"]),
        ("MusicAlbum", &["branch", "branch~music", "counted:x", "item:x", "under:p"]),
        ("MusicArtist", &["branch", "branch~music", "counted:x", "counts", "counts~*", "item:x", "under:p"]),
        ("BoxSet", &["branch", "branch~collections", "counted:x", "counts", "counts~@x@{me}", "item:x", "under:p"]),
        (
            "Folder",
            &[
                "branch",
                "branch~*",
                "collections",
                "counted:x",
                "counts",
                "counts~@x",
                "item:x",
                "playlist-names",
                "under:p",
            ],
        ),
        (
            "CollectionFolder",
            &["collections", "counted:x", "counts", "counts~@x", "item:x", "playlist-names", "under:p"],
        ),
        ("Playlist", &["counted:x", "counts", "counts~@x@{me}", "item:x", "under:p"]),
        ("Movie", &["counted:x", "item:x", "under:p"]),
    ] {
        let body = format!(r#"[{{"Id":"x","Type":"{kind}","ParentId":"p","UserData":{{"UnplayedItemCount":2}}}}]"#);
        let expected: Vec<String> = expected.iter().map(|tag| super::filled(tag)).collect();
        assert_eq!(tags("/Items/Latest", &body), expected, "{kind}");
    }
    // Only an item whose user state counts others follows these.
    let body = r#"[{"Id":"x","Type":"BoxSet","ParentId":"p","UserData":{"Played":false}}]"#;
    assert_eq!(tags("/Items/Latest", body), ["branch", "branch~collections", "item:x", "under:p"]);
    let hint = r#"[{"Id":"x","Type":"BoxSet","ParentId":"p"}]"#;
    assert_eq!(tags("/Items/Latest", hint), ["about:x", "branch", "branch~collections", "under:p"]);
}

#[test]
fn too_many_rows_are_not_tagged_one_by_one() {
    let rows = |count: usize| {
        let rows: Vec<String> = (0..count).map(|id| format!(r#"{{"Id":"{id}","Type":"Series"}}"#)).collect();
        format!(r#"{{"Items":[{}]}}"#, rows.join(","))
    };
    assert_eq!(tags("/Items", &rows(256)).len(), 258);
    assert_eq!(tags("/Items", &rows(257)), ["branch", "branch~shows", "items", "items~shows"]);
    assert_eq!(inspected("/Items", JSON, &rows(257)).unwrap().parents.len(), 257);
}

/// Marking a show, a season, an album or an artist marks its descendants.
#[test]
fn a_row_is_tagged_with_all_its_ancestors() {
    for (body, expected) in [
        (
            r#"{"Id":"e","Type":"Episode","SeasonId":"s","SeriesId":"t","ParentId":"f"}"#,
            &["about:e", "under:f", "under:s", "under:t"][..],
        ),
        (
            r#"{"id":"s","type":"Season","seriesId":"t","parentId":"t"}"#,
            &["about:s", "branch", "branch~shows", "under:t"],
        ),
        (
            r#"{"Id":"a","Type":"Audio","AlbumId":"b","ArtistItems":[{"Name":"x","Id":"c"}],"AlbumArtists":[{"Id":"d"}]}"#,
            &["about:a", "under:b", "under:c", "under:d"],
        ),
        (
            r#"{"Id":"m","Type":"Movie","ParentId":"7A2175BC-CB1F-1A94-152C-BD2B2BAE8F6D"}"#,
            &["about:m", "under:7a2175bccb1f1a94152cbd2b2bae8f6d"],
        ),
        (r#"{"Id":"m","Type":"Movie","ParentId":"m"}"#, &["about:m"]),
    ] {
        assert_eq!(tags("/Items/{item}", body), expected, "{body}");
        assert_eq!(tags("/Items?ids={item}", &format!("[{body}]")), expected, "{body}");
    }
}

#[test]
fn a_row_with_unknown_ancestors_is_covered_by_every_invalidation() {
    for body in [
        r#"{"Id":"e","Type":"Episode"}"#,
        r#"{"Id":"e","Type":"Audio","AlbumArtists":[]}"#,
        r#"{"Id":"e","Type":"Season","SeriesId":null}"#,
        r#"{"Id":"e"}"#,
    ] {
        let shown = tags("/Items/{item}", body);
        assert!(shown.contains(&"unplaced".to_owned()) && !shown.contains(&"states".to_owned()), "{body}");
        let with_state = body.replacen('{', r#"{"UserData":{"Played":false},"#, 1);
        let shown = tags("/Items/{item}", &with_state);
        assert!(shown.contains(&"unplaced".to_owned()) && shown.contains(&"states".to_owned()), "{with_state}");
    }
}

#[test]
fn too_many_places_are_not_tagged_one_by_one() {
    let rows = |count: usize| {
        let rows: Vec<String> = (0..count)
            .map(|id| format!(r#"{{"Id":"{id}","Type":"Audio","AlbumId":"a{id}","AlbumArtists":[{{"Id":"x"}}]}}"#))
            .collect();
        format!(r#"{{"Items":[{}]}}"#, rows.join(","))
    };
    assert_eq!(tags("/Items", &rows(255)).len(), 255 + 256);
    assert!(!tags("/Items", &rows(255)).contains(&"unplaced".to_owned()));
    let many = tags("/Items", &rows(256));
    assert_eq!(many.len(), 258);
    assert!(many.contains(&"unplaced".to_owned()));
}

#[test]
fn the_own_user_is_read_from_users_me() {
    let body = r#"{"Name":"x","Id":"08CA909F-6D10-44AA-9930-BE392943948F","Policy":{"Id":"1"}}"#;
    assert_eq!(inspected("/Users/Me", JSON, body).unwrap().own_user.as_deref(), Some(super::ME));
    assert_eq!(inspected("/Users/{me}", JSON, body).unwrap().own_user, None);
    assert_eq!(inspected("/Users/Me", JSON, body).unwrap().tags, []);
}

#[test]
fn a_running_task_shortens_the_lifetime_of_the_response() {
    for (state, expected) in [("Running", Some(5)), ("Cancelling", Some(5)), ("Idle", None)] {
        let body = format!(
            r#"[{{"Id":"1","State":"Idle"}},{{"Id":"2","State":"{state}","LastExecutionResult":{{"State":"Running"}}}}]"#
        );
        let facts = inspected("/ScheduledTasks", JSON, &body).unwrap();
        assert_eq!((facts.max_fresh_s, facts.tags.len()), (expected, 0), "{state}");
    }
    let one = inspected("/ScheduledTasks/1", JSON, r#"{"Id":"1","State":"Running"}"#).unwrap();
    assert_eq!(one.max_fresh_s, Some(5));
}

#[test]
fn unexpected_and_broken_bodies_are_unusable() {
    for (target, kind, body, why) in [
        ("/Items", "text/html", "<html></html>", UnusableResponse::ContentType),
        ("/Items", "application/problem+json", "{}", UnusableResponse::ContentType),
        ("/Items", "", "{\"Items\":[]}", UnusableResponse::ContentType),
        ("/Items", JSON, "<html></html>", UnusableResponse::Malformed),
        ("/Items", JSON, "", UnusableResponse::Malformed),
        ("/Items", JSON, "{\"Items\":[{\"Id\":\"1\"}", UnusableResponse::Malformed),
        ("/Items", JSON, "{\"error\":\"log in first\"}", UnusableResponse::Malformed),
        ("/UserItems/Resume", JSON, "{}", UnusableResponse::Malformed),
        ("/Playlists/{item}/Items", JSON, "{}", UnusableResponse::Malformed),
        ("/Items?ids=1", JSON, "{}", UnusableResponse::Malformed),
        ("/System/Info", JSON, "\"text\"", UnusableResponse::Malformed),
        ("/Items/{item}/Images/Primary", "text/html", "<html>", UnusableResponse::ContentType),
        ("/Items/{item}/Images/Primary", "image/png", "", UnusableResponse::Malformed),
        ("/Branding/Css", "text/html", "<html>", UnusableResponse::ContentType),
    ] {
        assert_eq!(inspected(target, kind, body), Err(why), "{target} {body}");
    }
    for (target, kind, body) in [
        ("/Items", JSON, "{\"Items\":[],\"TotalRecordCount\":0}"),
        ("/Items/Latest", "Application/JSON", "[]"),
        ("/Items/Filters", JSON, "{\"Genres\":[]}"),
        ("/Playlists/{item}", JSON, "{\"ItemIds\":[]}"),
        ("/System/Info", JSON, "{}"),
        ("/Items/Counts", JSON, "{\"ItemCount\":1}"),
        ("/Items/{item}/Images/Primary", "image/webp", "bytes"),
        ("/Branding/Css", "text/css; charset=utf-8", ""),
        ("/Branding/Splashscreen", "image/png", "bytes"),
    ] {
        assert_eq!(inspected(target, kind, body).map(|facts| facts.own_user), Ok(None), "{target}");
    }
}

#[test]
fn whether_a_login_by_code_is_possible_is_a_bare_word() {
    for body in ["true", "false", " true\n"] {
        assert_eq!(inspected("/QuickConnect/Enabled", JSON, body), Ok(ResponseFacts::default()), "{body}");
    }
    for body in ["", "yes", "{}", "\"true\"", "1", "true false"] {
        assert_eq!(inspected("/QuickConnect/Enabled", JSON, body), Err(UnusableResponse::Malformed), "{body}");
    }
    assert_eq!(inspected("/System/Endpoint", JSON, "true"), Err(UnusableResponse::Malformed));
}

#[test]
fn a_list_of_devices_with_a_token_is_not_stored() {
    let list = |token: &str| format!(r#"{{"Items":[{{"Name":"a","Id":"b"{token}}}],"TotalRecordCount":1}}"#);
    for token in ["", r#","AccessToken":null"#, r#","accessToken":"""#] {
        assert!(inspected("/Devices", JSON, &list(token)).unwrap().unshared.is_none(), "{token}");
    }
    for token in [r#","AccessToken":"x""#, r#","accessToken":"x""#, r#","More":[{"AccessToken":"x"}]"#] {
        assert!(inspected("/Devices?userId=1", JSON, &list(token)).unwrap().unshared.is_some(), "{token}");
    }
}

#[test]
fn a_truncated_image_is_malformed() {
    let pictures: [(&str, &[u8]); 4] = [
        ("image/jpeg", b"\xff\xd8\xff\xe0rest\xff\xd9"),
        ("image/png", b"\x89PNG\r\n\x1a\nrest\0\0\0\0IEND\xae\x42\x60\x82"),
        ("image/gif", b"GIF89a;"),
        ("image/webp", b"RIFF\x0c\0\0\0WEBPVP8 rest"),
    ];
    for target in ["/Items/{item}/Images/Primary", "/Users/{me}/Images/Primary", "/Branding/Splashscreen"] {
        for (kind, whole) in pictures {
            let sent = headers(&[("content-type", kind)]);
            let inspect =
                |body: &[u8]| ServerKind::Jellyfin.inspect(&read(target), &sent, &Bytes::copy_from_slice(body));
            assert_eq!(inspect(whole), Ok(ResponseFacts::default()), "{target} {kind}");
            for cut in 1..=whole.len() {
                let body = &whole[..whole.len() - cut];
                assert_eq!(inspect(body), Err(UnusableResponse::Malformed), "{target} {kind} -{cut}");
            }
        }
    }
}

#[test]
fn an_error_body_of_greenroom_is_never_parsed_as_a_list() {
    let read = read("/Items");
    let (kind, body) = ServerKind::Jellyfin.error_body(read.representation, 503, "away");
    assert_eq!(
        ServerKind::Jellyfin.inspect(&read, &headers(&[("content-type", kind)]), &body),
        Err(UnusableResponse::Malformed)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_body_is_inspected_without_a_panic(
        target in prop::sample::select(vec!["/Items", "/ScheduledTasks", "/Users/Me", "/Items/1/Images/Primary"]),
        body in prop::collection::vec(any::<u8>(), 0..80),
        bare in any::<bool>(),
    ) {
        let sent = if bare { HeaderMap::new() } else { headers(&[("content-type", JSON)]) };
        let _ = ServerKind::Jellyfin.inspect(&read(target), &sent, &Bytes::from(body));
    }
}

#[test]
fn the_length_of_a_whole_list_is_declared_or_counted() {
    let total = |target: &str, body: &str| inspected(target, JSON, body).expect("it fits").total;
    assert_eq!(total("/Items", r#"{"Items":[{"Id":"a"}],"TotalRecordCount":700,"StartIndex":0}"#), Some(700));
    assert_eq!(total("/Items", r#"{"items":[{"id":"a"}],"totalRecordCount":700}"#), Some(700));
    assert_eq!(total("/Items", r#"{"Items":[{"Id":"a"},{"Id":"b"}],"TotalRecordCount":0}"#), Some(2));
    assert_eq!(total("/Items", r#"{"Items":[],"TotalRecordCount":0}"#), Some(0));
    assert_eq!(total("/Items/Latest", r#"[{"Id":"a"},{"Id":"b"}]"#), Some(2));
    assert_eq!(total("/Items/Counts", r#"{"MovieCount":3,"SeriesCount":4,"SongCount":5}"#), Some(12));
    assert_eq!(total("/Sessions", r#"[{"Id":"a"}]"#), None);
}

#[test]
fn tasks_show_whether_the_library_is_scanned() {
    let scanning = |body: &str| inspected("/ScheduledTasks", JSON, body).expect("it fits").scanning;
    assert_eq!(scanning(r#"[{"Id":"t","Key":"RefreshLibrary","State":"Running"}]"#), Some(true));
    assert_eq!(scanning(r#"[{"Id":"t","Key":"RefreshLibrary","State":"Idle"}]"#), Some(false));
    assert_eq!(scanning(r#"[{"Id":"t","Key":"CleanLogs","State":"Running"}]"#), None);
}

#[test]
fn a_client_subscribes_by_name_until_it_stops() {
    let said = |frame: &str| {
        let said = ServerKind::Jellyfin.parse_subscription(frame.as_bytes())?;
        Some((said.name, said.is_start))
    };
    let sessions = |begins| Some(("Sessions".to_owned(), begins));
    assert_eq!(said(r#"{"MessageType":"SessionsStart","Data":"0,1500"}"#), sessions(true));
    assert_eq!(said(r#"{"MessageType":"SessionsStop"}"#), sessions(false));
    assert_eq!(said(r#"{"MessageType":"KeepAlive"}"#), None);
    assert_eq!(said("no JSON"), None);
    assert_eq!(ServerKind::Plex.parse_subscription(br#"{"MessageType":"SessionsStart"}"#), None);
}
