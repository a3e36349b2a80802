//! Differences that two responses to the same request may have without any change on the server: whole responses of
//! some request types, and single fields of others. Every difference that is not listed here counts.

use serde_json::{Map, Value};

use greenroom_dialect::class::Class;

/// Headers that must be equal. All others belong to one connection or response, or Greenroom sets them itself.
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
    /// Prefix of the request paths to which it applies, in lower case.
    path: &'static str,
    /// Its name; a trailing asterisk matches all with this prefix.
    field: &'static str,
    /// Reason for which it may differ, for reports.
    reason: &'static str,
}

const fn volatile(path: &'static str, field: &'static str, reason: &'static str) -> VolatileField {
    VolatileField { path, field, reason }
}

const VOLATILE: [VolatileField; 18] = [
    volatile("/system/info", "LocalAddress", ADDRESS),
    volatile("/sessions", "LastActivityDate", REQUEST_ACTIVITY),
    volatile("/sessions", "LastPlaybackCheckIn", PLAYBACK),
    volatile("/sessions", "PositionTicks", PLAYBACK),
    volatile("/users", "LastActivityDate", REQUEST_ACTIVITY),
    volatile("/devices", "DateLastActivity", REQUEST_ACTIVITY),
    volatile("/scheduledtasks", "CurrentProgressPercentage", "progress of a running task"),
    volatile("/scheduledtasks", "State", "progress of a running task"),
    volatile("/statistics/bandwidth", "at", SERVER_LOAD),
    volatile("/statistics/bandwidth", "bytes", SERVER_LOAD),
    volatile("/statistics/resources", "at", SERVER_LOAD),
    volatile("/statistics/resources", "host*", SERVER_LOAD),
    volatile("/statistics/resources", "process*", SERVER_LOAD),
    volatile("/status/sessions", "viewOffset", PLAYBACK),
    volatile("/status/sessions", "bandwidth", PLAYBACK),
    volatile("/activities", "progress", "progress of an activity"),
    volatile("/transcode/sessions", "progress", PLAYBACK),
    volatile("/updater/status", "checkedAt", "the server checks for updates on its own"),
];

const ADDRESS: &str = "the address the client used, rewritten on purpose";
const REQUEST_ACTIVITY: &str = "the request itself is an activity";
const PLAYBACK: &str = "playback progresses";
const SERVER_LOAD: &str = "the current load of the server";
const DRAWN: &str = "the server draws the number of a library folder's children";

/// Types of the folders for which a Jellyfin draws `ChildCount` at each request, because it takes long to count.
const LIBRARY_FOLDERS: [&str; 2] = ["CollectionFolder", "UserView"];

/// Whether responses of this request type change from second to second: playback positions, system load, times of last
/// activity.
pub fn changes_by_itself(class: Class) -> bool {
    matches!(
        class,
        Class::Activities | Class::Sessions | Class::LiveStatistics | Class::Statistics | Class::ActivityLog
    )
}

/// The path of a target, as the list of fields names it.
pub(super) fn path_of(target: &str) -> String {
    target.split('?').next().unwrap_or_default().to_ascii_lowercase()
}

/// Reason for which this field may differ in a response to this path; `None` if it may not.
pub(super) fn reason_for(path: &str, field: &str) -> Option<&'static str> {
    let matches = |volatile_field: &&VolatileField| {
        let is_field = match volatile_field.field.strip_suffix('*') {
            Some(start) => field.to_ascii_lowercase().starts_with(&start.to_ascii_lowercase()),
            None => field.eq_ignore_ascii_case(volatile_field.field),
        };
        is_field && path.starts_with(volatile_field.path)
    };
    VOLATILE.iter().find(matches).map(|volatile_field| volatile_field.reason)
}

/// Reason for which this field of both objects may differ, whatever the path; `None` if it may not.
pub(super) fn reason_within(one: &Map<String, Value>, other: &Map<String, Value>, field: &str) -> Option<&'static str> {
    let is_library_folder = |row: &Map<String, Value>| {
        let kind = row.get("Type").or_else(|| row.get("type")).and_then(Value::as_str);
        kind.is_some_and(|kind| LIBRARY_FOLDERS.contains(&kind))
    };
    let is_drawn = field.eq_ignore_ascii_case("ChildCount") && is_library_folder(one) && is_library_folder(other);
    is_drawn.then_some(DRAWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_below_its_path_and_for_its_field_alone() {
        assert_eq!(reason_for(&path_of("/System/Info/Public?x=1"), "LocalAddress"), Some(ADDRESS));
        assert_eq!(reason_for(&path_of("/statistics/resources?timespan=6"), "hostCpuUtilization"), Some(SERVER_LOAD));
        assert_eq!(reason_for(&path_of("/statistics/resources"), "other"), None);
        assert_eq!(reason_for(&path_of("/library/sections"), "at"), None);
    }
}
