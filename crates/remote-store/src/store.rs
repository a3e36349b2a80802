//! The remote tier on Redis or Valkey: what requests see of it. No request waits for it longer than its read timeout.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::remote::{Leadership, RemoteEntry};
use greenroom_cache::{Clock, Key};
use greenroom_config::RemoteStoreSettings;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::agreement::{Peer, SequencePosition, wait_end_ms};
use crate::breaker::ReadBreaker;
use crate::codec::{self, StoreKey};
use crate::connection::StoreConnection;
use crate::invalidation_queue::InvalidationQueue;
use crate::journal::{Journal, JournalRecord};
use crate::peer_news::NewsDesk;
use crate::scripts::Scripts;
use crate::status::{StoreCounters, StoreState, StoreStatus, count};
use crate::store_info::StoreInfo;
use crate::write_queue::WriteQueue;

/// Longest wait for an entry while the media server cannot be asked.
const LAST_RESORT_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection with the scripts of its store's version.
#[derive(Debug, Clone)]
pub(crate) struct OpenStore {
    pub(crate) connection: StoreConnection,
    pub(crate) scripts: Arc<Scripts>,
}

/// State that the coordinating task publishes.
#[derive(Debug, Default)]
pub(crate) struct PublishedState {
    pub(crate) state: StoreState,
    pub(crate) standing: SequencePosition,
    pub(crate) peers: Vec<Peer>,
    /// Id of the gateway that leads; empty if none does.
    pub(crate) leader: String,
    pub(crate) info: StoreInfo,
    pub(crate) kind: &'static str,
    pub(crate) latency_us: u64,
}

/// The remote tier.
#[derive(Debug)]
pub struct RedisStore {
    pub(crate) settings: RemoteStoreSettings,
    pub(crate) key: StoreKey,
    /// Hash of the key that gateways share: theirs must be equal.
    pub(crate) key_fingerprint: String,
    /// Id of this gateway, stable over restarts, and of this process.
    pub(crate) id: String,
    pub(crate) origin: String,
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    /// The journal as it was when the process started.
    pub(crate) record: Option<JournalRecord>,
    /// Whether anything may be cached here from before this process.
    pub(crate) has_past: bool,
    pub(crate) open: Mutex<Option<OpenStore>>,
    /// Whether entries may be read: everything was heard, and everything of ours is numbered.
    pub(crate) is_ready: AtomicBool,
    /// Milliseconds by which the store's clock is ahead of ours.
    pub(crate) offset_ms: AtomicI64,
    pub(crate) breaker: Mutex<ReadBreaker>,
    pub(crate) writes: WriteQueue,
    pub(crate) invalidations: InvalidationQueue,
    /// Number of invalidations that are numbered and acknowledged.
    pub(crate) settled: watch::Sender<u64>,
    pub(crate) published: Mutex<PublishedState>,
    pub(crate) counters: StoreCounters,
    /// Whether the store lacks invalidations, whether purges are among them, and whether the journal says so.
    pub(crate) is_behind: AtomicBool,
    pub(crate) lacks_purges: AtomicBool,
    pub(crate) is_behind_recorded: AtomicBool,
    /// The longest lease that any gateway asked for: so long another may trust its cache.
    pub(crate) longest_lease_ms: AtomicU64,
    /// When the last session ended, by our clock; `None` while one is live.
    pub(crate) session_ended_ms: watch::Sender<Option<u64>>,
    /// Leases on loads to be released: name and nonce.
    pub(crate) releases: Mutex<Vec<(String, String)>>,
    pub(crate) news: NewsDesk,
    /// Whether this gateway does what is done once for all that share.
    pub leadership: Leadership,
}

