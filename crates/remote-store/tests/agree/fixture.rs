//! A store that the test starts itself, a source behind it, and gateways: each an engine with its own store handle.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::disk::DiskSettings;
use greenroom_cache::{
    Cache, CacheDirective, CacheResponse, CacheSettings, CacheStatus, Clock, Entry, Invalidation, Key, LoadError,
    LoadReason, LoadResult, LoadedValue, Loader, Partition, Policy, Scope, Tag, Tier, Value,
};
use greenroom_config::RemoteStoreSettings;
use greenroom_dialect::credential::Secret;
use greenroom_remote_store::{RedisStore, StoreState};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest wait for something that takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A redis-server of its own, on a free port of 127.0.0.1.
pub(crate) struct StoreProcess {
    child: Child,
    pub(crate) port: u16,
    dir: TempDir,
    arguments: Vec<String>,
}

impl StoreProcess {
    /// Starts one with further arguments. A machine without redis-server fails: `make prepare` installs it.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let dir = tempfile::tempdir().expect("a folder");
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(port, dir.path(), &arguments);
        let store = Self { child, port, dir, arguments };
        store.answers().await;
        store
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn answers(&self) {
        let client = redis::Client::open(self.url()).expect("an address");
        let ping = async {
            loop {
                if let Ok(mut connection) = client.get_multiplexed_async_connection().await
                    && redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ping).await.expect("redis-server answers");
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again on the same port, with what it had saved.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, self.dir.path(), &self.arguments);
        self.answers().await;
    }

    /// Stops or continues it by signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    pub(crate) async fn command(&self, words: &[&str]) -> redis::Value {
        let client = redis::Client::open(self.url()).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.query_async(&mut connection).await.expect("it accepts the command")
    }
}

impl Drop for StoreProcess {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have been killed by the test.
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, dir: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(dir)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed: run `make prepare`")
}

/// The media server of the test: one number per path, which writes count up.
#[derive(Debug, Default)]
pub(crate) struct Source {
    version: AtomicU64,
    pub(crate) loads: AtomicUsize,
    delay_ms: AtomicU64,
    is_down: std::sync::atomic::AtomicBool,
}

impl Source {
    /// Writes; what was loaded before is wrong from now on.
    pub(crate) fn write(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis().try_into().expect("a short delay"), Ordering::SeqCst);
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }
}

struct SourceLoader(Arc<Source>);

impl Loader for SourceLoader {
    type Pass = ();

    async fn load(&self, _why: LoadReason, _old: Option<Arc<Entry>>) -> Result<LoadResult<()>, LoadError> {
        self.0.loads.fetch_add(1, Ordering::SeqCst);
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(LoadError::new(greenroom_cache::LoadErrorKind::Unreachable, "down"));
        }
        let version = self.0.version.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(self.0.delay_ms.load(Ordering::SeqCst))).await;
        let tags = vec![Tag::new("item")];
        let value = Value::new(format!("v{version} {}", "body ".repeat(400)));
        Ok(LoadResult::Store(LoadedValue { tags, ..LoadedValue::new(value) }))
    }
}

pub(crate) const POLICY: Policy = Policy {
    class: "items",
    fresh: Duration::from_secs(600),
    freshness_bound: None,
    stale: Duration::from_secs(60),
    stale_on_error: Duration::from_secs(86_400),
    refresh_ahead: false,
    warm: false,
    soft_timeout: Duration::from_secs(1),
    hard_timeout: Duration::from_secs(20),
};

pub(crate) fn key(text: &str) -> Key {
    Key::new("home", &Partition::new("anna"), text)
}

/// The version that a read served, and from which tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServedVersion {
    pub(crate) version: u64,
    pub(crate) served: CacheStatus,
    pub(crate) tier: Tier,
}

/// An engine with a store, as a gateway has it.
pub(crate) struct Gateway {
    pub(crate) cache: Cache,
    pub(crate) store: Arc<RedisStore>,
    pub(crate) source: Arc<Source>,
    tasks: TaskTracker,
    stop: CancellationToken,
    pub(crate) dir: Option<TempDir>,
}

