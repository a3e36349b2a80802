//! Reads that the fast path recognises by their heads as they arrived, and the encoded heads of their responses.
//!
//! Heads hold credentials, so they are dropped after a short idle time.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_cache::{AtomicTimestamp, Cache, Entry, HybridTimestamp, Key, Tier, Timestamp};
use greenroom_http_caching::cache_status::{CACHE_STATUS, CacheStatusField};
use greenroom_http_caching::search_variance::SearchVariance;
use greenroom_http_caching::stored_head::StoredHead;
use greenroom_http_caching::variant::SelectingFields;
use greenroom_http_server::connection::MAX_FAST_BODY_BYTES;
use greenroom_http_server::raw_head::encode_response_head;
use http::header::{AGE, CONTENT_LENGTH, DATE};
use http::{HeaderMap, StatusCode};
use parking_lot::RwLock;

use crate::api_request::ApiRequest;
use crate::response;
use crate::response_index::{IndexedFact, ResponseIndex};
use crate::route_table::RouteTable;

/// Max heads per server.
const MAX_HEADS: usize = 2048;
/// Longest encoded head of a response: with their own heads, all known reads take at most some 20 MiB.
const MAX_ENCODED_BYTES: usize = 4096;
/// Heads unused for this time are dropped …
const IDLE: Duration = Duration::from_secs(10 * 60);
/// … within this time, while there are requests.
const SWEEP: Duration = Duration::from_secs(60);

/// Reads by their heads as they arrived. `Debug` shows nothing of them, because they may hold credentials.
pub(crate) struct KnownReads {
    heads: quick_cache::sync::Cache<Box<[u8]>, Arc<KnownRead>>,
    swept_ms: AtomicTimestamp,
}

impl Default for KnownReads {
    fn default() -> Self {
        Self { heads: quick_cache::sync::Cache::new(MAX_HEADS), swept_ms: AtomicTimestamp::new(Timestamp::UNIX_EPOCH) }
    }
}

impl fmt::Debug for KnownReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownReads(…)")
    }
}

/// A read that is known by its head.
pub(crate) struct KnownRead {
    pub(crate) request: ApiRequest,
    /// Key of its response, while the facts below hold.
    pub(crate) key: Key,
    pub(crate) routes: Arc<RouteTable>,
    pub(crate) fields: Fact<SelectingFields>,
    pub(crate) search: Option<Fact<SearchVariance>>,
    seen_ms: AtomicTimestamp,
    head: RwLock<Option<Arc<EncodedHead>>>,
}

/// A fact in the response index.
pub(crate) struct Fact<F> {
    digest: [u8; 32],
    value: Arc<F>,
}

impl<F: IndexedFact> Fact<F> {
    /// The fact of this key.
    pub(crate) async fn of(cache: &Cache, index: &ResponseIndex<F>, key: &Key) -> Self {
        Self { digest: index.digest(key), value: index.get(cache, key).await }
    }

    /// Whether the index still says the same.
    pub(crate) fn holds(&self, index: &ResponseIndex<F>) -> bool {
        index.known(&self.digest).is_some_and(|known| Arc::ptr_eq(&known, &self.value))
    }
}

/// The head of a client's response, without age, length and what this cache did.
pub(crate) struct EncodedHead {
    /// Stamp of the entry it is of.
    created: HybridTimestamp,
    /// Head of the entry, without its fields: its use depends on it.
    pub(crate) stored: StoredHead,
    pub(crate) status: StatusCode,
    lines: Box<[u8]>,
    pub(crate) has_date: bool,
}

impl KnownReads {
    /// Whether a read with this head is known, and `is_current`.
    pub(crate) fn has(&self, raw: &[u8], is_current: impl FnOnce(&KnownRead) -> bool) -> bool {
        self.heads.peek(raw).is_some_and(|known| is_current(&known))
    }

    /// Recognises this read by its head from now on.
    pub(crate) fn learn(&self, raw: Box<[u8]>, known: KnownRead) {
        self.heads.insert(raw, Arc::new(known));
    }

    /// The read with exactly this head, if it is known and still what it was.
    pub(crate) fn recognise(
        &self,
        raw: &[u8],
        now_ms: Timestamp,
        is_current: impl FnOnce(&KnownRead) -> bool,
    ) -> Option<Arc<KnownRead>> {
        self.sweep(now_ms);
        let known = self.heads.get(raw)?;
        if !is_current(&known) {
            self.heads.remove(raw);
            return None;
        }
        if now_ms.duration_since(known.seen_ms.load(Ordering::Relaxed)) >= Duration::from_secs(1) {
            known.seen_ms.store(now_ms, Ordering::Relaxed);
        }
        Some(known)
    }

