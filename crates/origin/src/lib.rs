//! Asking one media server: its address and the connections to it, whether it is down, which requests wait for it, and
//! what it says of itself. Nothing here knows what is cached.
//!
//! Rooms: [`client`] (the connections), [`breaker`] (whether it is down), [`scheduler`] (which request is next),
//! [`client_apps`] (the apps its queue is shared by), [`client_pattern`] (how one of them has been reading lately),
//! [`identify`] (which server answers at the address), [`login`] (getting a token of it),
//! [`anonymous_access`] (whether it answers without a token), [`own_read`] and `own_token` (requests of our own),
//! `self_description` (what it says of itself), [`health`] (how fast it answers), [`fact`] (what is worth a
//! notification), [`body`] (bodies on their way), [`response_framing`] (responses that can be read in two ways),
//! [`certificate_verifier`] and [`certificate_error`] (whose certificate is believed, and why one is not),
//! [`probe_client`] (one request to one address, with the exact reason if there is no response).

pub mod anonymous_access;
pub mod body;
pub mod breaker;
pub mod certificate_error;
pub mod certificate_verifier;
pub mod client;
pub mod client_apps;
pub mod client_pattern;
pub mod fact;
pub mod health;
pub mod identify;
pub mod login;
pub mod own_read;
mod own_token;
pub mod probe_client;
pub mod response_diff;
pub mod response_framing;
pub mod scheduler;
mod self_description;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use greenroom_cache::Clock;
use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use body::Body;
use breaker::{Breaker, Outcome};
use client::{Cause, Client, Lane, NoResponse};
use fact::FactListener;
use greenroom_state::warnings::Warnings;
use health::FirstBytes;
use scheduler::Queue;
use scheduler::slots::Limits;
use self_description::UNTOLD;

/// One configured media server, as far as it takes to ask it.
#[derive(Debug)]
pub struct Origin {
    /// What was configured.
    pub settings: greenroom_config::Server,
    /// The clock of the process.
    pub clock: Clock,
    /// Owner of every task that is started for this server.
    pub tasks: TaskTracker,
    /// Ends every task that would not end by itself.
    pub stop: CancellationToken,
    /// The connections to it.
    pub client: Client,
    /// Whether it is down.
    pub breaker: Breaker,
    /// Which request is sent next, and which has to wait.
    pub queue: Arc<Queue>,
    /// How long its answers lately took to begin.
    pub first_bytes: FirstBytes,
    /// What is counted of it.
    pub counters: Counters,
    /// What is set up badly about it.
    pub warnings: Warnings,
    /// Where it is told that it went down, came back, or refuses the configured token.
    pub facts: FactListener,
    /// When this process began to stand before it, in milliseconds.
    pub began_ms: u64,
    /// By how many seconds its clock was ahead of ours when it answered last.
    ahead_s: AtomicI64,
    /// Which version it said to be when it was asked last.
    version: Mutex<Option<String>>,
    /// The server refused the configured token, and has not accepted it since.
    refuses_own_token: AtomicBool,
    /// What it said of itself when it was asked last without a token, in its own words.
    introduction: Mutex<Option<Bytes>>,
    /// What answers there is an Emby, whose requests are not understood.
    is_emby: AtomicBool,
}

/// What is counted of a server.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests that no client caused: refreshes, warming, events, probes.
    pub own: AtomicU64,
    /// When the server last answered anything, in milliseconds.
    pub last_success_ms: AtomicU64,
    /// When the server last failed to answer, in milliseconds.
    pub last_failure_ms: AtomicU64,
}

impl Origin {
    /// A server nothing is known about yet.
    ///
    /// # Errors
    /// See [`Client::new`].
    pub fn new(
        settings: greenroom_config::Server,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
        facts: FactListener,
    ) -> Result<Self, String> {
        let limits = Limits::new(settings.upstream_concurrency, settings.max_waiting);
        Ok(Self {
            queue: Queue::new(limits, settings.load_timeout, clock.clone()),
            client: Client::new(&settings)?,
            breaker: Breaker::default(),
            first_bytes: FirstBytes::default(),
            counters: Counters::default(),
            warnings: Warnings::default(),
            facts,
            began_ms: clock.now_ms(),
            ahead_s: AtomicI64::new(UNTOLD),
            version: Mutex::default(),
            refuses_own_token: AtomicBool::new(false),
            introduction: Mutex::default(),
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

    /// Sends one request, once, and tells the breaker what came of it. `key` stands for what is asked for.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn send(
        &self,
        request: Request<Body>,
        lane: Lane,
        key: u64,
    ) -> Result<Response<Incoming>, NoResponse> {
        let began_us = self.clock.now_us();
        let answer = self.client.send(request, lane).await;
        if answer.is_ok() && matches!(lane, Lane::Read) {
            self.first_bytes.note(self.clock.now_ms(), self.clock.since(began_us));
        }
        let outcome = match &answer {
            Ok(response) if matches!(response.status().as_u16(), 502..=504) => Some(Outcome::Unwilling),
            Ok(_) => Some(Outcome::Answered),
            Err(none) => match none.cause {
                Cause::Connection => Some(Outcome::Unreachable),
                Cause::Answer => Some(Outcome::Answered),
                // A client that breaks off says nothing about the server.
                Cause::Request => None,
            },
        };
        if let Some(outcome) = outcome {
            self.breaker.note(key, outcome, self.clock.now_ms());
        }
        if let Ok(response) = &answer {
            self.note_time(response.headers());
        }
        answer
    }

    /// The first byte of an answer for `key` did not come in time.
    pub fn note_silence(&self, key: u64) {
        self.breaker.note(key, Outcome::Silent, self.clock.now_ms());
    }

    /// The server answered.
    pub fn note_success(&self) {
        self.counters.last_success_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// The server did not answer, or not as itself.
    pub fn note_failure(&self) {
        self.counters.last_failure_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// Whether the last thing heard of the server was an answer; `None` before anything was heard.
    pub fn is_well(&self) -> Option<bool> {
        let success = self.counters.last_success_ms.load(Ordering::Relaxed);
        let failure = self.counters.last_failure_ms.load(Ordering::Relaxed);
        if success == 0 && failure == 0 { None } else { Some(success >= failure) }
    }
}
