//! Attacks that classification must withstand: disguised paths, deception, cache poisoning, foreign URLs,
//! setup.

use greenroom_dialect::classification::{Classification, ImageSubject, RejectionReason, SharingScope, StreamReason};

use crate::test_request::{get, send};

#[test]
fn an_ambiguous_path_is_rejected() {
    for target in [
        "/library/../myplex/account",
        "/library/sections/..%2f..%2fmyplex",
        "/library/%2e%2e/x",
        "/library/sections%00",
        "/library/sections%0d%0aX: y",
        "/library/..;/x",
        "/library/sections/%",
        "library",
    ] {
        assert_eq!(get(target).classification(), Classification::Refuse(RejectionReason::BadPath), "{target}");
        assert_eq!(
            send("PUT", target).classification(),
            Classification::Refuse(RejectionReason::BadPath),
            "PUT {target}"
        );
    }
}

#[test]
fn a_read_at_an_ambiguous_path_is_never_cached() {
    for target in [
        "//library/sections",
        "/library//sections",
        "/library/sections//",
        "/library/./sections",
        "/library/sections;a.css",
        "/library%2Fsections",
        "/library%5Csections",
        "/library/sections/1%2Fall",
        "/identity;/",
    ] {
        assert_eq!(get(target).classification(), Classification::Stream(StreamReason::Odd), "{target}");
    }
}

#[test]
fn no_file_extension_turns_an_account_page_into_an_image() {
    for target in
        ["/myplex/account.png", "/myplex/account/a.css", "/users/account.json", "/security/token/x.js", "/user/x.jpg"]
    {
        assert!(!matches!(get(target).classification(), Classification::Read(_)), "{target}");
    }
    for target in ["/library/sections.css", "/library/metadata/1.jpg", "/hubs.png", "/identity.js"] {
        assert_eq!(get(target).classification(), Classification::Stream(StreamReason::Unknown), "{target}");
    }
}

#[test]
fn set_up_is_rejected_in_every_spelling() {
    for target in [
        "/myplex/claim?token=x",
        "/MyPlex/Claim",
        "//myplex//claim",
        "/myplex;a/claim",
        "/%6dyplex/claim/",
        "/myplex%2fclaim",
    ] {
        for method in ["GET", "POST", "PUT"] {
            let classification = send(method, target).token("some-token").classification();
            assert_eq!(classification, Classification::Refuse(RejectionReason::Setup), "{method} {target}");
        }
    }
    let settings = send("PUT", "/:/prefs?AcceptedEULA=1");
    assert_eq!(settings.classification(), Classification::Refuse(RejectionReason::Setup));
    assert!(matches!(settings.token("some-token").classification(), Classification::Write(_)));
    assert_eq!(send("PUT", "//:/prefs").classification(), Classification::Refuse(RejectionReason::Setup));
    assert!(matches!(get("/:/prefs").classification(), Classification::Read(_)));
}

#[test]
fn nothing_outside_the_key_reaches_the_server() {
    let plain = get("/library/sections/1/all?type=1").read();
    let mut dressed = get("/library/sections/1/all?type=1&X-Plex-Custom=1&_=5");
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Host",
        "Host",
        "Cookie",
        "X-Plex-Client-Profile-Extra",
        "X-Plex-Session-Identifier",
        "X-HTTP-Method-Override",
        "Accept-Encoding",
        "Cache-Control",
        "If-None-Match",
    ] {
        dressed = dressed.header(name, "poison");
    }
    assert_eq!(dressed.read(), plain);
    let names: Vec<&str> = plain.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["accept"]);
}

#[test]
fn a_read_with_a_body_passes_through() {
    for (name, value) in [("Content-Length", "5"), ("Transfer-Encoding", "chunked")] {
        let classification = get("/library/sections").header(name, value).classification();
        assert_eq!(classification, Classification::Stream(StreamReason::Odd), "{name}");
    }
    assert!(matches!(get("/library/sections").header("Content-Length", "0").classification(), Classification::Read(_)));
}

