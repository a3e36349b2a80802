//! The one task that keeps a library: builds it, follows it, and rests in between. Whatever asks for something leaves a
//! wish; what is done next is decided here, by a pure function over what is known.

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::crawl::Contents;

use super::progress::{Phase, Progress};
use super::{Failure, Libraries, Library, SYNC_WITHOUT_INDEX};
use crate::index::client::Source;
use crate::index::status::Facts;
use greenroom_config::AtStart;
use greenroom_config::Mode;
use greenroom_proxy::server::Server;
use greenroom_state::warnings::{Action, Severity, Warning};

/// After the last event it is waited so long for the next, but no longer than the second since the first.
const QUIET_MS: u64 = 3_000;
const QUIET_AT_MOST_MS: u64 = 30_000;
/// Indexes are built again by a round of following after so many times as long as that takes.
const INDEX_SHARE: u64 = 20;
/// What does not fit is looked into after so many times as long as a build takes, and never later than after an hour.
const DOUBT_SHARE: u64 = 20;
const DOUBT_AT_MOST_MS: u64 = 3_600_000;
/// First and longest pause before something that failed is tried again by itself.
const RETRY_MS: (u64, u64) = (120_000, 1_800_000);
/// A short library is looked at again after so long: then the server has settled.
const SETTLED_MS: u64 = 125_000;
/// A snapshot is old when so many schedules passed without a word from the server.
const OLD: u64 = 2;
/// The warning that one is.
const OLD_CODE: &str = "library-old";

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// All of it is read.
    Build,
    /// What changed is read.
    Follow,
    /// Nothing, until this time or until something is wished.
    Rest(Option<u64>),
}

/// What that is decided by.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sight {
    pub(super) is_on: bool,
    /// A build was asked for.
    pub(super) is_asked: bool,
    /// It is to be indexed without being asked for.
    pub(super) is_wanted: bool,
    pub(super) is_kept: bool,
    /// The server has not confirmed what is kept.
    pub(super) is_unconfirmed: bool,
    /// When the first and the last word of changes came.
    pub(super) news_ms: Option<(u64, u64)>,
    /// Something does not fit: it is compared as a whole at this time.
    pub(super) doubted_at_ms: Option<u64>,
    /// It is compared as a whole at this time anyway.
    pub(super) scheduled_at_ms: Option<u64>,
    /// No build begins by itself before.
    pub(super) build_at_ms: u64,
    /// Nothing is followed before.
    pub(super) follow_at_ms: u64,
    /// Indexes are not built again before.
    pub(super) index_at_ms: u64,
}

/// What came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Reading all of it.
    Build,
    /// Reading what changed.
    Follow,
}

/// Decides.
pub(super) fn due(sight: &Sight, now_ms: u64) -> Due {
    if !sight.is_on {
        return Due::Rest(None);
    }
    if sight.is_asked {
        return Due::Build;
    }
    let wanted_ms = (!sight.is_kept && sight.is_wanted).then_some(0);
    let build_ms = [wanted_ms, sight.doubted_at_ms, sight.scheduled_at_ms].into_iter().flatten().min();
    let build_ms = build_ms.map(|at_ms| at_ms.max(sight.build_at_ms));
    let quiet_ms = sight.news_ms.map(|(first_ms, last_ms)| {
        (last_ms + QUIET_MS).min(first_ms + QUIET_AT_MOST_MS).max(sight.index_at_ms)
    });
    let confirm_ms = sight.is_unconfirmed.then_some(0);
    let follow_ms = [confirm_ms, quiet_ms].into_iter().flatten().min().filter(|_| sight.is_kept);
    let follow_ms = follow_ms.map(|at_ms| at_ms.max(sight.follow_at_ms));
    if build_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        Due::Build
    } else if follow_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        Due::Follow
    } else {
        Due::Rest(build_ms.into_iter().chain(follow_ms).min())
    }
}

/// When a library is compared as a whole by schedule.
pub(super) fn scheduled_ms(every: Option<Duration>, facts: &Facts, is_kept: bool) -> Option<u64> {
    let since_ms = if is_kept { facts.about.whole_at_ms } else { facts.known_ms };
    every.map(|every| since_ms.saturating_add(u64::try_from(every.as_millis()).unwrap_or(u64::MAX)))
}

/// Keeps a library.
pub(super) struct Keeper {
    pub(super) library: Arc<Library>,
    pub(super) libraries: Arc<Libraries>,
    pub(super) source: Source,
}

