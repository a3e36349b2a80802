//! Modes and match policies of a playlist sync, by their names in configuration and API.

use greenroom_library::matching::MatchPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Changes allowed to an existing playlist of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PlaylistMode)]
pub enum PlaylistMode {
    /// Create it; an existing one is completed if it was begun from the same rows, else left alone.
    #[default]
    Create,
    /// Make it contain exactly these tracks in this order.
    Replace,
    /// Append missing tracks.
    Append,
}

impl PlaylistMode {
    /// The mode with this name.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "create" => Some(Self::Create),
            "replace" => Some(Self::Replace),
            "append" => Some(Self::Append),
            _ => None,
        }
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Append => "append",
        }
    }
}

/// The policy with this name.
pub fn parse_policy(word: &str) -> Option<MatchPolicy> {
    match word {
        "strict" => Some(MatchPolicy::Strict),
        "prefer-version-else-any" => Some(MatchPolicy::PreferVersionElseAny),
        "ids-only" => Some(MatchPolicy::IdsOnly),
        _ => None,
    }
}

/// Name of a policy.
pub fn policy_word(policy: MatchPolicy) -> &'static str {
    match policy {
        MatchPolicy::Strict => "strict",
        MatchPolicy::PreferVersionElseAny => "prefer-version-else-any",
        MatchPolicy::IdsOnly => "ids-only",
    }
}
