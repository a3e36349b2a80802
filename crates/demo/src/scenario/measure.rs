//! Stopwatch in the demo's time: the only clock of the demo that is finer than the process's own, which counts whole
//! milliseconds.

use tokio::time::Instant;

/// Runs from its creation.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaledStopwatch {
    began: Instant,
    factor: f64,
}

impl ScaledStopwatch {
    /// Starts now. `factor` is the ratio of the demo's time to real time.
    #[expect(clippy::disallowed_methods, reason = "measuring is what this file is for")]
    pub(super) fn start(factor: f64) -> Self {
        Self { began: Instant::now(), factor }
    }

    /// Milliseconds since the start, in the demo's time.
    #[expect(clippy::disallowed_methods, reason = "measuring is what this file is for")]
    pub(super) fn ms(self) -> f64 {
        Instant::now().saturating_duration_since(self.began).as_secs_f64() * 1_000.0 * self.factor
    }
}

/// The value that `percent` of all samples do not exceed (nearest rank); 0 without samples.
pub(super) fn percentile(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "samples come out as they went in")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_percentile_is_a_sample_that_so_many_do_not_exceed() {
        let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&samples, 50), 100.0);
        assert_eq!(percentile(&samples, 95), 190.0);
        assert_eq!(percentile(&samples, 100), 200.0);
        assert_eq!(percentile(&samples, 0), 1.0);
    }

    #[test]
    fn the_95th_of_a_few_is_the_largest() {
        assert_eq!(percentile(&[3.0, 1.0, 2.0], 95), 3.0);
        assert_eq!(percentile(&[3.0, 1.0, 2.0], 50), 2.0);
    }

    #[test]
    fn without_samples_a_percentile_is_nothing() {
        assert_eq!(percentile(&[], 50), 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopwatch_counts_the_demos_milliseconds() {
        let watch = ScaledStopwatch::start(30.0);
        tokio::time::advance(Duration::from_millis(4)).await;
        assert!((watch.ms() - 120.0).abs() < 0.001);
    }
}
