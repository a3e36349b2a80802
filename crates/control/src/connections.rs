//! The connections of the control port: their limits, and the connection that gives way to a new one.
//!
//! A connection without a request in progress (its head is incomplete, or it is idle) is closed if a new one would
//! exceed a limit: the longest idle one of the address with most of them. So neither half-sent heads nor idle
//! connections keep a client out. Only if all are busy is the new one refused.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use greenroom_config::ControlSettings;
use greenroom_http_server::client_network::client_network;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Limit on the connections of the control port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionBound {
    /// On all of them.
    Total,
    /// On those of one address.
    PerPeer,
}

/// Connections closed or refused, by limit.
#[derive(Debug, Default)]
pub struct ConnectionRefusals([AtomicU64; ConnectionBound::EVERY.len()]);

/// All connections of the control port.
#[derive(Debug)]
pub struct ConnectionTable {
    state: Mutex<ConnectionTableState>,
    settings: ControlSettings,
}

#[derive(Debug, Default)]
struct ConnectionTableState {
    connections: BTreeMap<u64, OpenConnection>,
    /// Number of the next event: a connection was accepted, or became idle.
    next_event: u64,
}

#[derive(Debug)]
struct OpenConnection {
    network: IpAddr,
    requests: usize,
    /// Number of the event since which it is idle.
    idle_since: u64,
    close: CancellationToken,
}

/// An accepted connection. It leaves the table when this is dropped.
#[derive(Debug)]
pub struct AcceptedConnection {
    table: Arc<ConnectionTable>,
    id: u64,
    close: CancellationToken,
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub struct BusyConnection(Arc<AcceptedConnection>);

impl ConnectionBound {
    /// Every limit.
    pub const EVERY: [Self; 2] = [Self::Total, Self::PerPeer];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "connections",
            Self::PerPeer => "connections-per-peer",
        }
    }
}

impl ConnectionRefusals {
    /// Counts a connection that was closed or refused.
    pub fn record(&self, bound: ConnectionBound) {
        self.0[bound as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every limit with its count.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ConnectionBound::EVERY.into_iter().map(|bound| (bound.name(), self.0[bound as usize].load(Ordering::Relaxed)))
    }
}

impl ConnectionTable {
    /// An empty table.
    pub fn new(settings: ControlSettings) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), settings })
    }

    /// Adds a connection, if need be in place of an idle one.
    ///
    /// # Errors
    /// A limit is reached, and none of the connections is idle.
    pub fn accept(
        self: &Arc<Self>,
        peer: IpAddr,
        refusals: &ConnectionRefusals,
    ) -> Result<AcceptedConnection, ConnectionBound> {
        let network = client_network(peer);
        let mut state = self.state.lock();
        // A trusted proxy carries many clients.
        let of_peer = if self.settings.trusted_proxies.contain(peer) { 0 } else { state.count(network) };
        let reached = if of_peer >= self.settings.max_connections_per_peer {
            Some(ConnectionBound::PerPeer)
        } else if state.connections.len() >= self.settings.max_connections {
            Some(ConnectionBound::Total)
        } else {
            None
        };
        if let Some(bound) = reached {
            refusals.record(bound);
            let only = (bound == ConnectionBound::PerPeer).then_some(network);
            let id = state.longest_idle(only).ok_or(bound)?;
            if let Some(closed) = state.connections.remove(&id) {
                closed.close.cancel();
            }
        }
        let (id, close) = (state.event(), CancellationToken::new());
        let connection = OpenConnection { network, requests: 0, idle_since: id, close: close.clone() };
        state.connections.insert(id, connection);
        Ok(AcceptedConnection { table: Arc::clone(self), id, close })
    }
}

impl ConnectionTableState {
    fn event(&mut self) -> u64 {
        self.next_event += 1;
        self.next_event
    }

    fn count(&self, network: IpAddr) -> usize {
        self.connections.values().filter(|connection| connection.network == network).count()
    }

    /// The longest idle connection of the address with most of them, or of `only`.
    fn longest_idle(&self, only: Option<IpAddr>) -> Option<u64> {
        let idle = || self.connections.iter().filter(|(_, connection)| connection.requests == 0);
        let mut by_network: HashMap<IpAddr, usize> = HashMap::new();
        for (_, connection) in idle() {
            *by_network.entry(connection.network).or_default() += 1;
        }
        let network =
            only.or_else(|| by_network.into_iter().max_by_key(|(_, count)| *count).map(|(network, _)| network))?;
        let of_network = idle().filter(|(_, connection)| connection.network == network);
        of_network.min_by_key(|(_, connection)| connection.idle_since).map(|(id, _)| *id)
    }
}

