//! Requests about a server's libraries: own requests with the configured token, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use greenroom_dialect::class::Class;
use greenroom_dialect::crawl::{CrawlPage, ItemContainer, LibraryInfo};
use greenroom_dialect::credential::Credential;
use greenroom_dialect::own_user::TokenOwner;
use greenroom_dialect::request::ServerKind;
use greenroom_library::item::ItemKind;
use http::header::DATE;

use greenroom_origin::own_read::OwnReadError;
use greenroom_origin::scheduler::QueueRequest;
use greenroom_proxy::identity::Identity;
use greenroom_proxy::server::Server;

/// Timeout of one page.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Max bytes of one page.
const MAX_PAGE_BYTES: u64 = 64 * 1024 * 1024;

/// A request about a library, other than for its pages.
#[derive(Debug, Clone, Copy)]
pub(super) enum LibraryRequest<'a> {
    /// Number of items of a kind: the page's total.
    Count(ItemKind),
    /// Items of a kind that were added or changed since then, by the server's clock.
    Changed { of: ItemKind, since_s: u64, start: u64, size: u64 },
    /// Several items or containers by key.
    Items(&'a [&'a str]),
    /// Children of a container.
    Branch { branch: &'a ItemContainer, start: u64, size: u64 },
}

/// A response with its timing.
#[derive(Debug)]
pub(super) struct TimedResponse<T> {
    /// The parsed response.
    pub(super) value: T,
    /// Duration of the request.
    pub(super) took: Duration,
    /// The server's time, in seconds since 1970.
    pub(super) server_s: Option<u64>,
}

/// Fetches pages of a server's libraries.
#[derive(Debug)]
pub(super) struct LibraryClient {
    shared: Arc<SharedClient>,
    requests: AtomicU64,
}

/// State shared by all libraries of a server.
#[derive(Debug)]
struct SharedClient {
    server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    has_requested_user: AtomicBool,
    /// Allows one request at a time for all libraries.
    request_lock: tokio::sync::Mutex<()>,
}

impl LibraryClient {
    /// A client for a server's libraries; `None` without a token.
    pub(super) fn new(server: &Arc<Server>) -> Option<Self> {
        let credential = server.origin.own_credential()?;
        let identity = server.identify(&credential);
        let shared_client = SharedClient {
            server: Arc::clone(server),
            credential,
            identity,
            has_requested_user: AtomicBool::new(false),
            request_lock: tokio::sync::Mutex::default(),
        };
        Some(Self { shared: Arc::new(shared_client), requests: AtomicU64::new(0) })
    }

