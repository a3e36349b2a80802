//! Probe of a store for `greenroom doctor`: version, latency, eviction policy, slots and key. It writes nothing.

use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_config::RemoteStoreSettings;
use redis::IntoConnectionInfo;

use crate::connection::{StoreConnection, explain};
use crate::handshake::ask_node;
use crate::store::{agreement_key, cluster_secret, key_fingerprint};
use crate::store_info::{StoreInfo, fields};

pub use crate::store_info::StoreProduct;

/// Round trips of which the median is taken.
const ROUND_TRIPS: usize = 9;

/// Facts on a store that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFacts {
    /// The program.
    pub product: StoreProduct,
    /// Its version.
    pub version: String,
    /// Median of several round trips.
    pub round_trip: Duration,
    /// Its eviction policy, as `maxmemory-policy` names it.
    pub eviction_policy: String,
    /// Max bytes; zero if unlimited.
    pub max_bytes: u64,
    /// Whether the settings name a Cluster, and whether the node is one's.
    pub cluster: ClusterFacts,
    /// Whether its gateways have the key of these settings.
    pub key: KeyAgreement,
}

/// A store of one node, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterFacts {
    /// One node.
    None,
    /// One node is configured, and it belongs to a Cluster: it refuses the keys of the others.
    Unconfigured,
    /// A Cluster.
    Cluster(ClusterSlots),
}

/// State of a Cluster, by `CLUSTER INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClusterSlots {
    /// Whether it accepts commands.
    pub is_ok: bool,
    /// Slots whose node answers, of 16,384.
    pub served: u64,
    /// Nodes that own slots.
    pub primaries: u64,
    /// All nodes.
    pub nodes: u64,
}

/// Whether the gateways at a store have one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAgreement {
    /// The settings have none: this gateway shares with no other.
    Unshared,
    /// No gateway has used the prefix yet.
    Unused,
    /// The gateways there have the same.
    Same,
    /// They have another.
    Other,
}

/// The addresses of a store's nodes, without user and password.
pub fn addresses(settings: &RemoteStoreSettings) -> Vec<String> {
    let address = |node: &str| node.into_connection_info().map(|info| info.addr().to_string());
    settings
        .nodes
        .iter()
        .map(|node| address(node.expose()).unwrap_or_else(|_| "an unreadable address".into()))
        .collect()
}

/// Connects to the store and asks it about itself.
///
/// # Errors
/// What failed, without the address.
pub async fn probe(settings: &RemoteStoreSettings) -> Result<StoreFacts, String> {
    let mut connection = StoreConnection::open(settings, Some(settings.response_timeout)).await?;
    let info = StoreInfo::parse(&ask_node(&mut connection, redis::cmd("INFO")).await?);
    let cluster = match &connection {
        StoreConnection::Single(_) if info.is_cluster_node => ClusterFacts::Unconfigured,
        StoreConnection::Single(_) => ClusterFacts::None,
        StoreConnection::Cluster(_) => {
            let mut command = redis::cmd("CLUSTER");
            command.arg("INFO");
            ClusterFacts::Cluster(read_slots(&ask_node(&mut connection, command).await?))
        }
    };
    let key = match cluster {
        ClusterFacts::Unconfigured => KeyAgreement::Unshared,
        ClusterFacts::None | ClusterFacts::Cluster(_) => compare_key(settings, &mut connection).await?,
    };
    Ok(StoreFacts {
        product: info.product,
        version: info.version,
        round_trip: measure(&mut connection).await?,
        eviction_policy: info.eviction_policy,
        max_bytes: info.max_bytes,
        cluster,
        key,
    })
}

/// The median of several round trips.
async fn measure(connection: &mut StoreConnection) -> Result<Duration, String> {
    let (clock, mut took) = (Clock::system(), Vec::with_capacity(ROUND_TRIPS));
    for _ in 0..ROUND_TRIPS {
        let began_us = clock.now_us();
        ask_node(connection, redis::cmd("PING")).await?;
        took.push(clock.since(began_us));
    }
    took.sort_unstable();
    Ok(took[ROUND_TRIPS / 2])
}

async fn compare_key(settings: &RemoteStoreSettings, connection: &mut StoreConnection) -> Result<KeyAgreement, String> {
    let Some(own) = settings.cluster_key.as_ref().filter(|_| settings.shared) else {
        return Ok(KeyAgreement::Unshared);
    };
    let own = key_fingerprint(&cluster_secret(own.expose()));
    let mut command = redis::cmd("HGET");
    command.arg(agreement_key(settings, "meta")).arg("key");
    let found: Option<String> = command.query_async(connection).await.map_err(explain)?;
    Ok(match found {
        None => KeyAgreement::Unused,
        Some(found) if found == own => KeyAgreement::Same,
        Some(_) => KeyAgreement::Other,
    })
}

/// Reads `CLUSTER INFO`; what is missing counts as bad.
fn read_slots(text: &str) -> ClusterSlots {
    let mut slots = ClusterSlots::default();
    for (name, value) in fields(text) {
        let number = || value.parse().unwrap_or(0);
        match name {
            "cluster_state" => slots.is_ok = value == "ok",
            "cluster_slots_ok" => slots.served = number(),
            "cluster_size" => slots.primaries = number(),
            "cluster_known_nodes" => slots.nodes = number(),
            _ => {}
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_user_and_password() {
        let settings = RemoteStoreSettings::new("redis://anna:secret@cache:6380/2");
        assert_eq!(addresses(&settings), ["cache:6380"]);
        assert_eq!(addresses(&RemoteStoreSettings::new("unix:/run/redis.sock")), ["/run/redis.sock"]);
        assert_eq!(addresses(&RemoteStoreSettings::new("secret@@")), ["an unreadable address"]);
    }

    #[test]
    fn the_state_of_a_cluster_is_read_and_what_is_missing_counts_as_bad() {
        let text = "cluster_state:ok\r\ncluster_slots_ok:16384\r\ncluster_known_nodes:6\r\ncluster_size:3\r\n";
        assert_eq!(read_slots(text), ClusterSlots { is_ok: true, served: 16_384, primaries: 3, nodes: 6 });
        assert_eq!(read_slots("nothing"), ClusterSlots::default());
    }
}