impl Keeper {
    /// Keeps it until the process ends or the server has no such library any more.
    pub(super) async fn keep(self) {
        let stop = self.library.server.origin.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.run() => {}
        }
    }

    async fn run(&self) {
        let library = &self.library;
        let clock = &library.server.origin.clock;
        loop {
            self.libraries.warn(&library.server);
            let sight = self.sight();
            match due(&sight, clock.now_ms()) {
                Due::Rest(until_ms) => {
                    let rest = until_ms.map(|until_ms| until_ms.saturating_sub(clock.now_ms()));
                    let rest = rest.map_or(Duration::MAX, |rest| Duration::from_millis(rest.max(1)));
                    tokio::select! {
                        () = library.bell.notified() => {}
                        () = sleep(clock, rest) => {}
                    }
                }
                Due::Build => {
                    // In this order: whoever looks in between sees that something is under way.
                    let waiting = Progress { phase: Phase::Waiting, ..Progress::default() };
                    library.turn(|progress| *progress = Progress { turns: progress.turns, ..waiting });
                    if let Some(begun) = library.begin(Attempt::Build) {
                        self.build(begun).await;
                    }
                    library.turn(|progress| progress.phase = Phase::Idle);
                }
                Due::Follow => {
                    library.server.origin.breaker.there().await;
                    if let Some(begun) = library.begin(Attempt::Follow) {
                        self.follow(begun).await;
                    }
                }
            }
            if self.is_gone() {
                return;
            }
        }
    }

    fn is_gone(&self) -> bool {
        let known = self.libraries.find(&self.library.id);
        known.is_none_or(|known| !Arc::ptr_eq(&known, &self.library))
    }

    fn sight(&self) -> Sight {
        let library = &self.library;
        let settings = &library.server.origin.settings.library;
        let facts = library.facts.lock();
        let is_kept = library.generation.read().is_some();
        let wishes = library.wishes.lock();
        let contents = facts.shelf.as_ref().map_or(Contents::Other, |shelf| shelf.contents);
        let at_start = match settings.at_start {
            // Whoever only observes, or wants a plain proxy, did not ask for it.
            _ if library.server.mode() != Mode::Cache => false,
            AtStart::Nothing => false,
            AtStart::Music => contents == Contents::Music,
            AtStart::Everything => true,
        };
        let (indexed_ms, indexing_ms) = facts.indexed;
        Sight {
            is_on: library.is_on(&facts) && contents != Contents::Other,
            is_asked: wishes.build.is_some(),
            is_wanted: facts.is_wanted || at_start,
            is_kept,
            is_unconfirmed: !facts.is_confirmed,
            news_ms: wishes.news.since,
            doubted_at_ms: facts.doubted_at_ms.filter(|_| is_kept),
            scheduled_at_ms: scheduled_ms(settings.schedule, &facts, is_kept),
            build_at_ms: facts.build_at_ms,
            follow_at_ms: facts.follow_at_ms,
            index_at_ms: indexed_ms.saturating_add(indexing_ms.saturating_mul(INDEX_SHARE)),
        }
    }

    /// It does not fit: it is compared as a whole, soon, but not again and again.
    pub(super) fn doubt(&self) {
        let now_ms = self.library.server.origin.clock.now_ms();
        let mut facts = self.library.facts.lock();
        let pause_ms = facts.about.build_ms.saturating_mul(DOUBT_SHARE).min(DOUBT_AT_MOST_MS);
        let at_ms = facts.about.whole_at_ms.saturating_add(pause_ms).max(now_ms);
        let at_ms = facts.doubted_at_ms.map_or(at_ms, |before_ms| before_ms.min(at_ms));
        facts.doubted_at_ms = Some(at_ms);
        facts.failure.get_or_insert((Failure::Differs, now_ms));
    }

    /// It came to nothing, and everything is as it was.
    pub(super) fn fail(&self, failure: Failure, attempt: Attempt) {
        let library = &self.library;
        let now_ms = library.server.origin.clock.now_ms();
        let mut facts = library.facts.lock();
        facts.attempts = facts.attempts.saturating_add(1);
        let doublings = facts.attempts.saturating_sub(1).min(10);
        let soon_ms = now_ms.saturating_add((RETRY_MS.0 << doublings).min(RETRY_MS.1));
        match (&failure, attempt) {
            (Failure::Shrunk { .. }, _) => {
                let settled_ms = now_ms.saturating_add(SETTLED_MS);
                (facts.build_at_ms, facts.follow_at_ms) = (settled_ms, settled_ms);
            }
            (_, Attempt::Follow) => facts.follow_at_ms = soon_ms,
            // Only a person or the schedule tries that again.
            (Failure::Cancelled | Failure::TooLarge { .. } | Failure::Gone, Attempt::Build) => {
                let every = library.server.origin.settings.library.schedule;
                let every_ms =
                    every.map_or(u64::MAX, |every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
                facts.build_at_ms = now_ms.saturating_add(every_ms);
            }
            (_, Attempt::Build) => facts.build_at_ms = soon_ms,
        }
        tracing::warn!(
            library = %library.id,
            reason = failure.word(),
            "{failure}; what was kept before is kept on"
        );
        library.tell_of_failure(&failure, attempt);
        let since_ms = match &facts.failure {
            Some((before, since_ms)) if before.word() == failure.word() => *since_ms,
            _ => now_ms,
        };
        facts.failure = Some((failure, since_ms));
    }

    /// It succeeded. What does not fit is said until all of it is compared.
    pub(super) fn succeed(&self, facts: &mut Facts, attempt: Attempt) {
        let is_doubted = attempt == Attempt::Follow && facts.doubted_at_ms.is_some();
        let now_ms = self.library.server.origin.clock.now_ms();
        let since_ms = facts.failure.take().filter(|(failure, _)| *failure == Failure::Differs);
        let since_ms = since_ms.map_or(now_ms, |(_, since_ms)| since_ms);
        facts.failure = is_doubted.then_some((Failure::Differs, since_ms));
        (facts.attempts, facts.follow_at_ms) = (0, 0);
        if attempt == Attempt::Build {
            facts.build_at_ms = 0;
            self.library.tell_of_success();
        }
        facts.is_confirmed = true;
    }
}

