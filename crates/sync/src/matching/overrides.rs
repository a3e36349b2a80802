//! Match overrides: decisions by a person, or by a match that was used and accepted.

use greenroom_cache::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::identity::ItemIdentity;
use crate::index::LibraryId;
use crate::matching::query::TrackQuery;

/// Kind of an override.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DecisionKind)]
pub enum MatchOverrideKind {
    /// A person chose this item. Valid until removed.
    Pin,
    /// A person excluded this item.
    Rejection,
    /// The match was written, and the server accepted it.
    Confirmed,
}

impl MatchOverrideKind {
    /// All kinds.
    pub const EVERY: [Self; 3] = [Self::Pin, Self::Rejection, Self::Confirmed];

    /// Its name in API and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Rejection => "rejection",
            Self::Confirmed => "confirmed",
        }
    }

    /// The kind with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| kind.name() == word)
    }
}

/// A match override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchOverride {
    /// Its id; zero before it is saved.
    pub id: i64,
    /// Its library.
    pub library: LibraryId,
    /// Its kind.
    pub kind: MatchOverrideKind,
    /// The track it applies to.
    pub query: TrackQuery,
    /// Last known key of the item.
    pub item_key: String,
    /// Identity of the item.
    pub identity: ItemIdentity,
    /// Whether it is this very recording, and not another acceptable version.
    pub is_strict: bool,
    /// Of a confirmed match the generation in which it was judged last, zero if that is not known: a newer one may have
    /// rows that are meant instead. Also, an item that no snapshot had by then was found by a live search and may still
    /// appear.
    pub seen_in: u64,
    /// Time of its creation, in milliseconds since 1970.
    pub created_ms: Timestamp,
}

/// An override for export and import, without ids that are valid only here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Decision)]
pub struct ExportedMatchOverride {
    /// Its library, as `home:3`.
    pub library: String,
    /// Its kind.
    pub kind: MatchOverrideKind,
    /// The track it applies to.
    pub track: TrackQuery,
    /// Last known key of the item.
    pub key: String,
    /// Identity of the item.
    pub item: ItemIdentity,
    /// See [`MatchOverride::is_strict`].
    #[serde(default = "default_strict")]
    pub strict: bool,
    /// Time of its creation, in milliseconds since 1970.
    #[serde(default)]
    pub made_ms: u64,
}

fn default_strict() -> bool {
    true
}

impl From<&MatchOverride> for ExportedMatchOverride {
    fn from(match_override: &MatchOverride) -> Self {
        Self {
            library: match_override.library.to_string(),
            kind: match_override.kind,
            track: match_override.query.clone(),
            key: match_override.item_key.clone(),
            item: match_override.identity.clone(),
            strict: match_override.is_strict,
            made_ms: match_override.created_ms.as_millis(),
        }
    }
}

impl ExportedMatchOverride {
    /// The override, if it names a library and a track.
    pub fn into_override(self) -> Option<MatchOverride> {
        let library = self.library.parse().ok()?;
        (!self.track.is_empty() && !self.key.is_empty()).then_some(MatchOverride {
            id: 0,
            library,
            kind: self.kind,
            query: self.track,
            item_key: self.key,
            identity: self.item,
            is_strict: self.strict,
            seen_in: 0,
            created_ms: Timestamp::from_millis(self.made_ms),
        })
    }
}
