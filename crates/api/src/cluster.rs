//! The remote store and the gateways that share it, over the API.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use greenroom_remote_store::{StoreState, StoreStatus};
use serde::Serialize;
use utoipa::ToSchema;

use greenroom_control::state::ApiState;

/// The remote store, as this gateway sees it. Counters count since start.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
pub(super) struct ClusterResponse {
    /// Whether a remote store is configured.
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreReport>,
}

/// A remote store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterStore)]
struct StoreReport {
    /// connecting, connected, away, taken or other-key
    state: &'static str,
    /// The reason for which it cannot be used, or the gateway that has its prefix or another key.
    reason: Option<String>,
    /// single or cluster
    kind: &'static str,
    /// Redis or Valkey
    product: &'static str,
    version: String,
    prefix: String,
    /// Whether other gateways may use the prefix.
    shared: bool,
    /// Name of this gateway.
    gateway: String,
    /// The other gateways, and whether each is live.
    peers: Vec<PeerReport>,
    /// Name of the gateway that leads: it syncs scheduled playlists and sends notifications about servers.
    leader: Option<String>,
    /// leader, follower or unknown
    role: &'static str,
    /// Whether the cache is served: everything that the others invalidated was heard.
    trusted: bool,
    epoch: u64,
    /// The newest invalidation heard.
    heard: u64,
    total_keys: Option<u64>,
    evicted_keys: u64,
    used_bytes: u64,
    max_bytes: u64,
    eviction_policy: String,
    latency_us: u64,
    queued: u64,
    hits: u64,
    misses: u64,
    written: u64,
}

/// Another gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterPeer)]
struct PeerReport {
    name: String,
    heard: u64,
    live: bool,
}

/// The remote store and the gateways that share it.
#[utoipa::path(get, path = "/api/v1/cluster",
    responses((status = 200, description = "The remote store and the gateways that share it", body = ClusterResponse)))]
pub(super) async fn show(State(state): State<Arc<ApiState>>) -> Json<ClusterResponse> {
    let store = state.control.store_status().map(StoreReport::from);
    Json(ClusterResponse { enabled: store.is_some(), store })
}

impl From<StoreStatus> for StoreReport {
    fn from(status: StoreStatus) -> Self {
        let peers = status.peers.into_iter();
        Self {
            state: status.state.name(),
            reason: match status.state {
                StoreState::Away(reason) => Some(reason),
                StoreState::Taken { by: name } | StoreState::OtherKey { of: name } => Some(name),
                StoreState::Connecting | StoreState::Connected => None,
            },
            kind: status.kind,
            product: status.product,
            version: status.version,
            prefix: status.prefix,
            shared: status.shared,
            gateway: status.gateway,
            peers: peers
                .map(|peer| PeerReport { name: peer.name, heard: peer.heard, live: !peer.lease_ms.is_zero() })
                .collect(),
            leader: status.leader,
            role: status.role.name(),
            trusted: status.trusted,
            epoch: status.epoch,
            heard: status.heard,
            total_keys: status.total_keys,
            evicted_keys: status.evicted_keys,
            used_bytes: status.used_bytes,
            max_bytes: status.max_bytes,
            eviction_policy: status.eviction_policy,
            latency_us: status.latency_us,
            queued: status.queued,
            hits: status.hits,
            misses: status.misses,
            written: status.written,
        }
    }
}

/// Name, help and value of every counter of the store.
pub(super) fn counters(status: &StoreStatus) -> [(&'static str, &'static str, u64); 14] {
    [
        ("remote_hits", "Reads found in the remote store", status.hits),
        ("remote_misses", "Reads not found in the remote store", status.misses),
        ("remote_slow", "Reads that did not wait for the remote store", status.slow),
        ("remote_damaged", "Entries in the remote store that were damaged or not ours", status.damaged),
        ("remote_written", "Responses written to the remote store", status.written),
        ("remote_superseded", "Responses not written because the remote store had a newer one", status.superseded),
        ("remote_failed", "Responses that could not be written to the remote store", status.failed),
        ("remote_full", "Responses refused because the remote store was full", status.full),
        ("remote_dropped", "Responses dropped because too many waited for the remote store", status.dropped),
        ("remote_too_large", "Responses too large for the remote store", status.too_large),
        ("remote_invalidations_numbered", "Invalidations announced to other gateways", status.numbered),
        ("remote_invalidations_heard", "Invalidations heard from other gateways", status.heard_from_others),
        (
            "remote_unacknowledged",
            "Writes answered before every gateway was known to have heard",
            status.unacknowledged,
        ),
        ("remote_loads_shared", "Loads replaced by that of another gateway", status.claims_followed),
    ]
}
