//! One notification target: its queue, its task, its delivery attempts.

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use http::{HeaderValue, Method, Request};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{NotificationStats, Notifier};
use crate::delivery::{self, DeliveryAction, DeliveryError};
use crate::digest::{DigestBuilder, NotificationSubscription};
use crate::message::NotificationMessage;
use crate::{signature, template};
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};
use greenroom_origin::system_event::SystemEvent;

/// Queue length: max events waiting for the target's task.
const MAX_QUEUED: usize = 256;
/// Limits of one attempt: duration and response size.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Time limit of the last message at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// One notification target.
#[derive(Debug)]
pub(super) struct NotificationSender {
    settings: greenroom_config::NotificationTargetSettings,
    clock: Clock,
    probe_client: ProbeClient,
    events: mpsc::Sender<SystemEvent>,
    event_receiver: Mutex<Option<mpsc::Receiver<SystemEvent>>>,
    /// Held while a test message is sent.
    test_lock: tokio::sync::Mutex<()>,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl NotificationSender {
    pub(super) fn new(settings: greenroom_config::NotificationTargetSettings, clock: Clock) -> Self {
        let (events, receiver) = mpsc::channel(MAX_QUEUED);
        let probe_client = ProbeClient::new(ProbeTrust::system(), clock.clone(), ATTEMPT_TIMEOUT, MAX_RESPONSE_BYTES);
        Self {
            settings,
            clock,
            probe_client,
            events,
            event_receiver: Mutex::new(Some(receiver)),
            test_lock: tokio::sync::Mutex::default(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn enqueue(&self, event: SystemEvent) {
        if self.events.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn stats(&self) -> NotificationStats {
        NotificationStats {
            target: self.name().to_owned(),
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// Sends queued events, grouped, until the process stops.
    pub(super) async fn run(self: Arc<Self>, notifier: Arc<Notifier>, stop: CancellationToken) {
        let Some(mut receiver) = self.event_receiver.lock().take() else { return };
        let mut digest = DigestBuilder::new(NotificationSubscription {
            events: self.settings.events.clone(),
            window_ms: Duration::from_millis(u64::try_from(self.settings.window.as_millis()).unwrap_or(u64::MAX)),
            max_messages: self.settings.max_messages,
        });
        let mut unsent = None;
        while unsent.is_none() {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(event) = receiver.recv() => digest.record(event, self.clock.now()),
                () = self.wait_until(digest.due_ms()) => {
                    let now = self.clock.now();
                    let due = digest.drain(now).and_then(|due| notifier.share_of(due, now));
                    if let Some(due) = due {
                        let message = NotificationMessage::from_digest(due);
                        tokio::select! {
                            () = stop.cancelled() => unsent = Some(message),
                            is_delivered = self.deliver(&message) => notifier.record_delivery(self.name(), is_delivered),
                        }
                    }
                }
            }
        }
        while let Ok(event) = receiver.try_recv() {
            digest.record(event, self.clock.now());
        }
        let last = digest.drain_all(self.clock.now()).and_then(|due| notifier.share_of(due, self.clock.now()));
        let pending = unsent.into_iter().chain(last.map(NotificationMessage::from_digest));
        let send_pending = async {
            for message in pending {
                let is_delivered = self.attempt(&message).await.is_ok();
                self.count(is_delivered);
            }
        };
        let _ = self.clock.timeout(SHUTDOWN_TIMEOUT, send_pending).await; // the process ends; undelivered messages are dropped
    }

    async fn wait_until(&self, due_ms: Option<Timestamp>) {
        let Some(due_ms) = due_ms else { return std::future::pending().await };
        let wait_ms = due_ms.duration_since(self.clock.now());
        self.clock.sleep(wait_ms).await;
    }

    /// Delivers a message with retries. Returns true if it was accepted.
    async fn deliver(&self, message: &NotificationMessage) -> bool {
        for attempts in 1.. {
            let outcome = self.attempt(message).await;
            match delivery::next_action(&outcome, attempts) {
                DeliveryAction::Done => break,
                DeliveryAction::Retry(pause) => self.clock.sleep(pause).await,
                DeliveryAction::GiveUp => {
                    if let Err((error, _)) = outcome {
                        tracing::warn!(target_name = self.name(), attempts, "notification given up: {error}");
                    }
                    self.count(false);
                    return false;
                }
            }
        }
        self.count(true);
        tracing::info!(target_name = self.name(), "notification sent");
        true
    }

    /// Sends a test message once.
    pub(super) async fn send_test(&self) -> Result<(), DeliveryError> {
        let _guard = self.test_lock.try_lock().map_err(|_| DeliveryError::Busy)?;
        let outcome = self.attempt(&NotificationMessage::test()).await;
        self.count(outcome.is_ok());
        outcome.map_err(|(error, _)| error)
    }

    fn count(&self, is_delivered: bool) {
        let counter = if is_delivered { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    async fn attempt(&self, message: &NotificationMessage) -> Result<(), (DeliveryError, Option<Duration>)> {
        let settings = &self.settings;
        let now_ms = self.clock.now();
        let rendered = template::render(settings.template, message, now_ms, settings.token.as_ref());
        let mut request = Request::new(rendered.body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = settings.address.target.expose().parse().unwrap_or_default();
        request.headers_mut().extend(rendered.headers);
        let signed =
            settings.secret.as_ref().map(|secret| signature::sign(secret, now_ms.as_millis() / 1000, request.body()));
        if let Some(Ok(value)) = signed.map(HeaderValue::try_from) {
            request.headers_mut().insert(signature::HEADER, value);
        }
        let response = self.probe_client.send(&settings.address.endpoint, request).await;
        match response {
            Ok(response) => delivery::check_response(Ok(&response), now_ms),
            Err(error) => delivery::check_response(Err(error), now_ms),
        }
    }
}
