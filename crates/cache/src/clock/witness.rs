//! Who knows for how long the machine slept, and when a wall's clock is believed.

use std::sync::Arc;
use std::time::Duration;

use super::Noticed;

/// The wall's clock is believed when it was ahead by the same at so many looks in a row.
pub(super) const LOOKS: u32 = 5;
/// What counts as the same.
const SAME_MS: u64 = 1_000;
/// A wall's clock that is ahead by more is not believed at all.
const MOST_AHEAD_MS: u64 = 30 * 24 * 3_600_000;

/// Who knows for how long the machine slept.
#[derive(Clone)]
pub struct Witness(pub(super) Knows);

type Told = Arc<dyn Fn() -> u64 + Send + Sync>;

#[derive(Clone)]
pub(super) enum Knows {
    /// For how many milliseconds the machine slept in all, and for how many before this witness was called.
    Sleep { told_ms: Told, before_ms: u64 },
    /// What the wall's clock says, in milliseconds since the Unix epoch.
    Wall(Told),
}

/// What the wall's clock said at the last looks.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    ahead_ms: u64,
    /// At how many looks in a row it said so.
    looks: u32,
    has_told: bool,
}

impl Witness {
    /// The machine's: on Linux it counts its sleep.
    #[cfg(target_os = "linux")]
    pub fn system() -> Self {
        Self::counting(slept_ms)
    }

    /// The machine's: its wall's clock.
    #[cfg(not(target_os = "linux"))]
    pub fn system() -> Self {
        Self::wall(super::system_ms)
    }

    /// One that counts for how many milliseconds the machine slept in all.
    pub fn counting(told_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let before_ms = told_ms();
        Self(Knows::Sleep { told_ms: Arc::new(told_ms), before_ms })
    }

    /// A wall's clock that says what it is told to say, in milliseconds since the Unix epoch.
    pub fn wall(told_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Knows::Wall(Arc::new(told_ms)))
    }
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Knows::Sleep { told_ms, .. } => f.debug_tuple("Sleep").field(&told_ms()).finish(),
            Knows::Wall(told_ms) => f.debug_tuple("Wall").field(&told_ms()).finish(),
        }
    }
}

impl Doubt {
    /// What comes of a look at which the wall's clock was ahead by so much, or was not.
    pub(super) fn weigh(&mut self, ahead_ms: Option<u64>) -> Option<Noticed> {
        let Some(ahead_ms) = ahead_ms else {
            self.looks = 0;
            return None;
        };
        let is_same = self.looks > 0 && ahead_ms.abs_diff(self.ahead_ms) <= SAME_MS;
        if !is_same {
            (self.ahead_ms, self.looks) = (ahead_ms, 0);
        }
        self.looks = self.looks.saturating_add(1);
        if self.looks < LOOKS {
            return None;
        }
        let ahead = Duration::from_millis(ahead_ms);
        if ahead_ms <= MOST_AHEAD_MS {
            self.looks = 0;
            return Some(Noticed::Leapt(ahead));
        }
        let has_told = std::mem::replace(&mut self.has_told, true);
        (!has_told).then_some(Noticed::Incredible(ahead))
    }
}

/// For how long the machine slept since it started: what only counts while it is awake is behind by that.
#[cfg(target_os = "linux")]
fn slept_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let whole_ms = |clock| {
        let told = clock_gettime(clock);
        let seconds_ms = u64::try_from(told.tv_sec).unwrap_or_default().saturating_mul(1000);
        seconds_ms.saturating_add(u64::try_from(told.tv_nsec / 1_000_000).unwrap_or_default())
    };
    // In this order whatever holds us up between the two makes it less, never more.
    let in_all_ms = whole_ms(ClockId::Boottime);
    in_all_ms.saturating_sub(whole_ms(ClockId::Monotonic))
}