impl AcceptedConnection {
    /// Waits until the connection must give way to another.
    pub async fn closed(&self) {
        self.close.cancelled().await;
    }

    /// Keeps the connection open until the result is dropped.
    pub fn begin_request(self: &Arc<Self>) -> BusyConnection {
        if let Some(connection) = self.table.state.lock().connections.get_mut(&self.id) {
            connection.requests += 1;
        }
        BusyConnection(Arc::clone(self))
    }
}

impl Drop for AcceptedConnection {
    fn drop(&mut self) {
        self.table.state.lock().connections.remove(&self.id);
    }
}

impl BusyConnection {
    /// The response, which keeps its connection open until it has ended.
    pub fn attach_to(self, response: Response) -> Response {
        response.map(|body| Body::new(BusyBody { body, _connection: self }))
    }
}

impl Drop for BusyConnection {
    fn drop(&mut self) {
        let mut state = self.0.table.state.lock();
        let idle_since = state.event();
        if let Some(connection) = state.connections.get_mut(&self.0.id) {
            connection.requests -= 1;
            connection.idle_since = idle_since;
        }
    }
}

/// A response's body, whose connection is busy.
struct BusyBody {
    body: Body,
    _connection: BusyConnection,
}

impl HttpBody for BusyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use greenroom_config::{ConfigSource, Settings};

    use super::*;

    fn table(bounds: &str) -> Arc<ConnectionTable> {
        let mut source = ConfigSource::default();
        source.add_toml("g.toml", &format!("trusted_proxies = \"10.0.0.9\"\n[control]\n{bounds}"));
        let server = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n";
        source.add_toml("server.toml", server);
        ConnectionTable::new(Settings::read(source).expect("valid settings").control)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn idle_connections_of_an_address_give_way_to_its_next_one() {
        let (table, refusals) = (table("max_connections_per_peer = 2"), ConnectionRefusals::default());
        let accept = |last| table.accept(address(last), &refusals).map(Arc::new);
        let [first, second] = [1, 1].map(|last| accept(last).expect("there is room"));
        let other = accept(2).expect("another address");
        let request = first.begin_request();
        let third = accept(1).expect("the second is idle");
        assert!(second.close.is_cancelled() && !first.close.is_cancelled() && !other.close.is_cancelled());
        let _busy = third.begin_request();
        assert_eq!(accept(1).expect_err("both are busy"), ConnectionBound::PerPeer);
        drop(request);
        assert!(accept(1).is_ok() && first.close.is_cancelled());
        assert_eq!(refusals.counts().collect::<Vec<_>>(), [("connections", 0), ("connections-per-peer", 3)]);
    }

    #[test]
    fn the_address_with_most_idle_connections_gives_way() {
        let (table, refusals) = (table("max_connections = 4"), ConnectionRefusals::default());
        let accept = |last| table.accept(address(last), &refusals).map(Arc::new);
        let mut quiet = vec![accept(1).expect("there is room")];
        let flood: Vec<_> = (0..3).map(|_| accept(2).expect("there is room")).collect();
        quiet.push(accept(3).expect("an idle one gives way"));
        quiet.push(accept(1).expect("an idle one gives way"));
        assert!(quiet.iter().all(|connection| !connection.close.is_cancelled()));
        let closed: Vec<bool> = flood.iter().map(|connection| connection.close.is_cancelled()).collect();
        assert_eq!(closed, [true, true, false]);
        assert_eq!(table.state.lock().connections.len(), 4);
        drop((quiet, flood));
        assert!(table.state.lock().connections.is_empty());
    }

    #[test]
    fn a_trusted_proxy_has_only_the_limit_of_all() {
        let (table, refusals) =
            (table("max_connections_per_peer = 1\nmax_connections = 2"), ConnectionRefusals::default());
        let accepted = [0, 1].map(|_| Arc::new(table.accept(address(9), &refusals).expect("there is room")));
        let _busy = accepted.each_ref().map(AcceptedConnection::begin_request);
        assert_eq!(table.accept(address(9), &refusals).expect_err("all are busy"), ConnectionBound::Total);
    }
}
