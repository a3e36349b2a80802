//! What the clients of one server may take of it at a time.

use std::net::IpAddr;
use std::sync::Arc;

use greenroom_cache::Partition;
use greenroom_config::Hygiene;

use super::byte_budget::{ByteBudget, Pool};
use super::connection_limit::Seats;
use super::limits::Bounds;

/// The limits of one server's clients.
#[derive(Debug)]
pub struct ClientLimits {
    /// Clients' connections, by address.
    pub connections: Seats<IpAddr>,
    /// Clients' notification sockets and event streams, by identity.
    pub sockets: Seats<Partition>,
    /// Bytes of request bodies held for its clients.
    pub bodies: Arc<ByteBudget>,
    /// Bodies of writes that are passed on while they arrive, by address.
    pub uploads: Seats<IpAddr>,
    /// Those of tokens that it has never accepted.
    pub unproven_uploads: Seats<IpAddr>,
    /// Which bounds clients ran into.
    pub bounds: Bounds,
}

impl ClientLimits {
    /// What the settings say, with nothing taken.
    pub fn new(hygiene: &Hygiene) -> Self {
        let bodies = hygiene.bodies;
        Self {
            connections: Seats::new(hygiene.max_connections, hygiene.max_connections_per_peer),
            sockets: Seats::new(hygiene.max_sockets, hygiene.max_sockets_per_identity),
            bodies: Arc::new(ByteBudget::new(Arc::new(Pool::new(bodies.held.server)), bodies.held)),
            uploads: Seats::new(bodies.max_uploads, bodies.max_uploads_per_peer),
            unproven_uploads: Seats::new(bodies.max_uploads_unproven, bodies.max_uploads_unproven),
            bounds: Bounds::default(),
        }
    }
}
