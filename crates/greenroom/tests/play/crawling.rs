//! The dialects read whole libraries of real servers page by page, and receive their changes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use greenroom_dialect::crawl::{ChangeHint, CrawlPage, LibraryContents, LibraryInfo};
use greenroom_dialect::request::ServerKind;
use greenroom_library::item::{Item, ItemKind};
use greenroom_library::snapshot::{Snapshot, SnapshotBuilder, diff};
use greenroom_simulator::catalogue::{ItemId, MediaKind as Sort, SortKey};
use greenroom_simulator::simulated_server::SimulatedServer;
use greenroom_simulator::users::UserId;
use greenroom_simulator::{jellyfin, plex};
use tokio_tungstenite::connect_async;
use tokio_util::task::TaskTracker;

use crate::fixture::TestClient;

/// A server, and the dialect that reads it.
struct CrawlFixture {
    kind: ServerKind,
    running: SimulatedServer,
    client: TestClient,
    user: Option<String>,
}

impl CrawlFixture {
    async fn start(kind: ServerKind) -> Self {
        let (tracker, address) = (TaskTracker::new(), "127.0.0.1:0".parse().expect("an address"));
        let running = match kind {
            ServerKind::Plex => plex::Plex::new(plex::PlexOptions::quick()).start(address, &tracker).await,
            ServerKind::Jellyfin => {
                let mut options = jellyfin::JellyfinOptions::quick();
                options.switches.library_changed_delay = Duration::ZERO;
                jellyfin::Jellyfin::new(options).start(address, &tracker).await
            }
        };
        let running = running.expect("a free port");
        let token = running.tokens().secret("owner-a").to_owned();
        let client = TestClient::new(running.address()).with("accept", "application/json");
        let (client, user) = match kind {
            ServerKind::Plex => (client.with("x-plex-token", &token), None),
            ServerKind::Jellyfin => {
                let authorization = format!("MediaBrowser Token=\"{token}\"");
                (client.with("authorization", &authorization), Some(jellyfin::user_id(UserId::OWNER)))
            }
        };
        Self { kind, running, client, user }
    }

    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    async fn shelves(&self) -> Vec<LibraryInfo> {
        let told = self.client.get(&self.kind.libraries_target(self.user())).await;
        self.kind.libraries(&told.body).expect("libraries")
    }

    async fn page(&self, kind: Option<ItemKind>, target: &str) -> CrawlPage {
        let told = self.client.get(target).await;
        assert_eq!(told.status, 200, "{target}: {}", told.text());
        self.kind.page(kind, &told.body).unwrap_or_else(|unfit| panic!("{target}: {unfit:?}"))
    }

    /// A whole library in pages of seven that overlap by a row.
    async fn crawl(&self, library: &LibraryInfo) -> Snapshot {
        let mut builder = SnapshotBuilder::default();
        for kind in library.contents.kinds() {
            let count = self.page(None, &self.kind.count_target(library, *kind, self.user())).await;
            assert_eq!((count.items.len(), count.rows), (0, 0));
            let mut start = 0;
            loop {
                let target = self.kind.page_target(library, *kind, start, 7, self.user());
                let page = self.page(Some(*kind), &target).await;
                assert_eq!((page.offset, page.total, page.skipped), (Some(start), count.total, 0));
                let rows = page.rows;
                let taken = page.items.into_iter().filter(|item| builder.push(item.clone())).count();
                assert_eq!(taken as u64, if start == 0 { rows } else { rows - 1 }, "pages overlap by one row");
                if rows < 7 {
                    break;
                }
                start += rows - 1;
            }
        }
        builder.build()
    }

    fn id(&self, item: ItemId) -> String {
        match self.kind {
            ServerKind::Plex => item.to_string(),
            ServerKind::Jellyfin => jellyfin::item_id(item),
        }
    }

