//! Checks that the configured server answers, and not another one.

use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;

use crate::advice;
use crate::facts::{IdentityResponse, ServerFacts};
use crate::finding::Finding;

const CHECK: &str = "server";

/// Reports another server than the configured one, or something else.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let IdentityResponse { identity, took_ms, .. } = facts.identity_response.as_ref().ok()?;
    let (kind, at) = (facts.kind.name(), facts.endpoint.url());
    if let Some((base_path, found)) = &facts.server_elsewhere {
        let elsewhere = facts.endpoint.with_base_path(base_path);
        let (what, remedy) = if *found == facts.kind {
            (format!("the server is there, but at another path than {at}"), advice::set_url(facts, &elsewhere))
        } else {
            let what =
                format!("a {} server is there, not a {kind} server, and at another path than {at}", found.name());
            (what, advice::set_server(facts, *found, &elsewhere))
        };
        return Some(Finding::problem(CHECK, what, remedy));
    }
    Some(match identity {
        ServerIdentity::Expected(found) => {
            let own = found.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
            Finding::ok(CHECK, format!("{kind}{own} {} answers in {took_ms} ms", found.version))
        }
        ServerIdentity::OtherKind(found) => other(facts, found.kind),
        ServerIdentity::Emby { version } => emby(&at, version),
        ServerIdentity::Starting { .. } => Finding::warning(
            CHECK,
            format!("{at} is starting"),
            "wait until it is up, then run this again; apps get cached responses meanwhile",
        ),
        ServerIdentity::Failing { status } => Finding::problem(
            CHECK,
            format!("{at} answers with status {status}: the server, or a proxy in front of it, is in trouble"),
            "look into the server's log; if there is a proxy, check that it reaches the server",
        ),
        // Reported by the check of encryption.
        ServerIdentity::EncryptionRequired => return None,
        ServerIdentity::Unrecognized(_) => stranger(facts, identity),
    })
}

fn stranger(facts: &ServerFacts, identity: &ServerIdentity) -> Finding {
    Finding::problem(
        CHECK,
        format!("what answers at {} is not a {} server: {identity}", facts.endpoint.url(), facts.kind.name()),
        "check address and port; behind a proxy url needs the path before all paths, if there is one \
         (https://media.example/jellyfin), and no page to log in may stand in between",
    )
}

fn other(facts: &ServerFacts, found: ServerKind) -> Finding {
    Finding::problem(
        CHECK,
        format!("{} is a {} server, not a {} server", facts.endpoint.url(), found.name(), facts.kind.name()),
        advice::set_kind(facts, found),
    )
}

fn emby(at: &str, version: &str) -> Finding {
    Finding::problem(
        CHECK,
        format!("{at} is an Emby server ({version})"),
        "Emby is not supported yet: let its apps ask it directly",
    )
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::server_identity::{MediaServer, UnrecognizedResponse};

    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::finding::FindingLevel;

    fn answering(identity: ServerIdentity) -> ServerFacts {
        let mut facts = server(ServerKind::Jellyfin, "http://nas:8096");
        facts.identity_response = Ok(IdentityResponse { identity, took_ms: 3, clock_ahead_s: None });
        facts
    }

    fn plex() -> ServerIdentity {
        ServerIdentity::OtherKind(MediaServer {
            kind: ServerKind::Plex,
            name: None,
            version: "1.43".into(),
            id: Some("m".into()),
            claimed: None,
        })
    }

    fn nothing() -> ServerIdentity {
        ServerIdentity::Unrecognized(UnrecognizedResponse::NotFound(404))
    }

    #[test]
    fn the_server_that_was_configured_is_named() {
        let facts = server(ServerKind::Plex, "http://nas:32400");
        assert_says(check(&facts), FindingLevel::Ok, &["plex \"Den\" 1.43.0 answers in 12 ms"]);
    }

    #[test]
    fn another_kind_is_said_to_be_another_kind() {
        let words = ["is a plex server, not a jellyfin server", "kind = \"plex\""];
        assert_says(check(&answering(plex())), FindingLevel::Problem, &words);
    }

    #[test]
    fn emby_is_known_and_refused() {
        let words = ["Emby server (4.8)", "not supported yet"];
        assert_says(check(&answering(ServerIdentity::Emby { version: "4.8".into() })), FindingLevel::Problem, &words);
    }

    #[test]
    fn a_wrong_base_path_is_told_with_the_right_one() {
        let mut facts = answering(nothing());
        facts.server_elsewhere = Some(("/jellyfin".into(), ServerKind::Jellyfin));
        assert_says(check(&facts), FindingLevel::Problem, &["url = \"http://nas:8096/jellyfin\""]);
        facts.server_elsewhere = Some((String::new(), ServerKind::Plex));
        let words = ["a plex server is there", "kind = \"plex\"", "url = \"http://nas:8096\""];
        assert_says(check(&facts), FindingLevel::Problem, &words);
    }

    #[test]
    fn a_stranger_and_a_starting_server_are_told_apart() {
        assert_says(
            check(&answering(ServerIdentity::Unrecognized(UnrecognizedResponse::WebPage))),
            FindingLevel::Problem,
            &["not a jellyfin server", "a web page", "proxy"],
        );
        assert_says(
            check(&answering(ServerIdentity::Failing { status: 502 })),
            FindingLevel::Problem,
            &["status 502", "the server's log"],
        );
        assert_says(
            check(&answering(ServerIdentity::Starting { status: 503 })),
            FindingLevel::Warning,
            &["is starting", "run this again"],
        );
        assert_eq!(check(&answering(ServerIdentity::EncryptionRequired)), None);
    }
}
