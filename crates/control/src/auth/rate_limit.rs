//! Limits guesses of tokens: after ten wrong tokens within a minute, no further token of that peer is checked until the
//! minute is over.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;

/// Max wrong tokens per peer …
const MAX_FAILURES: u32 = 10;
/// … within this time.
const WINDOW: Duration = Duration::from_secs(60);
/// Max peers remembered, some 50 bytes each. Beyond, the oldest window is dropped.
const MAX_PEERS: usize = 1024;

/// Recent wrong tokens per peer.
#[derive(Debug, Default)]
pub struct LoginRateLimiter(Mutex<HashMap<RateLimitKey, FailureWindow>>);

/// The peer that sends a token. Requests through an untrusted proxy share the proxy's address; they are counted apart
/// from direct requests of that address, so that they cannot lock those out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateLimitKey {
    /// Peer address.
    pub address: IpAddr,
    /// True if a header shows that the request passed a proxy.
    pub is_forwarded: bool,
}

#[derive(Debug, Clone, Copy)]
struct FailureWindow {
    count: u32,
    since_ms: Timestamp,
}

impl LoginRateLimiter {
    /// Time until tokens of this peer are checked again; `None` if they are checked now.
    pub fn retry_after_ms(&self, peer: RateLimitKey, now_ms: Timestamp) -> Option<Duration> {
        let peers = self.0.lock();
        let failures = peers.get(&peer.to_network()).filter(|failures| failures.count >= MAX_FAILURES)?;
        Some(failures.left_ms(now_ms)).filter(|left_ms| !left_ms.is_zero())
    }

    /// Records a wrong token.
    pub fn record_failure(&self, peer: RateLimitKey, now_ms: Timestamp) {
        let peer = peer.to_network();
        let mut peers = self.0.lock();
        if peers.len() >= MAX_PEERS && !peers.contains_key(&peer) {
            peers.retain(|_, failures| failures.is_active(now_ms));
            if peers.len() >= MAX_PEERS {
                let oldest = peers.iter().min_by_key(|(_, failures)| failures.since_ms).map(|(peer, _)| *peer);
                oldest.map(|peer| peers.remove(&peer));
            }
        }
        let failures = peers.entry(peer).or_insert(FailureWindow { count: 0, since_ms: now_ms });
        if !failures.is_active(now_ms) {
            *failures = FailureWindow { count: 0, since_ms: now_ms };
        }
        failures.count = failures.count.saturating_add(1);
    }
}

impl FailureWindow {
    /// True while the window counts.
    fn is_active(self, now_ms: Timestamp) -> bool {
        !self.left_ms(now_ms).is_zero()
    }

    /// Time left of the window.
    fn left_ms(self, now_ms: Timestamp) -> Duration {
        WINDOW.saturating_sub(now_ms.duration_since(self.since_ms))
    }
}

impl RateLimitKey {
    fn to_network(self) -> Self {
        Self { address: network_of(self.address), ..self }
    }
}

