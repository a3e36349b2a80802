//! Waiting for an app's first request at the running gateway, then for the first answer that was saved for it.
//!
//! What was seen is compared with what is seen now by a pure function; the shell around it asks every second.

use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_dialect::credential::Secret;
use serde::Serialize;

use super::control::{self, AppFigures, Figures, Untold};
use greenroom_config::Place;
use greenroom_origin::probe_client::Enquirer;

/// How often the running gateway is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Questions in a row that may fail once one was answered: the gateway may be restarted meanwhile.
const MAX_UNTOLD: u32 = 10;

/// What happened meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The app asked with a token for what needs one, and was let in.
    Arrived {
        /// What it calls itself.
        app: String,
        /// Through which server.
        server: String,
        /// What it asked for first.
        first_asked: Option<String>,
        /// Requests so far.
        asked: u64,
    },
    /// The app asked, and its token was not accepted.
    Refused {
        /// What it calls itself.
        app: String,
        /// Through which server.
        server: String,
    },
    /// The first answer was given without asking the server.
    Saved {
        /// What it calls itself.
        app: String,
        /// Answers saved so far.
        saved: u64,
        /// How many it asked for.
        asked: u64,
    },
}

/// How the waiting ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The app came in and was spared a request.
    Saved,
    /// It came in, and nothing was saved for it in time.
    OnlyArrived,
    /// It asked, and was never let in.
    OnlyRefused,
    /// It asked, but for nothing that shows whether its token is valid.
    OnlyAsked,
    /// It did not ask in time; the apps that did.
    NeverCame(Vec<String>),
    /// The gateway does not tell.
    Untold(Untold),
}

/// Whom to ask, and for how long.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// Asks.
    pub enquirer: &'a Enquirer,
    /// The control plane.
    pub place: &'a Place,
    /// Its token, if it is known.
    pub token: Option<&'a Secret>,
    /// What the app calls itself, or a part of it.
    pub app: &'a str,
    /// How long to wait in all.
    pub patience: Duration,
    /// What time it is.
    pub clock: Clock,
}

/// What was told so far.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what may happen meanwhile, each by itself")]
struct Told {
    before: Vec<AppFigures>,
    asked: bool,
    arrived: bool,
    refused: bool,
    saved: bool,
}

impl Waiting<'_> {
    /// Waits. `tell` is told what happens with the milliseconds since the beginning, `tick` the seconds left.
    pub async fn run(&self, mut tell: impl FnMut(&Event, u64), mut tick: impl FnMut(u64)) -> Outcome {
        let began_ms = self.clock.now_ms();
        let patience_ms = u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX);
        let mut told = Told::default();
        let mut untold = 0;
        let mut last = match control::figures(self.enquirer, self.place, self.token).await {
            Ok(figures) => figures,
            Err(reason) => return Outcome::Untold(reason),
        };
        told.before.clone_from(&last.apps);
        loop {
            let passed_ms = self.clock.now_ms().saturating_sub(began_ms);
            if passed_ms >= patience_ms {
                return told.outcome(&last);
            }
            tick((patience_ms - passed_ms) / 1_000);
            self.clock.sleep(ASK_EVERY).await;
            match control::figures(self.enquirer, self.place, self.token).await {
                Ok(figures) => (last, untold) = (figures, 0),
                Err(reason) => {
                    untold += 1;
                    if untold >= MAX_UNTOLD {
                        return Outcome::Untold(reason);
                    }
                    continue;
                }
            }
            let now_ms = self.clock.now_ms().saturating_sub(began_ms);
            for event in told.news(self.app, &last) {
                tell(&event, now_ms);
            }
            if told.saved {
                return Outcome::Saved;
            }
        }
    }
}

