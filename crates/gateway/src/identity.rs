//! Who asks: the partition a token's answers are kept in, and the proofs that the server accepts that token.
//!
//! A token is not kept here. What stands for it is a keyed hash of server and full token; the key lives in the data
//! directory, so a hash says nothing to anybody else. A hit needs proof that *this very token* was accepted by
//! *this server* for *this class* of answers within the last `auth_ttl`; for an image, that it was shown this
//! item's image within [`IMAGE_PROOF_TTL`].
//!
//! While the server is down it cannot be asked. Then a token counts that was proven, by any answer or by an open
//! socket, within `auth_ttl` before the server was last heard of; and it gets what it was given before, class by class.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_upstream::class::Class;
use greenroom_upstream::credential::Credential;
use parking_lot::{Mutex, RwLock};

use crate::breaker::Outage;

/// How long the proof for an image holds.
pub const IMAGE_PROOF_TTL: Duration = Duration::from_secs(24 * 3600);
/// Identities remembered per server. One is some 400 bytes; a household has tens.
const MAX_IDENTITIES: usize = 4096;
/// Image proofs remembered per server, some 50 bytes each.
const MAX_IMAGE_PROOFS: usize = 200_000;

/// The secret that turns tokens into partitions. Prints nothing of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub [u8; 32]);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// One identity of one server, as seen through its token.
#[derive(Debug)]
pub struct Identity {
    partition: Partition,
    anonymous: bool,
    /// When the server last said yes, per class, in milliseconds; 0 is never.
    accepted_ms: [AtomicU64; Class::EVERY.len()],
    /// When the server last showed in any way that it accepts this token, in milliseconds; 0 is never.
    proven_ms: AtomicU64,
    account: RwLock<Option<Arc<str>>>,
    /// How often the server refused this token: a proof of before is none.
    refusals: AtomicU64,
    /// Sockets of this identity that pass through us and tell what becomes stale.
    sockets: AtomicUsize,
    /// Since when there is one without a break, in milliseconds.
    signal_since_ms: AtomicU64,
    last_seen_ms: AtomicU64,
    /// Whether its place was needed for somebody else: whoever shows its token is a new identity.
    is_forgotten: AtomicBool,
}

impl Identity {
    fn new(partition: &str, anonymous: bool) -> Self {
        Self {
            partition: Partition::new(partition),
            anonymous,
            accepted_ms: [const { AtomicU64::new(0) }; Class::EVERY.len()],
            proven_ms: AtomicU64::new(0),
            account: RwLock::new(None),
            refusals: AtomicU64::new(0),
            sockets: AtomicUsize::new(0),
            signal_since_ms: AtomicU64::new(0),
            last_seen_ms: AtomicU64::new(0),
            is_forgotten: AtomicBool::new(false),
        }
    }

    /// Where this identity's answers are kept.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Whether the caller showed no token.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// Notes that its token was shown again. `false`: it was forgotten, the token is to be resolved anew.
    pub fn is_seen_again(&self, now_ms: u64) -> bool {
        // Written once a second at most, so that cores do not take it from each other with every request.
        if now_ms.saturating_sub(self.last_seen_ms.load(Ordering::Relaxed)) >= 1000 {
            self.last_seen_ms.store(now_ms, Ordering::Relaxed);
        }
        !self.is_forgotten()
    }

    /// Grows with every refusal. To be read before the server is asked, and shown with what it said.
    pub fn generation(&self) -> u64 {
        self.refusals.load(Ordering::Acquire)
    }

    /// The server answered 200 for this class to this token, asked at that generation.
    pub fn accept(&self, class: Class, now_ms: u64, generation: u64) {
        if self.generation() == generation {
            self.accepted_ms[class as usize].store(now_ms, Ordering::Release);
            self.prove(now_ms);
        }
    }

    /// The server shows that it accepts this token: it answered, or keeps a socket of it open.
    pub fn prove(&self, now_ms: u64) {
        self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
    }

    /// Whether the token was proven when the server was last heard of, and that was within `offline_ttl`.
    pub fn is_proven_offline(
        &self,
        outage: &Outage,
        now_ms: u64,
        ttl: Duration,
        offline_ttl: Duration,
    ) -> bool {
        let heard_ms = outage.heard_ms;
        within(self.proven_ms.load(Ordering::Acquire), heard_ms, ttl) && within(heard_ms, now_ms, offline_ttl)
    }

    /// Whether the server said yes for this class within `ttl`.
    pub fn is_accepted(&self, class: Class, now_ms: u64, ttl: Duration) -> bool {
        within(self.accepted_ms[class as usize].load(Ordering::Acquire), now_ms, ttl)
    }

    /// Whether the server ever said yes for this class since it last refused this token.
    pub fn was_accepted(&self, class: Class) -> bool {
        self.accepted_ms[class as usize].load(Ordering::Acquire) > 0
    }

    /// The server refused this token: nothing is proven any more.
    pub fn refuse(&self) {
        self.refusals.fetch_add(1, Ordering::AcqRel);
        for accepted in &self.accepted_ms {
            accepted.store(0, Ordering::Release);
        }
        self.proven_ms.store(0, Ordering::Release);
    }

