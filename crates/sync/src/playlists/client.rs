//! Asking a media server about playlists, and writing them, on behalf of one account: through the server's queue, each
//! write once, and what it makes stale is stale before it counts as done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use greenroom_dialect::ask::{Ask, Kind};
use greenroom_dialect::class::Class;
use greenroom_dialect::credential::Credential;
use greenroom_dialect::facts::Unfit;
use greenroom_dialect::playlists::{Entry, Holder, Listed, Order, Page};
use greenroom_dialect::verdict::Verdict;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};

use crate::playlists::error::Trouble;
use greenroom_config::account::Account;
use greenroom_origin::body::{Body, Collected, collect};
use greenroom_origin::breaker;
use greenroom_origin::client::Lane;
use greenroom_origin::scheduler::Errand;
use greenroom_proxy::identity::Identity;
use greenroom_proxy::invalidate;
use greenroom_proxy::invalidate::By;
use greenroom_proxy::server::Server;

/// Longest page of a list.
const MAX_PAGE_BYTES: u64 = 16 * 1024 * 1024;
/// Rows of a page.
const PAGE_ROWS: u64 = 500;
/// Rows of a list that are read at the most.
const MAX_LIST_ROWS: usize = 100_000;
/// Items that are asked for at once.
const SEEN_AT_ONCE: usize = 100;
/// Bytes of a target that names items.
const SEEN_BYTES: usize = 1800;

/// What was asked of a server.
#[derive(Debug, Default)]
pub struct Tally {
    /// Reads.
    pub reads: AtomicU64,
    /// Writes.
    pub writes: AtomicU64,
}

/// What came of a write.
#[derive(Debug)]
pub enum Wrote {
    /// It was done; the body of the answer.
    Done(Bytes),
    /// The server says no.
    Refused(StatusCode),
    /// It was not sent.
    NotSent(Trouble),
    /// Nobody knows whether it was done.
    Unknown,
}

/// Speaks with one server on behalf of one account.
#[derive(Debug)]
pub struct Courier {
    pub(super) server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    pub(super) holder: Holder,
    tally: Arc<Tally>,
    /// Whether this is the token the library was read with.
    is_own: bool,
    /// Whether it speaks for a user whose token it does not have.
    pub(super) is_on_behalf: bool,
    /// Whether that user may change everybody's playlists.
    pub(super) is_for_admin: bool,
}

impl Courier {
    /// Speaks for an account of this server; for the owner's token if none is named.
    ///
    /// # Errors
    /// If there is no token, or the server does not say whose it is.
    pub async fn open(
        server: &Arc<Server>,
        account: Option<&str>,
        tally: Arc<Tally>,
    ) -> Result<Self, Trouble> {
        let account = match account {
            None => Account::default(),
            Some(name) => {
                server.origin.settings.accounts.get(name).cloned().ok_or(Trouble::UnknownAccount)?
            }
        };
        let credential = credential_of(server, &account).ok_or(Trouble::NoToken)?;
        let identity = server.identify(&credential);
        let is_own = account.token.is_none() && account.user.is_none();
        let (holder, is_on_behalf) = (Holder::default(), account.user.is_some());
        let mut courier = Self {
            server: Arc::clone(server),
            credential,
            identity,
            holder,
            tally,
            is_own,
            is_on_behalf,
            is_for_admin: false,
        };
        courier.holder = courier.introduce(account.user.as_deref()).await?;
        Ok(courier)
    }

    /// Whether this is the token the library was read with: it sees all that is in it.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// The dialect.
    pub fn kind(&self) -> Kind {
        self.server.origin.settings.kind
    }