    fn sweep(&self, now_ms: Timestamp) {
        let swept_ms = self.swept_ms.load(Ordering::Relaxed);
        let is_due = now_ms.duration_since(swept_ms) >= SWEEP;
        let (set, load) = (Ordering::Relaxed, Ordering::Relaxed);
        if is_due && self.swept_ms.compare_exchange(swept_ms, now_ms, set, load).is_ok() {
            self.heads.retain(|_, known| now_ms.duration_since(known.seen_ms.load(Ordering::Relaxed)) < IDLE);
        }
    }
}

impl KnownRead {
    /// This read, whose key follows from these facts.
    pub(crate) fn new(
        request: ApiRequest,
        (routes, fields, search): (Arc<RouteTable>, Fact<SelectingFields>, Option<Fact<SearchVariance>>),
        now_ms: Timestamp,
    ) -> Self {
        let key = request.variant_key(&fields.value);
        Self { request, key, routes, fields, search, seen_ms: AtomicTimestamp::new(now_ms), head: RwLock::default() }
    }

    /// Whether the resource of the request is what the fact about its query says.
    pub(crate) fn is_searched(&self) -> bool {
        let resource = |search: &Fact<SearchVariance>| self.request.searched_resource(&search.value);
        self.search.as_ref().is_none_or(|search| resource(search) == self.request.resource)
    }

    /// The encoded head of the response that this entry is; `None` if it is left to the parser.
    pub(crate) fn encoded_head(&self, entry: &Entry, now_ms: Timestamp) -> Option<Arc<EncodedHead>> {
        let of_entry = |head: &&Arc<EncodedHead>| head.created == entry.created();
        if let Some(head) = self.head.read().as_ref().filter(of_entry) {
            return Some(Arc::clone(head));
        }
        let head = Arc::new(EncodedHead::new(&self.request, entry, now_ms)?);
        *self.head.write() = Some(Arc::clone(&head));
        Some(head)
    }
}

/// Whether a response with this status and so many bytes may be answered before its request is parsed.
pub(crate) fn is_answered(status: StatusCode, bytes: usize) -> bool {
    match status {
        StatusCode::OK => (1..=MAX_FAST_BODY_BYTES).contains(&bytes),
        StatusCode::NOT_MODIFIED => true,
        _ => false,
    }
}

/// Whether the head of a response is short enough to be kept encoded.
pub(crate) fn is_short(headers: &HeaderMap) -> bool {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() <= MAX_ENCODED_BYTES
}

impl EncodedHead {
    fn new(request: &ApiRequest, entry: &Entry, now_ms: Timestamp) -> Option<Self> {
        let mut stored = StoredHead::decode(entry.meta())?;
        if stored.part.is_some() || !request.is_searched(&stored) {
            return None;
        }
        let response = response::from_stored(request, &stored, entry.body(), now_ms);
        if !is_answered(response.status(), entry.body().len()) || !is_short(response.headers()) {
            return None;
        }
        let headers = response.headers();
        // What caches before this one said stands before its own word, in a line of its own.
        let lines = encode_response_head(response.status(), headers, |name| *name == AGE || *name == CONTENT_LENGTH);
        let has_date = headers.contains_key(DATE);
        let status = response.status();
        stored.headers = HeaderMap::new();
        Some(Self { created: entry.created(), stored, status, lines, has_date })
    }

    /// Appends the lines that depend on the time.
    pub(crate) fn write(&self, out: &mut Vec<u8>, length: usize, now_ms: Timestamp) {
        let now_ms = now_ms.as_millis();
        let ttl_s = self.stored.fresh_left_ms(now_ms).div_euclid(1000);
        let status = CacheStatusField::Hit { ttl_s, detail: Some(Tier::Memory.name()) };
        out.extend_from_slice(&self.lines);
        // Writing to a vector cannot fail.
        let _ = write!(out, "{AGE}: {}\r\n{CACHE_STATUS}: {status}\r\n", self.stored.age_ms(now_ms) / 1000);
        if self.status == StatusCode::OK {
            let _ = write!(out, "{CONTENT_LENGTH}: {length}\r\n");
        }
    }
}
