//! Memoises the classification of requests: companion apps send the same head over and over.
//!
//! Identity, app and target follow from method, target and headers, and from the account the token is proven to belong
//! to. So the classification of a read is stored under the whole head, compared byte by byte, and is valid only while
//! the identity is current, and its account and partition unchanged. Whether the response may be served is not part of it: grants,
//! modes and limits are checked for every request. A head holds a token, so it is dropped on a revocation, and after a
//! short idle time.

use greenroom_cache::AtomicTimestamp;
use greenroom_cache::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::Key;
use greenroom_dialect::anonymous_access::AnonymousAccess;
use greenroom_dialect::classification::{Classification, Representation};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::request::RequestView;
use http::Method;
use quick_cache::sync::Cache;

use super::cached_headers::CachedHeaders;
use super::last_seen_response::LastSeenResponse;
use crate::identity::Identity;
use crate::sabotage;
use greenroom_origin::client_apps::ClientApp;
use greenroom_request_log::UserHash;

/// Max heads per server.
const MAX_HEADS: usize = 2048;
/// Longer heads are not memoised. With its classification a head takes some four times its length.
const MAX_HEAD_BYTES: usize = greenroom_http_server::raw_head::MAX_BYTES;
/// Initial capacity: enough for most heads, and within the allocator's fast size classes.
const INITIAL_HEAD_BYTES: usize = 1000;

/// Heads unused for this time are dropped …
const IDLE: Duration = Duration::from_secs(10 * 60);
/// … within this time, while there are requests.
const SWEEP: Duration = Duration::from_secs(60);

/// Classification of a request. `Debug` shows nothing of the head.
pub struct ClassifiedRequest {
    /// Identity of the token.
    pub identity: Arc<Identity>,
    /// Number of the identity's account and partition at the time of classification.
    pub account_state: u8,
    /// The identity's generation at the time of classification.
    pub generation: u64,
    /// Whether it asks for nothing but its response: see [`is_plain`](super::raw_heads::is_plain).
    pub is_plain: bool,
    /// User in statistics.
    pub user: Option<UserHash>,
    /// Hash of the request, if its response is cacheable.
    pub request_hash: Option<u64>,
    /// Credential of the request.
    pub credential: Arc<Credential>,
    /// The app.
    pub app: Arc<ClientApp>,
    /// The app's name, where it has no slot of its own.
    pub client_name: Option<String>,
    /// Kind of the request.
    pub classification: Classification,
    /// Cache key, if it is a read.
    pub key: Option<Key>,
    /// Headers of its last response.
    pub cached_headers: CachedHeaders,
    /// Its response that prefetch read last.
    pub last_seen_response: LastSeenResponse,
    /// Access without a token.
    pub anonymous_access: AnonymousAccess,
    /// Whether success proves the token valid: there is one, and the request needs one.
    pub needs_token: bool,
    /// Representation requested by the client.
    pub representation: Representation,
}

impl fmt::Debug for ClassifiedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClassifiedRequest({})", category_name(&self.classification))
    }
}

/// Classifications of recent heads. `Debug` shows nothing of them, because they hold tokens.
pub struct ClassificationCache {
    heads: Cache<Box<[u8]>, Arc<CachedClassification>>,
    /// The same by heads as they arrived, for the fast path.
    pub(super) raw_heads: Cache<Box<[u8]>, Arc<CachedClassification>>,
    swept_ms: AtomicTimestamp,
}

/// A classification, and when it was last used.
pub(crate) struct CachedClassification {
    pub(crate) classified: Arc<ClassifiedRequest>,
    seen_ms: AtomicTimestamp,
}

impl Default for ClassificationCache {
    fn default() -> Self {
        Self {
            heads: Cache::new(MAX_HEADS),
            raw_heads: Cache::new(MAX_HEADS),
            swept_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH),
        }
    }
}

impl fmt::Debug for ClassificationCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClassificationCache(…)")
    }
}

