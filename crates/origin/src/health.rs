//! Health of a server: whether it answers, and whether far slower than usual.

use greenroom_cache::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

/// Times to first byte within this window are one sample: their median. Otherwise the samples of a busy server would
/// cover only seconds.
const WINDOW: Duration = Duration::from_secs(10);
/// Max times per window.
const MAX_IN_WINDOW: usize = 128;
/// Age at which samples are dropped.
const MAX_AGE: Duration = Duration::from_secs(62 * 60);
/// Max samples.
const MAX_SAMPLES: usize = 372;
/// Samples within this time are the current ones; older ones are the usual ones.
const RECENT: Duration = Duration::from_secs(2 * 60);
/// Min current samples …
const MIN_RECENT: usize = 5;
/// … and min usual samples for a judgement.
const MIN_BASELINE: usize = 20;
/// Slow means this many times the usual time …
const SLOW_FACTOR: u32 = 4;
/// … and this much longer: 4 ms instead of 1 ms is not slow.
const SLOW_EXTRA: Duration = Duration::from_millis(500);

/// Health of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It answers.
    Online,
    /// It answers, far slower than usual.
    Slow,
    /// It is down.
    Offline,
    /// Nothing is known yet.
    #[default]
    Unknown,
}

/// Time to first byte in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtfbSample {
    /// Start of the window, in milliseconds since 1970.
    pub at_ms: Timestamp,
    /// Median time to first byte, in milliseconds.
    pub took_ms: Duration,
    /// Whether the server was slow then, which excludes the sample from the usual ones.
    pub is_slow: bool,
}

/// Recent times to first byte of a server.
#[derive(Debug, Default)]
pub struct TtfbSamples(Mutex<TtfbWindow>);

#[derive(Debug, Default)]
struct TtfbWindow {
    samples: VecDeque<TtfbSample>,
    /// The open window and its times.
    window_ms: Timestamp,
    took_ms: Vec<Duration>,
}

impl TtfbSamples {
    /// Records one time.
    pub fn record(&self, at_ms: Timestamp, elapsed: Duration) {
        let mut window = self.0.lock();
        let window_ms = at_ms.start_of_period(WINDOW);
        if window_ms != window.window_ms {
            window.close(at_ms);
            window.window_ms = window_ms;
        }
        if window.took_ms.len() < MAX_IN_WINDOW {
            window.took_ms.push(elapsed);
        }
    }

    /// All samples, including the open window.
    pub fn samples(&self) -> Vec<TtfbSample> {
        let window = self.0.lock();
        window.samples.iter().copied().chain(window.open()).collect()
    }
}

impl TtfbWindow {
    fn open(&self) -> Option<TtfbSample> {
        let took_ms = (!self.took_ms.is_empty()).then(|| median(self.took_ms.clone()))?;
        Some(TtfbSample { at_ms: self.window_ms, took_ms, is_slow: false })
    }

    /// Closes the window.
    fn close(&mut self, now_ms: Timestamp) {
        let Some(sample) = self.open() else { return };
        self.took_ms.clear();
        self.samples.push_back(sample);
        let is_slow = is_slow(self.samples.make_contiguous(), now_ms);
        if let Some(last) = self.samples.back_mut() {
            last.is_slow = is_slow;
        }
        let is_expired = |sample: &TtfbSample| now_ms.duration_since(sample.at_ms) > MAX_AGE;
        while self.samples.len() > MAX_SAMPLES || self.samples.front().is_some_and(is_expired) {
            self.samples.pop_front();
        }
    }
}

impl Health {
    /// The health. `is_responding` is whether the last request was answered; `None` before the first.
    pub fn evaluate(is_down: bool, is_responding: Option<bool>, samples: &[TtfbSample], now_ms: Timestamp) -> Self {
        match is_responding {
            _ if is_down => Self::Offline,
            None => Self::Unknown,
            Some(_) if is_slow(samples, now_ms) => Self::Slow,
            Some(_) => Self::Online,
        }
    }
}

