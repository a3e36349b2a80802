//! Decisions, misses and places as a whole, over a library of a server that nobody can reach.

mod decisions;
mod keeping;
mod misses;
mod places;

use std::path::Path;
use std::sync::Arc;

use greenroom_cache::{Cache, Clock};
use greenroom_dialect::credential::Secret;
use greenroom_library::files::{Case, Confidence, PathMaps};
use greenroom_library::item::{File, Item, ItemKind};
use greenroom_library::snapshot::SnapshotBuilder;
use greenroom_library::tracks::{Decision, Policy};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::store::{Filter, NotKept};
use super::{Live, Matching, Refused, Source, Wanted};
use crate::index::Library;
use crate::matching::counters::Count;
use crate::matching::path_lookup::PathAsked;
use crate::matching::pin::{RulingKind, Written};
use greenroom_config::{Settings, Tree};
use greenroom_proxy::persistence::State;
use greenroom_proxy::server::Server;
use greenroom_state::backup;

const TOKEN: &str = "SECRET-token-of-the-owner";

/// A library of a server that nobody can reach, and what was decided about it.
struct House {
    library: Arc<Library>,
    matching: Matching,
    folder: tempfile::TempDir,
}

fn server() -> Arc<Server> {
    server_with(&format!("token = \"{TOKEN}\"\n"))
}

fn server_with(token: &str) -> Arc<Server> {
    let mut tree = Tree::default();
    let file = format!("[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n{token}");
    tree.add_toml("g.toml", &file);
    let mut settings = Settings::read(tree).expect("it is valid");
    let (clock, tasks, stop) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let cache = Cache::new(greenroom_cache::Settings::default(), clock.clone(), tasks.clone());
    let secrets = (greenroom_state::secrets::HashKey([1; 32]), Secret::new("hook"));
    let server = Server::new(settings.servers.remove(0), cache, clock, tasks, stop, secrets);
    Arc::new(server.expect("it can be had"))
}

fn open(folder: &Path) -> Matching {
    let state = State::open(folder, &Arc::default());
    Matching::open(folder, state.trouble(), greenroom_config::Matching::default())
}

impl House {
    fn new(items: &[Item]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let library = Library::new("home:3".parse().expect("an id"), "Music", server());
        let house = Self { library: Arc::new(library), matching: open(folder.path()), folder };
        house.publish(items);
        house
    }

    fn publish(&self, items: &[Item]) {
        let mut builder = SnapshotBuilder::default();
        for item in items {
            builder.push(item.clone());
        }
        self.library.publish(builder.build(), 1_000);
    }

    async fn resolve(&self, wanted: &Wanted) -> super::Resolved {
        self.resolve_as(wanted, Policy::Strict).await
    }

    async fn resolve_as(&self, wanted: &Wanted, policy: Policy) -> super::Resolved {
        let mut all = self.matching.resolve(&self.library, std::slice::from_ref(wanted), policy).await;
        all.pop().expect("one for each")
    }

    /// What came of it, in a line.
    async fn told(&self, wanted: &Wanted) -> String {
        let resolved = self.resolve(wanted).await;
        let key = resolved.accepted().map_or("-", |item| &item.key).to_owned();
        format!("{} {key}", resolved.source.word())
    }

    /// What a search of the server that shows one item comes to.
    async fn judge_live(&self, wanted: &Wanted, shown: Item) -> super::Resolved {
        let (wanted, generation) = (wanted.clone(), self.library.generation().expect("published"));
        let work = move |session: &super::Session<'_>| session.judge_live(&wanted, vec![shown]);
        self.matching.in_session(&self.library, &generation, Policy::Strict, work).await
    }

    async fn rule(&self, kind: RulingKind, wanted: &Wanted, key: &str) -> Result<i64, Refused> {
        self.matching.rule(&self.library, kind, wanted.clone(), key).await.map(|ruling| ruling.id)
    }

    fn count(&self, what: Count) -> u64 {
        self.matching.tally().of(what)
    }
}

fn track(key: &str, artist: &str, title: &str) -> Item {
    let mut item = Item::new(ItemKind::Track, key, title);
    item.grandparent_title = Some(artist.into());
    item.parent_title = Some("Album".into());
    item.duration_ms = Some(200_000);
    item.files = vec![File { path: format!("/music/{artist}/{title}.flac").into(), size_bytes: Some(1) }];
    item.guids = vec![format!("plex://track/{}", title.to_lowercase().replace(' ', "")).into()];
    item
}

fn wanted(artist: &str, title: &str) -> Wanted {
    Wanted { title: title.into(), artist: artist.into(), ..Wanted::default() }
}

fn three() -> Vec<Item> {
    vec![
        track("101", "Radiohead", "Creep"),
        track("102", "Radiohead", "Karma Police"),
        track("103", "Portishead", "Glory Box"),
    ]
}
