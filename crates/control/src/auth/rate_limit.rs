//! Slows down whoever guesses tokens: after ten wrong ones within a minute no further one of that peer is looked
//! at until the minute is over.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;

/// Wrong tokens a peer may show …
const MAX_FAILURES: u32 = 10;
/// … within this time.
const WINDOW: Duration = Duration::from_secs(60);
/// Peers remembered, some 50 bytes each. Beyond, the one whose minute began first is forgotten.
const MAX_PEERS: usize = 1024;

/// Who showed wrong tokens lately.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<Guesser, Failures>>);

/// Who shows a token. Whoever comes through a proxy that is not trusted has the proxy's address: it is counted apart
/// from those who come from there by themselves, so that it does not lock them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Guesser {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Whether something says that it passed a proxy.
    pub(crate) is_forwarded: bool,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since_ms: u64,
}

impl Throttle {
    /// How long nothing this peer shows is to be looked at, in milliseconds; `None` if it is.
    pub(crate) fn waits_ms(&self, peer: Guesser, now_ms: u64) -> Option<u64> {
        let peers = self.0.lock();
        let failures = peers.get(&peer.household()).filter(|failures| failures.count >= MAX_FAILURES)?;
        Some(failures.left_ms(now_ms)).filter(|left_ms| *left_ms > 0)
    }

    /// The peer showed a wrong token.
    pub(crate) fn note_failure(&self, peer: Guesser, now_ms: u64) {
        let peer = peer.household();
        let mut peers = self.0.lock();
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, failures| failures.last(now_ms));
            if peers.len() >= MAX_PEERS {
                let oldest =
                    peers.iter().min_by_key(|(_, failures)| failures.since_ms).map(|(peer, _)| *peer);
                oldest.map(|peer| peers.remove(&peer));
            }
        }
        let failures = peers.entry(peer).or_insert(Failures { count: 0, since_ms: now_ms });
        if !failures.last(now_ms) {
            *failures = Failures { count: 0, since_ms: now_ms };
        }
        failures.count = failures.count.saturating_add(1);
    }
}

impl Failures {
    /// Whether they still count.
    fn last(self, now_ms: u64) -> bool {
        self.left_ms(now_ms) > 0
    }

    /// How long they still count.
    fn left_ms(self, now_ms: u64) -> u64 {
        let window_ms = u64::try_from(WINDOW.as_millis()).unwrap_or(u64::MAX);
        window_ms.saturating_sub(now_ms.saturating_sub(self.since_ms))
    }
}

impl Guesser {
    fn household(self) -> Self {
        Self { address: household(self.address), ..self }
    }
}

/// Who has one IPv6 address has its whole network.
fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Guesser {
        Guesser { address: text.parse().expect("it is an address"), is_forwarded: false }
    }

    impl Throttle {
        fn is_throttled(&self, peer: Guesser, now_ms: u64) -> bool {
            self.waits_ms(peer, now_ms).is_some()
        }
    }

    fn guess(throttle: &Throttle, peer: &str, times: u32, now_ms: u64) {
        for _ in 0..times {
            throttle.note_failure(ip(peer), now_ms);
        }
    }

    #[test]
    fn ten_wrong_tokens_are_too_many_for_a_minute() {
        let throttle = Throttle::default();
        guess(&throttle, "10.0.0.1", 9, 1_000);
        assert!(!throttle.is_throttled(ip("10.0.0.1"), 1_000));
        guess(&throttle, "10.0.0.1", 1, 2_000);
        assert!(throttle.is_throttled(ip("10.0.0.1"), 2_000));
        assert!(throttle.is_throttled(ip("10.0.0.1"), 60_999));
        assert!(!throttle.is_throttled(ip("10.0.0.1"), 61_000));
    }

    #[test]
    fn who_has_to_wait_is_told_how_long() {
        let throttle = Throttle::default();
        guess(&throttle, "10.0.0.1", 9, 1_000);
        assert_eq!(throttle.waits_ms(ip("10.0.0.1"), 1_000), None);
        guess(&throttle, "10.0.0.1", 1, 21_000);
        assert_eq!(throttle.waits_ms(ip("10.0.0.1"), 21_000), Some(40_000));
        guess(&throttle, "10.0.0.1", 5, 31_000);
        assert_eq!(throttle.waits_ms(ip("10.0.0.1"), 60_999), Some(1), "more guesses make it no longer");
        assert_eq!(throttle.waits_ms(ip("10.0.0.1"), 61_000), None);
    }

    #[test]
    fn a_new_minute_counts_anew() {
        let throttle = Throttle::default();
        guess(&throttle, "10.0.0.1", 9, 0);
        guess(&throttle, "10.0.0.1", 9, 60_000);
        assert!(!throttle.is_throttled(ip("10.0.0.1"), 60_000));
    }

    #[test]
    fn one_who_guesses_does_not_lock_out_another() {
        let throttle = Throttle::default();
        guess(&throttle, "10.0.0.1", 50, 0);
        assert!(!throttle.is_throttled(ip("10.0.0.2"), 0));
    }

    #[test]
    fn who_guesses_through_a_proxy_does_not_lock_out_who_comes_from_there_by_itself() {
        let throttle = Throttle::default();
        let forwarded = Guesser { is_forwarded: true, ..ip("127.0.0.1") };
        for _ in 0..10 {
            throttle.note_failure(forwarded, 0);
        }
        assert!(throttle.is_throttled(forwarded, 0));
        assert!(!throttle.is_throttled(ip("127.0.0.1"), 0));
    }

    #[test]
    fn another_address_of_the_same_network_is_the_same_guesser() {
        let throttle = Throttle::default();
        guess(&throttle, "2001:db8::1", 10, 0);
        assert!(throttle.is_throttled(ip("2001:db8::2"), 0));
        assert!(!throttle.is_throttled(ip("2001:db8:0:1::2"), 0));
        guess(&throttle, "::ffff:10.0.0.1", 10, 0);
        assert!(throttle.is_throttled(ip("10.0.0.1"), 0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for index in 0..u32::try_from(MAX_PEERS).expect("it is small") + 100 {
            let guesser = Guesser { address: IpAddr::V4(index.into()), is_forwarded: false };
            throttle.note_failure(guesser, u64::from(index));
        }
        assert_eq!(throttle.0.lock().len(), MAX_PEERS);
    }
}
