//! `doctor --compare`: what the server says itself, beside what it says through the gateway.
//!
//! Each read is made through the gateway, directly, and through the gateway again: so an answer that was loaded and
//! one that was kept are both looked at. A difference is looked into before it is called one: some fields differ by
//! their nature (`volatile`), some answers change on the server itself meanwhile, and some were kept a while ago,
//! as they may be. What no rule explains is a difference. Values are never shown, only where they stand.
//!
//! Rooms: `difference` (two answers in, places out), `xml` (a document as a value), `volatile`, [`tally`] (the
//! report).

pub mod tally;

use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::Clock;
use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::question;
use greenroom_dialect::rights::Rights;
use greenroom_dialect::survey::{Probe, Survey};
use greenroom_dialect::verdict::{self as classified, Sharing};
use http::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderValue};
use http::{Method, Request};

use greenroom_config::Place;
use greenroom_origin::login;
use greenroom_origin::probe_client::{Enquirer, Heard, Silence};
use greenroom_origin::response_diff::differences;
use greenroom_proxy::request::meaning::word_of;
use tally::{Tally, Verdict};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// Reads in a row that may go unanswered before it is given up.
const MAX_UNANSWERED: usize = 10;

/// The two ways to one server.
#[derive(Debug)]
pub struct TwoWays<'a> {
    /// Asks the server.
    pub enquirer: &'a Enquirer,
    /// Asks the gateway.
    pub enquirer_through: &'a Enquirer,
    /// What the server speaks.
    pub kind: Kind,
    /// The server itself.
    pub direct: &'a Place,
    /// The gateway in front of it.
    pub through: &'a Place,
    /// Who asks.
    pub token: Option<&'a Secret>,
    /// What time it is.
    pub clock: Clock,
}

/// Why nothing was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The server does not answer.
    Direct(Silence),
    /// The gateway does not.
    Through(Silence),
}

impl TwoWays<'_> {
    /// Compares up to `limit` reads. `tick` is told how many are done and how many are planned.
    ///
    /// # Errors
    /// If one of the two does not answer at all.
    pub async fn compare(&self, limit: usize, mut tick: impl FnMut(usize, usize)) -> Result<Tally, Failed> {
        let mut survey = Survey::new(self.kind, limit);
        let mut tally = Tally { token_refused: self.is_token_refused().await, ..Tally::default() };
        let (mut done, mut unanswered) = (0, 0);
        let began_ms = self.clock.now_ms();
        while let Some(probe) = survey.take() {
            let passed = Duration::from_millis(self.clock.now_ms().saturating_sub(began_ms));
            if passed > PATIENCE {
                tally.cut_short = true;
                break;
            }
            let verdict = match self.look(&probe, &mut survey).await {
                Ok(verdict) => {
                    unanswered = 0;
                    verdict
                }
                Err(failed) => {
                    unanswered += 1;
                    if done == 0 || unanswered >= MAX_UNANSWERED {
                        return Err(failed);
                    }
                    Verdict::Unanswered
                }
            };
            done += 1;
            tally.note(self.class(&probe), &probe.target, verdict);
            tick(done, done + survey.planned());
        }
        Ok(tally)
    }

    async fn is_token_refused(&self) -> bool {
        let Some(token) = self.token else { return false };
        // If it does not answer, the first read will say so.
        login::rights(self.enquirer, self.kind, self.direct, token).await == Ok(Rights::Refused)
    }

    async fn look(&self, probe: &Probe, survey: &mut Survey) -> Result<Verdict, Failed> {
        let first = self.through(probe, false).await?;
        let direct = self.direct(probe).await?;
        let again = self.through(probe, false).await?;
        survey.learn(probe, &direct.body);
        let places = |other: &Heard| differences(&probe.target, &direct, other);
        let (mut found, kept_s) = (places(&first), age_s(&again));
        found.merge(places(&again));
        if found.is_empty() {
            return Ok(Verdict::of_same(direct.status, &found));
        }
        // Perhaps the server itself says something else by now.
        let direct_again = self.direct(probe).await?;
        let moved = differences(&probe.target, &direct, &direct_again);
        if !moved.is_empty() && found.is_within(&moved) {
            return Ok(Verdict::Explained("the server itself changed it meanwhile"));
        }
        // Perhaps what was kept is older, as it may be.
        let fresh = self.through(probe, true).await?;
        if kept_s.or(age_s(&first)).is_some() && differences(&probe.target, &direct_again, &fresh).is_empty()
        {
            return Ok(Verdict::Explained("kept before it changed, within its lifetime"));
        }
        Ok(Verdict::Different(found.places()))
    }

    async fn direct(&self, probe: &Probe) -> Result<Heard, Failed> {
        let token = self.token.filter(|_| !self.is_public(probe));
        self.enquirer.ask(self.direct, self.request(probe, token, false)).await.map_err(Failed::Direct)
    }

    async fn through(&self, probe: &Probe, fresh: bool) -> Result<Heard, Failed> {
        let request = self.request(probe, self.token, fresh);
        self.enquirer_through.ask(self.through, request).await.map_err(Failed::Through)
    }

    fn request(&self, probe: &Probe, token: Option<&Secret>, fresh: bool) -> Request<Bytes> {
        let mut request = question(self.kind, &probe.target, token.cloned());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(probe.form.accept()));
        if fresh {
            request.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        request
    }

    fn class(&self, probe: &Probe) -> &'static str {
        word_of(&self.classified(probe))
    }

    /// What is public the gateway asks for in nobody's name, and so it is to be compared.
    fn is_public(&self, probe: &Probe) -> bool {
        matches!(self.classified(probe), classified::Verdict::Read(read) if read.sharing == Sharing::Public)
    }

    fn classified(&self, probe: &Probe) -> classified::Verdict {
        let request = self.request(probe, self.token, false);
        let ask = Ask { method: &Method::GET, target: &probe.target, headers: request.headers(), body: &[] };
        self.kind.classify(&ask, None)
    }
}

/// How long an answer was kept, if it was.
fn age_s(heard: &Heard) -> Option<u64> {
    heard.headers.get(AGE)?.to_str().ok()?.parse().ok()
}
