//! Decisions of the access policy, case by case.

use super::*;

/// A program on this machine without a credential.
const LOCAL: AccessInput = AccessInput {
    route: RouteAccess::Read,
    host: HostKind::Loopback,
    listens_beyond_loopback: false,
    peer_is_loopback: true,
    peer_is_private: true,
    is_forwarded: false,
    is_open_read: false,
    origin: OriginHeader::Absent,
    site: FetchSite::Absent,
    credential: PresentedCredential::Absent,
    is_throttled: false,
};

/// A program on another machine without a credential.
const REMOTE: AccessInput =
    AccessInput { host: HostKind::Address, listens_beyond_loopback: true, peer_is_loopback: false, ..LOCAL };

#[test]
fn a_local_name_opens_the_page_from_a_private_network_and_counts_as_another_machine() {
    let named = AccessInput { host: HostKind::LocalName, ..LOCAL };
    let page = AccessInput { route: RouteAccess::Open, ..named };
    check(&[
        ("the bare page", page, AccessDecision::Allow),
        ("statistics", named, AccessDecision::TokenMissing),
        (
            "statistics with the token",
            AccessInput { credential: PresentedCredential::Token, ..named },
            AccessDecision::Allow,
        ),
        ("a change", AccessInput { route: RouteAccess::Change, ..named }, AccessDecision::TokenMissing),
        (
            "from the internet",
            AccessInput { peer_is_private: false, peer_is_loopback: false, ..page },
            AccessDecision::Misdirected,
        ),
        (
            "from the internet with the token",
            AccessInput {
                peer_is_private: false,
                peer_is_loopback: false,
                credential: PresentedCredential::Token,
                ..named
            },
            AccessDecision::Misdirected,
        ),
    ]);
}

fn check(cases: &[(&str, AccessInput, AccessDecision)]) {
    for (case, input, expected) in cases {
        assert_eq!(decide(input), *expected, "{case}");
    }
}

#[test]
fn statistics_are_readable_without_a_token_only_on_this_machine() {
    check(&[
        ("local", LOCAL, AccessDecision::Allow),
        ("typed address", AccessInput { site: FetchSite::Own, ..LOCAL }, AccessDecision::Allow),
        ("a link to the statistics", AccessInput { site: FetchSite::Followed, ..LOCAL }, AccessDecision::Allow),
        ("remote", REMOTE, AccessDecision::TokenMissing),
        (
            "remote with host localhost",
            AccessInput { host: HostKind::Loopback, ..REMOTE },
            AccessDecision::TokenMissing,
        ),
        ("forwarded", AccessInput { is_forwarded: true, ..LOCAL }, AccessDecision::TokenMissing),
        ("another page's script", AccessInput { site: FetchSite::Foreign, ..LOCAL }, AccessDecision::TokenMissing),
        ("another page's origin", AccessInput { origin: OriginHeader::Foreign, ..LOCAL }, AccessDecision::TokenMissing),
        (
            "local through an external address",
            AccessInput { host: HostKind::Address, listens_beyond_loopback: true, ..LOCAL },
            AccessDecision::TokenMissing,
        ),
    ]);
}

#[test]
fn statistics_are_readable_from_anywhere_with_the_token_or_a_session() {
    for input in [LOCAL, REMOTE, AccessInput { is_forwarded: true, ..LOCAL }] {
        assert_eq!(decide(&AccessInput { credential: PresentedCredential::Token, ..input }), AccessDecision::Allow);
        assert_eq!(decide(&AccessInput { credential: PresentedCredential::Session, ..input }), AccessDecision::Allow);
        assert_eq!(
            decide(&AccessInput { credential: PresentedCredential::Wrong, ..input }),
            AccessDecision::TokenWrong
        );
    }
}

#[test]
fn the_read_only_token_reads_from_anywhere_and_changes_nothing() {
    for input in [LOCAL, REMOTE, AccessInput { is_forwarded: true, ..LOCAL }] {
        let read_only = AccessInput { credential: PresentedCredential::ReadToken, ..input };
        check(&[
            ("read", read_only, AccessDecision::Allow),
            ("the bare page", AccessInput { route: RouteAccess::Open, ..read_only }, AccessDecision::Allow),
            ("change", AccessInput { route: RouteAccess::Change, ..read_only }, AccessDecision::TokenOnlyReads),
            (
                "change from another page",
                AccessInput { route: RouteAccess::Change, origin: OriginHeader::Foreign, ..read_only },
                AccessDecision::ForeignPage,
            ),
            ("after too many wrong tokens", AccessInput { is_throttled: true, ..read_only }, AccessDecision::Throttled),
        ]);
    }
}

