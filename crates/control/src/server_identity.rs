//! What a media server says of itself: asked when somebody looks at the page, and again after it was away.

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::server_identity::ServerIdentity;
use parking_lot::Mutex;

use greenroom_origin::identify;
use greenroom_origin::identify::Greeting;
use greenroom_proxy::server::Server;

/// A server that said nothing is not asked again sooner.
const PAUSE: Duration = Duration::from_secs(60);

/// What is known of one server's name and version.
#[derive(Debug, Default)]
pub(super) struct Introduction(Mutex<Asked>);

/// What a server said of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Introduced {
    /// What it calls itself.
    pub(super) title: Option<String>,
    /// Its version.
    pub(super) version: Option<String>,
    /// What is odd about it.
    pub(super) remark: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Asked {
    said: Introduced,
    at_ms: u64,
    is_under_way: bool,
}

impl Introduction {
    /// What it said.
    pub(super) fn said(&self) -> Introduced {
        self.0.lock().said.clone()
    }

    /// Asks the server who it is, in a task of its own, if that is due.
    pub(super) fn ask_if_due(self: &Arc<Self>, server: &Arc<Server>) {
        let now_ms = server.origin.clock.now_ms();
        let failed_ms = server.origin.counters.last_failure_ms.load(std::sync::atomic::Ordering::Relaxed);
        let mut asked = self.0.lock();
        if server.origin.stop.is_cancelled()
            || !server.origin.breaker.admits()
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
                greeting = identify::greet(&server.origin) => greeting,
            };
            introduction.0.lock().note(greeting);
        });
    }
}

impl Asked {
    /// Nobody asked, or it said nothing a while ago, or it was away since.
    fn is_due(&self, now_ms: u64, failed_ms: u64) -> bool {
        let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        let has_rested = self.at_ms == 0 || now_ms.saturating_sub(self.at_ms) >= pause_ms;
        let is_known = self.said.version.is_some() && self.said.remark.is_none();
        !self.is_under_way && has_rested && (!is_known || failed_ms > self.at_ms)
    }

    fn note(&mut self, greeting: Greeting) {
        self.is_under_way = false;
        match greeting {
            Greeting::Answered(ServerIdentity::Expected(found)) => {
                self.said = Introduced { title: found.name, version: Some(found.version), remark: None };
            }
            Greeting::Answered(identity) => self.said.remark = remark(&identity),
            Greeting::Distrusted(_) => {
                self.said.remark =
                    Some("The server's certificate is not believed. The log says why and what to do.");
            }
            Greeting::Silent(_) => {
                self.said.remark = Some("Nothing answers at the configured address.");
            }
        }
    }
}

/// What is odd about a server that answers.
fn remark(identity: &ServerIdentity) -> Option<&'static str> {
    Some(match identity {
        ServerIdentity::Expected(_) => return None,
        ServerIdentity::OtherKind(found) => match found.kind {
            Kind::Plex => "A Plex server answers at the configured address: check kind and url.",
            Kind::Jellyfin => "A Jellyfin server answers at the configured address: check kind and url.",
        },
        ServerIdentity::Emby { .. } => {
            "This is an Emby server, which is not supported yet. Apps are told so."
        }
        ServerIdentity::Starting { .. } | ServerIdentity::Failing { .. } => {
            "The server is there, but starting or in trouble."
        }
        ServerIdentity::WantsEncryption => {
            "The server takes only encrypted requests: url must begin with https://."
        }
        ServerIdentity::SomethingElse(_) => {
            "What answers at the configured address is no server of this kind: check kind and url."
        }
    })
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::server_identity::MediaServer;

    use super::*;

    fn found() -> Greeting {
        Greeting::Answered(ServerIdentity::Expected(MediaServer {
            kind: Kind::Plex,
            name: Some("Attic".into()),
            version: "1.2".into(),
            id: Some("m".into()),
            claimed: None,
        }))
    }

    #[test]
    fn a_server_that_introduced_itself_is_asked_again_only_after_it_was_away() {
        let mut asked = Asked { at_ms: 1_000, ..Asked::default() };
        asked.note(found());
        assert!(!asked.is_due(10_000_000, 500));
        assert!(asked.is_due(10_000_000, 2_000));
    }

    #[test]
    fn a_silent_server_is_asked_once_a_minute() {
        let mut asked = Asked::default();
        assert!(asked.is_due(1_000, 0));
        asked.at_ms = 1_000;
        asked.note(Greeting::Silent("no answer".into()));
        assert!(!asked.is_due(60_999, 0));
        assert!(asked.is_due(61_000, 0));
        asked.is_under_way = true;
        assert!(!asked.is_due(61_000, 0));
    }

    #[test]
    fn a_remark_ends_when_the_server_is_found() {
        let mut asked = Asked::default();
        asked.note(Greeting::Answered(ServerIdentity::Starting { status: 503 }));
        assert!(asked.said.remark.is_some());
        asked.note(found());
        assert_eq!(asked.said.remark, None);
        assert_eq!(asked.said.version.as_deref(), Some("1.2"));
        asked.note(Greeting::Silent("away".into()));
        assert_eq!(asked.said.version.as_deref(), Some("1.2"), "what was known stays known");
    }
}
