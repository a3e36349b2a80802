//! The canonical key: which requests share one, which never do, and that the upstream request is rebuilt from
//! it alone.

use greenroom_dialect::classification::{Classification, Read, Representation, StreamReason};
use proptest::prelude::*;

use crate::test_request::{TestRequest, get};

fn header<'a>(read: &'a Read, name: &str) -> Option<&'a str> {
    read.headers
        .iter()
        .find(|(known, _)| known.as_str() == name)
        .map(|(_, value)| value.to_str().expect("a rebuilt header is printable"))
}

fn key(request: &TestRequest) -> String {
    request.read().key
}

#[test]
fn a_key_reads_like_the_request_it_stands_for() {
    let read = get("/library/sections/1/all?type=10&includeGuids=1&sort=titleSort&X-Plex-Token=abcdefgh12")
        .header("X-Plex-Container-Start", "50")
        .header("X-Plex-Container-Size", "25")
        .header("X-Plex-Client-Identifier", "my-client")
        .json()
        .read();
    assert_eq!(read.key, "/library/sections/1/all?type=10&sort=titleSort&includeGuids=1 json start=50 size=25");
    assert_eq!(read.target, "/library/sections/1/all?type=10&sort=titleSort&includeGuids=1");
    assert_eq!(read.representation, Representation::Json);
    assert_eq!(header(&read, "accept"), Some("application/json"));
    assert_eq!(header(&read, "x-plex-container-start"), Some("50"));
    assert_eq!(header(&read, "x-plex-container-size"), Some("25"));
    assert_eq!(read.headers.len(), 3);
}

#[test]
fn requests_that_mean_the_same_meet() {
    let same = [
        (get("/library/sections/"), get("/library/sections")),
        (get("/library/sections?"), get("/library/sections")),
        (get("/%6Cibrary/sections"), get("/library/sections")),
        (
            get("/library/metadata/1?includeChapters=1&includeMarkers=1"),
            get("/library/metadata/1?includeMarkers=1&includeChapters=1"),
        ),
        (get("/library/metadata/1?checkFiles=0&asyncCheckFiles=0"), get("/library/metadata/1")),
        (get("/library/sections/1/all?addedAt>>=1"), get("/library/sections/1/all?addedAt%3E%3E=1")),
        (get("/library/sections/1/all?sort=addedAt%3Adesc"), get("/library/sections/1/all?sort=addedAt:desc")),
        (
            get("/hubs?X-Plex-Token=abc&_=17&X-Plex-Platform=Web&X-Plex-Drm=x"),
            get("/hubs").header("X-Plex-Platform", "tvOS"),
        ),
        (get("/hubs").header("Accept", "*/*"), get("/hubs")),
        (get("/hubs").header("User-Agent", "a").header("Origin", "b").header("Referer", "c"), get("/hubs")),
        (get("/hubs?X-Plex-Language=de"), get("/hubs").header("X-Plex-Language", "de").header("Accept-Language", "fr")),
        (
            get(
                "/photo/:/transcode?width=1&height=2&url=http%3A%2F%2F127.0.0.1%3A32400%2Flibrary%2Fmetadata%2F7%2Fthumb%2F1%3FX-Plex-Token%3Dabc",
            ),
            get("/photo/:/transcode?height=2&width=1&url=/library/metadata/7/thumb/1&X-Plex-Token=def"),
        ),
    ];
    for (one, other) in same {
        assert_eq!(one.read(), other.read(), "{one:?}");
    }
}

