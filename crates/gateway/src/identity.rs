//! Who asks: the partition a token's answers are kept in, and the proofs that the server accepts that token.
//!
//! A token is not kept here. What stands for it is a keyed hash of server and full token; the key lives in the data
//! directory, so a hash says nothing to anybody else. A hit needs proof that *this very token* was accepted by
//! *this server* for *this class* of answers within the last `auth_ttl`; for an image, that it was shown this
//! item's image within [`IMAGE_PROOF_TTL`].
//!
//! Proofs outlive the process: [`crate::state`] asks now and then for what is new, and is told at once of a refusal.
//!
//! While the server is down it cannot be asked. Then a token counts that was proven, by any answer or by an open
//! socket, within `auth_ttl` before the server was last heard of, or let in by such a proof within that time; and it
//! gets what it was given before, class by class.

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
use crate::state::proofs::{Changes, IdentityProofs, ImageProof};
use crate::state::refusals::Refusals;
use crate::statistics::User;

/// How long the proof for an image holds.
pub const IMAGE_PROOF_TTL: Duration = Duration::from_secs(24 * 3600);
/// Identities remembered per server. One is some 400 bytes; a household has tens.
pub(crate) const MAX_IDENTITIES: usize = 4096;
/// Image proofs remembered per server, some 50 bytes each.
pub(crate) const MAX_IMAGE_PROOFS: usize = 200_000;
/// A token is shown to be good with every answer; that alone is worth being kept only so often.
const PROVEN_EXACT_MS: u64 = 30_000;

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
    /// When a proof that held last let a read in, in milliseconds; 0 is never.
    let_in_ms: AtomicU64,
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
    /// Whether nobody knew of it before: what was kept for it earlier was out of reach of what went stale since.
    is_new: AtomicBool,
    /// A yes and a no never cross: both are noted under this lock.
    judging: Mutex<()>,
    /// Whether it was given, since it was last refused, what nobody gets without a valid token.
    is_member: AtomicBool,
    /// Whether it has proofs that are not kept yet.
    is_changed: AtomicBool,
    /// The proof of the token that was kept last.
    kept_proven_ms: AtomicU64,
    refused: Arc<Refusals>,
}

