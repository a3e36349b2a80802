//! Overrides, misses and path lookups together, over a library of an unreachable server.

mod list_evidence;
mod misses;
mod overrides;
mod path_lookup;
mod persistence;

use greenroom_cache::Timestamp;
use std::path::Path;
use std::sync::Arc;

use greenroom_cache::{Cache, Clock};
use greenroom_dialect::credential::Secret;
use greenroom_library::files::{CaseSensitivity, FileMatchConfidence, PathMaps};
use greenroom_library::item::{Item, ItemKind, MediaFile};
use greenroom_library::matching::{MatchDecision, MatchPolicy};
use greenroom_library::snapshot::SnapshotBuilder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::overrides_store::{OverrideFilter, OverrideStoreError};
use super::{LiveSearch, MatchSource, Matcher, OverrideError, TrackQuery};
use crate::index::Library;
use crate::matching::counters::MatchCounter;
use crate::matching::overrides::{ExportedMatchOverride, MatchOverrideKind};
use crate::matching::path_lookup::PathLookupQuery;
use greenroom_config::{ConfigSource, Settings};
use greenroom_proxy::persistence::StatePersistence;
use greenroom_proxy::server::Server;
use greenroom_state::backup;

const TOKEN: &str = "SECRET-token-of-the-owner";

/// A library of an unreachable server, with its overrides.
struct MatchingFixture {
    library: Arc<Library>,
    matching: Matcher,
    folder: tempfile::TempDir,
}

fn server() -> Arc<Server> {
    server_with(&format!("token = \"{TOKEN}\"\n"))
}

fn server_with(token: &str) -> Arc<Server> {
    let mut tree = ConfigSource::default();
    let file = format!("[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n{token}");
    tree.add_toml("g.toml", &file);
    let mut settings = Settings::read(tree).expect("read the configuration");
    let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let cache = Cache::new(greenroom_cache::CacheSettings::default(), clock.clone(), tasks.clone());
    let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings.servers.remove(0), cache, clock, tasks, stop, secrets);
    Arc::new(server.expect("create the server"))
}

fn open(folder: &Path) -> Matcher {
    let state = StatePersistence::open(folder, &Arc::default());
    Matcher::open(folder, state.error(), greenroom_config::MatchingSettings::default())
}

impl MatchingFixture {
    fn new(items: &[Item]) -> Self {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let library = Library::new("home:3".parse().expect("parse the library id"), "Music", server());
        let fixture = Self { library: Arc::new(library), matching: open(folder.path()), folder };
        fixture.publish(items);
        fixture
    }

    fn publish(&self, items: &[Item]) {
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        self.library.publish(builder.build(), Timestamp::from_millis(1_000));
    }

    /// Publishes items of which these were added or changed; that is forgotten unless `knows_changes`.
    fn publish_changed(&self, items: &[Item], changed: &[&str], knows_changes: bool) {
        if !knows_changes {
            return self.publish(items);
        }
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        self.library.publish_changed(builder.build(), Timestamp::from_millis(1_000), changed);
    }

    async fn resolve(&self, query: &TrackQuery) -> super::TrackResolution {
        self.resolve_as(query, MatchPolicy::Strict).await
    }

    async fn resolve_as(&self, query: &TrackQuery, policy: MatchPolicy) -> super::TrackResolution {
        let mut all = self.matching.resolve(&self.library, std::slice::from_ref(query), policy).await;
        all.pop().expect("one resolution for each query")
    }

    /// The result in one line.
    async fn resolution(&self, query: &TrackQuery) -> String {
        let resolved = self.resolve(query).await;
        let key = resolved.accepted().map_or("-", |item| &item.key).to_owned();
        format!("{} {key}", resolved.source.name())
    }

    /// The result of a live search that finds one item.
    async fn judge_live(&self, query: &TrackQuery, shown_item: Item) -> super::TrackResolution {
        let (query, generation) = (query.clone(), self.library.generation().expect("a generation is published"));
        let work = move |session: &super::MatchSession<'_>| session.judge_live(&query, vec![shown_item]);
        self.matching.in_session(&self.library, &generation, MatchPolicy::Strict, work).await
    }

    async fn set_override(&self, kind: MatchOverrideKind, query: &TrackQuery, key: &str) -> Result<i64, OverrideError> {
        self.matching
            .set_override(&self.library, kind, query.clone(), key)
            .await
            .map(|match_override| match_override.id)
    }

    fn count(&self, counter: MatchCounter) -> u64 {
        self.matching.counters().get(counter)
    }
}

fn track(key: &str, artist: &str, title: &str) -> Item {
    let mut item = Item::new(ItemKind::Track, key, title);
    item.grandparent_title = Some(artist.into());
    item.parent_title = Some("Album".into());
    item.duration_ms = Some(200_000);
    item.files = vec![MediaFile { path: format!("/music/{artist}/{title}.flac").into(), size_bytes: Some(1) }];
    item.guids = vec![format!("plex://track/{}", title.to_lowercase().replace(' ', "")).into()];
    item
}

fn track_query(artist: &str, title: &str) -> TrackQuery {
    TrackQuery { title: title.into(), artist: artist.into(), ..TrackQuery::default() }
}

fn three_tracks() -> Vec<Item> {
    vec![
        track("101", "Radiohead", "Creep"),
        track("102", "Radiohead", "Karma Police"),
        track("103", "Portishead", "Glory Box"),
    ]
}
