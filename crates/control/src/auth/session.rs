//! Sessions of the page: opened once with the control token, then carried by a cookie.
//!
//! A session is 128 random bits. Only its hash is stored, in memory: a restart ends all sessions.

use greenroom_cache::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

use http::HeaderMap;
use http::header::{COOKIE, HOST};
use parking_lot::Mutex;

use greenroom_state::secrets;

/// Prefix of the cookie name; the port of the requested host follows it.
pub const COOKIE_NAME: &str = "greenroom_session";
/// Lifetime of a session.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Max concurrent sessions. One more ends the oldest.
const MAX_SESSIONS: usize = 64;

/// Hash of a session: it recognises the session and cannot be used as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 32]);

/// Open sessions, each with its expiry in milliseconds.
#[derive(Debug, Default)]
pub struct SessionStore(Mutex<HashMap<SessionId, u64>>);

impl SessionId {
    fn from_cookie_value(secret: &str) -> Self {
        Self(*blake3::hash(secret.as_bytes()).as_bytes())
    }

    /// The session in the request's cookie, open or not.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let own = cookie_name(headers);
        pairs.find(|(name, _)| *name == own).map(|(_, secret)| Self::from_cookie_value(secret))
    }
}

impl SessionStore {
    /// Opens a session. Returns its secret, which only its owner may see.
    pub fn open(&self, now_ms: Timestamp) -> String {
        let secret = secrets::new_token();
        let mut sessions = self.0.lock();
        sessions.retain(|_, expires_ms| *expires_ms > now_ms.as_millis());
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, expires_ms)| **expires_ms).map(|(id, _)| *id);
            oldest.map(|id| sessions.remove(&id));
        }
        let lifetime = LIFETIME;
        sessions.insert(SessionId::from_cookie_value(&secret), now_ms.saturating_add(lifetime).as_millis());
        secret
    }

    /// True if the session exists and has not ended at this time.
    pub fn is_open(&self, id: SessionId, now_ms: Timestamp) -> bool {
        self.0.lock().get(&id).is_some_and(|expires_ms| *expires_ms > now_ms.as_millis())
    }

    /// Ends this session.
    pub fn close(&self, id: SessionId) {
        self.0.lock().remove(&id);
    }

    /// Ends all sessions.
    pub fn close_all(&self) {
        self.0.lock().clear();
    }

    /// Number of open sessions.
    pub fn count(&self, now_ms: Timestamp) -> usize {
        self.0.lock().values().filter(|expires_ms| **expires_ms > now_ms.as_millis()).count()
    }
}

/// The cookie name for the requested host. Browsers share cookies between all ports of a host: without the port, two
/// gateways on one host would overwrite each other's cookie.
pub fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let port = host.and_then(|host| host.rsplit_once(':')).and_then(|(_, port)| port.parse::<u16>().ok());
    port.map_or_else(|| COOKIE_NAME.to_owned(), |port| format!("{COOKIE_NAME}_{port}"))
}

/// The `Set-Cookie` header of a session, limited to `base_path`; `Secure` if the page was loaded over TLS.
pub fn cookie(name: &str, secret: &str, base_path: &str, is_encrypted: bool) -> String {
    let (secure, age) = (if is_encrypted { "; Secure" } else { "" }, LIFETIME.as_secs());
    format!("{name}={secret}; HttpOnly; SameSite=Strict; Path={base_path}/; Max-Age={age}{secure}")
}

