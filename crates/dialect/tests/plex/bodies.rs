//! Cacheable bodies, and the facts in their rows.

use bytes::Bytes;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::response_facts::{MAX_TAGGED_ROWS, ResponseFacts, UnusableResponse};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use crate::test_request::{TestRequest, get, tag_names};

fn inspect(request: &TestRequest, kind: &str, body: &[u8]) -> Result<ResponseFacts, UnusableResponse> {
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert("content-type", HeaderValue::from_str(kind).expect("a content type is printable"));
    }
    ServerKind::Plex.inspect(&request.read(), &headers, &Bytes::copy_from_slice(body))
}

fn xml(target: &str, body: &str) -> Result<ResponseFacts, UnusableResponse> {
    inspect(&get(target), "text/xml;charset=utf-8", body.as_bytes())
}

fn json(target: &str, body: &str) -> Result<ResponseFacts, UnusableResponse> {
    inspect(&get(target).json(), "application/json", body.as_bytes())
}

fn links(facts: &ResponseFacts) -> Vec<(&str, Option<&str>)> {
    facts.parents.iter().map(|(item, parent)| (item.as_str(), parent.as_deref())).collect()
}

const EPISODES_XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="2" librarySectionID="2" key="582" parentIndex="1">
<Video ratingKey="583" parentRatingKey="582" grandparentRatingKey="581" type="episode" title="A &amp; B">
  <Media id="1"><Part id="2" file="/tv/a.mkv"/></Media>
</Video>
<Video ratingKey="584" parentRatingKey="582" grandparentRatingKey="581" type="episode" title="C"/>
</MediaContainer>
"#;

const EPISODES_JSON: &str = r#"{"MediaContainer":{"size":2,"librarySectionID":2,"key":"582","Metadata":[
 {"ratingKey":"583","parentRatingKey":"582","grandparentRatingKey":"581","type":"episode","Media":[{"id":1}]},
 {"ratingKey":"584","parentRatingKey":"582","grandparentRatingKey":"581","type":"episode","title":"\u00e4"}]}}"#;

#[test]
fn a_row_that_is_its_own_parent_yields_no_lineage() {
    let body = r#"<MediaContainer><Video ratingKey="12" parentRatingKey="12" type="episode"/></MediaContainer>"#;
    let facts = xml("/library/metadata/12", body).unwrap();
    assert!(links(&facts).is_empty());
}

#[test]
fn a_body_that_names_several_sections_always_says_the_same() {
    let rows: Vec<String> = (0..8)
        .map(|section| format!(r#"{{"ratingKey":"1{section}","type":"movie","librarySectionID":"{section}"}}"#))
        .collect();
    let body = format!(r#"{{"MediaContainer":{{"size":8,"Metadata":[{}]}}}}"#, rows.join(","));
    let first = json("/library/sections/1/all?type=4", &body).unwrap();
    for _ in 0..20 {
        assert_eq!(json("/library/sections/1/all?type=4", &body).unwrap(), first);
    }
}

#[test]
fn the_rows_of_both_forms_say_the_same() {
    let target = "/library/metadata/582/children";
    let facts = xml(target, EPISODES_XML).unwrap();
    assert_eq!(facts, json(target, EPISODES_JSON).unwrap());
    assert_eq!(tag_names(&facts.tags), ["item:583", "item:584", "under:581", "under:582", "inside:2"]);
    assert_eq!(links(&facts), [("583", Some("582")), ("582", Some("581")), ("581", None), ("584", Some("582"))],);
}

#[test]
fn rows_of_containers_carry_the_branch_tag() {
    for kind in ["show", "season", "artist", "album", "collection"] {
        let body = format!(
            r#"<MediaContainer><Directory ratingKey="1" type="{kind}" librarySectionID="3"/></MediaContainer>"#
        );
        let facts = xml("/library/sections/3/all", &body).unwrap();
        assert_eq!(tag_names(&facts.tags), ["item:1", "branch", "branch~3", "inside:3"], "{kind}");
        assert_eq!(facts.items.groups, [("1".to_owned(), "3".to_owned())]);
    }
    let movie = r#"<MediaContainer><Video ratingKey="1" type="movie" librarySectionID="3"/></MediaContainer>"#;
    let facts = xml("/library/sections/3/all", movie).unwrap();
    assert_eq!(tag_names(&facts.tags), ["item:1", "inside:3"]);
    assert_eq!(links(&facts), [("1", None)]);
}

#[test]
fn an_album_has_its_artist_as_parent_and_an_episode_without_a_season_none() {
    let album = r#"{"MediaContainer":{"Metadata":[{"ratingKey":"5","parentRatingKey":4,"type":"album"}]}}"#;
    let facts = json("/library/sections/1/all", album).unwrap();
    assert_eq!(links(&facts), [("5", Some("4")), ("4", None)]);
    let loose = r#"{"MediaContainer":{"Metadata":[{"ratingKey":"5","grandparentRatingKey":"3","type":"episode"}]}}"#;
    assert_eq!(links(&json("/library/sections/1/all", loose).unwrap()), []);
}

#[test]
fn rows_nested_in_hubs_and_items_count() {
    let body = r#"{"MediaContainer":{"Hub":[{"type":"movie","Metadata":[{"ratingKey":"1","type":"movie",
        "OnDeck":{"Metadata":{"ratingKey":"2"}}}]}]}}"#;
    assert_eq!(tag_names(&json("/hubs", body).unwrap().tags), ["item:1", "item:2"]);
}