impl Library {
    /// Whether the server has not confirmed for long what is kept, and for how many hours that is borne.
    fn is_old(&self, now_ms: u64) -> Option<u64> {
        let schedule = self.server.origin.settings.library.schedule?;
        let facts = self.facts.lock();
        let heard_ms = facts.about.synced_s.saturating_mul(1000).max(facts.about.whole_at_ms);
        let old_ms = u64::try_from(schedule.as_millis()).unwrap_or(u64::MAX).saturating_mul(OLD);
        let is_old = self.is_on(&facts)
            // A server that is down is not asked, so that nothing fails.
            && (facts.failure.is_some() || !facts.is_confirmed || self.server.origin.breaker.state().is_down())
            && heard_ms > 0
            && now_ms.saturating_sub(heard_ms) > old_ms;
        is_old.then_some(old_ms / 3_600_000)
    }

    /// Whether somebody looked something up in it although it is turned off.
    fn is_missed(&self) -> bool {
        let facts = self.facts.lock();
        facts.is_missed && !self.is_on(&facts)
    }

    /// How it is called where there are several.
    pub(super) fn named(&self) -> String {
        format!("\"{}\" ({})", self.title.lock(), self.id)
    }
}

impl Libraries {
    /// Says what a person should know of a server's libraries, as long as it is so of any of them.
    pub fn warn(&self, server: &Server) {
        let now_ms = server.origin.clock.now_ms();
        let mut all = self.all();
        all.retain(|library| library.id.server == server.name());
        let old = all.iter().filter_map(|library| Some(too_old(library, library.is_old(now_ms)?))).collect();
        drop(server.origin.warnings.settle(&[OLD_CODE], old));
        // That playlists go to it is said with more weight, and would be said twice.
        let held = server.origin.warnings.holding();
        let is_said = |library: &Library| {
            let id = library.id.to_string();
            held.iter().any(|held| held.code == SYNC_WITHOUT_INDEX && held.subject.as_deref() == Some(&*id))
        };
        all.retain(|library| library.is_missed() && !is_said(library));
        let turn_on = all.first().map(|library| turn_on(library));
        let missed: Vec<String> = all.iter().map(|library| library.named()).collect();
        hold(server, !missed.is_empty(), off(&missed).with(turn_on));
    }
}

