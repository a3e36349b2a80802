//! The worker task of a library: builds it, follows changes, and rests in between. Triggers only leave requests; a pure
//! function over the known state decides the next action.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::sync::Arc;
use std::time::Duration;

use greenroom_dialect::crawl::LibraryContents;

use super::progress::{BuildPhase, BuildProgress};
use super::{IndexError, Libraries, Library, SYNC_WITHOUT_INDEX};
use crate::index::client::LibraryClient;
use crate::index::missing_episodes::WITHOUT_EPISODES_CODE;
use crate::index::status::LibraryStatus;
use greenroom_config::CacheMode;
use greenroom_config::InitialIndexing;
use greenroom_proxy::server::Server;
use greenroom_state::warnings::{Severity, Warning, WarningAction};

/// Wait after the last event for further ones, at most [`MAX_DEBOUNCE`] after the first.
const DEBOUNCE: Duration = Duration::from_secs(3);
const MAX_DEBOUNCE: Duration = Duration::from_secs(10);
/// An incremental round changes the indexes and their file only after this many times the duration of the last change,
/// which may have been a whole build: so never later than [`MAX_INDEX_DELAY`].
const INDEX_SHARE: u32 = 10;
const MAX_INDEX_DELAY: Duration = Duration::from_secs(10);
/// A mismatch is compared after this many times the duration of a build, at most an hour later.
const COMPARE_SHARE: u64 = 20;
const MAX_COMPARE_DELAY: Duration = Duration::from_secs(3600);
/// First and longest pause before a failed attempt is repeated.
const RETRY: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(1_800));
/// A short library is counted again after this time, when the server has settled.
const SETTLED: Duration = Duration::from_secs(125);
/// A snapshot is old after this many schedule intervals without confirmation by the server.
const OUTDATED_AFTER_PERIODS: u64 = 2;
/// Code of the warning about an old snapshot.
const OUTDATED_CODE: &str = "library-old";

/// Next action of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextAction {
    /// Read the whole library.
    Build,
    /// Read what changed.
    Follow,
    /// Nothing until this time or the next request.
    Wait(Option<Timestamp>),
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
    pub(super) has_snapshot: bool,
    /// The server has not confirmed the snapshot.
    pub(super) is_unconfirmed: bool,
    /// Times of the first and last pending change event.
    pub(super) changes_ms: Option<(Timestamp, Timestamp)>,
    /// Time of the full comparison after a mismatch.
    pub(super) compare_at_ms: Option<Timestamp>,
    /// Time of the scheduled full comparison.
    pub(super) scheduled_at_ms: Option<Timestamp>,
    /// No automatic build before this time.
    pub(super) build_at_ms: Timestamp,
    /// No incremental round before this time.
    pub(super) follow_at_ms: Timestamp,
    /// No rebuild of the indexes before this time.
    pub(super) index_at_ms: Timestamp,
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
pub(super) fn next_action(input: &SchedulerInput, now_ms: Timestamp) -> NextAction {
    if !input.is_on {
        return NextAction::Wait(None);
    }
    if input.is_build_requested {
        return NextAction::Build;
    }
    let initial_ms = (!input.has_snapshot && input.is_auto_indexed).then_some(Timestamp::UNIX_EPOCH);
    let build_ms = [initial_ms, input.compare_at_ms, input.scheduled_at_ms].into_iter().flatten().min();
    let build_ms = build_ms.map(|at_ms| at_ms.max(input.build_at_ms));
    let changes_at_ms = input
        .changes_ms
        .map(|(first_ms, last_ms)| (last_ms + DEBOUNCE).min(first_ms + MAX_DEBOUNCE).max(input.index_at_ms));
    let confirm_ms = input.is_unconfirmed.then_some(Timestamp::UNIX_EPOCH);
    let follow_ms = [confirm_ms, changes_at_ms].into_iter().flatten().min().filter(|_| input.has_snapshot);
    let follow_ms = follow_ms.map(|at_ms| at_ms.max(input.follow_at_ms));
    if build_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        NextAction::Build
    } else if follow_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        NextAction::Follow
    } else {
        NextAction::Wait(build_ms.into_iter().chain(follow_ms).min())
    }
}