#[test]
fn too_many_rows_get_one_tag_for_all() {
    let rows = |count: usize| -> String {
        let rows: Vec<String> = (0..count).map(|id| format!(r#"<Video ratingKey="{id}" type="movie"/>"#)).collect();
        format!(r#"<MediaContainer librarySectionID="1">{}</MediaContainer>"#, rows.concat())
    };
    let facts = xml("/library/sections/1/all", &rows(MAX_TAGGED_ROWS)).unwrap();
    assert_eq!(facts.tags.len(), MAX_TAGGED_ROWS + 1);
    let facts = xml("/library/sections/1/all", &rows(MAX_TAGGED_ROWS + 1)).unwrap();
    assert_eq!(tag_names(&facts.tags), ["items", "items~1", "inside:1"]);
    assert_eq!(facts.parents.len(), MAX_TAGGED_ROWS + 1);
}

#[test]
fn an_item_of_an_unknown_section_may_belong_to_any() {
    let facts = xml("/library/metadata/1", r#"<MediaContainer><Video ratingKey="1"/></MediaContainer>"#).unwrap();
    assert_eq!(tag_names(&facts.tags), ["items"]);
}

#[test]
fn a_smart_playlist_depends_on_user_state_and_the_libraries() {
    let items = |smart: &str| {
        let body = format!(r#"<MediaContainer{smart}><Track ratingKey="1" parentRatingKey="2"/></MediaContainer>"#);
        xml("/playlists/9/items", &body).unwrap()
    };
    assert_eq!(tag_names(&items(r#" smart="0""#).tags), ["item:1", "under:2"]);
    assert_eq!(
        tag_names(&items(r#" smart="1""#).tags),
        ["item:1", "under:2", "watch-lists", "across", "by-rating", "by-continued"]
    );
    assert_eq!(tag_names(&items("").tags), ["item:1", "under:2", "watch-lists", "across", "by-rating", "by-continued"]);
    let whole = items(r#" smart="0" ratingKey="9" leafCount="1" playlistType="audio""#);
    assert_eq!(tag_names(&whole.tags), ["item:1", "item:9", "under:2"]);
    let mixed = r#"{"MediaContainer":{"Metadata":[{"ratingKey":"1","smart":false},{"ratingKey":"2","smart":true}]}}"#;
    assert!(tag_names(&json("/playlists", mixed).unwrap().tags).contains(&"watch-lists"));
}

#[test]
fn sections_that_are_scanned_are_fresh_for_a_shorter_time() {
    let sections =
        |refreshing| format!(r#"<MediaContainer><Directory key="1" refreshing="{refreshing}"/></MediaContainer>"#);
    assert_eq!(xml("/library/sections", &sections(1)).unwrap().max_fresh_s, Some(30));
    assert_eq!(xml("/library/sections", &sections(0)).unwrap().max_fresh_s, None);
    let body = r#"{"MediaContainer":{"Directory":[{"key":"1","refreshing":true}]}}"#;
    assert_eq!(json("/library/sections", body).unwrap().max_fresh_s, Some(30));
}

#[test]
fn responses_of_a_starting_server_are_unusable() {
    for state in ["startingPlugins", ""] {
        let body = format!(r#"<MediaContainer size="0" startState="{state}"/>"#);
        assert_eq!(xml("/", &body), Err(UnusableResponse::Starting));
        let body = format!(r#"{{"MediaContainer":{{"size":0,"startState":"{state}"}}}}"#);
        assert_eq!(json("/media/providers", &body), Err(UnusableResponse::Starting));
    }
    assert!(json("/", r#"{"MediaContainer":{"Setting":[{"id":"x","startState":"y"}]}}"#).is_ok());
}

#[test]
fn anything_but_one_complete_container_is_malformed() {
    for body in [
        "",
        "   ",
        "<MediaContainer>",
        "<MediaContainer><Video ratingKey=\"1\"/>",
        "<MediaContainer></Video></MediaContainer>",
        "<MediaContainer/><MediaContainer/>",
        "<MediaContainer/>x",
        "x<MediaContainer/>",
        "<MediaContainer a=1/>",
        "<MediaContainer a=\"1/>",
        "<Response code=\"400\" status=\"Bad\"/>",
        "<html><body>401 Unauthorized</body></html>",
        "<!DOCTYPE html><MediaContainer/>",
        "{\"MediaContainer\":{}}",
        "<ButlerTasks/>",
    ] {
        assert_eq!(xml("/library/sections", body), Err(UnusableResponse::Malformed), "{body}");
    }
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "{\"MediaContainer\":{}",
        "{\"MediaContainer\":{}}x",
        "{\"MediaContainer\":[]}",
        "{\"MediaContainer\":null}",
        "{\"MediaContainer\":{},\"b\":1}",
        "{\"Other\":{}}",
        "{\"MediaContainer\":{\"a\":\"\u{1}\"}}",
        "{\"MediaContainer\":{\"Metadata\":[{\"ratingKey\":\"1\"}]",
        "<MediaContainer/>",
    ] {
        assert_eq!(json("/library/sections", body), Err(UnusableResponse::Malformed), "{body}");
    }
    assert!(xml("/butler", "<ButlerTasks/>").is_ok());
    assert!(json("/butler", "{\"ButlerTasks\":{\"ButlerTask\":[]}}").is_ok());
    let nested = format!("<MediaContainer>{}{}</MediaContainer>", "<a>".repeat(500), "</a>".repeat(500));
    assert_eq!(xml("/hubs", &nested), Err(UnusableResponse::Malformed));
    let nested = format!("{{\"MediaContainer\":{{\"a\":{}{}}}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(json("/hubs", &nested), Err(UnusableResponse::Malformed));
    assert_eq!(inspect(&get("/hubs"), "text/xml", b"<MediaContainer a=\"\xff\"/>"), Err(UnusableResponse::Malformed));
}

#[test]
fn an_unexpected_content_type_is_not_cached() {
    let body = b"<MediaContainer/>";
    for kind in ["text/html", "text/html; charset=utf-8", "application/json", "image/png", "application/xhtml+xml"] {
        assert_eq!(inspect(&get("/hubs"), kind, body), Err(UnusableResponse::ContentType), "{kind}");
    }
    for kind in ["text/xml", "Application/XML; charset=utf-8", ""] {
        assert!(inspect(&get("/hubs"), kind, body).is_ok(), "{kind}");
    }
    assert_eq!(
        inspect(&get("/hubs").json(), "text/xml", b"{\"MediaContainer\":{}}"),
        Err(UnusableResponse::ContentType)
    );
}

#[test]
fn an_image_must_look_like_one() {
    let picture = get("/library/metadata/1/thumb/1");
    for body in [
        &b"\xff\xd8\xff\xe0rest\xff\xd9"[..],
        b"\x89PNG\r\n\x1a\nrest\0\0\0\0IEND\xae\x42\x60\x82",
        b"GIF89a;",
        b"RIFF\x08\0\0\0WEBPVP8 ",
        b"\0\0\0 ftypavif",
        b"<svg/>",
    ] {
        assert_eq!(inspect(&picture, "image/jpeg", body), Ok(ResponseFacts::default()));
        assert_eq!(inspect(&picture, "text/html", body), Err(UnusableResponse::ContentType));
        assert_eq!(inspect(&picture, "application/octet-stream", body), Err(UnusableResponse::ContentType));
    }
    for body in [&b""[..], b"<html>", b"{\"a\":1}", b"\xff\xd8", b"RIFF\0\0\0\0WAVE"] {
        assert_eq!(inspect(&picture, "image/jpeg", body), Err(UnusableResponse::Malformed));
    }
    let asset = get("/web/js/a.js");
    assert!(inspect(&asset, "application/javascript", b"x").is_ok());
    assert_eq!(inspect(&asset, "text/html", b"<html/>"), Err(UnusableResponse::ContentType));
    assert_eq!(inspect(&asset, "application/javascript", b""), Err(UnusableResponse::Malformed));
}

#[test]
fn a_truncated_image_is_malformed() {
    for target in [
        "/library/metadata/1/thumb/1",
        "/photo/:/transcode?width=1&height=1&url=/library/metadata/1/thumb/2",
        "/:/resources/a.png",
        "/web/a.png",
    ] {
        for (kind, whole) in PICTURES {
            assert_eq!(inspect(&get(target), kind, whole), Ok(ResponseFacts::default()), "{target} {kind}");
            assert!(inspect(&get(target), kind, &[whole, &b"\0\0"[..]].concat()).is_ok(), "{target} {kind}");
            for cut in 1..whole.len() {
                let body = &whole[..whole.len() - cut];
                assert_eq!(
                    inspect(&get(target), kind, body),
                    Err(UnusableResponse::Malformed),
                    "{target} {kind} -{cut}"
                );
            }
        }
    }
}

const PICTURES: [(&str, &[u8]); 4] = [
    ("image/jpeg", b"\xff\xd8\xff\xe0rest\xff\xd9"),
    ("image/png", b"\x89PNG\r\n\x1a\nrest\0\0\0\0IEND\xae\x42\x60\x82"),
    ("image/gif", b"GIF89a;"),
    ("image/webp", b"RIFF\x0c\0\0\0WEBPVP8 rest"),
];

const EVERY_FORM: [&str; 6] = [
    "/library/sections/1/all",
    "/library/metadata/1",
    "/playlists",
    "/library/sections",
    "/butler",
    "/library/metadata/1/thumb/1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_inspected_without_a_panic(
        body in prop::collection::vec(any::<u8>(), 0..200),
        target in prop::sample::select(EVERY_FORM.to_vec()),
    ) {
        for kind in ["", "text/xml", "application/json", "image/png"] {
            let _ = (inspect(&get(target), kind, &body), inspect(&get(target).json(), kind, &body));
        }
    }

    #[test]
    fn a_body_that_was_cut_off_is_never_fit(cut in 1usize..200) {
        let whole = EPISODES_XML.trim_end();
        let cut = cut.min(whole.len() - 1);
        let target = "/library/metadata/582/children";
        prop_assert_eq!(xml(target, &whole[..whole.len() - cut]), Err(UnusableResponse::Malformed));
        let at = EPISODES_JSON.len() - cut;
        prop_assume!(EPISODES_JSON.is_char_boundary(at));
        prop_assert_eq!(json(target, &EPISODES_JSON[..at]), Err(UnusableResponse::Malformed));
    }

    #[test]
    fn a_body_with_broken_bytes_is_read_without_a_panic(at in 0usize..400, byte in any::<u8>()) {
        for (whole, request, kind) in [
            (EPISODES_XML, get("/library/metadata/582/children"), "text/xml"),
            (EPISODES_JSON, get("/library/metadata/582/children").json(), "application/json"),
        ] {
            let mut body = whole.as_bytes().to_vec();
            let at = at % body.len();
            body[at] = byte;
            let _ = inspect(&request, kind, &body);
        }
    }
}

#[test]
fn the_length_of_a_whole_list_is_the_containers_own() {
    let all = "/library/sections/1/all";
    let sizes = [
        (r#""size":2,"totalSize":700"#, r#"size="2" totalSize="700""#, Some(700)),
        (r#""totalSize":0,"size":0"#, r#"totalSize="0" size="0""#, Some(0)),
        (r#""size":"3""#, r#"size="3""#, Some(3)),
        (r#""title1":"x""#, r#"title1="x""#, None),
    ];
    for (members, attributes, expected) in sizes {
        let inner = r#""Metadata":[{"ratingKey":"1","Media":[{"Part":[{"size":999,"totalSize":999}]}]}]"#;
        let body = format!(r#"{{"MediaContainer":{{{members},{inner}}}}}"#);
        assert_eq!(json(all, &body).unwrap().total, expected, "{body}");
        let body = format!(
            r#"<MediaContainer {attributes}><Video ratingKey="1"><Part size="999" totalSize="9"/></Video></MediaContainer>"#
        );
        assert_eq!(xml(all, &body).unwrap().total, expected, "{body}");
    }
    let sessions = json("/status/sessions", r#"{"MediaContainer":{"size":4}}"#).unwrap();
    assert_eq!(sessions.total, None, "who plays is no measure of a library");
}

#[test]
fn a_page_that_was_not_asked_for_is_told_from_the_one_that_was() {
    let list = "/library/sections/1/all";
    let asked = |page: [Option<&str>; 2], by_header: bool| {
        let pairs = ["X-Plex-Container-Start", "X-Plex-Container-Size"].into_iter().zip(page);
        pairs.filter_map(|(name, value)| value.map(|value| (name, value))).fold(get(list), |request, (name, value)| {
            if by_header {
                return request.header(name, value);
            }
            let target = request.read().target;
            get(&format!("{target}{}{name}={value}", if target.contains('?') { '&' } else { '?' }))
        })
    };
    let (first, second, count) = ([Some("0"), Some("2")], [Some("2"), Some("2")], [None, Some("0")]);
    for (page, rows, offset, is_other) in [
        ([None, None], 700, None, false),
        (first, 2, Some(0), false),
        (first, 1, None, false),
        (first, 700, None, true),
        (second, 2, Some(2), false),
        (second, 2, Some(0), true),
        (second, 2, None, true),
        (second, 0, None, false),
        (count, 0, Some(0), false),
        (count, 700, None, true),
    ] {
        let in_json = offset.map(|offset: u64| format!(r#""offset":{offset},"totalSize":700,"#)).unwrap_or_default();
        let row = r#"{"ratingKey":"1","offset":9,"size":9}"#;
        let text = format!(r#"{{"MediaContainer":{{{in_json}"size":{rows},"Metadata":[{row}]}}}}"#);
        let in_xml = offset.map(|offset| format!(r#"offset="{offset}" totalSize="700""#)).unwrap_or_default();
        let row = r#"<Video ratingKey="1" offset="9" size="9"/>"#;
        let markup = format!(r#"<MediaContainer size="{rows}" {in_xml}>{row}</MediaContainer>"#);
        for by_header in [true, false] {
            let request = asked(page, by_header);
            let facts = inspect(&request.clone().json(), "application/json", text.as_bytes()).unwrap();
            assert_eq!(facts.unshared.is_some(), is_other, "{request:?} {text}");
            let facts = inspect(&request, "text/xml", markup.as_bytes()).unwrap();
            assert_eq!(facts.unshared.is_some(), is_other, "{request:?} {markup}");
        }
    }
    let mut headers = HeaderMap::new();
    headers.insert("x-plex-container-start", HeaderValue::from_static("2"));
    let read = asked(second, true).read();
    let body = Bytes::from_static(br#"<MediaContainer size="2"/>"#);
    assert!(ServerKind::Plex.inspect(&read, &headers, &body).unwrap().unshared.is_none(), "the head says it, too");
}

#[test]
fn a_list_of_sections_shows_whether_one_is_scanned() {
    for (refreshing, expected) in [("true", true), ("false", false)] {
        let body =
            format!(r#"{{"MediaContainer":{{"size":1,"Directory":[{{"key":"1","refreshing":{refreshing}}}]}}}}"#);
        assert_eq!(json("/library/sections", &body).unwrap().scanning, Some(expected));
    }
    let list = r#"{"MediaContainer":{"size":0}}"#;
    assert_eq!(json("/library/sections/1/all", list).unwrap().scanning, None);
}
