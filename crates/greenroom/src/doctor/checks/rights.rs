//! What the configured token may do.

use greenroom_dialect::ask::Kind;
use greenroom_dialect::rights::Rights;

use crate::doctor::facts::ServerFacts;
use crate::doctor::finding::Finding;
use crate::shell_quote::quoted;

const CHECK: &str = "token";

/// A token that is missing, refused, nobody's, or not the owner's.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    if facts.without_token.is_none() && facts.rights.is_none() {
        return None;
    }
    let (url, name) = (facts.place.url(), &facts.name);
    let url = quoted(&url);
    let login = match facts.kind {
        Kind::Plex => format!("greenroom login plex --server-url {url} --name {name}"),
        Kind::Jellyfin => format!("greenroom login jellyfin --url {url} --name {name}"),
    };
    if !facts.has_token {
        let what =
            "no token configured: everything works, but changes made on the server itself are noticed later";
        return Some(Finding::ok(CHECK, what).but(format!("if you want them at once: {login}")));
    }
    let rights = match facts.rights.as_ref()? {
        Ok(rights) => *rights,
        Err(silence) => {
            let what = format!("the token could not be tried: {silence}");
            return Some(Finding::warning(CHECK, what, "run this again"));
        }
    };
    Some(match rights {
        Rights::Owner => {
            Finding::ok(CHECK, "the token has the owner's rights: the server's events are followed")
        }
        Rights::Member => Finding::warning(
            CHECK,
            "the token is valid, but not the owner's: the server's events do not come, changes are noticed later",
            format!("log in as the owner: {login}"),
        ),
        Rights::Key => Finding::warning(
            CHECK,
            "the token is an API key: it is nobody's, so no user's events come, changes are noticed later",
            format!("log in as an administrator instead: {login}"),
        ),
        Rights::Refused => Finding::problem(
            CHECK,
            "the server does not know the token, or not any more",
            format!("get a new one: {login}"),
        ),
        Rights::Unclear(status) => Finding::warning(
            CHECK,
            format!("the server answers {status} where it should say what the token may do"),
            "run this again when the server is at ease; if it stays so, look into its log",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::sample::{assert_says, server};
    use crate::doctor::finding::Level;
    use greenroom_origin::probe_client::Silence;

    fn with(kind: Kind, rights: Rights) -> Option<Finding> {
        let mut facts = server(kind, "http://nas:1");
        facts.rights = Some(Ok(rights));
        check(&facts)
    }

    #[test]
    fn a_token_is_judged_by_what_it_may() {
        assert_says(with(Kind::Plex, Rights::Owner), Level::Ok, &["the owner's rights"]);
        let words = ["not the owner's", "greenroom login plex --server-url http://nas:1 --name home"];
        assert_says(with(Kind::Plex, Rights::Member), Level::Warning, &words);
        let words = ["an API key", "greenroom login jellyfin --url http://nas:1 --name home"];
        assert_says(with(Kind::Jellyfin, Rights::Key), Level::Warning, &words);
        assert_says(
            with(Kind::Plex, Rights::Refused),
            Level::Problem,
            &["does not know the token", "get a new one"],
        );
        assert_says(
            with(Kind::Plex, Rights::Unclear(500)),
            Level::Warning,
            &["answers 500", "run this again"],
        );
    }

    #[test]
    fn no_token_is_no_fault() {
        let mut facts = server(Kind::Plex, "http://nas:1");
        (facts.has_token, facts.rights) = (false, None);
        assert_says(check(&facts), Level::Ok, &["no token configured", "greenroom login plex"]);
        facts.without_token = None;
        assert_eq!(check(&facts), None, "a server that was not reached says nothing of tokens");
        let mut silent = server(Kind::Plex, "http://nas:1");
        silent.rights = Some(Err(Silence::BrokeOff));
        assert_says(check(&silent), Level::Warning, &["could not be tried"]);
    }
}