#[test]
fn an_opened_path_is_readable_from_its_network_and_allows_no_change() {
    let opened = AccessInput { is_open_read: true, ..REMOTE };
    check(&[
        ("opened", opened, AccessDecision::Allow),
        ("by a configured name", AccessInput { host: HostKind::Named, ..opened }, AccessDecision::Allow),
        ("forwarded by a proxy", AccessInput { is_forwarded: true, ..opened }, AccessDecision::TokenMissing),
        ("another page's script", AccessInput { site: FetchSite::Foreign, ..opened }, AccessDecision::TokenMissing),
        ("a wrong token", AccessInput { credential: PresentedCredential::Wrong, ..opened }, AccessDecision::TokenWrong),
        ("a change", AccessInput { route: RouteAccess::Change, ..opened }, AccessDecision::TokenMissing),
        ("another name", AccessInput { host: HostKind::Foreign, ..opened }, AccessDecision::Misdirected),
    ]);
}

#[test]
fn a_configured_host_name_does_not_count_as_local() {
    for listens_beyond_loopback in [false, true] {
        let named = AccessInput { host: HostKind::Named, listens_beyond_loopback, ..LOCAL };
        check(&[
            ("read", named, AccessDecision::TokenMissing),
            ("page", AccessInput { route: RouteAccess::Open, ..named }, AccessDecision::Allow),
            ("token", AccessInput { credential: PresentedCredential::Token, ..named }, AccessDecision::Allow),
        ]);
    }
}

#[test]
fn a_change_needs_the_token_even_on_this_machine() {
    let local = AccessInput { route: RouteAccess::Change, ..LOCAL };
    check(&[
        ("no credential", local, AccessDecision::TokenMissing),
        ("wrong", AccessInput { credential: PresentedCredential::Wrong, ..local }, AccessDecision::TokenWrong),
        ("token", AccessInput { credential: PresentedCredential::Token, ..local }, AccessDecision::Allow),
        ("session", AccessInput { credential: PresentedCredential::Session, ..local }, AccessDecision::Allow),
        (
            "own page",
            AccessInput {
                credential: PresentedCredential::Session,
                origin: OriginHeader::Own,
                site: FetchSite::Own,
                ..local
            },
            AccessDecision::Allow,
        ),
    ]);
}

#[test]
fn a_page_of_another_origin_changes_nothing_with_any_credential() {
    for route in [RouteAccess::Change, RouteAccess::Login] {
        for credential in [
            PresentedCredential::Absent,
            PresentedCredential::Token,
            PresentedCredential::ReadToken,
            PresentedCredential::Session,
            PresentedCredential::Wrong,
        ] {
            for (origin, site) in [
                (OriginHeader::Foreign, FetchSite::Absent),
                (OriginHeader::Own, FetchSite::Foreign),
                (OriginHeader::Absent, FetchSite::Foreign),
                (OriginHeader::Absent, FetchSite::Followed),
                (OriginHeader::Foreign, FetchSite::Own),
            ] {
                let input = AccessInput { route, origin, site, credential, ..LOCAL };
                assert_eq!(decide(&input), AccessDecision::ForeignPage, "{input:?}");
            }
        }
    }
}

#[test]
fn the_host_is_checked_on_every_route_with_every_credential() {
    for route in [RouteAccess::Open, RouteAccess::Whoami, RouteAccess::Read, RouteAccess::Login, RouteAccess::Change] {
        for credential in [
            PresentedCredential::Absent,
            PresentedCredential::Token,
            PresentedCredential::ReadToken,
            PresentedCredential::Session,
            PresentedCredential::Wrong,
        ] {
            for listens_beyond_loopback in [false, true] {
                let input =
                    AccessInput { route, credential, host: HostKind::Foreign, listens_beyond_loopback, ..LOCAL };
                assert_eq!(decide(&input), AccessDecision::Misdirected, "{input:?}");
            }
            let input = AccessInput { route, credential, host: HostKind::Address, ..LOCAL };
            assert_eq!(
                decide(&input),
                AccessDecision::Misdirected,
                "an address, listening on loopback only: {input:?}"
            );
        }
    }
}