impl ClassificationCache {
    /// Classification of `view`; `classify` makes it where none is stored.
    pub fn get_or_classify(
        &self,
        view: &RequestView<'_>,
        now_ms: Timestamp,
        classify: impl FnOnce() -> ClassifiedRequest,
    ) -> Arc<ClassifiedRequest> {
        self.sweep(now_ms);
        let Some(head) = head_of(view) else { return Arc::new(classify()) };
        if let Some(cached) = self.heads.get(head.as_slice()) {
            if cached.mark_seen(now_ms) {
                return Arc::clone(&cached.classified);
            }
            self.heads.remove(head.as_slice());
        }
        let classified = Arc::new(classify());
        // Not worth keeping a token for if it was revoked and not accepted since. An app without a slot may still get
        // one.
        if matches!(classified.classification, Classification::Read(_))
            && !classified.identity.is_refused()
            && !classified.app.needs_lookup()
        {
            let cached = CachedClassification::new(Arc::clone(&classified), now_ms);
            self.heads.insert(head.into(), Arc::new(cached));
        }
        classified
    }

    /// Drops the heads of an identity.
    pub fn forget(&self, identity: &Identity) {
        for heads in [&self.heads, &self.raw_heads] {
            heads.retain(|_, cached| !std::ptr::eq(Arc::as_ptr(&cached.classified.identity), identity));
        }
    }

    pub(super) fn sweep(&self, now_ms: Timestamp) {
        let swept_ms = self.swept_ms.load(Ordering::Relaxed);
        let is_due = now_ms.duration_since(swept_ms) >= SWEEP;
        let (set, load) = (Ordering::Relaxed, Ordering::Relaxed);
        if is_due && self.swept_ms.compare_exchange(swept_ms, now_ms, set, load).is_ok() {
            for heads in [&self.heads, &self.raw_heads] {
                heads.retain(|_, cached| cached.is_valid(now_ms));
            }
        }
    }
}

impl CachedClassification {
    pub(super) fn new(classified: Arc<ClassifiedRequest>, now_ms: Timestamp) -> Self {
        Self { classified, seen_ms: AtomicTimestamp::new(now_ms) }
    }

    /// Records a use. `false`: classify the head again.
    pub(super) fn mark_seen(&self, now_ms: Timestamp) -> bool {
        if !self.is_valid(now_ms) || !self.classified.identity.mark_seen(now_ms) {
            return false;
        }
        if now_ms.duration_since(self.seen_ms.load(Ordering::Relaxed)) >= Duration::from_millis(1000) {
            self.seen_ms.store(now_ms, Ordering::Relaxed);
        }
        true
    }

    /// Whether the token still means what it meant when the request was classified.
    pub(crate) fn is_valid(&self, now_ms: Timestamp) -> bool {
        let identity = &self.classified.identity;
        if sabotage::is_disabled("validity") {
            return true;
        }
        now_ms.duration_since(self.seen_ms.load(Ordering::Relaxed)) < IDLE
            && self.classified.generation == identity.generation()
            && !identity.is_forgotten()
            && !self.classified.app.needs_lookup()
            && self.classified.account_state == identity.account_state()
    }
}

