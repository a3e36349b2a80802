//! Concurrency and byte limits for the clients of one server.

use std::net::IpAddr;
use std::sync::Arc;

use greenroom_cache::Partition;
use greenroom_config::ListenerLimits;

use super::byte_budget::{ByteBudget, BytePool};
use super::concurrency_limit::ConcurrencyLimiter;
use super::limits::LimitCounters;
use super::passing::PassThroughCount;

/// Limits for the clients of one server.
#[derive(Debug)]
pub struct ClientLimits {
    /// Client connections, by address.
    pub connections: ConcurrencyLimiter<IpAddr>,
    /// Notification sockets and event streams, by identity.
    pub sockets: ConcurrencyLimiter<Partition>,
    /// Media streams, downloads and other long responses, by identity.
    pub streams: ConcurrencyLimiter<Partition>,
    /// Of streams and sockets, the ones without a token that the server has accepted, by address.
    pub unproven_streams: ConcurrencyLimiter<IpAddr>,
    /// Bytes of request bodies held in memory.
    pub bodies: Arc<ByteBudget>,
    /// Write bodies that are passed on while they arrive, by address.
    pub uploads: ConcurrencyLimiter<IpAddr>,
    /// Of those, the ones with tokens that the server has never accepted.
    pub unproven_uploads: ConcurrencyLimiter<IpAddr>,
    /// Count of rejections per limit.
    pub counters: LimitCounters,
    /// Responses of which only the body is still being sent.
    pub passing: PassThroughCount,
}

impl ClientLimits {
    /// The configured limits, with nothing in use.
    pub fn new(limits: &ListenerLimits) -> Self {
        let bodies = limits.bodies;
        Self {
            connections: ConcurrencyLimiter::new(limits.max_connections, limits.max_connections_per_peer),
            sockets: ConcurrencyLimiter::new(limits.max_sockets, limits.max_sockets_per_identity),
            streams: ConcurrencyLimiter::new(limits.max_streams, limits.max_streams_per_identity),
            unproven_streams: ConcurrencyLimiter::new(
                limits.max_streams_unproven,
                limits.max_streams_unproven_per_peer,
            ),
            bodies: Arc::new(ByteBudget::new(Arc::new(BytePool::new(bodies.held.server)), bodies.held)),
            uploads: ConcurrencyLimiter::new(bodies.max_uploads, bodies.max_uploads_per_peer),
            unproven_uploads: ConcurrencyLimiter::new(bodies.max_uploads_unproven, bodies.max_uploads_unproven),
            counters: LimitCounters::default(),
            passing: PassThroughCount::default(),
        }
    }
}
