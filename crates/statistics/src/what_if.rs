//! Estimates the savings of other TTLs by replaying sampled traffic. Pure functions.
//!
//! A fresh response is served; a stale one is served and refreshed; after that a load is waited for. Invalidations and
//! warming are left out, because they cost the same under any TTL.

use greenroom_cache::Timestamp;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

use greenroom_request_log::reuse_sample::RecordedTrace;

/// TTLs to try, in tenths of the current one.
const TENTHS: [u64; 5] = [5, 15, 20, 30, 60];

/// TTL of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtlWindows {
    /// Served as fresh for this time.
    pub fresh_ms: Duration,
    /// Then served stale with a refresh for this time.
    pub stale_ms: Duration,
}

/// Result of a replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayResult {
    /// Requests.
    pub asked: u64,
    /// Of these, the ones that caused a request to the server.
    pub reached: u64,
    /// Total age of the responses.
    pub age_ms: Duration,
}

/// Result of one TTL.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TriedTtl {
    /// Fresh time.
    pub fresh_s: u64,
    /// Sampled requests that would have reached the server.
    pub reached: u64,
    /// Share of the requests to the server that would have been saved; negative if there would be more.
    pub saved_share: f64,
    /// Average additional age of the responses.
    pub added_age_s: f64,
    /// The same as a sentence.
    pub text: String,
}

/// Replays the times of one key under these windows.
pub fn replay(times: &[Timestamp], windows: TtlWindows) -> ReplayResult {
    let mut result = ReplayResult::default();
    let mut loaded_ms = None;
    for time in times {
        result.asked += 1;
        let age_ms = loaded_ms.map(|loaded_ms: Timestamp| time.duration_since(loaded_ms));
        match age_ms {
            Some(age_ms) if age_ms < windows.fresh_ms => result.age_ms += age_ms,
            Some(age_ms) if age_ms < windows.fresh_ms + windows.stale_ms => {
                result.age_ms += age_ms;
                result.reached += 1;
                loaded_ms = Some(*time);
            }
            _ => {
                result.reached += 1;
                loaded_ms = Some(*time);
            }
        }
    }
    result
}

/// Replays all keys under these windows.
pub fn replay_all(recorded: &RecordedTrace, windows: TtlWindows) -> ReplayResult {
    let mut all = ReplayResult::default();
    for times_ms in &recorded.requests {
        let result = replay(times_ms, windows);
        all.asked += result.asked;
        all.reached += result.reached;
        all.age_ms += result.age_ms;
    }
    all
}

/// Results of other TTLs, shortest first.
pub fn choices(class: &str, recorded: &RecordedTrace, now: TtlWindows) -> Vec<TriedTtl> {
    let base = replay_all(recorded, now);
    if base.asked == 0 {
        return Vec::new();
    }
    let now_s = now.fresh_ms.as_secs();
    let mut tried: Vec<u64> = TENTHS.iter().map(|tenths| now_s.max(2) * tenths / 10).collect();
    tried.retain(|fresh_s| *fresh_s != now_s);
    tried.dedup();
    let mean_s = |result: ReplayResult| result.age_ms.as_secs_f64() / result.asked as f64;
    let choice = |fresh_s: u64| {
        let result = replay_all(recorded, TtlWindows { fresh_ms: Duration::from_secs(fresh_s), ..now });
        let saved_share = 1.0 - result.reached as f64 / base.reached as f64;
        let added_age_s = mean_s(result) - mean_s(base);
        let text = sentence(class, (now_s, fresh_s), saved_share, added_age_s);
        TriedTtl { fresh_s, reached: result.reached, saved_share, added_age_s, text }
    };
    tried.into_iter().map(choice).collect()
}

fn sentence(class: &str, (now_s, fresh_s): (u64, u64), saved_share: f64, added_age_s: f64) -> String {
    let percent = (saved_share * 100.0).round();
    // Turns minus zero into zero.
    let age_s = added_age_s.round() + 0.0;
    let effect = if percent < 0.0 {
        format!("would make {:.0} % more requests", -percent)
    } else {
        format!("would save {percent:.0} %")
    };
    format!("{class} {now_s} → {fresh_s} s {effect} at {age_s:+.0} s age")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Reference implementation: all requests in order, with an entry for each key as in a cache.
    fn replay_reference(recorded: &RecordedTrace, windows: TtlWindows) -> ReplayResult {
        let mut timeline: Vec<(Timestamp, usize)> = Vec::new();
        for (request, times_ms) in recorded.requests.iter().enumerate() {
            timeline.extend(times_ms.iter().map(|time_ms| (*time_ms, request)));
        }
        timeline.sort_unstable();
        let mut entries: HashMap<usize, (Timestamp, Timestamp)> = HashMap::new();
        let mut result = ReplayResult::default();
        for (time_ms, request) in timeline {
            result.asked += 1;
            let until = (time_ms + windows.fresh_ms, time_ms + windows.fresh_ms + windows.stale_ms);
            match entries.get(&request) {
                Some((fresh_until, _)) if time_ms < *fresh_until => {
                    result.age_ms += time_ms + windows.fresh_ms - *fresh_until;
                }
                Some((fresh_until, stale_until)) if time_ms < *stale_until => {
                    result.age_ms += time_ms + windows.fresh_ms - *fresh_until;
                    result.reached += 1;
                    entries.insert(request, until);
                }
                _ => {
                    result.reached += 1;
                    entries.insert(request, until);
                }
            }
        }
        result
    }

    proptest! {
        #[test]
        fn replaying_by_request_equals_replaying_in_order(
            mut requests in proptest::collection::vec(proptest::collection::vec(0_u64..100_000, 1..40), 1..8),
            fresh_ms in 0_u64..20_000,
            stale_ms in 0_u64..20_000,
        ) {
            for times in &mut requests {
                times.sort_unstable();
            }
            let requests = requests.into_iter().map(|times| times.into_iter().map(Timestamp::from_millis).collect());
            let recorded = RecordedTrace { since_ms: Timestamp::UNIX_EPOCH, requests: requests.collect() };
            let windows = TtlWindows { fresh_ms: Duration::from_millis(fresh_ms), stale_ms: Duration::from_millis(stale_ms) };
            prop_assert_eq!(replay_all(&recorded, windows), replay_reference(&recorded, windows));
        }
    }

    #[test]
    fn the_report_says_what_longer_ttls_save_for_a_poller() {
        let polls = (0..1000).map(|poll| Timestamp::from_millis(poll * 6_000)).collect();
        let recorded = RecordedTrace { since_ms: Timestamp::UNIX_EPOCH, requests: vec![polls] };
        let now = TtlWindows { fresh_ms: Duration::from_millis(10_000), stale_ms: Duration::ZERO };
        let choices = choices("sessions", &recorded, now);
        let of = |fresh_s| choices.iter().find(|choice| choice.fresh_s == fresh_s).expect("a tried TTL");
        // Every second poll is a load now; with 15 s every third.
        assert_eq!(replay_all(&recorded, now).reached, 500);
        assert_eq!(of(15).reached, 334);
        assert_eq!(of(15).text, "sessions 10 → 15 s would save 33 % at +3 s age");
        assert_eq!(of(5).text, "sessions 10 → 5 s would make 100 % more requests at -3 s age");
    }

    #[test]
    fn without_requests_there_are_no_choices() {
        let now = TtlWindows { fresh_ms: Duration::from_millis(10_000), stale_ms: Duration::ZERO };
        assert!(choices("sessions", &RecordedTrace::default(), now).is_empty());
    }
}
