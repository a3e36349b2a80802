//! Behaviour that differs between real servers, or is not known.

use std::time::Duration;

use greenroom_simulator_backend::options::DialectSwitches;

/// Response to a request for sessions by a user who is not the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SharedSessionsPolicy {
    /// 403.
    #[default]
    Forbidden,
    /// Their own sessions.
    OwnOnly,
}

/// The switches of a simulated Plex.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct PlexSwitches {
    /// Marking something as played or unplayed sends a timeline frame.
    pub scrobble_announced: bool,
    /// Edits move `contentChangedAt`, not only additions and deletions.
    pub content_changed_by_edits: bool,
    /// Sessions visible to users other than the owner.
    pub shared_sessions: SharedSessionsPolicy,
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
    /// An unknown filter field is answered with 400 instead of being ignored.
    pub unknown_filter_refused: bool,
    /// Adding to a playlist takes only the first of several items.
    pub playlist_takes_one: bool,
    /// Promoted hubs come in an order that depends on the client's identifier.
    pub hubs_differ_by_client: bool,
    /// A search shows one more hub to a client whose `X-Plex-Features` name `external-media`.
    pub search_differs_by_features: bool,
    /// Paging in the query is not read, as behind a proxy that drops it.
    pub ignores_paging_in_query: bool,
    /// Paging in headers is not read, as behind a proxy that drops them.
    pub ignores_paging_in_headers: bool,
    /// Shows are listed without seasons and episodes, as after a scan that failed.
    pub shows_without_episodes: bool,
    /// Sessions show the address a client claims in `X-Forwarded-For`.
    pub trusts_forwarded_for: bool,
    /// Bodies contain the user and the number of writes; real servers' do not.
    pub marks: bool,
    /// The server belongs to an account.
    pub claimed: bool,
    /// Requests without a token count as the owner's, as on a network that is allowed without authentication.
    pub trusts_neighbours: bool,
    /// Duration of a section's scan.
    pub scan_takes: Duration,
}

impl DialectSwitches for PlexSwitches {}

impl Default for PlexSwitches {
    fn default() -> Self {
        Self {
            scrobble_announced: false,
            content_changed_by_edits: true,
            shared_sessions: SharedSessionsPolicy::Forbidden,
            sockets_for_owner_only: false,
            playing_every_second: false,
            gzip: false,
            double_content_length: false,
            vary: false,
            etag_on_images: false,
            unknown_filter_refused: false,
            playlist_takes_one: false,
            hubs_differ_by_client: false,
            search_differs_by_features: false,
            ignores_paging_in_query: false,
            ignores_paging_in_headers: false,
            shows_without_episodes: false,
            trusts_forwarded_for: false,
            marks: true,
            claimed: true,
            trusts_neighbours: false,
            scan_takes: Duration::from_secs(2),
        }
    }
}
