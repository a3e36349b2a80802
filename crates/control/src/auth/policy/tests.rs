//! The order of the gate, case by case.

use super::*;

/// A program on this machine that shows nothing.
const LOCAL: Facts = Facts {
    route: Route::Read,
    host: Host::Loopback,
    listens_beyond_loopback: false,
    peer_is_loopback: true,
    is_forwarded: false,
    is_open_read: false,
    origin: Origin::Absent,
    site: Site::Absent,
    proof: Proof::Absent,
    is_throttled: false,
};

/// A program on another machine that shows nothing.
const REMOTE: Facts =
    Facts { host: Host::Address, listens_beyond_loopback: true, peer_is_loopback: false, ..LOCAL };

fn check(cases: &[(&str, Facts, Decision)]) {
    for (what, facts, expected) in cases {
        assert_eq!(decide(facts), *expected, "{what}");
    }
}

#[test]
fn figures_are_read_without_a_token_only_on_this_machine() {
    check(&[
        ("local", LOCAL, Decision::Allow),
        ("typed", Facts { site: Site::Own, ..LOCAL }, Decision::Allow),
        ("a link to the figures", Facts { site: Site::Followed, ..LOCAL }, Decision::Allow),
        ("remote", REMOTE, Decision::TokenMissing),
        ("remote that says localhost", Facts { host: Host::Loopback, ..REMOTE }, Decision::TokenMissing),
        ("forwarded", Facts { is_forwarded: true, ..LOCAL }, Decision::TokenMissing),
        ("another page's script", Facts { site: Site::Foreign, ..LOCAL }, Decision::TokenMissing),
        ("another page's origin", Facts { origin: Origin::Foreign, ..LOCAL }, Decision::TokenMissing),
        (
            "local through the outer address",
            Facts { host: Host::Address, listens_beyond_loopback: true, ..LOCAL },
            Decision::TokenMissing,
        ),
    ]);
}

#[test]
fn figures_are_read_from_anywhere_with_the_token_or_a_session() {
    for facts in [LOCAL, REMOTE, Facts { is_forwarded: true, ..LOCAL }] {
        assert_eq!(decide(&Facts { proof: Proof::Token, ..facts }), Decision::Allow);
        assert_eq!(decide(&Facts { proof: Proof::Session, ..facts }), Decision::Allow);
        assert_eq!(decide(&Facts { proof: Proof::Wrong, ..facts }), Decision::TokenWrong);
    }
}

#[test]
fn the_token_that_only_reads_reads_from_anywhere_and_does_nothing_else() {
    for facts in [LOCAL, REMOTE, Facts { is_forwarded: true, ..LOCAL }] {
        let reading = Facts { proof: Proof::ReadToken, ..facts };
        check(&[
            ("read", reading, Decision::Allow),
            ("the bare page", Facts { route: Route::Open, ..reading }, Decision::Allow),
            ("change", Facts { route: Route::Change, ..reading }, Decision::TokenOnlyReads),
            (
                "change from another page",
                Facts { route: Route::Change, origin: Origin::Foreign, ..reading },
                Decision::ForeignPage,
            ),
            ("after guessing", Facts { is_throttled: true, ..reading }, Decision::Throttled),
        ]);
    }
}

#[test]
fn what_was_opened_to_a_network_is_read_from_there_and_nothing_else_is_done() {
    let opened = Facts { is_open_read: true, ..REMOTE };
    check(&[
        ("opened", opened, Decision::Allow),
        ("by a configured name", Facts { host: Host::Named, ..opened }, Decision::Allow),
        ("forwarded for somebody", Facts { is_forwarded: true, ..opened }, Decision::TokenMissing),
        ("another page's script", Facts { site: Site::Foreign, ..opened }, Decision::TokenMissing),
        ("a wrong token", Facts { proof: Proof::Wrong, ..opened }, Decision::TokenWrong),
        ("a change", Facts { route: Route::Change, ..opened }, Decision::TokenMissing),
        ("another name", Facts { host: Host::Foreign, ..opened }, Decision::Misdirected),
    ]);
}

#[test]
fn a_configured_name_is_no_local_one() {
    for listens_beyond_loopback in [false, true] {
        let named = Facts { host: Host::Named, listens_beyond_loopback, ..LOCAL };
        check(&[
            ("read", named, Decision::TokenMissing),
            ("page", Facts { route: Route::Open, ..named }, Decision::Allow),
            ("token", Facts { proof: Proof::Token, ..named }, Decision::Allow),
        ]);
    }
}

#[test]
fn a_change_needs_the_token_even_on_this_machine() {
    let local = Facts { route: Route::Change, ..LOCAL };
    check(&[
        ("nothing shown", local, Decision::TokenMissing),
        ("wrong", Facts { proof: Proof::Wrong, ..local }, Decision::TokenWrong),
        ("token", Facts { proof: Proof::Token, ..local }, Decision::Allow),
        ("session", Facts { proof: Proof::Session, ..local }, Decision::Allow),
        (
            "our page",
            Facts { proof: Proof::Session, origin: Origin::Own, site: Site::Own, ..local },
            Decision::Allow,
        ),
    ]);
}

