//! Which libraries a server has: looked at when it answers, when its events say so, and every few minutes while clients
//! come. Each that is found gets a task that keeps it, and what events say is handed to the one it is about.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::crawl::{Contents, Hint, Shelf};

use super::store::{About, Store};
use super::{Failure, Generation, Libraries, Library, LibraryId};
use crate::index::client::Source;
use crate::index::scheduler::Keeper;
use greenroom_origin::own_read::NoAnswer;
use greenroom_proxy::change_feed::News;
use greenroom_proxy::server::Server;

/// How often it is looked while clients come.
const EVERY: Duration = Duration::from_secs(300);
/// Without a client for so long it is not looked.
const IDLE: Duration = Duration::from_secs(600);
/// First and longest pause after the server did not say which libraries it has.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// A library is gone when the server did not show it twice, so far apart: one that starts shows none for a while.
const MISSING_MS: u64 = 120_000;
/// While one is missing it is looked again after so long.
const AGAIN: Duration = Duration::from_secs(125);
/// Items of one library that are named at a time; beyond, it is compared as a whole.
const MAX_NAMED: usize = 20_000;

/// Keeps the libraries of a server until the process ends. Without a token there is nothing to keep.
pub async fn keep(server: Arc<Server>, libraries: Arc<Libraries>) {
    let Some(source) = Source::of(&server) else { return };
    let stop = server.origin.stop.clone();
    server.change_feed.tidings.attend();
    let mut discovery =
        Discovery { server, libraries, source, missing: HashMap::new(), ended: BTreeSet::new() };
    tokio::select! {
        () = stop.cancelled() => {}
        () = discovery.run() => {}
    }
}

struct Discovery {
    server: Arc<Server>,
    libraries: Arc<Libraries>,
    source: Source,
    /// Since when a library is not shown any more, in milliseconds.
    missing: HashMap<LibraryId, u64>,
    /// Keys of libraries that are gone. What is on disk of them goes if the next look does not show them either.
    ended: BTreeSet<String>,
}

impl Discovery {
    async fn run(&mut self) {
        self.load().await;
        let server = Arc::clone(&self.server);
        let mut pause = RETRY.0;
        loop {
            server.origin.breaker.there().await;
            match self.look().await {
                Ok(()) => {
                    pause = RETRY.0;
                    if self.missing.is_empty() && self.ended.is_empty() {
                        self.attend(EVERY, true).await;
                    } else {
                        self.attend(AGAIN, false).await;
                    }
                }
                Err(none) => {
                    pause = if none == NoAnswer::Refused { RETRY.1 } else { (pause * 2).min(RETRY.1) };
                    self.attend(pause, false).await;
                }
            }
        }
    }

