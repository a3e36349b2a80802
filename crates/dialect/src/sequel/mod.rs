//! What is likely to be asked next: learnt from how a client goes on from one answer to the next requests.
//!
//! A companion app that shows a list asks for what the list names: the seasons of a show, the episodes of a season,
//! the show that an episode to go on with is of, the pictures of everything on the screen. How it phrases that is its
//! own; and only a request with exactly its parameters meets the key under which it will ask. So nothing is invented:
//! a [`Phrase`] is a request that this client made, with holes where it named things, and [`habits::Habits`] remember
//! after which answers, for which of the rows, and how far down it made such requests. Without that nothing is
//! expected of it.
//!
//! What fills the holes comes out of a server's body, so it is foreign: it must look like an id, and the request that
//! comes of it must be read by classification as the very phrase it was made from. So it is a read, of a class that is
//! listed here, and nothing in a body can make it anything else.
//!
//! Rooms: [`phrase`] (a request with holes), [`mention`] (what a row names), `plex` and `jellyfin` (how the dialects
//! do both), [`habits`] (what follows what).

pub mod habits;
mod jellyfin;
pub mod mention;
pub mod phrase;
mod plex;

use http::{HeaderMap, Method};

use crate::ask::{Ask, Kind};
use crate::class::Class;
use crate::redact;
use crate::verdict::{Read, Representation, Verdict};
use mention::Row;
use phrase::{Phrase, Words};

/// Rows of one answer that are looked at: more do not fit on a screen.
pub const MAX_ROWS: usize = 64;

/// A longer body is no screen, and is not looked at.
pub const MAX_BODY_BYTES: usize = 512 * 1024;

/// Who would ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asker<'a> {
    /// The user whom the credential is proven to belong to, if that is known.
    pub own_user: Option<&'a str>,
    /// The token, which no key may show.
    pub token: Option<&'a str>,
}

/// Whether a read of this class may be expected, or may lead to expectations.
pub fn concerns(class: Class) -> bool {
    shows_rows(class) || class == Class::Images
}

fn shows_rows(class: Class) -> bool {
    matches!(
        class,
        Class::Recent
            | Class::Hubs
            | Class::Resume
            | Class::Lists
            | Class::Item
            | Class::Playlists
            | Class::Collections
    )
}

impl Kind {
    /// How a read is phrased and what it names, if it asks for something that rows name.
    pub fn phrase(self, read: &Read) -> Option<(Phrase, Words)> {
        let (thing, words, spans) = match self {
            Self::Plex => plex::named(read),
            Self::Jellyfin => jellyfin::named(read),
        }?;
        Some((Phrase::cut(thing, read, &spans)?, words))
    }

    /// The first rows of the answer to a read, as far as they name anything.
    pub fn rows(self, read: &Read, body: &[u8]) -> Vec<Row> {
        if !shows_rows(read.class) || body.len() > MAX_BODY_BYTES {
            return Vec::new();
        }
        let mut rows = match (self, read.representation) {
            (_, Representation::Opaque) => Vec::new(),
            (Self::Plex, Representation::Xml) => plex::rows_in_xml(body),
            (Self::Plex, _) => plex::rows_in_json(body),
            (Self::Jellyfin, _) => jellyfin::rows(body),
        };
        rows.truncate(MAX_ROWS);
        rows
    }

    /// The read that this phrase with these words in its holes is for this asker. `None` if it is anything else than
    /// what it was meant to be.
    pub fn say(self, phrase: &Phrase, words: &Words, asker: Asker<'_>) -> Option<Read> {
        let target = phrase.fill(words);
        let headers: HeaderMap = phrase.headers().iter().cloned().collect();
        let ask = Ask { method: &Method::GET, target: &target, headers: &headers, body: &[] };
        let Verdict::Read(read) = self.classify(&ask, asker.own_user) else { return None };
        let is_meant = self.phrase(&read).is_some_and(|(again, named)| again == *phrase && named == *words);
        let is_secret = asker.token.is_some_and(|token| redact::shows_token(&read.key, token));
        (is_meant && !is_secret).then(|| std::sync::Arc::unwrap_or_clone(read))
    }
}