impl RedisStore {
    /// A store that is not connected yet: [`Self::run`] does that. `secret` is the gateway's own key; the cluster key
    /// of the settings takes its place.
    ///
    /// # Errors
    /// If the journal in `data_dir` cannot be used.
    pub fn new(
        settings: RemoteStoreSettings,
        secret: &[u8; 32],
        name: &str,
        (data_dir, has_past): (&Path, bool),
        clock: Clock,
    ) -> Result<Arc<Self>, String> {
        let shared = settings.cluster_key.as_ref().map_or(*secret, |key| cluster_secret(key.expose()));
        let key = StoreKey(blake3::derive_key("greenroom remote store: names and digests of entries", &shared));
        let own = blake3::derive_key("greenroom remote store: id of a gateway", secret);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| format!("no random numbers: {error}"))?;
        let (journal, record) = Journal::open(data_dir)?;
        let store_id = store_id(&settings);
        let record = record.filter(|record| record.store == store_id);
        Ok(Arc::new(Self {
            key,
            key_fingerprint: key_fingerprint(&shared),
            id: hex(&own[..8]),
            origin: hex(&random),
            name: name.chars().filter(|letter| *letter != ';' && !letter.is_control()).take(64).collect(),
            longest_lease_ms: AtomicU64::new(millis(settings.peer_timeout)),
            session_ended_ms: watch::Sender::new(Some(clock.now().as_millis())),
            clock,
            journal,
            is_behind: AtomicBool::new(record.as_ref().is_some_and(|record| record.is_behind)),
            lacks_purges: AtomicBool::new(record.as_ref().is_some_and(|record| record.lacks_purges)),
            is_behind_recorded: AtomicBool::new(record.as_ref().is_some_and(|record| record.is_behind)),
            record,
            has_past,
            open: Mutex::default(),
            is_ready: AtomicBool::new(false),
            offset_ms: AtomicI64::new(0),
            breaker: Mutex::default(),
            writes: WriteQueue::new(settings.max_queued_bytes),
            invalidations: InvalidationQueue::default(),
            settled: watch::Sender::new(0),
            published: Mutex::default(),
            counters: StoreCounters::default(),
            releases: Mutex::default(),
            news: NewsDesk::default(),
            leadership: if settings.shared { Leadership::among_peers() } else { Leadership::without_peers() },
            settings,
        }))
    }

    /// Name of a key of the agreement. All of them are in one slot of a Cluster.
    pub(crate) fn agreement_key(&self, last: &str) -> String {
        agreement_key(&self.settings, last)
    }

    /// Name of an entry in the store.
    pub(crate) fn entry_key(&self, key: &Key) -> String {
        format!("{}:e:{}", self.settings.prefix, self.key.name(key))
    }

    /// Name of the lease on a load.
    pub(crate) fn claim_key(&self, key: &Key) -> String {
        format!("{}:l:{}", self.settings.prefix, self.key.name(key))
    }

    /// Whether another gateway is live.
    pub(crate) fn has_peers(&self) -> bool {
        self.published.lock().peers.iter().any(|peer| peer.lease_ms > Duration::ZERO)
    }

    /// Whether the other gateway with this id was live at the last heartbeat.
    pub(crate) fn is_live(&self, id: &str) -> bool {
        self.published.lock().peers.iter().any(|peer| peer.id == id && peer.lease_ms > Duration::ZERO)
    }

    pub(crate) fn opened(&self) -> Option<OpenStore> {
        self.open.lock().clone()
    }

    /// Records an answer of the store, or none, for the breaker.
    pub(crate) fn record_answer(&self, is_answer: bool) {
        let mut breaker = self.breaker.lock();
        if is_answer {
            breaker.succeeded();
        } else if breaker.failed(self.clock.now()) {
            tracing::warn!("the remote store is slow or silent; requests pass it over until it answers again");
        }
    }

    /// The entry of a key; `None` if there is none, or no answer in time.
    pub(crate) async fn look_up(&self, key: &Key, is_last_resort: bool) -> Option<RemoteEntry> {
        let is_allowed =
            self.is_ready.load(Ordering::Acquire) && (is_last_resort || self.breaker.lock().allows(self.clock.now()));
        let Some(mut open) = self.opened().filter(|_| is_allowed) else {
            count(&self.counters.slow);
            return None;
        };
        let timeout = self.settings.read_timeout;
        let timeout = if is_last_resort { timeout.max(LAST_RESORT_TIMEOUT) } else { timeout };
        let mut command = redis::cmd("GET");
        command.arg(self.entry_key(key));
        let asking = command.query_async::<Option<Bytes>>(&mut open.connection);
        let answer = tokio::time::timeout(timeout, asking).await;
        let Ok(Ok(found)) = answer else {
            count(&self.counters.slow);
            self.record_answer(false);
            return None;
        };
        self.record_answer(true);
        let Some(bytes) = found else {
            count(&self.counters.misses);
            return None;
        };
        let entry = codec::decode(self.key, key, &bytes, self.offset_ms.load(Ordering::Relaxed));
        count(if entry.is_some() { &self.counters.hits } else { &self.counters.damaged });
        entry
    }

    /// Waits until what is queued is acknowledged. Without the store: until it is durable here that the store is
    /// behind, and until no other gateway can trust its cache any more.
    pub(crate) async fn settle(&self) -> bool {
        let target = self.invalidations.pushed();
        let mut settled = self.settled.subscribe();
        if *settled.borrow_and_update() >= target {
            return true;
        }
        let began_ms = self.clock.now();
        let mut ended = self.session_ended_ms.subscribe();
        loop {
            let end_ms = self.wait_end_ms(began_ms, (*ended.borrow_and_update()).map(Timestamp::from_millis));
            let left = end_ms.duration_since(self.clock.now());
            tokio::select! {
                reached = settled.wait_for(|settled| *settled >= target) => if reached.is_ok() { return true },
                // Another end of the wait: the session has ended, or begun.
                Ok(()) = ended.changed() => continue,
                () = tokio::time::sleep(left) => {}
            }
            break;
        }
        count(&self.counters.unacknowledged);
        self.record_behind().await;
        false
    }

    fn wait_end_ms(&self, began_ms: Timestamp, session_ended_ms: Option<Timestamp>) -> Timestamp {
        if self.settings.shared {
            let lease = Duration::from_millis(self.longest_lease_ms.load(Ordering::Relaxed));
            return wait_end_ms(began_ms, session_ended_ms, lease, self.settings.response_timeout);
        }
        // No other gateway: what is not numbered in time is recorded as lacking.
        if session_ended_ms.is_none() { began_ms.saturating_add(self.settings.response_timeout) } else { began_ms }
    }

    /// Makes it durable here that the store lacks invalidations. A disk that hangs does not keep the client waiting.
    async fn record_behind(&self) {
        let lacks_more = self.invalidations.has_purges() && !self.lacks_purges.swap(true, Ordering::AcqRel);
        self.is_behind.store(true, Ordering::Release);
        if lacks_more || !self.is_behind_recorded.load(Ordering::Acquire) {
            let written = self.journal.write(self.record_now());
            if let Ok(Ok(true)) = tokio::time::timeout(self.settings.response_timeout, written).await {
                self.is_behind_recorded.store(true, Ordering::Release);
            }
        }
    }

    pub(crate) fn record_now(&self) -> JournalRecord {
        JournalRecord {
            store: store_id(&self.settings),
            standing: self.published.lock().standing.clone(),
            is_behind: self.is_behind.load(Ordering::Acquire),
            lacks_purges: self.lacks_purges.load(Ordering::Acquire),
        }
    }

    /// Name of the gateway with this id, if it is known.
    fn name_of(&self, published: &PublishedState, id: &str) -> Option<String> {
        let peer = published.peers.iter().find(|peer| peer.id == id).map(|peer| peer.name.clone());
        peer.or_else(|| (id == self.id).then(|| self.name.clone()))
    }

    /// Figures at this moment. `trusted` is the cache's.
    pub fn status(&self, trusted: bool) -> StoreStatus {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (queued, _, dropped) = self.writes.depth();
        let counters = &self.counters;
        let published = self.published.lock();
        StoreStatus {
            state: published.state.clone(),
            kind: published.kind,
            product: published.info.product.name(),
            version: published.info.version.clone(),
            prefix: self.settings.prefix.clone(),
            shared: self.settings.shared,
            gateway: self.name.clone(),
            peers: published.peers.clone(),
            leader: self.name_of(&published, &published.leader),
            role: self.leadership.role(self.clock.now()),
            trusted,
            epoch: published.standing.epoch,
            heard: published.standing.heard,
            total_keys: published.info.total_keys,
            evicted_keys: published.info.evicted_keys,
            used_bytes: published.info.used_bytes,
            max_bytes: published.info.max_bytes,
            eviction_policy: published.info.eviction_policy.clone(),
            latency_us: published.latency_us,
            reads_off: self.breaker.lock().is_open(),
            hits: get(&counters.hits),
            misses: get(&counters.misses),
            slow: get(&counters.slow),
            damaged: get(&counters.damaged),
            written: get(&counters.written),
            superseded: get(&counters.superseded),
            failed: get(&counters.failed),
            too_large: get(&counters.too_large),
            full: get(&counters.full),
            dropped,
            queued,
            numbered: get(&counters.numbered),
            heard_from_others: get(&counters.heard),
            unacknowledged: get(&counters.unacknowledged),
            claims_granted: get(&counters.claims_granted),
            claims_followed: get(&counters.claims_followed),
        }
    }
}

