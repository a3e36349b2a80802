//! Follows the configuration file: the routes of HTTP APIs take effect when it changes, all else at the next start.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use greenroom_config::{ConfigError, Settings};
use greenroom_http_api::ApiServer;
use greenroom_state::file_watch::{FileReloader, watch_files};
use parking_lot::Mutex;

use super::Process;

type ReadSettings = Box<dyn Fn() -> Result<Settings, Vec<ConfigError>> + Send + Sync>;

/// Replaces the routes when the configuration file changes.
struct RouteReloader {
    file: PathBuf,
    read: ReadSettings,
    servers: Vec<Arc<ApiServer>>,
    /// When the file was changed last.
    changed: Mutex<Option<SystemTime>>,
}

impl fmt::Debug for RouteReloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteReloader").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Process {
    /// Applies changed routes of HTTP APIs while the process runs. `read` reads all settings anew; a file with a mistake
    /// changes nothing, and each mistake is logged with its place.
    pub fn watch_routes(
        &self,
        file: PathBuf,
        read: impl Fn() -> Result<Settings, Vec<ConfigError>> + Send + Sync + 'static,
    ) {
        let servers: Vec<_> = self.apis.iter().map(|(server, _)| Arc::clone(server)).collect();
        if servers.is_empty() {
            return;
        }
        let changed = Mutex::new(modified(&file));
        let reloader: Arc<dyn FileReloader> = Arc::new(RouteReloader { file, read: Box::new(read), servers, changed });
        self.tasks.spawn(watch_files(vec![reloader], self.tasks.clone(), self.stop.clone()));
    }
}

impl FileReloader for RouteReloader {
    fn files(&self) -> String {
        self.file.display().to_string()
    }

    fn reload(&self) {
        let changed = modified(&self.file);
        if changed.is_none() || *self.changed.lock() == changed {
            return;
        }
        *self.changed.lock() = changed;
        match (self.read)() {
            Ok(settings) => {
                for server in &self.servers {
                    if let Some(api) = settings.http_apis.iter().find(|api| api.name == server.name()) {
                        server.set_routes(&api.routes);
                        tracing::info!(server = server.name(), routes = api.routes.len(), "routes read again");
                    }
                }
            }
            Err(errors) => {
                for error in errors {
                    tracing::warn!(%error, "the changed configuration is not used; the routes stay as they were");
                }
            }
        }
    }
}

fn modified(file: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}
