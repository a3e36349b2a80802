//! Warming as a job: the engine does it every two seconds; this module shows the result and can warm everything at
//! once.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Cache, CacheStats};

use super::{ExternalJobStatus, JobDefinition, JobOutcome, Jobs, LastRun};

/// Interval at which the engine warms.
const INTERVAL: Duration = Duration::from_secs(2);

const DEFINITION: JobDefinition = JobDefinition {
    id: "warming",
    title: "Warming",
    description: "Refreshes the responses that apps read at a steady interval, just before they read them. A run refreshes all of them at once.",
    every: Some(INTERVAL),
    catches_up: false,
};

/// Adds the job.
pub fn add(jobs: &Jobs, cache: &Cache) {
    let (watched, work, lock) = (cache.clone(), cache.clone(), Arc::clone(&jobs.warming));
    jobs.add_external(
        DEFINITION,
        move || status(&watched.stats()),
        move |context| {
            let (cache, lock) = (work.clone(), Arc::clone(&lock));
            async move {
                let Ok(_guard) = lock.try_lock() else {
                    return Err("A warming run is already in progress.".to_owned());
                };
                tokio::select! {
                    () = context.cancelled() => Err("Cancelled; requests already sent continue.".to_owned()),
                    count = cache.refresh_warm_keys(None) => Ok(summary(count)),
                }
            }
        },
    );
}

/// Warms everything now, for one server or all. Returns the number of responses requested, or `None` if the job or
/// another caller is already warming.
pub async fn warm(jobs: &Jobs, cache: &Cache, server_name: Option<&str>) -> Option<usize> {
    let _guard = jobs.warming.try_lock().ok()?;
    Some(cache.refresh_warm_keys(server_name).await)
}

/// A summary for people.
pub fn summary(count: usize) -> String {
    match count {
        0 => "Nothing to warm: no app reads anything at a steady interval.".to_owned(),
        1 => "Refreshed 1 response.".to_owned(),
        count => format!("Refreshed {count} responses."),
    }
}

fn status(stats: &CacheStats) -> ExternalJobStatus {
    if stats.warm_checked_ms == Timestamp::UNIX_EPOCH {
        return ExternalJobStatus::default();
    }
    let loads: u64 = stats.classes.iter().map(|class| class.warm_loads).sum();
    let useful: u64 = stats.classes.iter().map(|class| class.warm_useful).sum();
    let keys = match stats.warm_keys {
        1 => "1 warm key".to_owned(),
        count => format!("{count} warm keys"),
    };
    let message = format!("{keys}; loads since start: {loads}, of which {useful} were read afterwards.");
    let at_ms = stats.warm_checked_ms;
    ExternalJobStatus {
        // Without warm keys the engine is idle, so there is no next run.
        next_ms: (stats.warm_keys > 0)
            .then(|| at_ms.saturating_add(Duration::from_millis(greenroom_cache::clock::millis(INTERVAL)))),
        last: Some(LastRun::new(at_ms, at_ms, JobOutcome::Done, message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_shown_once_the_engine_has_checked() {
        assert!(status(&CacheStats::default()).last.is_none());
        let stats =
            CacheStats { warm_checked_ms: Timestamp::from_millis(7_000), warm_keys: 3, ..CacheStats::default() };
        let watched = status(&stats);
        assert_eq!(watched.next_ms, Some(Timestamp::from_millis(9_000)));
        assert_eq!(status(&CacheStats { warm_keys: 0, ..stats.clone() }).next_ms, None, "no warm keys");
        assert!(watched.last.expect("a last run").message.starts_with("3 warm keys;"));
        let one = status(&CacheStats { warm_keys: 1, ..stats });
        assert!(one.last.expect("a last run").message.starts_with("1 warm key;"));
    }

    #[tokio::test]
    async fn the_job_and_a_request_do_not_warm_at_once() {
        let (clock, tasks) = (greenroom_cache::Clock::system(), tokio_util::task::TaskTracker::new());
        let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
        let jobs = Jobs::new(1, clock, tasks, tokio_util::sync::CancellationToken::new());
        let lock = jobs.warming.try_lock().expect("no warming in progress");
        assert_eq!(warm(&jobs, &cache, None).await, None);
        drop(lock);
        assert_eq!(warm(&jobs, &cache, None).await, Some(0));
    }
}
