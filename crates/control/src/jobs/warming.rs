//! Warming as a job: the engine does it every two seconds; this module shows the result and can warm everything at
//! once.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Cache, CacheStats};

use super::{ExternalJobStatus, JobDefinition, JobOutcome, Jobs, LastRun};

/// How often the engine warms.
const EVERY: Duration = Duration::from_secs(2);

const PLAN: JobDefinition = JobDefinition {
    id: "warming",
    title: "Warming",
    description: "Asks anew for what apps read in a rhythm, just before they read it. Run now: for all of it at once.",
    every: Some(EVERY),
    catches_up: false,
};

/// Adds the job.
pub fn add(jobs: &Jobs, cache: &Cache) {
    let (seen, work, alone) = (cache.clone(), cache.clone(), Arc::clone(&jobs.warming));
    jobs.add_external(
        PLAN,
        move || status(&seen.stats()),
        move |turn| {
            let (cache, alone) = (work.clone(), Arc::clone(&alone));
            async move {
                let Ok(_alone) = alone.try_lock() else {
                    return Err("Somebody else is warming.".to_owned());
                };
                tokio::select! {
                    () = turn.cancelled() => Err("It was ended; what was asked for still comes.".to_owned()),
                    asked = cache.refresh_warm_keys(None) => Ok(sentence(asked)),
                }
            }
        },
    );
}

/// Warms everything now, for one server or all. Returns the number of responses requested, or `None` if the job or
/// another caller is already warming.
pub async fn warm(jobs: &Jobs, cache: &Cache, only: Option<&str>) -> Option<usize> {
    let _alone = jobs.warming.try_lock().ok()?;
    Some(cache.refresh_warm_keys(only).await)
}

/// A summary for people.
pub fn sentence(asked: usize) -> String {
    match asked {
        0 => "Nothing to warm: no app asked lately for anything that is kept warm.".to_owned(),
        1 => "1 answer was refreshed.".to_owned(),
        more => format!("{more} answers were refreshed."),
    }
}

fn status(stats: &CacheStats) -> ExternalJobStatus {
    if stats.warm_checked_ms == 0 {
        return ExternalJobStatus::default();
    }
    let loads: u64 = stats.classes.iter().map(|class| class.warm_loads).sum();
    let useful: u64 = stats.classes.iter().map(|class| class.warm_useful).sum();
    let message =
        format!("{} answers are kept warm; {loads} were loaded so far, {useful} of them were read.", stats.warm_keys);
    let at_ms = stats.warm_checked_ms;
    ExternalJobStatus {
        // Without warm keys the engine is idle, so there is no next run.
        next_ms: (stats.warm_keys > 0).then(|| at_ms.saturating_add(super::millis(EVERY))),
        last: Some(LastRun::new(at_ms, at_ms, JobOutcome::Done, message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_did_is_told_once_it_has_looked() {
        assert!(status(&CacheStats::default()).last.is_none());
        let stats = CacheStats { warm_checked_ms: 7_000, warm_keys: 3, ..CacheStats::default() };
        let seen = status(&stats);
        assert_eq!(seen.next_ms, Some(9_000));
        assert_eq!(status(&CacheStats { warm_keys: 0, ..stats.clone() }).next_ms, None, "nothing is kept warm");
        assert!(seen.last.expect("it looked").message.starts_with("3 answers are kept warm"));
    }

    #[tokio::test]
    async fn the_job_and_a_person_do_not_warm_at_once() {
        let (clock, tasks) = (greenroom_cache::Clock::system(), tokio_util::task::TaskTracker::new());
        let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
        let jobs = Jobs::new(1, clock, tasks, tokio_util::sync::CancellationToken::new());
        let alone = jobs.warming.try_lock().expect("nobody warms");
        assert_eq!(warm(&jobs, &cache, None).await, None);
        drop(alone);
        assert_eq!(warm(&jobs, &cache, None).await, Some(0));
    }
}
