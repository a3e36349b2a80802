//! One media server with everything that is kept about it.

mod counters;
pub mod own_read;
mod own_token;
mod said;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use greenroom_cache::{Cache, Clock, Earlier, Invalidation, Partition, Policy, Scope};
use greenroom_library::lineage::Lineage;
use greenroom_upstream::class::{Class, Lifetime};
use greenroom_upstream::credential::{Credential, Secret};
use greenroom_upstream::verdict::Read;
use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::advice::forwarding::Heard;
use crate::apps::{App, Apps};
use crate::body::Body;
use crate::bounds::Bounds;
use crate::breaker::{Breaker, Outcome};
use crate::bypass::Bypasses;
use crate::config;
use crate::dashboard::health::FirstBytes;
use crate::doubt::Doubts;
use crate::follower::Events;
use crate::identity::{HashKey, Identities, Identity};
use crate::library::tidings::Tidings;
use crate::lifetimes::Lifetimes;
use crate::mode::{Mode, Switch};
use crate::notices::Notices;
use crate::observe::{Observation, Report};
use crate::origin::{Cause, Lane, NoResponse, Origin};
use crate::prefetch::Prefetch;
use crate::proxy::meaning::Meanings;
use crate::queue::Queue;
use crate::queue::places::Limits;
use crate::resume::{OwnReads, WarmRead};
use crate::seats::Seats;
use crate::stale::{Choosiness, Paces, Players};
use crate::state::State;
use crate::statistics::Ledger;
use crate::statistics::spot::Spots;
use crate::traces::Traces;
use crate::warnings::Warnings;
pub use counters::Counters;
use said::UNTOLD;

/// Items whose place in the library is remembered; some 100 bytes each.
const MAX_LINEAGE: usize = 200_000;
/// After this long an older answer is served instead of waiting on.
const SOFT_TIMEOUT: Duration = Duration::from_secs(1);

/// One configured media server.
#[derive(Debug)]
pub struct Server {
    /// What was configured.
    pub settings: config::Server,
    /// The engine, shared by all servers; this one's namespace is its name.
    pub cache: Cache,
    /// The clock of the process.
    pub clock: Clock,
    /// Owner of every task that is started for this server.
    pub tasks: TaskTracker,
    /// Ends every task that would not end by itself.
    pub stop: CancellationToken,
    /// The way to it.
    pub origin: Origin,
    /// Whether it is down.
    pub breaker: Breaker,
    /// Lists that came back so short that they are not believed yet.
    pub doubts: Doubts,
    /// Who may ask it, and who has to wait.
    pub queue: Arc<Queue>,
    /// Who was seen.
    pub identities: Identities,
    /// What their requests mean.
    pub meanings: Meanings,
    /// What its events say about its libraries.
    pub tidings: Tidings,
    /// Which item lies under which.
    pub lineage: Mutex<Lineage>,
    /// Which apps were seen.
    pub apps: Apps,
    /// What is loaded before it is asked for.
    pub prefetch: Prefetch,
    /// How often progress reports were let through to lists.
    pub paces: Paces,
    /// What every player did last.
    pub players: Players,
    /// What was counted.
    pub counters: Counters,
    /// What was asked and how it was answered, over time.
    pub ledger: Ledger,
    /// Whether what is answered is what it says itself.
    pub spots: Spots,
    /// Clients' connections, by address.
    pub connections: Seats<IpAddr>,
    /// Clients' notification sockets and event streams, by identity.
    pub sockets: Seats<Partition>,
    /// How long its answers lately took to begin.
    pub first_bytes: FirstBytes,
    /// Which bounds clients ran into.
    pub bounds: Bounds,
    /// What is set up badly about it.
    pub warnings: Warnings,
    /// Which proxies it trusts, as it said last.
    pub proxies: Heard,
    /// By how many seconds its clock was ahead of ours when it answered last.
    ahead_s: AtomicI64,
    /// Whether its events reach us.
    events: Mutex<Events>,
    /// Which version it said to be when it was greeted last.
    version: Mutex<Option<String>>,
    /// Where answers are kept that everybody may see.
    pub public: Partition,
    /// Where images are kept.
    pub images: Partition,
    /// The secret part of the address that webhooks are sent to.
    pub hook_secret: Secret,
    /// How its reads are answered.
    pub switch: Switch,
    /// What is bypassed, for all servers.
    pub bypasses: Arc<Bypasses>,
    /// What is kept warm for the configured token.
    pub own_reads: OwnReads,
    /// What was kept warm for it when the last process ended, until it is taken up.
    pub resumed: Mutex<Vec<WarmRead>>,
    /// Stands for ourselves, where no app asks.
    pub own_app: Arc<App>,
    /// When this process began to stand before it, in milliseconds.
    pub began_ms: u64,
    /// How long its answers live, as far as that was said while the process runs.
    pub lifetimes: Lifetimes,
    /// What outlives the process.
    pub state: Arc<State>,
    /// Who is told when something happens.
    pub notices: Arc<Notices>,
    /// Where traces go.
    pub traces: Arc<Traces>,
    /// The server refused the configured token, and has not accepted it since.
    refuses_own_token: AtomicBool,
    /// Whether things go stale for some partitions only.
    pub choosiness: Choosiness,
    /// Who the server said to be when it was asked last without a token, in its own words.
    introduction: Mutex<Option<Bytes>>,
    /// What answers there is an Emby, whose requests we do not understand.
    is_emby: AtomicBool,
}

