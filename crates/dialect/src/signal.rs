//! What a frame of a server's notification socket says.

use crate::tag::Staling;

/// One thing a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// These answers are stale.
    Stale(Vec<Staling>),
    /// A player reports what it does. Such frames come every second: only a change of `state` matters, so the
    /// receiver remembers the last one per `session` and then asks [`crate::ask::Kind::playing`].
    Playing {
        /// Which playback session.
        session: String,
        /// The item that plays.
        item: String,
        /// What the player does.
        state: Playing,
    },
    /// The server goes away or comes back: everything is to be asked again when it is there.
    Restarting,
}

/// What a client asks of a notification socket for as long as it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What is to be told.
    pub name: String,
    /// From now on, or no longer.
    pub begins: bool,
}

/// What a player does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Playing {
    /// It plays (or buffers).
    Playing,
    /// It is paused.
    Paused,
    /// It stopped (or failed).
    Stopped,
}
