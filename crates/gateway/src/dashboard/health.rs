//! How a server does: whether it answers, and whether it does so far slower than it usually does.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

/// First bytes that are remembered.
const MAX_SAMPLES: usize = 512;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It answers.
    Online,
    /// It answers, far slower than it usually does.
    Slow,
    /// It is down.
    Offline,
    /// Nothing was heard of it yet.
    Unknown,
}

/// How long a first byte took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it came, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long it was waited for, in milliseconds.
    pub took_ms: u64,
}

/// How long the last first bytes of a server took.
#[derive(Debug, Default)]
pub struct FirstBytes(Mutex<VecDeque<Sample>>);

impl FirstBytes {
    /// One came.
    pub fn note(&self, at_ms: u64, took: Duration) {
        let mut samples = self.0.lock();
        if samples.len() >= MAX_SAMPLES {
            samples.pop_front();
        }
        samples.push_back(Sample { at_ms, took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) });
    }

    /// All that are remembered.
    pub fn samples(&self) -> Vec<Sample> {
        self.0.lock().iter().copied().collect()
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
    let usual: Vec<u64> =
        samples.iter().filter(|sample| !is_now(sample)).map(|sample| sample.took_ms).collect();
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
        let before = (0..usual).map(|_| Sample { at_ms: NOW - NOW_MS - 1, took_ms: usual_ms });
        let lately = (0..now).map(|_| Sample { at_ms: NOW - 1, took_ms: now_took_ms });
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
        one_late.push(Sample { at_ms: NOW, took_ms: 30_000 });
        assert_eq!(judge(&one_late), Health::Online);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let bytes = FirstBytes::default();
        for at_ms in 0..10_000 {
            bytes.note(at_ms, Duration::from_millis(1));
        }
        let samples = bytes.samples();
        assert_eq!((samples.len(), samples[0].at_ms), (MAX_SAMPLES, 10_000 - MAX_SAMPLES as u64));
    }
}
