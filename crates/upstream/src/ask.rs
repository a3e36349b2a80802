//! A client's request as the dialects see it, and the one place where the two dialects part ways.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::credential::Credential;
use crate::facts::{Facts, Unfit};
use crate::signal::{Playing, Signal, Subscription};
use crate::tag::Staling;
use crate::verdict::{Read, Representation, Verdict};
use crate::{jellyfin, plex};

/// The dialects. A closed set: every difference between servers is a `match` on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Plex Media Server.
    Plex,
    /// Jellyfin 10.10 and later.
    Jellyfin,
}

/// A request as it came in, before anything was decided.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The method, as sent.
    pub method: &'a Method,
    /// Raw path and query, as sent, without scheme and authority, the configured base path already taken off.
    pub target: &'a str,
    /// The headers, as sent.
    pub headers: &'a HeaderMap,
    /// The first bytes of the body of a write (at most 64 KiB), empty for reads: playback reports carry the item
    /// there.
    pub body: &'a [u8],
}

impl Kind {
    /// The word used in configuration, metrics and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plex => "plex",
            Self::Jellyfin => "jellyfin",
        }
    }

    /// What this request is. `own_user` is the user id the credential is proven to belong to, if that is known
    /// (Jellyfin: an explicit `userId` of one's own and an absent one meet in one key).
    pub fn classify(self, ask: &Ask<'_>, own_user: Option<&str>) -> Verdict {
        match self {
            Self::Plex => plex::classify(ask),
            Self::Jellyfin => jellyfin::classify(ask, own_user),
        }
    }

    /// Who asks. Looks in every place a client of this dialect may put a token.
    pub fn credential(self, ask: &Ask<'_>) -> Credential {
        match self {
            Self::Plex => plex::credential(ask),
            Self::Jellyfin => jellyfin::credential(ask),
        }
    }

    /// The headers that carry `credential` to the server. With `translate_legacy` the legacy forms of Jellyfin
    /// become `Authorization: MediaBrowser …`; without it, and for Plex, it is sent in the form it came in where
    /// that is a header.
    pub fn credential_headers(
        self,
        credential: &Credential,
        translate_legacy: bool,
    ) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Plex => plex::credential_headers(credential),
            Self::Jellyfin => jellyfin::credential_headers(credential, translate_legacy),
        }
    }

    /// Reads the body of a 200 answer to `read`. `Err` means: hand it to the client, but never keep it, and if an
    /// older answer is kept, prefer that.
    pub fn inspect(self, read: &Read, headers: &HeaderMap, body: &Bytes) -> Result<Facts, Unfit> {
        match self {
            Self::Plex => plex::inspect(read, headers, body),
            Self::Jellyfin => jellyfin::inspect(read, headers, body),
        }
    }

    /// What a text frame of the server's notification socket (or the data of an event of its event stream) says.
    /// Foreign or unknown frames say nothing.
    pub fn frame(self, frame: &[u8]) -> Vec<Signal> {
        match self {
            Self::Plex => plex::frame(frame),
            Self::Jellyfin => jellyfin::frame(frame),
        }
    }

    /// What a client's text frame subscribes to; Plex's sockets tell everybody everything.
    pub fn subscription(self, frame: &[u8]) -> Option<Subscription> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => jellyfin::subscription(frame),
        }
    }

    /// What a player's change to `state` on `item` makes stale.
    pub fn playing(self, item: &str, state: Playing) -> Vec<Staling> {
        match self {
            Self::Plex => plex::playing(item, state),
            Self::Jellyfin => jellyfin::playing(item, state),
        }
    }

    /// A small, valid error body in the representation the client asked for: content type and bytes.
    /// `message` must not contain anything the client sent.
    pub fn error_body(
        self,
        representation: Representation,
        status: u16,
        message: &str,
    ) -> (&'static str, Bytes) {
        match self {
            Self::Plex => plex::error_body(representation, status, message),
            Self::Jellyfin => jellyfin::error_body(representation, status, message),
        }
    }

    /// What the server answers a client that only asks whether it is there, where that is always the same: content
    /// type and body. Clients do not begin without it.
    pub fn sign_of_life(self, target: &str) -> Option<(&'static str, &'static [u8])> {
        match self {
            // Plex's says who the server is.
            Self::Plex => None,
            Self::Jellyfin => jellyfin::sign_of_life(target),
        }
    }

    /// Who the server is, in the representation asked for, out of what it said to a probe; for Plex only, which has
    /// two.
    pub fn introduction_in_form(self, said: &Bytes, form: Representation) -> Option<(&'static str, Bytes)> {
        match self {
            Self::Plex => plex::introduction(said, form),
            Self::Jellyfin => None,
        }
    }

    /// The target as the server gets it: as it came, but for Plex without token parameters that are empty (a server
    /// that looks there first would take them for no token at all, and may trust who has none), and for Jellyfin with
    /// `translate_legacy` without the old form of a token, which travels in a header then.
    pub fn target_for_server(self, target: &str, translate_legacy: bool) -> Cow<'_, str> {
        match self {
            Self::Plex => plex::without_empty_tokens(target),
            Self::Jellyfin if translate_legacy => jellyfin::without_legacy_key(target),
            Self::Jellyfin => Cow::Borrowed(target),
        }
    }

    /// Whether the server grants this to whoever is in its own network, whatever token they show. Behind a gateway
    /// everybody looks as if they were.
    pub fn is_only_for_neighbours(self, ask: &Ask<'_>) -> bool {
        match self {
            Self::Plex => false,
            Self::Jellyfin => jellyfin::is_only_for_neighbours(ask.target),
        }
    }

    /// A cheap path that says whether the server is alive, without a token.
    pub fn probe_path(self) -> &'static str {
        match self {
            Self::Plex => "/identity",
            Self::Jellyfin => "/System/Ping",
        }
    }
}
