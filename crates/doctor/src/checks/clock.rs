//! Whether both clocks agree.

use crate::facts::ServerFacts;
use crate::finding::Finding;

const CHECK: &str = "clock";
/// Tolerance, in seconds: network latency, and dates with a resolution of one second.
const LARGEST_S: u64 = 30;

/// Warns of clocks that differ: certificates and tokens become invalid early, and histories odd.
pub fn check(facts: &ServerFacts) -> Option<Finding> {
    facts.identity_response.as_ref().ok()?.clock_ahead_s.map(compare)
}

/// The finding for a server's clock that is ahead of this machine's by `ahead_s`, or behind it.
pub fn compare(ahead_s: i64) -> Finding {
    if ahead_s.unsigned_abs() <= LARGEST_S {
        return Finding::ok(CHECK, "the server's clock agrees with this machine's");
    }
    let way = if ahead_s > 0 { "ahead of" } else { "behind" };
    Finding::warning(
        CHECK,
        format!("the server's clock is {} {way} this machine's", lasting(ahead_s.unsigned_abs())),
        "let both set their clocks by network: `timedatectl set-ntp true` on each; a container has the clock of its machine",
    )
}

fn lasting(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3_600 => format!("{} min", seconds / 60),
        _ if seconds % 3_600 < 60 => format!("{} h", seconds / 3_600),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::request::ServerKind;

    use super::*;
    use crate::checks::fixtures::{assert_says, server};
    use crate::finding::FindingLevel;

    fn ahead(seconds: Option<i64>) -> Option<Finding> {
        let mut facts = server(ServerKind::Plex, "http://nas:1");
        if let Ok(said) = &mut facts.identity_response {
            said.clock_ahead_s = seconds;
        }
        check(&facts)
    }

    #[test]
    fn a_clock_that_is_off_is_told_with_how_much() {
        assert_eq!(ahead(None), None);
        assert_says(ahead(Some(-30)), FindingLevel::Ok, &["agrees"]);
        assert_says(ahead(Some(31)), FindingLevel::Warning, &["31 s ahead of", "timedatectl set-ntp true"]);
        assert_says(ahead(Some(-7_205)), FindingLevel::Warning, &["2 h behind"]);
        assert_says(ahead(Some(300)), FindingLevel::Warning, &["5 min ahead"]);
        assert_says(ahead(Some(10_560)), FindingLevel::Warning, &["2 h 56 min ahead"]);
    }
}
