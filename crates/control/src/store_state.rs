//! The state of the remote store, and the warnings about it.

use greenroom_remote_store::{StoreState, StoreStatus};
use greenroom_state::warnings::{Severity, Warning};

use crate::control::ControlPlane;

impl ControlPlane {
    /// The remote store at this moment, if there is one.
    pub fn store_status(&self) -> Option<StoreStatus> {
        self.remote_store.as_ref().map(|store| store.status(self.cache.is_trusted()))
    }

    /// Warnings about the remote store.
    pub(crate) fn store_warnings(&self) -> Vec<Warning> {
        self.store_status().map(|status| warnings(&status)).unwrap_or_default()
    }
}

fn warnings(status: &StoreStatus) -> Vec<Warning> {
    let warning = |code, severity, text: String, remedy: String| Warning {
        code,
        severity,
        action: None,
        subject: None,
        text: text.into(),
        remedy: remedy.into(),
    };
    let mut all = Vec::new();
    match &status.state {
        StoreState::Away(reason) => all.push(warning(
            "remote-store-away",
            Severity::Notice,
            format!("The remote store cannot be used ({reason}); requests are still answered."),
            "Start it, or correct the table store.redis. It is retried automatically.".into(),
        )),
        StoreState::Taken { by } => all.push(warning(
            "remote-store-taken",
            Severity::Urgent,
            format!(
                "The gateway {by} uses the prefix {} of the remote store; this one runs without it.",
                status.prefix
            ),
            "Give each gateway its own store.redis.prefix, or set store.redis.shared = true on all of them, with one \
             cluster key. A gateway whose data directory was copied needs an empty one."
                .into(),
        )),
        StoreState::OtherKey { of } => all.push(warning(
            "remote-store-other-key",
            Severity::Urgent,
            format!(
                "The gateway {of} shares the prefix {} of the remote store with another cluster key; this one runs \
                 without it.",
                status.prefix
            ),
            "Give all gateways the same store.redis.cluster_key_file. To change the key, stop all of them first."
                .into(),
        )),
        StoreState::Connecting | StoreState::Connected => {}
    }
    if status.max_bytes > 0 && status.eviction_policy == "noeviction" {
        all.push(warning(
            "remote-store-noeviction",
            Severity::Notice,
            "The remote store refuses new answers when it is full.".into(),
            "Set its maxmemory-policy to allkeys-lru.".into(),
        ));
    }
    all
}
