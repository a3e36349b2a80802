//! How a server does: whether it answers, and whether it does so far slower than it usually does.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

/// First bytes of so long are one sample: their median. Otherwise a busy server would remember seconds only.
const WINDOW_MS: u64 = 10_000;
/// First bytes of a window that are taken in.
const MAX_IN_WINDOW: usize = 128;
/// Samples are remembered for so long.
const KEPT_MS: u64 = 60 * 60_000 + NOW_MS;
/// Samples that are remembered.
const MAX_SAMPLES: usize = 372;
/// What came within this time is how it does now; what came before is how it usually does.
const NOW_MS: u64 = 2 * 60_000;
/// So many are needed to say how it does now …
const MIN_NOW: usize = 5;
/// … and how it usually does.
const MIN_USUAL: usize = 20;
/// Far slower is so many times as long …
const TIMES: u64 = 4;
/// … and so much longer: who takes 4 ms instead of 1 is not slow.
const LONGER_MS: u64 = 500;

/// How a server does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It answers.
    Online,
    /// It answers, far slower than it usually does.
    Slow,
    /// It is down.
    Offline,
    /// Nothing was heard of it yet.
    #[default]
    Unknown,
}

/// How long the first bytes of one window took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When the window began, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long they were waited for, the median, in milliseconds.
    pub took_ms: u64,
    /// Whether the server was slow then: that is not how it usually does.
    pub is_slow: bool,
}

/// How long the last first bytes of a server took.
#[derive(Debug, Default)]
pub struct FirstBytes(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    samples: VecDeque<Sample>,
    /// The window that is open, and what came in it.
    window_ms: u64,
    took_ms: Vec<u64>,
}

impl FirstBytes {
    /// One came.
    pub fn note(&self, at_ms: u64, took: Duration) {
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

    /// All that are remembered, the open window's too.
    pub fn samples(&self) -> Vec<Sample> {
        let remembered = self.0.lock();
        remembered.samples.iter().copied().chain(remembered.open()).collect()
    }
}

impl Remembered {
    fn open(&self) -> Option<Sample> {
        let took_ms = (!self.took_ms.is_empty()).then(|| median(self.took_ms.clone()))?;
        Some(Sample { at_ms: self.window_ms, took_ms, is_slow: false })
    }

    /// The window is over.
    fn close(&mut self, now_ms: u64) {
        let Some(sample) = self.open() else { return };
        self.took_ms.clear();
        self.samples.push_back(sample);
        let is_slow = is_slow(self.samples.make_contiguous(), now_ms);
        if let Some(last) = self.samples.back_mut() {
            last.is_slow = is_slow;
        }
        let is_over = |sample: &Sample| now_ms.saturating_sub(sample.at_ms) > KEPT_MS;
        while self.samples.len() > MAX_SAMPLES || self.samples.front().is_some_and(is_over) {
            self.samples.pop_front();
        }
    }
}

impl Health {
    /// Judges. `is_well` is whether the last thing heard was an answer; `None` before anything was heard.
    pub fn of(is_down: bool, is_well: Option<bool>, samples: &[Sample], now_ms: u64) -> Self {
        match is_well {
            _ if is_down => Self::Offline,
            None => Self::Unknown,
            Some(_) if is_slow(samples, now_ms) => Self::Slow,
            Some(_) => Self::Online,
        }
    }
}

/// Whether the median of what came lately is far above the median of what came before.
fn is_slow(samples: &[Sample], now_ms: u64) -> bool {
    let is_now = |sample: &&Sample| now_ms.saturating_sub(sample.at_ms) < NOW_MS;
    let now: Vec<u64> = samples.iter().filter(is_now).map(|sample| sample.took_ms).collect();
    let usual: Vec<u64> = samples
        .iter()
        .filter(|sample| !is_now(sample) && !sample.is_slow)
        .map(|sample| sample.took_ms)
        .collect();
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

    fn samples(usual: usize, usual_ms: u64, now: usize, now_took_ms: u64) -> Vec<Sample> {
        let before =
            (0..usual).map(|_| Sample { at_ms: NOW - NOW_MS - 1, took_ms: usual_ms, is_slow: false });
        let lately = (0..now).map(|_| Sample { at_ms: NOW - 1, took_ms: now_took_ms, is_slow: false });
        before.chain(lately).collect()
    }

    #[test]
    fn who_is_down_is_offline_and_who_was_never_heard_of_is_unknown() {
        assert_eq!(Health::of(true, Some(true), &[], NOW), Health::Offline);
        assert_eq!(Health::of(true, None, &[], NOW), Health::Offline);
        assert_eq!(Health::of(false, None, &[], NOW), Health::Unknown);
        assert_eq!(Health::of(false, Some(false), &[], NOW), Health::Online);
    }

    #[test]
    fn slow_is_far_above_the_usual_and_not_a_single_late_answer() {
        let judge = |samples: &[Sample]| Health::of(false, Some(true), samples, NOW);
        assert_eq!(judge(&samples(40, 50, 10, 900)), Health::Slow);
        assert_eq!(judge(&samples(40, 2, 10, 20)), Health::Online, "ten times as long, and nobody notices");
        assert_eq!(judge(&samples(40, 400, 10, 900)), Health::Online, "it is never fast");
        assert_eq!(judge(&samples(40, 50, MIN_NOW - 1, 9_000)), Health::Online, "too few to say");
        assert_eq!(
            judge(&samples(MIN_USUAL - 1, 50, 10, 9_000)),
            Health::Online,
            "nobody knows what is usual"
        );
        let mut one_late = samples(40, 50, 10, 50);
        one_late.push(Sample { at_ms: NOW, took_ms: 30_000, is_slow: false });
        assert_eq!(judge(&one_late), Health::Online);
    }

    /// Ten first bytes a second, each of which takes so long.
    fn busy(bytes: &FirstBytes, from_ms: u64, until_ms: u64, took_ms: u64) {
        for at_ms in (from_ms..until_ms).step_by(100) {
            bytes.note(at_ms, Duration::from_millis(took_ms));
        }
    }

    #[test]
    fn a_busy_server_that_becomes_slow_is_said_to_be_until_it_is_not() {
        const MINUTE: u64 = 60_000;
        let bytes = FirstBytes::default();
        let judge = |now_ms| Health::of(false, Some(true), &bytes.samples(), now_ms);
        busy(&bytes, NOW, NOW + 10 * MINUTE, 50);
        assert_eq!(judge(NOW + 10 * MINUTE), Health::Online);
        busy(&bytes, NOW + 10 * MINUTE, NOW + 30 * MINUTE, 900);
        assert_eq!(judge(NOW + 30 * MINUTE), Health::Slow, "slow for long is not what is usual");
        busy(&bytes, NOW + 30 * MINUTE, NOW + 33 * MINUTE, 50);
        assert_eq!(judge(NOW + 33 * MINUTE), Health::Online);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let bytes = FirstBytes::default();
        for window in 0..10_000 {
            bytes.note(window * WINDOW_MS, Duration::from_millis(1));
        }
        let samples = bytes.samples();
        assert!(samples.len() <= MAX_SAMPLES + 1, "{}", samples.len());
        assert!(samples[0].at_ms >= 9_999 * WINDOW_MS - KEPT_MS);
    }
}
