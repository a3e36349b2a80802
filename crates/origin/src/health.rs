//! Health of a server: whether it answers, and whether far slower than usual.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

/// Times to first byte within this window are one sample: their median. Otherwise the samples of a busy server would
/// cover only seconds.
const WINDOW_MS: u64 = 10_000;
/// Max times per window.
const MAX_IN_WINDOW: usize = 128;
/// Age at which samples are dropped.
const KEPT_MS: u64 = 60 * 60_000 + NOW_MS;
/// Max samples.
const MAX_SAMPLES: usize = 372;
/// Samples within this time are the current ones; older ones are the usual ones.
const NOW_MS: u64 = 2 * 60_000;
/// Min current samples …
const MIN_NOW: usize = 5;
/// … and min usual samples for a judgement.
const MIN_USUAL: usize = 20;
/// Slow means this many times the usual time …
const TIMES: u64 = 4;
/// … and this much longer: 4 ms instead of 1 ms is not slow.
const LONGER_MS: u64 = 500;

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
    pub at_ms: u64,
    /// Median time to first byte, in milliseconds.
    pub took_ms: u64,
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
    window_ms: u64,
    took_ms: Vec<u64>,
}

impl TtfbSamples {
    /// Records one time.
    pub fn record(&self, at_ms: u64, took: Duration) {
        let mut remembered = self.0.lock();
        let window_ms = at_ms - at_ms % WINDOW_MS;
        if window_ms != remembered.window_ms {
            remembered.close(at_ms);
            remembered.window_ms = window_ms;
        }
        if remembered.took_ms.len() < MAX_IN_WINDOW {
            remembered.took_ms.push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// All samples, including the open window.
    pub fn samples(&self) -> Vec<TtfbSample> {
        let remembered = self.0.lock();
        remembered.samples.iter().copied().chain(remembered.open()).collect()
    }
}

impl TtfbWindow {
    fn open(&self) -> Option<TtfbSample> {
        let took_ms = (!self.took_ms.is_empty()).then(|| median(self.took_ms.clone()))?;
        Some(TtfbSample { at_ms: self.window_ms, took_ms, is_slow: false })
    }

    /// Closes the window.
    fn close(&mut self, now_ms: u64) {
        let Some(sample) = self.open() else { return };
        self.took_ms.clear();
        self.samples.push_back(sample);
        let is_slow = is_slow(self.samples.make_contiguous(), now_ms);
        if let Some(last) = self.samples.back_mut() {
            last.is_slow = is_slow;
        }
        let is_over = |sample: &TtfbSample| now_ms.saturating_sub(sample.at_ms) > KEPT_MS;
        while self.samples.len() > MAX_SAMPLES || self.samples.front().is_some_and(is_over) {
            self.samples.pop_front();
        }
    }
}

impl Health {
    /// The health. `is_well` is whether the last request was answered; `None` before the first.
    pub fn evaluate(is_down: bool, is_well: Option<bool>, samples: &[TtfbSample], now_ms: u64) -> Self {
        match is_well {
            _ if is_down => Self::Offline,
            None => Self::Unknown,
            Some(_) if is_slow(samples, now_ms) => Self::Slow,
            Some(_) => Self::Online,
        }
    }
}

/// Whether the current median is far above the usual one.
fn is_slow(samples: &[TtfbSample], now_ms: u64) -> bool {
    let is_now = |sample: &&TtfbSample| now_ms.saturating_sub(sample.at_ms) < NOW_MS;
    let now: Vec<u64> = samples.iter().filter(is_now).map(|sample| sample.took_ms).collect();
    let usual: Vec<u64> =
        samples.iter().filter(|sample| !is_now(sample) && !sample.is_slow).map(|sample| sample.took_ms).collect();
    if now.len() < MIN_NOW || usual.len() < MIN_USUAL {
        return false;
    }
    let (now_ms, usual_ms) = (median(now), median(usual));
    now_ms >= usual_ms.saturating_mul(TIMES) && now_ms >= usual_ms.saturating_add(LONGER_MS)
}

fn median(mut of: Vec<u64>) -> u64 {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 10_000_000;

    fn samples(usual: usize, usual_ms: u64, now: usize, now_took_ms: u64) -> Vec<TtfbSample> {
        let before = (0..usual).map(|_| TtfbSample { at_ms: NOW - NOW_MS - 1, took_ms: usual_ms, is_slow: false });
        let lately = (0..now).map(|_| TtfbSample { at_ms: NOW - 1, took_ms: now_took_ms, is_slow: false });
        before.chain(lately).collect()
    }

    #[test]
    fn who_is_down_is_offline_and_who_was_never_heard_of_is_unknown() {
        assert_eq!(Health::evaluate(true, Some(true), &[], NOW), Health::Offline);
        assert_eq!(Health::evaluate(true, None, &[], NOW), Health::Offline);
        assert_eq!(Health::evaluate(false, None, &[], NOW), Health::Unknown);
        assert_eq!(Health::evaluate(false, Some(false), &[], NOW), Health::Online);
    }

    #[test]
    fn slow_is_far_above_the_usual_and_not_a_single_late_answer() {
        let judge = |samples: &[TtfbSample]| Health::evaluate(false, Some(true), samples, NOW);
        assert_eq!(judge(&samples(40, 50, 10, 900)), Health::Slow);
        assert_eq!(judge(&samples(40, 2, 10, 20)), Health::Online, "ten times as long, and nobody notices");
        assert_eq!(judge(&samples(40, 400, 10, 900)), Health::Online, "it is never fast");
        assert_eq!(judge(&samples(40, 50, MIN_NOW - 1, 9_000)), Health::Online, "too few to say");
        assert_eq!(judge(&samples(MIN_USUAL - 1, 50, 10, 9_000)), Health::Online, "nobody knows what is usual");
        let mut one_late = samples(40, 50, 10, 50);
        one_late.push(TtfbSample { at_ms: NOW, took_ms: 30_000, is_slow: false });
        assert_eq!(judge(&one_late), Health::Online);
    }

    /// Ten requests a second, each with this time to first byte.
    fn busy(bytes: &TtfbSamples, from_ms: u64, until_ms: u64, took_ms: u64) {
        for at_ms in (from_ms..until_ms).step_by(100) {
            bytes.record(at_ms, Duration::from_millis(took_ms));
        }
    }

    #[test]
    fn a_busy_server_that_becomes_slow_is_said_to_be_until_it_is_not() {
        const MINUTE: u64 = 60_000;
        let bytes = TtfbSamples::default();
        let judge = |now_ms| Health::evaluate(false, Some(true), &bytes.samples(), now_ms);
        busy(&bytes, NOW, NOW + 10 * MINUTE, 50);
        assert_eq!(judge(NOW + 10 * MINUTE), Health::Online);
        busy(&bytes, NOW + 10 * MINUTE, NOW + 30 * MINUTE, 900);
        assert_eq!(judge(NOW + 30 * MINUTE), Health::Slow, "slow for long is not what is usual");
        busy(&bytes, NOW + 30 * MINUTE, NOW + 33 * MINUTE, 50);
        assert_eq!(judge(NOW + 33 * MINUTE), Health::Online);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let bytes = TtfbSamples::default();
        for window in 0..10_000 {
            bytes.record(window * WINDOW_MS, Duration::from_millis(1));
        }
        let samples = bytes.samples();
        assert!(samples.len() <= MAX_SAMPLES + 1, "{}", samples.len());
        assert!(samples[0].at_ms >= 9_999 * WINDOW_MS - KEPT_MS);
    }
}
