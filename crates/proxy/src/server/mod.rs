//! One media server with everything that is kept about it.

mod counters;
mod recording;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::{Cache, Clock, Earlier, Invalidation, Partition, Policy, Scope};
use greenroom_dialect::class::{Class, Lifetime};
use greenroom_dialect::credential::{Credential, Secret};
use greenroom_dialect::verdict::Read;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::change_feed::{ChangeFeed, Events};
use crate::http::byte_budget::{ByteBudget, Pool};
use crate::http::client_limits::ClientLimits;
use crate::identity::{Identities, Identity, SharedPartitions};
use crate::invalidation_state::InvalidationState;
use crate::known_tokens::KnownTokens;
use crate::mode::Modes;
use crate::prefetch::Prefetch;
use crate::request::meaning::Meanings;
use crate::shadow::{Observation, Report};
use crate::shrink_guard::Doubts;
use crate::trusted_proxies::Heard;
use crate::ttl_overrides::Lifetimes;
use crate::warm_keys::WarmKeys;
pub use counters::Counters;
use greenroom_config::Mode;
use greenroom_origin::Origin;
use greenroom_origin::client_apps::{App, Apps};
use greenroom_origin::fact::FactListener;
use greenroom_state::grants::WarmRead;
use greenroom_state::secrets::HashKey;
pub use recording::Recording;

/// After this long an older answer is served instead of waiting on.
const SOFT_TIMEOUT: Duration = Duration::from_secs(1);

/// One configured media server.
#[derive(Debug)]
pub struct Server {
    /// The way to it.
    pub origin: Arc<Origin>,
    /// The engine, shared by all servers; this one's namespace is its name.
    pub cache: Cache,
    /// Lists that came back so short that they are not believed yet.
    pub doubts: Doubts,
    /// Who was seen.
    pub identities: Identities,
    /// Where answers are kept that are nobody's alone.
    pub partitions: SharedPartitions,
    /// What their requests mean.
    pub meanings: Meanings,
    /// What its own events say, and whether they reach us.
    pub change_feed: ChangeFeed,
    /// Which apps were seen.
    pub apps: Apps,
    /// Stands for ourselves, where no app asks.
    pub own_app: Arc<App>,
    /// What is loaded before it is asked for.
    pub prefetch: Prefetch,
    /// What is remembered so that it is known what goes stale.
    pub invalidation: InvalidationState,
    /// What was counted.
    pub counters: Counters,
    /// How its requests were answered.
    pub record: Recording,
    /// What its clients may take at a time.
    pub limits: ClientLimits,
    /// Which proxies it trusts, as it said last.
    pub proxies: Heard,
    /// The secret part of the address that webhooks are sent to.
    pub hook_secret: Secret,
    /// How its reads are answered, and what is bypassed.
    pub modes: Modes,
    /// What is kept warm for the configured token.
    pub warm: WarmKeys,
    /// How long its answers live, as far as that was said while the process runs.
    pub lifetimes: Lifetimes,
    /// Whether every token that the state holds something of is known.
    pub known_tokens: Arc<KnownTokens>,
}

impl Server {
    /// A server nothing is known about yet. `secrets` are the key that hides identities and the secret part of the
    /// webhook address.
    ///
    /// # Errors
    /// See [`Origin::new`].
    pub fn new(
        settings: greenroom_config::Server,
        cache: Cache,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
        secrets: (HashKey, Secret),
    ) -> Result<Self, String> {
        Ok(Self::before(Origin::new(settings, clock, tasks, stop, FactListener::default())?, cache, secrets))
    }

    /// What stands before this origin, with nothing known yet.
    pub fn before(origin: Origin, cache: Cache, secrets: (HashKey, Secret)) -> Self {
        let settings = &origin.settings;
        Self {
            doubts: Doubts::default(),
            identities: Identities::new(&settings.name, secrets.0),
            partitions: SharedPartitions::default(),
            meanings: Meanings::default(),
            change_feed: ChangeFeed::default(),
            apps: Apps::default(),
            own_app: Arc::default(),
            prefetch: Prefetch::new(&settings.prefetch),
            invalidation: InvalidationState::default(),
            counters: Counters::default(),
            record: Recording::default(),
            limits: ClientLimits::new(&settings.hygiene),
            proxies: Heard::default(),
            hook_secret: secrets.1,
            modes: Modes::default(),
            warm: WarmKeys::default(),
            lifetimes: Lifetimes::default(),
            known_tokens: Arc::default(),
            cache,
            origin: Arc::new(origin),
        }
    }

    /// Request bodies held for its clients count for this pool of the process as well.
    pub fn share_bodies(&mut self, process: &Arc<Pool>) {
        self.limits.bodies =
            Arc::new(ByteBudget::new(Arc::clone(process), self.origin.settings.hygiene.bodies.held));
    }

    /// Its name, which is also its namespace in the engine.
    pub fn name(&self) -> &str {
        self.origin.name()
    }

    /// How a read of this class and app is answered now.
    pub fn manner(&self, class: Class, app: &App) -> Mode {
        self.modes.manner(self.name(), class, &app.name)
    }

    /// How its reads are answered, those aside that are bypassed one by one.
    pub fn mode(&self) -> Mode {
        self.modes.mode(self.name())
    }

