//! Which libraries a server has: looked at when it answers, when its events say so, and every few minutes while clients
//! come. Each that is found gets a task that keeps it, and what events say is handed to the one it is about.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_upstream::crawl::{Contents, Hint, Shelf};

use super::keeper::Keeper;
use super::source::{Source, Trouble};
use super::store::{About, Store};
use super::tidings::News;
use super::{Generation, Libraries, Library, LibraryId};
use crate::server::Server;

/// How often it is looked while clients come.
const EVERY: Duration = Duration::from_secs(300);
/// Without a client for so long it is not looked.
const IDLE: Duration = Duration::from_secs(600);
/// First and longest pause after the server did not say which libraries it has.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// A library that the server does not show is gone when it was not shown so often in a row.
const MISSING: u32 = 2;
/// Items of one library that are named at a time; beyond, it is compared as a whole.
const MAX_NAMED: usize = 20_000;

/// Keeps the libraries of a server until the process ends. Without a token there is nothing to keep.
pub async fn keep(server: Arc<Server>, libraries: Arc<Libraries>) {
    let Some(source) = Source::of(&server) else { return };
    let stop = server.stop.clone();
    server.tidings.attend();
    let mut discovery = Discovery { server, libraries, source, missing: HashMap::new() };
    tokio::select! {
        () = stop.cancelled() => {}
        () = discovery.run() => {}
    }
}

struct Discovery {
    server: Arc<Server>,
    libraries: Arc<Libraries>,
    source: Source,
    /// How often in a row a library was not shown.
    missing: HashMap<LibraryId, u32>,
}

impl Discovery {
    async fn run(&mut self) {
        self.load().await;
        let server = Arc::clone(&self.server);
        let mut pause = RETRY.0;
        loop {
            server.breaker.back().await;
            match self.look().await {
                Ok(()) => {
                    pause = RETRY.0;
                    self.attend(EVERY, true).await;
                }
                Err(trouble) => {
                    pause = if trouble == Trouble::Refused { RETRY.1 } else { (pause * 2).min(RETRY.1) };
                    self.attend(pause, false).await;
                }
            }
        }
    }

    /// What an earlier process kept is used at once, and said to be unconfirmed.
    async fn load(&mut self) {
        let (Some(data_dir), Some(own)) = (&self.libraries.data_dir, self.server.own_partition()) else {
            return;
        };
        let store = Store::of(data_dir, &own, self.server.name());
        let now_ms = self.server.clock.now_ms();
        let work = move || {
            store.sweep(now_ms);
            store.load()
        };
        let Ok((loaded, damaged)) = self.server.tasks.spawn_blocking(work).await else { return };
        for path in damaged {
            tracing::warn!(file = %path.display(), "the index kept here is damaged; it is set aside and built anew");
        }
        for (about, snapshot) in loaded {
            let shelf = Shelf {
                key: about.key.clone(),
                title: about.title.clone(),
                contents: contents_of(&about),
                stamp: about.stamp.clone(),
                is_scanning: false,
            };
            let library = self.begin(&about.id(), shelf);
            let is_off = {
                let mut facts = library.facts.lock();
                let (number, taken_at_ms) = (about.number, about.taken_at_ms);
                facts.cost.build_requests = about.build_requests;
                facts.cost.build_ms = about.build_ms;
                facts.about = about;
                let is_off = !library.is_on(&facts);
                if !is_off {
                    *library.generation.write() =
                        Some(Arc::new(Generation { number, taken_at_ms, snapshot }));
                }
                is_off
            };
            if !is_off {
                tracing::info!(library = %library.id, "the index of an earlier run is used until the server confirms it");
            }
            library.turn(|_| {});
            self.start(library);
        }
    }

    /// Looks which libraries there are.
    async fn look(&mut self) -> Result<(), Trouble> {
        let shelves = self.source.shelves().await?.of;
        let of_server: Vec<Arc<Library>> = self.of_server();
        for library in &of_server {
            if shelves.iter().any(|shelf| shelf.key == library.id.key) {
                self.missing.remove(&library.id);
                continue;
            }
            let times = self.missing.entry(library.id.clone()).or_default();
            *times += 1;
            if *times >= MISSING {
                self.end(library).await;
            }
        }
        let now_ms = self.server.clock.now_ms();
        for shelf in shelves.into_iter().filter(|shelf| shelf.contents != Contents::Other) {
            let id = LibraryId { server: self.server.name().to_owned(), key: shelf.key.clone() };
            if let Some(library) = self.libraries.find(&id) {
                let has_moved = library.see(shelf);
                if has_moved {
                    library.wishes.lock().news.moved(now_ms);
                }
                library.bell.notify_one();
            } else {
                let library = self.begin(&id, shelf);
                self.start(library);
            }
        }
        Ok(())
    }

    fn of_server(&self) -> Vec<Arc<Library>> {
        let mut all = self.libraries.all();
        all.retain(|library| library.id.server == self.server.name());
        all
    }

    fn begin(&self, id: &LibraryId, shelf: Shelf) -> Arc<Library> {
        let library = Library::new(id.clone(), &shelf.title, Arc::clone(&self.server));
        {
            let mut facts = library.facts.lock();
            facts.choice = self.libraries.said.lock().get(id).copied();
            facts.shelf = Some(shelf);
        }
        let library = Arc::new(library);
        self.libraries.add(Arc::clone(&library));
        library
    }