    /// Whether the server refused this token, and was not seen to accept it since.
    pub fn is_refused(&self) -> bool {
        self.generation() > 0 && self.proven_ms.load(Ordering::Acquire) == 0
    }

    /// Whether its place was needed for somebody else.
    pub fn is_forgotten(&self) -> bool {
        self.is_forgotten.load(Ordering::Acquire)
    }

    /// The account this token is proven to belong to.
    pub fn account(&self) -> Option<Arc<str>> {
        self.account.read().clone()
    }

    /// The server said whose token this is.
    pub fn prove_account(&self, account: &str) {
        if self.account.read().as_deref() != Some(account) {
            *self.account.write() = Some(account.into());
        }
    }

    /// Whether a live signal tells what becomes stale for this identity.
    pub fn has_signal(&self) -> bool {
        self.signal_since_ms().is_some()
    }

    /// Since when a live signal tells what becomes stale for this identity. What was loaded before may have missed
    /// something, if only while we were not running.
    pub fn signal_since_ms(&self) -> Option<u64> {
        let is_open = self.sockets.load(Ordering::Acquire) > 0;
        is_open.then(|| self.signal_since_ms.load(Ordering::Acquire))
    }

    /// A socket of this identity passes through us from now on.
    pub fn socket_opened(&self, now_ms: u64) {
        if self.sockets.load(Ordering::Acquire) == 0 {
            self.signal_since_ms.store(now_ms, Ordering::Release);
        }
        self.sockets.fetch_add(1, Ordering::AcqRel);
    }

    /// It ended. Returns whether it was the last one.
    pub fn socket_closed(&self) -> bool {
        self.sockets.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn was_ever_accepted(&self) -> bool {
        self.accepted_ms.iter().any(|at| at.load(Ordering::Relaxed) > 0)
    }
}

/// The identities of one server.
#[derive(Debug)]
pub struct Identities {
    server: String,
    key: HashKey,
    known: RwLock<HashMap<[u8; 16], Arc<Identity>>>,
    anonymous: Arc<Identity>,
    /// Which image was shown to whom: when, and at which generation.
    images: Mutex<HashMap<(Partition, u64), (u64, u64)>>,
}

impl Identities {
    /// Nobody yet. `key` hides the tokens.
    pub fn new(server: &str, key: HashKey) -> Self {
        let anonymous = Arc::new(Identity::new("anonymous", true));
        Self { server: server.to_owned(), key, known: RwLock::default(), anonymous, images: Mutex::default() }
    }

    /// Who shows this credential, and, if another identity had to be forgotten for it, which one: the caller must
    /// purge that one's partition, because no write will reach it any more.
    pub fn resolve(&self, credential: &Credential, now_ms: u64) -> (Arc<Identity>, Option<Arc<Identity>>) {
        let Some(token) = &credential.token else { return (Arc::clone(&self.anonymous), None) };
        let hash = self.hash(token.expose());
        if let Some(identity) = self.known.read().get(&hash) {
            identity.last_seen_ms.store(now_ms, Ordering::Relaxed);
            return (Arc::clone(identity), None);
        }
        let mut known = self.known.write();
        let forgotten = if known.len() >= MAX_IDENTITIES { forget_least_worthy(&mut known) } else { None };
        let identity = known.entry(hash).or_insert_with(|| Arc::new(Identity::new(&hex(&hash), false)));
        identity.last_seen_ms.store(now_ms, Ordering::Relaxed);
        (Arc::clone(identity), forgotten)
    }

    /// Who shows this credential, if they were seen before. Leaves no trace: for diagnosis.
    pub fn known(&self, credential: &Credential) -> Option<Arc<Identity>> {
        match &credential.token {
            None => Some(Arc::clone(&self.anonymous)),
            Some(token) => self.known.read().get(&self.hash(token.expose())).cloned(),
        }
    }

    /// Everybody who showed a token.
    pub fn all(&self) -> Vec<Arc<Identity>> {
        self.known.read().values().cloned().collect()
    }

    /// The server showed this identity an image of the item, asked at that generation.
    pub fn accept_image(&self, identity: &Identity, item: &str, now_ms: u64, generation: u64) {
        let mut images = self.images.lock();
        if images.len() >= MAX_IMAGE_PROOFS {
            images.retain(|_, (at_ms, _)| within(*at_ms, now_ms, IMAGE_PROOF_TTL));
            if images.len() >= MAX_IMAGE_PROOFS {
                images.clear();
            }
        }
        images.insert((identity.partition.clone(), hash_text(item)), (now_ms, generation));
        if identity.generation() == generation {
            identity.prove(now_ms);
        }
    }

    /// The server would not show this identity the item's image any more.
    pub fn refuse_image(&self, identity: &Identity, item: &str) {
        self.images.lock().remove(&(identity.partition.clone(), hash_text(item)));
    }

