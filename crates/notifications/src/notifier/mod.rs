//! Sends notifications to all targets.

mod target;

use std::sync::Arc;

use futures_util::future::join_all;
use greenroom_cache::remote::{ClusterRole, Leadership};
use greenroom_cache::{Cache, Clock, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use greenroom_origin::system_event::SystemEvent;
use greenroom_state::warnings::{Warning, WarningAction, Warnings};
use target::NotificationSender;

use crate::delivery::DeliveryError;
use crate::digest::Digest;

/// Code of the warning for an unreachable target.
const UNDELIVERED: &str = "notice-undelivered";

/// Sends notifications to all targets.
#[derive(Debug, Default)]
pub struct Notifier {
    targets: Vec<Arc<NotificationSender>>,
    warnings: Arc<Warnings>,
    leadership: Leadership,
}

/// Delivery statistics of one target since start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationStats {
    /// The target's name.
    pub target: String,
    /// Messages delivered.
    pub delivered: u64,
    /// Messages given up.
    pub failed: u64,
    /// Events dropped because the target's queue was full.
    pub dropped: u64,
}

impl Notifier {
    /// A notifier for these targets. A target that fails raises a warning.
    pub fn new(
        targets: Vec<greenroom_config::NotificationTargetSettings>,
        clock: &Clock,
        warnings: &Arc<Warnings>,
    ) -> Self {
        let targets = targets.into_iter().map(|settings| Arc::new(NotificationSender::new(settings, clock.clone())));
        let (targets, warnings) = (targets.collect(), Arc::clone(warnings));
        Self { targets, warnings, leadership: Leadership::without_peers() }
    }

    /// Of several gateways, only the leader tells about servers. While none is known to lead, each does.
    #[must_use]
    pub fn with_leadership(self, leadership: Leadership) -> Self {
        Self { leadership, ..self }
    }

    /// The part of a digest that this gateway sends.
    fn share_of(&self, digest: Digest, now: Timestamp) -> Option<Digest> {
        match self.leadership.role(now) {
            ClusterRole::Leader | ClusterRole::Unknown => Some(digest),
            ClusterRole::Follower => digest.for_follower(),
        }
    }

    /// Reports an event. Never waits; a target with a full queue misses it, which is counted.
    pub fn notify(&self, event: &SystemEvent) {
        for target in &self.targets {
            target.enqueue(event.clone());
        }
    }

    /// Sends notifications until the process stops; pending ones are then tried once more.
    pub fn start(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        for target in &self.targets {
            tasks.spawn(Arc::clone(target).run(Arc::clone(self), stop.clone()));
        }
    }

    /// Reports when the disk tier turns off and on, until the process stops.
    pub async fn watch_disk(self: Arc<Self>, cache: Cache, stop: CancellationToken) {
        let Some(mut health) = cache.subscribe_disk_health() else { return };
        let mut was_off = false;
        loop {
            let is_off = *health.borrow_and_update();
            if is_off && !was_off {
                let reason = cache.disk_error().map_or("too slow", |error| error.name());
                self.notify(&SystemEvent::DiskOff { reason: reason.into() });
            } else if was_off && !is_off {
                self.notify(&SystemEvent::DiskBack);
            }
            was_off = is_off;
            tokio::select! {
                () = stop.cancelled() => return,
                changed = health.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Sends one test message at once, without retries, to the target of this name or to all. Returns the result of
    /// each, or `None` if there is no such target.
    pub async fn test(&self, target_name: Option<&str>) -> Option<Vec<(String, Result<(), DeliveryError>)>> {
        let selected: Vec<_> =
            self.targets.iter().filter(|target| target_name.is_none_or(|name| name == target.name())).collect();
        if selected.is_empty() && target_name.is_some() {
            return None;
        }
        let results = selected.into_iter().map(async |target| {
            let outcome = target.send_test().await;
            // A concurrent test says nothing about the target.
            if !matches!(outcome, Err(DeliveryError::Busy)) {
                self.record_delivery(target.name(), outcome.is_ok());
            }
            (target.name().to_owned(), outcome)
        });
        Some(join_all(results).await)
    }

    /// Delivery statistics by target.
    pub fn stats(&self) -> Vec<NotificationStats> {
        self.targets.iter().map(|target| target.stats()).collect()
    }

    /// Records whether the last message to a target was delivered or given up.
    fn record_delivery(&self, target: &str, is_delivered: bool) {
        if is_delivered {
            self.warnings.retain(UNDELIVERED, |warning| warning.subject.as_deref() != Some(target));
            return;
        }
        let action = WarningAction::new("Try it now", "POST", "notices/test").with_body(json!({"target": target}));
        let text = format!("Notifications to {target} cannot be delivered.");
        let remedy = "Run greenroom notices test to see the response; the log shows it as well.";
        self.warnings.raise(Warning::notice(UNDELIVERED, text, remedy).about(target).with(Some(action)));
    }
}
