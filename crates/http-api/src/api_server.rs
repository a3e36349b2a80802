//! One server of any HTTP API with all of its state.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use greenroom_cache::{Cache, Clock, GracePeriod, Invalidation, Partition, Policy, Scope, Tag};
use greenroom_config::HttpApiSettings;
use greenroom_http_caching::storage::StorageRefusal;
use greenroom_http_server::client_limits::ClientLimits;
use greenroom_state::secrets::HashKey;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api_request::public_partition;
use crate::graphql::persisted_documents::PersistedDocuments;
use crate::route_table::RouteTable;
use crate::upstream::Upstream;
use crate::variant_index::VariantIndex;

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
    pub(crate) upstream: Upstream,
    pub(crate) variants: VariantIndex,
    pub(crate) hash_key: HashKey,
    /// Documents of persisted GraphQL queries.
    pub(crate) documents: PersistedDocuments,
    routes: ArcSwap<RouteTable>,
    refusals: [AtomicU64; StorageRefusal::EVERY.len()],
}

impl ApiServer {
    /// A server without any history. `hash_key` hides credentials.
    ///
    /// # Errors
    /// Its address or its certificate settings are unusable.
    pub fn new(
        settings: HttpApiSettings,
        (cache, clock): (Cache, Clock),
        tasks: TaskTracker,
        stop: CancellationToken,
        hash_key: HashKey,
    ) -> Result<Self, String> {
        Ok(Self {
            upstream: Upstream::new(&settings, clock.clone())?,
            limits: Arc::new(ClientLimits::new(&settings.listener_limits)),
            variants: VariantIndex::new(hash_key),
            routes: ArcSwap::from_pointee(RouteTable::new(&settings.routes)),
            refusals: Default::default(),
            hash_key,
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

    pub(crate) fn record_refusal(&self, refusal: StorageRefusal) {
        self.refusals[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The engine's policy for a class. The windows are those of each response; see the loader.
    pub(crate) fn policy(&self, class: &'static str, warm: bool) -> Policy {
        Policy {
            class,
            fresh: std::time::Duration::ZERO,
            freshness_bound: None,
            stale: std::time::Duration::ZERO,
            stale_on_error: std::time::Duration::ZERO,
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