/// The server has not confirmed a library for so many hours.
fn too_old(library: &Library, hours: u64) -> Warning {
    let text =
        format!("The server has not confirmed the index of {} for more than {hours} hours.", library.named());
    let remedy = "See why with: greenroom build --list; it is tried again by itself.";
    let build = Action::new("Build now", "POST", format!("libraries/{}/build", library.id));
    Warning::notice(OLD_CODE, text, remedy).about(library.id.to_string()).with(Some(build))
}

/// What turns a library on.
pub(super) fn turn_on(library: &Library) -> Action {
    let body = serde_json::json!({"enabled": true});
    Action::new("Turn it on", "PUT", format!("libraries/{}", library.id)).saying(body)
}

/// Somebody looks something up in libraries that are turned off.
pub(super) fn off(missed: &[String]) -> Warning {
    Warning {
        code: "library-off",
        severity: Severity::Notice,
        action: None,
        subject: None,
        text: format!("Looked up in, and not kept: {}.", missed.join(", ")).into(),
        remedy: "Turn it on, or each track costs the server several requests: PUT {\"enabled\": true} to \
                 /api/v1/libraries/{id}."
            .into(),
    }
}

/// This holds now, or not; in these words.
fn hold(server: &Server, holds: bool, warning: Warning) {
    let is_said = server.origin.warnings.holding().contains(&warning);
    if !holds || !is_said {
        server.origin.warnings.lower(warning.code);
    }
    if holds && !is_said {
        server.origin.warnings.raise(warning);
    }
}

async fn sleep(clock: &greenroom_cache::Clock, rest: Duration) {
    if rest == Duration::MAX {
        std::future::pending::<()>().await;
    }
    clock.sleep(rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Sight = Sight {
        is_on: true,
        is_asked: false,
        is_wanted: true,
        is_kept: true,
        is_unconfirmed: false,
        news_ms: None,
        doubted_at_ms: None,
        scheduled_at_ms: Some(1_000_000),
        build_at_ms: 0,
        follow_at_ms: 0,
        index_at_ms: 0,
    };
    const NEW: Sight = Sight { is_kept: false, is_unconfirmed: true, ..KEPT };

    fn check(cases: &[(&str, Sight, Due)]) {
        for (what, sight, wanted) in cases {
            assert_eq!(due(sight, 100_000), *wanted, "{what}");
        }
    }

    #[test]
    fn a_library_is_built_when_it_is_wanted_asked_for_or_due() {
        check(&[
            ("kept", KEPT, Due::Rest(Some(1_000_000))),
            ("wanted", NEW, Due::Build),
            ("not wanted", Sight { is_wanted: false, ..NEW }, Due::Rest(Some(1_000_000))),
            ("asked", Sight { is_asked: true, ..KEPT }, Due::Build),
            ("by schedule", Sight { scheduled_at_ms: Some(99_999), ..KEPT }, Due::Build),
            ("never by schedule", Sight { scheduled_at_ms: None, ..KEPT }, Due::Rest(None)),
            ("doubted", Sight { doubted_at_ms: Some(100_000), ..KEPT }, Due::Build),
            ("off", Sight { is_on: false, is_asked: true, ..NEW }, Due::Rest(None)),
            ("failed before", Sight { build_at_ms: 130_000, ..NEW }, Due::Rest(Some(130_000))),
            (
                "asked for although it failed",
                Sight { build_at_ms: 130_000, is_asked: true, ..NEW },
                Due::Build,
            ),
        ]);
    }

    #[test]
    fn changes_are_followed_a_few_seconds_after_the_last_and_never_put_off_for_ever() {
        let news = |first, last| Sight { news_ms: Some((first, last)), ..KEPT };
        check(&[
            ("just now", news(99_000, 99_500), Due::Rest(Some(102_500))),
            ("quiet", news(90_000, 97_000), Due::Follow),
            ("never quiet", news(70_000, 99_999), Due::Follow),
            (
                "indexed lately",
                Sight { index_at_ms: 110_000, ..news(90_000, 97_000) },
                Due::Rest(Some(110_000)),
            ),
            (
                "of what is not kept",
                Sight { is_wanted: false, news_ms: Some((1, 1)), ..NEW },
                Due::Rest(Some(1_000_000)),
            ),
            ("unconfirmed", Sight { is_unconfirmed: true, ..KEPT }, Due::Follow),
            (
                "failed before",
                Sight { is_unconfirmed: true, follow_at_ms: 100_001, ..KEPT },
                Due::Rest(Some(100_001)),
            ),
        ]);
    }
}
