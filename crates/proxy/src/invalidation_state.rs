//! State of a server that decides what a write or an event invalidates: see [`crate::invalidate`].

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::playback_stage::PlaybackStage;
use greenroom_dialect::server_event::PlaybackState;
use greenroom_library::lineage::Lineage;
use parking_lot::Mutex;

use crate::identity::Identity;

/// Max items with a known parent; some 100 bytes each.
const MAX_LINEAGE: usize = 200_000;
/// Progress reports invalidate lists at most this often per item and identity.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(60);
/// Max remembered throttles and players; a household has a handful.
const MAX_ENTRIES: usize = 10_000;

/// Invalidation state of one server.
#[derive(Debug)]
pub struct InvalidationState {
    /// Parents of items.
    pub lineage: Mutex<Lineage>,
    /// Times of the last progress reports that invalidated lists.
    pub progress_throttle: ProgressThrottle,
    /// Last state of every player.
    pub player_states: PlayerStates,
    /// Whether invalidations were limited to known partitions.
    pub partial_invalidation: PartialInvalidation,
}

impl Default for InvalidationState {
    fn default() -> Self {
        Self {
            lineage: Mutex::new(Lineage::new(MAX_LINEAGE)),
            progress_throttle: ProgressThrottle::default(),
            player_states: PlayerStates::default(),
            partial_invalidation: PartialInvalidation::default(),
        }
    }
}

/// True once an invalidation covered only known partitions. Unknown partitions are purged from disk when first seen, by
/// this process or a later one, so the flag is persisted before the first such invalidation.
#[derive(Debug, Default)]
pub struct PartialInvalidation {
    is_requested: AtomicBool,
    is_persisted: AtomicBool,
}

impl PartialInvalidation {
    /// Whether it is allowed now. If not, requests it: it is allowed once the flag is persisted.
    pub fn is_allowed(&self) -> bool {
        self.is_requested.store(true, Ordering::Release);
        self.is_persisted()
    }

    /// Whether the flag must be persisted.
    pub fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::Acquire)
    }

    /// Whether the flag is persisted.
    pub fn is_persisted(&self) -> bool {
        self.is_persisted.load(Ordering::Acquire)
    }

    /// Records that the flag is persisted.
    pub fn set_persisted(&self) {
        self.is_requested.store(true, Ordering::Release);
        self.is_persisted.store(true, Ordering::Release);
    }
}

/// A position that differs from where the last report leads by more than this, in milliseconds, is a leap.
const MAX_DRIFT: Duration = Duration::from_secs(10);

/// Allows one progress report a minute for each item and identity, and every one that may change what the item is: new,
/// in progress, or played.
#[derive(Debug, Default)]
pub struct ProgressThrottle(Mutex<HashMap<(Partition, String), LastReport>>);

/// The last report that was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LastReport {
    at_ms: Timestamp,
    stage: PlaybackStage,
}

impl ProgressThrottle {
    /// Whether this progress report may invalidate lists.
    pub fn is_due(&self, identity: &Identity, item: &str, stage: PlaybackStage, now_ms: Timestamp) -> bool {
        let mut last_reports = self.0.lock();
        let key = (identity.partition().clone(), item.to_owned());
        let interval = PROGRESS_INTERVAL;
        match last_reports.get(&key) {
            Some(last) if !stage.may_differ(last.stage) && now_ms.duration_since(last.at_ms) < interval => false,
            _ => {
                clear_if_full(&mut last_reports);
                last_reports.insert(key, LastReport { at_ms: now_ms, stage });
                true
            }
        }
    }
}

/// A player's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayerReport {
    /// State of the player.
    pub state: PlaybackState,
    /// Position in the item, in milliseconds, if known.
    pub position_ms: Option<u64>,
    /// When it was heard, in milliseconds.
    pub at_ms: Timestamp,
}

impl PlayerReport {
    /// Whether the position is where `before` leads without a leap of the player. A smaller leap is shown when the list
    /// of sessions is next loaded, as the position itself is.
    fn continues(&self, before: &Self) -> bool {
        let (Some(now_ms), Some(before_ms)) = (self.position_ms, before.position_ms) else { return false };
        let played_ms = match before.state {
            PlaybackState::Playing => self.at_ms.duration_since(before.at_ms),
            PlaybackState::Buffering | PlaybackState::Paused | PlaybackState::Stopped => Duration::ZERO,
        };
        now_ms.abs_diff(before_ms.saturating_add(millis(played_ms))) <= millis(MAX_DRIFT)
    }
}

/// Change by a player's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayerChange {
    /// Nothing: it goes on.
    Nothing,
    /// It leapt to another position; or this is the first report after another change, which the server may have told
    /// before it showed it.
    Position,
    /// It plays something else, or is in another state.
    State,
}

/// Last report of every player: sockets tell it every second, but only changes matter.
#[derive(Debug, Default)]
pub struct PlayerStates(Mutex<HashMap<String, LastPlayerReport>>);

#[derive(Debug)]
struct LastPlayerReport {
    item: String,
    report: PlayerReport,
    change: PlayerChange,
}

impl PlayerStates {
    /// Records a report; says what it changes.
    pub fn record(&self, identity: &Identity, session: &str, item: &str, report: PlayerReport) -> PlayerChange {
        let mut players = self.0.lock();
        let key = format!("{:?}/{session}", identity.partition());
        let change = match players.get(&key) {
            Some(last) if last.item == item && last.report.state == report.state => {
                let goes_on = last.change != PlayerChange::State && report.continues(&last.report);
                if goes_on { PlayerChange::Nothing } else { PlayerChange::Position }
            }
            _ => PlayerChange::State,
        };
        if change == PlayerChange::State {
            clear_if_full(&mut players);
        }
        players.insert(key, LastPlayerReport { item: item.to_owned(), report, change });
        change
    }
}

fn clear_if_full<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MAX_ENTRIES {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use greenroom_dialect::credential::{Credential, Secret};
    use greenroom_state::secrets::HashKey;

    use super::*;
    use crate::identity::IdentityRegistry;

    #[test]
    fn a_player_that_goes_on_changes_nothing() {
        use PlayerChange::{Nothing, Position, State};
        let registry = IdentityRegistry::new("home", HashKey([7; 32]));
        let credential = Credential { token: Some(Secret::new("a")), ..Credential::default() };
        let (identity, _) = registry.resolve(&credential, Timestamp::from_millis(1));
        let states = PlayerStates::default();
        let (playing, paused) = (PlaybackState::Playing, PlaybackState::Paused);
        for (at_s, item, state, position_s, expected) in [
            (0, "1", PlaybackState::Buffering, 5, State),
            (1, "1", playing, 5, State),
            (10, "1", playing, 15, Position),
            (20, "1", playing, 34, Nothing),
            (30, "1", playing, 120, Position),
            (40, "1", playing, 60, Position),
            (41, "1", paused, 61, State),
            (51, "1", paused, 61, Position),
            (400, "1", paused, 61, Nothing),
            (401, "1", paused, 81, Position),
            (402, "2", paused, 81, State),
        ] {
            let report = PlayerReport {
                state,
                position_ms: Some(position_s * 1000),
                at_ms: Timestamp::from_millis(at_s * 1000),
            };
            assert_eq!(states.record(&identity, "tv", item, report), expected, "{at_s} s");
        }
        let untold = PlayerReport { state: paused, position_ms: None, at_ms: Timestamp::from_millis(403_000) };
        assert_eq!(states.record(&identity, "tv", "2", untold), Position, "it may have leapt");
    }
}
