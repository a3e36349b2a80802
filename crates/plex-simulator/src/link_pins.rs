//! Codes that a person types, or follows as a link, to authorize a device.

use std::fmt;

use parking_lot::Mutex;
use serde_json::{Value, json};

use greenroom_simulator_backend::rng::SeededRng;
use greenroom_simulator_backend::timestamp::written;

/// Lifetime of a code that is followed as a link, in seconds.
const STRONG_LASTS_S: u64 = 1_800;
/// Lifetime of a typed code, in seconds.
const SHORT_LASTS_S: u64 = 900;
/// Length of a code that is followed.
const STRONG_LENGTH: u32 = 25;
/// Length of a typed code.
const SHORT_LENGTH: u32 = 4;
/// Characters that are not mistaken for each other.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Max pending codes: beyond it the oldest is dropped.
const MAX_WAITING: usize = 256;

/// A device waiting for authorization.
#[derive(Clone)]
pub(super) struct LinkPin {
    id: u64,
    code: String,
    client: String,
    product: String,
    begun_ms: u64,
    lasts_s: u64,
    token: Option<String>,
}

impl fmt::Debug for LinkPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pin").field("id", &self.id).finish_non_exhaustive()
    }
}

/// All waiting devices.
#[derive(Debug)]
pub(crate) struct LinkPins {
    waiting: Mutex<(u64, Vec<LinkPin>)>,
    rng: SeededRng,
}

impl LinkPin {
    fn ends_ms(&self) -> u64 {
        self.begun_ms + self.lasts_s * 1_000
    }

    /// As the service writes it.
    pub(super) fn written(&self, now_ms: u64) -> Value {
        json!({
            "id": self.id,
            "code": self.code,
            "product": self.product,
            "trusted": false,
            "qr": format!("https://plex.tv/api/v2/pins/qr/{}", self.code),
            "clientIdentifier": self.client,
            "expiresIn": self.ends_ms().saturating_sub(now_ms) / 1_000,
            "createdAt": instant(self.begun_ms),
            "expiresAt": instant(self.ends_ms()),
            "authToken": self.token,
            "newRegistration": null,
        })
    }
}

impl LinkPins {
    pub(crate) fn new(chance: SeededRng) -> Self {
        Self { waiting: Mutex::default(), rng: chance }
    }

    /// Adds a waiting device.
    pub(super) fn begin(&self, client: &str, product: &str, strong: bool, now_ms: u64) -> LinkPin {
        let mut held = self.waiting.lock();
        let (count, waiting) = &mut *held;
        *count += 1;
        let (length, lasts_s) = if strong { (STRONG_LENGTH, STRONG_LASTS_S) } else { (SHORT_LENGTH, SHORT_LASTS_S) };
        let pin = LinkPin {
            id: 500_000_000 + *count,
            code: (0..length).map(|place| self.letter(*count, place)).collect(),
            client: client.to_owned(),
            product: product.to_owned(),
            begun_ms: now_ms,
            lasts_s,
            token: None,
        };
        waiting.retain(|old| now_ms < old.ends_ms());
        if waiting.len() >= MAX_WAITING {
            waiting.remove(0);
        }
        waiting.push(pin.clone());
        pin
    }

    /// State of a code. Only the device that requested it may read it, and only during its lifetime.
    pub(super) fn get(&self, id: u64, client: &str, now_ms: u64) -> Option<LinkPin> {
        let held = self.waiting.lock();
        held.1.iter().find(|pin| pin.id == id && pin.client == client && now_ms < pin.ends_ms()).cloned()
    }

    /// Authorizes the device with this code. False if there is none.
    pub(super) fn link(&self, code: &str, token: &str, now_ms: u64) -> bool {
        let mut held = self.waiting.lock();
        let fits =
            |pin: &&mut LinkPin| pin.code.eq_ignore_ascii_case(code) && pin.token.is_none() && now_ms < pin.ends_ms();
        held.1.iter_mut().find(fits).map(|pin| pin.token = Some(token.to_owned())).is_some()
    }

    fn letter(&self, count: u64, place: u32) -> char {
        let at = self.rng.below("pin", count << 8 | u64::from(place), LETTERS.len() as u64);
        usize::try_from(at).ok().and_then(|at| LETTERS.get(at)).map_or('a', |letter| char::from(*letter))
    }
}

/// A timestamp in whole seconds, as the account service writes it.
pub(super) fn instant(ms: u64) -> String {
    let whole = written(ms);
    whole.split_once('.').map_or_else(|| whole.clone(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins() -> LinkPins {
        LinkPins::new(SeededRng::new(3))
    }

    #[test]
    fn a_code_gives_a_token_only_after_somebody_agreed() {
        let pins = pins();
        let pin = pins.begin("c", "Test", true, 1_000);
        assert_eq!(pin.code.len(), 25);
        assert!(pins.get(pin.id, "c", 1_001).is_some_and(|pin| pin.token.is_none()));
        assert!(pins.link(&pin.code, "t", 1_002));
        assert_eq!(pins.get(pin.id, "c", 1_003).and_then(|pin| pin.token).as_deref(), Some("t"));
    }

    #[test]
    fn a_code_is_not_shown_to_another_device_and_does_not_last() {
        let pins = pins();
        let pin = pins.begin("c", "Test", false, 0);
        assert_eq!(pin.code.len(), 4);
        assert!(pins.get(pin.id, "d", 1).is_none());
        assert!(pins.get(pin.id, "c", SHORT_LASTS_S * 1_000 - 1).is_some());
        assert!(pins.get(pin.id, "c", SHORT_LASTS_S * 1_000).is_none());
        assert!(!pins.link(&pin.code, "t", SHORT_LASTS_S * 1_000));
    }

    #[test]
    fn a_pin_never_prints_its_token() {
        let pins = pins();
        let pin = pins.begin("c", "Test", true, 0);
        pins.link(&pin.code, "sesame", 1);
        assert!(!format!("{pins:?}").contains("sesame"));
    }
}
