//! One media server with all of its state.

mod counters;
#[cfg(test)]
pub(crate) mod fixture;
mod partitions;
mod recorders;

use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::{Cache, Clock, FreshnessBound, Invalidation, Partition, Policy, Scope};
use greenroom_dialect::class::{Class, Lifetime};
use greenroom_dialect::classification::{Read, SharingScope};
use greenroom_dialect::credential::{Credential, Secret};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::confirmation::Confirmation;
use crate::feed::{EventFeed, EventStreamState};
use crate::identity::{Identity, IdentityRegistry, SharedPartitions};
use crate::invalidation_state::InvalidationState;
use crate::listing_watch::ListingWatch;
use crate::mode::ModeState;
use crate::prefetch::Prefetch;
use crate::request::classified_request::ClassificationCache;
use crate::shadow::{ShadowReport, ShadowRun};
use crate::ttl_overrides::TtlOverrides;
use crate::warm_keys::WarmKeys;
pub use counters::ServerCounters;
use greenroom_config::CacheMode;
use greenroom_http_server::byte_budget::{ByteBudget, BytePool};
use greenroom_http_server::client_limits::ClientLimits;
use greenroom_origin::Origin;
use greenroom_origin::client_apps::{ClientApp, ClientApps};
use greenroom_origin::scheduler::QueueRequest;
use greenroom_origin::shrink_guard::ShrinkGuard;
use greenroom_origin::system_event::SystemEventListener;
use greenroom_origin::trusted_proxies::ProxyTrustState;
use greenroom_state::grants::StoredWarmKey;
use greenroom_state::known_tokens::KnownTokens;
use greenroom_state::secrets::HashKey;
pub use partitions::AccountProof;
pub use recorders::RequestRecorders;

/// After this time an expired entry is served instead of waiting on.
const SOFT_TIMEOUT: Duration = Duration::from_secs(1);

/// One configured media server.
#[derive(Debug)]
pub struct Server {
    /// Client of the media server.
    pub origin: Arc<Origin>,
    /// The engine, shared by all servers; this one's namespace is its name.
    pub cache: Cache,
    /// Suspiciously short lists, held back.
    pub shrink_guard: ShrinkGuard,
    /// Known identities.
    pub identities: IdentityRegistry,
    /// Partitions shared by identities.
    pub partitions: SharedPartitions,
    /// Memoised classifications.
    pub classifications: ClassificationCache,
    /// The server's own events.
    pub feed: EventFeed,
    /// Confirmation of entries from before a gap.
    pub confirmation: Confirmation,
    /// Listings of whole video libraries by apps.
    pub listing_watch: ListingWatch,
    /// Known apps.
    pub apps: ClientApps,
    /// The app of own requests.
    pub own_app: Arc<ClientApp>,
    /// Prefetch.
    pub prefetch: Prefetch,
    /// State that decides what is invalidated.
    pub invalidation: InvalidationState,
    /// Counters.
    pub counters: ServerCounters,
    /// Recorders of its requests.
    pub recorders: RequestRecorders,
    /// Limits for its clients.
    pub limits: Arc<ClientLimits>,
    /// Proxies it trusts, according to its last answer.
    pub proxy_trust: ProxyTrustState,
    /// Secret part of the webhook URL.
    pub webhook_secret: Secret,
    /// Cache mode and bypasses.
    pub modes: ModeState,
    /// Warm keys of the configured token.
    pub warm_keys: WarmKeys,
    /// TTL overrides set at run time.
    pub ttl_overrides: TtlOverrides,
    /// Whether every token in the state is known.
    pub known_tokens: Arc<KnownTokens>,
}

impl Server {
    /// A server without state. `secrets` are the key that hides identities and the secret part of the webhook URL.
    ///
    /// # Errors
    /// See [`Origin::new`].
    pub fn new(
        settings: greenroom_config::ServerSettings,
        cache: Cache,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
        secrets: (HashKey, Secret),
    ) -> Result<Self, String> {
        Ok(Self::with_origin(
            Origin::new(settings, clock, tasks, stop, SystemEventListener::default())?,
            cache,
            secrets,
        ))
    }

    /// A server for this origin, without state.
    pub fn with_origin(mut origin: Origin, cache: Cache, secrets: (HashKey, Secret)) -> Self {
        let identities = IdentityRegistry::new(&origin.settings.name, secrets.0);
        origin.set_device_id(identities.device_id());
        let settings = &origin.settings;
        Self {
            shrink_guard: ShrinkGuard::default(),
            identities,
            partitions: SharedPartitions::default(),
            classifications: ClassificationCache::default(),
            feed: EventFeed::default(),
            confirmation: Confirmation::default(),
            listing_watch: ListingWatch::default(),
            apps: ClientApps::default(),
            own_app: Arc::default(),
            prefetch: Prefetch::new(&settings.prefetch),
            invalidation: InvalidationState::default(),
            counters: ServerCounters::default(),
            recorders: RequestRecorders::default(),
            limits: Arc::new(ClientLimits::new(&settings.listener_limits)),
            proxy_trust: ProxyTrustState::default(),
            webhook_secret: secrets.1,
            modes: ModeState::default(),
            warm_keys: WarmKeys::default(),
            ttl_overrides: TtlOverrides::default(),
            known_tokens: Arc::default(),
            cache,
            origin: Arc::new(origin),
        }
    }

