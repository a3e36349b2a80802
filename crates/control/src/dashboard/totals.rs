//! How much there is of everything: from the libraries that are kept whole, and for the others from counts that are
//! asked for now and then.

use std::collections::{BTreeMap, HashSet};

use greenroom_dialect::class::Class;
use greenroom_dialect::crawl::{Contents, Shelf};
use greenroom_dialect::dashboard::Counted;
use greenroom_library::item::ItemKind;
use greenroom_library::snapshot::Snapshot;

use super::figures::{Amounts, LibraryTotals, ServerAmounts};
use super::{COUNTS_EVERY_MS, COUNTS_GOOD_MS};
use crate::dashboard::persistence;
use greenroom_proxy::internal_client::fetch;
use greenroom_sync::index::{Libraries, Library, LibraryId};

/// What is known of each library.
#[derive(Debug, Default)]
pub(super) struct Totals(BTreeMap<LibraryId, Known>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    amounts: Amounts,
    /// Which generation was counted; 0 if the server was asked.
    generation: u64,
    counted_ms: u64,
}

impl Totals {
    /// Counts what is not counted yet.
    pub(super) async fn count(&mut self, libraries: &Libraries, may_ask: bool, is_doubted: bool) {
        let all = libraries.all();
        // What an earlier process counted holds until the server says what there is.
        self.0
            .retain(|id, _| !libraries.is_listed(&id.server) || all.iter().any(|library| library.id == *id));
        for library in &all {
            let known = self.0.get(&library.id).copied().unwrap_or_default();
            let counted = match library.generation() {
                Some(kept) if kept.number == known.generation => None,
                Some(kept) => {
                    let number = kept.number;
                    // It reads every row: not on the threads that answer.
                    let work = move || amounts_of(&kept.snapshot);
                    let amounts = library.server.origin.tasks.spawn_blocking(work).await.ok();
                    amounts.map(|amounts| (amounts, number))
                }
                None if may_ask && (is_doubted || is_due(&known, library)) => {
                    ask(library).await.map(|amounts| (amounts, 0))
                }
                None => None,
            };
            if let Some((amounts, generation)) = counted {
                let counted_ms = library.server.origin.clock.now_ms();
                self.0.insert(library.id.clone(), Known { amounts, generation, counted_ms });
            }
        }
    }

    /// What is shown of it; nothing before anything was counted.
    pub(super) fn shown(&self, libraries: &Libraries) -> Option<LibraryTotals> {
        let mut all = Amounts::default();
        let mut servers: BTreeMap<String, (Amounts, u64)> = BTreeMap::new();
        for (id, known) in &self.0 {
            let (at_ms, _) = known.moment(libraries.find(id).as_deref());
            all.add(&known.amounts);
            let (amounts, as_of_ms) = servers.entry(id.server.clone()).or_insert((Amounts::default(), at_ms));
            amounts.add(&known.amounts);
            *as_of_ms = at_ms.min(*as_of_ms);
        }
        let of = |(server, (amounts, as_of_ms))| ServerAmounts { server, amounts, as_of_ms };
        let per_server: Vec<ServerAmounts> = servers.into_iter().map(of).collect();
        let as_of_ms = per_server.iter().map(|of| of.as_of_ms).min()?;
        Some(LibraryTotals { all, as_of_ms, per_server })
    }

    /// When the libraries of a server were heard of, and for how long each of that is good.
    pub(super) fn moments(&self, libraries: &Libraries, server: &str) -> Vec<(u64, u64)> {
        let of = self.0.iter().filter(|(id, _)| id.server == server);
        of.map(|(id, known)| known.moment(libraries.find(id).as_deref())).collect()
    }

    /// What is kept of it.
    pub(super) fn kept(&self) -> Vec<persistence::Library> {
        let of = |(id, known): (&LibraryId, &Known)| persistence::Library {
            server: id.server.clone(),
            key: id.key.clone(),
            amounts: known.amounts,
            generation: known.generation,
            counted_ms: known.counted_ms,
        };
        self.0.iter().take(persistence::MAX_LIBRARIES).map(of).collect()
    }

    /// What an earlier process kept.
    pub(super) fn restored(kept: Vec<persistence::Library>) -> Self {
        let of = |kept: persistence::Library| {
            let persistence::Library { server, key, amounts, generation, counted_ms } = kept;
            (LibraryId { server, key }, Known { amounts, generation, counted_ms })
        };
        Self(kept.into_iter().map(of).collect())
    }
}

impl Known {
    /// When it was heard, and how long that is good for. What is kept whole is followed: it is good for as long as its
    /// server is there.
    fn moment(&self, library: Option<&Library>) -> (u64, u64) {
        let library = library.filter(|_| self.generation > 0);
        let kept = library.and_then(|library| Some((library, library.report(false).generation?)));
        match kept {
            Some((library, kept)) => (
                library.server.origin.clock.now_ms().saturating_sub(kept.age_s.saturating_mul(1000)),
                u64::MAX,
            ),
            None => (self.counted_ms, COUNTS_GOOD_MS),
        }
    }
}

fn is_due(known: &Known, library: &Library) -> bool {
    let now_ms = library.server.origin.clock.now_ms();
    known.counted_ms == 0 || now_ms.saturating_sub(known.counted_ms) >= COUNTS_EVERY_MS
}

/// Counts a snapshot. Artists and albums are no items of their own: they are what tracks lie in.
fn amounts_of(snapshot: &Snapshot) -> Amounts {
    let count = |kind| snapshot.count(kind) as u64;
    let (mut artists, mut albums) = (HashSet::new(), HashSet::new());
    if count(ItemKind::Track) > 0 {
        for item in snapshot.items().filter(|item| item.kind == ItemKind::Track) {
            artists.extend(item.grandparent_key);
            albums.extend(item.parent_key);
        }
    }
    Amounts {
        films: count(ItemKind::Film),
        shows: count(ItemKind::Show),
        seasons: count(ItemKind::Season),
        episodes: count(ItemKind::Episode),
        artists: artists.len() as u64,
        albums: albums.len() as u64,
        tracks: count(ItemKind::Track),
    }
}

/// Asks the server; nothing if it does not say all of it.
async fn ask(library: &Library) -> Option<Amounts> {
    let contents = library.contents();
    let kinds: &[Counted] = match contents {
        Contents::Music => &[Counted::Artists, Counted::Albums, Counted::Tracks],
        Contents::Films => &[Counted::Films],
        Contents::Shows => &[Counted::Shows, Counted::Seasons, Counted::Episodes],
        Contents::Other => return None,
    };
    let shelf = Shelf {
        key: library.id.key.clone(),
        title: library.title.lock().clone(),
        contents,
        stamp: None,
        is_scanning: false,
    };
    let mut amounts = Amounts::default();
    let kind = library.server.origin.settings.kind;
    for of in kinds {
        let body = fetch::run(&library.server, &kind.tally_target(&shelf, *of), Class::Counts).await.ok()?;
        let count = kind.tally(&body).ok()?;
        match of {
            Counted::Films => amounts.films = count,
            Counted::Shows => amounts.shows = count,
            Counted::Seasons => amounts.seasons = count,
            Counted::Episodes => amounts.episodes = count,
            Counted::Artists => amounts.artists = count,
            Counted::Albums => amounts.albums = count,
            Counted::Tracks => amounts.tracks = count,
        }
    }
    Some(amounts)
}
