//! Settings that all gateways of a store share: a hash of fields and values, which the process reads and writes as it
//! likes. The first gateway that finds none gives its own. A change is announced as an invalidation, so every gateway
//! that is alive has taken it over when it is acknowledged.

use std::collections::BTreeMap;

use greenroom_cache::{Cache, Invalidation};
use tokio::sync::mpsc;

use crate::connection::explain;
use crate::peer_news::{NewsBatch, settings_scope};
use crate::scripts;
use crate::store::RedisStore;

/// Field of the hash that says how the others are to be read.
const FORMAT_FIELD: &str = "format";

/// Settings by field.
pub type SharedSettings = BTreeMap<String, String>;

impl RedisStore {
    /// Whether other gateways share the store.
    pub fn is_shared(&self) -> bool {
        self.settings.shared
    }

    /// What other gateways announce beside invalidations of entries. `None` if someone listens already.
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

    /// Changes settings, field by field; `None` removes one. Returns all of them. [`announce_settings`] tells the others.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn change_settings(&self, changes: &BTreeMap<String, Option<String>>) -> Result<SharedSettings, String> {
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
