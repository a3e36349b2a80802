//! Durations, medians of rounds, and table lines.

use std::path::Path;
use std::time::{Duration, Instant};

/// Percentiles of the durations of equal operations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LatencyPercentiles {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl LatencyPercentiles {
    pub(crate) fn from_durations(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |index: usize| micros(times[index.min(times.len() - 1)]);

        Self { p50_us: at(times.len() / 2), p99_us: at(times.len() * 99 / 100) }
    }
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// CPU time of this process so far, all threads, from the kernel.
pub(crate) fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux keeps books").flatten();
    let nanos = |thread: &Path| {
        let schedstat = std::fs::read_to_string(thread.join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.filter_map(|thread| nanos(&thread.path())).sum()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the time that passes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// One number per round.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoundSamples(pub(crate) Vec<f64>);

impl RoundSamples {
    /// Each round's number of the other divided by ours.
    pub(crate) fn under(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| other / own).collect())
    }
}

/// The median and the range.
impl std::fmt::Display for RoundSamples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return f.write_str("-") };
        let median = sorted[sorted.len() / 2];
        let digits = if median < 10.0 { 2 } else { 1 };
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}