#[test]
fn health_and_the_bare_page_are_public() {
    for input in [LOCAL, REMOTE, AccessInput { credential: PresentedCredential::Wrong, is_throttled: true, ..REMOTE }] {
        assert_eq!(decide(&AccessInput { route: RouteAccess::Open, ..input }), AccessDecision::Allow);
    }
}

#[test]
fn a_throttled_peer_is_denied_even_with_the_right_token() {
    let throttled = AccessInput { is_throttled: true, ..LOCAL };
    check(&[
        ("right", AccessInput { credential: PresentedCredential::Token, ..throttled }, AccessDecision::Throttled),
        ("wrong", AccessInput { credential: PresentedCredential::Wrong, ..throttled }, AccessDecision::Throttled),
        ("login", AccessInput { route: RouteAccess::Login, ..throttled }, AccessDecision::Throttled),
        (
            "right token, permission query",
            AccessInput { route: RouteAccess::Whoami, credential: PresentedCredential::Token, ..throttled },
            AccessDecision::Throttled,
        ),
        (
            "wrong token, permission query",
            AccessInput { route: RouteAccess::Whoami, credential: PresentedCredential::Wrong, ..throttled },
            AccessDecision::Throttled,
        ),
        (
            "permission query of the page",
            AccessInput { route: RouteAccess::Whoami, ..throttled },
            AccessDecision::Allow,
        ),
        ("session", AccessInput { credential: PresentedCredential::Session, ..throttled }, AccessDecision::Allow),
        ("read without a token", throttled, AccessDecision::Allow),
    ]);
}

#[test]
fn paths_not_listed_as_public_are_closed() {
    let cases = [
        (Method::GET, "/", RouteAccess::Open),
        (Method::HEAD, "/healthz", RouteAccess::Open),
        (Method::GET, "/api/v1/session", RouteAccess::Whoami),
        (Method::HEAD, "/api/v1/session", RouteAccess::Whoami),
        (Method::POST, "/api/v1/session", RouteAccess::Login),
        (Method::DELETE, "/api/v1/session", RouteAccess::Change),
        (Method::GET, "/metrics", RouteAccess::Read),
        (Method::GET, "/api/v1/events", RouteAccess::Read),
        (Method::GET, "/nowhere", RouteAccess::Read),
        (Method::POST, "/", RouteAccess::Change),
        (Method::OPTIONS, "/api/v1/cache/stats", RouteAccess::Change),
        (Method::POST, "/api/v1/cache/clear", RouteAccess::Change),
        (Method::PUT, "/api/v1/mode", RouteAccess::Change),
        (Method::DELETE, "/api/v1/bypass", RouteAccess::Change),
        (Method::GET, "/api/v1/bypass", RouteAccess::Read),
        (Method::POST, "/api/v1/why", RouteAccess::Change),
        (Method::POST, "/api/v1/match/tracks", RouteAccess::Read),
        (Method::POST, "/api/v1/match/paths", RouteAccess::Read),
        (Method::PUT, "/api/v1/match/paths", RouteAccess::Change),
        (Method::POST, "/api/v1/folders/comics/match", RouteAccess::Read),
        (Method::POST, "/api/v1/folders/comics/marks", RouteAccess::Change),
        (Method::POST, "/api/v1/folders/comics/marks/match", RouteAccess::Change),
        (Method::PUT, "/api/v1/match/pins", RouteAccess::Change),
        (Method::POST, "/api/v1/match/decisions", RouteAccess::Change),
        (Method::GET, "/api/v1/playlists/standing", RouteAccess::Read),
        (Method::POST, "/api/v1/playlists/standing/weekly/run", RouteAccess::Change),
        (Method::POST, "/api/v1/match/disown", RouteAccess::Change),
    ];
    for (method, path, expected) in cases {
        assert_eq!(RouteAccess::classify(&method, path), expected, "{method} {path}");
    }
}

#[test]
fn every_denial_has_a_detail_that_says_what_to_do() {
    for denial in AccessDecision::DENIALS {
        let problem = denial.problem().expect("a denial has a problem");
        assert!(problem.status.is_client_error() && problem.detail.len() > 20, "{denial:?}");
    }
    assert!(AccessDecision::Allow.problem().is_none());
}

