//! Media counts: from library indexes where they exist, otherwise from counts requested now and then.

use greenroom_cache::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use greenroom_dialect::class::Class;
use greenroom_dialect::crawl::{LibraryContents, LibraryInfo};
use greenroom_dialect::dashboard::ItemCountKind;
use greenroom_library::item::ItemKind;
use greenroom_library::snapshot::Snapshot;

use super::stats::{LibraryTotals, MediaTotals, ServerMediaTotals};
use crate::persistence;
use greenroom_proxy::internal_client::fetch;
use greenroom_sync::index::{Libraries, Library, LibraryId};

/// Time for which media and user counts are current.
pub const COUNTS_FRESH: Duration = Duration::from_mins(15);
/// Interval at which counts are requested: a little shorter than they become outdated, to allow for a slow server.
pub(crate) const COUNTS_INTERVAL: Duration = Duration::from_secs(13 * 60);

/// Known counts per library.
#[derive(Debug, Default)]
pub(super) struct LibraryCounts(BTreeMap<LibraryId, LibraryCount>);

#[derive(Debug, Clone, Copy, Default)]
struct LibraryCount {
    amounts: MediaTotals,
    /// The generation counted; 0 if the server reported the counts.
    generation: u64,
    counted_ms: Timestamp,
}

impl LibraryCounts {
    /// Counts libraries whose counts are missing or outdated.
    pub(super) async fn count(&mut self, libraries: &Libraries, may_ask: bool, is_refresh_forced: bool) {
        let all = libraries.all();
        // Counts of an earlier process hold until the server responds.
        self.0.retain(|id, _| !libraries.is_listed(&id.server) || all.iter().any(|library| library.id == *id));
        for library in &all {
            let count = self.0.get(&library.id).copied().unwrap_or_default();
            let counted = match library.generation() {
                Some(generation) if generation.number == count.generation => None,
                Some(generation) => {
                    let number = generation.number;
                    // Reads every row, so it does not run on the threads that serve requests.
                    let work = move || amounts_of(&generation.snapshot);
                    let amounts = library.server.origin.tasks.spawn_blocking(work).await.ok();
                    amounts.map(|amounts| (amounts, number))
                }
                None if may_ask && (is_refresh_forced || is_due(&count, library)) => {
                    fetch_amounts(library).await.map(|amounts| (amounts, 0))
                }
                None => None,
            };
            if let Some((amounts, generation)) = counted {
                let counted_ms = library.server.origin.clock.now();
                self.0.insert(library.id.clone(), LibraryCount { amounts, generation, counted_ms });
            }
        }
    }

    /// Totals for display; `None` before anything was counted.
    pub(super) fn library_totals(&self, libraries: &Libraries) -> Option<LibraryTotals> {
        let mut all = MediaTotals::default();
        let mut servers: BTreeMap<String, (MediaTotals, u64)> = BTreeMap::new();
        for (id, count) in &self.0 {
            let (at_ms, _) = count.moment(libraries.find(id).as_deref());
            all.add(&count.amounts);
            let (amounts, as_of_ms) =
                servers.entry(id.server.clone()).or_insert((MediaTotals::default(), at_ms.as_millis()));
            amounts.add(&count.amounts);
            *as_of_ms = at_ms.min(Timestamp::from_millis(*as_of_ms)).as_millis();
        }
        let to_totals = |(server, (amounts, as_of_ms))| ServerMediaTotals { server, amounts, as_of_ms };
        let per_server: Vec<ServerMediaTotals> = servers.into_iter().map(to_totals).collect();
        let as_of_ms = per_server.iter().map(|counts| counts.as_of_ms).min()?;
        Some(LibraryTotals { all, as_of_ms, per_server })
    }

    /// For each library of a server: when its counts were obtained, and for how long they are current.
    pub(super) fn update_times(&self, libraries: &Libraries, server: &str) -> Vec<(Timestamp, Duration)> {
        let counts = self.0.iter().filter(|(id, _)| id.server == server);
        counts.map(|(id, count)| count.moment(libraries.find(id).as_deref())).collect()
    }

