//! Quick Connect: login by a code that is typed on another device.

use parking_lot::Mutex;

use super::credential::ClientCredential;
use super::ident::digest;
use crate::users::UserId;

/// Lifetime of a code, in milliseconds.
const LASTS_MS: u64 = 600_000;

/// Max pending codes: beyond it the oldest is dropped.
const MAX_WAITING: usize = 256;

/// A device waiting for authorization.
#[derive(Debug, Clone)]
pub(crate) struct QuickConnectRequest {
    /// Secret of the device.
    pub(crate) secret: String,
    /// Code typed by a person.
    pub(crate) code: String,
    /// User who authorized it.
    pub(crate) user: Option<UserId>,
    /// Identification of the device.
    pub(crate) credential: ClientCredential,
    /// Time of its request, in milliseconds.
    pub(crate) since_ms: u64,
}

/// All waiting devices.
#[derive(Debug, Default)]
pub(crate) struct QuickConnect {
    waiting: Mutex<(u64, Vec<QuickConnectRequest>)>,
    seed: u64,
}

impl QuickConnect {
    pub(crate) fn new(seed: u64) -> Self {
        Self { waiting: Mutex::default(), seed }
    }

    /// Adds a waiting device.
    pub(crate) fn initiate(&self, says: ClientCredential, now_ms: u64) -> QuickConnectRequest {
        let mut held = self.waiting.lock();
        let (count, waiting) = &mut *held;
        *count += 1;
        let secret = digest(&[self.seed, *count, now_ms]) + &digest(&[*count, self.seed, now_ms]);
        let number = u64::from_str_radix(&secret[..8], 16).unwrap_or(0) % 900_000 + 100_000;
        let begun =
            QuickConnectRequest { secret, code: number.to_string(), user: None, credential: says, since_ms: now_ms };
        waiting.retain(|old| now_ms.saturating_sub(old.since_ms) < LASTS_MS);
        if waiting.len() >= MAX_WAITING {
            waiting.remove(0);
        }
        waiting.push(begun.clone());
        begun
    }

    /// State of the device with `secret`.
    pub(crate) fn state(&self, secret: &str, now_ms: u64) -> Option<QuickConnectRequest> {
        let held = self.waiting.lock();
        held.1.iter().find(|one| one.secret == secret && now_ms.saturating_sub(one.since_ms) < LASTS_MS).cloned()
    }

    /// Authorizes the device with this code as `user`. False if there is none.
    pub(crate) fn authorize(&self, code: &str, user: UserId, now_ms: u64) -> bool {
        let mut held = self.waiting.lock();
        let fits = |one: &&mut QuickConnectRequest| {
            one.code == code && one.user.is_none() && now_ms.saturating_sub(one.since_ms) < LASTS_MS
        };
        held.1.iter_mut().find(fits).map(|one| one.user = Some(user)).is_some()
    }

    /// Removes the device with `secret`, if it was authorized. Works once.
    pub(crate) fn redeem(&self, secret: &str, now_ms: u64) -> Option<(UserId, ClientCredential)> {
        let mut held = self.waiting.lock();
        let at = held.1.iter().position(|one| {
            one.secret == secret && one.user.is_some() && now_ms.saturating_sub(one.since_ms) < LASTS_MS
        })?;
        let one = held.1.remove(at);
        one.user.map(|user| (user, one.credential))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_gets_in_once_and_only_after_somebody_agreed() {
        let quick = QuickConnect::new(9);
        let begun = quick.initiate(ClientCredential::default(), 1_000);
        assert!(quick.redeem(&begun.secret, 1_001).is_none());
        assert!(quick.authorize(&begun.code, UserId(2), 1_002));
        assert_eq!(quick.state(&begun.secret, 1_003).and_then(|one| one.user), Some(UserId(2)));
        assert_eq!(quick.redeem(&begun.secret, 1_004).map(|(user, _)| user), Some(UserId(2)));
        assert!(quick.redeem(&begun.secret, 1_005).is_none());
    }

    #[test]
    fn a_code_does_not_last() {
        let quick = QuickConnect::new(9);
        let begun = quick.initiate(ClientCredential::default(), 0);
        assert!(!quick.authorize(&begun.code, UserId(2), LASTS_MS));
        assert!(quick.state(&begun.secret, LASTS_MS).is_none());
    }
}
