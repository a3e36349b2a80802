//! The worker task of a library: builds it, follows changes, and rests in between. Triggers only leave requests; a pure
//! function over the known state decides the next action.

use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::crawl::LibraryContents;

use super::progress::{BuildPhase, BuildProgress};
use super::{IndexError, Libraries, Library, SYNC_WITHOUT_INDEX};
use crate::index::client::LibraryClient;
use crate::index::status::LibraryStatus;
use greenroom_config::CacheMode;
use greenroom_config::InitialIndexing;
use greenroom_proxy::server::Server;
use greenroom_state::warnings::{Severity, Warning, WarningAction};

/// Wait after the last event for further ones, at most [`MAX_DEBOUNCE_MS`] after the first.
const DEBOUNCE_MS: u64 = 3_000;
const MAX_DEBOUNCE_MS: u64 = 30_000;
/// An incremental round rebuilds the indexes only after this many times the duration of a rebuild.
const INDEX_SHARE: u64 = 20;
/// A mismatch is compared after this many times the duration of a build, at most an hour later.
const DOUBT_SHARE: u64 = 20;
const DOUBT_AT_MOST_MS: u64 = 3_600_000;
/// First and longest pause before a failed attempt is repeated.
const RETRY_MS: (u64, u64) = (120_000, 1_800_000);
/// A short library is counted again after this time, when the server has settled.
const SETTLED_MS: u64 = 125_000;
/// A snapshot is old after this many schedule intervals without confirmation by the server.
const OLD: u64 = 2;
/// Code of the warning about an old snapshot.
const OLD_CODE: &str = "library-old";

/// Next action of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextAction {
    /// Read the whole library.
    Build,
    /// Read what changed.
    Follow,
    /// Nothing until this time or the next request.
    Rest(Option<u64>),
}

/// Input of that decision.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any mixture occurs")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SchedulerInput {
    pub(super) is_on: bool,
    /// A build was requested.
    pub(super) is_build_requested: bool,
    /// The library is indexed without a request.
    pub(super) is_auto_indexed: bool,
    pub(super) is_kept: bool,
    /// The server has not confirmed the snapshot.
    pub(super) is_unconfirmed: bool,
    /// Times of the first and last pending change event.
    pub(super) changes_ms: Option<(u64, u64)>,
    /// Time of the full comparison after a mismatch.
    pub(super) compare_at_ms: Option<u64>,
    /// Time of the scheduled full comparison.
    pub(super) scheduled_at_ms: Option<u64>,
    /// No automatic build before this time.
    pub(super) build_at_ms: u64,
    /// No incremental round before this time.
    pub(super) follow_at_ms: u64,
    /// No rebuild of the indexes before this time.
    pub(super) index_at_ms: u64,
}

/// Kind of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptKind {
    /// A full build.
    Build,
    /// An incremental round.
    Follow,
}

/// Decides the next action.
pub(super) fn next_action(sight: &SchedulerInput, now_ms: u64) -> NextAction {
    if !sight.is_on {
        return NextAction::Rest(None);
    }
    if sight.is_build_requested {
        return NextAction::Build;
    }
    let wanted_ms = (!sight.is_kept && sight.is_auto_indexed).then_some(0);
    let build_ms = [wanted_ms, sight.compare_at_ms, sight.scheduled_at_ms].into_iter().flatten().min();
    let build_ms = build_ms.map(|at_ms| at_ms.max(sight.build_at_ms));
    let quiet_ms = sight
        .changes_ms
        .map(|(first_ms, last_ms)| (last_ms + DEBOUNCE_MS).min(first_ms + MAX_DEBOUNCE_MS).max(sight.index_at_ms));
    let confirm_ms = sight.is_unconfirmed.then_some(0);
    let follow_ms = [confirm_ms, quiet_ms].into_iter().flatten().min().filter(|_| sight.is_kept);
    let follow_ms = follow_ms.map(|at_ms| at_ms.max(sight.follow_at_ms));
    if build_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        NextAction::Build
    } else if follow_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        NextAction::Follow
    } else {
        NextAction::Rest(build_ms.into_iter().chain(follow_ms).min())
    }
}

