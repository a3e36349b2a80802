//! The caches for apps: their store, their upkeep and their socket.

use std::sync::Arc;

use super::ProcessContext;
use greenroom_api::UnixSocket;
use greenroom_app_cache::AppCaches;
use greenroom_config::{AppCachesSettings, ControlSettings};
use greenroom_control::ControlPlane;
use greenroom_state::warnings::Warning;

impl ProcessContext {
    /// Opens the caches for apps, starts their upkeep, and listens on their socket. Media servers need neither, so a
    /// failure is a warning.
    pub(super) async fn open_app_caches(&self, settings: &AppCachesSettings, caches: &AppCaches) -> Option<UnixSocket> {
        if let Err(error) = caches.start(&self.tasks, &self.stop).await {
            tracing::warn!(error = error.name(), "the store of the apps' caches cannot be opened");
            let text = "apps.db in the data directory cannot be opened, so the caches for apps store nothing.";
            let remedy = "Look whether the disk is full or the data directory is read-only; each call tries it again.";
            self.warnings.raise(Warning::notice("app-caches-unavailable", text, remedy).urgent());
        }
        let path = settings.socket.as_deref()?;
        let bound = UnixSocket::bind(path, settings.socket_group.as_deref());
        let report = |problem: String| {
            tracing::warn!(problem, "the socket of the apps' caches cannot be opened");
            let text = format!("{problem}. Apps reach their caches on the control port only.");
            let remedy = "Choose a folder that Greenroom may write to, and start it again. docs/running.md tells what the service allows.";
            self.warnings.raise(Warning::notice("app-socket-unavailable", text, remedy).urgent());
        };
        bound.map_err(report).ok()
    }

    /// Serves the caches for apps on their socket, if there is one.
    pub(super) fn serve_app_caches(
        &self,
        socket: Option<UnixSocket>,
        control: &Arc<ControlPlane>,
        settings: &ControlSettings,
    ) {
        if let Some(socket) = socket {
            let tokens = (self.stop.clone(), self.draining.clone());
            self.tasks.spawn(socket.serve(Arc::clone(control), settings.clone(), tokens));
        }
    }
}
