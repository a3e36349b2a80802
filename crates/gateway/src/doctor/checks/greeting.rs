//! Who answers.

use greenroom_upstream::ask::Kind;
use greenroom_upstream::introduction::Introduction;

use crate::doctor::facts::{Said, ServerFacts};
use crate::doctor::finding::Finding;

const CHECK: &str = "who answers";

/// The server that was configured, another one, or something else.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let Said { introduction, took_ms, .. } = facts.said.as_ref().ok()?;
    let (kind, at) = (facts.kind.name(), facts.place.url());
    match introduction {
        Introduction::Served { kind: found, name, version, .. } if *found == facts.kind => {
            let own = name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
            Some(Finding::ok(CHECK, format!("{kind}{own} {version} answers in {took_ms} ms")))
        }
        Introduction::Served { kind: found, .. } => Some(other(facts, *found)),
        Introduction::Emby(version) => Some(emby(&at, version)),
        Introduction::Starting => Some(Finding::warning(
            CHECK,
            format!("{at} is starting"),
            "wait until it is up, then run this again; apps get what is kept meanwhile",
        )),
        Introduction::WantsEncryption => None,
        Introduction::Nothing(_) | Introduction::Foreign(_) => Some(stranger(facts)),
    }
}

fn stranger(facts: &ServerFacts) -> Finding {
    if let Some(base_path) = &facts.base_path_that_answers {
        return Finding::problem(
            CHECK,
            format!("the server is there, but at another path than {}", facts.place.url()),
            format!("configure url = \"{}\"", facts.place.with_base_path(base_path).url()),
        );
    }
    match &facts.other_kind {
        Some(Introduction::Served { kind, .. }) => other(facts, *kind),
        Some(Introduction::Emby(version)) => emby(&facts.place.url(), version),
        _ => Finding::problem(
            CHECK,
            format!("what answers at {} is not a {} server", facts.place.url(), facts.kind.name()),
            "check address and port; behind a proxy url needs the path before all paths, if there is one \
             (https://media.example/jellyfin), and no page to log in may stand in between",
        ),
    }
}

fn other(facts: &ServerFacts, found: Kind) -> Finding {
    Finding::problem(
        CHECK,
        format!("{} is a {} server, not a {} server", facts.place.url(), found.name(), facts.kind.name()),
        format!("configure kind = \"{}\"", found.name()),
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
    use super::*;
    use crate::doctor::checks::sample::{assert_says, server};
    use crate::doctor::finding::Level;

    fn answering(introduction: Introduction) -> ServerFacts {
        let mut facts = server(Kind::Jellyfin, "http://nas:8096");
        facts.said = Ok(Said { introduction, took_ms: 3, clock_ahead_s: None });
        facts
    }

    fn plex() -> Introduction {
        Introduction::Served { kind: Kind::Plex, name: None, version: "1.43".into(), claimed: None }
    }

    #[test]
    fn the_server_that_was_configured_is_named() {
        let facts = server(Kind::Plex, "http://nas:32400");
        assert_says(check(&facts), Level::Ok, &["plex \"Den\" 1.43.0 answers in 12 ms"]);
    }

    #[test]
    fn another_kind_is_said_to_be_another_kind() {
        let words = ["is a plex server, not a jellyfin server", "kind = \"plex\""];
        assert_says(check(&answering(plex())), Level::Problem, &words);
        let mut facts = answering(Introduction::Nothing(404));
        facts.other_kind = Some(plex());
        assert_says(check(&facts), Level::Problem, &words);
    }

    #[test]
    fn emby_is_known_and_refused() {
        let words = ["Emby server (4.8)", "not supported yet"];
        assert_says(check(&answering(Introduction::Emby("4.8".into()))), Level::Problem, &words);
        let mut facts = answering(Introduction::Foreign(200));
        facts.other_kind = Some(Introduction::Emby("4.8".into()));
        assert_says(check(&facts), Level::Problem, &words);
    }

    #[test]
    fn a_wrong_base_path_is_told_with_the_right_one() {
        let mut facts = answering(Introduction::Nothing(404));
        facts.base_path_that_answers = Some("/jellyfin".into());
        assert_says(check(&facts), Level::Problem, &["url = \"http://nas:8096/jellyfin\""]);
    }

    #[test]
    fn a_stranger_and_a_starting_server_are_told_apart() {
        assert_says(
            check(&answering(Introduction::Foreign(200))),
            Level::Problem,
            &["not a jellyfin server", "proxy"],
        );
        assert_says(
            check(&answering(Introduction::Starting)),
            Level::Warning,
            &["is starting", "run this again"],
        );
        assert_eq!(check(&answering(Introduction::WantsEncryption)), None);
    }
}
