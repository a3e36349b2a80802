//! What is counted of a request when it is answered: in the ledger, as one line of the log for who wants to see each
//! (`GREENROOM_LOG=greenroom::decision=debug`), and as a span for who has a collector of traces.

use std::sync::atomic::Ordering;

use greenroom_cache::{FailureKind, Reason, Served};
use greenroom_dialect::verdict as classified;
use http::{Response, StatusCode};
use http_body::Body as _;

use crate::identity::Identity;
use crate::otlp::traceparent::Parent;
use crate::record::minute_bucket::Cause;
use crate::record::{Decision, Outcome, Subject, Verdict, Why};
use crate::request::meaning::Meaning;
use crate::server::Server;
use crate::visit::Visit;
use greenroom_origin::body::Body;

/// The name under which the lines are chosen.
const TARGET: &str = "greenroom::decision";

/// Marks an answer of ours among what passes: the server did not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    /// An error.
    Problem,
    /// What the server would have said, while it is down. It was not asked.
    InItsAbsence,
    /// The same, after it was asked in vain.
    InItsStead,
}

/// What is known of a request before it is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// When it began.
    pub(super) began_us: u64,
    /// The trace it belongs to.
    pub(super) parent: Option<Parent>,
}

/// The status that stands for no answer, where one is written down.
const NO_ANSWER: u16 = 499;

/// A request that waits for its answer. If its client leaves before, nobody goes on with it: then that is noted.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    server: &'a Server,
    meaning: &'a Meaning,
    asked: Asked,
    is_answered: bool,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(server: &'a Server, meaning: &'a Meaning, asked: Asked) -> Self {
        Self { server, meaning, asked, is_answered: false }
    }

    /// It was answered.
    pub(super) fn answered(mut self, response: &mut Response<Body>, outcome: Outcome) {
        let ours = response.extensions_mut().remove::<Ours>();
        let bytes = response.body().size_hint().exact().unwrap_or(0);
        self.note(settled(outcome, ours), response.status().as_u16(), bytes);
    }

    /// A read of our own was answered, which counts as a request of the app that wanted to know.
    pub(super) fn answered_within(mut self, outcome: Outcome, status: StatusCode, bytes: u64) {
        self.note(outcome, status.as_u16(), bytes);
    }

    fn note(&mut self, outcome: Outcome, status: u16, bytes: u64) {
        self.is_answered = true;
        let Self { server, meaning, asked, .. } = *self;
        let now_us = server.origin.clock.now_us();
        let decision = Decision {
            at_ms: server.origin.clock.moment_us(now_us) / 1000,
            subject: Subject::of(&meaning.verdict),
            app: meaning.app.clone(),
            user: meaning.user.filter(|_| meaning.identity.is_member()),
            question: meaning.question,
            outcome,
            status,
            elapsed_us: now_us.saturating_sub(asked.began_us),
            bytes,
        };
        tell(server, &decision);
        server.record.traces.note(&server.origin, &decision, asked.parent);
        if let Some(user) = decision.user {
            server.record.ledger.note_whose_reached(user, meaning.identity.take_owed(), decision.at_ms);
        }
        server.record.ledger.record(decision);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.note(Outcome::new(Verdict::Failed, Why::Left), NO_ANSWER, 0);
        }
    }
}

/// Heeds what an answer of this status says about who asked, before it is counted.
pub(super) fn let_in(server: &Server, meaning: &Meaning, status: StatusCode) {
    if !meaning.needs_token || status.as_u16() >= 400 {
        return;
    }
    meaning.app.let_in.fetch_add(1, Ordering::Relaxed);
    // Some of what passes is given to any token, and so are redirects.
    let is_given = status.is_success() || status == StatusCode::NOT_MODIFIED;
    if is_given && !matches!(meaning.verdict, classified::Verdict::Stream(_)) {
        meaning.identity.note_member();
    }
    if meaning.identity.is_member() {
        admit(server, meaning);
    }
}

