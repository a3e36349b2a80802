//! Merges the responses of several servers, with their age.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use greenroom_dialect::dashboard::DashboardSession;

use super::{iso, seconds};
use greenroom_proxy::internal_client::{InternalCaller, InternalClient, InternalReadError, InternalResponse};
use greenroom_proxy::server::Server;

/// Responses of several servers to the same request.
#[derive(Debug)]
pub(super) struct MergedResponses<T> {
    /// The responses, in the order of the servers.
    pub(super) responses: Vec<(Arc<Server>, T)>,
    /// Servers without a response, cached or not.
    pub(super) unavailable: Vec<String>,
    /// The first reason for a missing response.
    pub(super) first_miss: Option<InternalReadError>,
    /// Age of the merged responses.
    pub(super) metadata: CacheMetadata,
}

/// Age of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CacheMetadata {
    /// True if all of it came from the cache.
    pub(super) is_cached: bool,
    /// True if any of it is stale.
    pub(super) is_stale: bool,
    /// Age of the oldest part, in milliseconds.
    pub(super) age_ms: Duration,
    /// When the oldest part was loaded, in milliseconds since 1970.
    pub(super) at_ms: Timestamp,
}

impl CacheMetadata {
    fn from_response(found: &InternalResponse) -> Self {
        Self { is_cached: found.is_cached, is_stale: found.is_stale, age_ms: found.age, at_ms: found.at_ms }
    }

    /// Combines both.
    #[must_use]
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            is_cached: self.is_cached && other.is_cached,
            is_stale: self.is_stale || other.is_stale,
            age_ms: self.age_ms.max(other.age_ms),
            at_ms: self.at_ms.min(other.at_ms),
        }
    }

    /// Metadata of an empty result.
    pub(super) fn empty(now_ms: Timestamp) -> Self {
        Self { is_cached: false, is_stale: false, age_ms: Duration::ZERO, at_ms: now_ms }
    }

    /// Load time, formatted.
    pub(super) fn timestamp(&self) -> String {
        iso(self.at_ms)
    }

    /// Age, in seconds.
    pub(super) fn age_s(&self) -> f64 {
        seconds(self.age_ms)
    }
}

/// Requests `target` from every server and parses the responses with `read`.
pub(super) async fn fetch_all<T>(
    internal_client: &InternalClient,
    servers: &[&Arc<Server>],
    caller: InternalCaller<'_>,
    target: impl Fn(&Server) -> String,
    read: impl Fn(&Server, &[u8]) -> Option<T>,
) -> MergedResponses<T> {
    let requests = servers.iter().map(|server| {
        let target = target(server);
        async move { internal_client.ask(server, &target, caller).await }
    });
    let responses = join_all(requests).await;
    let now_ms = servers.first().map_or(Timestamp::UNIX_EPOCH, |server| server.origin.clock.now());
    let mut merged = MergedResponses {
        responses: Vec::new(),
        unavailable: Vec::new(),
        first_miss: None,
        metadata: CacheMetadata::empty(now_ms),
    };
    for (server, response) in servers.iter().zip(responses) {
        let parsed = response.and_then(|found| {
            let rows = read(server, &found.body).ok_or(InternalReadError::NotARead)?;
            Ok((rows, CacheMetadata::from_response(&found)))
        });
        match parsed {
            Ok((rows, metadata)) => {
                merged.metadata = if merged.responses.is_empty() { metadata } else { merged.metadata.merge(metadata) };
                merged.responses.push((Arc::clone(server), rows));
            }
            Err(error) => {
                merged.unavailable.push(server.name().to_owned());
                merged.first_miss.get_or_insert(error);
            }
        }
    }
    merged
}

/// Requests the sessions of every server.
pub(super) async fn fetch_sessions(
    internal_client: &InternalClient,
    servers: &[&Arc<Server>],
    caller: InternalCaller<'_>,
) -> MergedResponses<Vec<DashboardSession>> {
    let target = |server: &Server| server.origin.settings.kind.sessions_target().to_owned();
    fetch_all(internal_client, servers, caller, target, |server, body| server.origin.settings.kind.sessions(body).ok())
        .await
}

impl<T> MergedResponses<T> {
    /// True if no server responded.
    pub(super) fn is_error(&self) -> bool {
        self.responses.is_empty()
    }

    /// Message for people, if no server responded.
    pub(super) fn message(&self) -> Option<&'static str> {
        self.is_error().then(|| self.first_miss.map_or("no media server is configured", InternalReadError::message))
    }
}
