//! Waits for an app's first request at the running gateway, then for its first response served without asking the
//! server.
//!
//! A pure function compares the previous figures with the current ones; the shell around it polls every second.

use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use serde::Serialize;

use super::control::{self, ControlPlaneError, GatewayAppStats, GatewayStats};
use greenroom_config::Endpoint;
use greenroom_origin::probe_client::ProbeClient;

/// Polling interval.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Max consecutive failed polls after a successful one: the gateway may restart meanwhile.
const MAX_UNTOLD: u32 = 10;

/// Event during the wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum WaitEvent {
    /// The app's token was accepted for something that requires one.
    Arrived {
        /// Name of the app.
        app: String,
        /// Name of the server.
        server: String,
        /// Type of its first request.
        first_asked: Option<String>,
        /// Requests so far.
        asked: u64,
    },
    /// The app sent requests, and its token was not accepted.
    Refused {
        /// Name of the app.
        app: String,
        /// Name of the server.
        server: String,
    },
    /// The first response was served without asking the server.
    Saved {
        /// Name of the app.
        app: String,
        /// Requests answered without asking the server.
        saved: u64,
        /// Requests in all.
        asked: u64,
    },
}

/// Result of the wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitOutcome {
    /// The app's token was accepted and a request to the server was saved.
    Saved,
    /// Its token was accepted, and nothing was saved for it in time.
    OnlyArrived,
    /// It sent requests, and its token was never accepted.
    OnlyRefused,
    /// It sent requests, but none that shows whether its token is valid.
    OnlyAsked,
    /// It sent no request in time; the apps that did.
    NeverCame(Vec<String>),
    /// The control plane is not available.
    Unavailable(ControlPlaneError),
}

/// Settings of the wait.
#[derive(Debug)]
pub struct AppWaiter<'a> {
    /// HTTP client.
    pub probe_client: &'a ProbeClient,
    /// Address of the control plane.
    pub endpoint: &'a Endpoint,
    /// Its token, if known.
    pub token: Option<&'a Secret>,
    /// Name of the app, or a part of it.
    pub app: &'a str,
    /// Time limit.
    pub timeout: Duration,
    /// Clock.
    pub clock: Clock,
}

/// Events reported so far.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what may happen meanwhile, each by itself")]
struct WaitProgress {
    before: Vec<GatewayAppStats>,
    asked: bool,
    arrived: bool,
    refused: bool,
    saved: bool,
}

impl AppWaiter<'_> {
    /// Waits. `tell` receives events with the milliseconds since the beginning, `tick` the seconds left.
    pub async fn run(&self, mut tell: impl FnMut(&WaitEvent, u64), mut tick: impl FnMut(u64)) -> WaitOutcome {
        let began_ms = self.clock.now_ms();
        let patience_ms = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let mut told = WaitProgress::default();
        let mut untold = 0;
        let mut last = match control::fetch_stats(self.probe_client, self.endpoint, self.token).await {
            Ok(figures) => figures,
            Err(reason) => return WaitOutcome::Unavailable(reason),
        };
        told.before.clone_from(&last.apps);
        loop {
            let passed_ms = self.clock.now_ms().saturating_sub(began_ms);
            if passed_ms >= patience_ms {
                return told.outcome(&last);
            }
            tick((patience_ms - passed_ms) / 1_000);
            self.clock.sleep(ASK_EVERY).await;
            match control::fetch_stats(self.probe_client, self.endpoint, self.token).await {
                Ok(figures) => (last, untold) = (figures, 0),
                Err(reason) => {
                    untold += 1;
                    if untold >= MAX_UNTOLD {
                        return WaitOutcome::Unavailable(reason);
                    }
                    continue;
                }
            }
            let now_ms = self.clock.now_ms().saturating_sub(began_ms);
            for event in told.new_events(self.app, &last) {
                tell(&event, now_ms);
            }
            if told.saved {
                return WaitOutcome::Saved;
            }
        }
    }
}

impl WaitProgress {
    /// Events since the beginning that were not reported yet.
    fn new_events(&mut self, wanted: &str, now: &GatewayStats) -> Vec<WaitEvent> {
        let mut events = Vec::new();
        for app in now.apps.iter().filter(|app| is_matching_app(&app.name, wanted)) {
            let before = self.before.iter().find(|one| (&one.server, &one.name) == (&app.server, &app.name));
            // After a restart of the gateway, or after a reset of the statistics, everything is new.
            let before = before.filter(|one| one.asked <= app.asked).cloned().unwrap_or_default();
            let since = |pick: fn(&GatewayAppStats) -> u64| pick(app).saturating_sub(pick(&before));
            let (asked, let_in) = (since(|one| one.asked), since(|one| one.let_in));
            self.asked |= asked > 0;
            if since(|one| one.unauthorised) > 0 && let_in == 0 && !self.refused {
                self.refused = true;
                events.push(WaitEvent::Refused { app: app.name.clone(), server: app.server.clone() });
            }
            if let_in > 0 && !self.arrived {
                self.arrived = true;
                events.push(WaitEvent::Arrived {
                    app: app.name.clone(),
                    server: app.server.clone(),
                    first_asked: app.first_asked.clone(),
                    asked,
                });
            }
            let saved = since(|one| one.let_in_saved);
            if saved > 0 && self.arrived && !self.saved {
                self.saved = true;
                events.push(WaitEvent::Saved { app: app.name.clone(), saved, asked });
            }
        }
        events
    }

