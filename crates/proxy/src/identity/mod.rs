//! Identities: the partition of each token's cached responses, and the grants that prove that the server accepts the
//! token.
//!
//! Tokens are not stored. A keyed hash of server and full token stands for each; the key lives in the data directory,
//! so a hash is useless elsewhere. Tokens that are proven to belong to one account share that account's partition
//! ([`token_account`]); every other token has its own. Rights are never shared: a hit needs proof that *this very token*
//! was accepted by *this server* for *this class* of reads within the last `auth_ttl`; for an image, that the server
//! showed it this item's image of this kind within [`greenroom_state::grants::IMAGE_GRANT_TTL`].
//!
//! Grants survive a restart: [`greenroom_state`] collects new ones from time to time, and is notified of a revocation
//! at once.
//!
//! During an outage the server cannot be asked. Then a token is valid if any response or an open socket proved it
//! within `auth_ttl` before the last contact with the server, or if such a grant let a read in within that time. It
//! gets the classes that it was granted before.

mod account_sharing;
mod expiry;
mod image_grants;
mod live_signal;
mod offline;
mod path_rights;
mod registry;
mod shared_partitions;
mod token_account;
mod token_hash;

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use greenroom_cache::Partition;
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Read;
use parking_lot::Mutex;

use greenroom_state::grants::IdentityGrant;
use greenroom_state::revocations::Revocations;
pub use path_rights::PathHash;
use path_rights::PathRights;
use registry::IdentityContext;
pub use registry::IdentityRegistry;
pub use shared_partitions::SharedPartitions;
pub use token_account::OutdatedPartitions;
use token_account::TokenAccount;

/// Classes that some servers give to any token, so that success proves nothing.
const SHOWN_TO_ANYONE: [Class; 5] = [Class::Identity, Class::Server, Class::Users, Class::Images, Class::Assets];
/// Every response proves a token again. On disk the time has this precision: a grant lost in a crash costs one request
/// to the server, and every write costs several pages.
pub(crate) const GRANT_PRECISION: Duration = Duration::from_secs(120);

/// One identity of one server, known by its token.
#[derive(Debug)]
pub struct Identity {
    /// Hash of the token, which is also the partition of its responses while it shares no account's.
    token: Partition,
    account: TokenAccount,
    anonymous: bool,
    /// When the server last accepted the token, per class, in milliseconds; 0 is never.
    accepted_ms: [AtomicTimestamp; Class::EVERY.len()],
    /// Classes, as bits, whose grant ended before its time: it counts in an outage only.
    expired_classes: AtomicU64,
    paths: PathRights,
    /// When the server last showed in any way that it accepts the token, in milliseconds; 0 is never.
    proven_ms: AtomicTimestamp,
    /// When a valid grant last let a read in, in milliseconds; 0 is never.
    authorized_ms: AtomicTimestamp,
    /// Number of revocations of this token; earlier grants do not count.
    revocation_count: AtomicU64,
    /// Open sockets of this identity that pass through and report changes.
    sockets: AtomicUsize,
    /// Since when at least one has been open without a break, in milliseconds.
    signal_since_ms: AtomicTimestamp,
    last_seen_ms: AtomicTimestamp,
    /// Whether this identity was evicted: its token now resolves to a new one.
    is_forgotten: AtomicBool,
    /// Whether it was unknown before. Invalidations since may have missed entries stored for it earlier.
    is_new: AtomicBool,
    /// Serialises grants and revocations.
    grant_lock: Mutex<()>,
    /// Whether, since its last revocation, it was given something that needs a valid token.
    is_member: AtomicBool,
    /// Requests to the server before that; counted for its user once it is a member.
    unattributed: AtomicU64,
    /// Whether it has grants to write now.
    is_changed: AtomicBool,
    /// Whether it has grants slightly newer than the stored ones, worth a write only on request.
    is_renewed: AtomicBool,
    /// Time of the last stored proof of the token.
    persisted_proven_ms: AtomicTimestamp,
    context: Arc<IdentityContext>,
}

