//! Requests to the server: its connections, breaker, queue and budget.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_config::HttpApiSettings;
use greenroom_config::http_api::OverBudget;
use greenroom_http_caching::http_date;
use greenroom_origin::body::Body;
use greenroom_origin::breaker::{Breaker, UpstreamOutcome, key_of};
use greenroom_origin::client::{OriginClient, OriginProtocol, UpstreamError, UpstreamErrorStage, UpstreamRequestKind};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::request_budget::{BudgetRefusal, RequestBudget};

/// Longest pause that a server's `Retry-After` can demand.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Pause after a 429 without `Retry-After`.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Access to one server.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) client: OriginClient,
    pub(crate) breaker: Breaker,
    clock: Clock,
    permits: Semaphore,
    places: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
    timeout: Duration,
    budget: Mutex<RequestBudget>,
    over_budget: OverBudget,
    /// When the server wants to be asked again, in wall-clock milliseconds.
    paused_until_ms: AtomicTimestamp,
    pub(crate) counters: UpstreamCounters,
}

/// Counters of requests that were not sent.
#[derive(Debug, Default)]
pub(crate) struct UpstreamCounters {
    pub(crate) queue_refusals: AtomicU64,
    pub(crate) budget_refusals: AtomicU64,
    pub(crate) pauses: AtomicU64,
}

/// Reason for which a request got no response.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The server is known to be down.
    Down,
    /// Too many requests wait.
    QueueFull,
    /// The budget is used up, or the server wants a pause; it ends after this time.
    OverBudget(Duration),
    /// It took too long.
    TimedOut,
    /// The exchange failed.
    Failed(UpstreamError),
}

/// Max wait of a request for the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetPatience {
    /// As long as for a response.
    Wait,
    /// Not at all: there is something else to serve.
    None,
}

impl Upstream {
    pub(crate) fn new(settings: &HttpApiSettings, clock: Clock) -> Result<Self, String> {
        Ok(Self {
            client: OriginClient::open(
                &settings.name,
                &settings.origin,
                &settings.base_path,
                (&settings.tls, OriginProtocol::HTTP_API),
            )?,
            breaker: Breaker::default(),
            clock,
            permits: Semaphore::new(settings.upstream_concurrency),
            places: settings.upstream_concurrency,
            waiting: AtomicUsize::new(0),
            max_waiting: settings.max_waiting,
            timeout: settings.load_timeout,
            budget: Mutex::new(RequestBudget::new(settings.budget.per_second, settings.budget.per_day)),
            over_budget: settings.budget.over,
            paused_until_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            counters: UpstreamCounters::default(),
        })
    }

