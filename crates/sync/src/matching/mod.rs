//! Which item of a library is meant, with what was decided before.
//!
//! | room | is |
//! |---|---|
//! | [`query`] | a track somebody looks for, and the keys of decisions about it |
//! | [`identity`] | what an item is beyond its key |
//! | [`pin`] | one decision: a pin, a rejection, or what was confirmed by use |
//! | [`store`] | where they are kept; `decisions`: making them, listing them, taking them back |
//! | `resolving` | one track after the other: decisions, known misses, the index |
//! | `finder` | items by their files and names; [`path_lookup`]: paths and names looked up for others |
//! | `misses`, `disowned` | what is not there, as far as is known |
//! | `live` | searching the server, within a budget |
//! | [`counters`] | what is counted |
//!
//! A decision names an item by the key it had and by what it is. The key is believed only if the item under it is still
//! that one; otherwise the item is looked for by its files and names, and the decision follows it. What was confirmed
//! and is gone is forgotten; a pin stays, says so, and counts again when the item is back.

pub mod counters;
mod decisions;
pub mod identity;
mod item_locator;
mod live;
mod missing_on_server;
mod negative_cache;
pub mod path_lookup;
pub mod pin;
pub mod query;
mod session;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greenroom_library::item::Item;
use greenroom_library::tracks::{Decision, Policy, Reason};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::index::{Generation, Library};
use counters::{Count, Tally};
use greenroom_state::error::{Failing, Trouble};
use greenroom_state::file_lane::FileLane;
use item_locator::Finders;
use missing_on_server::Disowned;
use negative_cache::{Misses, Question, Searched};
use pin::Ruling;
use query::Keys;
use session::Session;
use store::{NotKept, Store};

pub use query::Wanted;

/// Batches that are worked on at a time: each takes a processor.
const AT_ONCE: usize = 2;
/// Tracks that one thread resolves before others have their turn.
const CHUNK: usize = 500;

/// An item that may be the one.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The item, as the snapshot has it.
    pub item: Item,
    /// From 0 to 1.1.
    pub score: f32,
    /// What speaks for and against it.
    pub reasons: Vec<Reason>,
}

/// Where a verdict comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MatchSource)]
pub enum Source {
    /// Somebody decided so.
    Pin,
    /// It was confirmed before.
    Confirmed,
    /// The index.
    Index,
    /// It was not there, and nothing came since that could be it.
    Miss,
    /// The server was searched.
    Live,
}

impl Source {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Confirmed => "confirmed",
            Self::Index => "index",
            Self::Miss => "miss",
            Self::Live => "live",
        }
    }

    /// What a verdict rests on that needed no judging: a word for it, and a sentence for people.
    pub fn reason(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Pin => Some(("pinned", "somebody said that it is this one")),
            Self::Confirmed => Some(("confirmed", "it was used before, and the server had it")),
            Self::Index | Self::Miss | Self::Live => None,
        }
    }
}

/// What came of one track.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// What is to be done.
    pub decision: Decision,
    /// Where that comes from.
    pub source: Source,
    /// How far the first is before the next that is another recording.
    pub margin: f32,
    /// At most five, the best first; if accepted, the first is the one.
    pub found: Vec<Found>,
    /// Whether the server was searched for it just now, whatever came of that.
    pub is_searched: bool,
}

impl Resolved {
    /// The item that was accepted.
    pub fn accepted(&self) -> Option<&Item> {
        (self.decision == Decision::Accept).then(|| self.found.first().map(|found| &found.item)).flatten()
    }

    fn decided(source: Source, item: Item) -> Self {
        let found = vec![Found { item, score: 1.0, reasons: Vec::new() }];
        Self { decision: Decision::Accept, source, margin: 1.0, found, is_searched: false }
    }

    fn live(decision: Decision, found: Vec<Found>) -> Self {
        let margin = if decision == Decision::Accept { 1.0 } else { 0.0 };
        Self { decision, source: Source::Live, margin, found, is_searched: false }
    }

    fn nothing() -> Self {
        let (decision, source) = (Decision::Reject, Source::Index);
        Self { decision, source, margin: 0.0, found: Vec::new(), is_searched: false }
    }
}

