//! Pass-through and rejected requests.

use greenroom_dialect::classification::StreamReason::{
    self, Account, Asset, Media, Moment, Odd, Socket, Unknown, Upgrade,
};
use greenroom_dialect::classification::{Classification, RejectionReason};
use http::Method;

use super::{classify, got, headers, streamed};

#[test]
fn uncacheable_requests_pass_through() {
    let rows: &[(&str, StreamReason)] = &[
        ("/Videos/{item}/stream.mp4?static=true", Media),
        ("/videos/{item}/master.m3u8", Media),
        ("/Videos/{item}/Trickplay/320/1.jpg", Media),
        ("/Videos/{item}/AdditionalParts", Media),
        ("/Audio/{item}/universal", Media),
        ("/Audio/{item}/stream", Media),
        ("/Items/{item}/Download", Media),
        ("/Items/{item}/File", Media),
        ("/LiveTv/LiveRecordings/1/stream", Media),
        ("/Playback/BitrateTest?size=1", Media),
        ("/QuickConnect/Connect?secret=x", Account),
        ("/Auth/Keys", Account),
        ("/Auth/Providers", Account),
        ("/Devices/Info?id=1", Account),
        ("/System/Logs", Account),
        ("/System/Logs/Log?name=x", Account),
        ("/System/Configuration", Account),
        ("/System/Configuration/network", Account),
        ("/Plugins/{item}/Configuration", Account),
        ("/Environment/Drives", Account),
        ("/Backup", Account),
        ("/SyncPlay/List", Moment),
        ("/LiveTv/Programs", Moment),
        ("/System/Ping", Moment),
        ("/Items/{item}/PlaybackInfo", Moment),
        ("/Items/{item}/InstantMix", Moment),
        ("/Artists/InstantMix?id=1", Moment),
        ("/Items/{item}/RemoteImages", Moment),
        ("/Items/{item}/RemoteSearch/Subtitles/eng", Moment),
        ("/Items?sortBy=Random", Moment),
        ("/Items?sortBy=SortName,random", Moment),
        ("/socket?api_key=x&deviceId=y", Socket),
        ("/", Unknown),
        ("/web/index.html", Asset),
        ("/web/", Unknown),
        ("/SomePlugin/Reads", Unknown),
        ("/Items/{item}/SomethingNew", Unknown),
        ("/Items/{item}/Images/Unheard", Unknown),
        ("/Items/{item}/Images/Primary/x", Unknown),
        ("/user_usage_stats/load_backup", Unknown),
        ("/user_usage_stats/user_manage/add/1", Unknown),
    ];
    for (target, reason) in rows {
        assert_eq!(streamed(&got(target)), Some(*reason), "{target}");
        assert_eq!(streamed(&got(&format!("/emby{target}"))), Some(*reason), "/emby{target}");
    }
}

/// Such a request is the client's own: nothing is added to it, and nothing of it is kept.
#[test]
fn what_the_server_draws_anew_passes_through() {
    for target in [
        "/Items/Suggestions?limit=4&type=Movie",
        "/Users/{me}/Suggestions",
        "/Movies/Recommendations?categoryLimit=3",
        "/Items/{item}/Similar?limit=4",
        "/Artists/{item}/Similar",
        "/Albums/{item}/Similar",
        "/Movies/{item}/Similar",
        "/Shows/{item}/Similar",
        "/Trailers/{item}/Similar",
    ] {
        for target in [target.to_owned(), format!("/emby{target}"), target.to_ascii_lowercase()] {
            assert_eq!(streamed(&got(&target)), Some(Moment), "{target}");
        }
    }
    // Genres and people of these names are reads by name.
    for target in ["/Genres/Similar", "/Persons/Suggestions", "/Artists/Similar"] {
        assert_eq!(streamed(&got(target)), None, "{target}");
    }
}

#[test]
fn ambiguous_requests_pass_through_and_are_not_cached() {
    for target in [
        "//Items",
        "/Items;x=.css",
        "/Items/%2e/{item}",
        "/Items?limit=1&limit=2",
        "/Items?fields=Path,Genres&fields=Overview",
        "/Items?searchTerm=%ff",
        "/Users/{me}/Items?userId={other}",
    ] {
        assert_eq!(streamed(&got(target)), Some(Odd), "{target}");
    }
    assert_eq!(streamed(&got("/Items?token=x")), Some(Account));
    let is_ambiguous = headers(&[("accept", "text/xml")]);
    assert_eq!(streamed(&classify(&Method::GET, "/Items", &is_ambiguous, &[], None)), Some(Odd));
}

