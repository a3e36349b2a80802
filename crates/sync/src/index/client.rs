//! Asking a server about its libraries: as our own work, with the configured token, one request at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use greenroom_dialect::ask::Kind;
use greenroom_dialect::class::Class;
use greenroom_dialect::crawl::{Branch, Page, Shelf};
use greenroom_dialect::credential::Credential;
use greenroom_library::item::ItemKind;
use http::header::DATE;

use greenroom_origin::own_read::NoAnswer;
use greenroom_origin::scheduler::Errand;
use greenroom_proxy::identity::Identity;
use greenroom_proxy::server::Server;

/// How long the server may take for one page.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest page that is read.
const MAX_PAGE_BYTES: u64 = 64 * 1024 * 1024;

/// What is asked of a library beside its pages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'a> {
    /// How many items of a kind there are: the page's total.
    Count(ItemKind),
    /// What of a kind came or changed since then, by the server's clock.
    Changed { of: ItemKind, since_s: u64, start: u64, size: u64 },
    /// Several items, and what holds items.
    Items(&'a [&'a str]),
    /// What lies in something that holds items.
    Branch { branch: &'a Branch, start: u64, size: u64 },
}

/// What was asked for, and what came with it.
#[derive(Debug)]
pub(super) struct Answer<T> {
    /// What was asked for.
    pub(super) of: T,
    /// How long it took.
    pub(super) took: Duration,
    /// What time it is on the server, in seconds since 1970.
    pub(super) server_s: Option<u64>,
}

/// Where the pages of a server's libraries come from.
#[derive(Debug)]
pub(super) struct Source {
    way: Arc<Way>,
    asked: AtomicU64,
}

/// What all libraries of a server share.
#[derive(Debug)]
struct Way {
    server: Arc<Server>,
    credential: Credential,
    identity: Arc<Identity>,
    has_asked_who: AtomicBool,
    /// One request at a time, whichever library it is for.
    turn: tokio::sync::Mutex<()>,
}

impl Source {
    /// The way to the libraries of a server; `None` without a token.
    pub(super) fn of(server: &Arc<Server>) -> Option<Self> {
        let credential = server.origin.own_credential()?;
        let identity = server.identify(&credential);
        let way = Way {
            server: Arc::clone(server),
            credential,
            identity,
            has_asked_who: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
        };
        Some(Self { way: Arc::new(way), asked: AtomicU64::new(0) })
    }

    /// The same way, counted apart.
    pub(super) fn another(&self) -> Self {
        Self { way: Arc::clone(&self.way), asked: AtomicU64::new(0) }
    }

    /// Requests made so far.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The libraries there are.
    pub(super) async fn shelves(&self) -> Result<Answer<Vec<Shelf>>, NoAnswer> {
        let user = self.user().await;
        let answer = self.get(&self.kind().shelves_target(user.as_deref()), Class::Sections).await?;
        let mut shelves = self.kind().shelves(&answer.of).map_err(|_| NoAnswer::Unfit)?;
        if let Some(target) = self.kind().scan_target()
            && let Ok(said) = self.get(target, Class::Sections).await
            && self.kind().is_scanning(&said.of) == Ok(true)
        {
            for shelf in &mut shelves {
                shelf.is_scanning = true;
            }
        }
        Ok(Answer { of: shelves, took: answer.took, server_s: answer.server_s })
    }

    /// A window of all items of a kind.
    pub(super) async fn page(
        &self,
        shelf: &Shelf,
        kind: ItemKind,
        start: u64,
        size: u64,
    ) -> Result<Answer<Page>, NoAnswer> {
        let user = self.user().await;
        let target = self.kind().page_target(shelf, kind, start, size, user.as_deref());
        self.read(&target, Some(kind), Some((start, size))).await
    }

