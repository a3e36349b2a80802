//! Warming, shown as a job: the engine does it by itself every two seconds; here it is told what came of it, and asked
//! for all at once.

use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Cache, Stats};

use super::{Jobs, Last, Outcome, Plan, Seen};

/// How often the engine looks.
const EVERY: Duration = Duration::from_secs(2);

const PLAN: Plan = Plan {
    id: "warming",
    title: "Warming",
    what: "Asks anew for what apps read in a rhythm, just before they read it. Run now: for all of it at once.",
    every: Some(EVERY),
    catches_up: false,
};

/// Shows it.
pub fn add(jobs: &Jobs, cache: &Cache) {
    let (seen, work, alone) = (cache.clone(), cache.clone(), Arc::clone(&jobs.warming));
    jobs.add_elsewhere(
        PLAN,
        move || told(&seen.stats()),
        move |turn| {
            let (cache, alone) = (work.clone(), Arc::clone(&alone));
            async move {
                let Ok(_alone) = alone.try_lock() else {
                    return Err("Somebody else is warming.".to_owned());
                };
                tokio::select! {
                    () = turn.cancelled() => Err("It was ended; what was asked for still comes.".to_owned()),
                    asked = cache.warm_now(None) => Ok(sentence(asked)),
                }
            }
        },
    );
}

/// Warms all at once, for one server or for all; how many answers were asked for. `None` if somebody else is at it, the
/// job or a person.
pub async fn warm(jobs: &Jobs, cache: &Cache, only: Option<&str>) -> Option<usize> {
    let _alone = jobs.warming.try_lock().ok()?;
    Some(cache.warm_now(only).await)
}

/// What was done, for people.
pub fn sentence(asked: usize) -> String {
    match asked {
        0 => "Nothing to warm: no app asked lately for anything that is kept warm.".to_owned(),
        1 => "1 answer was refreshed.".to_owned(),
        more => format!("{more} answers were refreshed."),
    }
}

fn told(stats: &Stats) -> Seen {
    if stats.warm_looked_ms == 0 {
        return Seen::default();
    }
    let loads: u64 = stats.classes.iter().map(|class| class.warm_loads).sum();
    let useful: u64 = stats.classes.iter().map(|class| class.warm_useful).sum();
    let message = format!(
        "{} answers are kept warm; {loads} were loaded so far, {useful} of them were read.",
        stats.warm_keys
    );
    let at_ms = stats.warm_looked_ms;
    Seen {
        // While there is nothing to keep warm, it is not looked.
        next_ms: (stats.warm_keys > 0).then(|| at_ms.saturating_add(super::millis(EVERY))),
        last: Some(Last::new(at_ms, at_ms, Outcome::Done, message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_did_is_told_once_it_has_looked() {
        assert!(told(&Stats::default()).last.is_none());
        let stats = Stats { warm_looked_ms: 7_000, warm_keys: 3, ..Stats::default() };
        let seen = told(&stats);
        assert_eq!(seen.next_ms, Some(9_000));
        assert_eq!(told(&Stats { warm_keys: 0, ..stats.clone() }).next_ms, None, "nothing is kept warm");
        assert!(seen.last.expect("it looked").message.starts_with("3 answers are kept warm"));
    }

    #[tokio::test]
    async fn the_job_and_a_person_do_not_warm_at_once() {
        let (clock, tasks) = (greenroom_cache::Clock::system(), tokio_util::task::TaskTracker::new());
        let cache = Cache::new(greenroom_cache::Settings::default(), clock.clone(), tasks.clone());
        let jobs = Jobs::new(1, clock, tasks, tokio_util::sync::CancellationToken::new());
        let alone = jobs.warming.try_lock().expect("nobody warms");
        assert_eq!(warm(&jobs, &cache, None).await, None);
        drop(alone);
        assert_eq!(warm(&jobs, &cache, None).await, Some(0));
    }
}
