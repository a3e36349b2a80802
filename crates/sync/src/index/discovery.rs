//! Polls the list of a server's libraries: when the server comes up, when its events require it, and every few minutes
//! while clients are active. Each library found gets a worker task, and events are dispatched to the library they are
//! about.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::crawl::{ChangeHint, LibraryContents, LibraryInfo};

use super::store::{SnapshotMetadata, SnapshotStore};
use super::{Generation, IndexError, Libraries, Library, LibraryId};
use crate::index::client::LibraryClient;
use crate::index::scheduler::LibraryWorker;
use greenroom_origin::own_read::OwnReadError;
use greenroom_proxy::change_feed::LibraryChanges;
use greenroom_proxy::server::Server;

/// Poll interval while clients are active.
const EVERY: Duration = Duration::from_secs(300);
/// Polling stops after this time without a client.
const IDLE: Duration = Duration::from_secs(600);
/// First and longest pause after a failed poll.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// A library counts as removed if two polls this far apart do not list it: a starting server lists none for a while.
const MISSING_MS: u64 = 120_000;
/// Poll interval while one is missing.
const AGAIN: Duration = Duration::from_secs(125);
/// Max items of one library named at a time; beyond, the library is compared in full.
const MAX_NAMED: usize = 20_000;

/// Runs the workers of a server's libraries until the process ends. Returns at once without a token.
pub async fn run(server: Arc<Server>, libraries: Arc<Libraries>) {
    let Some(source) = LibraryClient::new(&server) else { return };
    let stop = server.origin.stop.clone();
    server.change_feed.pending.set_has_consumer();
    let mut discovery = LibraryDiscovery { server, libraries, source, missing: HashMap::new(), ended: BTreeSet::new() };
    tokio::select! {
        () = stop.cancelled() => {}
        () = discovery.run() => {}
    }
}

struct LibraryDiscovery {
    server: Arc<Server>,
    libraries: Arc<Libraries>,
    source: LibraryClient,
    /// Since when a library is no longer listed, in milliseconds.
    missing: HashMap<LibraryId, u64>,
    /// Keys of removed libraries. Their files are deleted if the next poll does not list them either.
    ended: BTreeSet<String>,
}

impl LibraryDiscovery {
    async fn run(&mut self) {
        self.load().await;
        let server = Arc::clone(&self.server);
        let mut pause = RETRY.0;
        loop {
            server.origin.breaker.wait_available().await;
            match self.poll_libraries().await {
                Ok(()) => {
                    pause = RETRY.0;
                    if self.missing.is_empty() && self.ended.is_empty() {
                        self.dispatch_events(EVERY, true).await;
                    } else {
                        self.dispatch_events(AGAIN, false).await;
                    }
                }
                Err(none) => {
                    pause = if none == OwnReadError::Forbidden { RETRY.1 } else { (pause * 2).min(RETRY.1) };
                    self.dispatch_events(pause, false).await;
                }
            }
        }
    }

