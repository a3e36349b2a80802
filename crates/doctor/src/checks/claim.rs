//! Whether a Plex belongs to an account.

use greenroom_dialect::server_identity::ServerIdentity;

use crate::facts::ServerFacts;
use crate::finding::Finding;

const CHECK: &str = "account";

/// Warns of an unclaimed server: it treats every client in its network as its owner.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let ServerIdentity::Expected(server) = &facts.identity_response.as_ref().ok()?.identity else {
        return None;
    };
    if server.claimed != Some(false) {
        return None;
    }
    Some(Finding::problem(
        CHECK,
        "the server belongs to no account: everybody near it is let in, and no token means anything",
        format!(
            "claim it: open {}/web on the server's own machine, sign in, and follow its questions",
            facts.endpoint.url()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::request::ServerKind;

    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::finding::FindingLevel;

    #[test]
    fn an_unclaimed_server_is_to_be_claimed() {
        let mut facts = server(ServerKind::Plex, "http://nas:32400");
        assert_eq!(check(&facts), None);
        if let Ok(said) = &mut facts.identity_response
            && let ServerIdentity::Expected(server) = &mut said.identity
        {
            server.claimed = Some(false);
        }
        assert_says(
            check(&facts),
            FindingLevel::Problem,
            &["belongs to no account", "http://nas:32400/web", "sign in"],
        );
    }
}