impl Identity {
    fn new(token: &str, anonymous: bool, context: &Arc<IdentityContext>) -> Self {
        Self {
            token: Partition::new(token),
            account: TokenAccount::default(),
            anonymous,
            accepted_ms: [const { AtomicTimestamp::new(Timestamp::UNIX_EPOCH) }; Class::EVERY.len()],
            expired_classes: AtomicU64::new(0),
            paths: PathRights::default(),
            proven_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            authorized_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            revocation_count: AtomicU64::new(0),
            sockets: AtomicUsize::new(0),
            signal_since_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            last_seen_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            is_forgotten: AtomicBool::new(false),
            is_new: AtomicBool::new(true),
            grant_lock: Mutex::new(()),
            is_member: AtomicBool::new(false),
            unattributed: AtomicU64::new(0),
            is_changed: AtomicBool::new(false),
            is_renewed: AtomicBool::new(false),
            persisted_proven_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
            context: Arc::clone(context),
        }
    }

    /// Partition of this identity's cached responses: the account's while it is proven, else the token's own.
    pub fn partition(&self) -> &Partition {
        self.account.partition().unwrap_or(&self.token)
    }

    /// Hash of the token, and its own partition.
    pub fn token(&self) -> &Partition {
        &self.token
    }

    /// Whether the request had no token.
    pub fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// Records that its token was used again. `false`: the identity was evicted, resolve the token again.
    pub fn mark_seen(&self, now_ms: Timestamp) -> bool {
        // At most one write a second, so that cores do not contend for the line on every request.
        if now_ms.duration_since(self.last_seen_ms.load(Ordering::Relaxed)) >= Duration::from_millis(1000) {
            self.last_seen_ms.store(now_ms, Ordering::Relaxed);
        }
        !self.is_forgotten()
    }

    /// Grows with every revocation. Read it before asking the server, and pass it with the result.
    pub fn generation(&self) -> u64 {
        self.revocation_count.load(Ordering::Acquire)
    }

    /// The server answered 200 to this token for this class, in a request of that generation.
    pub fn accept(&self, class: Class, now_ms: Timestamp, generation: u64) {
        let _guard = self.grant_lock.lock();
        if self.generation() == generation {
            let before_ms = self.accepted_ms[class as usize].swap(now_ms, Ordering::AcqRel);
            self.expired_classes.fetch_and(!bit(class), Ordering::AcqRel);
            self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
            self.record_grant(before_ms.min(self.persisted_proven_ms.load(Ordering::Acquire)), now_ms);
        }
    }

    /// The server answered 200 to this token for this path, in a request of that generation.
    pub fn allow_path(&self, path: PathHash, generation: u64) {
        let _guard = self.grant_lock.lock();
        if self.generation() == generation && self.paths.allow(path) {
            self.mark_changed();
        }
    }

    /// The server denied this token this path: nothing of it is served before it is allowed again. Returns whether it
    /// was allowed lately; then a right has ended.
    pub fn deny_path(&self, path: PathHash) -> bool {
        let _guard = self.grant_lock.lock();
        if self.proven_ms.load(Ordering::Acquire) > Timestamp::UNIX_EPOCH {
            self.mark_changed();
        }
        self.paths.deny(path)
    }

    /// Whether the server denied the path of this read and did not allow it since.
    pub fn is_path_denied(&self, read: &Read) -> bool {
        self.paths.is_denied(|| PathHash::of(read))
    }

    /// The server showed that it accepts this token, as of that generation: it answered, or has a socket of it open.
    pub fn mark_proven(&self, now_ms: Timestamp, generation: u64) {
        let _guard = self.grant_lock.lock();
        if self.generation() == generation {
            self.proven_ms.fetch_max(now_ms, Ordering::AcqRel);
            self.record_grant(self.persisted_proven_ms.load(Ordering::Acquire), now_ms);
        }
    }

