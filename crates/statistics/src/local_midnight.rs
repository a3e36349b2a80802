//! Start of the day in local time. Where the system's time zone is unknown, the day is that of UTC.

use greenroom_cache::Timestamp;
use jiff::tz::TimeZone;

use greenroom_request_log::time_series::TimeStep;

/// The system's time zone. Reads files: call it at start, not for a request.
pub fn system_zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

/// The last midnight in `zone` before this moment, in milliseconds.
pub fn local_midnight_ms(zone: &TimeZone, now_ms: Timestamp) -> Timestamp {
    let now = i64::try_from(now_ms.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let midnight = now.and_then(|now| now.to_zoned(zone.clone()).start_of_day().ok());
    let midnight_ms = midnight.and_then(|at| u64::try_from(at.timestamp().as_millisecond()).ok());
    Timestamp::from_millis(midnight_ms.unwrap_or_else(|| TimeStep::Day.floor(now_ms).as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_is_a_day_ago_at_most_and_holds_for_the_whole_day() {
        let now_ms = Timestamp::from_millis(1_790_000_000_000);
        let zone = system_zone();
        let began_ms = local_midnight_ms(&zone, now_ms);
        assert!(began_ms <= now_ms && now_ms - began_ms < Duration::from_hours(26));
        assert_eq!(local_midnight_ms(&zone, began_ms), began_ms);
        assert!(local_midnight_ms(&zone, began_ms - Duration::from_millis(1)) < began_ms);
    }

    #[test]
    fn midnight_in_utc_is_a_multiple_of_a_day() {
        let now_ms = 1_790_000_000_000;
        assert_eq!(
            local_midnight_ms(&TimeZone::UTC, Timestamp::from_millis(now_ms)),
            TimeStep::Day.floor(Timestamp::from_millis(now_ms))
        );
    }

    #[test]
    fn a_day_whose_clocks_change_begins_at_its_own_midnight() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        // 25 October 2026, a day of 25 hours: 23:30 in Berlin, and its midnight.
        let (now_ms, began_ms) = (1_792_967_400_000, 1_792_879_200_000);
        assert_eq!(local_midnight_ms(&zone, Timestamp::from_millis(now_ms)), Timestamp::from_millis(began_ms));
    }
}