/// Pause before the indexes change again, when the last change took this long.
fn index_delay(indexing: Duration) -> Duration {
    indexing.saturating_mul(INDEX_SHARE).min(MAX_INDEX_DELAY)
}

/// Time of the next scheduled full comparison.
pub(super) fn scheduled_ms(every: Option<Duration>, status: &LibraryStatus, has_snapshot: bool) -> Option<Timestamp> {
    let since_ms = if has_snapshot { Timestamp::from_millis(status.metadata.whole_at_ms) } else { status.known_ms };
    every.map(|every| since_ms.saturating_add(every))
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
            let input = self.scheduler_input();
            match next_action(&input, clock.now()) {
                NextAction::Wait(until_ms) => {
                    let rest = until_ms.map(|until_ms| until_ms.duration_since(clock.now()));
                    let rest = rest.map_or(Duration::MAX, |rest| rest.max(Duration::from_millis(1)));
                    tokio::select! {
                        () = library.wake.notified() => {}
                        () = sleep(clock, rest) => {}
                    }
                }
                NextAction::Build => {
                    // In this order, so that readers in between see a build in progress.
                    let waiting = BuildProgress { phase: BuildPhase::Waiting, ..BuildProgress::default() };
                    library.update_progress(|progress| *progress = BuildProgress { turns: progress.turns, ..waiting });
                    if let Some(handle) = library.begin(AttemptKind::Build) {
                        self.build(handle).await;
                    }
                    library.pending.lock().has_taken_changes = false;
                    library.update_progress(|progress| progress.phase = BuildPhase::Idle);
                }
                NextAction::Follow => {
                    library.server.origin.breaker.wait_available().await;
                    if let Some(handle) = library.begin(AttemptKind::Follow) {
                        self.follow_changes(handle).await;
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
        let status = library.status.lock();
        let has_snapshot = library.generation.read().is_some();
        let pending = library.pending.lock();
        let contents = status.info.as_ref().map_or(LibraryContents::Other, |info| info.contents);
        let at_start = match settings.at_start {
            // Observe and bypass modes index nothing on their own.
            _ if library.server.mode() != CacheMode::Cache => false,
            InitialIndexing::Nothing => false,
            InitialIndexing::Music => contents == LibraryContents::Music,
            InitialIndexing::Everything => true,
        };
        let (indexed_ms, indexing) = status.indexed;
        SchedulerInput {
            is_on: library.is_on(&status) && contents != LibraryContents::Other,
            is_build_requested: pending.build.is_some(),
            is_auto_indexed: status.is_auto_indexed || at_start,
            has_snapshot,
            is_unconfirmed: !status.is_confirmed,
            changes_ms: pending.changes.since,
            compare_at_ms: status.compare_at_ms.filter(|_| has_snapshot),
            scheduled_at_ms: scheduled_ms(settings.schedule, &status, has_snapshot),
            build_at_ms: status.build_at_ms,
            follow_at_ms: status.follow_at_ms,
            index_at_ms: indexed_ms.saturating_add(index_delay(indexing)),
        }
    }

    /// Schedules a full comparison after a mismatch, soon but not again and again.
    pub(super) fn schedule_compare(&self) {
        let now_ms = self.library.server.origin.clock.now();
        let mut status = self.library.status.lock();
        let pause_ms = status.metadata.build_ms.saturating_mul(COMPARE_SHARE).min(millis(MAX_COMPARE_DELAY));
        let whole_at_ms = Timestamp::from_millis(status.metadata.whole_at_ms);
        let at_ms = whole_at_ms.saturating_add(Duration::from_millis(pause_ms)).max(now_ms);
        let at_ms = status.compare_at_ms.map_or(at_ms, |before_ms| before_ms.min(at_ms));
        status.compare_at_ms = Some(at_ms);
        status.failure.get_or_insert((IndexError::Differs, now_ms.as_millis()));
    }

    /// Records a failure; the generation stays.
    pub(super) fn fail(&self, failure: IndexError, attempt: AttemptKind) {
        let library = &self.library;
        let now_ms = library.server.origin.clock.now();
        let mut status = library.status.lock();
        status.scan = status.scan.ended(false);
        status.attempts = status.attempts.saturating_add(1);
        let doublings = status.attempts.saturating_sub(1).min(10);
        let retry_ms = now_ms.saturating_add((RETRY.0 * (1 << doublings)).min(RETRY.1));
        match (&failure, attempt) {
            (IndexError::Shrunk { .. }, _) => {
                let stable_ms = now_ms.saturating_add(SETTLED);
                (status.build_at_ms, status.follow_at_ms) = (stable_ms, stable_ms);
            }
            (_, AttemptKind::Follow) => status.follow_at_ms = retry_ms,
            // Only a person or the schedule repeats these.
            (IndexError::Cancelled | IndexError::TooLarge { .. } | IndexError::Gone, AttemptKind::Build) => {
                let every = library.server.origin.settings.library.schedule;
                let interval_ms = every.map_or(u64::MAX, millis);
                status.build_at_ms = now_ms.saturating_add(Duration::from_millis(interval_ms));
            }
            (_, AttemptKind::Build) => status.build_at_ms = retry_ms,
        }
        tracing::warn!(
            library = %library.id,
            reason = failure.name(),
            "{failure}; the previous index stays in use"
        );
        library.notify_failure(&failure, attempt);
        let since_ms = match &status.failure {
            Some((before, since_ms)) if before.name() == failure.name() => *since_ms,
            _ => now_ms.as_millis(),
        };
        status.failure = Some((failure, since_ms));
    }

    /// Records a success. A mismatch stays until a full comparison.
    pub(super) fn succeed(&self, status: &mut LibraryStatus, attempt: AttemptKind) {
        let is_compare_due = attempt == AttemptKind::Follow && status.compare_at_ms.is_some();
        let now_ms = self.library.server.origin.clock.now();
        let since_ms = status.failure.take().filter(|(failure, _)| *failure == IndexError::Differs);
        let since_ms = since_ms.map_or(now_ms, |(_, since_ms)| Timestamp::from_millis(since_ms));
        status.failure = is_compare_due.then_some((IndexError::Differs, since_ms.as_millis()));
        (status.attempts, status.follow_at_ms) = (0, Timestamp::UNIX_EPOCH);
        status.scan = status.scan.ended(true);
        if attempt == AttemptKind::Build {
            status.build_at_ms = Timestamp::UNIX_EPOCH;
            self.library.notify_success();
        }
        status.is_confirmed = true;
        self.library.check_episodes(status, now_ms);
    }
}

impl Library {
    /// Whether the server has not confirmed the snapshot for too long, and the tolerated hours.
    fn outdated_hours(&self, now_ms: Timestamp) -> Option<u64> {
        let schedule = self.server.origin.settings.library.schedule?;
        let status = self.status.lock();
        let confirmed_ms = status.metadata.synced_s.saturating_mul(1000).max(status.metadata.whole_at_ms);
        let outdated_ms = millis(schedule).saturating_mul(OUTDATED_AFTER_PERIODS);
        let outdated_hours = self.is_on(&status)
            // A server that is down is not asked, so no request fails.
            && (status.failure.is_some() || !status.is_confirmed || self.server.origin.breaker.state().is_down())
            && confirmed_ms > 0
            && now_ms.saturating_sub(Duration::from_millis(confirmed_ms)) > Timestamp::from_millis(outdated_ms);
        outdated_hours.then_some(outdated_ms / 3_600_000)
    }

    /// Whether lookups were made although the index is off.
    fn is_requested_while_off(&self) -> bool {
        let status = self.status.lock();
        status.was_requested_while_off && !self.is_on(&status)
    }

    /// Its name where there are several.
    pub(super) fn display_name(&self) -> String {
        format!("\"{}\" ({})", self.title.lock(), self.id)
    }
}

impl Libraries {
    /// Sets the warnings about a server's libraries, each for as long as it applies to any of them.
    pub fn warn(&self, server: &Server) {
        let now_ms = server.origin.clock.now();
        let mut all = self.all();
        all.retain(|library| library.id.server == server.name());
        let outdated =
            all.iter().filter_map(|library| Some(outdated_warning(library, library.outdated_hours(now_ms)?))).collect();
        server.origin.warnings.replace(&[OUTDATED_CODE], outdated);
        let without_episodes = all.iter().filter_map(|library| library.without_episodes_warning()).collect();
        server.origin.warnings.replace(&[WITHOUT_EPISODES_CODE], without_episodes);
        // The warning about playlists is more urgent and covers this one.
        let current = server.origin.warnings.active();
        let is_raised = |library: &Library| {
            let id = library.id.to_string();
            current.iter().any(|warning| warning.code == SYNC_WITHOUT_INDEX && warning.subject.as_deref() == Some(&*id))
        };
        all.retain(|library| library.is_requested_while_off() && !is_raised(library));
        let turn_on = all.first().map(|library| turn_on(library));
        let libraries_off: Vec<String> = all.iter().map(|library| library.display_name()).collect();
        set_warning(server, !libraries_off.is_empty(), index_off_warning(&libraries_off).with(turn_on));
    }
}

/// Warning that the server has not confirmed a library for this many hours.
fn outdated_warning(library: &Library, hours: u64) -> Warning {
    let text =
        format!("The server has not confirmed the index of {} for more than {hours} hours.", library.display_name());
    let remedy = "See the reason with: greenroom build --list. Greenroom keeps trying.";
    let build = WarningAction::new("Build now", "POST", format!("libraries/{}/build", library.id));
    Warning::notice(OUTDATED_CODE, text, remedy).about(library.id.to_string()).with(Some(build))
}

/// The action that turns a library on.
pub(super) fn turn_on(library: &Library) -> WarningAction {
    let body = serde_json::json!({"enabled": true});
    WarningAction::new("Turn it on", "PUT", format!("libraries/{}", library.id)).with_body(body)
}

/// Warning about lookups in libraries that are turned off.
pub(super) fn index_off_warning(libraries_off: &[String]) -> Warning {
    Warning {
        code: "library-off",
        severity: Severity::Notice,
        action: None,
        subject: None,
        text: format!("Lookups need indexes that are turned off: {}.", libraries_off.join(", ")).into(),
        remedy: "Turn it on, or each track costs the server several requests: PUT {\"enabled\": true} to \
                 /api/v1/libraries/{id}."
            .into(),
    }
}

/// Sets or clears a warning.
fn set_warning(server: &Server, is_active: bool, warning: Warning) {
    let is_raised = server.origin.warnings.active().contains(&warning);
    if !is_active || !is_raised {
        server.origin.warnings.lower(warning.code);
    }
    if is_active && !is_raised {
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

    const INDEXED: SchedulerInput = SchedulerInput {
        is_on: true,
        is_build_requested: false,
        is_auto_indexed: true,
        has_snapshot: true,
        is_unconfirmed: false,
        changes_ms: None,
        compare_at_ms: None,
        scheduled_at_ms: Some(Timestamp::from_millis(1_000_000)),
        build_at_ms: Timestamp::UNIX_EPOCH,
        follow_at_ms: Timestamp::UNIX_EPOCH,
        index_at_ms: Timestamp::UNIX_EPOCH,
    };
    const NOT_INDEXED: SchedulerInput = SchedulerInput { has_snapshot: false, is_unconfirmed: true, ..INDEXED };

    fn checksum(cases: &[(&str, SchedulerInput, NextAction)]) {
        for (what, input, wanted) in cases {
            assert_eq!(next_action(input, Timestamp::from_millis(100_000)), *wanted, "{what}");
        }
    }

    #[test]
    fn changes_after_a_long_build_wait_no_longer_than_those_after_another_change() {
        assert_eq!(index_delay(Duration::from_millis(150)), Duration::from_millis(1_500));
        assert_eq!(index_delay(Duration::from_secs(30)), MAX_DEBOUNCE, "of a million tracks on a busy machine");
    }

    #[test]
    fn a_library_is_built_when_its_index_is_missing_requested_or_due() {
        checksum(&[
            ("kept", INDEXED, NextAction::Wait(Some(Timestamp::from_millis(1_000_000)))),
            ("wanted", NOT_INDEXED, NextAction::Build),
            (
                "not wanted",
                SchedulerInput { is_auto_indexed: false, ..NOT_INDEXED },
                NextAction::Wait(Some(Timestamp::from_millis(1_000_000))),
            ),
            ("asked", SchedulerInput { is_build_requested: true, ..INDEXED }, NextAction::Build),
            (
                "by schedule",
                SchedulerInput { scheduled_at_ms: Some(Timestamp::from_millis(99_999)), ..INDEXED },
                NextAction::Build,
            ),
            ("never by schedule", SchedulerInput { scheduled_at_ms: None, ..INDEXED }, NextAction::Wait(None)),
            (
                "doubted",
                SchedulerInput { compare_at_ms: Some(Timestamp::from_millis(100_000)), ..INDEXED },
                NextAction::Build,
            ),
            ("off", SchedulerInput { is_on: false, is_build_requested: true, ..NOT_INDEXED }, NextAction::Wait(None)),
            (
                "failed before",
                SchedulerInput { build_at_ms: Timestamp::from_millis(130_000), ..NOT_INDEXED },
                NextAction::Wait(Some(Timestamp::from_millis(130_000))),
            ),
            (
                "asked for although it failed",
                SchedulerInput {
                    build_at_ms: Timestamp::from_millis(130_000),
                    is_build_requested: true,
                    ..NOT_INDEXED
                },
                NextAction::Build,
            ),
        ]);
    }

    #[test]
    fn changes_are_followed_a_few_seconds_after_the_last_and_never_postponed_for_ever() {
        let changes = |first, last| SchedulerInput { changes_ms: Some((first, last)), ..INDEXED };
        checksum(&[
            (
                "just now",
                changes(Timestamp::from_millis(99_000), Timestamp::from_millis(99_500)),
                NextAction::Wait(Some(Timestamp::from_millis(102_500))),
            ),
            ("quiet", changes(Timestamp::from_millis(90_000), Timestamp::from_millis(97_000)), NextAction::Follow),
            (
                "never quiet",
                changes(Timestamp::from_millis(70_000), Timestamp::from_millis(99_999)),
                NextAction::Follow,
            ),
            (
                "indexed lately",
                SchedulerInput {
                    index_at_ms: Timestamp::from_millis(110_000),
                    ..changes(Timestamp::from_millis(90_000), Timestamp::from_millis(97_000))
                },
                NextAction::Wait(Some(Timestamp::from_millis(110_000))),
            ),
            (
                "of what is not kept",
                SchedulerInput {
                    is_auto_indexed: false,
                    changes_ms: Some((Timestamp::from_millis(1), Timestamp::from_millis(1))),
                    ..NOT_INDEXED
                },
                NextAction::Wait(Some(Timestamp::from_millis(1_000_000))),
            ),
            ("unconfirmed", SchedulerInput { is_unconfirmed: true, ..INDEXED }, NextAction::Follow),
            (
                "failed before",
                SchedulerInput { is_unconfirmed: true, follow_at_ms: Timestamp::from_millis(100_001), ..INDEXED },
                NextAction::Wait(Some(Timestamp::from_millis(100_001))),
            ),
        ]);
    }
}