#[test]
fn a_page_is_asked_for_in_the_clients_own_form() {
    let list = "/library/sections/1/all?type=10&includeGuids=1";
    let (start, size) = ("X-Plex-Container-Start", "X-Plex-Container-Size");
    let in_query = "/library/sections/1/all?type=10&includeGuids=1&X-Plex-Container-Start=50&X-Plex-Container-Size=25";
    let mixed = "/library/sections/1/all?type=10&includeGuids=1&X-Plex-Container-Size=25";
    for (request, target, sent) in [
        (get(in_query), in_query, [None, None]),
        (get(&format!("{list}&x-plex-container-SIZE=025&x-plex-container-start=50")), in_query, [None, None]),
        (get(list).header(start, "50").header(size, "25"), list, [Some("50"), Some("25")]),
        (get(in_query).header(start, "50").header(size, "25"), in_query, [Some("50"), Some("25")]),
        (get(mixed).header(start, "50"), mixed, [Some("50"), None]),
    ] {
        let read = request.read();
        assert_eq!(read.key, "/library/sections/1/all?type=10&includeGuids=1 xml start=50 size=25", "{request:?}");
        assert_eq!(read.target, target, "{request:?}");
        let headers = ["x-plex-container-start", "x-plex-container-size"].map(|name| header(&read, name));
        assert_eq!(headers, sent, "{request:?}");
    }
    let first = get("/playlists?X-Plex-Container-Size=5").read();
    assert_eq!(
        (first.key.as_str(), first.target.as_str()),
        ("/playlists xml start=0 size=5", "/playlists?X-Plex-Container-Size=5")
    );
    assert_eq!(header(&first, "x-plex-container-start"), None, "only what the client sent");
    assert_eq!(first.key, key(&get("/playlists").header(start, "0").header(size, "5")));
    let focused = get("/playlists?X-Plex-Container-Focus-Key=%2Flibrary%2Fmetadata%2F7").read();
    assert_eq!(focused.target, "/playlists?X-Plex-Container-Focus-Key=%2Flibrary%2Fmetadata%2F7");
    assert_eq!(focused.key, key(&get("/playlists").header("X-Plex-Container-Focus-Key", "/library/metadata/7")));
}

#[test]
fn requests_that_may_mean_different_things_do_not_meet() {
    let base = get("/library/sections/1/all?type=10&genre=1");
    for other in [
        get("/library/sections/2/all?type=10&genre=1"),
        get("/library/sections/1/all?genre=1&type=10"),
        get("/library/sections/1/all?type=10&genre=1&genre=1"),
        get("/library/sections/1/all?type=10&genre!=1"),
        get("/library/sections/1/all?type=10&genre==1"),
        get("/library/sections/1/all?type=10&genre=1&includeGuids=1"),
        get("/library/sections/1/all?type=10&genre=1&includeGuids=0"),
        base.clone().json(),
        base.clone().header("X-Plex-Container-Size", "5"),
        base.clone().header("X-Plex-Container-Size", "5").header("X-Plex-Container-Start", "5"),
        base.clone().header("X-Plex-Container-Size", "0"),
        base.clone().header("X-Plex-Language", "de"),
        base.clone().header("Accept-Language", "de"),
        base.clone().header("X-Plex-Pms-Api-Version", "1.0"),
    ] {
        assert_ne!(key(&base), key(&other), "{other:?}");
    }
    let page = |start| key(&base.clone().header("X-Plex-Container-Size", "5").header("X-Plex-Container-Start", start));
    assert_ne!(page("5"), page("10"));
    let pushed = "/library/sections/1/all?push=1&a=1&or=1&b=2&pop=1";
    assert_ne!(key(&get(pushed)), key(&get("/library/sections/1/all?push=1&b=2&or=1&a=1&pop=1")));
}

#[test]
fn promoted_hubs_depend_on_the_client_which_is_sent_to_the_server() {
    let promoted = |client| get("/hubs/promoted").header("X-Plex-Client-Identifier", client).read();
    assert_ne!(promoted("a").key, promoted("b").key);
    assert_eq!(header(&promoted("a"), "x-plex-client-identifier"), Some("a"));
    let listed = |client| get("/library/sections/1/all").header("X-Plex-Client-Identifier", client).read();
    assert_eq!(listed("a"), listed("b"));
    assert_eq!(header(&listed("a"), "x-plex-client-identifier"), None);
}

#[test]
fn a_search_differs_by_features() {
    for target in ["/hubs/search?query=x", "/hubs/search/voice?query=x"] {
        let plain = get(target).header("X-Plex-Client-Identifier", "a").read();
        let able = get(target).header("X-Plex-Features", "external-media,hub-style-list").read();
        assert_ne!(plain.key, able.key, "{target}");
        assert_eq!(header(&able, "x-plex-features"), Some("external-media,hub-style-list"), "{target}");
        assert_eq!(header(&plain, "x-plex-features"), None, "{target}");
        assert_eq!(plain, get(target).header("X-Plex-Client-Identifier", "b").read(), "{target}");
        let in_query = get(&format!("{target}&X-Plex-Features=external-media%2Chub-style-list")).read();
        assert_eq!(in_query, able, "{target}");
    }
    let old = |features| get("/search?query=x").header("X-Plex-Features", features).read();
    assert_eq!(old("a"), old("b"), "the old search knows no features");
}

