//! Who asks: the partition a token's answers are kept in, and the proofs that the server accepts that token.
//!
//! A token is not kept here. What stands for it is a keyed hash of server and full token; the key lives in the data
//! directory, so a hash says nothing to anybody else. A hit needs proof that *this very token* was accepted by
//! *this server* for *this class* of answers within the last `auth_ttl`; for an image, that it was shown this
//! item's image within [`greenroom_state::grants::IMAGE_PROOF_TTL`].
//!
//! Proofs outlive the process: [`greenroom_state`] asks now and then for what is new, and is told at once of a refusal.
//!
//! While the server is down it cannot be asked. Then a token counts that was proven, by any answer or by an open
//! socket, within `auth_ttl` before the server was last heard of, or let in by such a proof within that time; and it
//! gets what it was given before, class by class.

mod image_grants;
mod registry;
mod shared_partitions;
mod token_hash;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::class::Class;
use parking_lot::{Mutex, RwLock};

use greenroom_origin::breaker::Outage;
use greenroom_state::grants::IdentityProofs;
use greenroom_state::revocations::Refusals;
pub use registry::Identities;
pub use shared_partitions::SharedPartitions;
pub use token_hash::hex;

/// What some servers show to any token, so that having been given it proves nothing.
const SHOWN_TO_ANYONE: [Class; 5] =
    [Class::Identity, Class::Server, Class::Users, Class::Images, Class::Assets];
/// A token is shown to be good with every answer. On disk that is kept with this precision: a proof that is lost by a
/// crash costs one question to the server, and every write costs several pages.
pub(crate) const PROOF_EXACT_MS: u64 = 120_000;

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
    /// Requests to the server that it caused before it was given any of that: its user's, as soon as it is.
    owed: AtomicU64,
    /// Whether it has proofs that are to be kept now.
    is_changed: AtomicBool,
    /// Whether it has proofs that are a little newer than those kept, which is worth a write only if one is asked for.
    is_renewed: AtomicBool,
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
            owed: AtomicU64::new(0),
            is_changed: AtomicBool::new(false),
            is_renewed: AtomicBool::new(false),
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
            let before_ms = self.accepted_ms[class as usize].swap(now_ms, Ordering::AcqRel);
            self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
            self.note_proof(before_ms.min(self.kept_proven_ms.load(Ordering::Acquire)), now_ms);
        }
    }

    /// The server shows that it accepts this token, as of that generation: it answered, or keeps a socket of it open.
    pub fn prove(&self, now_ms: u64, generation: u64) {
        let _judging = self.judging.lock();
        if self.generation() == generation {
            self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
            self.note_proof(self.kept_proven_ms.load(Ordering::Acquire), now_ms);
        }
    }

    /// A proof takes the place of one from `before_ms`, zero for none.
    fn note_proof(&self, before_ms: u64, now_ms: u64) {
        let is_news = before_ms == 0 || now_ms.saturating_sub(before_ms) >= PROOF_EXACT_MS;
        if is_news {
            self.note_change();
        } else {
            self.is_renewed.store(true, Ordering::Release);
        }
    }

    /// There is something to keep; the keeper is told once until it has taken it.
    fn note_change(&self) {
        if !self.is_changed.swap(true, Ordering::AcqRel) {
            self.refused.note_news();
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
        self.owed.store(0, Ordering::Release);
        self.is_changed.store(false, Ordering::Release);
        self.is_renewed.store(false, Ordering::Release);
    }

    /// What was refused by its server and is not kept as such yet.
    pub fn refused(&self) -> &Refusals {
        &self.refused
    }

    /// Whether nobody knew of it before now; asked once.
    pub fn take_newness(&self) -> bool {
        self.is_new.swap(false, Ordering::AcqRel)
    }

    /// Its proofs, if there are some that are to be kept now; if it is urgent also those that are only a little newer.
    fn take_changed(&self, is_urgent: bool) -> Option<IdentityProofs> {
        let _judging = self.judging.lock();
        let is_renewed = is_urgent && self.is_renewed.load(Ordering::Acquire);
        if !self.is_changed.swap(false, Ordering::AcqRel) && !is_renewed {
            return None;
        }
        self.is_renewed.store(false, Ordering::Release);
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

    /// Whether the server ever gave it what nobody gets without a valid token, since it last refused it: in this
    /// process, or in an earlier one whose proofs were kept.
    pub fn was_let_in(&self) -> bool {
        let tells = |class: &&Class| !SHOWN_TO_ANYONE.contains(class);
        self.is_member() || Class::EVERY.iter().filter(tells).any(|class| self.was_accepted(*class))
    }

    /// A request of it reaches the server, and nobody knows yet whether its token is valid.
    pub fn owe_reached(&self) {
        self.owed.fetch_add(1, Ordering::AcqRel);
    }

    /// The requests that reached the server before it was a member, once it is one: each is told once.
    pub fn take_owed(&self) -> u64 {
        let is_due = self.is_member() && self.owed.load(Ordering::Acquire) > 0;
        if is_due { self.owed.swap(0, Ordering::AcqRel) } else { 0 }
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
            self.note_change();
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

pub(crate) fn within(at_ms: u64, now_ms: u64, ttl: Duration) -> bool {
    at_ms > 0 && now_ms.saturating_sub(at_ms) <= u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(300);

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
    fn a_token_was_let_in_once_it_got_what_only_valid_ones_get() {
        let identity = Identity::new("x", false, &Arc::default());
        identity.prove(1_000, 0);
        for class in SHOWN_TO_ANYONE {
            identity.accept(class, 1_000, 0);
        }
        assert!(!identity.was_let_in(), "pictures and the like are shown to any token");
        identity.accept(Class::Lists, 1_000, 0);
        assert!(identity.was_let_in());
        identity.refuse();
        assert!(!identity.was_let_in(), "refused");
        identity.note_member();
        assert!(identity.was_let_in());
    }

    #[test]
    fn a_proof_that_is_renewed_all_the_time_is_kept_every_two_minutes_and_at_the_end() {
        let identity = Identity::new("x", false, &Arc::default());
        let start_ms = 1_000_000;
        let (mut kept, mut last_ms) = (Vec::new(), 0);
        for now_ms in (start_ms..start_ms + 3_600_000).step_by(5_000) {
            identity.accept(Class::Sessions, now_ms, 0);
            identity.prove(now_ms + 1, 0);
            last_ms = now_ms;
            kept.extend(identity.take_changed(false));
        }
        assert_eq!(kept.len(), 30, "an hour of a widget that asks every five seconds");
        let ages: Vec<u64> = kept.windows(2).map(|two| two[1].proven_ms - two[0].proven_ms).collect();
        assert!(ages.iter().all(|age_ms| *age_ms < 2 * PROOF_EXACT_MS), "{ages:?}");
        identity.accept(Class::Lists, last_ms, 0);
        assert!(identity.take_changed(false).is_some(), "a class that was never answered before is news");
        identity.accept(Class::Lists, last_ms + 1_000, 0);
        assert!(identity.take_changed(false).is_none());
        let end = identity.take_changed(true).expect("the end keeps the newest");
        assert!(end.accepted.contains(&(Class::Lists, last_ms + 1_000)), "{end:?}");
        assert!(identity.take_changed(true).is_none(), "nothing came since");
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
}