impl Told {
    /// What is new since the beginning and was not told yet.
    fn news(&mut self, wanted: &str, now: &Figures) -> Vec<Event> {
        let mut events = Vec::new();
        for app in now.apps.iter().filter(|app| is_meant(&app.name, wanted)) {
            let before = self.before.iter().find(|one| (&one.server, &one.name) == (&app.server, &app.name));
            // After a restart of the gateway, or after counting began anew, everything is new.
            let before = before.filter(|one| one.asked <= app.asked).cloned().unwrap_or_default();
            let since = |pick: fn(&AppFigures) -> u64| pick(app).saturating_sub(pick(&before));
            let (asked, let_in) = (since(|one| one.asked), since(|one| one.let_in));
            self.asked |= asked > 0;
            if since(|one| one.unauthorised) > 0 && let_in == 0 && !self.refused {
                self.refused = true;
                events.push(Event::Refused { app: app.name.clone(), server: app.server.clone() });
            }
            if let_in > 0 && !self.arrived {
                self.arrived = true;
                events.push(Event::Arrived {
                    app: app.name.clone(),
                    server: app.server.clone(),
                    first_asked: app.first_asked.clone(),
                    asked,
                });
            }
            let saved = since(|one| one.let_in_saved);
            if saved > 0 && self.arrived && !self.saved {
                self.saved = true;
                events.push(Event::Saved { app: app.name.clone(), saved, asked });
            }
        }
        events
    }

    fn outcome(&self, now: &Figures) -> Outcome {
        match (self.saved, self.arrived, self.refused) {
            (true, ..) => Outcome::Saved,
            (_, true, _) => Outcome::OnlyArrived,
            (_, _, true) => Outcome::OnlyRefused,
            _ if self.asked => Outcome::OnlyAsked,
            _ => Outcome::NeverCame(now.apps.iter().map(|app| app.name.clone()).collect()),
        }
    }
}

/// People write names as they remember them: in any case, with or without spaces and dashes, or only a part.
fn is_meant(name: &str, wanted: &str) -> bool {
    let plain = |text: &str| {
        text.chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    let wanted = plain(wanted);
    !wanted.is_empty() && plain(name).contains(&wanted)
}

impl Event {
    /// For people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Arrived { app, server, first_asked, asked } => {
                let what =
                    first_asked.as_ref().map(|word| format!(", first for: {word}")).unwrap_or_default();
                format!("{app} asked through \"{server}\" with a valid token ({asked} so far{what})")
            }
            Self::Refused { app, server } => format!(
                "{app} asked through \"{server}\", and its token is missing or not valid\n  -> give it the token it \
                 uses with the server itself; Greenroom's control token is another one"
            ),
            Self::Saved { app, saved, asked } => {
                format!(
                    "the first answer was saved for {app}: {saved} of {asked} were given without asking the server"
                )
            }
        }
    }
}