    fn outcome(&self, now: &GatewayStats) -> WaitOutcome {
        match (self.saved, self.arrived, self.refused) {
            (true, ..) => WaitOutcome::Saved,
            (_, true, _) => WaitOutcome::OnlyArrived,
            (_, _, true) => WaitOutcome::OnlyRefused,
            _ if self.asked => WaitOutcome::OnlyAsked,
            _ => WaitOutcome::NeverCame(now.apps.iter().map(|app| app.name.clone()).collect()),
        }
    }
}

/// People write names as they remember them: in any case, with or without spaces and dashes, or only a part.
fn is_matching_app(name: &str, wanted: &str) -> bool {
    let plain = |text: &str| {
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let wanted = plain(wanted);
    !wanted.is_empty() && plain(name).contains(&wanted)
}

impl WaitEvent {
    /// The event as a sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Arrived { app, server, first_asked, asked } => {
                let what = first_asked.as_ref().map(|word| format!(", first for: {word}")).unwrap_or_default();
                format!("{app} asked through \"{server}\" with a valid token ({asked} so far{what})")
            }
            Self::Refused { app, server } => format!(
                "{app} asked through \"{server}\", and its token is missing or not valid\n  -> give it the token it \
                 uses with the server itself; Greenroom's control token is another one"
            ),
            Self::Saved { app, saved, asked } => {
                format!("the first answer was saved for {app}: {saved} of {asked} were given without asking the server")
            }
        }
    }
}

