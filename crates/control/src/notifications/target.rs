//! One notification target: its queue, its task, its delivery attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use http::{HeaderValue, Method, Request};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::delivery::{self, DeliveryAction, DeliveryError};
use super::message::NotificationMessage;
use super::{NotificationStats, Notifier, signature, template};
use crate::notifications::digest::{DigestBuilder, NotificationSubscription};
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};
use greenroom_origin::system_event::SystemEvent;

/// Queue length: max events waiting for the target's task.
const MAX_WAITING: usize = 256;
/// Limits of one attempt: duration and response size.
const PATIENCE: Duration = Duration::from_secs(15);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Time limit of the last message at shutdown.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// One notification target.
#[derive(Debug)]
pub(super) struct NotificationSender {
    settings: greenroom_config::NotificationTargetSettings,
    clock: Clock,
    probe_client: ProbeClient,
    facts: mpsc::Sender<SystemEvent>,
    fact_receiver: Mutex<Option<mpsc::Receiver<SystemEvent>>>,
    /// Held while a test message is sent.
    trying: tokio::sync::Mutex<()>,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl NotificationSender {
    pub(super) fn new(settings: greenroom_config::NotificationTargetSettings, clock: Clock) -> Self {
        let (facts, heard) = mpsc::channel(MAX_WAITING);
        let enquirer = ProbeClient::new(ProbeTrust::system(), clock.clone(), PATIENCE, MAX_ANSWER_BYTES);
        Self {
            settings,
            clock,
            probe_client: enquirer,
            facts,
            fact_receiver: Mutex::new(Some(heard)),
            trying: tokio::sync::Mutex::default(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn enqueue(&self, fact: SystemEvent) {
        if self.facts.try_send(fact).is_err() {
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
    pub(super) async fn run(self: Arc<Self>, notices: Arc<Notifier>, stop: CancellationToken) {
        let Some(mut heard) = self.fact_receiver.lock().take() else { return };
        let mut grouping = DigestBuilder::new(NotificationSubscription {
            events: self.settings.events.clone(),
            window_ms: u64::try_from(self.settings.window.as_millis()).unwrap_or(u64::MAX),
            max_messages: self.settings.max_messages,
        });
        let mut unsent = None;
        while unsent.is_none() {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(fact) = heard.recv() => grouping.record(fact, self.clock.now_ms()),
                () = self.wait_until(grouping.due_ms()) => {
                    if let Some(digest) = grouping.drain(self.clock.now_ms()) {
                        let message = NotificationMessage::from_digest(digest);
                        tokio::select! {
                            () = stop.cancelled() => unsent = Some(message),
                            is_delivered = self.deliver(&message) => notices.record_delivery(self.name(), is_delivered),
                        }
                    }
                }
            }
        }
        while let Ok(fact) = heard.try_recv() {
            grouping.record(fact, self.clock.now_ms());
        }
        let last =
            unsent.into_iter().chain(grouping.drain_all(self.clock.now_ms()).map(NotificationMessage::from_digest));
        let last_words = async {
            for message in last {
                let is_delivered = self.attempt(&message).await.is_ok();
                self.count(is_delivered);
            }
        };
        drop(self.clock.timeout(LAST_WORDS, last_words).await);
    }

    async fn wait_until(&self, due_ms: Option<u64>) {
        let Some(due_ms) = due_ms else { return std::future::pending().await };
        let wait_ms = due_ms.saturating_sub(self.clock.now_ms());
        self.clock.sleep(Duration::from_millis(wait_ms)).await;
    }

    /// Delivers a message with retries. Returns true if it was accepted.
    async fn deliver(&self, message: &NotificationMessage) -> bool {
        for attempts in 1.. {
            let outcome = self.attempt(message).await;
            match delivery::next_action(&outcome, attempts) {
                DeliveryAction::Done => break,
                DeliveryAction::Retry(pause) => self.clock.sleep(pause).await,
                DeliveryAction::GiveUp => {
                    if let Err((refusal, _)) = outcome {
                        tracing::warn!(target_name = self.name(), attempts, "a notice was given up: {refusal}");
                    }
                    self.count(false);
                    return false;
                }
            }
        }
        self.count(true);
        tracing::info!(target_name = self.name(), "a notice was sent");
        true
    }

    /// Sends a test message once.
    pub(super) async fn send_test(&self) -> Result<(), DeliveryError> {
        let _alone = self.trying.try_lock().map_err(|_| DeliveryError::Busy)?;
        let outcome = self.attempt(&NotificationMessage::test()).await;
        self.count(outcome.is_ok());
        outcome.map_err(|(refusal, _)| refusal)
    }

    fn count(&self, is_delivered: bool) {
        let counter = if is_delivered { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    async fn attempt(&self, message: &NotificationMessage) -> Result<(), (DeliveryError, Option<Duration>)> {
        let settings = &self.settings;
        let now_ms = self.clock.now_ms();
        let letter = template::render(settings.template, message, now_ms, settings.token.as_ref());
        let mut request = Request::new(letter.body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = settings.address.target.expose().parse().unwrap_or_default();
        request.headers_mut().extend(letter.headers);
        let signed = settings.secret.as_ref().map(|secret| signature::sign(secret, now_ms / 1000, request.body()));
        if let Some(Ok(said)) = signed.map(HeaderValue::try_from) {
            request.headers_mut().insert(signature::HEADER, said);
        }
        let answer = self.probe_client.send(&settings.address.endpoint, request).await;
        match answer {
            Ok(heard) => delivery::check_response(Ok(&heard), now_ms),
            Err(silence) => delivery::check_response(Err(silence), now_ms),
        }
    }
}
