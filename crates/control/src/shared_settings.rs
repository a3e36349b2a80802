//! Settings that gateways with one remote store have in common: bypasses, TTL overrides, pins and rejections of
//! matches, and changes of mode. Each is a field of one hash in the store, so changes at two gateways meet without a
//! loss. A change is stored here and there before its caller is answered, and every live gateway has it by then.
//!
//! What is changed while the store is away counts here at once, and is handed over when it is back.

use std::collections::BTreeSet;
use std::sync::Arc;

use greenroom_cache::Scope;
use greenroom_config::CacheMode;
use greenroom_dialect::class::Class;
use greenroom_proxy::server::Server;
use greenroom_proxy::ttl_overrides::{MAX_S, TtlOverride};
use greenroom_remote_store::RedisStore;
use greenroom_remote_store::peer_news::{NewsBatch, PeerNews};
use greenroom_remote_store::shared_settings::{
    SettingsChanges, SettingsTransaction, SharedSettings, announce_settings, difference,
};
use greenroom_state::bypass::Bypass;
use greenroom_sync::matching::overrides::{ExportedMatchOverride, MatchOverrideKind};
use greenroom_sync::matching::overrides_store::OverrideFilter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::control::ControlPlane;

const BYPASS: &str = "bypass:";
const TTL: &str = "ttl:";
const MODE: &str = "mode:";
const PIN: &str = "pin:";
/// Pins read at a time.
const PAGE_SIZE: usize = 500;

impl ControlPlane {
    fn shared_store(&self) -> Option<&Arc<RedisStore>> {
        self.remote_store.as_ref().filter(|store| store.is_shared())
    }