impl Server {
    /// A server nothing is known about yet. `secrets` are the key that hides identities and the secret part of the
    /// webhook address.
    ///
    /// # Errors
    /// See [`Origin::new`].
    pub fn new(
        settings: config::Server,
        cache: Cache,
        clock: Clock,
        tasks: TaskTracker,
        stop: CancellationToken,
        secrets: (HashKey, Secret),
    ) -> Result<Self, String> {
        let limits = Limits::new(settings.upstream_concurrency, settings.max_waiting);
        Ok(Self {
            queue: Queue::new(limits, settings.load_timeout, clock.clone()),
            origin: Origin::new(&settings)?,
            breaker: Breaker::default(),
            doubts: Doubts::default(),
            identities: Identities::new(&settings.name, secrets.0),
            meanings: Meanings::default(),
            tidings: Tidings::default(),
            lineage: Mutex::new(Lineage::new(MAX_LINEAGE)),
            apps: Apps::default(),
            prefetch: Prefetch::new(&settings.prefetch),
            paces: Paces::default(),
            players: Players::default(),
            counters: Counters::default(),
            ledger: Ledger::default(),
            spots: Spots::default(),
            connections: Seats::new(
                settings.hygiene.max_connections,
                settings.hygiene.max_connections_per_peer,
            ),
            sockets: Seats::new(settings.hygiene.max_sockets, settings.hygiene.max_sockets_per_identity),
            first_bytes: FirstBytes::default(),
            bounds: Bounds::default(),
            warnings: Warnings::default(),
            proxies: Heard::default(),
            ahead_s: AtomicI64::new(UNTOLD),
            events: Mutex::default(),
            version: Mutex::default(),
            public: Partition::new("public"),
            images: Partition::new("images"),
            hook_secret: secrets.1,
            switch: Switch::default(),
            bypasses: Arc::default(),
            own_reads: OwnReads::default(),
            resumed: Mutex::default(),
            own_app: Arc::default(),
            began_ms: clock.now_ms(),
            lifetimes: Lifetimes::default(),
            state: Arc::default(),
            notices: Arc::default(),
            traces: Arc::default(),
            refuses_own_token: AtomicBool::new(false),
            choosiness: Choosiness::default(),
            introduction: Mutex::default(),
            is_emby: AtomicBool::new(false),
            settings,
            cache,
            clock,
            tasks,
            stop,
        })
    }

    /// Its name, which is also its namespace in the engine.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// How a read of this class and app is answered now.
    pub fn manner(&self, class: Class, app: &App) -> Mode {
        if self.bypasses.covers(self.name(), class.name(), &app.name) {
            Mode::Bypass
        } else {
            self.switch.mode()
        }
    }

    /// How its reads are answered, those aside that are bypassed one by one.
    pub fn mode(&self) -> Mode {
        if self.bypasses.covers_all_of(self.name()) { Mode::Bypass } else { self.switch.mode() }
    }

    /// Answers reads in this mode from now on. Returns whether that is another than before.
    pub fn turn_to(&self, mode: Mode) -> bool {
        let own = self.counters.own.load(Ordering::Relaxed);
        self.switch.turn(mode, own, self.clock.now_ms(), || Observation::begin(self))
    }

