//! Latency histogram of constant size.

/// Upper bound of the first bucket, in milliseconds.
const SHORTEST_MS: f64 = 0.125;
/// Buckets per doubling: a percentile is off by a twentieth at the most.
const PER_DOUBLING: f64 = 8.0;
/// The last bucket takes everything longer than two minutes.
const BUCKETS: usize = 160;

/// Number of latencies per bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LatencyHistogram {
    counts: [u64; BUCKETS],
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS] }
    }
}

impl LatencyHistogram {
    pub(super) fn record(&mut self, ms: f64) {
        self.counts[bucket(ms)] += 1;
    }

    /// Adds all counts of another.
    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// Approximate percentile; 0 without samples.
    pub(super) fn percentile(&self, percent: u64) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let rank = (all * percent).div_ceil(100).max(1);
        let mut passed = 0;
        let reaches = |count: &u64| {
            passed += count;
            passed >= rank
        };
        self.counts.iter().position(reaches).map_or(0.0, middle)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float stops at the ends")]
fn bucket(ms: f64) -> usize {
    let place = (ms / SHORTEST_MS).log2() * PER_DOUBLING;
    (place as usize).min(BUCKETS - 1)
}

fn middle(bucket: usize) -> f64 {
    SHORTEST_MS * ((bucket as f64 + 0.5) / PER_DOUBLING).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_twentieth() {
        let mut latencies = LatencyHistogram::default();
        for ms in 1..=1_000 {
            latencies.record(f64::from(ms));
        }
        for (percent, true_ms) in [(50, 500.0), (95, 950.0), (100, 1_000.0)] {
            let ms = latencies.percentile(percent);
            assert!((ms / true_ms - 1.0).abs() < 0.05, "{percent}: {ms}");
        }
    }

    #[test]
    fn what_is_nothing_or_endless_is_counted_too() {
        let mut latencies = LatencyHistogram::default();
        assert!(latencies.percentile(95).abs() < f64::EPSILON);
        for ms in [0.0, -1.0, f64::NAN, 1e12, f64::INFINITY] {
            latencies.record(ms);
        }
        assert!(latencies.percentile(50) < 0.2);
        assert!(latencies.percentile(100) > 100_000.0);
    }

    #[test]
    fn two_counts_are_one() {
        let (mut one, mut other) = (LatencyHistogram::default(), LatencyHistogram::default());
        one.record(10.0);
        other.record(10.0);
        other.record(400.0);
        one.add(&other);
        assert!((one.percentile(50) / 10.0 - 1.0).abs() < 0.05);
        assert!((one.percentile(95) / 400.0 - 1.0).abs() < 0.05);
    }
}