#[test]
fn a_range_changes_the_meaning_of_no_request() {
    let ranged = headers(&[("range", "bytes=0-99")]);
    for target in ["/Items", "/SomethingNew", "/Branding/Css", "/Items/{item}/PlaybackInfo", "/Videos/{item}/stream"] {
        let plain = classify(&Method::GET, target, &headers(&[]), &[], None);
        assert_eq!(classify(&Method::GET, target, &ranged, &[], None), plain, "{target}");
    }
}

#[test]
fn an_upgrade_is_no_read_and_a_socket_on_its_own_path() {
    let upgrade = headers(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
    for (target, reason) in
        [("/Items", Upgrade), ("/socket", Socket), ("/embywebsocket", Socket), ("/anything", Upgrade)]
    {
        assert_eq!(streamed(&classify(&Method::GET, target, &upgrade, &[], None)), Some(reason), "{target}");
    }
}

#[test]
fn only_a_get_opens_a_socket() {
    let upgrade = headers(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
    for (method, target) in [
        (Method::POST, "/UserPlayedItems/{item}"),
        (Method::DELETE, "/UserFavoriteItems/{item}"),
        (Method::POST, "/Sessions/Playing/Progress"),
        (Method::POST, "/Users/AuthenticateByName"),
        (Method::POST, "/socket"),
        (Method::PUT, "/SomethingNew"),
        (Method::HEAD, "/Items"),
        (Method::HEAD, "/socket"),
        (Method::OPTIONS, "/Items"),
    ] {
        let plain = classify(&method, target, &headers(&[]), &[], Some(super::ME));
        assert_eq!(classify(&method, target, &upgrade, &[], Some(super::ME)), plain, "{method} {target}");
        assert_ne!(streamed(&plain), Some(Socket), "{method} {target}");
    }
}

#[test]
fn reads_by_post_and_logins_change_nothing() {
    for (target, reason) in [
        ("/Users/AuthenticateByName", Account),
        ("/Users/AuthenticateWithQuickConnect", Account),
        ("/Users/ForgotPassword", Account),
        ("/QuickConnect/Initiate", Account),
        ("/QuickConnect/Authorize?code=1", Account),
        ("/Items/{item}/PlaybackInfo", Moment),
        ("/Items/RemoteSearch/Movie", Moment),
        ("/LiveTv/Programs", Moment),
        ("/Sessions/Playing/Ping", Moment),
        ("/System/Ping", Moment),
        ("/SyncPlay/Join", Moment),
        ("/ClientLog/Document", Moment),
        ("/LiveStreams/Open", Media),
        ("/user_usage_stats/submit_custom_query", Moment),
    ] {
        let classification = classify(&Method::POST, target, &headers(&[]), &[], None);
        assert_eq!(streamed(&classification), Some(reason), "{target}");
    }
    let classification = classify(&Method::OPTIONS, "/Items/{item}", &headers(&[]), &[], None);
    assert_eq!(streamed(&classification), Some(Moment));
}

#[test]
fn first_set_up_is_not_done_through_a_gateway() {
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        for target in ["/Startup/User", "/startup/configuration", "/emby/Startup/Complete", "//Startup;x/User"] {
            let classification = classify(&method, target, &headers(&[]), &[], None);
            assert_eq!(classification, Classification::Refuse(RejectionReason::Setup), "{method} {target}");
        }
    }
    for target in ["/Items/../System", "/a%00", "no-slash"] {
        assert_eq!(got(target), Classification::Refuse(RejectionReason::BadPath), "{target}");
    }
}

#[test]
fn a_head_request_is_classified_like_its_get() {
    for target in ["/Items?limit=1", "/Items/{item}/Images/Primary"] {
        assert_eq!(classify(&Method::HEAD, target, &headers(&[]), &[], Some(super::ME)), got(target));
    }
}

#[test]
fn a_read_whose_key_would_contain_the_token_is_not_cached() {
    let token = "0123456789abcdef0123456789abcdef";
    let with_token = [("x-emby-token", token)];
    for target in [
        format!("/Items?searchTerm=a{token}"),
        format!("/Items?nameStartsWith={}", token.replace('0', "%30")),
        format!("/Genres/{token}"),
        format!("/Items?unheardOf=%2530{}", &token[1..]),
    ] {
        let classification = classify(&Method::GET, &target, &headers(&with_token), &[], None);
        assert_eq!(streamed(&classification), Some(Odd), "{target}");
        assert_eq!(streamed(&got(&target)), None, "another user's text: {target}");
    }
}
