//! Cache modes and bypasses, changed at runtime.

use std::sync::Arc;

use greenroom_config::CacheMode;
use greenroom_remote_store::shared_settings::SettingsChanges;
use greenroom_state::bypass::{Bypass, BypassError, Bypasses};

use crate::class_name::check_class;
use crate::control::ControlPlane;
use crate::error::Problem;
use crate::shared_settings::mode_changes;

impl ControlPlane {
    /// Sets the mode of one server or all. This ends a bypass of the whole server.
    pub async fn set_mode(&self, server_name: Option<&str>, mode: CacheMode) -> Result<(), Problem> {
        self.check_server(server_name)?;
        let whole_server = Bypass { server: server_name.map(str::to_owned), ..Bypass::default() };
        match mode {
            // A bypass is stored and survives a restart; a mode lasts until the restart.
            CacheMode::Bypass => return self.bypass(whole_server).await,
            CacheMode::Cache | CacheMode::Observe => self.remove_bypass(whole_server).await?,
        }
        let transaction = self.begin_settings_change().await;
        for server in self.select_servers(server_name) {
            if server.set_mode(mode) {
                tracing::info!(server = server.name(), mode = mode.name(), "cache mode changed");
            }
        }
        for server in self.select_apis(server_name) {
            if server.set_mode(mode) {
                tracing::info!(server = server.name(), mode = mode.name(), "cache mode changed");
            }
        }
        let changes = mode_changes(self.select_servers(server_name), mode);
        self.end_settings_change(transaction, changes).await;
        Ok(())
    }

    /// Sends this part of the reads to the server instead of the cache, now and after a restart.
    pub async fn bypass(&self, bypass: Bypass) -> Result<(), Problem> {
        self.check_bypass(&bypass)?;
        self.change_bypasses(move |bypasses| bypasses.add(&bypass)).await
    }

    /// Removes all bypasses within `bypass`, including those of whole servers from the configuration.
    pub async fn remove_bypasses_within(&self, bypass: Bypass) -> Result<(), Problem> {
        self.check_bypass(&bypass)?;
        self.remove_bypass(bypass.clone()).await?;
        let whole_server = bypass.class.is_none() && bypass.app.is_none();
        for server in self.select_servers(bypass.server.as_deref()) {
            if whole_server && server.modes.switch.mode() == CacheMode::Bypass {
                server.set_mode(CacheMode::Cache);
            }
        }
        Ok(())
    }

    /// Ends this bypass.
    pub async fn remove_bypass(&self, bypass: Bypass) -> Result<(), Problem> {
        self.change_bypasses(move |bypasses| bypasses.remove(&bypass)).await
    }

    /// Changes the list of bypasses, which all servers share.
    pub async fn change_bypasses(
        &self,
        change: impl FnOnce(&Bypasses) -> Result<bool, BypassError> + Send + 'static,
    ) -> Result<(), Problem> {
        let Some(bypasses) = self.shared_bypasses().map(Arc::clone) else { return Ok(()) };
        let transaction = self.begin_settings_change().await;
        let file_work = bypasses.file_work.clone();
        let changed = Arc::clone(&bypasses);
        let result = file_work.run(move || change(&changed)).await;
        let result = result.unwrap_or_else(|error| Err(BypassError::NotSaved(error.to_string())));
        let has_changed = result.map_err(|error| match error {
            BypassError::TooMany => Problem::TOO_MANY_BYPASSES,
            BypassError::NotSaved(reason) => {
                tracing::warn!(reason, "bypasses not changed: the list cannot be saved");
                Problem::BYPASS_NOT_SAVED
            }
        })?;
        if has_changed {
            tracing::info!(bypasses = bypasses.list().len(), "bypasses changed");
        }
        self.end_settings_change(transaction, SettingsChanges::new()).await;
        Ok(())
    }

    /// Rejects a bypass of an unknown server or request type.
    pub fn check_bypass(&self, bypass: &Bypass) -> Result<(), Problem> {
        self.check_server(bypass.server.as_deref())?;
        check_class(bypass.class.as_deref())
    }
}