/// Everything a classification depends on, as an unambiguous key: no part can hold a line feed.
fn head_of(view: &RequestView<'_>) -> Option<Vec<u8>> {
    if !matches!(*view.method, Method::GET | Method::HEAD) || !view.body.is_empty() {
        return None;
    }
    let mut head = Vec::with_capacity(INITIAL_HEAD_BYTES);
    let lines = view.headers.iter().map(|(name, value)| [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"]);
    let first = [view.method.as_str().as_bytes(), b" ", view.target.as_bytes(), b"\n"];
    for line in std::iter::once(first).chain(lines) {
        if head.len() + line.iter().map(|part| part.len()).sum::<usize>() > MAX_HEAD_BYTES {
            return None;
        }
        for part in line {
            head.extend_from_slice(part);
        }
    }
    Some(head)
}

/// Name of a request's kind, for people.
pub fn category_name(classification: &Classification) -> &'static str {
    match classification {
        Classification::Read(read) => read.class.name(),
        Classification::Write(_) => "write",
        Classification::Stream(reason) => reason.name(),
        Classification::Refuse(_) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use greenroom_cache::{Cache as Engine, Clock};
    use greenroom_dialect::credential::Secret;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::proxy_request::classify;
    use crate::server::Server;
    use greenroom_config::{ConfigSource, Settings};
    use greenroom_state::secrets::HashKey;

    const TARGET: &str = "/library/sections/1/all?type=1";

    fn server() -> Server {
        let mut source = ConfigSource::default();
        source.add_toml("g.toml", "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n");
        let settings = Settings::read(source).expect("valid configuration").servers.remove(0);
        let (clock, tasks) = (Clock::system(), TaskTracker::new());
        let cache = Engine::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
        let secrets = (HashKey([1; 32]), Secret::new("hook"));
        Server::new(settings, cache, clock, tasks, CancellationToken::new(), secrets).expect("a server")
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("a header value");
        lines.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
    }

    fn classified(server: &Server, method: &Method, target: &str, headers: &HeaderMap) -> Arc<ClassifiedRequest> {
        classify::classify(server, &RequestView { method, target, headers, body: &[] }, Timestamp::from_millis(1))
    }

    #[test]
    fn a_read_is_classified_once() {
        let (server, headers) = (server(), headers(&[("x-plex-token", "token-of-anna")]));
        let first = classified(&server, &Method::GET, TARGET, &headers);
        assert!(Arc::ptr_eq(&first, &classified(&server, &Method::GET, TARGET, &headers)));
        let Classification::Read(read) = &first.classification else { panic!("not a read") };
        let key = Key::new("home", first.identity.partition(), &read.key);
        assert_eq!(first.key.as_ref(), Some(&key));
    }

    #[test]
    fn heads_that_differ_are_classified_separately() {
        let server = server();
        let heads = [
            (Method::GET, TARGET, headers(&[("x-plex-token", "token-of-anna")])),
            (Method::HEAD, TARGET, headers(&[("x-plex-token", "token-of-anna")])),
            (Method::GET, "/library/sections/1/all?type=2", headers(&[("x-plex-token", "token-of-anna")])),
            (Method::GET, TARGET, headers(&[("x-plex-token", "token-of-bert")])),
            (Method::GET, TARGET, headers(&[("x-plex-token", "token-of-anna"), ("accept", "application/json")])),
            (Method::GET, TARGET, headers(&[("x-plex-token", "token-of-anna"), ("accept", "text/xml")])),
            (Method::GET, TARGET, headers(&[("accept", "text/xml"), ("x-plex-token", "token-of-anna")])),
        ];
        let of = |(method, target, headers): &(Method, &str, HeaderMap)| classified(&server, method, target, headers);
        let all: Vec<_> = heads.iter().map(of).collect();
        for (at, (head, classified)) in heads.iter().zip(&all).enumerate() {
            assert!(Arc::ptr_eq(classified, &of(head)), "{at} is memoised");
            assert!(all[..at].iter().all(|other| !Arc::ptr_eq(classified, other)), "{at} has its own classification");
        }
        assert_ne!(all[0].key, all[3].key);
    }

    #[test]
    fn one_header_line_cannot_pass_for_two() {
        let of = |lines: &[(&'static str, &str)]| {
            let headers = headers(lines);
            head_of(&RequestView { method: &Method::GET, target: TARGET, headers: &headers, body: &[] })
        };
        assert_ne!(of(&[("a", "1"), ("b", "2")]), of(&[("a", "1b:2")]));
        assert_ne!(of(&[("a", "1"), ("a", "2")]), of(&[("a", "12")]));
        assert_ne!(of(&[("ab", "")]), of(&[("a", "b")]));
        assert!(HeaderValue::from_bytes(b"1\nb:2").is_err());
    }

    #[test]
    fn a_token_whose_identity_was_evicted_gets_a_new_one() {
        let (server, headers) = (server(), headers(&[("x-plex-token", "token-of-anna")]));
        let before = classified(&server, &Method::GET, TARGET, &headers);
        for index in 0..5000 {
            let token = Some(Secret::new(format!("token-{index}")));
            server.identify(&Credential { token, ..Credential::default() });
        }
        let after = classified(&server, &Method::GET, TARGET, &headers);
        assert!(!Arc::ptr_eq(&before.identity, &after.identity), "no write would reach the old identity");
    }

    #[test]
    fn a_newly_proven_account_invalidates_the_classification() {
        let (server, headers) = (server(), headers(&[("x-plex-token", "token-of-anna")]));
        let before = classified(&server, &Method::GET, TARGET, &headers);
        before.identity.set_account("1");
        let after = classified(&server, &Method::GET, TARGET, &headers);
        assert!(!Arc::ptr_eq(&before, &after));
        assert!(Arc::ptr_eq(&after, &classified(&server, &Method::GET, TARGET, &headers)));
    }

    #[test]
    fn writes_streams_and_long_heads_are_classified_every_time() {
        let server = server();
        let long_header = "x".repeat(MAX_HEAD_BYTES);
        for (method, target, lines) in [
            (Method::PUT, "/library/metadata/1?title.value=x", vec![("x-plex-token", "token-of-anna")]),
            (Method::GET, "/:/scrobble?key=1", vec![("x-plex-token", "token-of-anna")]),
            (Method::GET, "/library/parts/1/2/file.mkv", vec![("x-plex-token", "token-of-anna")]),
            (Method::GET, TARGET, vec![("x-plex-token", "token-of-anna"), ("x-long", &long_header)]),
        ] {
            let headers = headers(&lines);
            let first = classified(&server, &method, target, &headers);
            assert!(!Arc::ptr_eq(&first, &classified(&server, &method, target, &headers)), "{target}");
        }
    }

    #[test]
    fn memoised_heads_are_bounded_and_never_shown() {
        let server = server();
        for index in 0..3 * MAX_HEADS {
            let headers = headers(&[("x-plex-token", &format!("SECRET-token-{}", index % 7))]);
            classified(&server, &Method::GET, &format!("/library/sections/{index}/all"), &headers);
        }
        assert!(server.classifications.heads.len() <= MAX_HEADS);
        assert!(!format!("{:?}", server.classifications).contains("SECRET"));
    }

    #[test]
    fn a_head_is_dropped_with_its_token_or_when_idle() {
        let server = server();
        let of = |token: &str, now_ms| {
            let headers = headers(&[("x-plex-token", token)]);
            classify::classify(
                &server,
                &RequestView { method: &Method::GET, target: TARGET, headers: &headers, body: &[] },
                now_ms,
            )
        };
        let [anna, _] = ["token-of-anna", "token-of-bert"].map(|token| of(token, Timestamp::from_millis(1)));
        assert!(!format!("{anna:?}").contains("token-of"));
        assert_eq!(server.classifications.heads.len(), 2);
        server.classifications.forget(&anna.identity);
        assert_eq!(server.classifications.heads.len(), 1);
        let again = of("token-of-anna", Timestamp::from_millis(2));
        again.identity.refuse();
        assert!(!Arc::ptr_eq(&again, &of("token-of-anna", Timestamp::from_millis(3))), "refused");
        assert_eq!(server.classifications.heads.len(), 1, "requests with a revoked token are not memoised");
        of("token-of-carl", Timestamp::UNIX_EPOCH + IDLE);
        of("token-of-carl", Timestamp::UNIX_EPOCH + IDLE + SWEEP);
        assert_eq!(server.classifications.heads.len(), 1, "idle heads are dropped");
    }
}