    /// Records a proof that replaces one from `before_ms`; zero is none.
    fn record_grant(&self, before_ms: Timestamp, now_ms: Timestamp) {
        let needs_write = before_ms == Timestamp::UNIX_EPOCH || now_ms.duration_since(before_ms) >= GRANT_PRECISION;
        if needs_write {
            self.mark_changed();
        } else {
            self.is_renewed.store(true, Ordering::Release);
        }
    }

    /// Marks grants for writing; the writer is notified once until it drains them.
    fn mark_changed(&self) {
        if !self.is_changed.swap(true, Ordering::AcqRel) {
            self.context.revocations.mark_dirty();
        }
    }

    /// Whether the server accepted the token for this class within `ttl`, and the grant did not end before its time.
    pub fn is_accepted(&self, class: Class, now_ms: Timestamp, ttl: Duration) -> bool {
        self.expired_classes.load(Ordering::Acquire) & bit(class) == 0 && self.was_accepted_within(class, now_ms, ttl)
    }

    /// Whether the server accepted the token for this class within `ttl` and since the last revocation.
    pub fn was_accepted_within(&self, class: Class, now_ms: Timestamp, ttl: Duration) -> bool {
        within(self.accepted_ms[class as usize].load(Ordering::Acquire), now_ms, ttl)
    }

    /// Whether the server accepted the token for this class since the last revocation.
    pub fn was_accepted(&self, class: Class) -> bool {
        self.accepted_ms[class as usize].load(Ordering::Acquire) > Timestamp::UNIX_EPOCH
    }

    /// Revokes the token: no grant is valid any more, and none comes back after a crash. It shares no account's partition
    /// until its account is proven again. The caller purges its own partition.
    pub fn refuse(&self) {
        self.clear_grants();
        self.context.revocations.record(self.token.as_str());
    }

    fn clear_grants(&self) {
        let _guard = self.grant_lock.lock();
        self.account.stop_sharing();
        self.revocation_count.fetch_add(1, Ordering::AcqRel);
        for accepted in &self.accepted_ms {
            accepted.store(Timestamp::UNIX_EPOCH, Ordering::Release);
        }
        self.paths.clear();
        self.proven_ms.store(Timestamp::UNIX_EPOCH, Ordering::Release);
        self.authorized_ms.store(Timestamp::UNIX_EPOCH, Ordering::Release);
        self.is_member.store(false, Ordering::Release);
        self.unattributed.store(0, Ordering::Release);
        self.is_changed.store(false, Ordering::Release);
        self.is_renewed.store(false, Ordering::Release);
    }

    /// Revocations not written yet.
    pub fn revocations(&self) -> &Revocations {
        &self.context.revocations
    }

    /// Whether the identity was unknown before now; true once.
    pub fn take_is_new(&self) -> bool {
        self.is_new.swap(false, Ordering::AcqRel)
    }

    /// Its grants, if some must be written now; if urgent, also those only slightly newer.
    fn drain_changes(&self, is_urgent: bool) -> Option<IdentityGrant> {
        let _guard = self.grant_lock.lock();
        let is_renewed = is_urgent && self.is_renewed.load(Ordering::Acquire);
        if !self.is_changed.swap(false, Ordering::AcqRel) && !is_renewed {
            return None;
        }
        self.is_renewed.store(false, Ordering::Release);
        let proven_ms = self.proven_ms.load(Ordering::Acquire);
        self.persisted_proven_ms.store(proven_ms, Ordering::Release);
        let expired = self.expired_classes.load(Ordering::Acquire);
        let accepted = Class::EVERY
            .iter()
            .map(|class| (*class, self.accepted_ms[*class as usize].load(Ordering::Acquire)))
            .filter(|(class, at_ms)| *at_ms > Timestamp::UNIX_EPOCH && expired & bit(*class) == 0)
            .collect();
        let account = self.account.stored();
        let (partition, denied_paths) = (self.token.as_str().to_owned(), self.paths.stored());
        Some(IdentityGrant { partition, account, granted_ms: proven_ms, accepted, denied_paths })
    }