    /// Publishes snapshots of an earlier process at once, as unconfirmed.
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
            let shelf = LibraryInfo {
                key: about.key.clone(),
                title: about.title.clone(),
                contents: contents_from_metadata(&about),
                stamp: about.stamp.clone(),
                is_scanning: false,
            };
            let library = self.begin(&about.id(), shelf);
            let is_off = {
                let mut facts = library.status.lock();
                let (number, taken_at_ms) = (about.number, about.taken_at_ms);
                facts.cost.build_requests = about.build_requests;
                facts.cost.build_ms = about.build_ms;
                facts.metadata = about;
                let is_off = !library.is_on(&facts);
                if let Some(snapshot) = snapshot.filter(|_| !is_off) {
                    *library.generation.write() = Some(Arc::new(Generation { number, taken_at_ms, snapshot }));
                }
                is_off
            };
            if !is_off {
                self.admit(&library);
            }
            library.update_progress(|_| {});
            self.start(library);
        }
    }

    /// Keys of libraries the user turned off.
    fn turned_off(&self) -> BTreeSet<String> {
        let said = self.libraries.enabled_overrides.lock();
        let off = said.iter().filter(|(id, is_on)| !**is_on && id.server == self.server.name());
        off.map(|(id, _)| id.key.clone()).collect()
    }

    /// Drops the snapshot of an earlier process if there is no memory for it.
    fn admit(&self, library: &Arc<Library>) {
        let (used, limit) = (self.libraries.used_bytes(), self.libraries.memory_limit_bytes);
        if used <= limit {
            tracing::info!(library = %library.id, "the index of an earlier run is used until the server confirms it");
            return;
        }
        *library.generation.write() = None;
        let failure = IndexError::too_large(used, limit);
        tracing::warn!(library = %library.id, reason = failure.name(), "{failure}; the index of an earlier run is not used");
        library.status.lock().failure = Some((failure, self.server.origin.clock.now_ms()));
    }

    /// Polls the list of libraries.
    async fn poll_libraries(&mut self) -> Result<(), OwnReadError> {
        let shelves = self.source.libraries().await?.value;
        let now_ms = self.server.origin.clock.now_ms();
        let is_settled =
            !shelves.iter().any(|shelf| shelf.is_scanning) && super::publish::is_stable(&self.server, now_ms);
        self.remove_stored(&shelves).await;
        self.mark_missing(&shelves, is_settled, now_ms);
        for shelf in shelves.into_iter().filter(|shelf| shelf.contents != LibraryContents::Other) {
            let id = LibraryId { server: self.server.name().to_owned(), key: shelf.key.clone() };
            if let Some(library) = self.libraries.find(&id) {
                let has_moved = library.update_from_server(shelf);
                if has_moved {
                    library.pending.lock().changes.moved(now_ms);
                }
                library.wake.notify_one();
            } else {
                let library = self.begin(&id, shelf);
                self.start(library);
            }
        }
        self.libraries.mark_listed(self.server.name());
        Ok(())
    }

    /// Ends libraries that were missing for long, if the server has settled.
    fn mark_missing(&mut self, shelves: &[LibraryInfo], is_settled: bool, now_ms: u64) {
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

    fn begin(&self, id: &LibraryId, shelf: LibraryInfo) -> Arc<Library> {
        let library = Library::new(id.clone(), &shelf.title, Arc::clone(&self.server));
        {
            let mut facts = library.status.lock();
            facts.enabled_override = self.libraries.enabled_overrides.lock().get(id).copied();
            facts.info = Some(shelf);
        }
        let library = Arc::new(library);
        self.libraries.add(Arc::clone(&library));
        library
    }

    fn start(&self, library: Arc<Library>) {
        let libraries = Arc::clone(&self.libraries);
        let keeper = LibraryWorker { library, libraries, source: self.source.fork() };
        self.server.origin.tasks.spawn(keeper.run_until_removed());
    }

    /// Ends a library that the server no longer has.
    fn end(&mut self, library: &Arc<Library>) {
        tracing::info!(library = %library.id, "the server has no such library any more");
        self.missing.remove(&library.id);
        self.libraries.forget(&library.id);
        library.cancel_all(&mut library.status.lock());
        library.wake.notify_one();
        self.ended.insert(library.id.key.clone());
        self.libraries.warn(&self.server);
    }

    /// Deletes files of libraries that were gone at the last poll and still are.
    async fn remove_stored(&mut self, shelves: &[LibraryInfo]) {
        let mut gone = std::mem::take(&mut self.ended);
        gone.retain(|key| shelves.iter().all(|shelf| shelf.key != *key));
        if let Some(store) = self.store().filter(|_| !gone.is_empty()) {
            let work = move || gone.iter().for_each(|key| store.remove(key));
            drop(self.server.origin.tasks.spawn_blocking(work).await);
        }
    }

    fn store(&self) -> Option<SnapshotStore> {
        let data_dir = self.libraries.data_dir.as_deref()?;
        Some(SnapshotStore::new(data_dir, &self.server.own_partition()?, self.server.name()))
    }

    /// Dispatches events until the next poll is due; with `needs_client`, not before a client is active.
    async fn dispatch_events(&mut self, rest: Duration, needs_client: bool) {
        let server = Arc::clone(&self.server);
        let mut due = std::pin::pin!(server.origin.clock.sleep(rest));
        loop {
            tokio::select! {
                news = server.change_feed.pending.recv() => {
                    if self.dispatch_changes(news) {
                        return;
                    }
                }
                () = due.as_mut() => {
                    if !needs_client || self.is_client_there() {
                        return;
                    }
                    due.set(server.origin.clock.sleep(EVERY));
                }
                () = server.origin.breaker.wait_down() => return,
            }
        }
    }

    fn is_client_there(&self) -> bool {
        let last_ms = self.server.counters.last_request_ms.load(Ordering::Relaxed);
        let idle_ms = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
        self.server.origin.clock.now_ms().saturating_sub(last_ms) <= idle_ms
    }

    /// Dispatches each hint to its library. Returns whether to poll the list of libraries.
    fn dispatch_changes(&self, news: LibraryChanges) -> bool {
        let now_ms = self.server.origin.clock.now_ms();
        let all = self.of_server();
        let mut looks = news.has_gap;
        if news.has_gap || news.has_overflowed {
            for library in &all {
                library.pending.lock().changes.moved(now_ms);
                if news.has_overflowed {
                    library.request_compare(now_ms);
                }
            }
        }
        for hint in news.hints {
            let about = |key: &Option<String>| {
                let key = key.clone();
                all.iter().filter(move |library| key.as_ref().is_none_or(|key| *key == library.id.key))
            };
            match hint {
                ChangeHint::Changed { shelf: Some(shelf), key } => {
                    about(&Some(shelf)).for_each(|library| library.record_change(Some(&key), None, now_ms));
                }
                ChangeHint::Changed { shelf: None, key } => {
                    let knows = |library: &&Arc<Library>| {
                        library.generation().is_some_and(|held| held.snapshot.row_of(&key).is_some())
                    };
                    match all.iter().find(knows) {
                        Some(library) => library.record_change(Some(&key), None, now_ms),
                        // The library is unknown; an incremental round of each finds it.
                        None => all.iter().for_each(|library| library.record_change(None, None, now_ms)),
                    }
                }
                ChangeHint::Removed { shelf, key } => {
                    about(&shelf).for_each(|library| library.record_change(None, Some(&key), now_ms));
                }
                ChangeHint::LibraryChanged { shelf } => {
                    looks |= !all.iter().any(|library| library.id.key == shelf);
                    about(&Some(shelf)).for_each(|library| library.record_change(None, None, now_ms));
                }
                ChangeHint::ScanEnded { shelf } => {
                    looks |= shelf.is_none();
                    about(&shelf).for_each(|library| library.record_change(None, None, now_ms));
                }
                ChangeHint::AnythingChanged => {
                    looks = true;
                    for library in &all {
                        library.record_change(None, None, now_ms);
                    }
                }
            }
        }
        for library in &all {
            library.wake.notify_one();
        }
        looks
    }
}

