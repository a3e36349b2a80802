//! Reads and writes playlists on a media server for one user. Requests go through the server's queue, each write is
//! sent once, and its invalidations take effect before it counts as done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Classification;
use greenroom_dialect::credential::Credential;
use greenroom_dialect::playlists::{AccountContext, PlaylistEntry, PlaylistInfo, PlaylistPage, WriteRequest};
use greenroom_dialect::request::{RequestView, ServerKind};
use greenroom_dialect::response_facts::UnusableResponse;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};

use crate::playlists::error::PlaylistError;
use greenroom_config::account::AccountSettings;
use greenroom_origin::body::{Body, CollectedBody, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::UpstreamRequestKind;
use greenroom_origin::scheduler::QueueRequest;
use greenroom_proxy::identity::Identity;
use greenroom_proxy::invalidate;
use greenroom_proxy::invalidate::InvalidationSource;
use greenroom_proxy::server::Server;

/// Max bytes of one page.
const MAX_PAGE_BYTES: u64 = 16 * 1024 * 1024;
/// Rows of a page.
const PAGE_ROWS: u64 = 500;
/// Max rows read of a list.
const MAX_LIST_ROWS: usize = 100_000;
/// Items checked per request.
const MAX_VISIBLE_ITEMS: usize = 100;
/// Max bytes of a request target with item keys.
const MAX_VISIBLE_BYTES: usize = 1800;

/// Counters of requests to a server.
#[derive(Debug, Default)]
pub struct PlaylistRequestCounters {
    /// Read requests.
    pub reads: AtomicU64,
    /// Write requests.
    pub writes: AtomicU64,
}

/// Result of a write.
#[derive(Debug)]
pub enum PlaylistWriteResult {
    /// Done; the response body.
    Done(Bytes),
    /// Refused by the server.
    Refused(StatusCode),
    /// It was not sent.
    NotSent(PlaylistError),
    /// Sent, with an unknown result.
    Unknown,
}

/// All rows of a list.
#[derive(Debug)]
pub struct FetchedList<T> {
    /// The valid ones.
    pub rows: Vec<T>,
    /// Number of rows that could not be read.
    pub unreadable: usize,
}

/// Client of one server for one user.
#[derive(Debug)]
pub struct PlaylistClient {
    pub(super) server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    pub(super) account: AccountContext,
    counters: Arc<PlaylistRequestCounters>,
    /// Whether this is the token with which the library was read.
    is_own: bool,
    /// Whether it acts for a user whose token it does not have.
    pub(super) is_on_behalf: bool,
    /// Whether that user may change all playlists.
    pub(super) is_for_admin: bool,
}

impl PlaylistClient {
    /// A client for an account of this server; with the owner token if none is named.
    ///
    /// # Errors
    /// There is no token, or the server does not tell its user.
    pub async fn open(
        server: &Arc<Server>,
        account: Option<&str>,
        counters: Arc<PlaylistRequestCounters>,
    ) -> Result<Self, PlaylistError> {
        let account = match account {
            None => AccountSettings::default(),
            Some(name) => server.origin.settings.accounts.get(name).cloned().ok_or(PlaylistError::UnknownAccount)?,
        };
        let credential = credential_of(server, &account).ok_or(PlaylistError::NoToken)?;
        let identity = server.identify(&credential);
        let is_own = account.token.is_none() && account.user.is_none();
        let (context, is_on_behalf) = (AccountContext::default(), account.user.is_some());
        let mut client = Self {
            server: Arc::clone(server),
            credential,
            identity,
            account: context,
            counters,
            is_own,
            is_on_behalf,
            is_for_admin: false,
        };
        client.account = client.resolve_account(account.user.as_deref()).await?;
        Ok(client)
    }

    /// Whether this is the token with which the library was read: it sees all items.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// The server's dialect.
    pub fn kind(&self) -> ServerKind {
        self.server.origin.settings.kind
    }

    /// The user it acts for.
    pub fn account(&self) -> &AccountContext {
        &self.account
    }

    async fn resolve_account(&mut self, user: Option<&str>) -> Result<AccountContext, PlaylistError> {
        let kind = self.kind();
        let mut context = AccountContext::default();
        if let Some(target) = kind.machine_id_target() {
            let body = self.get(target).await?;
            context.machine = kind.machine_id(&body).ok_or(PlaylistError::Foreign)?;
        }
        if let Some(target) = kind.user_target() {
            context.user = match user {
                Some(name) => {
                    let users = self.get(kind.users_target()).await?;
                    self.is_for_admin = kind.is_admin_named(name, &users);
                    kind.user_named(name, &users).ok_or(PlaylistError::NoUser)?
                }
                None => match self.get(target).await {
                    Ok(body) => greenroom_dialect::own_user::own_user(&body).ok_or(PlaylistError::NoUser)?,
                    // An API key without a user.
                    Err(PlaylistError::Refused(400 | 403 | 404)) => return Err(PlaylistError::NoUser),
                    Err(error) => return Err(error),
                },
            };
        }
        Ok(context)
    }

    /// The playlist with this name or id, for reading.
    ///
    /// # Errors
    /// There is none, or several.
    pub async fn find_playlist(&self, name_or_id: &str) -> Result<PlaylistInfo, PlaylistError> {
        let mut matching_playlists = self.playlists().await?;
        if let Some(at) = matching_playlists.iter().position(|listed| listed.id == name_or_id) {
            return Ok(matching_playlists.swap_remove(at));
        }
        matching_playlists.retain(|listed| listed.title.trim().eq_ignore_ascii_case(name_or_id.trim()));
        match matching_playlists.len() {
            0 => Err(PlaylistError::NoPlaylist),
            1 => Ok(matching_playlists.remove(0)),
            _ => Err(PlaylistError::SeveralPlaylists),
        }
    }

    pub(super) async fn playlists(&self) -> Result<Vec<PlaylistInfo>, PlaylistError> {
        let kind = self.kind();
        let target = |start| kind.playlists_target(&self.account, start, PAGE_ROWS);
        Ok(self.fetch_all_pages(target, |body| kind.playlists(body)).await?.rows)
    }

    /// Timeout of a write.
    pub fn write_timeout(&self) -> Duration {
        self.server.origin.settings.load_timeout
    }

    /// All entries of a playlist.
    ///
    /// # Errors
    /// It cannot be read completely.
    pub async fn entries(&self, playlist: &str) -> Result<FetchedList<PlaylistEntry>, PlaylistError> {
        let kind = self.kind();
        let target = |start| kind.entries_target(&self.account, playlist, start, PAGE_ROWS);
        self.fetch_all_pages(target, |body| kind.entries(body)).await
    }

    /// Those of the items that the user can see.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn visible_items(&self, keys: &[String]) -> Result<Vec<String>, PlaylistError> {
        let kind = self.kind();
        let mut visible = Vec::new();
        let mut rest = keys;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(kind.max_add_batch(rest, MAX_VISIBLE_BYTES, MAX_VISIBLE_ITEMS));
            rest = after;
            match self.get(&kind.visible_items_target(&self.account, batch)).await {
                Ok(body) => visible.extend(kind.visible_items(&body)?),
                Err(PlaylistError::Refused(403 | 404)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(visible)
    }

    /// All pages of a list.
    async fn fetch_all_pages<T>(
        &self,
        target: impl Fn(u64) -> String,
        read: impl Fn(&[u8]) -> Result<PlaylistPage<T>, UnusableResponse>,
    ) -> Result<FetchedList<T>, PlaylistError> {
        let mut rows = Vec::new();
        let mut start = 0;
        loop {
            let page = read(&self.get(&target(start)).await?)?;
            start += page.sent;
            rows.extend(page.rows);
            let is_last = match page.total {
                Some(total) => start >= total,
                None => page.sent < PAGE_ROWS,
            };
            if page.sent == 0 && !is_last {
                // Fewer rows than the announced total: the list is incomplete.
                return Err(PlaylistError::Foreign);
            }
            if is_last {
                let unreadable = usize::try_from(start).unwrap_or(usize::MAX).saturating_sub(rows.len());
                return Ok(FetchedList { rows, unreadable });
            }
            if rows.len() > MAX_LIST_ROWS {
                return Err(PlaylistError::TooLong);
            }
        }
    }

    pub(super) async fn get(&self, target: &str) -> Result<Bytes, PlaylistError> {
        let server = &self.server;
        let request = self.request(Method::GET, target, Vec::new()).ok_or(PlaylistError::Foreign)?;
        let _place = server
            .origin
            .queue
            .acquire(QueueRequest::background(None, Class::Playlists))
            .await
            .map_err(|_| PlaylistError::Busy)?;
        if !server.origin.breaker.allows_requests() {
            return Err(PlaylistError::Down);
        }
        self.count(&self.counters.reads);
        let key = breaker::key_of(target.split('?').next().unwrap_or(target));
        let exchange = async {
            let response = server
                .origin
                .send(request, UpstreamRequestKind::Read, key)
                .await
                .map_err(|_| PlaylistError::Unreachable)?;
            let status = response.status();
            match collect(response.into_body(), MAX_PAGE_BYTES).await {
                CollectedBody::Whole(body) if status == StatusCode::OK => Ok(body),
                CollectedBody::TooLong(..) => Err(PlaylistError::TooLong),
                _ if !status.is_success() => Err(PlaylistError::Refused(status.as_u16())),
                _ => Err(PlaylistError::Unreachable),
            }
        };
        let Ok(response) = server.origin.clock.timeout(server.origin.settings.load_timeout, exchange).await else {
            server.origin.record_timeout(key);
            return Err(PlaylistError::Slow);
        };
        response
    }

    /// Sends a write, once. Its invalidations are applied and durable when this returns.
    pub async fn write(&self, write: &WriteRequest) -> PlaylistWriteResult {
        let server = &self.server;
        let Some(request) = self.request(write.method.clone(), &write.target, write.body.clone()) else {
            return PlaylistWriteResult::NotSent(PlaylistError::Foreign);
        };
        let Ok(_place) = server.origin.queue.acquire(QueueRequest::background(None, Class::Playlists)).await else {
            return PlaylistWriteResult::NotSent(PlaylistError::Busy);
        };
        if !server.origin.breaker.allows_requests() {
            return PlaylistWriteResult::NotSent(PlaylistError::Down);
        }
        self.count(&self.counters.writes);
        let key = breaker::key_of(write.target.split('?').next().unwrap_or_default());
        let sent = async {
            let response = server.origin.send(request, UpstreamRequestKind::Write, key).await?;
            let status = response.status();
            let body = collect(response.into_body(), MAX_PAGE_BYTES).await;
            Ok::<_, greenroom_origin::client::UpstreamError>((status, body))
        };
        let result = match server.origin.clock.timeout(server.origin.settings.load_timeout, sent).await {
            Ok(Ok((status, CollectedBody::Whole(body)))) if status.is_success() => PlaylistWriteResult::Done(body),
            Ok(Ok((status, _))) if status.is_client_error() => PlaylistWriteResult::Refused(status),
            Ok(Err(error)) if error.never_sent => PlaylistWriteResult::NotSent(PlaylistError::Unreachable),
            Ok(_) => PlaylistWriteResult::Unknown,
            Err(_) => {
                server.origin.record_timeout(key);
                PlaylistWriteResult::Unknown
            }
        };
        self.invalidate(write, &result);
        server.cache.flush_invalidations().await;
        result
    }

    /// Invalidates cached responses that this write changed.
    fn invalidate(&self, write: &WriteRequest, result: &PlaylistWriteResult) {
        let by = match result {
            PlaylistWriteResult::Done(_) => InvalidationSource::ConfirmedWrite(&self.identity),
            PlaylistWriteResult::Unknown => InvalidationSource::UnconfirmedWrite(&self.identity),
            PlaylistWriteResult::Refused(_) | PlaylistWriteResult::NotSent(_) => return,
        };
        let headers = HeaderMap::new();
        let view = RequestView { method: &write.method, target: &write.target, headers: &headers, body: &write.body };
        let account = self.identity.account();
        if let Classification::Write(write) = self.kind().classify(&view, account.as_deref()) {
            invalidate::apply(&self.server, &write.invalidations, by);
        }
    }

    fn count(&self, what: &AtomicU64) {
        what.fetch_add(1, Ordering::Relaxed);
        self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    }

    fn request(&self, method: Method, target: &str, body: Vec<u8>) -> Option<Request<Body>> {
        let needs_length = method != Method::GET && body.is_empty();
        let has_body = !body.is_empty();
        let uri = self.server.origin.client.uri(target).ok()?;
        let mut request = Request::builder().method(method).uri(uri).body(Bytes::from(body).into()).ok()?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else if needs_length {
            // Some servers wait for a body without it.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        for (name, value) in self.kind().credential_headers(&self.credential, true) {
            headers.insert(name, value);
        }
        Some(request)
    }
}

/// The credential of an account: its own token, or the owner's.
fn credential_of(server: &Server, account: &AccountSettings) -> Option<Credential> {
    let own = server.origin.own_credential();
    let Some(token) = account.token.clone() else { return own };
    Some(Credential { token: Some(token), ..own.unwrap_or_else(|| server.origin.bare_credential()) })
}
