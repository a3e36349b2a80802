//! Start of the day in local time. SQLite does the time zones, because it asks the system safely. Where it cannot, the
//! day is that of UTC.

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::record::time_series::TimeStep;

/// Finds the start of local days.
#[derive(Debug)]
pub struct LocalDay(Option<Mutex<Connection>>);

impl Default for LocalDay {
    fn default() -> Self {
        Self(Connection::open_in_memory().ok().map(Mutex::new))
    }
}

impl LocalDay {
    /// The last midnight before this moment, in milliseconds.
    pub fn start_of_day(&self, now_ms: u64) -> u64 {
        let of_utc = TimeStep::Day.floor(now_ms);
        let Some(db) = &self.0 else { return of_utc };
        let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        let asked = db.lock().query_row(
            "SELECT CAST(strftime('%s', ?1, 'unixepoch', 'localtime', 'start of day', 'utc') AS INTEGER)",
            [now_s],
            |row| row.get::<_, i64>(0),
        );
        let midnight_ms = asked.ok().and_then(|at_s| u64::try_from(at_s).ok()).map(|at_s| at_s * 1000);
        // No day is much longer than 25 hours.
        let is_sound = |at_ms: &u64| *at_ms <= now_ms && now_ms - at_ms < 26 * 3_600_000;
        midnight_ms.filter(is_sound).unwrap_or(of_utc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_day_ago_at_most_and_holds_for_the_whole_day() {
        let midnight = LocalDay::default();
        let now_ms = 1_790_000_000_000;
        let began_ms = midnight.start_of_day(now_ms);
        assert!(began_ms <= now_ms && now_ms - began_ms < 26 * 3_600_000);
        assert_eq!(midnight.start_of_day(began_ms), began_ms);
        assert!(midnight.start_of_day(began_ms - 1) < began_ms);
    }

    #[test]
    fn without_a_word_on_the_zone_it_is_that_of_utc() {
        assert_eq!(LocalDay(None).start_of_day(1_790_000_000_000), TimeStep::Day.floor(1_790_000_000_000));
    }
}
