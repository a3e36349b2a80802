//! Questions to a store when it is opened, and now and then after that.

use std::sync::Arc;

use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};

use crate::connection::{StoreConnection, explain};
use crate::scripts::Scripts;
use crate::store::{OpenStore, RedisStore};
use crate::store_info::StoreInfo;

/// Opens a connection, and finds out what the store is.
///
/// # Errors
/// What failed, without the address.
pub(crate) async fn connect(store: &RedisStore) -> Result<OpenStore, String> {
    let mut connection = StoreConnection::open(&store.settings, Some(store.settings.response_timeout)).await?;
    let info = read_info(store, &mut connection).await?;
    let scripts = Arc::new(Scripts::for_version(info.major()));
    let mut published = store.published.lock();
    published.kind = connection.kind();
    published.info = info;
    drop(published);
    Ok(OpenStore { connection, scripts })
}

/// The text that a node of the store answers; in a Cluster any of its primaries.
///
/// # Errors
/// What failed.
pub(crate) async fn ask_node(connection: &mut StoreConnection, command: redis::Cmd) -> Result<String, String> {
    let answer = match connection {
        StoreConnection::Single(single) => command.query_async::<String>(single).await,
        StoreConnection::Cluster(cluster) => {
            let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary);
            let value = cluster.route_command(command, route).await;
            value.and_then(|value| Ok(redis::from_redis_value::<String>(value)?))
        }
    };
    answer.map_err(explain)
}

/// Asks the store for its figures, and warns of a full one.
///
/// # Errors
/// What failed.
pub(crate) async fn read_info(store: &RedisStore, connection: &mut StoreConnection) -> Result<StoreInfo, String> {
    let mut info = StoreInfo::parse(&ask_node(connection, redis::cmd("INFO")).await?);
    info.total_keys = redis::cmd("DBSIZE").query_async::<u64>(connection).await.ok();
    if info.is_full() {
        let was_full = store.published.lock().info.is_full();
        if !was_full {
            tracing::warn!("the remote store is full and evicts nothing: set its maxmemory-policy to allkeys-lru");
        }
    }
    Ok(info)
}