#[test]
fn another_page_changes_nothing_whatever_it_shows() {
    for route in [Route::Change, Route::Login] {
        for proof in [Proof::Absent, Proof::Token, Proof::ReadToken, Proof::Session, Proof::Wrong] {
            for (origin, site) in [
                (Origin::Foreign, Site::Absent),
                (Origin::Own, Site::Foreign),
                (Origin::Absent, Site::Foreign),
                (Origin::Absent, Site::Followed),
                (Origin::Foreign, Site::Own),
            ] {
                let facts = Facts { route, origin, site, proof, ..LOCAL };
                assert_eq!(decide(&facts), Decision::ForeignPage, "{facts:?}");
            }
        }
    }
}

#[test]
fn the_host_is_checked_on_every_route_with_every_proof() {
    for route in [Route::Open, Route::Whoami, Route::Read, Route::Login, Route::Change] {
        for proof in [Proof::Absent, Proof::Token, Proof::ReadToken, Proof::Session, Proof::Wrong] {
            for listens_beyond_loopback in [false, true] {
                let facts = Facts { route, proof, host: Host::Foreign, listens_beyond_loopback, ..LOCAL };
                assert_eq!(decide(&facts), Decision::Misdirected, "{facts:?}");
            }
            let facts = Facts { route, proof, host: Host::Address, ..LOCAL };
            assert_eq!(decide(&facts), Decision::Misdirected, "an address while on loopback: {facts:?}");
        }
    }
}

#[test]
fn health_and_the_bare_page_are_open_to_everybody() {
    for facts in [LOCAL, REMOTE, Facts { proof: Proof::Wrong, is_throttled: true, ..REMOTE }] {
        assert_eq!(decide(&Facts { route: Route::Open, ..facts }), Decision::Allow);
    }
}

#[test]
fn who_guesses_is_not_even_told_when_the_guess_is_right() {
    let guessing = Facts { is_throttled: true, ..LOCAL };
    check(&[
        ("right", Facts { proof: Proof::Token, ..guessing }, Decision::Throttled),
        ("wrong", Facts { proof: Proof::Wrong, ..guessing }, Decision::Throttled),
        ("login", Facts { route: Route::Login, ..guessing }, Decision::Throttled),
        (
            "a right token, asking what it may",
            Facts { route: Route::Whoami, proof: Proof::Token, ..guessing },
            Decision::Throttled,
        ),
        (
            "a wrong token, asking what it may",
            Facts { route: Route::Whoami, proof: Proof::Wrong, ..guessing },
            Decision::Throttled,
        ),
        ("the page asks what it may", Facts { route: Route::Whoami, ..guessing }, Decision::Allow),
        ("a session is not guessed", Facts { proof: Proof::Session, ..guessing }, Decision::Allow),
        ("reading without a token goes on", guessing, Decision::Allow),
    ]);
}

#[test]
fn what_is_not_listed_as_open_is_closed() {
    let cases = [
        (Method::GET, "/", Route::Open),
        (Method::HEAD, "/healthz", Route::Open),
        (Method::GET, "/api/v1/session", Route::Whoami),
        (Method::HEAD, "/api/v1/session", Route::Whoami),
        (Method::POST, "/api/v1/session", Route::Login),
        (Method::DELETE, "/api/v1/session", Route::Change),
        (Method::GET, "/metrics", Route::Read),
        (Method::GET, "/api/v1/events", Route::Read),
        (Method::GET, "/nowhere", Route::Read),
        (Method::POST, "/", Route::Change),
        (Method::OPTIONS, "/api/v1/cache/stats", Route::Change),
        (Method::POST, "/api/v1/cache/clear", Route::Change),
        (Method::PUT, "/api/v1/mode", Route::Change),
        (Method::DELETE, "/api/v1/bypass", Route::Change),
        (Method::GET, "/api/v1/bypass", Route::Read),
        (Method::POST, "/api/v1/why", Route::Change),
        (Method::POST, "/api/v1/match/tracks", Route::Read),
        (Method::POST, "/api/v1/match/paths", Route::Read),
        (Method::PUT, "/api/v1/match/paths", Route::Change),
        (Method::PUT, "/api/v1/match/pins", Route::Change),
        (Method::POST, "/api/v1/match/decisions", Route::Change),
        (Method::GET, "/api/v1/playlists/standing", Route::Read),
        (Method::POST, "/api/v1/playlists/standing/weekly/run", Route::Change),
        (Method::POST, "/api/v1/match/disown", Route::Change),
    ];
    for (method, path, expected) in cases {
        assert_eq!(Route::of(&method, path), expected, "{method} {path}");
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    for refusal in Decision::REFUSALS {
        let problem = refusal.problem().expect("a refusal is a problem");
        assert!(problem.status.is_client_error() && problem.detail.len() > 20, "{refusal:?}");
    }
    assert!(Decision::Allow.problem().is_none());
}