/// This app counts under its own name from now on.
pub(super) fn admit(server: &Server, meaning: &Meaning) {
    let called = meaning.called.as_deref();
    if server.apps.admit(&meaning.app, called) {
        let name = called.unwrap_or(&meaning.app.name);
        tracing::info!(server = server.name(), app = name, "first request of an app");
    }
}

/// A request of a client reaches the server.
pub(super) fn reached(visit: &Visit) {
    let cause = Cause { subject: Subject::of(&visit.verdict), app: &visit.app, user: visit.user };
    reached_by(&visit.server, &visit.identity, cause);
}

/// The same, of who showed this identity's token. While nobody knows whether that is valid, its user stays owed it.
pub(super) fn reached_by(server: &Server, identity: &Identity, cause: Cause<'_>) {
    let is_member = identity.is_member();
    if !is_member && cause.user.is_some() {
        identity.owe_reached();
    }
    let cause = Cause { user: cause.user.filter(|_| is_member), ..cause };
    server.record.ledger.note_reached(cause, server.origin.clock.now_ms());
}

/// Whether the server was not asked for this answer.
pub(crate) fn saves(served: Served, reason: Option<Reason>) -> bool {
    match served {
        Served::Hit | Served::Stale | Served::Joined => true,
        Served::StaleOnError => matches!(reason, Some(Reason::FailedLately(_) | Reason::Offline)),
        Served::Loaded | Served::Refreshed => false,
    }
}

/// Counts what was answered without asking the server.
pub(crate) fn note_saved(visit: &Visit, served: Served, reason: Option<Reason>) {
    if saves(served, reason) {
        visit.server.counters.saved.fetch_add(1, Ordering::Relaxed);
        visit.app.saved.fetch_add(1, Ordering::Relaxed);
        if visit.needs_token {
            visit.app.let_in_saved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What was to pass, but was answered by us, did not pass.
fn settled(outcome: Outcome, ours: Option<Ours>) -> Outcome {
    let stood_in = |reason| Outcome::new(Verdict::StaleOnError, Why::Judged(reason));
    match (outcome.verdict, ours) {
        (Verdict::Passed | Verdict::Write, Some(Ours::Problem)) => {
            Outcome::new(Verdict::Failed, Why::Unanswered)
        }
        (Verdict::Passed | Verdict::Write, Some(Ours::InItsAbsence)) => {
            Outcome { is_saved: true, ..stood_in(Reason::Offline) }
        }
        (Verdict::Passed | Verdict::Write, Some(Ours::InItsStead)) => {
            stood_in(Reason::Failed(FailureKind::Unreachable))
        }
        _ => outcome,
    }
}

fn tell(server: &Server, decision: &Decision) {
    tracing::debug!(
        target: TARGET,
        server = server.name(),
        class = decision.subject.name(),
        app = decision.app.name,
        user = decision.user.map(tracing::field::display),
        verdict = decision.outcome.verdict.name(),
        reason = decision.outcome.why.map(Why::name),
        status = decision.status,
        age_s = decision.outcome.age_ms.map(|age_ms| age_ms / 1000),
        elapsed_us = decision.elapsed_us,
        bytes = decision.bytes,
        "decided"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Passage;

    #[test]
    fn what_we_answer_in_the_servers_place_did_not_pass() {
        for passed in [
            Outcome::new(Verdict::Passed, Why::Passed(Passage::Media)),
            Outcome::new(Verdict::Write, Why::Passed(Passage::Write)),
        ] {
            let as_is = |ours| {
                let Outcome { verdict, why, is_saved, .. } = settled(passed, ours);
                (verdict, why.map(Why::name), is_saved)
            };
            assert_eq!(settled(passed, None), passed);
            assert_eq!(as_is(Some(Ours::Problem)), (Verdict::Failed, Some("unanswered"), false));
            let absent = (Verdict::StaleOnError, Some("offline"), true);
            assert_eq!(as_is(Some(Ours::InItsAbsence)), absent);
            assert_eq!(as_is(Some(Ours::InItsStead)), (Verdict::StaleOnError, Some("unreachable"), false));
        }
        let refused = Outcome::new(Verdict::Refused, Why::NoToken);
        assert_eq!(settled(refused, Some(Ours::Problem)), refused);
    }
}