    /// A client with the same connection and a counter of its own.
    pub(super) fn fork(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), requests: AtomicU64::new(0) }
    }

    /// Requests made so far.
    pub(super) fn request_count(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The server's libraries, as the list shows them: each with whether it is scanned, where the list tells.
    pub(super) async fn libraries(&self) -> Result<TimedResponse<Vec<LibraryInfo>>, OwnReadError> {
        let user = self.user().await;
        let response = self.get(&self.kind().libraries_target(user.as_deref()), Class::Sections).await?;
        let infos = self.kind().libraries(&response.value).map_err(|_| OwnReadError::UnusableResponse)?;
        Ok(TimedResponse { value: infos, took: response.took, server_s: response.server_s })
    }

    /// The scans of these libraries where the list of libraries does not tell of them, which takes further requests.
    ///
    /// With `is_scanned` a scan of one library is looked for too.
    pub(super) async fn scans(&self, infos: &[LibraryInfo], is_scanned: bool) -> Vec<Option<bool>> {
        let kind = self.kind();
        let mut scans: Vec<Option<bool>> = infos.iter().map(|info| Some(info.is_scanning)).collect();
        let Some(target) = kind.scan_target() else { return scans };
        let body = self.get(target, Class::Sections).await;
        let whole = known_scan(body, false, |body| kind.is_scanning(body).ok());
        let mut scanned = Some(Vec::new());
        if whole != Some(true)
            && is_scanned
            && let Some(target) = kind.scan_progress_target()
        {
            let body = self.get(target, Class::Sections).await;
            scanned = known_scan(body, Vec::new(), |body| kind.scanned_libraries(body).ok());
        }
        for (info, scan) in infos.iter().zip(&mut scans) {
            *scan = scan_of(whole, scanned.as_ref().map(|keys| keys.contains(&info.key)));
        }
        scans
    }

    /// Whether the server scans the library with this key.
    pub(super) async fn is_scanning(&self, key: &str) -> Result<bool, OwnReadError> {
        let kind = self.kind();
        let unfit = |_| OwnReadError::UnusableResponse;
        if let Some(target) = kind.scan_target() {
            let tasks = self.get(target, Class::Sections).await?;
            if kind.is_scanning(&tasks.value).map_err(unfit)? {
                return Ok(true);
            }
        }
        let target = match kind.scan_progress_target() {
            Some(target) => target.to_owned(),
            None => kind.libraries_target(None),
        };
        let libraries = self.get(&target, Class::Sections).await?;
        Ok(kind.scanned_libraries(&libraries.value).map_err(unfit)?.iter().any(|scanned| scanned == key))
    }

    /// One page of all items of a kind.
    pub(super) async fn page(
        &self,
        info: &LibraryInfo,
        kind: ItemKind,
        start: u64,
        size: u64,
    ) -> Result<TimedResponse<CrawlPage>, OwnReadError> {
        let user = self.user().await;
        let target = self.kind().page_target(info, kind, start, size, user.as_deref());
        self.read(&target, Some(kind), Some((start, size))).await
    }

    /// Sends another request about a library.
    pub(super) async fn ask(&self, info: &LibraryInfo, request: LibraryRequest<'_>) -> Result<CrawlPage, OwnReadError> {
        let (kind, user) = (self.kind(), self.user().await);
        let user = user.as_deref();
        let (target, rows, window) = match request {
            LibraryRequest::Count(of) => (kind.count_target(info, of, user), None, Some((0, 0))),
            LibraryRequest::Changed { of, since_s, start, size } => {
                (kind.changed_target(info, of, since_s, start, size, user), Some(of), Some((start, size)))
            }
            LibraryRequest::Items(keys) => (kind.items_target(keys, user), None, None),
            LibraryRequest::Branch { branch, start, size } => {
                (kind.container_target(branch, start, size, user), None, Some((start, size)))
            }
        };
        match (self.read(&target, rows, window).await, request) {
            (Ok(response), _) => Ok(response.value),
            // All of them are gone.
            (Err(OwnReadError::NotFound), LibraryRequest::Items(_) | LibraryRequest::Branch { .. }) => {
                Ok(CrawlPage::default())
            }
            (Err(error), _) => Err(error),
        }
    }

    fn kind(&self) -> ServerKind {
        self.shared.server.origin.settings.kind
    }

    /// The user whose libraries are listed, if the token is a user's.
    async fn user(&self) -> Option<String> {
        if self.kind() == ServerKind::Plex {
            return None;
        }
        if self.shared.identity.account().is_none() && !self.shared.has_requested_user.swap(true, Ordering::AcqRel) {
            match self.get("/Users/Me", Class::Users).await {
                Ok(response) => {
                    if let Some(user) = greenroom_dialect::own_user::own_user(&response.value) {
                        self.shared.server.prove_owner(&self.shared.identity, &TokenOwner::User(user));
                    }
                }
                // An API key has no user, so this request fails with it.
                Err(OwnReadError::Forbidden | OwnReadError::NotFound | OwnReadError::UnusableResponse) => {}
                Err(OwnReadError::Unavailable | OwnReadError::NoResponse) => {
                    self.shared.has_requested_user.store(false, Ordering::Release);
                }
            }
        }
        self.shared.identity.account().map(|account| account.to_string())
    }

    /// Parses large bodies off the workers that serve apps. `window` is the first requested row and the number of rows.
    async fn read(
        &self,
        target: &str,
        rows: Option<ItemKind>,
        window: Option<(u64, u64)>,
    ) -> Result<TimedResponse<CrawlPage>, OwnReadError> {
        let TimedResponse { value: body, took, server_s } = self.get(target, Class::Lists).await?;
        let kind = self.kind();
        let page = self.shared.server.origin.tasks.spawn_blocking(move || kind.page(rows, &body)).await;
        let page = page.map_err(|_| OwnReadError::UnusableResponse)?.map_err(|_| OwnReadError::UnusableResponse)?;
        let page = match window {
            Some((start, size)) => page.with_window(start, size).map_err(|_| OwnReadError::UnusableResponse)?,
            None => page,
        };
        Ok(TimedResponse { value: page, took, server_s })
    }

    async fn get(&self, target: &str, class: Class) -> Result<TimedResponse<Bytes>, OwnReadError> {
        let _permit = self.shared.request_lock.lock().await;
        if !self.shared.server.origin.breaker.allows_requests() {
            return Err(OwnReadError::Unavailable);
        }
        let permit = self
            .shared
            .server
            .origin
            .queue
            .acquire(QueueRequest::background(None, class))
            .await
            .map_err(|_| OwnReadError::Unavailable)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.shared.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let started_us = self.shared.server.origin.clock.now_us();
        let result = self.shared.server.origin.clock.timeout(TIMEOUT, self.exchange(target)).await;
        drop(permit);
        let (body, server_s) = result.map_err(|_| OwnReadError::NoResponse)??;
        let took = self.shared.server.origin.clock.since(started_us);
        Ok(TimedResponse { value: body, took, server_s })
    }

    async fn exchange(&self, target: &str) -> Result<(Bytes, Option<u64>), OwnReadError> {
        let (headers, body) =
            self.shared.server.origin.read_own(target, &self.shared.credential, MAX_PAGE_BYTES).await?;
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let server_s = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        Ok((body, server_s.map(|since| since.as_secs())))
    }
}

