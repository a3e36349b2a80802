//! One media server: its settings, connections, circuit breaker and counters.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use greenroom_cache::Clock;
use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::Body;
use crate::breaker::{Breaker, UpstreamOutcome};
use crate::client::{OriginClient, UpstreamError, UpstreamErrorStage, UpstreamRequestKind};
use crate::health::TtfbSamples;
use crate::scheduler::RequestQueue;
use crate::scheduler::slots::SlotLimits;
use crate::system_event::SystemEventListener;
use greenroom_state::warnings::Warnings;

/// Stands for an unknown clock difference.
pub(crate) const UNKNOWN_CLOCK: i64 = i64::MIN;

/// One configured media server, as far as requests to it need.
#[derive(Debug)]
pub struct Origin {
    /// Its settings.
    pub settings: greenroom_config::ServerSettings,
    /// The clock of the process.
    pub clock: Clock,
    /// Tracks every task started for this server.
    pub tasks: TaskTracker,
    /// Stops the tasks that do not end on their own.
    pub stop: CancellationToken,
    /// Its HTTP client.
    pub client: OriginClient,
    /// Its circuit breaker.
    pub breaker: Breaker,
    /// Its request queue.
    pub queue: Arc<RequestQueue>,
    /// Its recent times to first byte.
    pub ttfb: TtfbSamples,
    /// Its counters.
    pub counters: OriginCounters,
    /// Its warnings.
    pub warnings: Warnings,
    /// Receives its outages, recoveries, and refusals of the configured token.
    pub events: SystemEventListener,
    /// Start of this process, in milliseconds.
    pub started_ms: Timestamp,
    /// Identifies this installation to the server.
    pub(crate) device_id: String,
    /// Notifies of every response of the server.
    answers: watch::Sender<()>,
    /// Seconds by which its clock was ahead of ours at its last response.
    pub(crate) clock_ahead_s: AtomicI64,
    /// Its last reported version.
    pub(crate) version: Mutex<Option<String>>,
    /// Whether the server refused the configured token and has not accepted it since.
    pub(crate) refuses_own_token: AtomicBool,
    /// Its last identity response without a token, verbatim.
    pub(crate) identity_response: Mutex<Option<Bytes>>,
    /// Whether the server is an Emby, which is not supported.
    pub(crate) is_emby: AtomicBool,
}

/// Counters of a server.
#[derive(Debug, Default)]
pub struct OriginCounters {
    /// Own requests: refreshes, warming, events, probes.
    pub own: AtomicU64,
    /// Time of the last response, in milliseconds.
    pub last_success_ms: AtomicTimestamp,
    /// Time of the last failure, in milliseconds.
    pub last_failure_ms: AtomicTimestamp,
}

impl Origin {
    /// A server without any history.
    ///
    /// # Errors
    /// See [`OriginClient::new`].
    pub fn new(
        settings: greenroom_config::ServerSettings,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
        events: SystemEventListener,
    ) -> Result<Self, String> {
        let limits = SlotLimits::new(settings.upstream_concurrency, settings.max_waiting);
        Ok(Self {
            queue: RequestQueue::new(limits, settings.load_timeout, clock.clone()),
            client: OriginClient::new(&settings)?,
            breaker: Breaker::default(),
            ttfb: TtfbSamples::default(),
            counters: OriginCounters::default(),
            warnings: Warnings::default(),
            events,
            started_ms: clock.now(),
            device_id: format!("greenroom-{}", settings.name),
            answers: watch::Sender::new(()),
            clock_ahead_s: AtomicI64::new(UNKNOWN_CLOCK),
            version: Mutex::default(),
            refuses_own_token: AtomicBool::new(false),
            identity_response: Mutex::default(),
            is_emby: AtomicBool::new(false),
            settings,
            clock,
            tasks,
            stop,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Sends one request and reports the result to the breaker. `key` stands for the requested resource.
    ///
    /// # Errors
    /// See [`OriginClient::send`].
    pub async fn send(
        &self,
        request: Request<Body>,
        kind: UpstreamRequestKind,
        key: u64,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let began_us = self.clock.now_us();
        let result = self.client.send(request, kind).await;
        if result.is_ok() && !matches!(kind, UpstreamRequestKind::Write) {
            self.ttfb.record(self.clock.now(), self.clock.since(began_us));
        }
        let outcome = match &result {
            Ok(response) if matches!(response.status().as_u16(), 502..=504) => Some(UpstreamOutcome::Unavailable),
            Ok(_) => Some(UpstreamOutcome::Answered),
            Err(error) => match error.stage {
                UpstreamErrorStage::Connection => Some(UpstreamOutcome::Unreachable),
                UpstreamErrorStage::Response => Some(UpstreamOutcome::Answered),
                // A client that breaks off says nothing about the server.
                UpstreamErrorStage::Request => None,
            },
        };
        if let Some(outcome) = outcome {
            self.breaker.record(key, outcome, self.clock.now());
        }
        if let Ok(response) = &result {
            self.record_clock(response.headers());
            if outcome == Some(UpstreamOutcome::Answered) {
                self.answers.send_replace(());
            }
        }
        result
    }

    /// Reports every answer of the server from now on.
    pub fn answers(&self) -> watch::Receiver<()> {
        self.answers.subscribe()
    }

    /// Records that the first byte for `key` timed out.
    pub fn record_timeout(&self, key: u64) {
        self.breaker.record(key, UpstreamOutcome::TimedOut, self.clock.now());
    }

    /// Records a response.
    pub fn record_success(&self) {
        self.counters.last_success_ms.store(self.clock.now(), Ordering::Relaxed);
    }

    /// Records a failure to answer.
    pub fn record_failure(&self) {
        self.counters.last_failure_ms.store(self.clock.now(), Ordering::Relaxed);
    }

    /// Whether the last request was answered; `None` before the first.
    pub fn is_responding(&self) -> Option<bool> {
        let success = self.counters.last_success_ms.load(Ordering::Relaxed);
        let failure = self.counters.last_failure_ms.load(Ordering::Relaxed);
        if success == Timestamp::UNIX_EPOCH && failure == Timestamp::UNIX_EPOCH {
            None
        } else {
            Some(success >= failure)
        }
    }
}