#[test]
fn the_token_of_an_app_opens_its_folders_and_nothing_else() {
    let app = |is_covered, is_read_only| PresentedCredential::AppToken { is_covered, is_read_only };
    let of = |route, credential| AccessInput { route, credential, ..REMOTE };
    check(&[
        ("a list of its folder", of(RouteAccess::Read, app(true, true)), AccessDecision::Allow),
        ("marks of its folder", of(RouteAccess::Change, app(true, false)), AccessDecision::Allow),
        ("marks, read-only", of(RouteAccess::Change, app(true, true)), AccessDecision::TokenOnlyReads),
        ("another path", of(RouteAccess::Read, app(false, false)), AccessDecision::TokenElsewhere),
        ("a change elsewhere", of(RouteAccess::Change, app(false, false)), AccessDecision::TokenElsewhere),
        (
            "a read elsewhere on this machine",
            AccessInput { host: HostKind::Loopback, ..of(RouteAccess::Read, app(false, true)) },
            AccessDecision::TokenElsewhere,
        ),
        ("its own rights", of(RouteAccess::Whoami, app(false, true)), AccessDecision::Allow),
    ]);
}

#[test]
fn a_path_belongs_to_the_folder_that_it_names() {
    let access = AppAccess { folders: vec!["comics".into()], ..AppAccess::default() };
    let is_one = |path: &str, compat| is_path_of(path, &access, compat);
    for path in ["/api/v1/folders/comics", "/api/v1/folders/comics/files", "/api/v1/folders/comics/marks/undo"] {
        assert!(is_one(path, None), "{path}");
    }
    for path in [
        "/api/v1/folders",
        "/api/v1/folders/",
        "/api/v1/folders/comics2/files",
        "/api/v1/folders/other/../comics",
        "/api/v1/folders/%63omics",
        "/api/v1/servers",
        "/metrics",
        "/",
    ] {
        assert!(!is_one(path, Some("comics")), "{path}");
    }
    assert!(is_one("/api/files", Some("comics")) && is_one("/api/cache/stats", Some("comics")));
    assert!(!is_one("/api/files", Some("other")) && !is_one("/api/files", None));
    assert!(!is_one("/api/filesystem", Some("comics")));
}

#[test]
fn a_path_belongs_to_the_cache_that_it_names() {
    let access = AppAccess { caches: vec!["worker".into()], folders: vec!["other".into()], is_read_only: false };
    for path in ["/api/v1/caches/worker", "/api/v1/caches/worker/entries", "/api/v1/caches/worker/entries/a%2Fb"] {
        assert!(is_path_of(path, &access, None), "{path}");
    }
    for path in [
        "/api/v1/caches",
        "/api/v1/caches/",
        "/api/v1/caches/other/entries",
        "/api/v1/caches/worker2/entries",
        "/api/v1/caches/%77orker/entries",
        "/api/v1/caches/other/../worker/entries",
        "/api/v1/caches//worker",
        "/api/v1/folders/worker",
    ] {
        assert!(!is_path_of(path, &access, None), "{path}");
    }
}

#[test]
fn what_an_app_stored_is_shown_with_its_token_or_the_control_token_only() {
    for (path, access) in [
        ("/api/v1/caches", RouteAccess::Read),
        ("/api/v1/caches/worker", RouteAccess::Read),
        ("/api/v1/caches/worker/entries", RouteAccess::ReadEntries),
        ("/api/v1/caches/worker/entries/key", RouteAccess::ReadEntries),
    ] {
        assert_eq!(RouteAccess::classify(&Method::GET, path), access, "{path}");
        assert_eq!(RouteAccess::classify(&Method::POST, path), RouteAccess::Change, "{path}");
    }
    for (path, access) in [
        ("/api/v1/caches/worker/batch/get", RouteAccess::ReadEntries),
        ("/api/v1/caches/worker/batch", RouteAccess::Change),
        ("/api/v1/caches/worker/batch/get/", RouteAccess::Change),
        ("/api/v1/caches/worker/entries/batch/get", RouteAccess::Change),
        ("/api/v1/caches/batch/get", RouteAccess::Change),
    ] {
        assert_eq!(RouteAccess::classify(&Method::POST, path), access, "{path}");
    }
    let app = |is_read_only| PresentedCredential::AppToken { is_covered: true, is_read_only };
    let of = |credential| AccessInput { route: RouteAccess::ReadEntries, credential, ..LOCAL };
    check(&[
        ("a program on this machine", of(PresentedCredential::Absent), AccessDecision::TokenMissing),
        ("the control token", of(PresentedCredential::Token), AccessDecision::Allow),
        ("the read-only token", of(PresentedCredential::ReadToken), AccessDecision::TokenOnlyReads),
        ("the app", of(app(false)), AccessDecision::Allow),
        ("the app, read-only", of(app(true)), AccessDecision::Allow),
    ]);
}