/// Whether the current median is far above the usual one.
fn is_slow(samples: &[TtfbSample], now_ms: Timestamp) -> bool {
    let is_recent = |sample: &&TtfbSample| now_ms.duration_since(sample.at_ms) < RECENT;
    let recent: Vec<Duration> = samples.iter().filter(is_recent).map(|sample| sample.took_ms).collect();
    let baseline: Vec<Duration> =
        samples.iter().filter(|sample| !is_recent(sample) && !sample.is_slow).map(|sample| sample.took_ms).collect();
    if recent.len() < MIN_RECENT || baseline.len() < MIN_BASELINE {
        return false;
    }
    let (recent_ms, baseline_ms) = (median(recent), median(baseline));
    recent_ms >= baseline_ms.saturating_mul(SLOW_FACTOR) && recent_ms >= baseline_ms.saturating_add(SLOW_EXTRA)
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 10_000_000;

    fn samples(baseline: usize, baseline_ms: u64, recent: usize, recent_ms: u64) -> Vec<TtfbSample> {
        let before = (0..baseline).map(|_| TtfbSample {
            at_ms: Timestamp::from_millis(NOW - 1) - RECENT,
            took_ms: Duration::from_millis(baseline_ms),
            is_slow: false,
        });
        let lately = (0..recent).map(|_| TtfbSample {
            at_ms: Timestamp::from_millis(NOW - 1),
            took_ms: Duration::from_millis(recent_ms),
            is_slow: false,
        });
        before.chain(lately).collect()
    }

    #[test]
    fn a_server_that_is_down_is_offline_and_one_without_responses_unknown() {
        assert_eq!(Health::evaluate(true, Some(true), &[], Timestamp::from_millis(NOW)), Health::Offline);
        assert_eq!(Health::evaluate(true, None, &[], Timestamp::from_millis(NOW)), Health::Offline);
        assert_eq!(Health::evaluate(false, None, &[], Timestamp::from_millis(NOW)), Health::Unknown);
        assert_eq!(Health::evaluate(false, Some(false), &[], Timestamp::from_millis(NOW)), Health::Online);
    }

    #[test]
    fn slow_means_far_above_the_baseline_and_not_one_late_response() {
        let evaluate =
            |samples: &[TtfbSample]| Health::evaluate(false, Some(true), samples, Timestamp::from_millis(NOW));
        assert_eq!(evaluate(&samples(40, 50, 10, 900)), Health::Slow);
        assert_eq!(evaluate(&samples(40, 2, 10, 20)), Health::Online, "ten times as long, but still short");
        assert_eq!(evaluate(&samples(40, 400, 10, 900)), Health::Online, "it is never fast");
        assert_eq!(evaluate(&samples(40, 50, MIN_RECENT - 1, 9_000)), Health::Online, "too few to say");
        assert_eq!(
            evaluate(&samples(MIN_BASELINE - 1, 50, 10, 9_000)),
            Health::Online,
            "there are too few samples for a baseline"
        );
        let mut one_late = samples(40, 50, 10, 50);
        one_late.push(TtfbSample {
            at_ms: Timestamp::from_millis(NOW),
            took_ms: Duration::from_millis(30_000),
            is_slow: false,
        });
        assert_eq!(evaluate(&one_late), Health::Online);
    }

    /// Ten requests a second, each with this time to first byte.
    fn busy(bytes: &TtfbSamples, from_ms: Timestamp, until_ms: Timestamp, took_ms: Duration) {
        for at_ms in (from_ms.as_millis()..until_ms.as_millis()).step_by(100) {
            bytes.record(Timestamp::from_millis(at_ms), took_ms);
        }
    }

    #[test]
    fn a_busy_server_is_slow_until_it_recovers() {
        const MINUTE: u64 = 60_000;
        let bytes = TtfbSamples::default();
        let evaluate = |now_ms| Health::evaluate(false, Some(true), &bytes.samples(), now_ms);
        busy(&bytes, Timestamp::from_millis(NOW), Timestamp::from_millis(NOW + 10 * MINUTE), Duration::from_millis(50));
        assert_eq!(evaluate(Timestamp::from_millis(NOW + 10 * MINUTE)), Health::Online);
        busy(
            &bytes,
            Timestamp::from_millis(NOW + 10 * MINUTE),
            Timestamp::from_millis(NOW + 30 * MINUTE),
            Duration::from_millis(900),
        );
        assert_eq!(
            evaluate(Timestamp::from_millis(NOW + 30 * MINUTE)),
            Health::Slow,
            "slow for long is not what is usual"
        );
        busy(
            &bytes,
            Timestamp::from_millis(NOW + 30 * MINUTE),
            Timestamp::from_millis(NOW + 33 * MINUTE),
            Duration::from_millis(50),
        );
        assert_eq!(evaluate(Timestamp::from_millis(NOW + 33 * MINUTE)), Health::Online);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let bytes = TtfbSamples::default();
        for window in 0..10_000 {
            bytes.record(Timestamp::UNIX_EPOCH + WINDOW * window, Duration::from_millis(1));
        }
        let samples = bytes.samples();
        assert!(samples.len() <= MAX_SAMPLES + 1, "{}", samples.len());
        assert!(samples[0].at_ms >= Timestamp::UNIX_EPOCH + WINDOW * 9_999 - MAX_AGE);
    }
}