    /// Answers reads in this mode from now on. Returns whether that is another than before.
    pub fn turn_to(&self, mode: Mode) -> bool {
        let own = self.origin.counters.own.load(Ordering::Relaxed);
        self.modes
            .switch
            .turn(mode, own, self.origin.clock.now_ms(), || Observation::begin(&self.origin, &self.cache))
    }

    /// What the cache would have done: of what is observed now, or of the last time.
    pub fn observed(&self) -> Option<Report> {
        self.modes.switch.report(self.origin.counters.own.load(Ordering::Relaxed), self.origin.clock.now_ms())
    }

    /// Something passes that the cache has no part in.
    pub fn note_passing(&self, what: &'static str, app: &App) {
        if let Some(observation) = self.modes.switch.observation() {
            observation.tally.passed(what, &app.name);
        }
    }

    /// Writes into the ledger what we asked without a client since the last time.
    pub fn settle_own(&self, now_ms: u64) {
        let own = self.origin.counters.own.load(Ordering::Relaxed);
        let settled = self.counters.own_settled.fetch_max(own, Ordering::AcqRel);
        self.record.ledger.note_own(own.saturating_sub(settled), now_ms);
    }

    /// Invalidates in the cache, and in what is observed.
    pub fn invalidate(&self, scope: &Scope, how: &Invalidation) {
        self.cache.invalidate(scope, how);
        if let Some(observation) = self.modes.switch.observation() {
            observation.invalidate(scope, how);
        }
    }

    /// Drops everything of an identity, beyond recall.
    pub fn purge_partition(&self, identity: &Identity) {
        self.meanings.forget(identity);
        let scope =
            Scope::Partition { namespace: self.name().into(), partition: identity.partition().clone() };
        let how = Invalidation { mode: greenroom_cache::Mode::Purge, settle: None, unstorable_for: None };
        self.invalidate(&scope, &how);
    }

    /// A lifetime with what was configured laid over it, and what was said since over that.
    pub fn lifetime(&self, class: Class, otherwise: Lifetime) -> Lifetime {
        let rule = self.origin.settings.lifetime(class, class.lifetime(self.origin.settings.kind));
        self.lifetimes.said(class).over(self.origin.settings.lifetime(class, otherwise), rule)
    }

    /// The policy for what was asked, before the answer is known.
    pub fn policy(&self, read: &Read, identity: &Identity) -> Policy {
        let lifetime = self.lifetime(read.class, read.lifetime);
        let unsignalled = Duration::from_secs(lifetime.fresh_s.into());
        let signalled = Duration::from_secs(lifetime.fresh_with_signal_s.into());
        let since_ms = if lifetime.user_state { identity.signal_since_ms() } else { Some(0) };
        Policy {
            class: read.class.name(),
            fresh: if since_ms.is_some() { signalled } else { unsignalled },
            earlier: since_ms.map(|than_ms| Earlier { than_ms, fresh: unsignalled }),
            stale: Duration::from_secs(lifetime.stale_s.into()),
            stale_on_error: Duration::from_secs(lifetime.stale_on_error_s.into()),
            // With a stale window the read that finds an answer too old is answered at once and refreshes behind;
            // refreshing ahead as well would only ask the server more often.
            refresh_ahead: lifetime.stale_s == 0,
            warm: lifetime.warm,
            soft_timeout: SOFT_TIMEOUT,
            hard_timeout: self.origin.settings.load_timeout,
        }
    }

    /// Who shows this credential. An identity that had to be forgotten loses what was kept for it, and so does one
    /// that nobody knew of while things went stale for those who were known, in this process or an earlier one: on
    /// disk there may be something of it.
    pub fn identify(&self, credential: &Credential) -> Arc<Identity> {
        let (identity, forgotten) = self.identities.resolve(credential, self.origin.clock.now_ms());
        if let Some(forgotten) = forgotten {
            self.purge_partition(&forgotten);
        }
        let is_new = !identity.is_anonymous() && identity.take_newness();
        if is_new && self.invalidation.choosiness.is_kept() && self.cache.disk_stats().is_some() {
            self.purge_partition(&identity);
        }
        identity
    }

    /// Whether its events reach us.
    pub fn events(&self) -> Events {
        self.change_feed.events()
    }

    /// This became of asking for its events.
    pub fn note_events(&self, events: Events) {
        self.change_feed.note_events(events);
    }

    /// The server refused the token of this identity; it may be the configured one.
    pub fn note_refused(&self, identity: &Identity) {
        if self.own_partition().is_some_and(|own| own == *identity.partition()) {
            self.origin.note_own_token(false);
        }
    }

    /// Where answers to the configured token are kept.
    pub fn own_partition(&self) -> Option<Partition> {
        let token = self.origin.settings.token.as_ref();
        token.map(|token| self.identities.partition_of(token.expose()))
    }

    /// Where the answer of a read is kept that this identity asks for.
    pub fn partition_of<'a>(&'a self, identity: &'a Identity, read: &Read) -> &'a Partition {
        self.partitions.of(identity, read)
    }

    /// What is kept warm for the configured token now, in order of its keys.
    pub fn warm_reads(&self) -> Vec<WarmRead> {
        let Some(own) = self.own_partition() else { return Vec::new() };
        self.warm.own_reads.warm(&self.cache, self.name(), &own)
    }
}
