//! Polls the list of a server's libraries: when the server comes up, when its events require it, and every few minutes
//! while clients are active. Each library found gets a worker task, and events are dispatched to the library they are
//! about.

use greenroom_cache::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use greenroom_dialect::crawl::{ChangeHint, LibraryContents, LibraryInfo};

use super::store::{SnapshotMetadata, SnapshotStore};
use super::{Generation, IndexError, Libraries, Library, LibraryId};
use crate::index::client::LibraryClient;
use crate::index::scan_state::ScanState;
use crate::index::scheduler::LibraryWorker;
use greenroom_origin::own_read::OwnReadError;
use greenroom_proxy::feed::LibraryChanges;
use greenroom_proxy::server::Server;

/// Poll interval while clients are active.
const POLL_INTERVAL: Duration = Duration::from_secs(300);
/// Poll interval while a library is scanned, and least time between two polls because of reports that one is.
const SCAN_POLL_INTERVAL: Duration = Duration::from_secs(10);
/// Polling stops after this time without a client.
const IDLE_AFTER: Duration = Duration::from_secs(600);
/// First and longest pause after a failed poll.
const RETRY_DELAY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// A library counts as removed if two polls this far apart do not list it: a starting server lists none for a while.
const REMOVE_AFTER: Duration = Duration::from_secs(120);
/// Poll interval while one is missing.
const RECHECK_INTERVAL: Duration = Duration::from_secs(125);

/// Runs the workers of a server's libraries until the process ends. Returns at once without a token.
pub async fn run(server: Arc<Server>, libraries: Arc<Libraries>) {
    let Some(source) = LibraryClient::new(&server) else { return };
    let stop = server.origin.stop.clone();
    server.feed.pending.set_has_consumer();
    server.listing_watch.set_has_consumer();
    let mut discovery = LibraryDiscovery {
        server,
        libraries,
        source,
        missing: HashMap::new(),
        ended: BTreeSet::new(),
        scan_polled_ms: Timestamp::UNIX_EPOCH,
        suspects_scan: false,
    };
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
    missing: HashMap<LibraryId, Timestamp>,
    /// Keys of removed libraries. Their files are deleted if the next poll does not list them either.
    ended: BTreeSet<String>,
    /// Time of the last poll because the server reported a scan, in milliseconds.
    scan_polled_ms: Timestamp,
    /// The server reported a scan since the last poll.
    suspects_scan: bool,
}

impl LibraryDiscovery {
    async fn run(&mut self) {
        self.load().await;
        let server = Arc::clone(&self.server);
        let mut pause = RETRY_DELAY.0;
        loop {
            server.origin.breaker.wait_available().await;
            match self.poll_libraries().await {
                Ok(()) => {
                    pause = RETRY_DELAY.0;
                    if self.is_scanned() {
                        self.dispatch_events(SCAN_POLL_INTERVAL, false).await;
                    } else if self.missing.is_empty() && self.ended.is_empty() {
                        self.dispatch_events(POLL_INTERVAL, true).await;
                    } else {
                        self.dispatch_events(RECHECK_INTERVAL, false).await;
                    }
                }
                Err(error) => {
                    pause =
                        if error == OwnReadError::Forbidden { RETRY_DELAY.1 } else { (pause * 2).min(RETRY_DELAY.1) };
                    self.dispatch_events(pause, false).await;
                }
            }
        }
    }

