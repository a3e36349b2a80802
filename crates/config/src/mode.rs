//! How a server's reads are answered: from the cache, observed, or bypassed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How reads are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// From the cache where that is allowed.
    #[default]
    Cache,
    /// By the server, every one; what the cache would have answered is only judged.
    Observe,
    /// By the server, every one.
    Bypass,
}

impl Mode {
    /// Every mode.
    pub const EVERY: [Self; 3] = [Self::Cache, Self::Observe, Self::Bypass];

    /// The word for it in the configuration, the API and `Cache-Status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Observe => "observe",
            Self::Bypass => "bypass",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|mode| mode.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_mode() {
        for mode in Mode::EVERY {
            assert_eq!(Mode::named(mode.name()), Some(mode));
            assert_eq!(serde_json::to_value(mode).expect("a word"), mode.name());
        }
        assert_eq!(Mode::named("off"), None);
    }
}
