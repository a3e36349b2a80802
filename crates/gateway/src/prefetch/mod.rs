//! Prefetch: after an answer has left, what its client is likely to ask next is loaded, if nothing speaks against it.
//!
//! Rooms: [`farewell`] (notices that an answer has left), [`mod@line`] (what waits here, boundedly), [`guests`] (what was
//! learnt of whom), [`round`] (the loads after one answer), [`ahead`] (one of them), [`judgement`] (whether it may be,
//! and why not), [`budget`] and [`pause`] (how many, and when again), [`tally`] (what was counted).
//!
//! What is likely the dialects say: [`greenroom_upstream::sequel`]. Nothing here delays an answer or a client's load:
//! answers are looked at after their last byte, by a task of the server's own; a load starts only on a place in the
//! queue that nobody waits for, and leaves one free. It is the client's own load in every other respect: its token,
//! its partition, its proof. The credential is held for the round only.

pub mod ahead;
pub mod budget;
pub mod farewell;
pub mod guests;
pub mod judgement;
pub mod line;
pub mod pause;
pub mod round;
pub mod tally;

use std::sync::Arc;

use bytes::Bytes;
use greenroom_upstream::credential::Secret;
use greenroom_upstream::sequel::habits::Limits;
use greenroom_upstream::sequel::{self, Asker};
use greenroom_upstream::verdict::Read;
use parking_lot::Mutex;

use crate::config;
use crate::proxy::meaning::Meaning;
use crate::server::Server;
use budget::Budget;
use guests::{Guest, Guests};
use judgement::Skip;
use line::Line;
use pause::Pause;
use round::Round;
use tally::Tally;

/// Answers that may wait to be looked at; beyond, the oldest is forgotten.
const MAX_HEARD: usize = 64;
/// Rounds that may wait; beyond, the oldest is dropped.
const MAX_ROUNDS: usize = 8;

/// The prefetch of one server.
#[derive(Debug)]
pub struct Prefetch {
    heard: Line<Heard>,
    rounds: Line<Round>,
    guests: Guests,
    budget: Mutex<Budget>,
    pause: Mutex<Pause>,
    /// What was counted.
    pub tally: Tally,
}

/// An answer that has left.
pub struct Heard {
    /// Who was answered, with which app.
    pub meaning: Arc<Meaning>,
    /// What was asked.
    pub read: Arc<Read>,
    /// The answer.
    pub body: Bytes,
    /// When it left.
    pub at_ms: u64,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Heard({})", self.read.class.name())
    }
}

impl Prefetch {
    /// For a server with these settings.
    pub fn new(settings: &config::Prefetch) -> Self {
        Self {
            heard: Line::new(MAX_HEARD),
            rounds: Line::new(MAX_ROUNDS),
            guests: Guests::default(),
            budget: Mutex::new(Budget::new(settings.budget_per_minute)),
            pause: Mutex::default(),
            tally: Tally::default(),
        }
    }

    /// Answers that wait to be looked at.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.heard.len()
    }

    /// An answer has left.
    pub fn hear(&self, heard: Heard) {
        if self.heard.push(heard).is_some() {
            self.tally.unheard();
        }
    }
}

/// Looks at answers that have left, and runs the rounds that come of them, until the process ends. Does nothing where
/// prefetch is off.
pub async fn keep(server: Arc<Server>) {
    if !server.settings.prefetch.enabled {
        return;
    }
    tokio::select! {
        () = server.stop.cancelled() => {}
        () = listen(&server) => {}
        () = work(&server) => {}
    }
}

async fn listen(server: &Server) {
    loop {
        let heard = server.prefetch.heard.oldest().await;
        learn(server, &heard);
        // Many may have come at once, and others have work to do as well.
        tokio::task::yield_now().await;
    }
}

/// The newest first: that is where the client is now.
async fn work(server: &Arc<Server>) {
    loop {
        let round = server.prefetch.rounds.newest().await;
        round.run(server).await;
    }
}

/// Learns from what was asked, and makes a round of what is likely to be asked next.
fn learn(server: &Server, heard: &Heard) {
    let Heard { meaning, read, body, at_ms } = heard;
    let (kind, settings) = (server.settings.kind, &server.settings.prefetch);
    if meaning.identity.is_forgotten() || meaning.identity.is_refused() {
        return;
    }
    let guest = Guest::new(meaning);
    let account = meaning.identity.account();
    let token = meaning.credential.token.as_ref().map(Secret::expose);
    let asker = Asker { own_user: account.as_deref(), token };
    let limits = Limits { most: settings.max_per_answer, classes: &settings.classes };
    let expected = server.prefetch.guests.with(&guest, *at_ms, |habits| {
        habits.learn(kind, read);
        habits.show(kind, read, body, asker, limits)
    });
    if expected.is_empty() {
        return;
    }
    let round = Round { guest, meaning: Arc::clone(meaning), expected, at_ms: *at_ms };
    if let Some(dropped) = server.prefetch.rounds.push(round) {
        server.prefetch.tally.skip(Skip::Overtaken, dropped.expected.len());
    }
}

/// Whether answers to this read are looked at.
fn concerns(server: &Server, meaning: &Meaning, read: &Read) -> bool {
    server.settings.prefetch.enabled && !meaning.identity.is_anonymous() && sequel::concerns(read.class)
}
