//! Differences that must be, with the reason.

use serde_json::Value;

use Difference::{OnlyHere, OnlyThere};

/// On which side a read changed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// On the recorded server.
    OnlyThere,
    /// On the simulated one.
    OnlyHere,
}

/// Side, beginnings of the write's name and of the read, reason.
const EXPECTED: &[(Difference, &str, &str, &str)] = &[
    (OnlyHere, "", "/Movies/Recommendations", "drawn anew at each request"),
    (OnlyThere, "", "/Movies/Recommendations", "drawn anew at each request"),
    (OnlyThere, "", "/Devices", "it told the last user of a device that all three recording clients used"),
    (OnlyThere, "played film", "/Sessions", "the recording clients' own sessions had just begun"),
    (OnlyThere, "played series", "/Shows/NextUp", "it names the first episode of a show that was not begun"),
    (OnlyThere, "unplayed series", "/Shows/NextUp", "it names the first episode of a show that was not begun"),
    (OnlyHere, "played se", "/Items/{episode}", "it has two states of an episode, of its file and of its number"),
    (OnlyHere, "unplayed se", "/Items/{episode}", "it has two states of an episode, of its file and of its number"),
    (OnlyThere, "", "/UserItems/Resume", "it lists the next episode of a show with played ones"),
    (
        OnlyHere,
        "played box set",
        "/Items?userId={u}&includeItemTypes=Movie&recursive=true&tags",
        "a repeated mark counts",
    ),
    (OnlyHere, "played album", "", "an album says whether all of it was played; a playlist holds one of its tracks"),
    (OnlyHere, "session", "/Items?userId={u}&recursive=true&includeItemTypes=BoxSet", "folders tell the last play"),
    (OnlyHere, "session", "/Items/{boxset}", "folders tell the last play"),
    (OnlyHere, "session", "/Items/{movie}/Collections", "folders tell the last play"),
    (OnlyHere, "session progress 2", "/Sessions", "a second report within the same second is told here"),
    (OnlyHere, "playlist", "/UserViews", "the number of playlists is drawn there"),
    (OnlyHere, "playlist", "/Users/{u}/Views", "the number of playlists is drawn there"),
    (OnlyHere, "playlist", "/Search/Hints", "hints are ranked otherwise, and the twentieth is another"),
    (OnlyThere, "playlist", "/Search/Hints", "hints are ranked otherwise, and the twentieth is another"),
    (
        OnlyThere,
        "playlist known: add",
        "/Playlists/{playlist}/Items",
        "it lists tracks to a user without their library",
    ),
    (OnlyHere, "collection", "/Items?userId={u}&recursive=true&includeItemTypes=BoxSet", "collections belong to films"),
    (OnlyThere, "collection", "/Years", "years come with counts"),
    (OnlyHere, "edit genres", "/Genres", "a new genre is there only after a scan"),
    (OnlyHere, "edit genres", "/MusicGenres", "a new genre is there only after a scan"),
    (OnlyHere, "edit genres", "/Items/Filters2", "a new genre is there only after a scan"),
    (OnlyThere, "item refresh", "", "files hold what was edited before; here there are no files to read"),
];

/// Beginnings of reads that change on neither server and cost time.
const CONSTANT: &[&str] =
    &["/Localization", "/Plugins", "/Packages", "/Branding", "/web", "/Channels", "/LiveTv", "/QuickConnect"];

/// Types of messages that are not compared: a reminder to a client that says nothing, and the end of a task, which the
/// recorded version does not tell and older ones do.
const MESSAGES: &[&str] = &["ForceKeepAlive", "ScheduledTaskEnded"];

/// Whether a read is constant.
pub(super) fn is_constant(read: &str) -> bool {
    CONSTANT.iter().any(|start| read.starts_with(start))
}

/// Whether a message is one of those.
pub(super) fn is_expected_message(frame: &Value) -> bool {
    MESSAGES.iter().any(|kind| frame["MessageType"] == *kind)
}

/// Whether a difference is one of those.
pub(super) fn is_expected(kind: Difference, write: &str, read: &str) -> bool {
    EXPECTED
        .iter()
        .any(|(side, of_write, of_read, _)| *side == kind && write.starts_with(of_write) && read.starts_with(of_read))
}
