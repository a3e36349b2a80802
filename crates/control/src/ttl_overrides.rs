//! TTL overrides, changed at runtime.

use std::sync::Arc;

use greenroom_dialect::class::Class;
use greenroom_proxy::server::Server;
use greenroom_proxy::ttl_overrides::TtlOverride;
use greenroom_remote_store::shared_settings::SettingsChanges;

use crate::control::ControlPlane;
use crate::error::Problem;

impl ControlPlane {
    /// Overrides one request type or all, on one server or on all. If it cannot be persisted, nothing changes.
    pub async fn set_overrides(
        &self,
        server_name: Option<&str>,
        class: Option<Class>,
        change: impl Fn(TtlOverride) -> TtlOverride + Send + Sync + 'static,
    ) -> Result<(), Problem> {
        self.check_server(server_name)?;
        let classes = Class::EVERY.into_iter().filter(|candidate| class.is_none_or(|class| class == *candidate));
        let classes: Vec<Class> = classes.collect();
        let servers: Vec<Arc<Server>> = self.select_servers(server_name).cloned().collect();
        let Some(store) = self.ttl_overrides.clone().filter(|_| !servers.is_empty()) else {
            for (server, class) in servers.iter().flat_map(|server| classes.iter().map(move |class| (server, *class))) {
                server.ttl_overrides.set(class, change(server.ttl_overrides.get(class)));
            }
            return Ok(());
        };
        let transaction = self.begin_settings_change().await;
        // Serialised, so that the stored overrides match the active ones.
        let lock = Arc::clone(&store.lock);
        let guard = lock.lock().await;
        let with_classes =
            |server: &Arc<Server>| classes.iter().map(|class| (server.name().to_owned(), *class)).collect();
        let targets: Vec<(String, Class)> = servers.iter().flat_map::<Vec<_>, _>(with_classes).collect();
        let file_work = store.file_work.clone();
        let changed = file_work.run(move || store.change(&targets, change)).await;
        let changed = changed.unwrap_or_else(|error| Err(error.to_string())).map_err(|reason| {
            tracing::warn!(reason, "TTL policies not changed: they cannot be saved");
            Problem::TTL_NOT_SAVED
        })?;
        for (name, class, new) in changed {
            if let Some(server) = servers.iter().find(|server| server.name() == name) {
                server.ttl_overrides.set(class, new);
            }
        }
        drop(guard);
        self.end_settings_change(transaction, SettingsChanges::new()).await;
        Ok(())
    }
}
