//! Notices: what a person wants to be told of at once, sent to where he reads it.
//!
//! Whoever sees something happen says a [`Fact`] ([`Notices::tell`]): the breaker, the keeper of a library, whoever
//! hears a server refuse the configured token, the disk. Nobody waits for that. Each target has a task and a bounded
//! queue of its own, so that one that hangs delays no other. What is told, when and together with what is decided by
//! [`digest`], which is pure; [`message`] puts it into words, [`template`] into the form a service takes,
//! [`signature`] proves that it came from here, and [`delivery`] decides what is done about a refusal.
//!
//! A message says names of servers, ids of libraries, and our own words: no title, no path, no token. Where it goes is
//! a secret in itself (some services take the token in the path), so only the name of the target is ever shown.

pub mod delivery;
pub mod digest;
pub mod message;
pub mod signature;
mod target;
pub mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::join_all;
use greenroom_cache::{Cache, Clock};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use delivery::Refusal;
use greenroom_origin::fact::Fact;
use greenroom_state::warnings::{Action, Warning, Warnings};
use target::Target;

/// The word of the warning that a target cannot be reached.
const UNDELIVERED: &str = "notice-undelivered";

/// Everybody who is told.
#[derive(Debug, Default)]
pub struct Notices {
    targets: Vec<Arc<Target>>,
    warnings: Arc<Warnings>,
}

/// What became of the messages to one target since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The target's name.
    pub target: String,
    /// Messages that were taken.
    pub delivered: u64,
    /// Messages that were given up.
    pub failed: u64,
    /// Facts that were not even heard because too many waited.
    pub dropped: u64,
}

impl Notices {
    /// Tells these targets. What is wrong with one of them is said as a warning.
    pub fn new(targets: Vec<greenroom_config::Notice>, clock: &Clock, warnings: &Arc<Warnings>) -> Self {
        let targets = targets.into_iter().map(|settings| Arc::new(Target::new(settings, clock.clone())));
        Self { targets: targets.collect(), warnings: Arc::clone(warnings) }
    }

    /// Something happened. Never waits; whoever cannot keep up misses it, and that is counted.
    pub fn tell(&self, fact: &Fact) {
        for target in &self.targets {
            target.hear(fact.clone());
        }
    }

    /// Sends what is told, until the process ends; what is not sent by then is tried once more.
    pub fn begin(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        for target in &self.targets {
            tasks.spawn(Arc::clone(target).keep(Arc::clone(self), stop.clone()));
        }
    }

    /// Tells of the disk tier whenever it goes off and comes back, until the process ends.
    pub async fn watch_disk(self: Arc<Self>, cache: Cache, stop: CancellationToken) {
        let Some(mut turns) = cache.disk_turns() else { return };
        let mut was_off = false;
        loop {
            let is_off = *turns.borrow_and_update();
            if is_off && !was_off {
                let reason = cache.disk_trouble().map_or("too slow", |trouble| trouble.name());
                self.tell(&Fact::DiskOff { reason: reason.into() });
            } else if was_off && !is_off {
                self.tell(&Fact::DiskBack);
            }
            was_off = is_off;
            tokio::select! {
                () = stop.cancelled() => return,
                turned = turns.changed() => if turned.is_err() { return },
            }
        }
    }

    /// Sends a message for trying it out, at once and once, to the target of this name or to all; what became of each.
    /// `None` if there is no such target.
    pub async fn test(&self, only: Option<&str>) -> Option<Vec<(String, Result<(), Refusal>)>> {
        let chosen: Vec<_> =
            self.targets.iter().filter(|target| only.is_none_or(|name| name == target.name())).collect();
        if chosen.is_empty() && only.is_some() {
            return None;
        }
        let tried = chosen.into_iter().map(async |target| {
            let outcome = target.try_out().await;
            // That somebody else is trying it says nothing of the target.
            if !matches!(outcome, Err(Refusal::Busy)) {
                self.note(target.name(), outcome.is_ok());
            }
            (target.name().to_owned(), outcome)
        });
        Some(join_all(tried).await)
    }

    /// What became of everything so far, by target.
    pub fn sent(&self) -> Vec<Sent> {
        self.targets.iter().map(|target| target.sent()).collect()
    }

    /// Whether the last message to a target was taken or given up.
    fn note(&self, target: &str, is_delivered: bool) {
        if is_delivered {
            self.warnings.keep_only(UNDELIVERED, |held| held.subject.as_deref() != Some(target));
            return;
        }
        let again = Action::new("Try it now", "POST", "notices/test").saying(json!({"target": target}));
        let text = format!("Notices do not get through to {target}.");
        let remedy = "See what is answered with: greenroom notices test. The log has it, too.";
        self.warnings.raise(Warning::notice(UNDELIVERED, text, remedy).about(target).with(Some(again)));
    }
}
