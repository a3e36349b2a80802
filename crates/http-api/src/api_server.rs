//! One server of any HTTP API with all of its state.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use greenroom_cache::{Cache, Clock, GracePeriod, Invalidation, Key, Partition, Policy, Scope, Tag};
use greenroom_config::{CacheMode, HttpApiSettings};
use greenroom_http_caching::storage::StorageRefusal;
use greenroom_http_server::client_limits::ClientLimits;
use greenroom_origin::breaker::{Breaker, key_of};
use greenroom_origin::client::OriginClient;
use greenroom_origin::client_apps::ClientApps;
use greenroom_prefetch::counters::PrefetchCounters;
use greenroom_request_log::RequestRecorder;
use greenroom_state::bypass::Bypasses;
use greenroom_state::secrets::HashKey;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api_counters::ApiCounters;
use crate::api_request::{ApiRequest, public_partition};
use crate::graphql::persisted_documents::PersistedDocuments;
use crate::known_reads::KnownReads;
use crate::observation::Observation;
use crate::prefetch_queue::PrefetchQueue;
use crate::response_index::{SearchVarianceIndex, VariantIndex};
use crate::route_table::RouteTable;
use crate::route_traffic::{RouteTraffic, UnstoredRoute};
use crate::upstream::Upstream;

/// For this time after a write of unknown outcome, nothing that it may have changed is stored.
const UNSTORABLE_FOR: Duration = Duration::from_secs(60);

/// One server.
#[derive(Debug)]
pub struct ApiServer {
    /// Its settings. Its routes may have been replaced since.
    pub settings: HttpApiSettings,
    /// The engine; this server's namespace is its name.
    pub cache: Cache,
    /// The clock of the process.
    pub clock: Clock,
    /// Tracks every task started for this server.
    pub tasks: TaskTracker,
    /// Stops the tasks that do not end on their own.
    pub stop: CancellationToken,
    /// Limits for its clients.
    pub limits: Arc<ClientLimits>,
    /// Its requests and their results over time.
    pub recorder: Arc<RequestRecorder>,
    /// The apps that use it.
    pub apps: ClientApps,
    /// Counters of its requests.
    pub counters: ApiCounters,
    /// Bypasses, for all servers.
    pub bypasses: Arc<Bypasses>,
    /// The current observation, or the last one.
    observation: ArcSwapOption<Observation>,
    pub(crate) upstream: Upstream,
    pub(crate) variants: VariantIndex,
    pub(crate) search_variances: SearchVarianceIndex,
    pub(crate) prefetches: PrefetchQueue,
    pub(crate) hash_key: HashKey,
    /// Reads that are recognised before they are parsed.
    pub(crate) known_reads: KnownReads,
    /// Documents of persisted GraphQL queries.
    pub(crate) documents: PersistedDocuments,
    routes: ArcSwap<RouteTable>,
    refusals: [AtomicU64; StorageRefusal::EVERY.len()],
    traffic: Mutex<RouteTraffic>,
}