#[test]
fn only_a_get_opens_a_socket() {
    for (method, target) in [
        ("PUT", "/:/scrobble?key=1"),
        ("HEAD", "/:/scrobble?key=1"),
        ("PUT", "/library/metadata/1?title.value=x"),
        ("POST", "/:/websockets/notifications"),
        ("HEAD", "/:/websockets/notifications"),
        ("HEAD", "/library/sections"),
        ("OPTIONS", "/library/sections"),
        ("POST", "/nonsense"),
    ] {
        let plain = send(method, target).classification();
        let upgrading = send(method, target).header("Connection", "Upgrade").header("Upgrade", "websocket");
        assert_eq!(upgrading.classification(), plain, "{method} {target}");
        assert_ne!(plain, Classification::Stream(StreamReason::Socket), "{method} {target}");
    }
    for (target, reason) in [
        ("/library/sections", StreamReason::Upgrade),
        ("/anything", StreamReason::Upgrade),
        ("/:/websockets/notifications", StreamReason::Socket),
    ] {
        let upgrading = get(target).header("Connection", "Upgrade").header("Upgrade", "websocket");
        assert_eq!(upgrading.classification(), Classification::Stream(reason), "{target}");
    }
}

#[test]
fn only_images_of_this_server_are_cached_scaled() {
    let scaled = |url: &str| get(&format!("/photo/:/transcode?width=1&height=1&url={url}")).classification();
    for own in [
        "/library/metadata/1/thumb/2",
        "http://127.0.0.1:32400/library/metadata/1/thumb/2",
        "https://localhost/library/metadata/1/thumb/2",
        "HTTP://LocalHost:32400/library/metadata/1/thumb/2",
        "http%3A%2F%2F127.0.0.1%3A32400%2Flibrary%2Fmetadata%2F1%2Fthumb%2F2%3FX-Plex-Token%3Dabc",
    ] {
        let Classification::Read(read) = scaled(own) else { panic!("{own}") };
        assert_eq!(read.sharing, SharingScope::Image(ImageSubject::new("1", "thumb")), "{own}");
        assert_eq!(read.target, "/photo/:/transcode?height=1&url=/library/metadata/1/thumb/2&width=1", "{own}");
    }
    for foreign in [
        "http://evil.example/library/metadata/1/thumb/2",
        "http://127.0.0.1@evil.example/library/metadata/1/thumb/2",
        "http://127.0.0.1:32400@evil.example/library/metadata/1/thumb/2",
        "http://127.0.0.1.evil.example/library/metadata/1/thumb/2",
        "http://localhost.evil.example/library/metadata/1/thumb/2",
        "http://127.0.0.1:32400.evil.example/library/metadata/1/thumb/2",
        "http://127.0.0.1:/library/metadata/1/thumb/2",
        "http://127.0.0.1:99999/library/metadata/1/thumb/2",
        "http://169.254.169.254/latest/meta-data",
        "http://0x7f000001/library/metadata/1/thumb/2",
        "http://127.0.0.1\\@evil.example/library/metadata/1/thumb/2",
        "//evil.example/library/metadata/1/thumb/2",
        "/\\evil.example/library/metadata/1/thumb/2",
        "file:///etc/passwd",
        "ftp://127.0.0.1/library/metadata/1/thumb/2",
        "library/metadata/1/thumb/2",
        "/myplex/account",
        "/:/prefs",
        "/:/scrobble?key=1",
        "/library/metadata/1",
        "/library/sections",
        "/library/metadata/1/../../myplex",
        "/library//metadata/1/thumb/2",
        "/library/parts/1/2/file.jpg",
        "/photo/:/transcode?url=http://evil.example",
        "/library/metadata/1/thumb/2%3Furl%3Dhttp%3A%2F%2Fevil.example",
        "",
    ] {
        assert!(matches!(scaled(foreign), Classification::Stream(_)), "{foreign}: {:?}", scaled(foreign));
    }
}

#[test]
fn a_token_in_a_nested_url_does_not_choose_the_partition() {
    let read =
        get("/photo/:/transcode?url=/library/metadata/1/thumb/2?X-Plex-Token=somebody-elses").token("my-own-token");
    assert_eq!(read.credential().token.unwrap().expose(), "my-own-token");
    assert_eq!(read.read().target, "/photo/:/transcode?url=/library/metadata/1/thumb/2");
}