/// Whether the server may be searched for what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Live {
    /// It is not.
    #[default]
    Off,
    /// With so many requests at most, and no more than are configured.
    UpTo(usize),
}

/// Why a decision is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no snapshot of the library yet.
    NoSnapshot,
    /// The library has no item with this key.
    UnknownItem,
    /// Nothing is said about what it is for.
    Nothing,
    /// It cannot be kept.
    NotKept(NotKept),
    /// Decisions are not kept at all.
    NoStore,
}

/// Resolves tracks, and remembers what was decided.
#[derive(Debug, Default)]
pub struct Matching {
    shared: Arc<Shared>,
}

/// What threads that resolve share.
#[derive(Debug)]
struct Shared {
    store: Option<Store>,
    settings: greenroom_config::Matching,
    finders: Finders,
    misses: Misses,
    disowned: Disowned,
    tally: Tally,
    budget: live::Budget,
    turns: Arc<Semaphore>,
    lane: FileLane,
    /// Whether it was said that decisions cannot be read.
    has_complained: AtomicBool,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            store: None,
            settings: greenroom_config::Matching::default(),
            finders: Finders::default(),
            misses: Misses::default(),
            disowned: Disowned::default(),
            tally: Tally::default(),
            budget: live::Budget::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            lane: FileLane::default(),
            has_complained: AtomicBool::new(false),
        }
    }
}

impl Shared {
    /// Decisions under these keys. Where they cannot be read there are none, which is said once.
    fn rulings(&self, keys: &Keys) -> Vec<(usize, Ruling)> {
        let mut rulings = Vec::new();
        self.with_store(|store| {
            rulings = store.find(keys)?;
            Ok(())
        });
        rulings
    }

    /// All keys of pins and rejections; none where they cannot be read.
    fn keys_by_hand(&self) -> Arc<HashSet<i64>> {
        let mut keys = Arc::default();
        self.with_store(|store| {
            keys = store.by_hand()?;
            Ok(())
        });
        keys
    }

    fn with_store(&self, work: impl FnOnce(&Store) -> Result<(), Failing>) {
        let Some(store) = &self.store else { return };
        match work(store) {
            Ok(()) => self.has_complained.store(false, Ordering::Relaxed),
            Err(failing) => {
                self.tally.note(Count::NotKept);
                if !self.has_complained.swap(true, Ordering::Relaxed) {
                    tracing::warn!(reason = %failing, "decisions on matches cannot be read or written; pins do not count");
                }
            }
        }
    }

    fn put(&self, rulings: Vec<Ruling>) -> Result<Vec<i64>, Refused> {
        let store = self.store.as_ref().ok_or(Refused::NoStore)?;
        let keyed: Vec<(Ruling, Keys)> = rulings
            .into_iter()
            .map(|ruling| {
                let keys = Keys::of(&ruling.library, &ruling.wanted);
                (ruling, keys)
            })
            .collect();
        store.put(&keyed).map_err(|reason| {
            self.tally.note(Count::NotKept);
            Refused::NotKept(reason)
        })
    }
}

impl Matching {
    /// With the decisions of a data directory, whose state was opened before. Where that failed, none are kept.
    pub fn open(data_dir: &Path, trouble: Option<Trouble>, settings: greenroom_config::Matching) -> Self {
        let opened = match trouble {
            None => Store::open(data_dir, settings.max_decisions),
            Some(trouble) => Err(Failing::new(trouble, "the state cannot be used")),
        };
        let store = opened
            .inspect_err(|failing| {
                tracing::warn!(reason = %failing, "decisions on matches are neither known nor kept");
            })
            .ok();
        Self { shared: Arc::new(Shared { store, settings, ..Shared::default() }) }
    }

    /// What was counted.
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// How many tracks are known not to be there, and how many bytes the indexes of files take.
    pub fn held(&self) -> (usize, usize) {
        (self.shared.misses.len(), self.shared.finders.bytes())
    }

