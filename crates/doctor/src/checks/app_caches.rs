//! Whether apps reach their caches, and whether the caches have room.

use crate::facts::{AppCacheFill, AppSocketFacts, AppSocketState, AppTokenFacts, MachineFacts};
use crate::finding::Finding;

const CHECK: &str = "app-caches";
/// Percentage of a limit from which on a cache is nearly full.
const NEARLY_FULL_PERCENT: u128 = 90;

/// Reports a socket that does not serve its purpose, caches that are nearly full, and tokens of caches without entries.
pub fn check(facts: &MachineFacts) -> Vec<Finding> {
    let own = &facts.app_caches;
    let mut findings: Vec<Finding> =
        own.socket.iter().flat_map(|socket| check_socket(socket, facts.gateway.is_some())).collect();
    let caches = own.caches.as_deref().unwrap_or_default();
    findings.extend(caches.iter().filter_map(check_fill));
    if own.caches.is_some() {
        findings.extend(own.tokens.iter().filter_map(|token| check_token(token, caches)));
    }
    if findings.is_empty() && !(caches.is_empty() && own.tokens.is_empty()) {
        findings.push(Finding::ok(CHECK, format!("caches for apps have room: {}", caches.len())));
    }
    findings
}

fn check_socket(socket: &AppSocketFacts, is_running: bool) -> Vec<Finding> {
    let path = socket.path.display();
    let mut findings = Vec::new();
    if let Some(group) = &socket.unknown_group {
        findings.push(Finding::problem(
            CHECK,
            format!("apps.socket_group: there is no group \"{group}\" on this machine"),
            format!("sudo groupadd {group}, or correct apps.socket_group"),
        ));
    }
    findings.extend(match socket.state {
        AppSocketState::NoDirectory => Some(Finding::problem(
            CHECK,
            format!("apps.socket: the folder of {path} is not there"),
            "make it and give it to the user of Greenroom, or correct apps.socket",
        )),
        AppSocketState::OtherFile => Some(Finding::problem(
            CHECK,
            format!("apps.socket: {path} is a file, and no socket"),
            "move it away, or correct apps.socket",
        )),
        AppSocketState::Present { mode } if mode & 0o007 != 0 => Some(Finding::warning(
            CHECK,
            format!("apps.socket: every user of this machine may connect to {path} (mode {mode:o})"),
            "restart Greenroom, which makes it for its owner and apps.socket_group alone",
        )),
        AppSocketState::Absent if is_running => Some(Finding::warning(
            CHECK,
            format!("apps.socket: Greenroom runs, but {path} is not there"),
            "restart Greenroom; its log says why if it cannot make the socket",
        )),
        AppSocketState::Present { .. } | AppSocketState::Absent => None,
    });
    findings
}

fn check_fill(cache: &AppCacheFill) -> Option<Finding> {
    let percent = |used: u64, max: u64| u128::from(used) * 100 / u128::from(max.max(1));
    let (bytes, entries) = (percent(cache.bytes, cache.max_bytes), percent(cache.entries, cache.max_entries));
    let (name, fill) = (&cache.name, bytes.max(entries));
    if fill < NEARLY_FULL_PERCENT {
        return None;
    }
    let setting = if bytes >= entries { "max_bytes" } else { "max_entries" };
    let outcome =
        if cache.eviction == "none" { "refuses writes when full" } else { "drops what was stored longest ago" };
    Some(Finding::warning(
        CHECK,
        format!("the cache \"{name}\" is {fill} % full and {outcome}"),
        format!("raise {setting} of its [[app_cache]], or let its app give entries a shorter time"),
    ))
}

fn check_token(token: &AppTokenFacts, caches: &[AppCacheFill]) -> Option<Finding> {
    let has_entries = |name: &String| caches.iter().any(|cache| cache.name == *name && cache.entries > 0);
    if token.caches.iter().any(has_entries) {
        return None;
    }
    let (name, own) = (&token.name, token.caches.join(", "));
    Some(Finding::warning(
        CHECK,
        format!("the token \"{name}\" opens {own}, where nothing is stored"),
        format!("point the app at Greenroom with this token, or revoke it: greenroom token revoke {name}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingLevel;

    fn fill(name: &str, bytes: u64, entries: u64, eviction: &str) -> AppCacheFill {
        let (max_bytes, max_entries) = (1000, 10);
        AppCacheFill { name: name.into(), bytes, max_bytes, entries, max_entries, eviction: eviction.into() }
    }

    #[test]
    fn a_cache_is_reported_from_nine_tenths_on_with_the_setting_that_helps() {
        assert_eq!(check_fill(&fill("a", 899, 8, "none")), None);
        let said = |cache| {
            let finding = check_fill(&cache).expect("a finding");
            format!("{} {}", finding.what, finding.remedy.unwrap_or_default())
        };
        let full = said(fill("a", 950, 1, "none"));
        assert!(full.contains("95 % full and refuses writes") && full.contains("max_bytes"), "{full}");
        let many = said(fill("a", 1, 10, "least-recently-stored"));
        assert!(many.contains("drops what") && many.contains("max_entries"), "{many}");
        assert!(check_fill(&AppCacheFill { max_bytes: 0, max_entries: 0, ..fill("a", 1, 1, "none") }).is_some());
    }

    #[test]
    fn a_token_is_reported_only_if_none_of_its_caches_has_an_entry() {
        let token = AppTokenFacts { name: "worker".into(), caches: vec!["a".into(), "b".into()] };
        assert_eq!(check_token(&token, &[fill("b", 1, 1, "none")]), None);
        let finding = check_token(&token, &[fill("c", 1, 1, "none"), fill("a", 0, 0, "none")]).expect("a finding");
        assert!(finding.remedy.expect("a remedy").contains("greenroom token revoke worker"));
    }

    #[test]
    fn each_state_of_the_socket_has_its_remedy() {
        let levels = |is_running: bool, state: AppSocketState, unknown_group: Option<&str>| {
            let unknown_group = unknown_group.map(str::to_owned);
            let socket = AppSocketFacts { path: "/run/apps.sock".into(), state, unknown_group };
            check_socket(&socket, is_running).iter().map(|finding| finding.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(false, AppSocketState::NoDirectory, None), [FindingLevel::Problem]);
        assert_eq!(levels(false, AppSocketState::OtherFile, None), [FindingLevel::Problem]);
        assert_eq!(levels(false, AppSocketState::Present { mode: 0o666 }, None), [FindingLevel::Warning]);
        assert_eq!(levels(false, AppSocketState::Present { mode: 0o660 }, None), []);
        assert_eq!(levels(false, AppSocketState::Absent, Some("media")), [FindingLevel::Problem]);
        assert_eq!(levels(true, AppSocketState::Absent, None), [FindingLevel::Warning]);
    }
}
