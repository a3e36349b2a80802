//! Events parsed from frames of a server's notification socket.

use crate::tag::TagInvalidation;

/// One event of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEvent {
    /// Invalidates cached responses.
    Stale(Vec<TagInvalidation>),
    /// A player's state. Such frames come every second, but only changes of `state` and leaps of the position matter: the
    /// receiver remembers the last one per `session` and calls
    /// [`crate::request::ServerKind::playback_invalidations`].
    Playback {
        /// Id of the playback session.
        session: String,
        /// Key of the playing item.
        item: String,
        /// State of the player.
        state: PlaybackState,
        /// Position in the item, in milliseconds, if the frame says it.
        position_ms: Option<u64>,
    },
    /// The server stops or starts: everything has to be loaded again when it is up.
    Restarting,
}

/// A client's subscription on a notification socket, which ends with the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSubscription {
    /// Name of the subscription.
    pub name: String,
    /// Whether the frame starts or stops it.
    pub is_start: bool,
}

/// State of a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaybackState {
    /// Playing.
    Playing,
    /// About to play on.
    Buffering,
    /// Paused.
    Paused,
    /// Stopped or failed.
    Stopped,
}