    /// Which items of this library are meant, one for each that is wanted and in their order. Without a snapshot
    /// nothing is found: ask the library first.
    pub async fn resolve(&self, library: &Arc<Library>, wanted: &[Wanted], policy: Policy) -> Vec<Resolved> {
        self.resolve_with(library, wanted, policy, Live::Off).await.1
    }

    /// The same; what is not there is searched for on the server, if that is wanted. Tells which generation it was
    /// resolved against.
    pub async fn resolve_with(
        &self,
        library: &Arc<Library>,
        wanted: &[Wanted],
        policy: Policy,
        live: Live,
    ) -> (Option<Arc<Generation>>, Vec<Resolved>) {
        let Some(generation) = library.generation() else {
            return (None, vec![Resolved::nothing(); wanted.len()]);
        };
        let mut resolved = Vec::with_capacity(wanted.len());
        for chunk in wanted.chunks(CHUNK) {
            let chunk = chunk.to_vec();
            let work =
                move |session: &Session<'_>| chunk.iter().map(|one| session.resolve(one)).collect::<Vec<_>>();
            resolved.extend(self.in_session(library, &generation, policy, work).await);
        }
        if let Live::UpTo(most) = live {
            self.search(library, &generation, (wanted, &mut resolved), policy, most).await;
        }
        (Some(generation), resolved)
    }

    /// Searches the server for what is not there, within the budget.
    async fn search(
        &self,
        library: &Arc<Library>,
        generation: &Arc<Generation>,
        (wanted, resolved): (&[Wanted], &mut [Resolved]),
        policy: Policy,
        most: usize,
    ) {
        let settings = &self.shared.settings;
        let mut left = most.min(settings.live_per_call);
        for (wanted, resolved) in wanted.iter().zip(resolved) {
            if resolved.decision != Decision::Reject {
                continue;
            }
            let question = Question::of(&library.id, wanted, policy);
            let known = self.shared.misses.of(&question);
            let is_searched = known.is_some_and(|known| {
                known.number == generation.number && !matches!(known.searched, Searched::No)
            });
            let Some(title) = live::searchable(&wanted.title).filter(|_| !is_searched) else { continue };
            if !live::may_ask(library) {
                self.shared.tally.note(Count::LiveFailed);
                continue;
            }
            let now_ms = library.server.origin.clock.now_ms();
            let may =
                left > 0 && self.shared.budget.take(library.server.name(), settings.live_per_minute, now_ms);
            if !may {
                self.shared.tally.note(Count::LiveRefused);
                continue;
            }
            left -= 1;
            resolved.is_searched = true;
            self.shared.tally.note(Count::LiveAsked);
            let Some(items) = live::search(library, title).await else {
                self.shared.tally.note(Count::LiveFailed);
                continue;
            };
            let asked = wanted.clone();
            let work = move |session: &Session<'_>| session.judge_live(&asked, items);
            let judged = self.in_session(library, generation, policy, work).await;
            if judged.decision != Decision::Reject {
                self.shared.tally.note(Count::LiveFound);
                *resolved = Resolved { is_searched: true, ..judged };
            }
        }
    }

    /// Works on a thread that may block, when it is its turn.
    async fn in_session<R: Send + 'static>(
        &self,
        library: &Arc<Library>,
        generation: &Arc<Generation>,
        policy: Policy,
        work: impl FnOnce(&Session<'_>) -> R + Send + 'static,
    ) -> R {
        let (generation, owned) = (Arc::clone(generation), Arc::clone(library));
        self.on_a_thread(library, move |shared| {
            let lazy = shared.finders.of(&owned.id, &generation);
            work(&Session { shared, library: &owned, generation: &generation, lazy, policy })
        })
        .await
    }

    async fn on_a_thread<R: Send + 'static>(
        &self,
        library: &Library,
        work: impl FnOnce(&Shared) -> R + Send + 'static,
    ) -> R {
        let turn = Arc::clone(&self.shared.turns).acquire_owned().await;
        let shared = Arc::clone(&self.shared);
        // The turn lasts as long as the work, also where its caller has gone.
        let work = move || (work(&shared), turn).0;
        let done = library.server.origin.tasks.spawn_blocking(work).await;
        done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}
