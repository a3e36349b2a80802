//! The remote store of the process: opened before the first read, stopped after the last.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::remote::Leadership;
use greenroom_cache::{Cache, Clock};
use greenroom_config::Settings;
use greenroom_control::ControlPlane;
use greenroom_remote_store::peer_news::NewsBatch;
use greenroom_remote_store::{RedisStore, identity_secret, journal};
use greenroom_state::secrets::HashKey;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Max time to leave the store at shutdown.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);
/// The name of this machine, on Linux.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// A store and its tasks. They end after all others, because requests in flight still invalidate.
#[derive(Debug, Default)]
pub(super) struct RemoteStoreService {
    pub(super) store: Option<Arc<RedisStore>>,
    /// Until the control plane takes it: what is heard before then waits.
    news: Mutex<Option<mpsc::Receiver<NewsBatch>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl RemoteStoreService {
    /// Attaches the configured store to the cache and starts its tasks. `has_past` is whether anything may be cached
    /// from before this process.
    ///
    /// # Errors
    /// If its journal cannot be used.
    pub(super) fn open(
        settings: &Settings,
        own_key: &HashKey,
        (data_dir, has_past): (&Path, bool),
        clock: &Clock,
        cache: &Cache,
    ) -> Result<Self, String> {
        let Some(store_settings) = settings.remote_store.clone() else {
            // What is invalidated from now on, no store knows.
            journal::forget(data_dir);
            return Ok(Self::default());
        };
        let name = gateway_name(settings);
        let store = RedisStore::new(store_settings, &own_key.0, &name, (data_dir, has_past), clock.clone())?;
        store.attach(cache);
        let news = Mutex::new(if store.is_shared() { store.subscribe() } else { None });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(Arc::clone(&store).run(cache.clone(), stop.clone()));
        Ok(Self { store: Some(store), news, tasks, stop })
    }

    /// Whether this gateway does what is done once for all that share a store.
    pub(super) fn leadership(&self) -> Leadership {
        self.store.as_ref().map(|store| store.leadership.clone()).unwrap_or_default()
    }

    /// Follows what other gateways announce beside invalidations, until `stop`.
    pub(super) fn follow_peers(&self, control: &Arc<ControlPlane>, tasks: &TaskTracker, stop: &CancellationToken) {
        if let Some(news) = self.news.lock().take() {
            tasks.spawn(greenroom_control::follow_peers(Arc::clone(control), news, stop.clone()));
        }
    }

    /// Announces and writes what is left, and leaves the store.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("the remote store was too slow at shutdown");
        }
    }
}

/// The key that hides identities: that of the cluster, if there is one, so that its gateways agree.
pub(super) fn identity_key(settings: &Settings, own_key: HashKey) -> HashKey {
    settings.remote_store.as_ref().and_then(identity_secret).map_or(own_key, HashKey)
}

/// The machine and the port of the page.
fn gateway_name(settings: &Settings) -> String {
    let host = std::fs::read_to_string(HOST_NAME_FILE).unwrap_or_default();
    let host = if host.trim().is_empty() { "gateway" } else { host.trim() };
    format!("{host}:{}", settings.control.listen.port())
}