    /// Publishes snapshots of an earlier process at once, as unconfirmed.
    async fn load(&mut self) {
        let Some(store) = self.store() else { return };
        let now_ms = self.server.origin.clock.now();
        let off = self.turned_off();
        let work = move || {
            store.sweep(now_ms);
            store.load(now_ms, |key| off.contains(key))
        };
        let Ok((loaded, damaged)) = self.server.origin.tasks.spawn_blocking(work).await else { return };
        for path in damaged {
            tracing::warn!(file = %path.display(), "a stored library index is damaged: it is set aside and built again");
        }
        for (metadata, snapshot) in loaded {
            let info = LibraryInfo {
                key: metadata.key.clone(),
                title: metadata.title.clone(),
                contents: contents_from_metadata(&metadata),
                stamp: metadata.stamp.clone(),
                is_scanning: false,
            };
            let library = self.begin(&metadata.id(), info);
            let is_off = {
                let mut status = library.status.lock();
                let (number, taken_at_ms) = (metadata.number, metadata.taken_at_ms);
                status.cost.build_requests = metadata.build_requests;
                status.cost.build_ms = metadata.build_ms;
                status.metadata = metadata;
                let is_off = !library.is_on(&status);
                if let Some(snapshot) = snapshot.filter(|_| !is_off) {
                    *library.generation.write() = Some(Arc::new(Generation {
                        number,
                        taken_at_ms: Timestamp::from_millis(taken_at_ms),
                        snapshot,
                    }));
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
        let overrides = self.libraries.enabled_overrides.lock();
        let off = overrides.iter().filter(|(id, is_on)| !**is_on && id.server == self.server.name());
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
        library.status.lock().failure = Some((failure, self.server.origin.clock.now().as_millis()));
    }

    /// Polls the list of libraries.
    async fn poll_libraries(&mut self) -> Result<(), OwnReadError> {
        let is_suspected = self.is_scanned() || self.suspects_scan;
        let mut infos = self.source.libraries().await?.value;
        let scans = self.source.scans(&infos, is_suspected).await;
        self.suspects_scan = false;
        self.merge_scans(&mut infos, &scans);
        let now_ms = self.server.origin.clock.now();
        let is_stable_server =
            !infos.iter().any(|info| info.is_scanning) && super::publish::is_stable(&self.server, now_ms);
        self.remove_stored(&infos).await;
        self.mark_missing(&infos, is_stable_server, now_ms);
        for info in infos.into_iter().filter(|info| info.contents != LibraryContents::Other) {
            let id = LibraryId { server: self.server.name().to_owned(), key: info.key.clone() };
            if let Some(library) = self.libraries.find(&id) {
                library.report_scan(info.is_scanning);
                let has_changed = library.update_from_server(info);
                if has_changed {
                    library.pending.lock().changes.moved(now_ms);
                }
                library.wake.notify_one();
            } else {
                let library = self.begin(&id, info);
                self.start(library);
            }
        }
        self.libraries.mark_listed(self.server.name());
        Ok(())
    }

    /// Takes over the scans; of an unknown one holds what was known before.
    fn merge_scans(&self, infos: &mut [LibraryInfo], scans: &[Option<bool>]) {
        for (info, scan) in infos.iter_mut().zip(scans) {
            info.is_scanning = scan.unwrap_or_else(|| {
                let id = LibraryId { server: self.server.name().to_owned(), key: info.key.clone() };
                self.libraries.find(&id).is_some_and(|library| library.is_scanned())
            });
        }
    }

    /// Whether the server scans any of its libraries, as far as known.
    fn is_scanned(&self) -> bool {
        self.of_server().iter().any(|library| library.is_scanned())
    }

    /// Ends libraries that were missing for long, if the server has settled.
    fn mark_missing(&mut self, infos: &[LibraryInfo], is_stable_server: bool, now_ms: Timestamp) {
        for library in &self.of_server() {
            if infos.iter().any(|info| info.key == library.id.key) {
                self.missing.remove(&library.id);
                continue;
            }
            let since_ms = *self.missing.entry(library.id.clone()).or_insert(now_ms);
            if is_stable_server && now_ms.duration_since(since_ms) >= REMOVE_AFTER {
                self.end(library);
            }
        }
    }

    fn of_server(&self) -> Vec<Arc<Library>> {
        let mut all = self.libraries.all();
        all.retain(|library| library.id.server == self.server.name());
        all
    }

    fn begin(&self, id: &LibraryId, info: LibraryInfo) -> Arc<Library> {
        let library = Library::new(id.clone(), &info.title, Arc::clone(&self.server));
        {
            let mut status = library.status.lock();
            status.enabled_override = self.libraries.enabled_overrides.lock().get(id).copied();
            status.scan = ScanState::Idle.reported(info.is_scanning);
            status.info = Some(info);
        }
        let library = Arc::new(library);
        self.libraries.add(Arc::clone(&library));
        library
    }

    fn start(&self, library: Arc<Library>) {
        let libraries = Arc::clone(&self.libraries);
        let worker = LibraryWorker { library, libraries, source: self.source.fork() };
        self.server.origin.tasks.spawn(worker.run_until_removed());
    }

    /// Ends a library that the server no longer has.
    fn end(&mut self, library: &Arc<Library>) {
        tracing::info!(library = %library.id, "the library was removed from the server");
        self.missing.remove(&library.id);
        self.libraries.forget(&library.id);
        {
            let mut status = library.status.lock();
            library.cancel_all(&mut status);
            status.scan = ScanState::Idle;
        }
        // Wakes callers that wait for the end of a build or scan.
        library.update_progress(|_| {});
        library.wake.notify_one();
        self.ended.insert(library.id.key.clone());
        self.libraries.warn(&self.server);
    }

    /// Deletes files of libraries that were gone at the last poll and still are.
    async fn remove_stored(&mut self, infos: &[LibraryInfo]) {
        let mut gone = std::mem::take(&mut self.ended);
        gone.retain(|key| infos.iter().all(|info| info.key != *key));
        if let Some(store) = self.store().filter(|_| !gone.is_empty()) {
            let work = move || gone.iter().for_each(|key| store.remove(key));
            let _ = self.server.origin.tasks.spawn_blocking(work).await; // What remains is swept later.
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
                changes = server.feed.pending.recv() => {
                    if self.dispatch_changes(changes) {
                        return;
                    }
                }
                listings = server.listing_watch.recv() => {
                    for library in self.of_server() {
                        for listing in &listings {
                            library.record_scan(listing);
                        }
                    }
                }
                () = due.as_mut() => {
                    if !needs_client || self.is_client_there() {
                        return;
                    }
                    due.set(server.origin.clock.sleep(POLL_INTERVAL));
                }
                () = server.origin.breaker.wait_down() => return,
            }
        }
    }

    fn is_client_there(&self) -> bool {
        let last_ms = self.server.counters.last_request_ms.load(Ordering::Relaxed);
        self.server.origin.clock.now().duration_since(last_ms) <= IDLE_AFTER
    }

    /// Dispatches each hint to its library. Returns whether to poll the list of libraries.
    fn dispatch_changes(&mut self, changes: LibraryChanges) -> bool {
        let now_ms = self.server.origin.clock.now();
        let all = self.of_server();
        let mut must_poll = changes.has_gap;
        if changes.has_gap || changes.has_overflowed {
            for library in &all {
                library.pending.lock().changes.moved(now_ms);
                if changes.has_overflowed {
                    library.request_compare(now_ms);
                }
            }
        }
        for hint in changes.hints {
            let affected = |key: &Option<String>| {
                let key = key.clone();
                all.iter().filter(move |library| key.as_ref().is_none_or(|key| *key == library.id.key))
            };
            match hint {
                ChangeHint::Changed { shelf: Some(library_key), key } => {
                    affected(&Some(library_key)).for_each(|library| library.record_change(Some(&key), None, now_ms));
                }
                ChangeHint::Changed { shelf: None, key } => {
                    let knows = |library: &&Arc<Library>| {
                        library.generation().is_some_and(|current| current.snapshot.row_of(&key).is_some())
                    };
                    match all.iter().find(knows) {
                        Some(library) => library.record_change(Some(&key), None, now_ms),
                        // The library is unknown; an incremental round of each finds it.
                        None => all.iter().for_each(|library| library.record_change(None, None, now_ms)),
                    }
                }
                ChangeHint::Removed { shelf: library_key, key } => {
                    affected(&library_key).for_each(|library| library.record_change(None, Some(&key), now_ms));
                }
                ChangeHint::LibraryChanged { shelf: library_key } => {
                    must_poll |= !all.iter().any(|library| library.id.key == library_key);
                    affected(&Some(library_key)).for_each(|library| library.record_change(None, None, now_ms));
                }
                ChangeHint::ScanStarted { shelf: library_key } => {
                    let is_due = now_ms.duration_since(self.scan_polled_ms) >= SCAN_POLL_INTERVAL;
                    if is_due && !self.is_scanned() && affected(&library_key).next().is_some() {
                        // The poll finds out whether it is so.
                        (self.suspects_scan, self.scan_polled_ms) = (true, now_ms);
                        must_poll = true;
                    }
                }
                ChangeHint::ScanEnded { shelf: library_key } => {
                    must_poll |= self.is_scanned();
                    must_poll |= library_key.is_none();
                    affected(&library_key).for_each(|library| library.record_change(None, None, now_ms));
                }
                ChangeHint::AnythingChanged => {
                    must_poll = true;
                    for library in &all {
                        library.record_change(None, None, now_ms);
                    }
                }
            }
        }
        for library in &all {
            library.wake.notify_one();
        }
        must_poll
    }
}

#[cfg(test)]
impl LibraryDiscovery {
    fn new(server: &Arc<Server>, libraries: &Arc<Libraries>) -> Self {
        let (server, libraries) = (Arc::clone(server), Arc::clone(libraries));
        let source = LibraryClient::new(&server).expect("the server has a token");
        Self {
            server,
            libraries,
            source,
            missing: HashMap::new(),
            ended: BTreeSet::new(),
            scan_polled_ms: Timestamp::UNIX_EPOCH,
            suspects_scan: false,
        }
    }
}

fn contents_from_metadata(metadata: &SnapshotMetadata) -> LibraryContents {
    let every = [LibraryContents::Music, LibraryContents::Films, LibraryContents::Shows];
    every.into_iter().find(|contents| contents.name() == metadata.contents).unwrap_or(LibraryContents::Other)
}

#[cfg(test)]
mod tests {
    use greenroom_library::snapshot::SnapshotBuilder;

    use super::super::tests::{info, known, server};
    use super::*;

    const BEGAN: Timestamp = Timestamp::from_millis(1_000_000);

    #[tokio::test]
    async fn a_library_is_removed_after_two_minutes_on_a_stable_server_and_its_file_at_the_next_poll() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let (server, libraries) = (server(), Arc::new(Libraries::open(folder.path(), u64::MAX)));
        let library = known(&libraries, &server, "3");
        let mut discovery = LibraryDiscovery::new(&server, &libraries);
        let store = discovery.store().expect("a data directory is set");
        let metadata = SnapshotMetadata { server: "home".into(), key: "3".into(), ..SnapshotMetadata::default() };
        store.save(&metadata, &SnapshotBuilder::default().build()).expect("save the snapshot");
        let files = |store: &SnapshotStore| store.load(Timestamp::MAX, |_| false).0.len();
        for (later_ms, is_stable_server, is_present) in
            [(0, true, true), (1, true, true), (119_999, true, true), (120_000, false, true), (120_001, true, false)]
        {
            discovery.mark_missing(&[], is_stable_server, BEGAN + Duration::from_millis(later_ms));
            assert_eq!(libraries.find(&library.id).is_some(), is_present, "{later_ms} ms, settled: {is_stable_server}");
        }
        assert_eq!(files(&store), 1, "it may come back");
        discovery.remove_stored(&[info("3")]).await;
        assert_eq!(files(&store), 1, "it did");
        known(&libraries, &server, "3");
        discovery.mark_missing(&[], true, BEGAN);
        discovery.mark_missing(&[info("3")], true, BEGAN + Duration::from_millis(60_000));
        discovery.mark_missing(&[], true, BEGAN + Duration::from_millis(130_000));
        assert!(libraries.find(&library.id).is_some(), "it was shown in between");
        discovery.mark_missing(&[], true, BEGAN + Duration::from_millis(250_000));
        discovery.remove_stored(&[]).await;
        assert_eq!(files(&store), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn removing_a_library_ends_the_wait_for_its_scan() {
        let (server, libraries) = (server(), Arc::new(Libraries::default()));
        let library = known(&libraries, &server, "3");
        library.report_scan(true);
        let mut progress = library.progress();
        progress.mark_unchanged();
        LibraryDiscovery::new(&server, &libraries).end(&library);
        assert!(!library.is_changing());
        assert!(progress.has_changed().expect("the channel is open"), "otherwise nothing wakes the wait");
    }

    #[test]
    fn a_scan_goes_on_while_the_server_does_not_say_whether_it_does() {
        let (server, libraries) = (server(), Arc::new(Libraries::default()));
        let (scanned, other) = (known(&libraries, &server, "3"), known(&libraries, &server, "4"));
        scanned.report_scan(true);
        let discovery = LibraryDiscovery::new(&server, &libraries);
        let poll = |scan: Option<bool>| {
            let mut infos = [info("3"), info("4")];
            discovery.merge_scans(&mut infos, &[scan, scan]);
            scanned.report_scan(infos[0].is_scanning);
            other.report_scan(infos[1].is_scanning);
            [&scanned, &other].map(|library| library.status.lock().scan)
        };
        assert_eq!(poll(None), [ScanState::Scanning, ScanState::Idle], "nothing changes");
        assert_eq!(poll(Some(false)), [ScanState::CatchingUp { has_begun: false }, ScanState::Idle]);
        assert_eq!(poll(None), [ScanState::CatchingUp { has_begun: false }, ScanState::Idle], "nothing changes");
    }

    #[test]
    fn a_library_that_is_listed_again_is_not_removed() {
        let library = known(&Libraries::default(), &server(), "3");
        library.status.lock().failure = Some((IndexError::Gone, 1));
        library.status.lock().build_at_ms = Timestamp::MAX;
        library.update_from_server(info("3"));
        assert_eq!((library.failure(), library.status.lock().build_at_ms), (None, Timestamp::UNIX_EPOCH));
        library.status.lock().failure = Some((IndexError::Refused, 1));
        library.update_from_server(info("3"));
        assert_eq!(library.failure(), Some((IndexError::Refused, 1)));
    }
}