    /// What the cache would have done: of what is observed now, or of the last time.
    pub fn observed(&self) -> Option<Report> {
        self.switch.report(self.counters.own.load(Ordering::Relaxed), self.clock.now_ms())
    }

    /// Something passes that the cache has no part in.
    pub fn note_passing(&self, what: &'static str, app: &App) {
        if let Some(observation) = self.switch.observation() {
            observation.tally.passed(what, &app.name);
        }
    }

    /// Writes into the ledger what we asked without a client since the last time.
    pub fn settle_own(&self, now_ms: u64) {
        let own = self.counters.own.load(Ordering::Relaxed);
        let settled = self.counters.own_settled.fetch_max(own, Ordering::AcqRel);
        self.ledger.note_own(own.saturating_sub(settled), now_ms);
    }

    /// Invalidates in the cache, and in what is observed.
    pub fn invalidate(&self, scope: &Scope, how: &Invalidation) {
        self.cache.invalidate(scope, how);
        if let Some(observation) = self.switch.observation() {
            observation.invalidate(scope, how);
        }
    }

    /// A lifetime with what was configured laid over it, and what was said since over that.
    pub fn lifetime(&self, class: Class, otherwise: Lifetime) -> Lifetime {
        let rule = self.settings.lifetime(class, class.lifetime(self.settings.kind));
        self.lifetimes.said(class).over(self.settings.lifetime(class, otherwise), rule)
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
            hard_timeout: self.settings.load_timeout,
        }
    }

    /// Who shows this credential. An identity that had to be forgotten loses what was kept for it, and so does one
    /// that nobody knew of while things went stale for those who were known, in this process or an earlier one: on
    /// disk there may be something of it.
    pub fn identify(&self, credential: &Credential) -> Arc<Identity> {
        let (identity, forgotten) = self.identities.resolve(credential, self.clock.now_ms());
        if let Some(forgotten) = forgotten {
            crate::stale::purge_partition(self, &forgotten);
        }
        let is_new = !identity.is_anonymous() && identity.take_newness();
        if is_new && self.choosiness.is_kept() && self.cache.disk_stats().is_some() {
            crate::stale::purge_partition(self, &identity);
        }
        identity
    }

    /// Sends one request, once, and tells the breaker what came of it. `key` stands for what is asked for.
    ///
    /// # Errors
    /// See [`Origin::send`].
    pub async fn send(
        &self,
        request: Request<Body>,
        lane: Lane,
        key: u64,
    ) -> Result<Response<Incoming>, NoResponse> {
        let began_us = self.clock.now_us();
        let answer = self.origin.send(request, lane).await;
        if answer.is_ok() && matches!(lane, Lane::Read) {
            self.first_bytes.note(self.clock.now_ms(), self.clock.since(began_us));
        }
        let outcome = match &answer {
            Ok(response) if matches!(response.status().as_u16(), 502..=504) => Some(Outcome::Unwilling),
            Ok(_) => Some(Outcome::Answered),
            Err(none) => match none.cause {
                Cause::Connection => Some(Outcome::Unreachable),
                Cause::Answer => Some(Outcome::Answered),
                // A client that breaks off says nothing about the server.
                Cause::Request => None,
            },
        };
        if let Some(outcome) = outcome {
            self.breaker.note(key, outcome, self.clock.now_ms());
        }
        if let Ok(response) = &answer {
            self.note_time(response.headers());
        }
        answer
    }

    /// Whether its events reach us.
    pub fn events(&self) -> Events {
        *self.events.lock()
    }

    /// This became of asking for its events.
    pub fn note_events(&self, events: Events) {
        *self.events.lock() = events;
    }

    /// The first byte of an answer for `key` did not come in time.
    pub fn note_silence(&self, key: u64) {
        self.breaker.note(key, Outcome::Silent, self.clock.now_ms());
    }

    /// The server answered.
    pub fn note_success(&self) {
        self.counters.last_success_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// The server did not answer, or not as itself.
    pub fn note_failure(&self) {
        self.counters.last_failure_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// Whether the last thing heard of the server was an answer; `None` before anything was heard.
    pub fn is_well(&self) -> Option<bool> {
        let success = self.counters.last_success_ms.load(Ordering::Relaxed);
        let failure = self.counters.last_failure_ms.load(Ordering::Relaxed);
        if success == 0 && failure == 0 { None } else { Some(success >= failure) }
    }
}
