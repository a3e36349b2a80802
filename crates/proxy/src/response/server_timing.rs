//! How long the parts of an answer take, as log events for who wants to know: `GREENROOM_LOG=greenroom::timing=debug`.
//! What is written behind the answer says so itself, as `greenroom::timing` too, from the disk tier.

use greenroom_cache::{Clock, Entry, Tier};
use greenroom_dialect::verdict::Read;
use http::Response;

use crate::http::on_sent;
use crate::response::History;
use crate::visit::Visit;
use greenroom_origin::body::Body;

/// The name under which the events are chosen.
const TARGET: &str = "greenroom::timing";

/// Runs from the arrival of a read, if anybody listens.
#[derive(Debug)]
pub struct Stopwatch {
    clock: Clock,
    began_us: u64,
}

/// The same, after the answer was found or loaded.
#[derive(Debug)]
pub struct Fetched {
    watch: Stopwatch,
    fetched_us: u64,
}

impl Stopwatch {
    /// Starts, if anybody listens.
    pub fn start(visit: &Visit) -> Option<Self> {
        tracing::enabled!(target: TARGET, tracing::Level::DEBUG).then(|| {
            let clock = visit.server.origin.clock.clone();
            Self { began_us: clock.now_us(), clock }
        })
    }

    /// The answer is here.
    pub fn fetched(self) -> Fetched {
        Fetched { fetched_us: self.clock.now_us(), watch: self }
    }
}

impl Fetched {
    /// Tells how long it took, when the answer has left.
    pub fn tell_after(
        self,
        response: &mut Response<Body>,
        visit: &Visit,
        read: &Read,
        entry: &Entry,
        history: History,
    ) {
        let (visit, class) = (visit.clone(), read.class.name());
        let (items, bytes) = (items(entry), entry.body().len());
        let write = if history.tier == Tier::Source { "deferred" } else { "none" };
        on_sent::after(response, move || {
            let Self { watch, fetched_us } = self;
            let (total_ms, render_ms) =
                (watch.clock.since_ms(watch.began_us), watch.clock.since_ms(fetched_us));
            tracing::debug!(
                target: TARGET,
                server = visit.server.name(),
                app = visit.app.name,
                class,
                served = history.served.name(),
                tier = history.tier.name(),
                items,
                bytes,
                fetch_ms = fetched_us.saturating_sub(watch.began_us) / 1000,
                render_ms,
                total_ms,
                cache_write = write,
                "answered"
            );
        });
    }
}

/// Items in an answer, as far as they are known: each is a tag.
fn items(entry: &Entry) -> usize {
    entry.tags().iter().filter(|tag| tag.as_str().starts_with("item:")).count()
}
