//! Requests that still reach the servers through Greenroom, by app and path.

use std::collections::BTreeMap;

use greenroom_dialect::request::ServerKind;
use greenroom_simulator::request_log::LoggedRequest;

use super::servers::DemoServers;

/// Paths shown per token.
const SHOWN: usize = 12;
/// Longest path shown.
const MAX_PATH: usize = 70;

/// The most frequent requests for each server and token.
pub(super) fn render(servers: &DemoServers) -> String {
    let mut lines = vec!["what still reached the servers:".to_owned()];
    for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
        for (token, counted) in count(&servers.get(kind).request_log().requests()) {
            lines.push(format!("  {} as {token}", kind.name()));
            let mut counted: Vec<(String, u64)> = counted.into_iter().collect();
            counted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
            lines.extend(counted.iter().take(SHOWN).map(|(what, times)| format!("    {times:>6}  {what}")));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn count(requests: &[LoggedRequest]) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut counted: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for seen in requests {
        let what = format!("{} {}", seen.method, shape(&seen.target));
        *counted.entry(seen.token.clone()).or_default().entry(what).or_default() += 1;
    }
    counted
}

/// A path without the parts that differ between items: ids, and the query.
fn shape(target: &str) -> String {
    let path = target.split('?').next().unwrap_or("");
    let shaped: Vec<&str> = path
        .split('/')
        .map(|segment| {
            let is_number = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
            let is_hex = segment.len() == 32 && segment.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_number || is_hex { "…" } else { segment }
        })
        .collect();
    shaped.join("/").chars().take(MAX_PATH).collect()
}

#[cfg(test)]
mod tests {
    use greenroom_simulator::class::RequestClass;

    use super::*;

    #[test]
    fn requests_that_differ_only_in_ids_are_of_one_kind() {
        let seen = |target: &str| LoggedRequest {
            method: "GET".into(),
            target: target.into(),
            token: "kim".into(),
            class: RequestClass::Metadata,
        };
        let counted = count(&[
            seen("/library/metadata/17?x=1"),
            seen("/library/metadata/4/children"),
            seen("/library/metadata/5"),
            seen("/Items/27839354c2bcbec5c0b34ea921fc00ec"),
        ]);
        assert_eq!(counted["kim"]["GET /library/metadata/…"], 2);
        assert_eq!(counted["kim"]["GET /Items/…"], 1);
        assert_eq!(counted["kim"].len(), 3);
    }
}
