//! Mode of a server's reads: cache, observe or bypass.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Mode in which reads are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    /// From the cache where allowed.
    #[default]
    Cache,
    /// By the server; the cache's response is only compared.
    Observe,
    /// By the server.
    Bypass,
}

impl CacheMode {
    /// Every mode.
    pub const EVERY: [Self; 3] = [Self::Cache, Self::Observe, Self::Bypass];

    /// Its name in the configuration, the API and `Cache-Status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Observe => "observe",
            Self::Bypass => "bypass",
        }
    }

    /// The mode with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|mode| mode.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_mode() {
        for mode in CacheMode::EVERY {
            assert_eq!(CacheMode::parse(mode.name()), Some(mode));
            assert_eq!(serde_json::to_value(mode).expect("a word"), mode.name());
        }
        assert_eq!(CacheMode::parse("off"), None);
    }
}