    /// The counts in persistent form.
    pub(super) fn to_persisted(&self) -> Vec<persistence::PersistedLibrary> {
        let to_persisted = |(id, count): (&LibraryId, &LibraryCount)| persistence::PersistedLibrary {
            server: id.server.clone(),
            key: id.key.clone(),
            amounts: count.amounts,
            generation: count.generation,
            counted_ms: count.counted_ms.as_millis(),
        };
        self.0.iter().take(persistence::MAX_LIBRARIES).map(to_persisted).collect()
    }

    /// Restores the counts of an earlier process.
    pub(super) fn from_persisted(libraries: Vec<persistence::PersistedLibrary>) -> Self {
        let restore = |library: persistence::PersistedLibrary| {
            let persistence::PersistedLibrary { server, key, amounts, generation, counted_ms } = library;
            (
                LibraryId { server, key },
                LibraryCount { amounts, generation, counted_ms: Timestamp::from_millis(counted_ms) },
            )
        };
        Self(libraries.into_iter().map(restore).collect())
    }
}

impl LibraryCount {
    /// When the counts were obtained, and for how long they are current. A library index follows the server: it stays
    /// current while the server is up.
    fn moment(&self, library: Option<&Library>) -> (Timestamp, Duration) {
        let library = library.filter(|_| self.generation > 0);
        let generation = library.and_then(|library| Some((library, library.report(false).generation?)));
        match generation {
            Some((library, generation)) => {
                (library.server.origin.clock.now().saturating_sub(Duration::from_secs(generation.age_s)), Duration::MAX)
            }
            None => (self.counted_ms, COUNTS_FRESH),
        }
    }
}

fn is_due(count: &LibraryCount, library: &Library) -> bool {
    let now_ms = library.server.origin.clock.now();
    count.counted_ms == Timestamp::UNIX_EPOCH || now_ms.duration_since(count.counted_ms) >= COUNTS_INTERVAL
}

/// Counts a snapshot. Artists and albums are not items of their own: they are derived from the tracks.
fn amounts_of(snapshot: &Snapshot) -> MediaTotals {
    let count = |kind| snapshot.count(kind) as u64;
    let (mut artists, mut albums) = (HashSet::new(), HashSet::new());
    if count(ItemKind::Track) > 0 {
        for item in snapshot.items().filter(|item| item.kind == ItemKind::Track) {
            artists.extend(item.grandparent_key);
            albums.extend(item.parent_key);
        }
    }
    MediaTotals {
        films: count(ItemKind::Film),
        shows: count(ItemKind::Show),
        seasons: count(ItemKind::Season),
        episodes: count(ItemKind::Episode),
        artists: artists.len() as u64,
        albums: albums.len() as u64,
        tracks: count(ItemKind::Track),
    }
}

/// Requests the counts from the server; `None` unless it reports all of them.
async fn fetch_amounts(library: &Library) -> Option<MediaTotals> {
    let contents = library.contents();
    let kinds: &[ItemCountKind] = match contents {
        LibraryContents::Music => &[ItemCountKind::Artists, ItemCountKind::Albums, ItemCountKind::Tracks],
        LibraryContents::Films => &[ItemCountKind::Films],
        LibraryContents::Shows => &[ItemCountKind::Shows, ItemCountKind::Seasons, ItemCountKind::Episodes],
        LibraryContents::Other => return None,
    };
    let library_info = LibraryInfo {
        key: library.id.key.clone(),
        title: library.title.lock().clone(),
        contents,
        stamp: None,
        is_scanning: false,
    };
    let mut amounts = MediaTotals::default();
    let kind = library.server.origin.settings.kind;
    for count_kind in kinds {
        let body = fetch::run(&library.server, &kind.item_count_target(&library_info, *count_kind), Class::Counts)
            .await
            .ok()?;
        let count = kind.item_count(&body).ok()?;
        match count_kind {
            ItemCountKind::Films => amounts.films = count,
            ItemCountKind::Shows => amounts.shows = count,
            ItemCountKind::Seasons => amounts.seasons = count,
            ItemCountKind::Episodes => amounts.episodes = count,
            ItemCountKind::Artists => amounts.artists = count,
            ItemCountKind::Albums => amounts.albums = count,
            ItemCountKind::Tracks => amounts.tracks = count,
        }
    }
    Some(amounts)
}
