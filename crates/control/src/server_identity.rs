//! The identity a media server reports: requested when the page is viewed, and again after an outage.

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;
use parking_lot::Mutex;

use greenroom_origin::identify;
use greenroom_origin::identify::IdentifyResult;
use greenroom_proxy::server::Server;

/// Pause after a failed request.
const PAUSE: Duration = Duration::from_secs(60);

/// Cached name and version of one server.
#[derive(Debug, Default)]
pub(super) struct ServerIdentityCache(Mutex<IdentityCacheState>);

/// The reported identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerIdentitySummary {
    /// Its display name.
    pub(super) title: Option<String>,
    /// Its version.
    pub(super) version: Option<String>,
    /// A remark on anything unusual.
    pub(super) remark: Option<&'static str>,
}

#[derive(Debug, Default)]
struct IdentityCacheState {
    summary: ServerIdentitySummary,
    at_ms: u64,
    is_under_way: bool,
}

impl ServerIdentityCache {
    /// The cached identity.
    pub(super) fn get(&self) -> ServerIdentitySummary {
        self.0.lock().summary.clone()
    }

    /// Requests the identity in its own task if it is due.
    pub(super) fn refresh_if_due(self: &Arc<Self>, server: &Arc<Server>) {
        let now_ms = server.origin.clock.now_ms();
        let failed_ms = server.origin.counters.last_failure_ms.load(std::sync::atomic::Ordering::Relaxed);
        let mut asked = self.0.lock();
        if server.origin.stop.is_cancelled()
            || !server.origin.breaker.allows_requests()
            || !asked.is_due(now_ms, failed_ms)
        {
            return;
        }
        asked.is_under_way = true;
        asked.at_ms = now_ms;
        drop(asked);
        let (introduction, server) = (Arc::clone(self), Arc::clone(server));
        server.origin.tasks.clone().spawn(async move {
            let greeting = tokio::select! {
                () = server.origin.stop.cancelled() => return,
                greeting = identify::identify(&server.origin) => greeting,
            };
            introduction.0.lock().record(greeting);
        });
    }
}

impl IdentityCacheState {
    /// True once the pause is over, if the identity is unknown or the server failed since the last request.
    fn is_due(&self, now_ms: u64, failed_ms: u64) -> bool {
        let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        let has_rested = self.at_ms == 0 || now_ms.saturating_sub(self.at_ms) >= pause_ms;
        let is_known = self.summary.version.is_some() && self.summary.remark.is_none();
        !self.is_under_way && has_rested && (!is_known || failed_ms > self.at_ms)
    }

    fn record(&mut self, greeting: IdentifyResult) {
        self.is_under_way = false;
        match greeting {
            IdentifyResult::Answered(ServerIdentity::Expected(found)) => {
                self.summary = ServerIdentitySummary { title: found.name, version: Some(found.version), remark: None };
            }
            IdentifyResult::Answered(identity) => self.summary.remark = remark(&identity),
            IdentifyResult::CertificateRejected(_) => {
                self.summary.remark =
                    Some("The server's certificate is not believed. The log says why and what to do.");
            }
            IdentifyResult::NoResponse(_) => {
                self.summary.remark = Some("Nothing answers at the configured address.");
            }
        }
    }
}

/// The remark on a server that responds.
fn remark(identity: &ServerIdentity) -> Option<&'static str> {
    Some(match identity {
        ServerIdentity::Expected(_) => return None,
        ServerIdentity::OtherKind(found) => match found.kind {
            ServerKind::Plex => "A Plex server answers at the configured address: check kind and url.",
            ServerKind::Jellyfin => "A Jellyfin server answers at the configured address: check kind and url.",
        },
        ServerIdentity::Emby { .. } => "This is an Emby server, which is not supported yet. Apps are told so.",
        ServerIdentity::Starting { .. } | ServerIdentity::Failing { .. } => {
            "The server is there, but starting or in trouble."
        }
        ServerIdentity::EncryptionRequired => "The server takes only encrypted requests: url must begin with https://.",
        ServerIdentity::Unrecognized(_) => {
            "What answers at the configured address is no server of this kind: check kind and url."
        }
    })
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::server_identity::MediaServer;

    use super::*;

    fn found() -> IdentifyResult {
        IdentifyResult::Answered(ServerIdentity::Expected(MediaServer {
            kind: ServerKind::Plex,
            name: Some("Attic".into()),
            version: "1.2".into(),
            id: Some("m".into()),
            claimed: None,
        }))
    }

    #[test]
    fn a_server_that_introduced_itself_is_asked_again_only_after_it_was_away() {
        let mut asked = IdentityCacheState { at_ms: 1_000, ..IdentityCacheState::default() };
        asked.record(found());
        assert!(!asked.is_due(10_000_000, 500));
        assert!(asked.is_due(10_000_000, 2_000));
    }

    #[test]
    fn a_silent_server_is_asked_once_a_minute() {
        let mut asked = IdentityCacheState::default();
        assert!(asked.is_due(1_000, 0));
        asked.at_ms = 1_000;
        asked.record(IdentifyResult::NoResponse("no answer".into()));
        assert!(!asked.is_due(60_999, 0));
        assert!(asked.is_due(61_000, 0));
        asked.is_under_way = true;
        assert!(!asked.is_due(61_000, 0));
    }

    #[test]
    fn a_remark_ends_when_the_server_is_found() {
        let mut asked = IdentityCacheState::default();
        asked.record(IdentifyResult::Answered(ServerIdentity::Starting { status: 503 }));
        assert!(asked.summary.remark.is_some());
        asked.record(found());
        assert_eq!(asked.summary.remark, None);
        assert_eq!(asked.summary.version.as_deref(), Some("1.2"));
        asked.record(IdentifyResult::NoResponse("away".into()));
        assert_eq!(asked.summary.version.as_deref(), Some("1.2"), "what was known stays known");
    }
}