impl Library {
    /// Takes over the listing of the server. Returns whether its content changed.
    fn update_from_server(&self, shelf: LibraryInfo) -> bool {
        shelf.title.clone_into(&mut self.title.lock());
        let mut facts = self.status.lock();
        let has_moved = shelf.stamp.is_none() || facts.metadata.stamp != shelf.stamp;
        facts.info = Some(shelf);
        if facts.failure.take_if(|(failure, _)| *failure == IndexError::Gone).is_some() {
            // The library is back: nothing has to wait for a person or the schedule.
            (facts.build_at_ms, facts.follow_at_ms, facts.attempts) = (0, 0, 0);
            facts.is_confirmed = false;
        }
        has_moved && self.generation.read().is_some()
    }

    /// Records an event that names an added, changed or removed item, or only says that something changed.
    fn record_change(&self, changed: Option<&str>, removed: Option<&str>, now_ms: u64) {
        let mut wishes = self.pending.lock();
        let news = &mut wishes.changes;
        match (changed, removed) {
            // The last event counts: a key may be reused for another item.
            (Some(key), _) => {
                news.removed.remove(key);
                news.changed.insert(key.to_owned());
            }
            (None, Some(key)) => {
                news.changed.remove(key);
                news.removed.insert(key.to_owned());
            }
            (None, None) => news.has_unnamed_changes = true,
        }
        news.mark_changed(now_ms);
        if news.changed.len() + news.removed.len() > MAX_NAMED {
            *news = super::ItemChanges::default();
            news.moved(now_ms);
            drop(wishes);
            self.request_compare(now_ms);
        }
    }