/// Time of the next scheduled full comparison.
pub(super) fn scheduled_ms(every: Option<Duration>, facts: &LibraryStatus, is_kept: bool) -> Option<u64> {
    let since_ms = if is_kept { facts.metadata.whole_at_ms } else { facts.known_ms };
    every.map(|every| since_ms.saturating_add(u64::try_from(every.as_millis()).unwrap_or(u64::MAX)))
}

/// The worker of one library.
pub(super) struct LibraryWorker {
    pub(super) library: Arc<Library>,
    pub(super) libraries: Arc<Libraries>,
    pub(super) source: LibraryClient,
}

impl LibraryWorker {
    /// Runs until the process ends or the server removes the library.
    pub(super) async fn run_until_removed(self) {
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
            let sight = self.scheduler_input();
            match next_action(&sight, clock.now_ms()) {
                NextAction::Rest(until_ms) => {
                    let rest = until_ms.map(|until_ms| until_ms.saturating_sub(clock.now_ms()));
                    let rest = rest.map_or(Duration::MAX, |rest| Duration::from_millis(rest.max(1)));
                    tokio::select! {
                        () = library.wake.notified() => {}
                        () = sleep(clock, rest) => {}
                    }
                }
                NextAction::Build => {
                    // In this order, so that readers in between see a build in progress.
                    let waiting = BuildProgress { phase: BuildPhase::Waiting, ..BuildProgress::default() };
                    library.update_progress(|progress| *progress = BuildProgress { turns: progress.turns, ..waiting });
                    if let Some(begun) = library.begin(AttemptKind::Build) {
                        self.build(begun).await;
                    }
                    library.update_progress(|progress| progress.phase = BuildPhase::Idle);
                }
                NextAction::Follow => {
                    library.server.origin.breaker.wait_available().await;
                    if let Some(begun) = library.begin(AttemptKind::Follow) {
                        self.follow_changes(begun).await;
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

    fn scheduler_input(&self) -> SchedulerInput {
        let library = &self.library;
        let settings = &library.server.origin.settings.library;
        let facts = library.status.lock();
        let is_kept = library.generation.read().is_some();
        let wishes = library.pending.lock();
        let contents = facts.info.as_ref().map_or(LibraryContents::Other, |shelf| shelf.contents);
        let at_start = match settings.at_start {
            // Observe and bypass modes index nothing on their own.
            _ if library.server.mode() != CacheMode::Cache => false,
            InitialIndexing::Nothing => false,
            InitialIndexing::Music => contents == LibraryContents::Music,
            InitialIndexing::Everything => true,
        };
        let (indexed_ms, indexing_ms) = facts.indexed;
        SchedulerInput {
            is_on: library.is_on(&facts) && contents != LibraryContents::Other,
            is_build_requested: wishes.build.is_some(),
            is_auto_indexed: facts.is_auto_indexed || at_start,
            is_kept,
            is_unconfirmed: !facts.is_confirmed,
            changes_ms: wishes.changes.since,
            compare_at_ms: facts.compare_at_ms.filter(|_| is_kept),
            scheduled_at_ms: scheduled_ms(settings.schedule, &facts, is_kept),
            build_at_ms: facts.build_at_ms,
            follow_at_ms: facts.follow_at_ms,
            index_at_ms: indexed_ms.saturating_add(indexing_ms.saturating_mul(INDEX_SHARE)),
        }
    }

    /// Schedules a full comparison after a mismatch, soon but not again and again.
    pub(super) fn schedule_compare(&self) {
        let now_ms = self.library.server.origin.clock.now_ms();
        let mut facts = self.library.status.lock();
        let pause_ms = facts.metadata.build_ms.saturating_mul(DOUBT_SHARE).min(DOUBT_AT_MOST_MS);
        let at_ms = facts.metadata.whole_at_ms.saturating_add(pause_ms).max(now_ms);
        let at_ms = facts.compare_at_ms.map_or(at_ms, |before_ms| before_ms.min(at_ms));
        facts.compare_at_ms = Some(at_ms);
        facts.failure.get_or_insert((IndexError::Differs, now_ms));
    }

    /// Records a failure; the generation stays.
    pub(super) fn fail(&self, failure: IndexError, attempt: AttemptKind) {
        let library = &self.library;
        let now_ms = library.server.origin.clock.now_ms();
        let mut facts = library.status.lock();
        facts.attempts = facts.attempts.saturating_add(1);
        let doublings = facts.attempts.saturating_sub(1).min(10);
        let soon_ms = now_ms.saturating_add((RETRY_MS.0 << doublings).min(RETRY_MS.1));
        match (&failure, attempt) {
            (IndexError::Shrunk { .. }, _) => {
                let settled_ms = now_ms.saturating_add(SETTLED_MS);
                (facts.build_at_ms, facts.follow_at_ms) = (settled_ms, settled_ms);
            }
            (_, AttemptKind::Follow) => facts.follow_at_ms = soon_ms,
            // Only a person or the schedule repeats these.
            (IndexError::Cancelled | IndexError::TooLarge { .. } | IndexError::Gone, AttemptKind::Build) => {
                let every = library.server.origin.settings.library.schedule;
                let every_ms = every.map_or(u64::MAX, |every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
                facts.build_at_ms = now_ms.saturating_add(every_ms);
            }
            (_, AttemptKind::Build) => facts.build_at_ms = soon_ms,
        }
        tracing::warn!(
            library = %library.id,
            reason = failure.name(),
            "{failure}; what was kept before is kept on"
        );
        library.notify_failure(&failure, attempt);
        let since_ms = match &facts.failure {
            Some((before, since_ms)) if before.name() == failure.name() => *since_ms,
            _ => now_ms,
        };
        facts.failure = Some((failure, since_ms));
    }

    /// Records a success. A mismatch stays until a full comparison.
    pub(super) fn succeed(&self, facts: &mut LibraryStatus, attempt: AttemptKind) {
        let is_doubted = attempt == AttemptKind::Follow && facts.compare_at_ms.is_some();
        let now_ms = self.library.server.origin.clock.now_ms();
        let since_ms = facts.failure.take().filter(|(failure, _)| *failure == IndexError::Differs);
        let since_ms = since_ms.map_or(now_ms, |(_, since_ms)| since_ms);
        facts.failure = is_doubted.then_some((IndexError::Differs, since_ms));
        (facts.attempts, facts.follow_at_ms) = (0, 0);
        if attempt == AttemptKind::Build {
            facts.build_at_ms = 0;
            self.library.notify_success();
        }
        facts.is_confirmed = true;
    }
}

impl Library {
    /// Whether the server has not confirmed the snapshot for too long, and the tolerated hours.
    fn is_old(&self, now_ms: u64) -> Option<u64> {
        let schedule = self.server.origin.settings.library.schedule?;
        let facts = self.status.lock();
        let heard_ms = facts.metadata.synced_s.saturating_mul(1000).max(facts.metadata.whole_at_ms);
        let old_ms = u64::try_from(schedule.as_millis()).unwrap_or(u64::MAX).saturating_mul(OLD);
        let is_old = self.is_on(&facts)
            // A server that is down is not asked, so no request fails.
            && (facts.failure.is_some() || !facts.is_confirmed || self.server.origin.breaker.state().is_down())
            && heard_ms > 0
            && now_ms.saturating_sub(heard_ms) > old_ms;
        is_old.then_some(old_ms / 3_600_000)
    }

    /// Whether lookups were made although the index is off.
    fn is_requested_while_off(&self) -> bool {
        let facts = self.status.lock();
        facts.was_requested_while_off && !self.is_on(&facts)
    }

    /// Its name where there are several.
    pub(super) fn display_name(&self) -> String {
        format!("\"{}\" ({})", self.title.lock(), self.id)
    }
}

impl Libraries {
    /// Sets the warnings about a server's libraries, each for as long as it applies to any of them.
    pub fn warn(&self, server: &Server) {
        let now_ms = server.origin.clock.now_ms();
        let mut all = self.all();
        all.retain(|library| library.id.server == server.name());
        let old = all.iter().filter_map(|library| Some(outdated_warning(library, library.is_old(now_ms)?))).collect();
        drop(server.origin.warnings.replace(&[OLD_CODE], old));
        // The warning about playlists is more urgent and covers this one.
        let held = server.origin.warnings.active();
        let is_said = |library: &Library| {
            let id = library.id.to_string();
            held.iter().any(|held| held.code == SYNC_WITHOUT_INDEX && held.subject.as_deref() == Some(&*id))
        };
        all.retain(|library| library.is_requested_while_off() && !is_said(library));
        let turn_on = all.first().map(|library| turn_on(library));
        let missed: Vec<String> = all.iter().map(|library| library.display_name()).collect();
        set_warning(server, !missed.is_empty(), index_off_warning(&missed).with(turn_on));
    }
}

/// Warning that the server has not confirmed a library for this many hours.
fn outdated_warning(library: &Library, hours: u64) -> Warning {
    let text =
        format!("The server has not confirmed the index of {} for more than {hours} hours.", library.display_name());
    let remedy = "See why with: greenroom build --list; it is tried again by itself.";
    let build = WarningAction::new("Build now", "POST", format!("libraries/{}/build", library.id));
    Warning::notice(OLD_CODE, text, remedy).about(library.id.to_string()).with(Some(build))
}

/// The action that turns a library on.
pub(super) fn turn_on(library: &Library) -> WarningAction {
    let body = serde_json::json!({"enabled": true});
    WarningAction::new("Turn it on", "PUT", format!("libraries/{}", library.id)).with_body(body)
}

/// Warning about lookups in libraries that are turned off.
pub(super) fn index_off_warning(missed: &[String]) -> Warning {
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

/// Sets or clears a warning.
fn set_warning(server: &Server, holds: bool, warning: Warning) {
    let is_said = server.origin.warnings.active().contains(&warning);
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

    const KEPT: SchedulerInput = SchedulerInput {
        is_on: true,
        is_build_requested: false,
        is_auto_indexed: true,
        is_kept: true,
        is_unconfirmed: false,
        changes_ms: None,
        compare_at_ms: None,
        scheduled_at_ms: Some(1_000_000),
        build_at_ms: 0,
        follow_at_ms: 0,
        index_at_ms: 0,
    };
    const NEW: SchedulerInput = SchedulerInput { is_kept: false, is_unconfirmed: true, ..KEPT };

    fn check(cases: &[(&str, SchedulerInput, NextAction)]) {
        for (what, sight, wanted) in cases {
            assert_eq!(next_action(sight, 100_000), *wanted, "{what}");
        }
    }

    #[test]
    fn a_library_is_built_when_it_is_wanted_asked_for_or_due() {
        check(&[
            ("kept", KEPT, NextAction::Rest(Some(1_000_000))),
            ("wanted", NEW, NextAction::Build),
            ("not wanted", SchedulerInput { is_auto_indexed: false, ..NEW }, NextAction::Rest(Some(1_000_000))),
            ("asked", SchedulerInput { is_build_requested: true, ..KEPT }, NextAction::Build),
            ("by schedule", SchedulerInput { scheduled_at_ms: Some(99_999), ..KEPT }, NextAction::Build),
            ("never by schedule", SchedulerInput { scheduled_at_ms: None, ..KEPT }, NextAction::Rest(None)),
            ("doubted", SchedulerInput { compare_at_ms: Some(100_000), ..KEPT }, NextAction::Build),
            ("off", SchedulerInput { is_on: false, is_build_requested: true, ..NEW }, NextAction::Rest(None)),
            ("failed before", SchedulerInput { build_at_ms: 130_000, ..NEW }, NextAction::Rest(Some(130_000))),
            (
                "asked for although it failed",
                SchedulerInput { build_at_ms: 130_000, is_build_requested: true, ..NEW },
                NextAction::Build,
            ),
        ]);
    }

    #[test]
    fn changes_are_followed_a_few_seconds_after_the_last_and_never_put_off_for_ever() {
        let news = |first, last| SchedulerInput { changes_ms: Some((first, last)), ..KEPT };
        check(&[
            ("just now", news(99_000, 99_500), NextAction::Rest(Some(102_500))),
            ("quiet", news(90_000, 97_000), NextAction::Follow),
            ("never quiet", news(70_000, 99_999), NextAction::Follow),
            (
                "indexed lately",
                SchedulerInput { index_at_ms: 110_000, ..news(90_000, 97_000) },
                NextAction::Rest(Some(110_000)),
            ),
            (
                "of what is not kept",
                SchedulerInput { is_auto_indexed: false, changes_ms: Some((1, 1)), ..NEW },
                NextAction::Rest(Some(1_000_000)),
            ),
            ("unconfirmed", SchedulerInput { is_unconfirmed: true, ..KEPT }, NextAction::Follow),
            (
                "failed before",
                SchedulerInput { is_unconfirmed: true, follow_at_ms: 100_001, ..KEPT },
                NextAction::Rest(Some(100_001)),
            ),
        ]);
    }
}
