//! Checks of the library: its change counters, and what changed since a moment.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use greenroom_cache::Clock;
use greenroom_dialect::changed_since::{ChangeCounter, ChangedItem, ChangedSince};
use greenroom_dialect::request::ServerKind;

use crate::confirmation::{CheckKind, LibraryFlight};
use crate::confirmation_check::requests::Asker;
use crate::confirmation_check::scope::LibraryScope;
use crate::forward::sse::apply_frame;
use crate::invalidate::{self, InvalidationSource};
use crate::server::Server;

/// The clocks of the server and of this machine may differ by this much.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// Reads wait for a check this part of the time for a load at most: a load follows where it fails.
const LOAD_TIMEOUT_DIVISOR: u32 = 3;

/// When the sections of an entry were last checked, if nothing in them changed unnoticed since it was loaded. Asks the
/// server at most once per interval for all entries together.
pub(super) async fn check(
    server: &Arc<Server>,
    owner: &Asker,
    scope: &LibraryScope,
    created_ms: Timestamp,
) -> Option<Timestamp> {
    let counters = current(server, owner, scope).await?;
    let library = server.confirmation.library.lock();
    let mut sections = counters.iter().filter(|counter| scope.has(&counter.section)).peekable();
    sections.peek()?;
    sections.try_fold(Timestamp::MAX, |oldest_ms, counter| {
        library.vouches(&counter.section, created_ms).map(|checked_ms| oldest_ms.min(checked_ms))
    })
}

/// Since when everything that changed in any section was noticed, and until when.
pub(super) async fn check_all(server: &Arc<Server>, owner: &Asker) -> Option<(Timestamp, Timestamp)> {
    let counters = current(server, owner, &LibraryScope::Whole).await?;
    let library = server.confirmation.library.lock();
    let spans = counters.iter().map(|counter| library.span(&counter.section));
    spans.reduce(|one, other| {
        let ((from_ms, checked_ms), (other_from_ms, other_checked_ms)) = (one?, other?);
        Some((from_ms.max(other_from_ms), checked_ms.min(other_checked_ms)))
    })?
}

/// The counters of a recent check, after checking the sections of this scope.
pub(super) async fn current(server: &Arc<Server>, owner: &Asker, scope: &LibraryScope) -> Option<Vec<ChangeCounter>> {
    let mut flight = server.confirmation.library_flight.lock().await;
    let now_ms = server.origin.clock.now();
    let recent_ms = recent_ms(server, now_ms);
    if flight.failed_ms > Timestamp::UNIX_EPOCH && flight.failed_ms >= recent_ms {
        return None;
    }
    let running = run(server, owner, scope, &mut flight, (now_ms, recent_ms));
    let counters = server.origin.clock.timeout(timeout(server), running).await.ok().flatten();
    flight.failed_ms = if counters.is_some() { Timestamp::UNIX_EPOCH } else { server.origin.clock.now() };
    counters
}

/// Max wait of reads for a check.
pub(super) fn timeout(server: &Server) -> Duration {
    server.origin.settings.load_timeout / LOAD_TIMEOUT_DIVISOR
}

/// A check at this moment or later is recent enough.
pub(super) fn recent_ms(server: &Server, now_ms: Timestamp) -> Timestamp {
    let interval = server.origin.settings.confirmation_interval;
    now_ms
        .saturating_sub(interval)
        .max(gap_end_ms(server))
        .max(server.confirmation.whole_since_ms().unwrap_or(Timestamp::UNIX_EPOCH))
}

/// End of the last gap.
fn gap_end_ms(server: &Server) -> Timestamp {
    let clock: &Clock = &server.origin.clock;
    server.confirmation.gap_end_ms(server.origin.started_ms, clock.last_leap())
}

async fn run(
    server: &Arc<Server>,
    owner: &Asker,
    scope: &LibraryScope,
    flight: &mut LibraryFlight,
    (now_ms, recent_ms): (Timestamp, Timestamp),
) -> Option<Vec<ChangeCounter>> {
    let kind = server.origin.settings.kind;
    let is_recent = |counters: &[ChangeCounter]| {
        let library = server.confirmation.library.lock();
        let mut sections = counters.iter().filter(|counter| scope.has(&counter.section));
        sections.all(|counter| library.is_recent(&counter.section, recent_ms))
    };
    if let Some((read_ms, counters)) = &flight.counters
        && *read_ms >= recent_ms
        && is_recent(counters)
    {
        return Some(counters.clone());
    }
    let (read_ms, counters) = match flight.counters.take() {
        Some((read_ms, counters)) if read_ms >= recent_ms => (read_ms, counters),
        _ => (now_ms, kind.change_counters(&owner.get(kind.change_counters_target()).await?).ok()?),
    };
    for counter in counters.iter().filter(|counter| scope.has(&counter.section)) {
        check_section(server, owner, counter, (read_ms, recent_ms)).await?;
    }
    server.confirmation.mark_changed();
    flight.counters = Some((read_ms, counters.clone()));
    Some(counters)
}

