//! Settings that all gateways of a store share: a hash of fields and values, which the process reads and writes as it
//! likes. The first gateway that finds none gives its own. A change is announced as an invalidation, so every gateway
//! that is alive has taken it over when it is acknowledged.

use std::collections::BTreeMap;

use greenroom_cache::{Cache, Invalidation};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::connection::explain;
use crate::peer_news::{NewsBatch, settings_scope};
use crate::scripts;
use crate::store::RedisStore;

/// Field of the hash that says how the others are to be read.
const FORMAT_FIELD: &str = "format";

/// Settings by field.
pub type SharedSettings = BTreeMap<String, String>;

/// Changes of settings by field; `None` removes one.
pub type SettingsChanges = BTreeMap<String, Option<String>>;

/// State that keeps changes in order.
#[derive(Debug, Default)]
pub struct SettingsSync {
    /// Held from a change here until the store has it, and while the store's settings are taken over.
    pub lock: tokio::sync::Mutex<()>,
    /// Changes that the store does not have yet.
    pub unpublished: Mutex<SettingsChanges>,
}

/// A change of settings in progress.
#[derive(Debug)]
pub struct SettingsTransaction<'a> {
    /// Held until it has ended.
    pub guard: tokio::sync::MutexGuard<'a, ()>,
    /// Settings before the change.
    pub before: SharedSettings,
}

impl RedisStore {
    /// Whether other gateways share the store.
    pub fn is_shared(&self) -> bool {
        self.settings.shared
    }

    /// Announcements of other gateways beside invalidations of entries. `None` if there is a receiver already.
    pub fn subscribe(&self) -> Option<mpsc::Receiver<NewsBatch>> {
        self.news.subscribe()
    }

    /// The settings of all gateways; if the store has none yet, it gets these.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn join_settings(&self, own: &SharedSettings) -> Result<SharedSettings, String> {
        let fields = own.iter().map(|(field, value)| (field.as_str(), value.as_str()));
        self.run_settings("join", fields).await
    }

    /// Changes settings, field by field; `None` removes one. Returns all of them. [`announce_settings`] tells the
    /// others.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn change_settings(&self, changes: &SettingsChanges) -> Result<SharedSettings, String> {
        let fields = changes.iter().map(|(field, value)| (field.as_str(), value.as_deref().unwrap_or_default()));
        self.run_settings("change", fields).await
    }

    async fn run_settings<'a>(
        &self,
        what: &'a str,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<SharedSettings, String> {
        let Some(mut open) = self.opened() else { return Err("the remote store is away".into()) };
        let arguments: Vec<&str> =
            std::iter::once(what).chain(fields.flat_map(|(field, value)| [field, value])).collect();
        let keys = [self.agreement_key("settings")];
        let all: Vec<String> =
            scripts::run(&open.scripts.settings, &mut open.connection, &keys, &arguments).await.map_err(explain)?;
        let pairs = all.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        Ok(pairs.filter(|(field, _)| field != FORMAT_FIELD).collect())
    }
}

/// Tells the other gateways that settings changed, and waits until those that are alive have taken them over. False if
/// that could not be established in time.
pub async fn announce_settings(cache: &Cache) -> bool {
    cache.invalidate(&settings_scope(), &Invalidation::mark_stale());
    cache.flush_invalidations().await
}

/// The changes that lead from one state to the other.
pub fn difference(before: &SharedSettings, after: &SharedSettings) -> SettingsChanges {
    let changed = after.iter().filter(|(field, value)| before.get(*field) != Some(value));
    let removed = before.keys().filter(|field| !after.contains_key(*field));
    let changed = changed.map(|(field, value)| (field.clone(), Some(value.clone())));
    removed.map(|field| (field.clone(), None)).chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(fields: &[(&str, &str)]) -> SharedSettings {
        fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_change_names_what_came_what_changed_and_what_went() {
        let before = settings(&[("same", "1"), ("changed", "1"), ("gone", "1")]);
        let after = settings(&[("same", "1"), ("changed", "2"), ("new", "1")]);
        let expected = [("changed", Some("2")), ("gone", None), ("new", Some("1"))];
        let expected = expected.map(|(field, value)| (field.to_owned(), value.map(str::to_owned)));
        assert_eq!(difference(&before, &after), SettingsChanges::from(expected));
    }
}