impl Outcome {
    /// Whether the app is served.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Saved | Self::OnlyArrived)
    }

    /// The word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::OnlyArrived => "arrived",
            Self::OnlyRefused => "refused",
            Self::OnlyAsked => "asked",
            Self::NeverCame(_) => "never-came",
            Self::Untold(_) => "gateway-silent",
        }
    }

    /// For people: how it ended, and what to do.
    pub fn sentence(&self, wanted: &str, place: &Place) -> String {
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
            Self::Untold(Untold::Silent(silence)) => format!(
                "no Greenroom answers at {}: {silence}\n  -> start it, or name its address with --control",
                place.url()
            ),
            Self::Untold(Untold::Refused) => format!(
                "the Greenroom at {} asks for its control token\n  -> run this on its machine with the same --data-dir \
                 or --config",
                place.url()
            ),
            Self::Untold(Untold::Foreign(status)) => format!(
                "what answers at {} is no Greenroom (status {status})\n  -> name its address with --control",
                place.url()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_origin::probe_client::Silence;

    fn app(name: &str, asked: u64, saved: u64, unauthorised: u64) -> AppFigures {
        AppFigures {
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

    fn figures(apps: Vec<AppFigures>) -> Figures {
        Figures { apps, ..Figures::default() }
    }

    #[test]
    fn an_app_arrives_and_then_is_spared_a_request() {
        let mut told = Told::default();
        assert!(told.news("kometa", &figures(vec![app("Tautulli", 5, 1, 0)])).is_empty());
        let arrived = told.news("kometa", &figures(vec![app("Kometa", 1, 0, 0)]));
        assert!(matches!(&arrived[..], [Event::Arrived { asked: 1, .. }]), "{arrived:?}");
        assert!(arrived[0].sentence().contains("with a valid token (1 so far, first for: sections)"));
        let saved = told.news("kometa", &figures(vec![app("Kometa", 4, 2, 0)]));
        assert!(matches!(&saved[..], [Event::Saved { saved: 2, asked: 4, .. }]), "{saved:?}");
        assert!(told.news("kometa", &figures(vec![app("Kometa", 9, 5, 0)])).is_empty());
    }

    #[test]
    fn what_an_app_did_before_does_not_count() {
        let mut told = Told { before: vec![app("Kometa", 7, 3, 0)], ..Told::default() };
        assert!(told.news("kometa", &figures(vec![app("Kometa", 7, 3, 0)])).is_empty());
        assert_eq!(told.news("kometa", &figures(vec![app("Kometa", 8, 3, 0)])).len(), 1);
        let mut restarted = Told { before: vec![app("Kometa", 7, 3, 0)], ..Told::default() };
        assert_eq!(restarted.news("kometa", &figures(vec![app("Kometa", 1, 0, 0)])).len(), 1);
    }

    #[test]
    fn a_refused_app_is_told_of_once_and_may_still_come_in() {
        let mut told = Told::default();
        let refused = told.news("kometa", &figures(vec![app("Kometa", 2, 0, 2)]));
        assert!(matches!(&refused[..], [Event::Refused { .. }]), "{refused:?}");
        assert!(refused[0].sentence().contains("not valid"));
        assert!(told.news("kometa", &figures(vec![app("Kometa", 3, 0, 3)])).is_empty());
        assert_eq!(told.outcome(&Figures::default()), Outcome::OnlyRefused);
        assert_eq!(told.news("kometa", &figures(vec![app("Kometa", 4, 0, 3)])).len(), 1);
        assert_eq!(told.outcome(&Figures::default()), Outcome::OnlyArrived);
    }

    #[test]
    fn what_is_public_shows_nothing_of_a_token() {
        let mut told = Told::default();
        let public = |asked, unauthorised| AppFigures {
            let_in: 0,
            let_in_saved: 0,
            ..app("Finamp", asked, 1, unauthorised)
        };
        assert!(told.news("finamp", &figures(vec![public(2, 0)])).is_empty());
        assert_eq!(told.outcome(&Figures::default()), Outcome::OnlyAsked);
        let refused = told.news("finamp", &figures(vec![public(4, 2)]));
        assert!(matches!(&refused[..], [Event::Refused { .. }]), "{refused:?}");
        assert_eq!(told.outcome(&Figures::default()), Outcome::OnlyRefused);
    }

    #[test]
    fn names_are_meant_as_people_write_them() {
        assert!(is_meant("Home Assistant", "home-assistant"));
        assert!(is_meant("PlexAPI", "plexapi") && is_meant("Tautulli", "taut"));
        assert!(!is_meant("Tautulli", "") && !is_meant("Tautulli", "kometa"));
    }

    #[test]
    fn every_ending_says_what_to_do() {
        let place = Place::parse("http://127.0.0.1:8710").expect("an address");
        let ends = |outcome: Outcome| outcome.sentence("kometa", &place);
        assert!(ends(Outcome::NeverCame(vec!["PlexAPI".into()])).contains("apps that did ask: PlexAPI"));
        assert!(ends(Outcome::NeverCame(Vec::new())).contains("apps that did ask: none"));
        assert!(ends(Outcome::Untold(Untold::Silent(Silence::Refused))).contains("start it"));
        assert!(ends(Outcome::Untold(Untold::Refused)).contains("--data-dir"));
        assert!(ends(Outcome::Untold(Untold::Foreign(200))).contains("--control"));
        assert!(ends(Outcome::OnlyArrived).contains("asked for a second time"));
        assert!(ends(Outcome::OnlyAsked).contains("what is public"));
        assert!(!Outcome::OnlyRefused.is_well() && !Outcome::OnlyAsked.is_well());
        assert!(Outcome::OnlyArrived.is_well());
    }
}
