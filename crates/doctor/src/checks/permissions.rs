//! Permissions of the configured token.

use greenroom_dialect::permissions::Permissions;
use greenroom_dialect::request::ServerKind;

use crate::facts::ServerFacts;
use crate::finding::Finding;
use greenroom_config::TokenSetup;
use greenroom_config::shell_quote::quoted;

const CHECK: &str = "token";

/// Reports a token that is missing, refused, without a user, or not the owner's.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    if facts.without_token.is_none() && facts.permissions.is_none() {
        return None;
    }
    let (url, name) = (facts.endpoint.url(), &facts.name);
    let url = quoted(&url);
    let login = match facts.kind {
        ServerKind::Plex => format!("greenroom login plex --server-url {url} --name {name}"),
        ServerKind::Jellyfin => format!("greenroom login jellyfin --url {url} --name {name}"),
    };
    if !facts.has_token {
        let what = "no token configured: everything works, but changes made on the server itself are noticed later";
        let url = facts.endpoint.url();
        let setup = TokenSetup::for_address(facts.kind, name, &url, &facts.url_place, &facts.data_dir);
        return Some(Finding::ok(CHECK, what).with_advice(format!("if you want them at once: {}", setup.sentence())));
    }
    let rights = match facts.permissions.as_ref()? {
        Ok(rights) => *rights,
        Err(silence) => {
            let what = format!("the token could not be tried: {silence}");
            return Some(Finding::warning(CHECK, what, "run this again"));
        }
    };
    Some(match rights {
        Permissions::Owner => Finding::ok(CHECK, "the token has the owner's rights: the server's events are followed"),
        Permissions::App => Finding::warning(
            CHECK,
            "the token was copied from an app: events go to whichever of the two connected last",
            format!("give Greenroom a token of its own: {login}"),
        ),
        Permissions::Member => Finding::warning(
            CHECK,
            "the token is valid, but not the owner's: the server's events do not come, changes are noticed later",
            format!("log in as the owner: {login}"),
        ),
        Permissions::Key => Finding::warning(
            CHECK,
            "the token is an API key, which belongs to no user: no user's events arrive, and changes are noticed later",
            format!("log in as an administrator instead: {login}"),
        ),
        Permissions::Refused => Finding::problem(
            CHECK,
            "the server does not know the token, or not any more",
            format!("get a new one: {login}"),
        ),
        Permissions::Unclear(status) => Finding::warning(
            CHECK,
            format!("the server answers {status} where it should say what the token may do"),
            "run this again when the server is at ease; if it stays so, look into its log",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::finding::FindingLevel;
    use greenroom_origin::probe_client::ProbeError;

    fn with(kind: ServerKind, rights: Permissions) -> Option<Finding> {
        let mut facts = server(kind, "http://nas:1");
        facts.permissions = Some(Ok(rights));
        check(&facts)
    }

    #[test]
    fn a_token_is_judged_by_what_it_may() {
        assert_says(with(ServerKind::Plex, Permissions::Owner), FindingLevel::Ok, &["the owner's rights"]);
        let words = ["not the owner's", "greenroom login plex --server-url http://nas:1 --name home"];
        assert_says(with(ServerKind::Plex, Permissions::Member), FindingLevel::Warning, &words);
        let words = ["an API key", "greenroom login jellyfin --url http://nas:1 --name home"];
        assert_says(with(ServerKind::Jellyfin, Permissions::Key), FindingLevel::Warning, &words);
        assert_says(
            with(ServerKind::Plex, Permissions::Refused),
            FindingLevel::Problem,
            &["does not know the token", "get a new one"],
        );
        assert_says(
            with(ServerKind::Plex, Permissions::Unclear(500)),
            FindingLevel::Warning,
            &["answers 500", "run this again"],
        );
    }

    #[test]
    fn no_token_is_no_fault() {
        let mut facts = server(ServerKind::Plex, "http://nas:1");
        (facts.has_token, facts.permissions) = (false, None);
        let words = ["no token configured", "greenroom login plex", "token_file = \"/data/home.token\""];
        let finding = check(&facts).expect("something is found");
        let advice = finding.remedy.expect("there is advice");
        assert!(finding.what.contains(words[0]) && words[1..].iter().all(|word| advice.contains(word)), "{advice}");
        facts.without_token = None;
        assert_eq!(check(&facts), None, "a server that was not reached says nothing of tokens");
        let mut silent = server(ServerKind::Plex, "http://nas:1");
        silent.permissions = Some(Err(ProbeError::BrokeOff));
        assert_says(check(&silent), FindingLevel::Warning, &["could not be tried"]);
    }
}
