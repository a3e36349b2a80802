//! State of prefetch rules: the last requests that they repeat, and limits on their loads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::{Key, Partition, Timestamp};
use greenroom_prefetch::budget::PrefetchBudget;
use greenroom_prefetch::counters::PrefetchCounters;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Max requests that are remembered, of all clients.
const MAX_TEMPLATES: usize = 1024;
/// Max resources of which it is remembered when rules acted on them.
const MAX_RESOURCES: usize = 4096;
/// Max batches that wait while one is loaded; the rules of further responses do not act.
const MAX_WAITING: usize = 16;
/// Rules act on a response at most once in this time, because most of what they would load is still cached then.
const MIN_PAUSE: Duration = Duration::from_mins(1);

/// A request that is repeated with another value in it. It holds no credentials: those are of the request after which
/// it is repeated.
#[derive(Debug)]
pub(crate) struct RequestTemplate {
    pub(crate) method: Method,
    /// Path and query without credentials.
    pub(crate) target: String,
    /// Fields without credentials.
    pub(crate) headers: HeaderMap,
    /// The operation of a GraphQL request.
    pub(crate) operation: Option<Value>,
}

/// The queue of one server.
#[derive(Debug)]
pub(crate) struct PrefetchQueue {
    templates: quick_cache::sync::Cache<String, Arc<RequestTemplate>>,
    acted: quick_cache::sync::Cache<String, Timestamp>,
    budget: Mutex<PrefetchBudget>,
    place: Semaphore,
    waiting: AtomicUsize,
    pub(crate) counters: PrefetchCounters,
}

impl PrefetchQueue {
    /// An empty queue with this number of loads a minute.
    pub(crate) fn new(per_minute: usize) -> Self {
        Self {
            templates: quick_cache::sync::Cache::new(MAX_TEMPLATES),
            acted: quick_cache::sync::Cache::new(MAX_RESOURCES),
            budget: Mutex::new(PrefetchBudget::new(per_minute)),
            place: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            counters: PrefetchCounters::default(),
        }
    }

    /// Remembers the last request of this name of an identity.
    pub(crate) fn remember(&self, owner: &Partition, route: &str, name: &str, template: RequestTemplate) {
        self.templates.insert(template_name(owner, route, name), Arc::new(template));
    }

    /// The last request of this name of an identity.
    pub(crate) fn template(&self, owner: &Partition, route: &str, name: &str) -> Option<Arc<RequestTemplate>> {
        self.templates.get(&template_name(owner, route, name))
    }

    /// Whether rules act on a response to this resource now.
    pub(crate) fn acts_on(&self, resource: &Key, now: Timestamp) -> bool {
        let is_recent = |acted: Timestamp| now.duration_since(acted) < MIN_PAUSE;
        if self.acted.get(resource.encoded()).is_some_and(is_recent) {
            return false;
        }
        self.acted.insert(resource.encoded().to_owned(), now);
        true
    }

    /// Waits for the place of the one batch that is loaded at a time; `None` if too many wait.
    pub(crate) async fn acquire(&self) -> Option<SemaphorePermit<'_>> {
        let count = self.waiting.fetch_add(1, Ordering::Relaxed);
        let permit = if count < MAX_WAITING { self.place.acquire().await.ok() } else { None };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if permit.is_none() {
            self.counters.record_overflowed();
        }
        permit
    }

    /// Takes one load of the minute's budget.
    pub(crate) fn try_spend(&self, now: Timestamp) -> bool {
        self.budget.lock().try_acquire(now.as_millis())
    }
}

fn template_name(owner: &Partition, route: &str, name: &str) -> String {
    // Neither a partition nor a name of a route holds a line feed.
    format!("{}\n{route}\n{name}", owner.as_str())
}