    /// Requests a full comparison because too many items changed.
    fn request_compare(&self, now_ms: u64) {
        self.status.lock().compare_at_ms.get_or_insert(now_ms);
    }
}

impl super::ItemChanges {
    fn moved(&mut self, now_ms: u64) {
        self.has_unnamed_changes = true;
        self.mark_changed(now_ms);
    }
}

#[cfg(test)]
impl LibraryDiscovery {
    fn new(server: &Arc<Server>, libraries: &Arc<Libraries>) -> Self {
        let (server, libraries) = (Arc::clone(server), Arc::clone(libraries));
        let source = LibraryClient::new(&server).expect("it has a token");
        Self { server, libraries, source, missing: HashMap::new(), ended: BTreeSet::new() }
    }
}

fn contents_from_metadata(about: &SnapshotMetadata) -> LibraryContents {
    let every = [LibraryContents::Music, LibraryContents::Films, LibraryContents::Shows];
    every.into_iter().find(|contents| contents.name() == about.contents).unwrap_or(LibraryContents::Other)
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
        let mut discovery = LibraryDiscovery::new(&server, &libraries);
        let store = discovery.store().expect("there is a folder");
        let about = SnapshotMetadata { server: "home".into(), key: "3".into(), ..SnapshotMetadata::default() };
        store.save(&about, &SnapshotBuilder::default().build()).expect("it can be saved");
        let files = |store: &SnapshotStore| store.load(u64::MAX, |_| false).0.len();
        for (later_ms, is_settled, is_there) in
            [(0, true, true), (1, true, true), (119_999, true, true), (120_000, false, true), (120_001, true, false)]
        {
            discovery.mark_missing(&[], is_settled, BEGAN_MS + later_ms);
            assert_eq!(libraries.find(&library.id).is_some(), is_there, "{later_ms} ms, settled: {is_settled}");
        }
        assert_eq!(files(&store), 1, "it may come back");
        discovery.remove_stored(&[shelf("3")]).await;
        assert_eq!(files(&store), 1, "it did");
        known(&libraries, &server, "3");
        discovery.mark_missing(&[], true, BEGAN_MS);
        discovery.mark_missing(&[shelf("3")], true, BEGAN_MS + 60_000);
        discovery.mark_missing(&[], true, BEGAN_MS + 130_000);
        assert!(libraries.find(&library.id).is_some(), "it was shown in between");
        discovery.mark_missing(&[], true, BEGAN_MS + 250_000);
        discovery.remove_stored(&[]).await;
        assert_eq!(files(&store), 0);
    }

    #[test]
    fn what_is_shown_again_is_not_gone() {
        let library = known(&Libraries::default(), &server(), "3");
        library.status.lock().failure = Some((IndexError::Gone, 1));
        library.status.lock().build_at_ms = u64::MAX;
        library.update_from_server(shelf("3"));
        assert_eq!((library.failure(), library.status.lock().build_at_ms), (None, 0));
        library.status.lock().failure = Some((IndexError::Refused, 1));
        library.update_from_server(shelf("3"));
        assert_eq!(library.failure(), Some((IndexError::Refused, 1)));
    }
}
