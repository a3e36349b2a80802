//! The store's report of itself.

/// Names and values of a report of the form that `INFO` and `CLUSTER INFO` have: `name:value` in each line.
pub(crate) fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.trim_end().split_once(':'))
}

/// Program of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreProduct {
    /// Redis, or what says nothing else.
    #[default]
    Redis,
    /// Valkey.
    Valkey,
}

impl StoreProduct {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        }
    }
}

/// Figures of `INFO`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StoreInfo {
    pub(crate) product: StoreProduct,
    pub(crate) version: String,
    /// Whether the node belongs to a Cluster.
    pub(crate) is_cluster_node: bool,
    pub(crate) used_bytes: u64,
    pub(crate) max_bytes: u64,
    pub(crate) eviction_policy: String,
    pub(crate) evicted_keys: u64,
    pub(crate) total_keys: Option<u64>,
}

impl StoreInfo {
    /// Reads the answer; what is missing stays empty.
    pub(crate) fn parse(text: &str) -> Self {
        let mut info = Self::default();
        for (name, value) in fields(text) {
            let number = || value.parse().unwrap_or(0);
            match name {
                // Valkey names itself after the version of Redis that it is compatible with.
                "redis_version" if info.version.is_empty() => value.clone_into(&mut info.version),
                "valkey_version" => {
                    info.product = StoreProduct::Valkey;
                    value.clone_into(&mut info.version);
                }
                "cluster_enabled" => info.is_cluster_node = value == "1",
                "used_memory" => info.used_bytes = number(),
                "maxmemory" => info.max_bytes = number(),
                "maxmemory_policy" => value.clone_into(&mut info.eviction_policy),
                "evicted_keys" => info.evicted_keys = number(),
                _ => {}
            }
        }
        info
    }

    /// The first number of the version; 0 if unknown.
    pub(crate) fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }

    /// Whether the store may evict keys that the agreement needs, or refuses writes when it is full.
    pub(crate) fn is_full(&self) -> bool {
        self.max_bytes > 0 && self.eviction_policy == "noeviction" && self.used_bytes >= self.max_bytes / 100 * 99
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_missing_ones_stay_empty() {
        let info = StoreInfo::parse(
            "# Server\r\nredis_version:7.0.15\r\nused_memory:99\r\nmaxmemory:99\r\nmaxmemory_policy:noeviction\r\n",
        );
        assert_eq!((info.major(), info.is_full(), info.total_keys), (7, true, None));
        assert_eq!(StoreInfo::parse("nothing"), StoreInfo::default());
    }

    #[test]
    fn valkey_is_known_by_its_own_version() {
        let info = StoreInfo::parse("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.3\r\n");
        assert_eq!((info.product, info.version.as_str(), info.major()), (StoreProduct::Valkey, "8.1.3", 8));
    }
}