    fn restore(&self, grant: &IdentityGrant) {
        for (class, at_ms) in &grant.accepted {
            self.accepted_ms[*class as usize].store(*at_ms, Ordering::Release);
        }
        self.proven_ms.store(grant.granted_ms, Ordering::Release);
        self.persisted_proven_ms.store(grant.granted_ms, Ordering::Release);
        self.paths.restore(&grant.denied_paths);
        self.restore_account(grant);
        let last_ms = grant.accepted.iter().map(|(_, at_ms)| *at_ms).max().unwrap_or_default();
        self.last_seen_ms.store(last_ms, Ordering::Relaxed);
        // A row without a grant comes from a backup: later processes may not have known the identity.
        self.is_new.store(grant.granted_ms == Timestamp::UNIX_EPOCH, Ordering::Release);
    }

    /// Merges stored grants late: newer knowledge wins, and a revocation always does.
    fn merge(&self, grant: &IdentityGrant) {
        let _guard = self.grant_lock.lock();
        if self.generation() > 0 {
            return;
        }
        for (class, at_ms) in &grant.accepted {
            self.accepted_ms[*class as usize].fetch_max(*at_ms, Ordering::AcqRel);
        }
        self.proven_ms.fetch_max(grant.granted_ms, Ordering::AcqRel);
        self.paths.restore(&grant.denied_paths);
        self.restore_account(grant);
    }

    /// Restores the stored account, unless one was proven since.
    fn restore_account(&self, grant: &IdentityGrant) {
        if let Some(stored) = grant.account.as_deref()
            && self.account.state() == 0
        {
            self.account.restore(stored, |owner| self.context.hasher.account(owner), &self.token);
        }
    }

    /// Whether the token was revoked and not accepted since.
    pub fn is_refused(&self) -> bool {
        self.generation() > 0 && self.proven_ms.load(Ordering::Acquire) == Timestamp::UNIX_EPOCH
    }

    /// Records that it was given something that needs a valid token.
    pub fn mark_member(&self) {
        if !self.is_member() {
            self.is_member.store(true, Ordering::Release);
        }
    }

    /// Whether this process, since the last revocation, saw it being given something that needs a valid token. A proof
    /// alone says less: images are given to any token.
    pub fn is_member(&self) -> bool {
        self.is_member.load(Ordering::Acquire)
    }

    /// Whether it was given something that needs a valid token since the last revocation, in this process or in an
    /// earlier one whose grants were stored.
    pub fn was_authorized(&self) -> bool {
        let proves_token = |class: &&Class| !SHOWN_TO_ANYONE.contains(class);
        self.is_member() || Class::EVERY.iter().filter(proves_token).any(|class| self.was_accepted(*class))
    }

    /// Whether its token may be made up: there is one, and the server has given it nothing that needs a valid one.
    pub fn is_stranger(&self) -> bool {
        !self.is_anonymous() && !self.was_authorized()
    }

    /// Counts a request to the server while the token is not known to be valid.
    pub fn add_unattributed(&self) {
        self.unattributed.fetch_add(1, Ordering::AcqRel);
    }

    /// The requests to the server from before it was a member, once it is one; each is returned once.
    pub fn drain_unattributed(&self) -> u64 {
        let is_due = self.is_member() && self.unattributed.load(Ordering::Acquire) > 0;
        if is_due { self.unattributed.swap(0, Ordering::AcqRel) } else { 0 }
    }

    /// Whether this identity was evicted.
    pub fn is_forgotten(&self) -> bool {
        self.is_forgotten.load(Ordering::Acquire)
    }

    fn was_ever_accepted(&self) -> bool {
        self.accepted_ms.iter().any(|at| at.load(Ordering::Relaxed) > Timestamp::UNIX_EPOCH)
    }
}

/// The class in a set of classes.
fn bit(class: Class) -> u64 {
    const { assert!(Class::EVERY.len() <= 64) };
    1 << class as u64
}