/// Name of a key of the agreement: the braces keep all of them in one slot of a Cluster.
pub(crate) fn agreement_key(settings: &RemoteStoreSettings, last: &str) -> String {
    format!("{{{}}}:{last}", settings.prefix)
}

/// Hash of a key, by which gateways see that theirs are equal. The key itself never reaches the store.
pub(crate) fn key_fingerprint(shared: &[u8; 32]) -> String {
    hex(&blake3::derive_key("greenroom remote store: fingerprint of the cluster key", shared)[..8])
}

/// The key as the user gave it, as bytes. The configuration has checked its form.
pub(crate) fn cluster_secret(text: &str) -> [u8; 32] {
    blake3::derive_key("greenroom cluster key", text.to_ascii_lowercase().as_bytes())
}

/// The key by which gateways of one cluster hash identities: it takes the place of the gateway's own.
pub fn identity_secret(settings: &RemoteStoreSettings) -> Option<[u8; 32]> {
    let key = settings.cluster_key.as_ref()?;
    Some(blake3::derive_key("greenroom cluster: identities", &cluster_secret(key.expose())))
}

/// Identity of the store and prefix: numbers of another mean nothing.
fn store_id(settings: &RemoteStoreSettings) -> String {
    let mut hasher = blake3::Hasher::new();
    for node in &settings.nodes {
        hasher.update(node.expose().as_bytes()).update(&[0]);
    }
    hasher.update(settings.prefix.as_bytes());
    hex(&hasher.finalize().as_bytes()[..8])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // Writing to a string does not fail.
        text
    })
}