/// Settings for tests: short leases.
pub(crate) fn settings(url: &str) -> RemoteStoreSettings {
    RemoteStoreSettings { peer_timeout: Duration::from_millis(900), ..RemoteStoreSettings::new(url) }
}

/// The same, for gateways that share.
pub(crate) fn shared(url: &str) -> RemoteStoreSettings {
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    RemoteStoreSettings { shared: true, cluster_key: Some(Secret::new(key)), ..settings(url) }
}

impl Gateway {
    /// Starts one. `number` is its identity.
    pub(crate) async fn start(settings: RemoteStoreSettings, number: u8, source: &Arc<Source>) -> Self {
        let gateway = Self::start_in(settings, number, source, tempfile::tempdir().expect("a folder"), false);
        gateway.is_connected().await;
        gateway
    }

    /// Starts one in this folder, with a disk tier if asked. It may not be connected yet.
    pub(crate) fn start_in(
        settings: RemoteStoreSettings,
        number: u8,
        source: &Arc<Source>,
        dir: TempDir,
        has_disk: bool,
    ) -> Self {
        let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
        let disk_dir = dir.path().join("cache");
        let has_past = disk_dir.exists();
        let cache = if has_disk {
            let disk = DiskSettings::new(disk_dir);
            Cache::with_disk(CacheSettings::default(), disk, clock.clone(), tasks.clone()).expect("a disk tier")
        } else {
            Cache::new(CacheSettings::default(), clock.clone(), tasks.clone())
        };
        let name = format!("gateway-{number}");
        let store = RedisStore::new(settings, &[number; 32], &name, (dir.path(), has_past), clock).expect("a journal");
        assert!(store.attach(&cache));
        tasks.spawn(Arc::clone(&store).run(cache.clone(), stop.clone()));
        Self { cache, store, source: Arc::clone(source), tasks, stop, dir: Some(dir) }
    }

    pub(crate) fn state(&self) -> StoreState {
        self.store.status(true).state
    }

    /// Waits until a condition of the status holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let status = || format!("{what}: {:?}", self.store.status(self.cache.is_trusted()));
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{}", status()));
    }

    pub(crate) async fn is_connected(&self) {
        self.until("it connects", |gateway| gateway.state() == StoreState::Connected && gateway.cache.is_trusted())
            .await;
    }

    pub(crate) async fn sees_peers(&self, count: usize) {
        self.until("it sees its peers", |gateway| {
            gateway.store.status(true).peers.iter().filter(|peer| peer.lease_ms > Duration::ZERO).count() == count
        })
        .await;
    }

    /// Waits until everything queued is written.
    pub(crate) async fn is_written(&self) {
        self.until("it is written", |gateway| gateway.store.status(true).written > 0).await;
        self.until("nothing waits", |gateway| gateway.store.status(true).queued == 0).await;
    }

    pub(crate) async fn read(&self, text: &str) -> Result<ServedVersion, LoadError> {
        let loader = || SourceLoader(Arc::clone(&self.source));
        let response = self.cache.get_or_load(&key(text), &POLICY, CacheDirective::Any, loader).await?;
        let CacheResponse::Cached { entry, served, tier, .. } = response else { panic!("it is cacheable") };
        let body = String::from_utf8_lossy(entry.body()).into_owned();
        let version = body.strip_prefix('v').and_then(|rest| rest.split(' ').next()).and_then(|word| word.parse().ok());
        Ok(ServedVersion { version: version.expect("a version"), served, tier })
    }

    /// Writes to the source through this gateway. Returns when the write would be answered, with the new version.
    pub(crate) async fn write(&self) -> u64 {
        let version = self.source.write();
        let scope = Scope::Tag { namespace: "home".into(), partition: None, tag: Tag::new("item") };
        self.cache.invalidate(&scope, &Invalidation::mark_stale());
        self.cache.flush_invalidations().await;
        version
    }

    /// Ends it in order, and returns its folder.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.stop.cancel();
        self.cache.shutdown();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("its tasks end");
        self.cache.close_disk().await;
        self.dir.take().expect("it has one")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
