//! Fields that may differ between the server's own response and the one through the gateway. No others may.

/// Headers that must be equal. All others belong to one connection or response, or are ours on purpose.
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
struct VolatileField {
    /// Prefix of the paths it applies to, in lower case.
    path: &'static str,
    /// Its name; a trailing asterisk matches all with this prefix.
    field: &'static str,
    /// The reason.
    reason: &'static str,
}

const fn volatile(path: &'static str, field: &'static str, reason: &'static str) -> VolatileField {
    VolatileField { path, field, reason }
}

const VOLATILE: [VolatileField; 18] = [
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

/// Why this field may differ in a response to this target; `None` if it may not.
pub(super) fn reason_for(target: &str, field: &str) -> Option<&'static str> {
    let path = target.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let fits = |rule: &&VolatileField| {
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