    /// Compares an item as read with the catalogue.
    fn check(&self, item: &Item, of: ItemId) {
        let record = self.running.state().view().record(of).expect("it is there");
        assert_eq!(*item.title, *record.title);
        let above = [record.parent.as_ref(), record.grandparent.as_ref()];
        let [parent, grandparent] = above.map(|above| above.map(|above| above.title.as_str()));
        assert_eq!((item.parent_title.as_deref(), item.grandparent_title.as_deref()), (parent, grandparent));
        let above = above.map(|above| above.map(|above| self.id(above.id)));
        assert_eq!(
            [item.parent_key.as_deref(), item.grandparent_key.as_deref()],
            above.each_ref().map(Option::as_deref)
        );
        let files: Vec<&str> = item.files.iter().map(|file| &*file.path).collect();
        let file: Vec<&str> = record.file.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(files, file);
        assert_eq!(item.added_at_s, Some(record.added_at));
        if record.kind.is_playable() {
            assert_eq!(item.duration_ms.map(u64::from), record.duration_ms);
            assert_eq!(item.index, record.index);
        }
        for external in &record.external {
            let guid = format!("{}://{}", external.source, external.id);
            assert!(item.guids.iter().any(|known| **known == *guid), "{guid} is not in {:?}", item.guids);
        }
    }

    /// Collects hints until one of them fits.
    async fn wait_for_hint(
        &self,
        until: impl Fn(&ChangeHint) -> bool,
        act: impl FnOnce(&SimulatedServer),
    ) -> Vec<ChangeHint> {
        let token = self.running.tokens().secret("owner-a");
        let url = match self.kind {
            ServerKind::Plex => format!("/:/websockets/notifications?X-Plex-Token={token}"),
            ServerKind::Jellyfin => format!("/socket?api_key={token}&deviceId=test"),
        };
        let (mut socket, _) = connect_async(format!("ws://{}{url}", self.running.address())).await.expect("a socket");
        act(&self.running);
        let mut heard = Vec::new();
        while !heard.iter().any(&until) {
            let frame = socket.next().await.expect("it is open").expect("a frame");
            heard.extend(self.kind.hints(&frame.into_data()));
        }
        heard
    }
}

const BOTH: [ServerKind; 2] = [ServerKind::Plex, ServerKind::Jellyfin];

#[tokio::test]
async fn every_item_of_every_library_is_read_as_it_is() {
    for kind in BOTH {
        let reader = CrawlFixture::start(kind).await;
        let mut counts = BTreeMap::new();
        for shelf in reader.shelves().await.iter().filter(|shelf| shelf.contents != LibraryContents::Other) {
            assert!(shelf.stamp.is_some() && !shelf.is_scanning, "{shelf:?}");
            let snapshot = reader.crawl(shelf).await;
            for sort in [Sort::Film, Sort::Show, Sort::Season, Sort::Episode, Sort::Track] {
                let ids = reader.running.state().view().list(sort, SortKey::Id);
                for id in ids.iter() {
                    let Some(row) = snapshot.row_of(&reader.id(*id)) else { continue };
                    reader.check(&snapshot.item(row).expect("it has a row"), *id);
                    *counts.entry(sort).or_insert(0) += 1;
                }
            }
        }
        let expected = [(Sort::Film, 30), (Sort::Show, 4), (Sort::Season, 8), (Sort::Episode, 24), (Sort::Track, 60)];
        assert_eq!(counts, BTreeMap::from(expected), "{kind:?}");
    }
}

