//! Whether the server is new enough.

use greenroom_dialect::server_identity::ServerIdentity;

use crate::facts::ServerFacts;
use crate::finding::Finding;

const CHECK: &str = "version";

/// Warns of a server older than the API version that requests use.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    let ServerIdentity::Expected(server) = &facts.identity_response.as_ref().ok()?.identity else {
        return None;
    };
    let (kind, version) = (server.kind, &server.version);
    let oldest = kind.is_too_old(version)?;
    Some(Finding::problem(
        CHECK,
        format!("{} {version} is too old: some of what is asked for does not exist there", kind.name()),
        format!("update the server to {oldest} or later"),
    ))
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::request::ServerKind;
    use greenroom_dialect::server_identity::MediaServer;

    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::facts::IdentityResponse;
    use crate::finding::FindingLevel;

    #[test]
    fn an_old_server_is_to_be_updated() {
        let mut facts = server(ServerKind::Jellyfin, "http://nas:8096");
        assert_eq!(check(&facts), None);
        let identity = ServerIdentity::Expected(MediaServer {
            kind: ServerKind::Jellyfin,
            name: None,
            version: "10.8.13".into(),
            id: None,
            claimed: None,
        });
        facts.identity_response = Ok(IdentityResponse { identity, took_ms: 1, clock_ahead_s: None });
        assert_says(
            check(&facts),
            FindingLevel::Problem,
            &["jellyfin 10.8.13 is too old", "update the server to 10.9"],
        );
    }
}
