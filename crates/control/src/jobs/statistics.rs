//! Writing statistics down, shown as a job: it has a rhythm of its own, so that no other job holds it up.

use std::sync::Arc;
use std::time::Duration;

use super::{Jobs, Last, Outcome, Plan, Seen};
use greenroom_proxy::statistics::Statistics;

/// Shows it.
pub fn add(jobs: &Jobs, statistics: &Arc<Statistics>) {
    let (seen, work) = (Arc::clone(statistics), Arc::clone(statistics));
    let plan = Plan {
        id: "statistics",
        title: "Statistics",
        what: "Writes down what was asked and how it was answered since the last time.",
        every: Some(statistics.write_every()),
        catches_up: false,
    };
    jobs.add_elsewhere(
        plan,
        move || told(&seen),
        move |_| {
            let statistics = Arc::clone(&work);
            async move { statistics.sync().await }
        },
    );
}

fn told(statistics: &Statistics) -> Seen {
    let Some(written) = statistics.written() else { return Seen::default() };
    let every_ms =
        u64::try_from(statistics.write_every().max(Duration::from_secs(1)).as_millis()).unwrap_or(0);
    let (outcome, message) = match written.outcome {
        Ok(message) => (Outcome::Done, message),
        Err(reason) => (Outcome::Failed, reason),
    };
    Seen {
        next_ms: Some(written.ended_ms.saturating_add(every_ms)),
        last: Some(Last::new(written.began_ms, written.ended_ms, outcome, message)),
    }
}
