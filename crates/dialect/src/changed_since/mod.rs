//! Changed-since requests: what changed in the library since a moment, and the counters that move when it does.
//!
//! They tell edits before the server announces them, and what changed while its events were not heard. They do not tell
//! user state, the members of collections, or (Jellyfin) which items were deleted: for these there are events and
//! [`ServerKind::change_counters`].

use crate::request::ServerKind;
use crate::response_facts::UnusableResponse;

mod event;
mod jellyfin;
mod plex;

/// Max items in one answer. More mean that anything may have changed.
pub const MAX_CHANGED_ITEMS: usize = 200;

/// Items that changed since a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangedSince {
    /// The items, in no particular order.
    pub items: Vec<ChangedItem>,
    /// False if there are more than listed: then anything may have changed.
    pub is_complete: bool,
}

/// An item that was added or edited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ChangedItem {
    /// The server's key of it.
    pub key: String,
    /// A text that differs after the next change of the item. Empty if the server gives none.
    pub stamp: String,
    /// The server's name of its type: `Movie`, `track`.
    pub kind: String,
    /// Its known containers, from the nearest to the farthest: season, show.
    pub parents: Vec<String>,
    /// Its library (Plex).
    pub section: Option<String>,
}

/// A counter that moves when a part of the library changes. It does not move on every edit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChangeCounter {
    /// The library (Plex); empty for the whole server (Jellyfin).
    pub section: String,
    /// The counter's value.
    pub value: String,
    /// Numbers of the types of items in this library (Plex).
    pub types: &'static [u8],
}

impl ChangeCounter {
    /// Whether nothing was removed since `before`, as far as the counts tell (Jellyfin).
    pub fn has_only_grown_since(&self, before: &Self) -> bool {
        let count = |pair: &str| pair.split_once('=')?.1.parse::<u64>().ok();
        let (now, before): (Vec<&str>, Vec<&str>) =
            (self.value.split(' ').collect(), before.value.split(' ').collect());
        let is_growth =
            |(now, before): (&&str, &&str)| count(now).zip(count(before)).is_some_and(|(now, before)| now >= before);
        now.len() == before.len() && now.iter().zip(&before).all(is_growth)
    }
}

impl ChangedSince {
    /// Adds the items of another answer to the same question.
    pub fn merge(&mut self, other: Self) {
        self.is_complete &= other.is_complete;
        self.items.extend(other.items);
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.is_complete && self.items.is_empty()
    }
}

impl ServerKind {
    /// Targets that together list what changed at `since_s` or later, by the server's clock. Plex is asked for each
    /// type in the sections of `counters`; Jellyfin once.
    pub fn changed_since_targets(self, since_s: u64, counters: &[ChangeCounter]) -> Vec<String> {
        match self {
            Self::Plex => counters.iter().flat_map(|counter| plex::changed_targets(counter, since_s)).collect(),
            Self::Jellyfin => vec![jellyfin::changed_target(since_s)],
        }
    }

    /// Parses the response to one of [`ServerKind::changed_since_targets`].
    ///
    /// # Errors
    /// The body is no list of items.
    pub fn changed_since(self, body: &[u8]) -> Result<ChangedSince, UnusableResponse> {
        match self {
            Self::Plex => plex::changed_since(body),
            Self::Jellyfin => jellyfin::changed_since(body),
        }
    }

    /// Target of the change counters.
    pub fn change_counters_target(self) -> &'static str {
        match self {
            Self::Plex => "/library/sections",
            Self::Jellyfin => "/Items/Counts",
        }
    }

    /// Parses the response to [`ServerKind::change_counters_target`].
    ///
    /// # Errors
    /// The body holds no counters.
    pub fn change_counters(self, body: &[u8]) -> Result<Vec<ChangeCounter>, UnusableResponse> {
        match self {
            Self::Plex => plex::change_counters(body),
            Self::Jellyfin => jellyfin::change_counters(body),
        }
    }
}

/// Error for a body that does not parse: another format, or broken.
fn unusable(body: &[u8]) -> UnusableResponse {
    if body.trim_ascii_start().starts_with(b"<") { UnusableResponse::ContentType } else { UnusableResponse::Malformed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_cut_short_is_not_empty() {
        let mut changed = ChangedSince { items: Vec::new(), is_complete: true };
        assert!(changed.is_empty());
        changed.merge(ChangedSince { items: Vec::new(), is_complete: false });
        assert!(!changed.is_empty(), "there are more than listed");
    }

    #[test]
    fn foreign_bodies_are_no_answers() {
        for kind in [ServerKind::Plex, ServerKind::Jellyfin] {
            for body in [&b"<html>"[..], b"", b"[]", b"{}", b"null", b"{\"Items\":3}", b"{\"MediaContainer\":3}"] {
                assert!(kind.changed_since(body).is_err(), "{kind:?} {}", String::from_utf8_lossy(body));
                assert!(kind.change_counters(body).is_err(), "{kind:?} {}", String::from_utf8_lossy(body));
            }
        }
    }
}