/// Reads a response about scans; `none` if the token may not read it or the server has no such list, and `None` if it is
/// unknown.
fn known_scan<T>(
    response: Result<TimedResponse<Bytes>, OwnReadError>,
    none: T,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    match response {
        Ok(response) => read(&response.value),
        Err(OwnReadError::Forbidden | OwnReadError::NotFound) => Some(none),
        Err(OwnReadError::Unavailable | OwnReadError::NoResponse | OwnReadError::UnusableResponse) => None,
    }
}

/// Whether a library is scanned, from a scan of the whole server and one of the library; `None` if that is unknown.
fn scan_of(server: Option<bool>, library: Option<bool>) -> Option<bool> {
    match (server, library) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        (None, _) | (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respond(result: Result<&'static [u8], OwnReadError>) -> Option<bool> {
        let response = |body| TimedResponse { value: Bytes::from_static(body), took: Duration::ZERO, server_s: None };
        known_scan(result.map(response), false, |body| (body == b"scan").then_some(true))
    }

    #[test]
    fn an_unanswered_poll_does_not_say_that_nothing_is_scanned() {
        for error in [OwnReadError::Unavailable, OwnReadError::NoResponse, OwnReadError::UnusableResponse] {
            assert_eq!(respond(Err(error)), None, "{error:?}");
        }
        assert_eq!(respond(Ok(b"<html>")), None, "it cannot be read");
        assert_eq!(respond(Ok(b"scan")), Some(true));
        assert_eq!(respond(Err(OwnReadError::Forbidden)), Some(false), "it will never be told");
    }

    #[test]
    fn a_scan_that_only_one_list_may_tell_of_is_unknown_while_the_other_is() {
        for (server, library, scan) in [
            (Some(true), None, Some(true)),
            (None, Some(true), Some(true)),
            (Some(false), Some(false), Some(false)),
            (Some(false), None, None),
            (None, Some(false), None),
            (None, None, None),
        ] {
            assert_eq!(scan_of(server, library), scan, "{server:?} {library:?}");
        }
    }
}