    /// Begins a change of settings; `None` where they are not shared.
    pub async fn begin_settings_change(&self) -> Option<SettingsTransaction<'_>> {
        self.shared_store()?;
        let guard = self.settings_sync.lock.lock().await;
        Some(SettingsTransaction { guard, before: self.own_settings().await })
    }

    /// Ends a change: the store gets what is different now, and `more`, and the other gateways are told.
    pub async fn end_settings_change(&self, change: Option<SettingsTransaction<'_>>, more: SettingsChanges) {
        let (Some(transaction), Some(store)) = (change, self.shared_store()) else { return };
        let mut changes = difference(&transaction.before, &self.own_settings().await);
        changes.extend(more);
        if changes.is_empty() {
            return;
        }
        self.settings_sync.unpublished.lock().extend(changes);
        let is_published = self.publish(store).await;
        // Others must be able to take over settings while this gateway waits for them to do so.
        drop(transaction);
        if is_published {
            announce_settings(&self.cache).await;
        }
    }

    /// Writes to the store what it does not have. True if it has all.
    async fn publish(&self, store: &RedisStore) -> bool {
        let changes = self.settings_sync.unpublished.lock().clone();
        match store.change_settings(&changes).await {
            Ok(_) => {
                let mut unpublished = self.settings_sync.unpublished.lock();
                unpublished.retain(|field, value| changes.get(field) != Some(value));
                true
            }
            Err(reason) => {
                tracing::warn!(reason, "the other gateways learn of this change when the remote store is back");
                false
            }
        }
    }

    /// Takes over the settings of the store, after it has handed over its own changes.
    async fn take_over_settings(&self, takeover: SettingsTakeover) {
        let Some(store) = self.shared_store() else { return };
        let guard = self.settings_sync.lock.lock().await;
        let own = self.own_settings().await;
        let has_changes = !self.settings_sync.unpublished.lock().is_empty();
        let is_published = has_changes && self.publish(store).await;
        match store.join_settings(&own).await {
            Ok(settings) => self.adopt(&own, &settings, takeover).await,
            Err(reason) => tracing::warn!(reason, "settings of the other gateways cannot be read"),
        }
        drop(guard);
        if is_published {
            // Waits for the others, which may wait for this gateway: not within what they wait for.
            let cache = self.cache.clone();
            self.tasks.spawn(async move { announce_settings(&cache).await });
        }
    }

    /// Settings as they are here. Modes are absent: they last until a restart.
    async fn own_settings(&self) -> SharedSettings {
        let mut settings = SharedSettings::new();
        for bypass in self.bypasses() {
            settings.extend(serde_json::to_string(&bypass).map(|text| (format!("{BYPASS}{text}"), "1".to_owned())));
        }
        for server in self.select_servers(None) {
            for class in Class::EVERY {
                let set = server.ttl_overrides.get(class);
                if set != TtlOverride::default() {
                    let numbers = serde_json::to_string(&set.numbers()).unwrap_or_default();
                    settings.insert(format!("{TTL}{}:{}", class.name(), server.name()), numbers);
                }
            }
        }
        settings.extend(self.own_pins().await.into_iter().map(|(field, _, value)| (field, value)));
        settings
    }

    /// Pins and rejections: field, id here, and value.
    async fn own_pins(&self) -> Vec<(String, i64, String)> {
        let mut pins = Vec::new();
        for kind in [MatchOverrideKind::Pin, MatchOverrideKind::Rejection] {
            let filter = OverrideFilter { library: None, kind: Some(kind) };
            let mut after = 0;
            // Without a store of matches there are none.
            while let Ok(page) = self.playlists.matching.list_overrides(filter.clone(), after, PAGE_SIZE).await {
                let Some(last) = page.last() else { break };
                after = last.id;
                pins.extend(
                    page.iter().filter_map(|pin| pin_field(&pin.into()).map(|(field, value)| (field, pin.id, value))),
                );
            }
        }
        pins
    }

    async fn adopt(&self, own: &SharedSettings, settings: &SharedSettings, takeover: SettingsTakeover) {
        self.adopt_bypasses(settings).await;
        self.adopt_ttl_overrides(settings).await;
        self.adopt_pins(own, settings).await;
        if takeover == SettingsTakeover::WithoutModes {
            return;
        }
        for server in self.select_servers(None) {
            let mode = settings.get(&mode_field(server)).and_then(|name| parse_mode(name));
            if mode.is_some_and(|mode| server.modes.switch.mode() != mode && server.set_mode(mode)) {
                tracing::info!(server = server.name(), "cache mode changed by another gateway");
            }
        }
    }

    async fn adopt_bypasses(&self, settings: &SharedSettings) {
        let Some(server) = self.select_servers(None).next() else { return };
        let texts = settings.keys().filter_map(|field| field.strip_prefix(BYPASS));
        let new: Vec<Bypass> = texts.filter_map(|text| serde_json::from_str(text).ok()).collect();
        let bypasses = Arc::clone(&server.modes.bypasses);
        if as_set(&new) == as_set(&bypasses.list()) {
            return;
        }
        let file_work = bypasses.file_work.clone();
        match file_work.run(move || bypasses.replace(new)).await {
            Ok(Ok(_)) => tracing::info!("bypasses changed by another gateway"),
            other => tracing::warn!(?other, "bypasses of another gateway cannot be saved"),
        }
    }

    async fn adopt_ttl_overrides(&self, settings: &SharedSettings) {
        let Some(store) = self.ttl_overrides.clone() else { return };
        for server in self.select_servers(None) {
            for class in Class::EVERY {
                let field = format!("{TTL}{}:{}", class.name(), server.name());
                let new = settings.get(&field).map_or(TtlOverride::default(), |numbers| parse_override(numbers));
                if new == server.ttl_overrides.get(class) {
                    continue;
                }
                let lock = Arc::clone(&store.lock);
                let _guard = lock.lock().await;
                let (target, writer) = ((server.name().to_owned(), class), store.clone());
                let written = store.file_work.run(move || writer.change(&[target], |_| new)).await;
                if !matches!(written, Ok(Ok(_))) {
                    tracing::warn!(class = class.name(), "a TTL override of another gateway cannot be saved");
                }
                server.ttl_overrides.set(class, new);
            }
        }
    }

    async fn adopt_pins(&self, own: &SharedSettings, settings: &SharedSettings) {
        let is_new = |field: &str| field.starts_with(PIN) && !own.contains_key(field);
        let texts = settings.iter().filter(|(field, _)| is_new(field)).map(|(_, value)| value);
        let new: Vec<ExportedMatchOverride> = texts.filter_map(|text| serde_json::from_str(text).ok()).collect();
        let matching = &self.playlists.matching;
        if own.keys().any(|field| field.starts_with(PIN) && !settings.contains_key(field)) {
            let pins = self.own_pins().await.into_iter();
            let gone = pins.filter(|(field, ..)| !settings.contains_key(field)).map(|(_, id, _)| id).collect();
            if matching.remove_overrides(gone).await.is_err() {
                tracing::warn!("pins that another gateway removed cannot be removed");
            }
        }
        if !new.is_empty() && matching.import_overrides(new).await.is_err() {
            tracing::warn!("pins of another gateway cannot be saved");
        }
    }

    /// The revocations of other gateways are unknown: every token must be accepted once more. In an outage its grants
    /// still hold.
    async fn expire_grants(&self) {
        for server in self.select_servers(None) {
            server.identities.all().iter().for_each(|identity| identity.expire_grants());
            server.identities.revocations().flush_grants().await;
        }
    }

    /// Ends the grants that rested on what another gateway purged, and waits until that is stored.
    async fn end_grants(&self, purged: &Scope) {
        let name = match purged {
            Scope::Partition { namespace, .. } | Scope::Namespace(namespace) => Some(namespace.as_str()),
            _ => None,
        };
        for server in self.select_servers(name) {
            match purged {
                Scope::Partition { partition, .. } => server.identities.refuse_partition(partition),
                _ => server.identities.refuse_all(),
            }
            server.identities.revocations().flush_grants().await;
        }
    }
}

