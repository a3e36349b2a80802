//! How an app has been reading lately, as far as its reads needed the server.

/// An app floods when it needs the server more often than so many reads …
const FLOOD_READS: u64 = 60;
/// … in such a time, in milliseconds …
const FLOOD_WITHIN_MS: u64 = 10_000;
/// … or has more than this many reads waiting at once.
const FLOOD_WAITING: usize = 16;
/// Keys remembered per app: a poller has few.
const POLLED_KEYS: usize = 8;
/// Reads that follow each other faster than this are one visit, in milliseconds.
const VISIT_MS: u64 = 1000;
/// An interval may differ from the one before by one part in so many, and there is still a rhythm.
const STEADY_PART: u64 = 5;

/// What an app seems to be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// A read now and then.
    Browses,
    /// The same few reads in a rhythm.
    Polls,
    /// Very many reads.
    Floods,
}

/// The latest reads of one app.
#[derive(Debug, Default)]
pub struct Habits {
    /// When the app would have paid for all its reads, at the price of one [`FLOOD_READS`]th of the time each.
    paid_at_ms: u64,
    polled: [Polled; POLLED_KEYS],
}

/// A key that was read.
#[derive(Debug, Clone, Copy, Default)]
struct Polled {
    key: u64,
    last_ms: u64,
    /// Between the last two reads; 0 before there were two.
    gap_ms: u64,
}

impl Habits {
    /// Notes a read that needs the server, and says what the app seems to be doing. `waiting` are the app's reads
    /// that wait already.
    pub fn note(&mut self, key: u64, waiting: usize, now_ms: u64) -> Habit {
        let is_flood = self.pay(now_ms) || waiting > FLOOD_WAITING;
        if self.is_in_rhythm(key, now_ms) {
            Habit::Polls
        } else if is_flood {
            Habit::Floods
        } else {
            Habit::Browses
        }
    }

    /// Whether the app has been reading faster than it may.
    pub fn is_flood(&self, now_ms: u64) -> bool {
        self.paid_at_ms > now_ms.saturating_add(FLOOD_WITHIN_MS)
    }

    /// Whether the app reads faster than it may. Debts beyond twice the limit are forgotten: an app that stops is
    /// soon like any other.
    fn pay(&mut self, now_ms: u64) -> bool {
        let price_ms = FLOOD_WITHIN_MS / FLOOD_READS;
        let most_ms = now_ms + 2 * FLOOD_WITHIN_MS;
        self.paid_at_ms = (self.paid_at_ms.max(now_ms) + price_ms).min(most_ms);
        self.is_flood(now_ms)
    }

    fn is_in_rhythm(&mut self, key: u64, now_ms: u64) -> bool {
        let Some(known) = self.polled.iter_mut().find(|polled| polled.key == key && polled.last_ms > 0)
        else {
            let oldest = self.polled.iter_mut().min_by_key(|polled| polled.last_ms);
            if let Some(oldest) = oldest {
                *oldest = Polled { key, last_ms: now_ms, gap_ms: 0 };
            }
            return false;
        };
        let gap_ms = now_ms.saturating_sub(known.last_ms);
        let before_ms = std::mem::replace(&mut known.gap_ms, gap_ms);
        known.last_ms = now_ms;
        before_ms >= VISIT_MS && gap_ms.abs_diff(before_ms) <= before_ms / STEADY_PART
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: u64 = 1_000_000;

    #[test]
    fn sixty_reads_at_once_are_a_visit_and_the_next_is_a_flood() {
        let mut habits = Habits::default();
        for key in 0..FLOOD_READS {
            assert_eq!(habits.note(key, 0, START_MS), Habit::Browses, "{key}");
        }
        assert_eq!(habits.note(99, 0, START_MS), Habit::Floods);
    }

    #[test]
    fn who_floods_is_forgiven_soon_after_it_stops_however_long_it_went_on() {
        let mut habits = Habits::default();
        let mut now_ms = START_MS;
        for key in 0..100_000 {
            now_ms = START_MS + key;
            habits.note(key, 0, now_ms);
        }
        assert_eq!(habits.note(1, 0, now_ms), Habit::Floods);
        assert_eq!(habits.note(2, 0, now_ms + 2 * FLOOD_WITHIN_MS), Habit::Browses);
    }

    #[test]
    fn a_read_every_second_is_no_flood() {
        let mut habits = Habits::default();
        assert!((0..500).all(|key| habits.note(key, 0, START_MS + key * 1000) == Habit::Browses));
    }

    #[test]
    fn who_has_many_waiting_floods() {
        let mut habits = Habits::default();
        assert_eq!(habits.note(1, FLOOD_WAITING, START_MS), Habit::Browses);
        assert_eq!(habits.note(2, FLOOD_WAITING + 1, START_MS), Habit::Floods);
    }

    #[test]
    fn the_same_read_in_a_rhythm_is_a_poll() {
        let mut habits = Habits::default();
        let read = |habits: &mut Habits, at_s: u64| habits.note(7, 0, START_MS + at_s * 1000);
        assert_eq!(read(&mut habits, 0), Habit::Browses);
        assert_eq!(read(&mut habits, 60), Habit::Browses, "twice is no rhythm");
        assert_eq!(read(&mut habits, 122), Habit::Polls);
        assert_eq!(read(&mut habits, 400), Habit::Browses, "it came when it liked");
    }

    #[test]
    fn reads_of_one_visit_are_no_rhythm() {
        let mut habits = Habits::default();
        assert!((0..5).all(|at| habits.note(7, 0, START_MS + at * 200) == Habit::Browses));
    }

    #[test]
    fn a_walk_over_many_keys_is_no_poll_even_if_it_begins_again() {
        let mut habits = Habits::default();
        for round in 0..5 {
            for key in 0..40 {
                let at_ms = START_MS + (round * 40 + key) * 1000;
                assert_eq!(habits.note(key, 0, at_ms), Habit::Browses);
            }
        }
    }
}