    /// Whether the server showed this identity an image of the item within `ttl`, and did not refuse it since.
    pub fn is_image_accepted(&self, identity: &Identity, item: &str, now_ms: u64, ttl: Duration) -> bool {
        let images = self.images.lock();
        images.get(&(identity.partition.clone(), hash_text(item))).is_some_and(|(at_ms, generation)| {
            within(*at_ms, now_ms, ttl) && *generation == identity.generation()
        })
    }

    /// Whoever came without a token.
    pub fn anonymous(&self) -> &Arc<Identity> {
        &self.anonymous
    }

    fn hash(&self, token: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key.0);
        hasher.update(self.server.as_bytes());
        hasher.update(&[0]);
        hasher.update(token.as_bytes());
        let mut hash = [0; 16];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        hash
    }
}

/// Tokens that never worked go first, then whoever was away longest.
fn forget_least_worthy(known: &mut HashMap<[u8; 16], Arc<Identity>>) -> Option<Arc<Identity>> {
    let hash = known
        .iter()
        .min_by_key(|(_, identity)| {
            (identity.was_ever_accepted(), identity.last_seen_ms.load(Ordering::Relaxed))
        })
        .map(|(hash, _)| *hash)?;
    let identity = known.remove(&hash)?;
    identity.is_forgotten.store(true, Ordering::Release);
    Some(identity)
}

pub(crate) fn within(at_ms: u64, now_ms: u64, ttl: Duration) -> bool {
    at_ms > 0 && now_ms.saturating_sub(at_ms) <= u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

fn hash_text(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use greenroom_upstream::credential::Secret;

    use super::*;

    fn credential(token: &str) -> Credential {
        Credential { token: Some(Secret::new(token)), ..Credential::default() }
    }

    const TTL: Duration = Duration::from_secs(300);

    #[test]
    fn tokens_with_a_long_common_beginning_are_different_identities() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (one, _) = identities.resolve(&credential("abcdefgh-1"), 1);
        let (two, _) = identities.resolve(&credential("abcdefgh-2"), 1);
        assert_ne!(one.partition(), two.partition());
    }

    #[test]
    fn the_partition_shows_nothing_of_the_token() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (one, _) = identities.resolve(&credential("SECRETTOKEN"), 1);
        assert!(!format!("{one:?}").contains("SECRET"));
    }

    #[test]
    fn a_proof_holds_for_its_class_and_its_time_only() {
        let identity = Identity::new("x", false);
        assert!(!identity.is_accepted(Class::Lists, 0, TTL));
        identity.accept(Class::Lists, 1_000, 0);
        assert!(identity.is_accepted(Class::Lists, 301_000, TTL));
        assert!(!identity.is_accepted(Class::Lists, 301_001, TTL));
        assert!(!identity.is_accepted(Class::Sessions, 1_000, TTL));
    }

    #[test]
    fn offline_a_token_counts_that_was_proven_when_the_server_was_last_heard_of() {
        let (day, minute) = (Duration::from_secs(86_400), 60_000);
        let identity = Identity::new("x", false);
        let outage = Outage { since_ms: 21 * minute, heard_ms: 20 * minute, next_probe_ms: 0 };
        let counts = |at_min: u64| identity.is_proven_offline(&outage, at_min * minute, TTL, day);
        assert!(!counts(21), "never proven");
        identity.accept(Class::Lists, 14 * minute, 0);
        assert!(!counts(21), "its proof had expired before");
        identity.accept(Class::Sessions, 15 * minute, 0);
        assert!(counts(21) && counts(20 + 1440));
        assert!(!counts(20 + 1441), "a day is over");
        identity.refuse();
        assert!(!counts(21), "refused");
    }

    #[test]
    fn a_refusal_ends_every_proof_and_what_was_asked_before_it_proves_nothing() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (identity, _) = identities.resolve(&credential("t"), 1);
        let before = identity.generation();
        identity.accept(Class::Lists, 1_000, before);
        identities.accept_image(&identity, "1", 1_000, before);
        assert!(identities.is_image_accepted(&identity, "1", 1_000, TTL));
        identity.refuse();
        identity.accept(Class::Lists, 1_000, before);
        assert!(!identity.is_accepted(Class::Lists, 1_000, TTL));
        assert!(!identities.is_image_accepted(&identity, "1", 1_000, TTL));
    }

    #[test]
    fn the_key_that_hides_tokens_is_not_printed() {
        assert!(!format!("{:?}", Identities::new("home", HashKey([7; 32]))).contains('7'));
    }

    #[test]
    fn a_flood_of_wrong_tokens_does_not_push_out_a_right_one() {
        let identities = Identities::new("home", HashKey([7; 32]));
        let (right, _) = identities.resolve(&credential("right"), 1);
        right.accept(Class::Lists, 1, 0);
        for index in 0..MAX_IDENTITIES + 10 {
            identities.resolve(&credential(&format!("wrong-{index}")), 2);
        }
        assert_eq!(identities.all().len(), MAX_IDENTITIES);
        let (again, _) = identities.resolve(&credential("right"), 3);
        assert!(again.is_accepted(Class::Lists, 3, TTL));
    }
}
