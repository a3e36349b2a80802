//! A compact histogram. It overestimates a size by at most a quarter, and never underestimates. Empty it takes no
//! memory, and two add up exactly.

/// Buckets per doubling.
const STEPS: u64 = 4;
/// Larger sizes fall into the last bucket.
const MAX_BUCKET: u8 = 160;

/// Number of values per bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(Vec<(u8, u64)>);

impl Histogram {
    /// Adds one value.
    pub fn record(&mut self, size: u64) {
        self.add_to(bucket_of(size), 1);
    }

    /// Adds all values of `other`.
    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.add_to(*bucket, *count);
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The size that this percentage of values does not exceed; `None` if empty.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let target = self.count().saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.0.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen >= target).then(|| upper_bound(*bucket))
        })
    }

    /// Buckets and their counts, in order.
    pub(super) fn buckets(&self) -> &[(u8, u64)] {
        &self.0
    }

    pub(super) fn add_to(&mut self, bucket: u8, count: u64) {
        let bucket = bucket.min(MAX_BUCKET);
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (bucket, count)),
        }
    }
}

/// Sizes below eight have a bucket each; above, each doubling has four.
fn bucket_of(size: u64) -> u8 {
    if size < 2 * STEPS {
        return u8::try_from(size).unwrap_or(MAX_BUCKET);
    }
    let doublings = u64::from(size.ilog2()) - 2;
    let step = (size >> (doublings)) - STEPS;
    u8::try_from(doublings * STEPS + step + STEPS).unwrap_or(MAX_BUCKET).min(MAX_BUCKET)
}

/// Largest size in a bucket.
fn upper_bound(bucket: u8) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 2 * STEPS {
        return bucket;
    }
    let (doublings, step) = ((bucket - STEPS) / STEPS, (bucket - STEPS) % STEPS);
    ((STEPS + step + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_percentile_is_never_too_small_and_a_quarter_too_large_at_most(
            mut sizes in proptest::collection::vec(0_u64..1 << 40, 1..200),
            percent in 1_u64..=100,
        ) {
            let mut histogram = Histogram::default();
            for size in &sizes {
                histogram.record(*size);
            }
            sizes.sort_unstable();
            let index = (sizes.len() * usize::try_from(percent).expect("a small number")).div_ceil(100) - 1;
            let (exact, estimate) = (sizes[index], histogram.percentile(percent).expect("not empty"));
            prop_assert!(estimate >= exact && estimate <= exact + exact / 4, "{estimate} for {exact}");
        }

        #[test]
        fn two_histograms_add_up_exactly(
            one in proptest::collection::vec(0_u64..1 << 40, 0..50),
            other in proptest::collection::vec(0_u64..1 << 40, 0..50),
        ) {
            let of = |sizes: &[u64]| {
                let mut histogram = Histogram::default();
                for size in sizes {
                    histogram.record(*size);
                }
                histogram
            };
            let mut sum = of(&one);
            sum.add(&of(&other));
            prop_assert_eq!(sum, of(&[one, other].concat()));
        }
    }

    #[test]
    fn an_empty_histogram_has_no_percentile_and_the_largest_size_has_a_bucket() {
        assert_eq!(Histogram::default().percentile(50), None);
        let mut histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert!(histogram.percentile(50).is_some());
    }
}
