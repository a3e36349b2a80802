//! Errors of reading and writing playlists: a closed list, each with a remedy.

use std::fmt;

use greenroom_dialect::response_facts::UnusableResponse;
use serde::Serialize;

/// Error with one account, or with a source on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaylistError {
    /// The server is down.
    Down,
    /// The request queue is full.
    Busy,
    /// It does not answer.
    Unreachable,
    /// The request timed out.
    Slow,
    /// The server refused it with this status.
    Refused(u16),
    /// Its response cannot be parsed.
    Foreign,
    /// A list exceeds the limit.
    TooLong,
    /// There is no token.
    NoToken,
    /// The token belongs to no user.
    NoUser,
    /// No such account is configured.
    UnknownAccount,
    /// No playlist has this name.
    NoPlaylist,
    /// Several playlists have this name.
    SeveralPlaylists,
    /// It is a smart playlist, made of a query.
    Smart,
    /// A playlist of this name exists with other content.
    Exists,
    /// After many attempts the content still differs from what was written.
    Unsteady,
    /// It is unknown whether the playlist was created.
    Unknown,
    /// The server does not tell the owner of the playlist of this name.
    NotOurs,
}

impl From<UnusableResponse> for PlaylistError {
    fn from(_: UnusableResponse) -> Self {
        Self::Foreign
    }
}

impl fmt::Display for PlaylistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "the media server is down; run it again when it is back",
            Self::Busy => "too many requests wait for the media server; run it again later",
            Self::Unreachable => "the media server does not respond, or closes the connection",
            Self::Slow => "the media server takes too long to respond",
            Self::Refused(401 | 498) => "the media server rejects this account's token",
            Self::Refused(403) => "the media server does not allow this account to do it",
            Self::Refused(status) => return write!(f, "the media server rejects the request with status {status}"),
            Self::Foreign => "the media server's response cannot be read",
            Self::TooLong => "a list of the media server is longer than Greenroom reads",
            Self::NoToken => "there is no token: give the server or the account one in the configuration",
            Self::NoUser => {
                "the token belongs to no user, or there is no such user: name one in the configuration (user = \"NAME\")"
            }
            Self::UnknownAccount => "no such account is configured for this server",
            Self::NoPlaylist => "there is no playlist with this name or id",
            Self::SeveralPlaylists => "several playlists have this name: rename or delete all but one",
            Self::Smart => "a smart playlist has this name, which fills itself: choose another name",
            Self::Exists => {
                "a playlist with this name exists and has other tracks: choose another name, or replace or append"
            }
            Self::Unknown => {
                "the response was lost, so it is unknown whether the media server created the playlist; the next run continues with what it finds"
            }
            Self::NotOurs => {
                "a playlist with this name exists, and the media server does not tell an administrator's key who owns it: choose another name, rename it, or give the account its own token"
            }
            Self::Unsteady => {
                "after several attempts the media server still shows other entries than were written; check whether another program changes the playlist"
            }
        })
    }
}