    fn start(&self, library: Arc<Library>) {
        let libraries = Arc::clone(&self.libraries);
        let keeper = Keeper { library, libraries, source: self.source.another() };
        self.server.tasks.spawn(keeper.keep());
    }

    /// The server has no such library any more.
    async fn end(&mut self, library: &Arc<Library>) {
        tracing::info!(library = %library.id, "the server has no such library any more");
        self.missing.remove(&library.id);
        self.libraries.forget(&library.id);
        library.cancel();
        library.bell.notify_one();
        if let (Some(data_dir), Some(own)) = (&self.libraries.data_dir, self.server.own_partition()) {
            let store = Store::of(data_dir, &own, self.server.name());
            let key = library.id.key.clone();
            drop(self.server.tasks.spawn_blocking(move || store.remove(&key)).await);
        }
    }

    /// Hands on what events say until it is time to look again: if `needs_client`, once a client comes.
    async fn attend(&mut self, rest: Duration, needs_client: bool) {
        let server = Arc::clone(&self.server);
        let mut due = std::pin::pin!(server.clock.sleep(rest));
        loop {
            tokio::select! {
                news = server.tidings.take() => {
                    if self.hand_on(news) {
                        return;
                    }
                }
                () = due.as_mut() => {
                    if !needs_client || self.is_client_there() {
                        return;
                    }
                    due.set(server.clock.sleep(EVERY));
                }
                () = server.breaker.down() => return,
            }
        }
    }

    fn is_client_there(&self) -> bool {
        let last_ms = self.server.counters.last_asked_ms.load(Ordering::Relaxed);
        let idle_ms = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
        self.server.clock.now_ms().saturating_sub(last_ms) <= idle_ms
    }

    /// Hands each hint to the library it is about. Returns whether it is to be looked which libraries there are.
    fn hand_on(&self, news: News) -> bool {
        let now_ms = self.server.clock.now_ms();
        let all = self.of_server();
        let mut looks = news.was_deaf;
        if news.was_deaf || news.has_overflowed {
            for library in &all {
                library.wishes.lock().news.moved(now_ms);
                if news.has_overflowed {
                    library.doubt(now_ms);
                }
            }
        }
        for hint in news.hints {
            let about = |key: &Option<String>| {
                let key = key.clone();
                all.iter().filter(move |library| key.as_ref().is_none_or(|key| *key == library.id.key))
            };
            match hint {
                Hint::Changed { shelf: Some(shelf), key } => {
                    about(&Some(shelf)).for_each(|library| library.hear(Some(&key), None, now_ms));
                }
                Hint::Changed { shelf: None, key } => {
                    let knows = |library: &&Arc<Library>| {
                        library.generation().is_some_and(|held| held.snapshot.row_of(&key).is_some())
                    };
                    match all.iter().find(knows) {
                        Some(library) => library.hear(Some(&key), None, now_ms),
                        // Whose it is, what changed since tells.
                        None => all.iter().for_each(|library| library.hear(None, None, now_ms)),
                    }
                }
                Hint::Removed { shelf, key } => {
                    about(&shelf).for_each(|library| library.hear(None, Some(&key), now_ms));
                }
                Hint::ShelfChanged { shelf } => {
                    looks |= !all.iter().any(|library| library.id.key == shelf);
                    about(&Some(shelf)).for_each(|library| library.hear(None, None, now_ms));
                }
                Hint::ScanEnded { shelf } => {
                    looks |= shelf.is_none();
                    about(&shelf).for_each(|library| library.hear(None, None, now_ms));
                }
                Hint::AnythingChanged => {
                    looks = true;
                    for library in &all {
                        library.hear(None, None, now_ms);
                    }
                }
            }
        }
        for library in &all {
            library.bell.notify_one();
        }
        looks
    }
}

impl Library {
    /// The server shows it like this. Returns whether its content moved.
    fn see(&self, shelf: Shelf) -> bool {
        shelf.title.clone_into(&mut self.title.lock());
        let mut facts = self.facts.lock();
        let has_moved = shelf.stamp.is_none() || facts.about.stamp != shelf.stamp;
        facts.shelf = Some(shelf);
        has_moved && self.generation.read().is_some()
    }

    /// An event names something that came or changed, or is gone; or says that something is different.
    fn hear(&self, changed: Option<&str>, removed: Option<&str>, now_ms: u64) {
        let mut wishes = self.wishes.lock();
        let news = &mut wishes.news;
        match (changed, removed) {
            // The last word counts: a key may be given to another thing.
            (Some(key), _) => {
                news.removed.remove(key);
                news.changed.insert(key.to_owned());
            }
            (None, Some(key)) => {
                news.changed.remove(key);
                news.removed.insert(key.to_owned());
            }
            (None, None) => news.has_moved = true,
        }
        news.note(now_ms);
        if news.changed.len() + news.removed.len() > MAX_NAMED {
            *news = super::News::default();
            news.moved(now_ms);
            drop(wishes);
            self.doubt(now_ms);
        }
    }

    /// More changed than can be told.
    fn doubt(&self, now_ms: u64) {
        self.facts.lock().doubted_at_ms.get_or_insert(now_ms);
    }
}

impl super::News {
    fn moved(&mut self, now_ms: u64) {
        self.has_moved = true;
        self.note(now_ms);
    }
}

fn contents_of(about: &About) -> Contents {
    let every = [Contents::Music, Contents::Films, Contents::Shows];
    every.into_iter().find(|contents| contents.word() == about.contents).unwrap_or(Contents::Other)
}