/// Follows what other gateways announce beside invalidations, until `stop`.
pub async fn follow_peers(control: Arc<ControlPlane>, mut news: mpsc::Receiver<NewsBatch>, stop: CancellationToken) {
    loop {
        let batch = tokio::select! {
            batch = news.recv() => batch,
            () = stop.cancelled() => return,
        };
        let Some(batch) = batch else { return };
        for one in &batch.news {
            match one {
                PeerNews::Joined | PeerNews::SettingsChanged => {}
                PeerNews::Missed => control.expire_grants().await,
                PeerNews::Purged(scope) => control.end_grants(scope).await,
            }
        }
        if let Some(takeover) = settings_takeover(&batch.news) {
            control.take_over_settings(takeover).await;
        }
        let _ = batch.stored.send(()); // The session may have ended.
    }
}

/// Settings of the store to take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SettingsTakeover {
    /// All: another gateway changed one while this one listened.
    Whole,
    /// All but modes, which last until a restart: this gateway was away.
    WithoutModes,
}

/// The settings to take over after these announcements, in their order.
fn settings_takeover(news: &[PeerNews]) -> Option<SettingsTakeover> {
    news.iter().rev().find_map(|one| match one {
        PeerNews::SettingsChanged => Some(SettingsTakeover::Whole),
        PeerNews::Joined => Some(SettingsTakeover::WithoutModes),
        PeerNews::Missed | PeerNews::Purged(_) => None,
    })
}

/// Fields of a change of mode, for the servers it concerns.
pub fn mode_changes<'a>(servers: impl Iterator<Item = &'a Arc<Server>>, mode: CacheMode) -> SettingsChanges {
    servers.map(|server| (mode_field(server), Some(mode.name().to_owned()))).collect()
}

fn mode_field(server: &Server) -> String {
    format!("{MODE}{}", server.name())
}

/// A bypass is a field of its own.
fn parse_mode(name: &str) -> Option<CacheMode> {
    CacheMode::parse(name).filter(|mode| *mode != CacheMode::Bypass)
}

/// Numbers out of bounds are as if they were not set.
fn parse_override(text: &str) -> TtlOverride {
    let numbers: [Option<u32>; 4] = serde_json::from_str(text).unwrap_or_default();
    TtlOverride::from_numbers(numbers.map(|number| number.filter(|number| *number <= MAX_S)))
}

/// Field and value of a pin. The key of its item is no part of the field: each gateway follows its item by itself.
fn pin_field(pin: &ExportedMatchOverride) -> Option<(String, String)> {
    let value = serde_json::to_string(pin).ok()?;
    let keyless = ExportedMatchOverride { key: String::new(), ..pin.clone() };
    Some((format!("{PIN}{}", serde_json::to_string(&keyless).ok()?), value))
}

fn as_set(bypasses: &[Bypass]) -> BTreeSet<String> {
    bypasses.iter().filter_map(|bypass| serde_json::to_string(bypass).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_this_gateway_joined_is_taken_over_with_its_modes() {
        use PeerNews::{Joined, Missed, SettingsChanged};
        for (news, expected) in [
            (&[][..], None),
            (&[Missed], None),
            (&[Joined, Missed], Some(SettingsTakeover::WithoutModes)),
            (&[SettingsChanged], Some(SettingsTakeover::Whole)),
            (&[Joined, SettingsChanged, Missed], Some(SettingsTakeover::Whole)),
            (&[SettingsChanged, Joined], Some(SettingsTakeover::WithoutModes)),
        ] {
            assert_eq!(settings_takeover(news), expected, "{news:?}");
        }
    }

    #[test]
    fn values_of_a_store_that_make_no_sense_set_nothing() {
        for text in ["", "[1]", "[4294967295,null,null,null]", "{}", "[null,null,null,-1]"] {
            assert_eq!(parse_override(text), TtlOverride::default(), "{text}");
        }
        assert_eq!(parse_override("[5,null,0,null]").numbers(), [Some(5), None, Some(0), None]);
        assert_eq!((parse_mode("bypass"), parse_mode("observe")), (None, Some(CacheMode::Observe)));
    }
}
