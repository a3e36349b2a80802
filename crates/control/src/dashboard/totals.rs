//! Media counts: from library indexes where they exist, otherwise from counts requested now and then.

use std::collections::{BTreeMap, HashSet};

use greenroom_dialect::class::Class;
use greenroom_dialect::crawl::{LibraryContents, LibraryInfo};
use greenroom_dialect::dashboard::ItemCountKind;
use greenroom_library::item::ItemKind;
use greenroom_library::snapshot::Snapshot;

use super::stats::{LibraryTotals, MediaTotals, ServerMediaTotals};
use super::{COUNTS_EVERY_MS, COUNTS_GOOD_MS};
use crate::dashboard::persistence;
use greenroom_proxy::internal_client::fetch;
use greenroom_sync::index::{Libraries, Library, LibraryId};

/// Known counts per library.
#[derive(Debug, Default)]
pub(super) struct LibraryCounts(BTreeMap<LibraryId, LibraryCount>);

#[derive(Debug, Clone, Copy, Default)]
struct LibraryCount {
    amounts: MediaTotals,
    /// The generation counted; 0 if the server reported the counts.
    generation: u64,
    counted_ms: u64,
}

impl LibraryCounts {
    /// Counts libraries whose counts are missing or outdated.
    pub(super) async fn count(&mut self, libraries: &Libraries, may_ask: bool, is_doubted: bool) {
        let all = libraries.all();
        // Counts of an earlier process hold until the server responds.
        self.0.retain(|id, _| !libraries.is_listed(&id.server) || all.iter().any(|library| library.id == *id));
        for library in &all {
            let known = self.0.get(&library.id).copied().unwrap_or_default();
            let counted = match library.generation() {
                Some(kept) if kept.number == known.generation => None,
                Some(kept) => {
                    let number = kept.number;
                    // Reads every row, so it does not run on the threads that serve requests.
                    let work = move || amounts_of(&kept.snapshot);
                    let amounts = library.server.origin.tasks.spawn_blocking(work).await.ok();
                    amounts.map(|amounts| (amounts, number))
                }
                None if may_ask && (is_doubted || is_due(&known, library)) => {
                    fetch_amounts(library).await.map(|amounts| (amounts, 0))
                }
                None => None,
            };
            if let Some((amounts, generation)) = counted {
                let counted_ms = library.server.origin.clock.now_ms();
                self.0.insert(library.id.clone(), LibraryCount { amounts, generation, counted_ms });
            }
        }
    }

    /// Totals for display; `None` before anything was counted.
    pub(super) fn library_totals(&self, libraries: &Libraries) -> Option<LibraryTotals> {
        let mut all = MediaTotals::default();
        let mut servers: BTreeMap<String, (MediaTotals, u64)> = BTreeMap::new();
        for (id, known) in &self.0 {
            let (at_ms, _) = known.moment(libraries.find(id).as_deref());
            all.add(&known.amounts);
            let (amounts, as_of_ms) = servers.entry(id.server.clone()).or_insert((MediaTotals::default(), at_ms));
            amounts.add(&known.amounts);
            *as_of_ms = at_ms.min(*as_of_ms);
        }
        let of = |(server, (amounts, as_of_ms))| ServerMediaTotals { server, amounts, as_of_ms };
        let per_server: Vec<ServerMediaTotals> = servers.into_iter().map(of).collect();
        let as_of_ms = per_server.iter().map(|of| of.as_of_ms).min()?;
        Some(LibraryTotals { all, as_of_ms, per_server })
    }

    /// For each library of a server: when its counts were obtained, and for how long they are current.
    pub(super) fn update_times(&self, libraries: &Libraries, server: &str) -> Vec<(u64, u64)> {
        let of = self.0.iter().filter(|(id, _)| id.server == server);
        of.map(|(id, known)| known.moment(libraries.find(id).as_deref())).collect()
    }

    /// The counts in persistent form.
    pub(super) fn to_persisted(&self) -> Vec<persistence::PersistedLibrary> {
        let of = |(id, known): (&LibraryId, &LibraryCount)| persistence::PersistedLibrary {
            server: id.server.clone(),
            key: id.key.clone(),
            amounts: known.amounts,
            generation: known.generation,
            counted_ms: known.counted_ms,
        };
        self.0.iter().take(persistence::MAX_LIBRARIES).map(of).collect()
    }

    /// Restores the counts of an earlier process.
    pub(super) fn from_persisted(kept: Vec<persistence::PersistedLibrary>) -> Self {
        let of = |kept: persistence::PersistedLibrary| {
            let persistence::PersistedLibrary { server, key, amounts, generation, counted_ms } = kept;
            (LibraryId { server, key }, LibraryCount { amounts, generation, counted_ms })
        };
        Self(kept.into_iter().map(of).collect())
    }
}

impl LibraryCount {
    /// When the counts were obtained, and for how long they are current. A library index follows the server: it stays
    /// current while the server is up.
    fn moment(&self, library: Option<&Library>) -> (u64, u64) {
        let library = library.filter(|_| self.generation > 0);
        let kept = library.and_then(|library| Some((library, library.report(false).generation?)));
        match kept {
            Some((library, kept)) => {
                (library.server.origin.clock.now_ms().saturating_sub(kept.age_s.saturating_mul(1000)), u64::MAX)
            }
            None => (self.counted_ms, COUNTS_GOOD_MS),
        }
    }
}

fn is_due(known: &LibraryCount, library: &Library) -> bool {
    let now_ms = library.server.origin.clock.now_ms();
    known.counted_ms == 0 || now_ms.saturating_sub(known.counted_ms) >= COUNTS_EVERY_MS
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
    let shelf = LibraryInfo {
        key: library.id.key.clone(),
        title: library.title.lock().clone(),
        contents,
        stamp: None,
        is_scanning: false,
    };
    let mut amounts = MediaTotals::default();
    let kind = library.server.origin.settings.kind;
    for of in kinds {
        let body = fetch::run(&library.server, &kind.item_count_target(&shelf, *of), Class::Counts).await.ok()?;
        let count = kind.item_count(&body).ok()?;
        match of {
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
