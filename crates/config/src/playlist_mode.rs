//! What a sync may do with a playlist, and which matches count: the words of the configuration and the API.

use greenroom_library::tracks::Policy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What may happen to a playlist of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PlaylistMode)]
pub enum Mode {
    /// It is made; one that is there already is finished if it was begun from the same rows, else left alone.
    #[default]
    Create,
    /// It holds exactly these tracks in this order afterwards.
    Replace,
    /// What is missing is added at its end.
    Append,
}

impl Mode {
    /// The mode of this word.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "create" => Some(Self::Create),
            "replace" => Some(Self::Replace),
            "append" => Some(Self::Append),
            _ => None,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Append => "append",
        }
    }
}

/// The policy of this word.
pub fn policy_named(word: &str) -> Option<Policy> {
    match word {
        "strict" => Some(Policy::Strict),
        "prefer-version-else-any" => Some(Policy::PreferVersionElseAny),
        "ids-only" => Some(Policy::IdsOnly),
        _ => None,
    }
}

/// The word for a policy.
pub fn policy_word(policy: Policy) -> &'static str {
    match policy {
        Policy::Strict => "strict",
        Policy::PreferVersionElseAny => "prefer-version-else-any",
        Policy::IdsOnly => "ids-only",
    }
}
