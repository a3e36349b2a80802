//! Facts of a healthy server, for the checks' tests to modify.

use greenroom_dialect::permissions::Permissions;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::{MediaServer, ServerIdentity};

use crate::facts::{IdentityResponse, ServerFacts};
use crate::finding::{Finding, FindingLevel};
use greenroom_config::Endpoint;
use greenroom_config::{ConfigSource, Settings};

/// A healthy server of this kind at this address.
pub(crate) fn server(kind: ServerKind, url: &str) -> ServerFacts {
    let (version, claimed) = match kind {
        ServerKind::Plex => ("1.43.0", Some(true)),
        ServerKind::Jellyfin => ("10.11.0", None),
    };
    let identity = ServerIdentity::Expected(MediaServer {
        kind,
        name: Some("Den".into()),
        version: version.into(),
        id: Some("m".into()),
        claimed,
    });
    ServerFacts {
        name: "home".into(),
        kind,
        endpoint: Endpoint::parse(url).expect("an address"),
        url_place: "greenroom.toml:4".into(),
        data_dir: "/data".into(),
        container: false,
        addresses: Ok(vec!["192.168.1.10:32400".parse().expect("an address")]),
        identity_response: Ok(IdentityResponse { identity, took_ms: 12, clock_ahead_s: Some(0) }),
        encryption: None,
        server_elsewhere: None,
        has_token: true,
        permissions: Some(Ok(Permissions::Owner)),
        without_token: Some(401),
        with_invented_token: Some(401),
    }
}

/// Asserts that the configuration accepts every setting a remedy names as a line of a server's table.
fn assert_configurable(remedy: &str) {
    let mut rest = remedy;
    while let Some((before, after)) = rest.split_once(" = \"") {
        let key = before.rsplit([' ', '(']).next().unwrap_or_default();
        let (value, remaining) = after.split_once('"').expect("a value ends");
        rest = remaining;
        let mut table = vec![("name", "home"), ("kind", "plex"), ("url", "https://nas:32400")];
        table.retain(|(own, _)| *own != key);
        table.push((key, value));
        let lines: Vec<String> = table.iter().map(|(key, value)| format!("{key} = \"{value}\"")).collect();
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("[[server]]\n{}\n", lines.join("\n")));
        let problems = Settings::read(tree).err().unwrap_or_default();
        // The file that the remedy leaves to the reader does not exist on this machine.
        let others = problems.iter().filter(|problem| !problem.message.contains("/path/to/ca.pem"));
        assert_eq!(others.count(), 0, "{key} = \"{value}\": {problems:?}");
    }
}

/// Asserts a finding of that level that contains all these words.
pub(crate) fn assert_says(finding: impl Into<Option<Finding>>, level: FindingLevel, words: &[&str]) {
    let finding = finding.into().expect("something is found");
    let remedy = finding.remedy.unwrap_or_default();
    assert_configurable(&remedy);
    let said = format!("{}\n{remedy}", finding.what);
    assert_eq!(finding.level, level, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

#[test]
fn nothing_is_wrong_with_a_healthy_server() {
    for (kind, url) in [(ServerKind::Plex, "http://192.168.1.10:32400"), (ServerKind::Jellyfin, "http://nas:8096")] {
        for check in super::SERVER {
            let finding = check(&server(kind, url));
            assert!(finding.as_ref().is_none_or(|one| one.level == FindingLevel::Ok), "{finding:?}");
        }
    }
}
