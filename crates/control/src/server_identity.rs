//! The identity a media server reports: requested when the page is viewed, and again after an outage.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;
use parking_lot::Mutex;

use greenroom_origin::identify;
use greenroom_origin::identify::IdentifyResult;
use greenroom_proxy::server::Server;

/// Pause after a failed request.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Cached name and version of one server.
#[derive(Debug, Default)]
pub struct ServerIdentityCache(Mutex<IdentityCacheState>);

/// The reported identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerIdentitySummary {
    /// Its display name.
    pub title: Option<String>,
    /// Its version.
    pub(crate) version: Option<String>,
    /// A remark on anything unusual.
    pub(crate) remark: Option<&'static str>,
}

#[derive(Debug, Default)]
struct IdentityCacheState {
    summary: ServerIdentitySummary,
    at_ms: Timestamp,
    is_loading: bool,
}

impl ServerIdentityCache {
    /// The cached identity.
    pub fn get(&self) -> ServerIdentitySummary {
        self.0.lock().summary.clone()
    }

    /// Requests the identity in its own task if it is due.
    pub fn refresh_if_due(self: &Arc<Self>, server: &Arc<Server>) {
        let now_ms = server.origin.clock.now();
        let failed_ms = server.origin.counters.last_failure_ms.load(std::sync::atomic::Ordering::Relaxed);
        let mut state = self.0.lock();
        if server.origin.stop.is_cancelled()
            || !server.origin.breaker.allows_requests()
            || !state.is_due(now_ms, failed_ms)
        {
            return;
        }
        state.is_loading = true;
        state.at_ms = now_ms;
        drop(state);
        let (cache, server) = (Arc::clone(self), Arc::clone(server));
        server.origin.tasks.clone().spawn(async move {
            let result = tokio::select! {
                () = server.origin.stop.cancelled() => return,
                result = identify::identify(&server.origin) => result,
            };
            cache.0.lock().record(result);
        });
    }
}

impl IdentityCacheState {
    /// True once the pause is over, if the identity is unknown or the server failed since the last request.
    fn is_due(&self, now_ms: Timestamp, failed_ms: Timestamp) -> bool {
        let is_pause_over = self.at_ms == Timestamp::UNIX_EPOCH || now_ms.duration_since(self.at_ms) >= RETRY_PAUSE;
        let is_known = self.summary.version.is_some() && self.summary.remark.is_none();
        !self.is_loading && is_pause_over && (!is_known || failed_ms > self.at_ms)
    }

    fn record(&mut self, result: IdentifyResult) {
        self.is_loading = false;
        match result {
            IdentifyResult::Answered(ServerIdentity::Expected(identity)) => {
                self.summary =
                    ServerIdentitySummary { title: identity.name, version: Some(identity.version), remark: None };
            }
            IdentifyResult::Answered(identity) => self.summary.remark = remark(&identity),
            IdentifyResult::CertificateRejected(_) => {
                self.summary.remark =
                    Some("The server's TLS certificate is rejected. The log says why and what to do.");
            }
            IdentifyResult::NoResponse(_) => {
                self.summary.remark = Some("No response from the configured URL.");
            }
        }
    }
}

/// The remark on a server that responds.
fn remark(identity: &ServerIdentity) -> Option<&'static str> {
    Some(match identity {
        ServerIdentity::Expected(_) => return None,
        ServerIdentity::OtherKind(identity) => match identity.kind {
            ServerKind::Plex => "A Plex server responds at the configured URL: check kind and url.",
            ServerKind::Jellyfin => "A Jellyfin server responds at the configured URL: check kind and url.",
        },
        ServerIdentity::Emby { .. } => {
            "This is an Emby server, which is not supported yet. Apps get an error that says so."
        }
        ServerIdentity::Starting { .. } | ServerIdentity::Failing { .. } => {
            "The server responds, but it is starting or failing."
        }
        ServerIdentity::EncryptionRequired => {
            "The server accepts only encrypted requests: url must begin with https://."
        }
        ServerIdentity::Unrecognized(_) => {
            "The server at the configured URL is not of the configured kind: check kind and url."
        }
    })
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::server_identity::MediaServer;

    use super::*;

    fn identified() -> IdentifyResult {
        IdentifyResult::Answered(ServerIdentity::Expected(MediaServer {
            kind: ServerKind::Plex,
            name: Some("Attic".into()),
            version: "1.2".into(),
            id: Some("m".into()),
            claimed: None,
        }))
    }

    #[test]
    fn an_identified_server_is_asked_again_only_after_a_failure() {
        let mut state = IdentityCacheState { at_ms: Timestamp::from_millis(1_000), ..IdentityCacheState::default() };
        state.record(identified());
        assert!(!state.is_due(Timestamp::from_millis(10_000_000), Timestamp::from_millis(500)));
        assert!(state.is_due(Timestamp::from_millis(10_000_000), Timestamp::from_millis(2_000)));
    }

    #[test]
    fn an_unresponsive_server_is_asked_once_a_minute() {
        let mut state = IdentityCacheState::default();
        assert!(state.is_due(Timestamp::from_millis(1_000), Timestamp::UNIX_EPOCH));
        state.at_ms = Timestamp::from_millis(1_000);
        state.record(IdentifyResult::NoResponse("no response".into()));
        assert!(!state.is_due(Timestamp::from_millis(60_999), Timestamp::UNIX_EPOCH));
        assert!(state.is_due(Timestamp::from_millis(61_000), Timestamp::UNIX_EPOCH));
        state.is_loading = true;
        assert!(!state.is_due(Timestamp::from_millis(61_000), Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_remark_ends_when_the_server_is_identified() {
        let mut state = IdentityCacheState::default();
        state.record(IdentifyResult::Answered(ServerIdentity::Starting { status: 503 }));
        assert!(state.summary.remark.is_some());
        state.record(identified());
        assert_eq!(state.summary.remark, None);
        assert_eq!(state.summary.version.as_deref(), Some("1.2"));
        state.record(IdentifyResult::NoResponse("down".into()));
        assert_eq!(state.summary.version.as_deref(), Some("1.2"), "the known identity stays");
    }
}
