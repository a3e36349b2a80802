//! Decisions of the access policy, case by case.

use super::*;

/// A program on this machine without a credential.
const LOCAL: AccessInput = AccessInput {
    route: RouteAccess::Read,
    host: HostKind::Loopback,
    listens_beyond_loopback: false,
    peer_is_loopback: true,
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

fn check(cases: &[(&str, AccessInput, AccessDecision)]) {
    for (what, facts, expected) in cases {
        assert_eq!(decide(facts), *expected, "{what}");
    }
}

#[test]
fn figures_are_read_without_a_token_only_on_this_machine() {
    check(&[
        ("local", LOCAL, AccessDecision::Allow),
        ("typed", AccessInput { site: FetchSite::Own, ..LOCAL }, AccessDecision::Allow),
        ("a link to the figures", AccessInput { site: FetchSite::Followed, ..LOCAL }, AccessDecision::Allow),
        ("remote", REMOTE, AccessDecision::TokenMissing),
        (
            "remote that says localhost",
            AccessInput { host: HostKind::Loopback, ..REMOTE },
            AccessDecision::TokenMissing,
        ),
        ("forwarded", AccessInput { is_forwarded: true, ..LOCAL }, AccessDecision::TokenMissing),
        ("another page's script", AccessInput { site: FetchSite::Foreign, ..LOCAL }, AccessDecision::TokenMissing),
        ("another page's origin", AccessInput { origin: OriginHeader::Foreign, ..LOCAL }, AccessDecision::TokenMissing),
        (
            "local through the outer address",
            AccessInput { host: HostKind::Address, listens_beyond_loopback: true, ..LOCAL },
            AccessDecision::TokenMissing,
        ),
    ]);
}

#[test]
fn figures_are_read_from_anywhere_with_the_token_or_a_session() {
    for facts in [LOCAL, REMOTE, AccessInput { is_forwarded: true, ..LOCAL }] {
        assert_eq!(decide(&AccessInput { credential: PresentedCredential::Token, ..facts }), AccessDecision::Allow);
        assert_eq!(decide(&AccessInput { credential: PresentedCredential::Session, ..facts }), AccessDecision::Allow);
        assert_eq!(
            decide(&AccessInput { credential: PresentedCredential::Wrong, ..facts }),
            AccessDecision::TokenWrong
        );
    }
}

#[test]
fn the_token_that_only_reads_reads_from_anywhere_and_does_nothing_else() {
    for facts in [LOCAL, REMOTE, AccessInput { is_forwarded: true, ..LOCAL }] {
        let reading = AccessInput { credential: PresentedCredential::ReadToken, ..facts };
        check(&[
            ("read", reading, AccessDecision::Allow),
            ("the bare page", AccessInput { route: RouteAccess::Open, ..reading }, AccessDecision::Allow),
            ("change", AccessInput { route: RouteAccess::Change, ..reading }, AccessDecision::TokenOnlyReads),
            (
                "change from another page",
                AccessInput { route: RouteAccess::Change, origin: OriginHeader::Foreign, ..reading },
                AccessDecision::ForeignPage,
            ),
            ("after guessing", AccessInput { is_throttled: true, ..reading }, AccessDecision::Throttled),
        ]);
    }
}

#[test]
fn what_was_opened_to_a_network_is_read_from_there_and_nothing_else_is_done() {
    let opened = AccessInput { is_open_read: true, ..REMOTE };
    check(&[
        ("opened", opened, AccessDecision::Allow),
        ("by a configured name", AccessInput { host: HostKind::Named, ..opened }, AccessDecision::Allow),
        ("forwarded for somebody", AccessInput { is_forwarded: true, ..opened }, AccessDecision::TokenMissing),
        ("another page's script", AccessInput { site: FetchSite::Foreign, ..opened }, AccessDecision::TokenMissing),
        ("a wrong token", AccessInput { credential: PresentedCredential::Wrong, ..opened }, AccessDecision::TokenWrong),
        ("a change", AccessInput { route: RouteAccess::Change, ..opened }, AccessDecision::TokenMissing),
        ("another name", AccessInput { host: HostKind::Foreign, ..opened }, AccessDecision::Misdirected),
    ]);
}

#[test]
fn a_configured_name_is_no_local_one() {
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
        ("nothing shown", local, AccessDecision::TokenMissing),
        ("wrong", AccessInput { credential: PresentedCredential::Wrong, ..local }, AccessDecision::TokenWrong),
        ("token", AccessInput { credential: PresentedCredential::Token, ..local }, AccessDecision::Allow),
        ("session", AccessInput { credential: PresentedCredential::Session, ..local }, AccessDecision::Allow),
        (
            "our page",
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
fn another_page_changes_nothing_whatever_it_shows() {
    for route in [RouteAccess::Change, RouteAccess::Login] {
        for proof in [
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
                let facts = AccessInput { route, origin, site, credential: proof, ..LOCAL };
                assert_eq!(decide(&facts), AccessDecision::ForeignPage, "{facts:?}");
            }
        }
    }
}

#[test]
fn the_host_is_checked_on_every_route_with_every_proof() {
    for route in [RouteAccess::Open, RouteAccess::Whoami, RouteAccess::Read, RouteAccess::Login, RouteAccess::Change] {
        for proof in [
            PresentedCredential::Absent,
            PresentedCredential::Token,
            PresentedCredential::ReadToken,
            PresentedCredential::Session,
            PresentedCredential::Wrong,
        ] {
            for listens_beyond_loopback in [false, true] {
                let facts =
                    AccessInput { route, credential: proof, host: HostKind::Foreign, listens_beyond_loopback, ..LOCAL };
                assert_eq!(decide(&facts), AccessDecision::Misdirected, "{facts:?}");
            }
            let facts = AccessInput { route, credential: proof, host: HostKind::Address, ..LOCAL };
            assert_eq!(decide(&facts), AccessDecision::Misdirected, "an address while on loopback: {facts:?}");
        }
    }
}

#[test]
fn health_and_the_bare_page_are_open_to_everybody() {
    for facts in [LOCAL, REMOTE, AccessInput { credential: PresentedCredential::Wrong, is_throttled: true, ..REMOTE }] {
        assert_eq!(decide(&AccessInput { route: RouteAccess::Open, ..facts }), AccessDecision::Allow);
    }
}

#[test]
fn who_guesses_is_not_even_told_when_the_guess_is_right() {
    let guessing = AccessInput { is_throttled: true, ..LOCAL };
    check(&[
        ("right", AccessInput { credential: PresentedCredential::Token, ..guessing }, AccessDecision::Throttled),
        ("wrong", AccessInput { credential: PresentedCredential::Wrong, ..guessing }, AccessDecision::Throttled),
        ("login", AccessInput { route: RouteAccess::Login, ..guessing }, AccessDecision::Throttled),
        (
            "a right token, asking what it may",
            AccessInput { route: RouteAccess::Whoami, credential: PresentedCredential::Token, ..guessing },
            AccessDecision::Throttled,
        ),
        (
            "a wrong token, asking what it may",
            AccessInput { route: RouteAccess::Whoami, credential: PresentedCredential::Wrong, ..guessing },
            AccessDecision::Throttled,
        ),
        ("the page asks what it may", AccessInput { route: RouteAccess::Whoami, ..guessing }, AccessDecision::Allow),
        (
            "a session is not guessed",
            AccessInput { credential: PresentedCredential::Session, ..guessing },
            AccessDecision::Allow,
        ),
        ("reading without a token goes on", guessing, AccessDecision::Allow),
    ]);
}

#[test]
fn what_is_not_listed_as_open_is_closed() {
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
fn every_refusal_says_what_to_do() {
    for refusal in AccessDecision::REFUSALS {
        let problem = refusal.problem().expect("a refusal is a problem");
        assert!(problem.status.is_client_error() && problem.detail.len() > 20, "{refusal:?}");
    }
    assert!(AccessDecision::Allow.problem().is_none());
}
