//! Whether the server requires a token at all.

use greenroom_dialect::request::ServerKind;

use crate::facts::ServerFacts;
use crate::finding::Finding;

const CHECK: &str = "anonymous access";

/// Warns if the server trusts Greenroom's address: then it trusts every client behind Greenroom.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let any_token = facts.with_invented_token == Some(200);
    if facts.without_token != Some(200) && !any_token {
        return facts.without_token.map(|_| Finding::ok(CHECK, "the server asks for a token"));
    }
    let what = if any_token {
        "the server accepts a made-up token: behind Greenroom every app would be let in"
    } else {
        "the server answers this machine without a token; Greenroom itself still asks apps for one"
    };
    let remedy = match facts.kind {
        ServerKind::Plex => {
            "in the server's settings under Network, take this machine's address out of \"List of IP addresses and \
             networks that are allowed without auth\""
        }
        ServerKind::Jellyfin => {
            "take out whatever lets this address in without a log-in: a plugin for single sign-on, or a proxy before the \
             server that adds a token"
        }
    };
    Some(if any_token { Finding::problem(CHECK, what, remedy) } else { Finding::warning(CHECK, what, remedy) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::finding::FindingLevel;

    #[test]
    fn a_server_that_answers_without_a_token_is_told_of() {
        let mut facts = server(ServerKind::Plex, "http://nas:32400");
        assert_says(check(&facts), FindingLevel::Ok, &["asks for a token"]);
        facts.without_token = Some(200);
        assert_says(check(&facts), FindingLevel::Warning, &["without a token", "allowed without auth"]);
        facts.with_invented_token = Some(200);
        assert_says(check(&facts), FindingLevel::Problem, &["a made-up token", "allowed without auth"]);
    }

    #[test]
    fn a_jellyfin_behind_a_proxy_that_logs_in_is_told_of() {
        let mut facts = server(ServerKind::Jellyfin, "http://nas:8096");
        facts.without_token = Some(200);
        assert_says(check(&facts), FindingLevel::Warning, &["a proxy before the server that adds a token"]);
        facts.without_token = None;
        facts.with_invented_token = None;
        assert_eq!(check(&facts), None);
    }
}