/// The /64 network of an IPv6 address, because one host can use all of it.
fn network_of(peer: IpAddr) -> IpAddr {
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

    fn ip(text: &str) -> RateLimitKey {
        RateLimitKey { address: text.parse().expect("an IP address"), is_forwarded: false }
    }

    impl LoginRateLimiter {
        fn is_throttled(&self, peer: RateLimitKey, now_ms: Timestamp) -> bool {
            self.retry_after_ms(peer, now_ms).is_some()
        }
    }

    fn guess(limiter: &LoginRateLimiter, peer: &str, times: u32, now_ms: Timestamp) {
        for _ in 0..times {
            limiter.record_failure(ip(peer), now_ms);
        }
    }

    #[test]
    fn ten_wrong_tokens_throttle_a_peer_for_a_minute() {
        let limiter = LoginRateLimiter::default();
        guess(&limiter, "10.0.0.1", 9, Timestamp::from_millis(1_000));
        assert!(!limiter.is_throttled(ip("10.0.0.1"), Timestamp::from_millis(1_000)));
        guess(&limiter, "10.0.0.1", 1, Timestamp::from_millis(2_000));
        assert!(limiter.is_throttled(ip("10.0.0.1"), Timestamp::from_millis(2_000)));
        assert!(limiter.is_throttled(ip("10.0.0.1"), Timestamp::from_millis(60_999)));
        assert!(!limiter.is_throttled(ip("10.0.0.1"), Timestamp::from_millis(61_000)));
    }

    #[test]
    fn a_throttled_peer_learns_when_to_retry() {
        let limiter = LoginRateLimiter::default();
        guess(&limiter, "10.0.0.1", 9, Timestamp::from_millis(1_000));
        assert_eq!(limiter.retry_after_ms(ip("10.0.0.1"), Timestamp::from_millis(1_000)), None);
        guess(&limiter, "10.0.0.1", 1, Timestamp::from_millis(21_000));
        assert_eq!(
            limiter.retry_after_ms(ip("10.0.0.1"), Timestamp::from_millis(21_000)),
            Some(Duration::from_millis(40_000))
        );
        guess(&limiter, "10.0.0.1", 5, Timestamp::from_millis(31_000));
        assert_eq!(
            limiter.retry_after_ms(ip("10.0.0.1"), Timestamp::from_millis(60_999)),
            Some(Duration::from_millis(1)),
            "further wrong tokens do not extend it"
        );
        assert_eq!(limiter.retry_after_ms(ip("10.0.0.1"), Timestamp::from_millis(61_000)), None);
    }

    #[test]
    fn the_count_restarts_with_a_new_window() {
        let limiter = LoginRateLimiter::default();
        guess(&limiter, "10.0.0.1", 9, Timestamp::UNIX_EPOCH);
        guess(&limiter, "10.0.0.1", 9, Timestamp::from_millis(60_000));
        assert!(!limiter.is_throttled(ip("10.0.0.1"), Timestamp::from_millis(60_000)));
    }

    #[test]
    fn wrong_tokens_of_one_peer_do_not_throttle_another() {
        let limiter = LoginRateLimiter::default();
        guess(&limiter, "10.0.0.1", 50, Timestamp::UNIX_EPOCH);
        assert!(!limiter.is_throttled(ip("10.0.0.2"), Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn wrong_tokens_through_a_proxy_do_not_throttle_direct_requests_of_its_address() {
        let limiter = LoginRateLimiter::default();
        let forwarded = RateLimitKey { is_forwarded: true, ..ip("127.0.0.1") };
        for _ in 0..10 {
            limiter.record_failure(forwarded, Timestamp::UNIX_EPOCH);
        }
        assert!(limiter.is_throttled(forwarded, Timestamp::UNIX_EPOCH));
        assert!(!limiter.is_throttled(ip("127.0.0.1"), Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_limit() {
        let limiter = LoginRateLimiter::default();
        guess(&limiter, "2001:db8::1", 10, Timestamp::UNIX_EPOCH);
        assert!(limiter.is_throttled(ip("2001:db8::2"), Timestamp::UNIX_EPOCH));
        assert!(!limiter.is_throttled(ip("2001:db8:0:1::2"), Timestamp::UNIX_EPOCH));
        guess(&limiter, "::ffff:10.0.0.1", 10, Timestamp::UNIX_EPOCH);
        assert!(limiter.is_throttled(ip("10.0.0.1"), Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn the_number_of_remembered_peers_is_bounded() {
        let limiter = LoginRateLimiter::default();
        for index in 0..u32::try_from(MAX_PEERS).expect("fits in 32 bits") + 100 {
            let key = RateLimitKey { address: IpAddr::V4(index.into()), is_forwarded: false };
            limiter.record_failure(key, Timestamp::from_millis(u64::from(index)));
        }
        assert_eq!(limiter.0.lock().len(), MAX_PEERS);
    }
}