    /// The same server, known to the media server by the id of this installation, where the key that hides identities
    /// is shared with others. Before anything else refers to the server.
    #[must_use]
    pub fn with_device_of(mut self, installation: HashKey) -> Self {
        let device_id = IdentityRegistry::device_id_of(self.name(), installation);
        if let Some(origin) = Arc::get_mut(&mut self.origin) {
            origin.set_device_id(device_id);
        }
        self
    }

    /// Counts request bodies held for its clients in this pool of the process as well. Before it has clients.
    pub fn share_bodies(&mut self, process: &Arc<BytePool>) {
        let limits = &self.origin.settings.listener_limits;
        let bodies = Arc::new(ByteBudget::new(Arc::clone(process), limits.bodies.held));
        self.limits = Arc::new(ClientLimits { bodies, ..ClientLimits::new(limits) });
    }

    /// Its name, which is also its namespace in the engine.
    pub fn name(&self) -> &str {
        self.origin.name()
    }

    /// Mode of a read of this class and app.
    pub fn read_mode(&self, class: Class, app: &ClientApp) -> CacheMode {
        self.modes.read_mode(self.name(), class, &app.name)
    }

    /// Mode of the server, without bypasses of single classes or apps.
    pub fn mode(&self) -> CacheMode {
        self.modes.mode(self.name())
    }

    /// Sets the mode. Returns whether it changed.
    pub fn set_mode(&self, mode: CacheMode) -> bool {
        let own = self.origin.counters.own.load(Ordering::Relaxed);
        self.modes.switch.set_mode(mode, own, self.origin.clock.now(), || ShadowRun::start(&self.origin, &self.cache))
    }

    /// Report of the current observation, or of the last one.
    pub fn shadow_report(&self) -> Option<ShadowReport> {
        self.modes.switch.report(self.origin.counters.own.load(Ordering::Relaxed), self.origin.clock.now())
    }

    /// Records a request that passes through, for the observation.
    pub fn record_passed(&self, kind: &'static str, app: &ClientApp) {
        if let Some(shadow_run) = self.modes.switch.shadow_run() {
            shadow_run.stats.record_passed(kind, &app.name);
        }
    }

    /// Whether this is the app of own requests.
    pub fn is_own_app(&self, app: &Arc<ClientApp>) -> bool {
        Arc::ptr_eq(&self.own_app, app)
    }

    /// Records own requests since the last call in the statistics.
    pub fn record_own_requests(&self, now_ms: Timestamp) {
        let own = self.origin.counters.own.load(Ordering::Relaxed);
        let recorded = self.counters.own_recorded.fetch_max(own, Ordering::AcqRel);
        self.recorders.requests.record_own(own.saturating_sub(recorded), now_ms);
    }

    /// Invalidates in the cache, and in the shadow cache.
    pub fn invalidate(&self, scope: &Scope, invalidation: &Invalidation) {
        self.cache.invalidate(scope, invalidation);
        if let Some(shadow_run) = self.modes.switch.shadow_run() {
            shadow_run.invalidate(scope, invalidation);
        }
    }

    /// TTL policy of a class: `base`, overridden by the configuration, then by the TTL override.
    pub fn lifetime(&self, class: Class, base: Lifetime) -> Lifetime {
        let class_default = self.origin.settings.lifetime(class, class.lifetime(self.origin.settings.kind));
        let configured = self.origin.settings.lifetime(class, base);
        self.ttl_overrides.get(class).apply_to(configured, class_default).within_age_limit()
    }

    /// TTL policy of a read, before the response is known.
    pub fn policy(&self, read: &Read, identity: &Identity) -> Policy {
        let lifetime = self.lifetime(read.class, read.lifetime);
        // Nothing tells of changes to user state at the moment.
        let is_unheard = lifetime.user_state && self.confirmation.is_feed_lost();
        let longest = if is_unheard { self.origin.settings.feed_lost_fresh } else { Duration::MAX };
        let fresh = Duration::from_secs(lifetime.fresh_s.into()).min(longest);
        let fresh_with_signal = Duration::from_secs(lifetime.fresh_with_signal_s.into()).min(longest);
        let since_ms = match read.class {
            Class::Sessions => self.feed.sessions_since_ms(self.origin.settings.kind),
            _ if lifetime.user_state => identity.signal_since_ms(),
            _ => Some(Timestamp::UNIX_EPOCH),
        };
        let bound = FreshnessBound {
            loaded_before_ms: since_ms.unwrap_or(Timestamp::UNIX_EPOCH),
            max_fresh: fresh,
            unconfirmed_before_ms: self.unconfirmed_before_ms(read.class, lifetime),
        };
        Policy {
            class: read.class.name(),
            fresh: if since_ms.is_some() { fresh_with_signal } else { fresh },
            freshness_bound: Some(bound),
            stale: if is_unheard { Duration::ZERO } else { Duration::from_secs(lifetime.stale_s.into()) },
            stale_on_error: Duration::from_secs(lifetime.stale_on_error_s.into()),
            // With a stale window, the read that finds a stale entry is served at once and starts a refresh;
            // refresh-ahead as well would only add requests to the server.
            refresh_ahead: lifetime.stale_s == 0,
            warm: lifetime.warm,
            soft_timeout: SOFT_TIMEOUT,
            hard_timeout: self.origin.settings.load_timeout,
        }
    }