    /// What an earlier process kept is used at once, and said to be unconfirmed.
    async fn load(&mut self) {
        let Some(store) = self.store() else { return };
        let now_ms = self.server.origin.clock.now_ms();
        let off = self.turned_off();
        let work = move || {
            store.sweep(now_ms);
            store.load(now_ms, |key| off.contains(key))
        };
        let Ok((loaded, damaged)) = self.server.origin.tasks.spawn_blocking(work).await else { return };
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
                if let Some(snapshot) = snapshot.filter(|_| !is_off) {
                    *library.generation.write() =
                        Some(Arc::new(Generation { number, taken_at_ms, snapshot }));
                }
                is_off
            };
            if !is_off {
                self.admit(&library);
            }
            library.turn(|_| {});
            self.start(library);
        }
    }

    /// Keys of libraries that somebody turned off.
    fn turned_off(&self) -> BTreeSet<String> {
        let said = self.libraries.said.lock();
        let off = said.iter().filter(|(id, is_on)| !**is_on && id.server == self.server.name());
        off.map(|(id, _)| id.key.clone()).collect()
    }

    /// What an earlier process kept is used if there is room for it.
    fn admit(&self, library: &Arc<Library>) {
        let (used, limit) = (self.libraries.used_bytes(), self.libraries.memory_limit_bytes);
        if used <= limit {
            tracing::info!(library = %library.id, "the index of an earlier run is used until the server confirms it");
            return;
        }
        *library.generation.write() = None;
        let failure = Failure::too_large(used, limit);
        tracing::warn!(library = %library.id, reason = failure.word(), "{failure}; the index of an earlier run is not used");
        library.facts.lock().failure = Some((failure, self.server.origin.clock.now_ms()));
    }

    /// Looks which libraries there are.
    async fn look(&mut self) -> Result<(), NoAnswer> {
        let shelves = self.source.shelves().await?.of;
        let now_ms = self.server.origin.clock.now_ms();
        let is_settled = !shelves.iter().any(|shelf| shelf.is_scanning)
            && super::publish::is_settled(&self.server, now_ms);
        self.tidy(&shelves).await;
        self.miss(&shelves, is_settled, now_ms);
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
        self.libraries.note_listed(self.server.name());
        Ok(())
    }

    /// Ends libraries that are not shown, if that was so for long and the server has settled.
    fn miss(&mut self, shelves: &[Shelf], is_settled: bool, now_ms: u64) {
        for library in &self.of_server() {
            if shelves.iter().any(|shelf| shelf.key == library.id.key) {
                self.missing.remove(&library.id);
                continue;
            }
            let since_ms = *self.missing.entry(library.id.clone()).or_insert(now_ms);
            if is_settled && now_ms.saturating_sub(since_ms) >= MISSING_MS {
                self.end(library);
            }
        }
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
        self.server.origin.tasks.spawn(keeper.keep());
    }

    /// The server has no such library any more.
    fn end(&mut self, library: &Arc<Library>) {
        tracing::info!(library = %library.id, "the server has no such library any more");
        self.missing.remove(&library.id);
        self.libraries.forget(&library.id);
        library.give_up(&mut library.facts.lock());
        library.bell.notify_one();
        self.ended.insert(library.id.key.clone());
        self.libraries.warn(&self.server);
    }

    /// Takes out what is on disk of libraries that were gone at the last look, and still are.
    async fn tidy(&mut self, shelves: &[Shelf]) {
        let mut gone = std::mem::take(&mut self.ended);
        gone.retain(|key| shelves.iter().all(|shelf| shelf.key != *key));
        if let Some(store) = self.store().filter(|_| !gone.is_empty()) {
            let work = move || gone.iter().for_each(|key| store.remove(key));
            drop(self.server.origin.tasks.spawn_blocking(work).await);
        }
    }

    fn store(&self) -> Option<Store> {
        let data_dir = self.libraries.data_dir.as_deref()?;
        Some(Store::of(data_dir, &self.server.own_partition()?, self.server.name()))
    }

    /// Hands on what events say until it is time to look again: if `needs_client`, once a client comes.
    async fn attend(&mut self, rest: Duration, needs_client: bool) {
        let server = Arc::clone(&self.server);
        let mut due = std::pin::pin!(server.origin.clock.sleep(rest));
        loop {
            tokio::select! {
                news = server.change_feed.tidings.take() => {
                    if self.hand_on(news) {
                        return;
                    }
                }
                () = due.as_mut() => {
                    if !needs_client || self.is_client_there() {
                        return;
                    }
                    due.set(server.origin.clock.sleep(EVERY));
                }
                () = server.origin.breaker.down() => return,
            }
        }
    }

    fn is_client_there(&self) -> bool {
        let last_ms = self.server.counters.last_asked_ms.load(Ordering::Relaxed);
        let idle_ms = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
        self.server.origin.clock.now_ms().saturating_sub(last_ms) <= idle_ms
    }

    /// Hands each hint to the library it is about. Returns whether it is to be looked which libraries there are.
    fn hand_on(&self, news: News) -> bool {
        let now_ms = self.server.origin.clock.now_ms();
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
        if facts.failure.take_if(|(failure, _)| *failure == Failure::Gone).is_some() {
            // It is there again: whatever waits for a person or the schedule need not.
            (facts.build_at_ms, facts.follow_at_ms, facts.attempts) = (0, 0, 0);
            facts.is_confirmed = false;
        }
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

#[cfg(test)]
impl Discovery {
    fn of(server: &Arc<Server>, libraries: &Arc<Libraries>) -> Self {
        let (server, libraries) = (Arc::clone(server), Arc::clone(libraries));
        let source = Source::of(&server).expect("it has a token");
        Self { server, libraries, source, missing: HashMap::new(), ended: BTreeSet::new() }
    }
}

fn contents_of(about: &About) -> Contents {
    let every = [Contents::Music, Contents::Films, Contents::Shows];
    every.into_iter().find(|contents| contents.word() == about.contents).unwrap_or(Contents::Other)
}

#[cfg(test)]
mod tests {
    use greenroom_library::snapshot::SnapshotBuilder;

    use super::super::tests::{known, server, shelf};
    use super::*;

    const BEGAN_MS: u64 = 1_000_000;

    #[tokio::test]
    async fn a_library_is_gone_after_two_minutes_on_a_settled_server_and_its_file_at_the_next_look() {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, libraries) = (server(), Arc::new(Libraries::open(folder.path(), u64::MAX)));
        let library = known(&libraries, &server, "3");
        let mut discovery = Discovery::of(&server, &libraries);
        let store = discovery.store().expect("there is a folder");
        let about = About { server: "home".into(), key: "3".into(), ..About::default() };
        store.save(&about, &SnapshotBuilder::default().build()).expect("it can be saved");
        let files = |store: &Store| store.load(u64::MAX, |_| false).0.len();
        for (later_ms, is_settled, is_there) in [
            (0, true, true),
            (1, true, true),
            (119_999, true, true),
            (120_000, false, true),
            (120_001, true, false),
        ] {
            discovery.miss(&[], is_settled, BEGAN_MS + later_ms);
            assert_eq!(
                libraries.find(&library.id).is_some(),
                is_there,
                "{later_ms} ms, settled: {is_settled}"
            );
        }
        assert_eq!(files(&store), 1, "it may come back");
        discovery.tidy(&[shelf("3")]).await;
        assert_eq!(files(&store), 1, "it did");
        known(&libraries, &server, "3");
        discovery.miss(&[], true, BEGAN_MS);
        discovery.miss(&[shelf("3")], true, BEGAN_MS + 60_000);
        discovery.miss(&[], true, BEGAN_MS + 130_000);
        assert!(libraries.find(&library.id).is_some(), "it was shown in between");
        discovery.miss(&[], true, BEGAN_MS + 250_000);
        discovery.tidy(&[]).await;
        assert_eq!(files(&store), 0);
    }

    #[test]
    fn what_is_shown_again_is_not_gone() {
        let library = known(&Libraries::default(), &server(), "3");
        library.facts.lock().failure = Some((Failure::Gone, 1));
        library.facts.lock().build_at_ms = u64::MAX;
        library.see(shelf("3"));
        assert_eq!((library.failure(), library.facts.lock().build_at_ms), (None, 0));
        library.facts.lock().failure = Some((Failure::Refused, 1));
        library.see(shelf("3"));
        assert_eq!(library.failure(), Some((Failure::Refused, 1)));
    }
}