async fn check_section(
    server: &Arc<Server>,
    owner: &Asker,
    counter: &ChangeCounter,
    (read_ms, recent_ms): (Timestamp, Timestamp),
) -> Option<()> {
    let (kind, confirmation) = (server.origin.settings.kind, &server.confirmation);
    // Jellyfin announces changes half a minute late and its counts do not show edits, so it is always asked.
    let heard_since_ms = confirmation
        .whole_since_ms()
        .filter(|_| kind == ServerKind::Plex)
        .map(|since_ms| since_ms.max(server.origin.clock.last_leap()));
    // What was loaded while the counter was on its way may have changed before it was taken.
    let restart = || {
        let now_ms = server.origin.clock.now();
        confirmation.library.lock().restart(&counter.section, &counter.value, now_ms);
    };
    let plan = confirmation.library.lock().plan(&counter.section, &counter.value, recent_ms, heard_since_ms);
    match plan {
        CheckKind::Recent => {}
        CheckKind::Counter => confirmation.library.lock().confirm(&counter.section, read_ms),
        CheckKind::Restart => restart(),
        CheckKind::ChangedSince(since_ms) => {
            let changed = changed_since(server, owner, counter, since_ms).await?;
            let unseen = confirmation.library.lock().unseen(&counter.section, &changed);
            match unseen {
                // An item that was added in a gap may hide in the counts that another was removed.
                Some(items) if items.is_empty() || kind == ServerKind::Plex || is_continuous(server, since_ms) => {
                    apply(server, counter, items);
                    confirmation.library.lock().confirm(&counter.section, read_ms);
                }
                Some(_) | None => restart(),
            }
        }
    }
    Some(())
}

/// Whether events were heard without a gap since then.
fn is_continuous(server: &Server, since_ms: Timestamp) -> bool {
    let whole_since_ms = server.confirmation.whole_since_ms();
    whole_since_ms.is_some_and(|whole_since_ms| whole_since_ms.max(gap_end_ms(server)) <= since_ms)
}

async fn changed_since(
    server: &Server,
    owner: &Asker,
    counter: &ChangeCounter,
    since_ms: Timestamp,
) -> Option<ChangedSince> {
    let kind = server.origin.settings.kind;
    // By the server's clock.
    let ahead_s = server.origin.clock_ahead_s().unwrap_or(0);
    let since_s = (since_ms.saturating_sub(CLOCK_TOLERANCE).as_secs()).saturating_add_signed(ahead_s);
    let targets = kind.changed_since_targets(since_s, std::slice::from_ref(counter));
    if targets.is_empty() {
        return None;
    }
    let ask = async |target: &String| {
        let body = owner.get(target).await.ok_or(())?;
        kind.changed_since(&body).map_err(|_| ())
    };
    let parts = try_join_all(targets.iter().map(ask)).await.ok()?;
    let mut changed = ChangedSince { items: Vec::new(), is_complete: true };
    for part in parts {
        changed.merge(part);
    }
    Some(changed)
}

/// Applies changes as the event that would have told them.
fn apply(server: &Arc<Server>, counter: &ChangeCounter, items: Vec<ChangedItem>) {
    let Some(credential) = server.origin.own_credential().filter(|_| !items.is_empty()) else { return };
    let identity = server.identify(&credential);
    let kind = server.origin.settings.kind;
    if kind == ServerKind::Plex {
        invalidate::invalidate_section(server, &counter.section, &identity);
        server.feed.pending.record_gap();
        return;
    }
    let frame = {
        let lineage = server.invalidation.lineage.lock();
        let changed = ChangedSince { items, is_complete: true };
        kind.change_event(&changed, |key| lineage.ancestors(key).is_some())
    };
    apply_frame(server, &frame, InvalidationSource::ServerEvent(&identity));
    server.feed.pending.record_frame(kind, &frame);
}
