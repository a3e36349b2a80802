//! Logging in by a code that is typed on another device.

use parking_lot::Mutex;

use super::credential::Credential;
use super::ident::digest;
use crate::users::UserId;

/// A code is good for this long.
const LASTS_MS: u64 = 600_000;

/// Codes that wait at the most: the oldest makes room.
const MAX_WAITING: usize = 256;

/// A device that waits for somebody to let it in.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    /// What the device asks with.
    pub(crate) secret: String,
    /// What a person types.
    pub(crate) code: String,
    /// Who let it in.
    pub(crate) user: Option<UserId>,
    /// What the device says about itself.
    pub(crate) says: Credential,
    /// Since when it waits, in milliseconds.
    pub(crate) since_ms: u64,
}

/// All devices that wait.
#[derive(Debug, Default)]
pub(crate) struct QuickConnect {
    waiting: Mutex<(u64, Vec<Waiting>)>,
    seed: u64,
}

impl QuickConnect {
    /// Nobody waits yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { waiting: Mutex::default(), seed }
    }

    /// A device begins to wait.
    pub(crate) fn initiate(&self, says: Credential, now_ms: u64) -> Waiting {
        let mut held = self.waiting.lock();
        let (count, waiting) = &mut *held;
        *count += 1;
        let secret = digest(&[self.seed, *count, now_ms]) + &digest(&[*count, self.seed, now_ms]);
        let number = u64::from_str_radix(&secret[..8], 16).unwrap_or(0) % 900_000 + 100_000;
        let begun = Waiting { secret, code: number.to_string(), user: None, says, since_ms: now_ms };
        waiting.retain(|old| now_ms.saturating_sub(old.since_ms) < LASTS_MS);
        if waiting.len() >= MAX_WAITING {
            waiting.remove(0);
        }
        waiting.push(begun.clone());
        begun
    }

    /// How it stands with the device that asks with `secret`.
    pub(crate) fn state(&self, secret: &str, now_ms: u64) -> Option<Waiting> {
        let held = self.waiting.lock();
        held.1
            .iter()
            .find(|one| one.secret == secret && now_ms.saturating_sub(one.since_ms) < LASTS_MS)
            .cloned()
    }

    /// `user` lets the device with this code in. Says whether there is one.
    pub(crate) fn authorize(&self, code: &str, user: UserId, now_ms: u64) -> bool {
        let mut held = self.waiting.lock();
        let fits = |one: &&mut Waiting| {
            one.code == code && one.user.is_none() && now_ms.saturating_sub(one.since_ms) < LASTS_MS
        };
        held.1.iter_mut().find(fits).map(|one| one.user = Some(user)).is_some()
    }

    /// Takes the device that asks with `secret`, if somebody let it in. It works once.
    pub(crate) fn redeem(&self, secret: &str, now_ms: u64) -> Option<(UserId, Credential)> {
        let mut held = self.waiting.lock();
        let at = held.1.iter().position(|one| {
            one.secret == secret && one.user.is_some() && now_ms.saturating_sub(one.since_ms) < LASTS_MS
        })?;
        let one = held.1.remove(at);
        one.user.map(|user| (user, one.says))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_gets_in_once_and_only_after_somebody_agreed() {
        let quick = QuickConnect::new(9);
        let begun = quick.initiate(Credential::default(), 1_000);
        assert!(quick.redeem(&begun.secret, 1_001).is_none());
        assert!(quick.authorize(&begun.code, UserId(2), 1_002));
        assert_eq!(quick.state(&begun.secret, 1_003).and_then(|one| one.user), Some(UserId(2)));
        assert_eq!(quick.redeem(&begun.secret, 1_004).map(|(user, _)| user), Some(UserId(2)));
        assert!(quick.redeem(&begun.secret, 1_005).is_none());
    }

    #[test]
    fn a_code_does_not_last() {
        let quick = QuickConnect::new(9);
        let begun = quick.initiate(Credential::default(), 0);
        assert!(!quick.authorize(&begun.code, UserId(2), LASTS_MS));
        assert!(quick.state(&begun.secret, LASTS_MS).is_none());
    }
}
