//! What was decided about a track: by a person, or by having been used and right.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::identity::Identity;
use crate::index::LibraryId;
use crate::matching::query::Wanted;

/// What kind of decision it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DecisionKind)]
pub enum RulingKind {
    /// Somebody said: it is this one. Holds until it is taken back.
    Pin,
    /// Somebody said: it is never this one.
    Rejection,
    /// It was used, and the server took it.
    Confirmed,
}

impl RulingKind {
    /// All of them.
    pub const EVERY: [Self; 3] = [Self::Pin, Self::Rejection, Self::Confirmed];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Rejection => "rejection",
            Self::Confirmed => "confirmed",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.word() == word)
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Its number; zero before it is kept.
    pub id: i64,
    /// For which library.
    pub library: LibraryId,
    /// What kind it is.
    pub kind: RulingKind,
    /// About what.
    pub wanted: Wanted,
    /// The key the item had when it was last seen.
    pub item_key: String,
    /// What the item is.
    pub identity: Identity,
    /// Whether it is this very recording, and not another version that was good enough.
    pub is_strict: bool,
    /// The generation at whose time the server itself showed the item, where no snapshot had it yet; else zero.
    pub seen_in: u64,
    /// When it was decided, in milliseconds since 1970.
    pub made_ms: u64,
}

/// A decision as it is written out and read in: without numbers that mean nothing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Decision)]
pub struct Written {
    /// For which library, as `home:3`.
    pub library: String,
    /// What kind it is.
    pub kind: RulingKind,
    /// About what.
    pub track: Wanted,
    /// The key the item had.
    pub key: String,
    /// What the item is.
    pub item: Identity,
    /// See [`Ruling::is_strict`].
    #[serde(default = "yes")]
    pub strict: bool,
    /// When it was decided, in milliseconds since 1970.
    #[serde(default)]
    pub made_ms: u64,
}

fn yes() -> bool {
    true
}

impl From<&Ruling> for Written {
    fn from(ruling: &Ruling) -> Self {
        Self {
            library: ruling.library.to_string(),
            kind: ruling.kind,
            track: ruling.wanted.clone(),
            key: ruling.item_key.clone(),
            item: ruling.identity.clone(),
            strict: ruling.is_strict,
            made_ms: ruling.made_ms,
        }
    }
}

impl Written {
    /// The decision, if it names a library and says about what.
    pub fn read(self) -> Option<Ruling> {
        let library = self.library.parse().ok()?;
        (!self.track.is_empty() && !self.key.is_empty()).then_some(Ruling {
            id: 0,
            library,
            kind: self.kind,
            wanted: self.track,
            item_key: self.key,
            identity: self.item,
            is_strict: self.strict,
            seen_in: 0,
            made_ms: self.made_ms,
        })
    }
}