    /// On whose behalf.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    async fn introduce(&mut self, user: Option<&str>) -> Result<Holder, Trouble> {
        let kind = self.kind();
        let mut holder = Holder::default();
        if let Some(target) = kind.machine_target() {
            let body = self.get(target).await?;
            holder.machine = kind.machine(&body).ok_or(Trouble::Foreign)?;
        }
        if let Some(target) = kind.user_target() {
            holder.user = match user {
                Some(name) => {
                    let users = self.get(kind.users_target()).await?;
                    self.is_for_admin = kind.is_admin_named(name, &users);
                    kind.user_named(name, &users).ok_or(Trouble::NoUser)?
                }
                None => match self.get(target).await {
                    Ok(body) => greenroom_dialect::own_user::own_user(&body).ok_or(Trouble::NoUser)?,
                    // A key that is nobody's.
                    Err(Trouble::Refused(400 | 403 | 404)) => return Err(Trouble::NoUser),
                    Err(trouble) => return Err(trouble),
                },
            };
        }
        Ok(holder)
    }

    /// The playlist that is meant by a name or an id, to be read.
    ///
    /// # Errors
    /// If there is none, or several.
    pub async fn playlist_meant(&self, word: &str) -> Result<Listed, Trouble> {
        let mut meant = self.playlists().await?;
        if let Some(at) = meant.iter().position(|listed| listed.id == word) {
            return Ok(meant.swap_remove(at));
        }
        meant.retain(|listed| listed.title.trim().eq_ignore_ascii_case(word.trim()));
        match meant.len() {
            0 => Err(Trouble::NoPlaylist),
            1 => Ok(meant.remove(0)),
            _ => Err(Trouble::SeveralPlaylists),
        }
    }

    pub(super) async fn playlists(&self) -> Result<Vec<Listed>, Trouble> {
        let kind = self.kind();
        let target = |start| kind.playlists_target(&self.holder, start, PAGE_ROWS);
        self.all(target, |body| kind.playlists(body)).await
    }

    /// How long a write is waited for, and may take.
    pub fn patience(&self) -> Duration {
        self.server.origin.settings.load_timeout
    }

    /// All that is in a playlist.
    ///
    /// # Errors
    /// If it cannot be had whole.
    pub async fn entries(&self, playlist: &str) -> Result<Vec<Entry>, Trouble> {
        let kind = self.kind();
        let target = |start| kind.entries_target(&self.holder, playlist, start, PAGE_ROWS);
        self.all(target, |body| kind.entries(body)).await
    }

    /// Which of these items there are for this account.
    ///
    /// # Errors
    /// If the server does not say.
    pub async fn seen(&self, keys: &[String]) -> Result<Vec<String>, Trouble> {
        let kind = self.kind();
        let mut seen = Vec::new();
        let mut rest = keys;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(kind.fitting(rest, SEEN_BYTES, SEEN_AT_ONCE));
            rest = after;
            match self.get(&kind.seen_target(&self.holder, batch)).await {
                Ok(body) => seen.extend(kind.seen(&body)?),
                Err(Trouble::Refused(403 | 404)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(seen)
    }

    /// A list with all its pages.
    async fn all<T>(
        &self,
        target: impl Fn(u64) -> String,
        read: impl Fn(&[u8]) -> Result<Page<T>, Unfit>,
    ) -> Result<Vec<T>, Trouble> {
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
                // It promised more than it has: not all of it is known.
                return Err(Trouble::Foreign);
            }
            if is_last {
                return Ok(rows);
            }
            if rows.len() > MAX_LIST_ROWS {
                return Err(Trouble::TooLong);
            }
        }
    }

    pub(super) async fn get(&self, target: &str) -> Result<Bytes, Trouble> {
        let server = &self.server;
        let request = self.request(Method::GET, target, Vec::new()).ok_or(Trouble::Foreign)?;
        let _place = server
            .origin
            .queue
            .place(Errand::own(None, Class::Playlists))
            .await
            .map_err(|_| Trouble::Busy)?;
        if !server.origin.breaker.admits() {
            return Err(Trouble::Down);
        }
        self.count(&self.tally.reads);
        let key = breaker::key_of(target.split('?').next().unwrap_or(target));
        let asked = async {
            let response =
                server.origin.send(request, Lane::Read, key).await.map_err(|_| Trouble::Unreachable)?;
            let status = response.status();
            match collect(response.into_body(), MAX_PAGE_BYTES).await {
                Collected::Whole(body) if status == StatusCode::OK => Ok(body),
                Collected::TooLong(..) => Err(Trouble::TooLong),
                _ if !status.is_success() => Err(Trouble::Refused(status.as_u16())),
                _ => Err(Trouble::Unreachable),
            }
        };
        let Ok(answer) = server.origin.clock.timeout(server.origin.settings.load_timeout, asked).await else {
            server.origin.note_silence(key);
            return Err(Trouble::Slow);
        };
        answer
    }

    /// Writes, once. What that makes stale is stale, and durably so, when this returns.
    pub async fn write(&self, order: &Order) -> Wrote {
        let server = &self.server;
        let Some(request) = self.request(order.method.clone(), &order.target, order.body.clone()) else {
            return Wrote::NotSent(Trouble::Foreign);
        };
        let Ok(_place) = server.origin.queue.place(Errand::own(None, Class::Playlists)).await else {
            return Wrote::NotSent(Trouble::Busy);
        };
        if !server.origin.breaker.admits() {
            return Wrote::NotSent(Trouble::Down);
        }
        self.count(&self.tally.writes);
        let key = breaker::key_of(order.target.split('?').next().unwrap_or_default());
        let sent = async {
            let response = server.origin.send(request, Lane::Write, key).await?;
            let status = response.status();
            let body = collect(response.into_body(), MAX_PAGE_BYTES).await;
            Ok::<_, greenroom_origin::client::NoResponse>((status, body))
        };
        let wrote = match server.origin.clock.timeout(server.origin.settings.load_timeout, sent).await {
            Ok(Ok((status, Collected::Whole(body)))) if status.is_success() => Wrote::Done(body),
            Ok(Ok((status, _))) if status.is_client_error() => Wrote::Refused(status),
            Ok(Err(none)) if none.never_sent => Wrote::NotSent(Trouble::Unreachable),
            Ok(_) => Wrote::Unknown,
            Err(_) => {
                server.origin.note_silence(key);
                Wrote::Unknown
            }
        };
        self.mark(order, &wrote);
        server.cache.settled().await;
        wrote
    }

    /// What is kept and was changed by this is not served any more.
    fn mark(&self, order: &Order, wrote: &Wrote) {
        let by = match wrote {
            Wrote::Done(_) => By::Confirmed(&self.identity),
            Wrote::Unknown => By::Unknown(&self.identity),
            Wrote::Refused(_) | Wrote::NotSent(_) => return,
        };
        let headers = HeaderMap::new();
        let ask = Ask { method: &order.method, target: &order.target, headers: &headers, body: &order.body };
        let account = self.identity.account();
        if let Verdict::Write(write) = self.kind().classify(&ask, account.as_deref()) {
            invalidate::apply(&self.server, &write.stale, by);
        }
    }

    fn count(&self, what: &AtomicU64) {
        what.fetch_add(1, Ordering::Relaxed);
        self.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
    }

    fn request(&self, method: Method, target: &str, body: Vec<u8>) -> Option<Request<Body>> {
        let says_length = method != Method::GET && body.is_empty();
        let has_body = !body.is_empty();
        let uri = self.server.origin.client.uri(target).ok()?;
        let mut request = Request::builder().method(method).uri(uri).body(Bytes::from(body).into()).ok()?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else if says_length {
            // Some servers wait for a body otherwise.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        for (name, value) in self.kind().credential_headers(&self.credential, true) {
            headers.insert(name, value);
        }
        Some(request)
    }
}

/// What is shown for an account: its own token, or the owner's.
fn credential_of(server: &Server, account: &Account) -> Option<Credential> {
    let own = server.origin.own_credential();
    let Some(token) = account.token.clone() else { return own };
    Some(Credential { token: Some(token), ..own.unwrap_or_else(|| server.origin.bare_credential()) })
}
