//! What may differ between an answer of the server and the same answer through the gateway. Nothing else may.

/// Headers that must be the same. All others are of one connection, of one answer, or ours on purpose.
pub(super) const ESSENTIAL_HEADERS: [&str; 7] = [
    "content-type",
    "content-range",
    "last-modified",
    "location",
    "x-plex-protocol",
    "x-plex-container-start",
    "x-plex-container-total-size",
];

/// A field that may differ.
struct Volatile {
    /// In answers to paths that begin with this, in lower case.
    path: &'static str,
    /// Its name; with an asterisk at its end, all that begin so.
    field: &'static str,
    /// Why.
    reason: &'static str,
}

const fn volatile(path: &'static str, field: &'static str, reason: &'static str) -> Volatile {
    Volatile { path, field, reason }
}

const VOLATILE: [Volatile; 18] = [
    volatile("/system/info", "LocalAddress", ADDRESS),
    volatile("/sessions", "LastActivityDate", ASKING),
    volatile("/sessions", "LastPlaybackCheckIn", PLAYING),
    volatile("/sessions", "PositionTicks", PLAYING),
    volatile("/users", "LastActivityDate", ASKING),
    volatile("/devices", "DateLastActivity", ASKING),
    volatile("/scheduledtasks", "CurrentProgressPercentage", "a task that runs gets on"),
    volatile("/scheduledtasks", "State", "a task that runs gets on"),
    volatile("/statistics/bandwidth", "at", MACHINE),
    volatile("/statistics/bandwidth", "bytes", MACHINE),
    volatile("/statistics/resources", "at", MACHINE),
    volatile("/statistics/resources", "host*", MACHINE),
    volatile("/statistics/resources", "process*", MACHINE),
    volatile("/status/sessions", "viewOffset", PLAYING),
    volatile("/status/sessions", "bandwidth", PLAYING),
    volatile("/activities", "progress", "an activity gets on"),
    volatile("/transcode/sessions", "progress", PLAYING),
    volatile("/updater/status", "checkedAt", "the server looks for updates by itself"),
];

const ADDRESS: &str = "the address the client used, rewritten on purpose";
const ASKING: &str = "asking is itself an activity";
const PLAYING: &str = "playback gets on";
const MACHINE: &str = "the load of the server at this moment";

/// Why this field may differ in the answer to this target, if it may.
pub(super) fn reason_for(target: &str, field: &str) -> Option<&'static str> {
    let path = target.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let fits = |rule: &&Volatile| {
        let named = match rule.field.strip_suffix('*') {
            Some(start) => field.to_ascii_lowercase().starts_with(&start.to_ascii_lowercase()),
            None => field.eq_ignore_ascii_case(rule.field),
        };
        named && path.starts_with(rule.path)
    };
    VOLATILE.iter().find(fits).map(|rule| rule.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_below_its_path_and_for_its_field_alone() {
        assert_eq!(reason_for("/System/Info/Public?x=1", "LocalAddress"), Some(ADDRESS));
        assert_eq!(reason_for("/statistics/resources?timespan=6", "hostCpuUtilization"), Some(MACHINE));
        assert_eq!(reason_for("/statistics/resources", "other"), None);
        assert_eq!(reason_for("/library/sections", "at"), None);
    }
}