/// The `Set-Cookie` header that deletes the cookie.
pub fn no_cookie(name: &str, base_path: &str) -> String {
    format!("{name}=; HttpOnly; SameSite=Strict; Path={base_path}/; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const LIFETIME_MS: u64 = 30 * 24 * 3600 * 1000;

    fn session_in_cookie(line: &str) -> Option<SessionId> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(line).expect("a header value"));
        SessionId::from_headers(&headers)
    }

    #[test]
    fn a_session_expires_after_thirty_days() {
        let sessions = SessionStore::default();
        let id = SessionId::from_cookie_value(&sessions.open(Timestamp::from_millis(1_000)));
        assert!(sessions.is_open(id, Timestamp::from_millis(1_000 + LIFETIME_MS - 1)));
        assert!(!sessions.is_open(id, Timestamp::from_millis(1_000 + LIFETIME_MS)));
    }

    #[test]
    fn a_closed_session_is_not_open() {
        let sessions = SessionStore::default();
        let (one, two) = (
            SessionId::from_cookie_value(&sessions.open(Timestamp::from_millis(1))),
            SessionId::from_cookie_value(&sessions.open(Timestamp::from_millis(1))),
        );
        sessions.close(one);
        assert!(!sessions.is_open(one, Timestamp::from_millis(2)));
        assert!(sessions.is_open(two, Timestamp::from_millis(2)));
    }

    #[test]
    fn opening_a_session_above_the_limit_ends_the_oldest() {
        let sessions = SessionStore::default();
        let first = SessionId::from_cookie_value(&sessions.open(Timestamp::from_millis(1)));
        let second = SessionId::from_cookie_value(&sessions.open(Timestamp::from_millis(2)));
        for now_ms in 3..=MAX_SESSIONS as u64 + 1 {
            sessions.open(Timestamp::from_millis(now_ms));
        }
        assert_eq!(sessions.count(Timestamp::from_millis(100)), MAX_SESSIONS);
        assert!(!sessions.is_open(first, Timestamp::from_millis(100)));
        assert!(sessions.is_open(second, Timestamp::from_millis(100)));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let sessions = SessionStore::default();
        let secret = sessions.open(Timestamp::from_millis(1));
        let id = session_in_cookie(&format!("theme=dark; {COOKIE_NAME}={secret}; x=y")).expect("a session cookie");
        assert!(sessions.is_open(id, Timestamp::from_millis(2)));
        assert_eq!(session_in_cookie("theme=dark; xgreenroom_session=1"), None);
        assert!(!sessions.is_open(
            session_in_cookie(&format!("{COOKIE_NAME}=")).expect("an empty session cookie"),
            Timestamp::from_millis(2)
        ));
    }

    #[test]
    fn the_cookie_is_inaccessible_to_scripts_and_other_sites() {
        assert!(cookie("x", "abc", "", true).ends_with("; Secure"));
        let plain = cookie("x", "abc", "", false);
        assert!(!plain.contains("Secure"));
        for part in ["HttpOnly", "SameSite=Strict", "Path=/;", "Max-Age=2592000"] {
            assert!(plain.contains(part), "{plain}");
        }
        assert!(cookie("x", "abc", "/greenroom", false).contains("; Path=/greenroom/;"));
        assert!(no_cookie("x", "/greenroom").contains("; Path=/greenroom/; Max-Age=0"));
    }

    #[test]
    fn two_gateways_on_one_host_have_separate_cookies() {
        let session_for = |host: &'static str, line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            headers.insert(COOKIE, HeaderValue::from_str(line).expect("a header value"));
            SessionId::from_headers(&headers)
        };
        let both = "greenroom_session_8710=one; greenroom_session_8711=two; greenroom_session=three";
        for (host, secret) in [("nas:8710", "one"), ("[::1]:8711", "two"), ("nas", "three"), ("[::1]", "three")] {
            assert_eq!(session_for(host, both), Some(SessionId::from_cookie_value(secret)), "{host}");
        }
        assert_eq!(session_for("nas:8712", both), None);
    }

    #[test]
    fn only_the_hash_of_a_session_is_stored() {
        let sessions = SessionStore::default();
        let secret = sessions.open(Timestamp::from_millis(1));
        assert!(!format!("{sessions:?}").contains(&secret));
        assert_eq!(secret.len(), 32);
    }
}
