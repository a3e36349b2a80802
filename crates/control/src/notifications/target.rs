//! One who is told: its queue, its task, its attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenroom_cache::Clock;
use http::{HeaderValue, Method, Request};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::delivery::{self, Next, Refusal};
use super::message::Message;
use super::{Notices, Sent, signature, template};
use crate::notifications::digest::{Grouping, Wants};
use greenroom_origin::fact::Fact;
use greenroom_origin::probe_client::{Enquirer, Trust};

/// Facts that may wait until the task of a target hears them.
const MAX_WAITING: usize = 256;
/// How long one attempt may take, and how much of an answer is read.
const PATIENCE: Duration = Duration::from_secs(15);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long the last message may take when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// One who is told.
#[derive(Debug)]
pub(super) struct Target {
    settings: greenroom_config::Notice,
    clock: Clock,
    enquirer: Enquirer,
    facts: mpsc::Sender<Fact>,
    heard: Mutex<Option<mpsc::Receiver<Fact>>>,
    /// Held by whoever tries it out.
    trying: tokio::sync::Mutex<()>,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Target {
    pub(super) fn new(settings: greenroom_config::Notice, clock: Clock) -> Self {
        let (facts, heard) = mpsc::channel(MAX_WAITING);
        let enquirer = Enquirer::new(Trust::system(), clock.clone(), PATIENCE, MAX_ANSWER_BYTES);
        Self {
            settings,
            clock,
            enquirer,
            facts,
            heard: Mutex::new(Some(heard)),
            trying: tokio::sync::Mutex::default(),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn hear(&self, fact: Fact) {
        if self.facts.try_send(fact).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn sent(&self) -> Sent {
        Sent {
            target: self.name().to_owned(),
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// Sends what it hears, grouped, until the process ends.
    pub(super) async fn keep(self: Arc<Self>, notices: Arc<Notices>, stop: CancellationToken) {
        let Some(mut heard) = self.heard.lock().take() else { return };
        let mut grouping = Grouping::new(Wants {
            events: self.settings.events.clone(),
            window_ms: u64::try_from(self.settings.window.as_millis()).unwrap_or(u64::MAX),
            max_messages: self.settings.max_messages,
        });
        let mut unsent = None;
        while unsent.is_none() {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(fact) = heard.recv() => grouping.note(fact, self.clock.now_ms()),
                () = self.wait_until(grouping.due_ms()) => {
                    if let Some(digest) = grouping.take(self.clock.now_ms()) {
                        let message = Message::of(digest);
                        tokio::select! {
                            () = stop.cancelled() => unsent = Some(message),
                            is_delivered = self.deliver(&message) => notices.note(self.name(), is_delivered),
                        }
                    }
                }
            }
        }
        while let Ok(fact) = heard.try_recv() {
            grouping.note(fact, self.clock.now_ms());
        }
        let last = unsent.into_iter().chain(grouping.take_all(self.clock.now_ms()).map(Message::of));
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

    /// Sends a message, again and again if that may help. Returns whether it was taken.
    async fn deliver(&self, message: &Message) -> bool {
        for attempts in 1.. {
            let outcome = self.attempt(message).await;
            match delivery::next(&outcome, attempts) {
                Next::Done => break,
                Next::Again(pause) => self.clock.sleep(pause).await,
                Next::GiveUp => {
                    if let Err((refusal, _)) = outcome {
                        tracing::warn!(
                            target_name = self.name(),
                            attempts,
                            "a notice was given up: {refusal}"
                        );
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

    /// Sends a message for trying out, once.
    pub(super) async fn try_out(&self) -> Result<(), Refusal> {
        let _alone = self.trying.try_lock().map_err(|_| Refusal::Busy)?;
        let outcome = self.attempt(&Message::test()).await;
        self.count(outcome.is_ok());
        outcome.map_err(|(refusal, _)| refusal)
    }

    fn count(&self, is_delivered: bool) {
        let counter = if is_delivered { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    async fn attempt(&self, message: &Message) -> Result<(), (Refusal, Option<Duration>)> {
        let settings = &self.settings;
        let now_ms = self.clock.now_ms();
        let letter = template::write(settings.template, message, now_ms, settings.token.as_ref());
        let mut request = Request::new(letter.body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = settings.address.target.expose().parse().unwrap_or_default();
        request.headers_mut().extend(letter.headers);
        let signed =
            settings.secret.as_ref().map(|secret| signature::sign(secret, now_ms / 1000, request.body()));
        if let Some(Ok(said)) = signed.map(HeaderValue::try_from) {
            request.headers_mut().insert(signature::HEADER, said);
        }
        let answer = self.enquirer.ask(&settings.address.place, request).await;
        match answer {
            Ok(heard) => delivery::judge(Ok(&heard), now_ms),
            Err(silence) => delivery::judge(Err(silence), now_ms),
        }
    }
}