#[test]
fn the_language_is_sent_to_the_server_as_in_the_key() {
    let read = get("/hubs").header("Accept-Language", "de-DE,de;q=0.9").read();
    assert_eq!(header(&read, "accept-language"), Some("de-DE,de;q=0.9"));
    let read = get("/hubs?X-Plex-Language=fr").header("Accept-Language", "de").read();
    assert_eq!(header(&read, "x-plex-language"), Some("fr"));
    assert_eq!(header(&read, "accept-language"), None);
}

#[test]
fn conflicting_parameters_pass_through() {
    for request in [
        get("/library/sections/1/all?X-Plex-Container-Size=5&X-Plex-Container-Size=6"),
        get("/library/sections/1/all?X-Plex-Container-Size=5").header("X-Plex-Container-Size", "6"),
        get("/library/sections/1/all").header("X-Plex-Container-Size", "5").header("X-Plex-Container-Size", "6"),
        get("/library/sections/1/all?X-Plex-Container-Size=all"),
        get("/library/sections/1/all?X-Plex-Container-Size>=1"),
        get("/library/sections/1/all?X-Plex-Token=aaaaaaaa&X-Plex-Token=bbbbbbbb"),
        get("/library/sections/1/all?X-Plex-Token=aaaaaaaa").token("bbbbbbbb"),
        get("/library/sections/1/all?title=100%"),
        get("/library/sections/1/all?title=a%00b"),
        get("/photo/:/transcode?url=/library/metadata/1/thumb/1&url=/library/metadata/2/thumb/1"),
        get("/photo/:/transcode?width=1"),
        get("/photo/:/transcode?width=1&width=2&url=/library/metadata/1/thumb/1"),
        get("/library/sections/1/all?password=abc"),
        get("/library/sections/1/all?api_key=abc"),
        get("/library/sections/1/all?uri=http%3A%2F%2Fx%3FaccessToken%3Dabc"),
    ] {
        assert_eq!(request.classification(), Classification::Stream(StreamReason::Odd), "{request:?}");
    }
}

fn value() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9,.:+*'!-]{0,8}|%20|%2C|%E2%82%AC"
}

fn pair() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "type",
        "genre",
        "show.title",
        "addedAt>>",
        "addedAt%3E%3E",
        "title!",
        "title=",
        "push",
        "or",
        "year<",
        "sort",
        "unwatched",
        "limit",
    ]);
    (name, value()).prop_map(|(name, value)| format!("{name}={value}"))
}

fn shape() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["includeGuids=1", "includeMeta=1", "excludeFields=summary", "includeFields=a,b"])
        .prop_map(str::to_owned)
}

fn noise() -> impl Strategy<Value = String> {
    let names = vec!["_", "X-Plex-Product", "X-Plex-Model", "x-plex-drm", "X-Plex-Client-Identifier", "checkFiles"];
    prop::sample::select(names)
        .prop_map(|name| if name == "checkFiles" { "checkFiles=0".into() } else { format!("{name}=1") })
}

fn listed(pairs: &[String]) -> TestRequest {
    get(&format!("/library/sections/1/all?{}", pairs.join("&")))
}

