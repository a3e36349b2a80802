//! Grants that end although the server did not reject the token.

use std::sync::atomic::Ordering;

use super::Identity;

impl Identity {
    /// Ends every grant for a class without rejecting the token: the server must accept it once more. During an outage
    /// what it accepted before still holds.
    pub fn expire_grants(&self) {
        let _guard = self.grant_lock.lock();
        self.revocation_count.fetch_add(1, Ordering::AcqRel);
        self.context.revocations.record(self.token.as_str());
        self.expired_classes.store(u64::MAX, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::Timestamp;
    use std::time::Duration;

    use greenroom_dialect::class::Class;

    use super::*;
    use crate::identity::registry::IdentityContext;

    #[test]
    fn expired_grants_must_be_given_again_but_the_token_is_not_rejected() {
        let context = IdentityContext::new("home", greenroom_state::secrets::HashKey([7; 32]));
        let (identity, ttl) = (Identity::new("x", false, &context), Duration::from_secs(300));
        let generation = identity.generation();
        identity.accept(Class::Lists, Timestamp::from_millis(1_000), generation);
        identity.expire_grants();
        assert!(!identity.is_accepted(Class::Lists, Timestamp::from_millis(1_000), ttl) && !identity.is_refused());
        assert!(
            identity.was_accepted_within(Class::Lists, Timestamp::from_millis(1_000), ttl),
            "it is read on in an outage"
        );
        assert!(!identity.was_accepted_within(Class::Item, Timestamp::from_millis(1_000), ttl), "it never was");
        identity.accept(Class::Item, Timestamp::from_millis(1_500), identity.generation());
        let stored = identity.drain_changes(true).expect("a new grant");
        assert_eq!(
            stored.accepted,
            [(Class::Item, Timestamp::from_millis(1_500))],
            "what ended does not come back after a crash"
        );
        identity.accept(Class::Lists, Timestamp::from_millis(2_000), generation);
        assert!(!identity.is_accepted(Class::Lists, Timestamp::from_millis(2_000), ttl), "that was asked before");
        identity.accept(Class::Lists, Timestamp::from_millis(3_000), identity.generation());
        assert!(identity.is_accepted(Class::Lists, Timestamp::from_millis(3_000), ttl));
    }
}