impl WaitOutcome {
    /// Whether the app is served.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Saved | Self::OnlyArrived)
    }

    /// Name of the result.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::OnlyArrived => "arrived",
            Self::OnlyRefused => "refused",
            Self::OnlyAsked => "asked",
            Self::NeverCame(_) => "never-came",
            Self::Unavailable(_) => "gateway-silent",
        }
    }

    /// The result as a sentence for people, with what to do.
    pub fn sentence(&self, wanted: &str, place: &Endpoint) -> String {
        match self {
            Self::Saved => "it works".into(),
            Self::OnlyArrived => format!(
                "{wanted} comes through Greenroom; nothing was saved for it yet: an answer is saved when it is asked \
                 for a second time"
            ),
            Self::OnlyRefused => format!("{wanted} was not let in"),
            Self::OnlyAsked => format!(
                "{wanted} comes through Greenroom, and got nothing that needs a token: it asked only for what is public, \
                 or the server failed\n  -> give it its token if it has none, and see whether `greenroom doctor` finds \
                 the server well"
            ),
            Self::NeverCame(others) => {
                let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
                format!(
                    "{wanted} did not ask anything\n  -> check that its setting names Greenroom's address and port, that \
                     it was restarted after the change, and that it can reach this machine (from a container: not by \
                     127.0.0.1)\n  -> apps that did ask: {others}; it may call itself by another name"
                )
            }
            Self::Unavailable(ControlPlaneError::NoResponse(silence)) => format!(
                "no Greenroom answers at {}: {silence}\n  -> start it, or name its address with --control",
                place.url()
            ),
            Self::Unavailable(ControlPlaneError::Unauthorized) => format!(
                "the Greenroom at {} asks for its control token\n  -> run this on its machine with the same --data-dir \
                 or --config",
                place.url()
            ),
            Self::Unavailable(ControlPlaneError::UnexpectedStatus(status)) => format!(
                "what answers at {} is no Greenroom (status {status})\n  -> name its address with --control",
                place.url()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_origin::probe_client::ProbeError;

    fn app(name: &str, asked: u64, saved: u64, unauthorised: u64) -> GatewayAppStats {
        GatewayAppStats {
            server: "home".into(),
            name: name.into(),
            asked,
            saved,
            unauthorised,
            let_in: asked - unauthorised,
            let_in_saved: saved,
            first_asked: Some("sections".into()),
        }
    }

    fn figures(apps: Vec<GatewayAppStats>) -> GatewayStats {
        GatewayStats { apps, ..GatewayStats::default() }
    }

    #[test]
    fn an_app_arrives_and_then_is_spared_a_request() {
        let mut told = WaitProgress::default();
        assert!(told.new_events("kometa", &figures(vec![app("Tautulli", 5, 1, 0)])).is_empty());
        let arrived = told.new_events("kometa", &figures(vec![app("Kometa", 1, 0, 0)]));
        assert!(matches!(&arrived[..], [WaitEvent::Arrived { asked: 1, .. }]), "{arrived:?}");
        assert!(arrived[0].sentence().contains("with a valid token (1 so far, first for: sections)"));
        let saved = told.new_events("kometa", &figures(vec![app("Kometa", 4, 2, 0)]));
        assert!(matches!(&saved[..], [WaitEvent::Saved { saved: 2, asked: 4, .. }]), "{saved:?}");
        assert!(told.new_events("kometa", &figures(vec![app("Kometa", 9, 5, 0)])).is_empty());
    }

    #[test]
    fn what_an_app_did_before_does_not_count() {
        let mut told = WaitProgress { before: vec![app("Kometa", 7, 3, 0)], ..WaitProgress::default() };
        assert!(told.new_events("kometa", &figures(vec![app("Kometa", 7, 3, 0)])).is_empty());
        assert_eq!(told.new_events("kometa", &figures(vec![app("Kometa", 8, 3, 0)])).len(), 1);
        let mut restarted = WaitProgress { before: vec![app("Kometa", 7, 3, 0)], ..WaitProgress::default() };
        assert_eq!(restarted.new_events("kometa", &figures(vec![app("Kometa", 1, 0, 0)])).len(), 1);
    }

    #[test]
    fn a_refused_app_is_told_of_once_and_may_still_come_in() {
        let mut told = WaitProgress::default();
        let refused = told.new_events("kometa", &figures(vec![app("Kometa", 2, 0, 2)]));
        assert!(matches!(&refused[..], [WaitEvent::Refused { .. }]), "{refused:?}");
        assert!(refused[0].sentence().contains("not valid"));
        assert!(told.new_events("kometa", &figures(vec![app("Kometa", 3, 0, 3)])).is_empty());
        assert_eq!(told.outcome(&GatewayStats::default()), WaitOutcome::OnlyRefused);
        assert_eq!(told.new_events("kometa", &figures(vec![app("Kometa", 4, 0, 3)])).len(), 1);
        assert_eq!(told.outcome(&GatewayStats::default()), WaitOutcome::OnlyArrived);
    }

    #[test]
    fn what_is_public_shows_nothing_of_a_token() {
        let mut told = WaitProgress::default();
        let public = |asked, unauthorised| GatewayAppStats {
            let_in: 0,
            let_in_saved: 0,
            ..app("Finamp", asked, 1, unauthorised)
        };
        assert!(told.new_events("finamp", &figures(vec![public(2, 0)])).is_empty());
        assert_eq!(told.outcome(&GatewayStats::default()), WaitOutcome::OnlyAsked);
        let refused = told.new_events("finamp", &figures(vec![public(4, 2)]));
        assert!(matches!(&refused[..], [WaitEvent::Refused { .. }]), "{refused:?}");
        assert_eq!(told.outcome(&GatewayStats::default()), WaitOutcome::OnlyRefused);
    }

    #[test]
    fn names_are_meant_as_people_write_them() {
        assert!(is_matching_app("Home Assistant", "home-assistant"));
        assert!(is_matching_app("PlexAPI", "plexapi") && is_matching_app("Tautulli", "taut"));
        assert!(!is_matching_app("Tautulli", "") && !is_matching_app("Tautulli", "kometa"));
    }

    #[test]
    fn every_ending_says_what_to_do() {
        let place = Endpoint::parse("http://127.0.0.1:8710").expect("an address");
        let ends = |outcome: WaitOutcome| outcome.sentence("kometa", &place);
        assert!(ends(WaitOutcome::NeverCame(vec!["PlexAPI".into()])).contains("apps that did ask: PlexAPI"));
        assert!(ends(WaitOutcome::NeverCame(Vec::new())).contains("apps that did ask: none"));
        assert!(
            ends(WaitOutcome::Unavailable(ControlPlaneError::NoResponse(ProbeError::Refused))).contains("start it")
        );
        assert!(ends(WaitOutcome::Unavailable(ControlPlaneError::Unauthorized)).contains("--data-dir"));
        assert!(ends(WaitOutcome::Unavailable(ControlPlaneError::UnexpectedStatus(200))).contains("--control"));
        assert!(ends(WaitOutcome::OnlyArrived).contains("asked for a second time"));
        assert!(ends(WaitOutcome::OnlyAsked).contains("what is public"));
        assert!(!WaitOutcome::OnlyRefused.is_well() && !WaitOutcome::OnlyAsked.is_well());
        assert!(WaitOutcome::OnlyArrived.is_well());
    }
}