/// All parts of a read as one text.
fn shown(read: &Read) -> String {
    format!("{read:?}\n{}\n{}", read.key, read.target)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn order_counts_for_the_query_and_not_for_what_is_included(
        pairs in prop::collection::vec(pair(), 0..5),
        shapes in prop::collection::vec(shape(), 0..3),
        noise in prop::collection::vec(noise(), 0..3),
        seed in 0usize..100,
    ) {
        prop_assume!(!pairs.iter().any(|pair| pair.contains("random")));
        let plain: Vec<String> = pairs.iter().chain(&shapes).cloned().collect();
        let mut mixed = pairs.clone();
        for (at, extra) in shapes.iter().rev().chain(&noise).enumerate() {
            mixed.insert((seed + at) % (mixed.len() + 1), extra.clone());
        }
        // Inserted pairs must not change the order of the query's own pairs.
        let own: Vec<&String> = mixed.iter().filter(|pair| !shapes.contains(pair) && !noise.contains(pair)).collect();
        prop_assert_eq!(own, pairs.iter().collect::<Vec<_>>());
        prop_assert_eq!(listed(&plain).read(), listed(&mixed).read());
    }

    #[test]
    fn swapping_two_different_pairs_changes_the_key(pairs in prop::collection::vec(pair(), 2..6), at in 0usize..4) {
        let at = at % (pairs.len() - 1);
        let mut swapped = pairs.clone();
        swapped.swap(at, at + 1);
        let (one, other) = (listed(&pairs).classification(), listed(&swapped).classification());
        if let (Classification::Read(one), Classification::Read(other)) = (one, other) {
            let alike = |pair: &String| pair.replace("%3E", ">");
            prop_assert_eq!(one.key == other.key, alike(&pairs[at]) == alike(&pairs[at + 1]));
        }
    }

    #[test]
    fn paging_meets_wherever_it_is_written(start in 0u32..1000, size in 0u32..1000, pairs in prop::collection::vec(pair(), 0..3)) {
        let in_query: Vec<String> = [format!("X-Plex-Container-Size={size}")]
            .into_iter()
            .chain(pairs.iter().cloned())
            .chain([format!("x-plex-container-start={start}")])
            .collect();
        let in_header = listed(&pairs)
            .header("X-Plex-Container-Start", &start.to_string())
            .header("x-plex-container-size", &size.to_string());
        let (in_query, in_header) = (listed(&in_query).classification(), in_header.classification());
        if let (Classification::Read(in_query), Classification::Read(in_header)) = (&in_query, &in_header) {
            prop_assert_eq!(&in_query.key, &in_header.key);
        } else {
            prop_assert_eq!(in_query, in_header);
        }
    }

    #[test]
    fn the_same_key_always_yields_the_same_request(one in prop::collection::vec(pair(), 0..3), other in prop::collection::vec(pair(), 0..3)) {
        if let (Classification::Read(one), Classification::Read(other)) = (listed(&one).classification(), listed(&other).classification()) {
            prop_assert_eq!(one.key == other.key, one.target == other.target && one.headers == other.headers);
        }
    }

    #[test]
    fn a_rebuilt_request_is_its_own_canonical_form(
        mut pairs in prop::collection::vec(pair(), 0..4),
        size in prop::option::of(0u32..9),
        start in prop::option::of(0u32..9),
        focus in prop::option::of("[a-z/%]{0,5}|%2F|%20a"),
    ) {
        pairs.extend(start.map(|start| format!("X-Plex-Container-Start={start}")));
        pairs.extend(focus.map(|focus| format!("X-Plex-Container-Focus-Key={focus}")));
        let mut request = listed(&pairs);
        if let Some(size) = size {
            request = request.header("X-Plex-Container-Size", &size.to_string());
        }
        if let Classification::Read(read) = request.classification() {
            let again = read.headers.iter().fold(get(&read.target), |again, (name, value)| {
                again.header(name.as_str(), value.to_str().unwrap())
            });
            prop_assert_eq!(&again.read(), read.as_ref());
        }
    }

    #[test]
    fn a_token_is_nowhere_in_keys_or_stored_reads(
        token in "[A-Za-z0-9_-]{12,24}",
        place in 0usize..9,
        path in prop::sample::select(vec!["/library/sections/1/all", "/hubs/promoted", "/identity", "/playlists", "/web/a.js"]),
    ) {
        let nested = |url: &str| get(&format!("/photo/:/transcode?width=1&url={url}")).token(&token);
        let request = match place {
            0 => get(path).token(&token),
            1 => get(&format!("{path}?X-Plex-Token={token}&type=1")),
            2 => get(&format!("{path}?type=1&x-plex-TOKEN={token}")),
            3 => get(&format!("{path}?a=1&X%2DPlex%2DToken={token}")),
            4 => nested(&format!("/library/metadata/1/thumb/1?X-Plex-Token={token}")),
            5 => nested(&format!("http%3A%2F%2F127.0.0.1%3A32400%2Flibrary%2Fmetadata%2F1%2Fthumb%2F1%3FX-Plex-Token%3D{token}")),
            6 => get(&format!("{path}?uri=http%3A%2F%2Fx%2F%253FX-Plex-Token%253D{token}")),
            7 => get(&format!("{path}?anything={token}")).token(&token),
            _ => get(path).token(&token).header("X-Plex-Language", &token),
        };
        if let Classification::Read(read) = request.classification() {
            prop_assert!(!shown(&read).contains(&token), "{}", read.key);
        } else {
            prop_assert!(place >= 6);
        }
        let printed = format!("{:?} {:?}", request.credential(), request.classification());
        prop_assert!(!printed.contains(&token));
    }

    #[test]
    fn any_target_is_classified_without_a_panic(
        target in "/[a-z:/.%0-9A-F;?&=<>+-]{0,60}|\\PC{0,40}",
        header in "[ -~]{0,30}",
    ) {
        let request = get(&target).header("Accept", &header).header("X-Plex-Container-Size", &header);
        let _ = (request.classification(), request.credential());
    }
}
