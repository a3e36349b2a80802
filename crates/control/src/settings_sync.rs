//! The order of changes to settings that gateways share.

use std::collections::BTreeMap;

use greenroom_remote_store::shared_settings::SharedSettings;
use parking_lot::Mutex;

/// Changes of settings by field; `None` removes one.
pub(crate) type SettingsChanges = BTreeMap<String, Option<String>>;

/// What keeps changes in order.
#[derive(Debug, Default)]
pub(crate) struct SettingsSync {
    /// Held from a change here until the store has it, and while the store's settings are taken over.
    pub(crate) lock: tokio::sync::Mutex<()>,
    /// Changes that the store does not have yet.
    pub(crate) unpublished: Mutex<SettingsChanges>,
}

/// A change of settings in progress.
pub(crate) struct SettingsTransaction<'a> {
    /// Held until it has ended.
    #[expect(dead_code, reason = "held, not read")]
    pub(crate) guard: tokio::sync::MutexGuard<'a, ()>,
    /// Settings before the change.
    pub(crate) before: SharedSettings,
}