impl ApiServer {
    /// A server without any history. `hash_key` hides credentials; `bypasses` are those of all servers.
    ///
    /// # Errors
    /// Its address or its certificate settings are unusable.
    pub fn new(
        settings: HttpApiSettings,
        (cache, clock): (Cache, Clock),
        tasks: TaskTracker,
        stop: CancellationToken,
        (hash_key, bypasses): (HashKey, Arc<Bypasses>),
    ) -> Result<Self, String> {
        Ok(Self {
            upstream: Upstream::new(&settings, clock.clone())?,
            limits: Arc::new(ClientLimits::new(&settings.listener_limits)),
            variants: VariantIndex::new(hash_key),
            search_variances: SearchVarianceIndex::new(hash_key),
            prefetches: PrefetchQueue::new(settings.prefetch_per_minute),
            routes: ArcSwap::from_pointee(RouteTable::new(&settings.routes)),
            refusals: Default::default(),
            traffic: Mutex::default(),
            recorder: Arc::default(),
            apps: ClientApps::default(),
            counters: ApiCounters::default(),
            observation: ArcSwapOption::empty(),
            bypasses,
            hash_key,
            known_reads: KnownReads::default(),
            documents: PersistedDocuments::default(),
            settings,
            cache,
            clock,
            tasks,
            stop,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its mode, without bypasses of single routes or apps.
    pub fn mode(&self) -> CacheMode {
        if self.bypasses.covers_all_of(self.name()) {
            CacheMode::Bypass
        } else if self.running_observation().is_some() {
            CacheMode::Observe
        } else {
            CacheMode::Cache
        }
    }

    /// Begins or ends an observation; a bypass is set in the list of bypasses. Returns whether the mode changed.
    pub fn set_mode(&self, mode: CacheMode) -> bool {
        let (running, now_ms) = (self.running_observation(), self.clock.now());
        match (mode, running) {
            (CacheMode::Observe, None) => self.observation.store(Some(Arc::new(Observation::new(now_ms)))),
            (CacheMode::Cache, Some(running)) => running.end(now_ms),
            _ => return false,
        }
        true
    }

    /// The current observation, or the last one.
    pub fn observation(&self) -> Option<Arc<Observation>> {
        self.observation.load_full()
    }

    pub(crate) fn running_observation(&self) -> Option<Arc<Observation>> {
        self.observation().filter(|observation| observation.until_ms().is_none())
    }

    /// Its circuit breaker.
    pub fn breaker(&self) -> &Breaker {
        &self.upstream.breaker
    }

    /// Its connections to the server.
    pub fn client(&self) -> &OriginClient {
        &self.upstream.client
    }

    /// Replaces its routes.
    pub fn set_routes(&self, routes: &[greenroom_config::HttpRouteSettings]) {
        self.routes.store(Arc::new(RouteTable::new(routes)));
    }

    /// Responses that were not stored, by reason.
    pub fn storage_refusals(&self) -> Vec<(StorageRefusal, u64)> {
        StorageRefusal::EVERY.map(|refusal| (refusal, self.refusals[refusal as usize].load(Ordering::Relaxed))).to_vec()
    }

    /// Requests sent to the server since start.
    pub fn upstream_requests(&self) -> u64 {
        self.upstream.client.requests()
    }

    /// Requests that were not sent because of the queue, and because of the budget.
    pub fn unsent_requests(&self) -> (u64, u64) {
        let counters = &self.upstream.counters;
        (counters.queue_refusals.load(Ordering::Relaxed), counters.budget_refusals.load(Ordering::Relaxed))
    }

    pub(crate) fn routes(&self) -> arc_swap::Guard<Arc<RouteTable>> {
        self.routes.load()
    }

    /// Routes whose responses are never stored although they are read repeatedly, the most worthwhile first.
    pub fn unstored_routes(&self) -> Vec<UnstoredRoute> {
        self.traffic.lock().unstored(self.clock.now())
    }

    /// When the server may be asked again, if its budget of the day is used up.
    pub fn budget_wait(&self) -> Option<Duration> {
        self.upstream.day_wait()
    }

    /// Max requests to the server at a time, how many are sent now, and how many wait.
    pub fn queue(&self) -> (usize, usize, usize) {
        self.upstream.queue()
    }

    /// A request under the key that the responses of its path say.
    pub(crate) async fn searched(&self, request: ApiRequest) -> ApiRequest {
        let path = request.path_key().filter(|_| request.resource_name.contains('?'));
        let Some(path) = path else { return request };
        let variance = self.search_variances.get(&self.cache, &path).await;
        if variance.is_default() { request } else { request.with_search_variance(&variance) }
    }

    /// Whether one of its routes has a prefetch rule.
    pub fn has_prefetch_rules(&self) -> bool {
        self.routes().has_prefetch_rules()
    }

    /// Prefetch loads of its routes' rules.
    pub fn prefetch_counters(&self) -> &PrefetchCounters {
        &self.prefetches.counters
    }

    /// Counts the response to a read of this group of paths: stored, or why not.
    pub(crate) fn record_storage(&self, group: &str, resource: &Key, refusal: Option<StorageRefusal>) {
        if let Some(refusal) = refusal {
            self.refusals[refusal as usize].fetch_add(1, Ordering::Relaxed);
        }
        let resource = key_of(resource.encoded());
        self.traffic.lock().record(group, resource, refusal, self.clock.now());
    }

    /// The engine's policy for a class. The windows are those of each response; see the loader.
    pub(crate) fn policy(&self, class: &'static str, warm: bool) -> Policy {
        Policy {
            class,
            fresh: Duration::ZERO,
            freshness_bound: None,
            stale: Duration::ZERO,
            stale_on_error: Duration::ZERO,
            refresh_ahead: false,
            warm,
            // What may be served instead depends on the entry, so the caller decides that after the load.
            soft_timeout: self.settings.load_timeout,
            hard_timeout: self.settings.load_timeout,
        }
    }

    /// Marks everything with one of these tags stale, for all identities.
    pub(crate) fn invalidate(&self, tags: impl IntoIterator<Item = Tag>) {
        for tag in tags {
            self.cache.invalidate(&self.tag_scope(None, tag), &Invalidation::mark_stale());
        }
    }

    /// Invalidates what a confirmed write changed. The writer, and all on public routes, get an error rather than a
    /// response from before the write; for others that is kept for the case that its successor cannot be loaded.
    pub(crate) fn invalidate_written(&self, tags: impl IntoIterator<Item = Tag>, writer: &Partition) {
        let others = Invalidation { grace_period: Some(GracePeriod::default()), ..Invalidation::mark_stale() };
        let own = Invalidation { grace_period: Some(GracePeriod::default()), ..Invalidation::purge() };
        for tag in tags {
            self.cache.invalidate(&self.tag_scope(None, tag.clone()), &others);
            for partition in [writer.clone(), public_partition()] {
                self.cache.invalidate(&self.tag_scope(Some(partition), tag.clone()), &own);
            }
        }
    }

    /// Invalidates what a write of unknown outcome may have changed, or may still change: nothing of it is stored for
    /// [`UNSTORABLE_FOR`].
    pub(crate) fn invalidate_uncertain(&self, tags: impl IntoIterator<Item = Tag>) {
        let invalidation = Invalidation { unstorable_for: Some(UNSTORABLE_FOR), ..Invalidation::mark_stale() };
        for tag in tags {
            self.cache.invalidate(&self.tag_scope(None, tag), &invalidation);
        }
    }

    fn tag_scope(&self, partition: Option<Partition>, tag: Tag) -> Scope {
        Scope::Tag { namespace: self.name().to_owned(), partition, tag }
    }
}
