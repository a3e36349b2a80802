//! Points on which real servers differ, or are not known to anybody.

use std::time::Duration;

/// What a user who is not the owner gets when asking who plays what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedSessions {
    /// 403.
    #[default]
    Forbidden,
    /// Their own sessions.
    OwnOnly,
}

/// The switches of a simulated Plex.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Switches {
    /// Marking something as played or unplayed sends a timeline frame.
    pub scrobble_announced: bool,
    /// Edits move `contentChangedAt`, not only additions and deletions.
    pub content_changed_by_edits: bool,
    /// What users other than the owner see of the sessions.
    pub shared_sessions: SharedSessions,
    /// Only the owner may open notification sockets.
    pub sockets_for_owner_only: bool,
    /// While something plays, a `playing` frame is sent every second.
    pub playing_every_second: bool,
    /// Bodies are compressed for clients that accept gzip.
    pub gzip: bool,
    /// Every `Content-Length` is sent twice.
    pub double_content_length: bool,
    /// `Vary: Origin, X-Plex-Token` is sent.
    pub vary: bool,
    /// Scaled images carry an `ETag`.
    pub etag_on_images: bool,
    /// A filter field the server does not know is answered 400 instead of being ignored.
    pub unknown_filter_refused: bool,
    /// Adding to a playlist takes only the first of several items.
    pub playlist_takes_one: bool,
    /// Promoted hubs come in an order that depends on the client's identifier.
    pub hubs_differ_by_client: bool,
    /// Sessions show the address a client claims in `X-Forwarded-For`.
    pub trusts_forwarded_for: bool,
    /// Bodies say for whom they were made and after how many writes; real servers' do not.
    pub marks: bool,
    /// It belongs to an account.
    pub claimed: bool,
    /// Whoever sends no token is taken for the owner, as on a network that is allowed in without one.
    pub trusts_neighbours: bool,
    /// How long a scan of a section takes.
    pub scan_takes: Duration,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            scrobble_announced: false,
            content_changed_by_edits: false,
            shared_sessions: SharedSessions::Forbidden,
            sockets_for_owner_only: false,
            playing_every_second: false,
            gzip: false,
            double_content_length: false,
            vary: false,
            etag_on_images: false,
            unknown_filter_refused: false,
            playlist_takes_one: false,
            hubs_differ_by_client: false,
            trusts_forwarded_for: false,
            marks: true,
            claimed: true,
            trusts_neighbours: false,
            scan_takes: Duration::from_secs(2),
        }
    }
}