    /// Entries loaded before this moment may have missed a change, in milliseconds; zero if nothing. Without a token
    /// the server's events are never heard: then a restart loses nothing but the live signals of users.
    fn unconfirmed_before_ms(&self, class: Class, lifetime: Lifetime) -> Timestamp {
        let gap_end_ms = self.confirmation.gap_end_ms(self.origin.started_ms, self.origin.clock.last_leap());
        match class {
            _ if self.origin.settings.token.is_none() && !lifetime.user_state => Timestamp::UNIX_EPOCH,
            Class::Images => self.confirmation.images_unconfirmed_before_ms(gap_end_ms),
            _ => gap_end_ms,
        }
    }

    /// The identity of this credential. Purges the own partition of a token that is evicted for it, and partitions that
    /// tokens have left. Also purges the own partition of a new token if an invalidation covered only known partitions,
    /// in this process or an earlier one, because the disk may hold entries of it.
    pub fn identify(&self, credential: &Credential) -> Arc<Identity> {
        let (identity, evicted) = self.identities.resolve(credential, self.origin.clock.now());
        if let Some(evicted) = evicted {
            self.forget_token(&evicted);
        }
        self.purge_outdated();
        let is_new = !identity.is_anonymous() && identity.take_is_new();
        if is_new && self.invalidation.partial_invalidation.is_persisted() && self.cache.outlives_process() {
            self.forget_token(&identity);
        }
        identity
    }

    /// Whether its events arrive.
    pub fn events_state(&self) -> EventStreamState {
        self.feed.events_state()
    }

    /// Sets the result of the last event subscription.
    pub fn set_events_state(&self, events: EventStreamState) {
        let now_ms = self.origin.clock.now();
        let was_whole = self.feed.is_whole();
        self.feed.set_events_state(events, now_ms);
        match (was_whole, self.feed.is_whole()) {
            (false, true) => {
                // Members of sets, and documents, may have changed unheard.
                self.invalidation.lineage.lock().forget_all_changeable();
                self.confirmation.feed_started(now_ms);
            }
            (true, false) => self.confirmation.feed_lost(),
            _ => {}
        }
    }

    /// Whether this text is a token that was configured or that a client has sent.
    pub fn is_token(&self, text: &str) -> bool {
        let settings = &self.origin.settings;
        let accounts = settings.accounts.values().filter_map(|account| account.token.as_ref());
        settings.token.iter().chain(accounts).any(|token| token.expose() == text) || self.identities.knows(text)
    }

    /// Records that the server rejected this identity's token; it may be the configured one.
    pub fn record_refused(&self, identity: &Identity) {
        if self.is_own_token(identity) {
            self.origin.record_own_token(false);
        }
    }

    /// Whether it is the identity of the configured token.
    pub fn is_own_token(&self, identity: &Identity) -> bool {
        self.own_partition().is_some_and(|own| own == *identity.token())
    }

    /// The configured token's own partition, which also stands for the token.
    pub fn own_partition(&self) -> Option<Partition> {
        let token = self.origin.settings.token.as_ref();
        token.map(|token| self.identities.partition_of(token.expose()))
    }

    /// The request for a permit of a client's read.
    pub fn queue_request(&self, identity: &Identity, app: &Arc<ClientApp>, read: &Read) -> QueueRequest {
        let request = QueueRequest::read(app, read.class, &read.key, self.origin.clock.now());
        // A public response is requested without the token.
        if read.sharing == SharingScope::Public { request } else { self.ranked(identity, request) }
    }

    /// This identity's request with the priority that its token deserves: made-up tokens come last.
    pub fn ranked(&self, identity: &Identity, request: QueueRequest) -> QueueRequest {
        if identity.is_stranger() && !self.is_own_token(identity) { request.of_stranger() } else { request }
    }

    /// Current warm keys of the configured token, in order of their keys.
    pub fn warm_reads(&self) -> Vec<StoredWarmKey> {
        let Some(credential) = self.origin.own_credential() else { return Vec::new() };
        let Some(own) = self.identities.lookup(&credential) else { return Vec::new() };
        self.warm_keys.own_reads.warm_reads(&self.cache, self.name(), own.partition())
    }
}
