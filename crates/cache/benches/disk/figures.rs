//! Times, medians of rounds, and lines of tables.

use std::path::Path;
use std::time::{Duration, Instant};

/// How long many of the same took, each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |index: usize| micros(times[index.min(times.len() - 1)]);

        Self { p50_us: at(times.len() / 2), p99_us: at(times.len() * 99 / 100) }
    }
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// CPU time of this process so far, all its threads, from the kernel's books.
pub(crate) fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux keeps books").flatten();
    let nanos = |thread: &Path| {
        let books = std::fs::read_to_string(thread.join("schedstat")).ok()?;
        books.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.filter_map(|thread| nanos(&thread.path())).sum()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the time that passes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A figure of every round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds(pub(crate) Vec<f64>);

impl Rounds {
    /// Each round's figure of the other divided by ours.
    pub(crate) fn under(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| other / own).collect())
    }
}

/// The median, and from where to where.
impl std::fmt::Display for Rounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return f.write_str("-") };
        let median = sorted[sorted.len() / 2];
        let digits = if median < 10.0 { 2 } else { 1 };
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}
