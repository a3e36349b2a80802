//! Logs the durations of a response's parts: `GREENROOM_LOG=greenroom::timing=debug`. The disk tier logs its writes
//! after the response under the same target.

use greenroom_cache::{Clock, Entry, Tier};
use greenroom_dialect::classification::Read;
use http::Response;

use crate::proxy_request::ProxyRequest;
use crate::response::CacheHitDetails;
use greenroom_http_server::on_sent;
use greenroom_origin::body::Body;

/// Log target of the events.
const TARGET: &str = "greenroom::timing";

/// Runs from the arrival of a read, if the target is enabled.
#[derive(Debug)]
pub struct ReadStopwatch {
    clock: Clock,
    started_us: u64,
}

/// The same, after the lookup or load.
#[derive(Debug)]
pub struct FetchTiming {
    stopwatch: ReadStopwatch,
    fetched_us: u64,
}

/// Whether the target is enabled.
pub fn is_enabled() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
}

impl ReadStopwatch {
    /// Starts, if the target is enabled.
    pub fn start(request: &ProxyRequest) -> Option<Self> {
        is_enabled().then(|| {
            let clock = request.server.origin.clock.clone();
            Self { started_us: clock.now_us(), clock }
        })
    }

    /// Records the end of the lookup or load.
    pub fn mark_fetched(self) -> FetchTiming {
        FetchTiming { fetched_us: self.clock.now_us(), stopwatch: self }
    }
}

impl FetchTiming {
    /// Logs the durations once the response is sent.
    pub fn log_after_sent(
        self,
        response: &mut Response<Body>,
        request: &ProxyRequest,
        read: &Read,
        entry: &Entry,
        hit: CacheHitDetails,
    ) {
        let (request, class) = (request.clone(), read.class.name());
        let (items, bytes) = (items(entry), entry.body().len());
        let write = if hit.tier == Tier::Source { "deferred" } else { "none" };
        on_sent::run_after(response, move || {
            let Self { stopwatch, fetched_us } = self;
            let (total_ms, render_ms) =
                (stopwatch.clock.since_ms(stopwatch.started_us), stopwatch.clock.since_ms(fetched_us));
            tracing::debug!(
                target: TARGET,
                server = request.server.name(),
                app = request.classified.app.name,
                class,
                served = hit.served.name(),
                tier = hit.tier.name(),
                items,
                bytes,
                fetch_ms = fetched_us.saturating_sub(stopwatch.started_us) / 1000,
                render_ms,
                total_ms,
                cache_write = write,
                "response sent"
            );
        });
    }
}

/// Number of items in a response, as far as known: each is a tag.
fn items(entry: &Entry) -> usize {
    entry.tags().iter().filter(|tag| tag.as_str().starts_with("item:")).count()
}