    /// What else is asked of a library.
    pub(super) async fn ask(&self, shelf: &Shelf, question: Question<'_>) -> Result<Page, NoAnswer> {
        let (kind, user) = (self.kind(), self.user().await);
        let user = user.as_deref();
        let (target, rows, window) = match question {
            Question::Count(of) => (kind.count_target(shelf, of, user), None, Some((0, 0))),
            Question::Changed { of, since_s, start, size } => {
                (kind.changed_target(shelf, of, since_s, start, size, user), Some(of), Some((start, size)))
            }
            Question::Items(keys) => (kind.items_target(keys, user), None, None),
            Question::Branch { branch, start, size } => {
                (kind.branch_target(branch, start, size, user), None, Some((start, size)))
            }
        };
        match (self.read(&target, rows, window).await, question) {
            (Ok(answer), _) => Ok(answer.of),
            // All of them are gone.
            (Err(NoAnswer::Missing), Question::Items(_) | Question::Branch { .. }) => Ok(Page::default()),
            (Err(trouble), _) => Err(trouble),
        }
    }

    fn kind(&self) -> Kind {
        self.way.server.origin.settings.kind
    }

    /// Whose libraries they are, where the token is a user's.
    async fn user(&self) -> Option<String> {
        if self.kind() == Kind::Plex {
            return None;
        }
        if self.way.identity.account().is_none() && !self.way.has_asked_who.swap(true, Ordering::AcqRel) {
            match self.get("/Users/Me", Class::Users).await {
                Ok(answer) => {
                    if let Some(user) = greenroom_dialect::own_user::own_user(&answer.of) {
                        self.way.identity.prove_account(&user);
                    }
                }
                // A key that belongs to nobody is told that nobody is asking.
                Err(NoAnswer::Refused | NoAnswer::Missing | NoAnswer::Unfit) => {}
                Err(NoAnswer::Away | NoAnswer::Silent) => {
                    self.way.has_asked_who.store(false, Ordering::Release);
                }
            }
        }
        self.way.identity.account().map(|account| account.to_string())
    }

    /// Large bodies are taken apart beside the workers that answer apps. `window` is the first row that was asked for, and
    /// how many.
    async fn read(
        &self,
        target: &str,
        rows: Option<ItemKind>,
        window: Option<(u64, u64)>,
    ) -> Result<Answer<Page>, NoAnswer> {
        let Answer { of: body, took, server_s } = self.get(target, Class::Lists).await?;
        let kind = self.kind();
        let page = self.way.server.origin.tasks.spawn_blocking(move || kind.page(rows, &body)).await;
        let page = page.map_err(|_| NoAnswer::Unfit)?.map_err(|_| NoAnswer::Unfit)?;
        let page = match window {
            Some((start, size)) => page.windowed(start, size).map_err(|_| NoAnswer::Unfit)?,
            None => page,
        };
        Ok(Answer { of: page, took, server_s })
    }

    async fn get(&self, target: &str, class: Class) -> Result<Answer<Bytes>, NoAnswer> {
        let _turn = self.way.turn.lock().await;
        if !self.way.server.origin.breaker.admits() {
            return Err(NoAnswer::Away);
        }
        let place =
            self.way.server.origin.queue.place(Errand::own(None, class)).await.map_err(|_| NoAnswer::Away)?;
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.way.server.origin.counters.own.fetch_add(1, Ordering::Relaxed);
        let began_us = self.way.server.origin.clock.now_us();
        let answered = self.way.server.origin.clock.timeout(PATIENCE, self.exchange(target)).await;
        drop(place);
        let (body, server_s) = answered.map_err(|_| NoAnswer::Silent)??;
        let took = self.way.server.origin.clock.since(began_us);
        Ok(Answer { of: body, took, server_s })
    }

    async fn exchange(&self, target: &str) -> Result<(Bytes, Option<u64>), NoAnswer> {
        let (headers, body) =
            self.way.server.origin.read_own(target, &self.way.credential, MAX_PAGE_BYTES).await?;
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let server_s = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        Ok((body, server_s.map(|since| since.as_secs())))
    }
}