#[tokio::test]
async fn single_items_and_what_lies_below_others_is_read_too() {
    for kind in BOTH {
        let reader = CrawlFixture::start(kind).await;
        let list = |sort| reader.running.state().view().list(sort, SortKey::Id)[0];
        let (track, album, artist) = (list(Sort::Track), list(Sort::Album), list(Sort::Artist));
        let (season, show) = (list(Sort::Season), list(Sort::Show));
        let keys = [track, album, artist, season, show].map(|id| reader.id(id));
        let keys = keys.each_ref().map(String::as_str);
        let told = reader.page(None, &reader.kind.items_target(&keys, reader.user())).await;
        assert_eq!((told.items.len(), told.containers.len()), (3, 2), "{kind:?}");
        for (branch, leaves) in told.containers.iter().zip([6, 12]) {
            let target = reader.kind.container_target(branch, 0, 100, reader.user());
            let below = reader.page(Some(ItemKind::Track), &target).await;
            assert_eq!((below.items.len(), below.total), (leaves, Some(leaves as u64)), "{kind:?} {branch:?}");
        }
        for (key, kind, leaves) in
            [(season, ItemKind::Season, 3), (show, ItemKind::Show, 6), (album, ItemKind::Track, 6)]
        {
            let target = reader.kind.leaves_target(&reader.id(key), kind, 0, 100, reader.user());
            assert_eq!(reader.page(None, &target).await.items.len(), leaves, "{:?} {kind:?}", reader.kind);
        }
    }
}

/// Polling for changes and the event stream name the same items; the resulting differences are reported as what they
/// are.
#[tokio::test]
async fn changes_are_polled_received_and_published() {
    for kind in BOTH {
        let reader = CrawlFixture::start(kind).await;
        let shelves = reader.shelves().await;
        let music = shelves.iter().find(|shelf| shelf.contents == LibraryContents::Music).expect("there is music");
        let before = reader.crawl(music).await;
        let since_s = reader.running.state().clock().now_s();
        let ids = reader.running.state().view().list(Sort::Track, SortKey::Id);
        let (retagged, moved, gone) = (ids[3], ids[7], ids[11]);
        let (rekeyed, replaced) = (ids[20], ids[30]);
        let is_last =
            |hint: &ChangeHint| matches!(hint, ChangeHint::Removed { key, .. } if *key == reader.id(replaced));
        let mut new = None;
        let heard = reader
            .wait_for_hint(is_last, |running| {
                new = running.change(|write| {
                    write.edit(retagged, |record| record.title = "Called Otherwise".into());
                    write.move_file(moved, "/elsewhere.flac");
                    write.delete(gone);
                    let new = write.rekey(rekeyed);
                    write.replace(replaced, "Quite Another");
                    new
                });
            })
            .await;
        let new = reader.id(new.expect("a track plays"));
        let shelf = Some(music.key.clone());
        let changed = |key: String| ChangeHint::Changed { shelf: shelf.clone(), key };
        let removed = |key: String| ChangeHint::Removed { shelf: shelf.clone(), key };
        for hint in [
            changed(reader.id(retagged)),
            changed(reader.id(moved)),
            removed(reader.id(gone)),
            removed(reader.id(rekeyed)),
            changed(new.clone()),
        ] {
            assert!(heard.contains(&hint), "{kind:?}: {hint:?} is not in {heard:?}");
        }
        let target = reader.kind.changed_target(music, ItemKind::Track, since_s, 0, 100, reader.user());
        let asked = reader.page(Some(ItemKind::Track), &target).await;
        let mut keys: Vec<String> = asked.items.iter().map(|item| item.key.to_string()).collect();
        let mut expected = vec![reader.id(retagged), reader.id(moved), reader.id(replaced), new.clone()];
        keys.sort();
        expected.sort();
        assert_eq!(keys, expected, "{kind:?}");
        let after = reader.crawl(music).await;
        let diff = diff::between(&before, &after);
        let counts = diff::DiffCounts { added: 1, removed: 2, retagged: 1, moved: 1, rekeyed: 1 };
        assert_eq!(diff.counts, counts, "{kind:?}: {diff}");
        assert_eq!(*diff.rekeyed[0].thing.key, *new);
        // A Jellyfin's view keeps its `Etag` when its items change.
        let has_moved = reader.shelves().await.iter().any(|shelf| shelf.key == music.key && shelf.stamp != music.stamp);
        assert_eq!(has_moved, kind == ServerKind::Plex, "{kind:?}");
    }
}
