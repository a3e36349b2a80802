//! Grants that were valid at the last contact with the server, for an outage.

use greenroom_cache::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_origin::breaker::Outage;

use super::{Identity, within};

impl Identity {
    /// Records that a grant of the last `ttl` let in a read of this class. An app served from the cache alone is known
    /// to be active only by this, until a grant expires and the server is asked again.
    pub fn mark_authorized(&self, class: Class, now_ms: Timestamp, ttl: Duration) {
        // At most one write a second, so that cores do not contend for the line on every request.
        if now_ms.duration_since(self.authorized_ms.load(Ordering::Relaxed)) < Duration::from_millis(1000) {
            return;
        }
        let _guard = self.grant_lock.lock();
        // Checked again: the server may have revoked the token meanwhile.
        if self.is_accepted(class, now_ms, ttl) {
            self.authorized_ms.fetch_max(now_ms, Ordering::AcqRel);
        }
    }

    /// The same for a read that rights checked in that generation let in.
    pub fn mark_authorized_by_rights(&self, now_ms: Timestamp, generation: u64) {
        if now_ms.duration_since(self.authorized_ms.load(Ordering::Relaxed)) < Duration::from_millis(1000) {
            return;
        }
        let _guard = self.grant_lock.lock();
        if self.generation() == generation {
            self.authorized_ms.fetch_max(now_ms, Ordering::AcqRel);
        }
    }

    /// Whether the token was valid at the last contact with the server, which was within `offline_ttl`. It was if it
    /// was proven within `ttl` before, or a grant let it in within `ttl` before: an app that just read is not locked
    /// out because its grant expired at that moment, and no grant is ever older than twice `ttl`.
    pub fn is_proven_offline(&self, outage: &Outage, now_ms: Timestamp, ttl: Duration, offline_ttl: Duration) -> bool {
        let last_response_ms = outage.last_response_ms;
        let valid_ms = self.proven_ms.load(Ordering::Acquire).max(self.authorized_ms.load(Ordering::Acquire));
        within(valid_ms, last_response_ms, ttl) && within(last_response_ms, now_ms, offline_ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::IdentityContext;
    use super::*;

    const TTL: Duration = Duration::from_secs(300);

    fn context() -> std::sync::Arc<IdentityContext> {
        IdentityContext::new("home", greenroom_state::secrets::HashKey([7; 32]))
    }

    #[test]
    fn offline_a_token_is_valid_if_it_was_proven_at_the_last_contact() {
        let (day, minute) = (Duration::from_secs(86_400), 60_000);
        let identity = Identity::new("x", false, &context());
        let outage = Outage {
            since_ms: Timestamp::from_millis(21 * minute),
            last_response_ms: Timestamp::from_millis(20 * minute),
            next_probe_ms: Timestamp::UNIX_EPOCH,
            cause: None,
        };
        let is_valid =
            |at_min: u64| identity.is_proven_offline(&outage, Timestamp::from_millis(at_min * minute), TTL, day);
        assert!(!is_valid(21), "never proven");
        identity.accept(Class::Lists, Timestamp::from_millis(14 * minute), 0);
        assert!(!is_valid(21), "its grant had expired before");
        identity.accept(Class::Sessions, Timestamp::from_millis(15 * minute), 0);
        assert!(is_valid(21) && is_valid(20 + 1440));
        assert!(!is_valid(20 + 1441), "a day later");
        identity.refuse();
        assert!(!is_valid(21), "revoked");
    }

    #[test]
    fn offline_a_token_in_use_is_valid_although_its_grant_expired_between_reads() {
        let (day, minute) = (Duration::from_secs(86_400), 60_000);
        let identity = Identity::new("x", false, &context());
        let outage = |last_response_ms| Outage {
            since_ms: last_response_ms,
            last_response_ms,
            next_probe_ms: Timestamp::UNIX_EPOCH,
            cause: None,
        };
        let is_valid = |last_response_min: u64| {
            identity.is_proven_offline(
                &outage(Timestamp::from_millis(last_response_min * minute)),
                Timestamp::from_millis((last_response_min + 1) * minute),
                TTL,
                day,
            )
        };
        identity.accept(Class::Lists, Timestamp::from_millis(10 * minute), 0);
        identity.mark_authorized(Class::Sessions, Timestamp::from_millis(14 * minute), TTL);
        assert!(!is_valid(16), "no grant for that class");
        identity.mark_authorized(Class::Lists, Timestamp::from_millis(14 * minute), TTL);
        assert!(is_valid(16) && is_valid(19));
        assert!(!is_valid(20), "too long without a read");
        identity.mark_authorized(Class::Lists, Timestamp::from_millis(16 * minute), TTL);
        assert!(!is_valid(20), "an expired grant authorises no read, so none is older than twice its TTL");
        identity.refuse();
        identity.mark_authorized(Class::Lists, Timestamp::from_millis(16 * minute), TTL);
        assert!(!is_valid(16), "revoked");
    }

    #[test]
    fn offline_a_token_that_rights_let_in_is_valid_unless_it_was_revoked_since() {
        let (day, minute) = (Duration::from_secs(86_400), 60_000);
        let identity = Identity::new("x", false, &context());
        let outage = Outage {
            since_ms: Timestamp::from_millis(21 * minute),
            last_response_ms: Timestamp::from_millis(20 * minute),
            next_probe_ms: Timestamp::UNIX_EPOCH,
            cause: None,
        };
        let is_valid = || identity.is_proven_offline(&outage, Timestamp::from_millis(21 * minute), TTL, day);
        identity.mark_proven(Timestamp::from_millis(14 * minute), 0);
        assert!(!is_valid());
        identity.mark_authorized_by_rights(Timestamp::from_millis(19 * minute), identity.generation());
        assert!(is_valid());
        let before = identity.generation();
        identity.refuse();
        identity.mark_authorized_by_rights(Timestamp::from_millis(20 * minute), before);
        assert!(!is_valid(), "its rights were checked before");
    }
}