impl Identity {
    fn new(partition: &str, anonymous: bool, refused: &Arc<Refusals>) -> Self {
        Self {
            partition: Partition::new(partition),
            anonymous,
            accepted_ms: [const { AtomicU64::new(0) }; Class::EVERY.len()],
            proven_ms: AtomicU64::new(0),
            let_in_ms: AtomicU64::new(0),
            account: RwLock::new(None),
            refusals: AtomicU64::new(0),
            sockets: AtomicUsize::new(0),
            signal_since_ms: AtomicU64::new(0),
            last_seen_ms: AtomicU64::new(0),
            is_forgotten: AtomicBool::new(false),
            is_new: AtomicBool::new(true),
            judging: Mutex::new(()),
            is_member: AtomicBool::new(false),
            is_changed: AtomicBool::new(false),
            kept_proven_ms: AtomicU64::new(0),
            refused: Arc::clone(refused),
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
        let _judging = self.judging.lock();
        if self.generation() == generation {
            self.accepted_ms[class as usize].store(now_ms, Ordering::Release);
            self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
            self.is_changed.store(true, Ordering::Release);
        }
    }

    /// The server shows that it accepts this token, as of that generation: it answered, or keeps a socket of it open.
    pub fn prove(&self, now_ms: u64, generation: u64) {
        let _judging = self.judging.lock();
        if self.generation() == generation {
            self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
            if now_ms.saturating_sub(self.kept_proven_ms.load(Ordering::Acquire)) >= PROVEN_EXACT_MS {
                self.is_changed.store(true, Ordering::Release);
            }
        }
    }

    /// A read of this class was let in by a proof of the last `ttl`. An app that lives on what is kept is known to be
    /// here by this alone, until a proof runs out and the server is asked again.
    pub fn let_in(&self, class: Class, now_ms: u64, ttl: Duration) {
        // Written once a second at most, so that cores do not take it from each other with every request.
        if now_ms.saturating_sub(self.let_in_ms.load(Ordering::Relaxed)) < 1000 {
            return;
        }
        let _judging = self.judging.lock();
        // Looked at again: the server may have refused the token meanwhile.
        if self.is_accepted(class, now_ms, ttl) {
            self.let_in_ms.fetch_max(now_ms, Ordering::AcqRel);
        }
    }

    /// Whether the token was good when the server was last heard of, and that was within `offline_ttl`. It was if it
    /// was proven within `ttl` before, or let in by a proof within `ttl` before: whoever read a moment ago is not locked
    /// out because the proof ran out just then, and none is ever older than twice `ttl`.
    pub fn is_proven_offline(
        &self,
        outage: &Outage,
        now_ms: u64,
        ttl: Duration,
        offline_ttl: Duration,
    ) -> bool {
        let heard_ms = outage.heard_ms;
        let good_ms = self.proven_ms.load(Ordering::Acquire).max(self.let_in_ms.load(Ordering::Acquire));
        within(good_ms, heard_ms, ttl) && within(heard_ms, now_ms, offline_ttl)
    }

    /// Whether the server said yes for this class within `ttl`.
    pub fn is_accepted(&self, class: Class, now_ms: u64, ttl: Duration) -> bool {
        within(self.accepted_ms[class as usize].load(Ordering::Acquire), now_ms, ttl)
    }

    /// Whether the server ever said yes for this class since it last refused this token.
    pub fn was_accepted(&self, class: Class) -> bool {
        self.accepted_ms[class as usize].load(Ordering::Acquire) > 0
    }

    /// The server refused this token: nothing is proven any more, and nothing of it comes back after a crash.
    pub fn refuse(&self) {
        self.unprove();
        self.refused.note(self.partition.as_str());
    }

    fn unprove(&self) {
        let _judging = self.judging.lock();
        self.refusals.fetch_add(1, Ordering::AcqRel);
        for accepted in &self.accepted_ms {
            accepted.store(0, Ordering::Release);
        }
        self.proven_ms.store(0, Ordering::Release);
        self.let_in_ms.store(0, Ordering::Release);
        self.is_member.store(false, Ordering::Release);
        self.is_changed.store(false, Ordering::Release);
    }

    /// What was refused by its server and is not kept as such yet.
    pub fn refused(&self) -> &Refusals {
        &self.refused
    }

    /// Whether nobody knew of it before now; asked once.
    pub fn take_newness(&self) -> bool {
        self.is_new.swap(false, Ordering::AcqRel)
    }

    /// Its proofs, if there are some that are not kept yet.
    fn take_changed(&self) -> Option<IdentityProofs> {
        let _judging = self.judging.lock();
        if !self.is_changed.swap(false, Ordering::AcqRel) {
            return None;
        }
        let proven_ms = self.proven_ms.load(Ordering::Acquire);
        self.kept_proven_ms.store(proven_ms, Ordering::Release);
        let accepted = Class::EVERY
            .iter()
            .map(|class| (*class, self.accepted_ms[*class as usize].load(Ordering::Acquire)))
            .filter(|(_, at_ms)| *at_ms > 0)
            .collect();
        let account = self.account().map(|account| account.to_string());
        Some(IdentityProofs { partition: self.partition.as_str().to_owned(), account, proven_ms, accepted })
    }

    fn restore(&self, proofs: &IdentityProofs) {
        for (class, at_ms) in &proofs.accepted {
            self.accepted_ms[*class as usize].store(*at_ms, Ordering::Release);
        }
        self.proven_ms.store(proofs.proven_ms, Ordering::Release);
        self.kept_proven_ms.store(proofs.proven_ms, Ordering::Release);
        *self.account.write() = proofs.account.as_deref().map(Into::into);
        let last_ms = proofs.accepted.iter().map(|(_, at_ms)| *at_ms).max().unwrap_or(0);
        self.last_seen_ms.store(last_ms, Ordering::Relaxed);
        // One without a proof comes from a backup: the processes since then may not have known of it.
        self.is_new.store(proofs.proven_ms == 0, Ordering::Release);
    }

    /// Takes over what was kept, late: what is known by now counts more, and a refusal most.
    fn merge(&self, proofs: &IdentityProofs) {
        let _judging = self.judging.lock();
        if self.generation() > 0 {
            return;
        }
        for (class, at_ms) in &proofs.accepted {
            self.accepted_ms[*class as usize].fetch_max(*at_ms, Ordering::AcqRel);
        }
        self.proven_ms.fetch_max(proofs.proven_ms, Ordering::AcqRel);
        let mut account = self.account.write();
        if account.is_none() {
            *account = proofs.account.as_deref().map(Into::into);
        }
    }

    /// Whether the server refused this token, and was not seen to accept it since.
    pub fn is_refused(&self) -> bool {
        self.generation() > 0 && self.proven_ms.load(Ordering::Acquire) == 0
    }

    /// Whether the server showed, since it last refused this token, that it accepts it.
    pub fn is_proven(&self) -> bool {
        self.proven_ms.load(Ordering::Acquire) > 0
    }

    /// It was given what nobody gets without a valid token.
    pub fn note_member(&self) {
        if !self.is_member() {
            self.is_member.store(true, Ordering::Release);
        }
    }

    /// Whether it was given, by this process and since it was last refused, what nobody gets without a valid token. That
    /// it is proven says less: pictures are shown to any token.
    pub fn is_member(&self) -> bool {
        self.is_member.load(Ordering::Acquire)
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
            self.is_changed.store(true, Ordering::Release);
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

/// Who was shown which image.
#[derive(Debug, Default)]
struct Images {
    /// When, and at which generation.
    shown: HashMap<(Partition, u64), (u64, u64)>,
    /// What is not kept yet.
    news: HashMap<(Partition, u64), News>,
    /// There was too much of it: all is to be kept anew.
    is_news_lost: bool,
}

#[derive(Debug)]
struct News {
    identity: Arc<Identity>,
    item: u64,
    /// When it was shown and at which generation; `None` if that was taken back.
    shown: Option<(u64, u64)>,
}

impl News {
    /// As it is kept. What was shown to a token that was refused since is not.
    fn proof(&self) -> Option<ImageProof> {
        let at_ms = match self.shown {
            None => 0,
            Some((at_ms, generation)) => (self.identity.generation() == generation).then_some(at_ms)?,
        };
        Some(ImageProof { partition: self.identity.partition.as_str().to_owned(), item: self.item, at_ms })
    }
}

impl Images {
    fn tell(&mut self, news: News) {
        if self.news.len() < MAX_IMAGE_PROOFS {
            self.news.insert((news.identity.partition.clone(), news.item), news);
        } else {
            self.is_news_lost = true;
        }
    }

    /// What is not kept yet, or all there is; and whether it is all.
    fn take_news(&mut self, all: bool, everybody: &[Arc<Identity>]) -> (Vec<News>, bool) {
        let news = std::mem::take(&mut self.news);
        if !std::mem::take(&mut self.is_news_lost) && !all {
            return (news.into_values().collect(), false);
        }
        let by_partition: HashMap<_, _> = everybody.iter().map(|one| (&one.partition, one)).collect();
        let whole = self.shown.iter().filter_map(|((partition, item), shown)| {
            let identity = Arc::clone(by_partition.get(partition)?);
            Some(News { identity, item: *item, shown: Some(*shown) })
        });
        (whole.collect(), true)
    }
}

/// The identities of one server.
#[derive(Debug)]
pub struct Identities {
    server: String,
    key: HashKey,
    known: RwLock<HashMap<[u8; 16], Arc<Identity>>>,
    anonymous: Arc<Identity>,
    images: Mutex<Images>,
    refused: Arc<Refusals>,
}

impl Identities {
    /// Nobody yet. `key` hides the tokens.
    pub fn new(server: &str, key: HashKey) -> Self {
        let refused = Arc::<Refusals>::default();
        let anonymous = Arc::new(Identity::new("anonymous", true, &refused));
        let (known, images) = (RwLock::default(), Mutex::default());
        Self { server: server.to_owned(), key, known, anonymous, images, refused }
    }

    /// What was refused and is not kept as such yet.
    pub fn refused(&self) -> &Arc<Refusals> {
        &self.refused
    }

    /// Takes over what was kept. Nobody may have been seen yet.
    pub fn restore(&self, identities: &[IdentityProofs], images: &[ImageProof]) {
        let mut known = self.known.write();
        for proofs in identities.iter().take(MAX_IDENTITIES) {
            if proofs.partition == self.anonymous.partition.as_str() {
                self.anonymous.restore(proofs);
            } else if let Some(hash) = unhex(&proofs.partition) {
                let identity = Identity::new(&proofs.partition, false, &self.refused);
                identity.restore(proofs);
                known.insert(hash, Arc::new(identity));
            }
        }
        let shown = &mut self.images.lock().shown;
        let mut partition = self.anonymous.partition.clone();
        for proof in images.iter().take(MAX_IMAGE_PROOFS) {
            // They come sorted, so that one partition's share its text.
            if partition.as_str() != proof.partition {
                partition = Partition::new(&*proof.partition);
            }
            shown.insert((partition.clone(), proof.item), (proof.at_ms, 0));
        }
    }

    /// Takes over what was kept after somebody may have been seen already: the file could not be read before.
    pub fn merge(&self, identities: &[IdentityProofs], images: &[ImageProof]) {
        let mut known = self.known.write();
        for proofs in identities.iter().filter(|proofs| !self.refused.is_waiting(&proofs.partition)) {
            if proofs.partition == self.anonymous.partition.as_str() {
                self.anonymous.merge(proofs);
            } else if let Some(hash) = unhex(&proofs.partition)
                && (known.len() < MAX_IDENTITIES || known.contains_key(&hash))
            {
                let newcomer = || Arc::new(Identity::new(&proofs.partition, false, &self.refused));
                known.entry(hash).or_insert_with(newcomer).merge(proofs);
            }
        }
        let Images { shown, news, .. } = &mut *self.images.lock();
        for proof in images.iter().filter(|proof| !self.refused.is_waiting(&proof.partition)) {
            let key = (Partition::new(&*proof.partition), proof.item);
            let is_taken_back = news.get(&key).is_some_and(|news| news.shown.is_none());
            if shown.len() < MAX_IMAGE_PROOFS && !is_taken_back {
                // Of the first generation: to a token that was refused since it does not count.
                shown.entry(key).or_insert((proof.at_ms, 0));
            }
        }
    }

    /// Every token was refused: nothing is proven any more, nor comes back after a crash.
    pub fn refuse_everybody(&self) {
        self.unprove_all();
        self.refused.note_everybody();
    }

    /// The proofs that are not kept yet, or all of them. Those of whoever has a socket open count as of `sockets_ms`.
    pub fn take_changes(&self, all: bool, sockets_ms: Option<u64>) -> Changes {
        let mut everybody = self.all();
        everybody.push(Arc::clone(&self.anonymous));
        if let Some(now_ms) = sockets_ms {
            // As long as it is open the server keeps to its yes.
            let open = everybody.iter().filter(|identity| identity.has_signal() && !identity.is_refused());
            open.for_each(|identity| identity.prove(now_ms, identity.generation()));
        }
        let (news, all) = self.images.lock().take_news(all, &everybody);
        if all {
            let proven = everybody.iter().filter(|identity| identity.was_ever_accepted());
            proven.for_each(|identity| identity.is_changed.store(true, Ordering::Release));
        }
        Changes {
            all,
            identities: everybody.iter().filter_map(|identity| identity.take_changed()).collect(),
            images: news.iter().filter_map(News::proof).collect(),
        }
    }

    /// Another process heard that this token is refused. Gives whose it is, if that was known.
    pub fn unprove(&self, partition: &str) -> Option<Arc<Identity>> {
        let identity = if partition == self.anonymous.partition.as_str() {
            Arc::clone(&self.anonymous)
        } else {
            self.known.read().get(&unhex(partition)?).cloned()?
        };
        identity.unprove();
        Some(identity)
    }

    /// Nobody is proven any more.
    pub fn unprove_all(&self) {
        self.all().iter().chain([&self.anonymous]).for_each(|identity| identity.unprove());
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
        let identity =
            known.entry(hash).or_insert_with(|| Arc::new(Identity::new(&hex(&hash), false, &self.refused)));
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
    pub fn accept_image(&self, identity: &Arc<Identity>, item: &str, now_ms: u64, generation: u64) {
        let (images, item) = (&mut *self.images.lock(), hash_text(item));
        if images.shown.len() >= MAX_IMAGE_PROOFS {
            images.shown.retain(|_, (at_ms, _)| within(*at_ms, now_ms, IMAGE_PROOF_TTL));
            if images.shown.len() >= MAX_IMAGE_PROOFS {
                images.shown.clear();
            }
        }
        let shown = (now_ms, generation);
        images.shown.insert((identity.partition.clone(), item), shown);
        images.tell(News { identity: Arc::clone(identity), item, shown: Some(shown) });
        identity.prove(now_ms, generation);
    }

    /// The server would not show this identity the item's image any more.
    pub fn refuse_image(&self, identity: &Arc<Identity>, item: &str) {
        let (images, item) = (&mut *self.images.lock(), hash_text(item));
        // Told even if nothing is known of it: the file may not be read yet.
        images.tell(News { identity: Arc::clone(identity), item, shown: None });
        if images.shown.remove(&(identity.partition.clone(), item)).is_some() {
            self.refused.hurry();
        }
    }

    /// Whether the server showed this identity an image of the item within `ttl`, and did not refuse it since.
    pub fn is_image_accepted(&self, identity: &Identity, item: &str, now_ms: u64, ttl: Duration) -> bool {
        let images = self.images.lock();
        images.shown.get(&(identity.partition.clone(), hash_text(item))).is_some_and(|(at_ms, generation)| {
            within(*at_ms, now_ms, ttl) && *generation == identity.generation()
        })
    }

    /// Whoever came without a token.
    pub fn anonymous(&self) -> &Arc<Identity> {
        &self.anonymous
    }

    /// The partition of a token.
    pub fn partition_of(&self, token: &str) -> Partition {
        Partition::new(hex(&self.hash(token)))
    }

    /// Who that is in statistics: the account where it is proven, so that several tokens of one person are one user.
    pub fn user_of(&self, identity: &Identity) -> Option<User> {
        if identity.is_anonymous() {
            return None;
        }
        let Some(account) = identity.account() else { return User::of_hash(identity.partition.as_str()) };
        let mut hasher = blake3::Hasher::new_keyed(&self.key.0);
        for part in ["user", &*self.server, &*account] {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        let [one, two, three, four, ..] = *hasher.finalize().as_bytes();
        Some(User::new([one, two, three, four]))
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
    // Nothing is kept of it; in flight there may be something yet.
    identity.refuse();
    Some(identity)
}

pub(crate) fn within(at_ms: u64, now_ms: u64, ttl: Duration) -> bool {
    at_ms > 0 && now_ms.saturating_sub(at_ms) <= u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

fn hash_text(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// Bytes as digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let is_hash = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
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
        let identity = Identity::new("x", false, &Arc::default());
        assert!(!identity.is_accepted(Class::Lists, 0, TTL));
        identity.accept(Class::Lists, 1_000, 0);
        assert!(identity.is_accepted(Class::Lists, 301_000, TTL));
        assert!(!identity.is_accepted(Class::Lists, 301_001, TTL));
        assert!(!identity.is_accepted(Class::Sessions, 1_000, TTL));
    }

    #[test]
    fn offline_a_token_counts_that_was_proven_when_the_server_was_last_heard_of() {
        let (day, minute) = (Duration::from_secs(86_400), 60_000);
        let identity = Identity::new("x", false, &Arc::default());
        let outage = Outage { since_ms: 21 * minute, heard_ms: 20 * minute, next_probe_ms: 0, why: None };
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
    fn offline_a_token_in_use_counts_though_its_proof_ran_out_between_two_reads() {
        let (day, minute) = (Duration::from_secs(86_400), 60_000);
        let identity = Identity::new("x", false, &Arc::default());
        let outage = |heard_ms| Outage { since_ms: heard_ms, heard_ms, next_probe_ms: 0, why: None };
        let counts = |heard_min: u64| {
            identity.is_proven_offline(&outage(heard_min * minute), (heard_min + 1) * minute, TTL, day)
        };
        identity.accept(Class::Lists, 10 * minute, 0);
        identity.let_in(Class::Sessions, 14 * minute, TTL);
        assert!(!counts(16), "nothing let that class in");
        identity.let_in(Class::Lists, 14 * minute, TTL);
        assert!(counts(16) && counts(19));
        assert!(!counts(20), "it was away too long");
        identity.let_in(Class::Lists, 16 * minute, TTL);
        assert!(
            !counts(20),
            "without a proof that holds nobody is let in: one is never older than twice its time"
        );
        identity.refuse();
        identity.let_in(Class::Lists, 16 * minute, TTL);
        assert!(!counts(16), "refused");
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