    /// Sends a request once it may be sent, and waits for the response's head. The permit is for as long as the caller
    /// reads the body for storing.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        kind: UpstreamRequestKind,
        patience: BudgetPatience,
    ) -> Result<(Response<Incoming>, SemaphorePermit<'_>), SendError> {
        let began_us = self.clock.now_us();
        let remaining = || self.timeout.saturating_sub(self.clock.since(began_us));
        if !self.breaker.allows_requests() {
            return Err(SendError::Down);
        }
        let permit = self.acquire().await?;
        self.wait_for_budget(patience, remaining()).await?;
        let key = key_of(request.uri().path());
        match self.clock.timeout(remaining(), self.client.send(request, kind)).await {
            Ok(Ok(response)) => {
                let outcome = match response.status().as_u16() {
                    502..=504 => UpstreamOutcome::Unavailable,
                    _ => UpstreamOutcome::Answered,
                };
                self.breaker.record(key, outcome, self.clock.now());
                self.obey_pause(response.status(), response.headers());
                Ok((response, permit))
            }
            Ok(Err(error)) => {
                match error.stage {
                    UpstreamErrorStage::Connection => {
                        self.breaker.record(key, UpstreamOutcome::Unreachable, self.clock.now());
                    }
                    UpstreamErrorStage::Response => {
                        self.breaker.record(key, UpstreamOutcome::Answered, self.clock.now());
                    }
                    UpstreamErrorStage::Request => {}
                }
                Err(SendError::Failed(error))
            }
            Err(_) => {
                self.breaker.record(key, UpstreamOutcome::TimedOut, self.clock.now());
                Err(SendError::TimedOut)
            }
        }
    }

    async fn acquire(&self) -> Result<SemaphorePermit<'_>, SendError> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let waiting = WaitGuard::new(&self.waiting);
        if waiting.count > self.max_waiting {
            self.counters.queue_refusals.fetch_add(1, Ordering::Relaxed);
            return Err(SendError::QueueFull);
        }
        if let Ok(Ok(permit)) = self.clock.timeout(self.timeout, self.permits.acquire()).await {
            return Ok(permit);
        }
        // It was never sent.
        self.counters.queue_refusals.fetch_add(1, Ordering::Relaxed);
        Err(SendError::QueueFull)
    }

    async fn wait_for_budget(&self, patience: BudgetPatience, remaining: Duration) -> Result<(), SendError> {
        let mut remaining = remaining;
        loop {
            let Some(wait) = self.budget_wait() else { return Ok(()) };
            let is_patient = patience == BudgetPatience::Wait && self.over_budget == OverBudget::Stale;
            if !is_patient || wait > remaining {
                self.counters.budget_refusals.fetch_add(1, Ordering::Relaxed);
                return Err(SendError::OverBudget(wait));
            }
            self.clock.sleep(wait).await;
            remaining -= wait;
        }
    }

    /// Takes one request of the budget, or says when there is room.
    fn budget_wait(&self) -> Option<Duration> {
        let now_ms = self.clock.now();
        let paused_until_ms = self.paused_until_ms.load(Ordering::Relaxed);
        if paused_until_ms > now_ms {
            return Some(paused_until_ms - now_ms);
        }
        let refusal: BudgetRefusal = self.budget.lock().try_take(now_ms).err()?;
        Some(refusal.wait_ms())
    }

    /// When there is room again, if the budget of the day is used up.
    pub(crate) fn day_wait(&self) -> Option<Duration> {
        self.budget.lock().day_wait_ms(self.clock.now())
    }

    /// Max concurrent requests, requests that are sent now, and requests that wait.
    pub(crate) fn queue(&self) -> (usize, usize, usize) {
        let busy = self.places.saturating_sub(self.permits.available_permits());
        (self.places, busy, self.waiting.load(Ordering::Relaxed))
    }

    /// Sends nothing for as long as a 429, or a 503 with `Retry-After`, demands.
    fn obey_pause(&self, status: StatusCode, headers: &HeaderMap) {
        let now_ms = self.clock.now();
        let demanded_ms = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|value| {
            value
                .trim()
                .parse::<u64>()
                .map(|seconds| seconds.saturating_mul(1000))
                .ok()
                .or_else(|| http_date::parse(value).map(|at_ms| at_ms.saturating_sub(now_ms.as_millis())))
        });
        let pause_ms = match (status, demanded_ms) {
            (StatusCode::TOO_MANY_REQUESTS, ms) => ms.unwrap_or(millis(DEFAULT_RETRY_AFTER)),
            (StatusCode::SERVICE_UNAVAILABLE, Some(ms)) => ms,
            _ => return,
        };
        self.counters.pauses.fetch_add(1, Ordering::Relaxed);
        self.paused_until_ms
            .fetch_max(now_ms + Duration::from_millis(pause_ms.min(millis(MAX_RETRY_AFTER))), Ordering::Relaxed);
    }
}

struct WaitGuard<'a> {
    waiting: &'a AtomicUsize,
    count: usize,
}

impl<'a> WaitGuard<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        Self { count: waiting.fetch_add(1, Ordering::Relaxed) + 1, waiting }
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a failed exchange may have reached the server.
pub(crate) fn may_have_reached(error: &SendError) -> bool {
    match error {
        SendError::Down | SendError::QueueFull | SendError::OverBudget(_) => false,
        SendError::TimedOut => true,
        SendError::Failed(error) => !error.never_sent,
    }
}
