//! One load ahead: as the client itself would cause it, only that nobody waits for it.

use std::fmt;
use std::sync::Arc;

use greenroom_cache::{Ahead, Entry, Failure, FailureKind, Key, Load, LoadReason, Loader, Policy};
use greenroom_dialect::verdict::{Read, Sharing};
use http::Response;
use parking_lot::Mutex;

use crate::prefetch::policy::{Facts, Skip, judge};
use crate::read::image::ImageLoader;
use crate::read::origin_loader::ReadLoader;
use crate::read::{Proof, prove};
use crate::request::meaning::Meaning;
use crate::server::Server;
use greenroom_origin::body::Body;
use greenroom_origin::scheduler::{Errand, Place};

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The server answered.
    Loaded,
    /// The server was not asked.
    Skipped(Skip),
    /// The server failed.
    Failed(FailureKind),
}

/// Loads what a client is likely to ask, unless something speaks against it. `at_ms` is when the answer left that
/// leads to it.
pub(super) async fn load(server: &Arc<Server>, meaning: &Meaning, read: &Arc<Read>, at_ms: u64) -> Outcome {
    match attempt(server, meaning, read, at_ms).await {
        Ok(Ok(ahead)) => match ahead {
            Ahead::Loaded(_) | Ahead::Passed(_) => Outcome::Loaded,
            Ahead::Kept => Outcome::Skipped(Skip::Kept),
            Ahead::UnderWay => Outcome::Skipped(Skip::UnderWay),
            Ahead::Withheld => Outcome::Skipped(Skip::Withheld),
        },
        Ok(Err(failure)) => Outcome::Failed(failure.kind),
        Err(why) => Outcome::Skipped(why),
    }
}

async fn attempt(
    server: &Arc<Server>,
    meaning: &Meaning,
    read: &Arc<Read>,
    at_ms: u64,
) -> Result<Result<Ahead<Response<Body>>, Failure>, Skip> {
    let now_ms = server.origin.clock.now_ms();
    judge(Facts {
        mode: server.manner(read.class, &meaning.app),
        is_up: server.origin.breaker.admits(),
        is_paused: server.prefetch.pause.lock().is_on(now_ms),
        is_refused: meaning.identity.is_forgotten() || meaning.identity.is_refused(),
        is_bulk: meaning.app.habits.lock().is_flood(now_ms),
        age_ms: now_ms.saturating_sub(at_ms),
    })?;
    let identity = &meaning.identity;
    let policy = Policy { warm: false, ..server.policy(read, identity) };
    let kept = Key::new(server.name(), server.partition_of(identity, read), &read.key);
    // A picture that is kept for others has still to be shown to this token.
    let is_image = matches!(read.sharing, Sharing::Image(_));
    let is_known = !is_image || prove(server, identity, read, now_ms) == Proof::Holds;
    if is_known && server.cache.is_kept(&kept, &policy).await {
        return Err(Skip::Kept);
    }
    let errand = Errand::own(Some(&meaning.app), read.class);
    let Some(place) = server.origin.queue.place_to_spare(&errand) else { return Err(Skip::Busy) };
    if !server.prefetch.budget.lock().spend(now_ms) {
        return Err(Skip::Budget);
    }
    server.prefetch.tally.start();
    let loader = || Placed { inner: loader(server, meaning, read), place: Arc::new(Mutex::new(Some(place))) };
    if !is_image {
        return Ok(server.cache.load_ahead(&kept, &policy, loader).await);
    }
    let own = Key::new(server.name(), identity.partition(), &read.key);
    let fill = || ImageLoader { inner: loader(), cache: server.cache.clone(), shared: kept, policy };
    Ok(server.cache.load_ahead(&own, &policy, fill).await)
}

fn loader(server: &Arc<Server>, meaning: &Meaning, read: &Arc<Read>) -> ReadLoader {
    let settings = &server.origin.settings;
    let credential = settings.kind.credential_headers(&meaning.credential, settings.translate_legacy_auth);
    ReadLoader {
        server: Arc::clone(server),
        identity: Arc::clone(&meaning.identity),
        credential: Arc::new(credential),
        app: Arc::clone(&meaning.app),
        read: Arc::clone(read),
    }
}

/// A loader that has its place in the queue already: a client that joins its load does not wait in a line of ours.
#[derive(Clone)]
struct Placed {
    inner: ReadLoader,
    place: Arc<Mutex<Option<Place>>>,
}

impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed").finish_non_exhaustive()
    }
}

impl Loader for Placed {
    type Pass = Response<Body>;

    async fn load(&self, why: LoadReason, old: Option<Arc<Entry>>) -> Result<Load<Self::Pass>, Failure> {
        let Some(place) = self.place.lock().take() else {
            return Err(Failure::new(FailureKind::Overloaded, "this place was used already"));
        };
        self.inner.load_at(place, why, old).await
    }
}