pub(crate) fn within(at_ms: Timestamp, now_ms: Timestamp, ttl: Duration) -> bool {
    at_ms > Timestamp::UNIX_EPOCH && now_ms.duration_since(at_ms) <= ttl
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(300);

    fn context() -> Arc<IdentityContext> {
        IdentityContext::new("home", greenroom_state::secrets::HashKey([7; 32]))
    }

    #[test]
    fn a_grant_is_valid_for_its_class_and_ttl_only() {
        let identity = Identity::new("x", false, &context());
        assert!(!identity.is_accepted(Class::Lists, Timestamp::UNIX_EPOCH, TTL));
        identity.accept(Class::Lists, Timestamp::from_millis(1_000), 0);
        assert!(identity.is_accepted(Class::Lists, Timestamp::from_millis(301_000), TTL));
        assert!(!identity.is_accepted(Class::Lists, Timestamp::from_millis(301_001), TTL));
        assert!(!identity.is_accepted(Class::Sessions, Timestamp::from_millis(1_000), TTL));
    }

    #[test]
    fn a_token_is_authorised_once_it_got_a_response_for_valid_tokens_only() {
        let identity = Identity::new("x", false, &context());
        identity.mark_proven(Timestamp::from_millis(1_000), 0);
        for class in SHOWN_TO_ANYONE {
            identity.accept(class, Timestamp::from_millis(1_000), 0);
        }
        assert!(!identity.was_authorized(), "images and such are served to any token");
        identity.accept(Class::Lists, Timestamp::from_millis(1_000), 0);
        assert!(identity.was_authorized());
        identity.refuse();
        assert!(!identity.was_authorized(), "revoked");
        identity.mark_member();
        assert!(identity.was_authorized());
    }

    #[test]
    fn a_denied_path_stays_denied_over_a_restart_until_it_is_allowed() {
        let path = PathHash::from(7);
        let before = Identity::new("x", false, &context());
        before.deny_path(path);
        assert!(before.drain_changes(false).is_none(), "a token that was never accepted leaves nothing on disk");
        before.accept(Class::Lists, Timestamp::from_millis(1_000), 0);
        before.deny_path(path);
        let stored = before.drain_changes(false).expect("a denial is written");
        let after = Identity::new("x", false, &context());
        after.restore(&stored);
        assert!(after.paths.is_denied(|| path));
        after.allow_path(path, after.generation());
        assert!(!after.paths.is_denied(|| path));
        assert_eq!(after.drain_changes(false).map(|grant| grant.denied_paths), Some(vec![]), "the end is written, too");
    }

    #[test]
    fn a_steadily_renewed_grant_is_written_every_two_minutes_and_at_shutdown() {
        let identity = Identity::new("x", false, &context());
        let start_ms = 1_000_000;
        let (mut stored, mut last_ms) = (Vec::new(), 0);
        for now_ms in (start_ms..start_ms + 3_600_000).step_by(5_000) {
            identity.accept(Class::Sessions, Timestamp::from_millis(now_ms), 0);
            identity.mark_proven(Timestamp::from_millis(now_ms + 1), 0);
            last_ms = now_ms;
            stored.extend(identity.drain_changes(false));
        }
        assert_eq!(stored.len(), 30, "an hour of a widget that polls every five seconds");
        let ages: Vec<Duration> = stored.windows(2).map(|pair| pair[1].granted_ms - pair[0].granted_ms).collect();
        assert!(ages.iter().all(|age| *age < 2 * GRANT_PRECISION), "{ages:?}");
        identity.accept(Class::Lists, Timestamp::from_millis(last_ms), 0);
        assert!(identity.drain_changes(false).is_some(), "the first grant for a class is written at once");
        identity.accept(Class::Lists, Timestamp::from_millis(last_ms + 1_000), 0);
        assert!(identity.drain_changes(false).is_none());
        let end = identity.drain_changes(true).expect("the latest grants at shutdown");
        assert!(end.accepted.contains(&(Class::Lists, Timestamp::from_millis(last_ms + 1_000))), "{end:?}");
        assert!(identity.drain_changes(true).is_none(), "no change since");
    }
}
