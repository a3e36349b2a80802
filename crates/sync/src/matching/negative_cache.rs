//! What was not there, and when: it is not looked for again before something came that could be it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use greenroom_library::item::Item;
use greenroom_library::snapshot::push_track;
use greenroom_library::tracks::{Decision, Policy, Reason, TrackIndex, TrackIndexBuilder};
use parking_lot::Mutex;

use super::{Found, Wanted};
use crate::index::{Generation, Library, LibraryId};

/// So many are remembered; the oldest go first.
const MAX_MISSES: usize = 50_000;
/// So many indexes of what came are held.
const MAX_NEWS: usize = 8;
/// Where more than this came, everything is looked through again.
const MAX_CAME: usize = 20_000;

/// What is asked, in one library under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    library: LibraryId,
    policy: u8,
    asked: [u64; 2],
}

impl Question {
    pub(super) fn of(library: &LibraryId, wanted: &Wanted, policy: Policy) -> Self {
        let text = serde_json::to_string(wanted).unwrap_or_default();
        let hash = xxhash_rust::xxh3::xxh3_128(text.as_bytes());
        let halves = [hash >> 64, hash & u128::from(u64::MAX)];
        Self {
            library: library.clone(),
            policy: policy as u8,
            asked: halves.map(|half| u64::try_from(half).unwrap_or_default()),
        }
    }
}

/// A candidate that was not good enough, by the key of its item.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lesser {
    pub(super) key: Box<str>,
    pub(super) score: f32,
    pub(super) reasons: Vec<Reason>,
}

/// What is known of a question.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Up to which generation it is.
    pub(super) number: u64,
    /// What came closest.
    pub(super) lesser: Vec<Lesser>,
    /// What the server answered when it was searched at that time.
    pub(super) searched: Searched,
}

/// What came of searching the server.
#[derive(Debug, Clone)]
pub(super) enum Searched {
    /// It was not.
    No,
    /// Nothing that is meant.
    InVain,
    /// These items, which no snapshot has yet, and what they are worth.
    Shown(Decision, Vec<Found>),
}

#[derive(Debug, Default)]
struct Held {
    known: HashMap<Question, Known>,
    order: VecDeque<Question>,
    news: VecDeque<Arc<News>>,
}

/// What was not there.
#[derive(Debug, Default)]
pub(super) struct Misses {
    held: Mutex<Held>,
}

/// What came between two generations of a library.
#[derive(Debug)]
pub(super) struct News {
    library: LibraryId,
    since: u64,
    until: u64,
    /// An index over it; `None` if that is not known, or too much.
    pub(super) tracks: Option<TrackIndex>,
}

impl Misses {
    pub(super) fn of(&self, question: &Question) -> Option<Known> {
        self.held.lock().known.get(question).cloned()
    }

    pub(super) fn remember(&self, question: Question, known: Known) {
        let mut held = self.held.lock();
        if held.known.insert(question.clone(), known).is_none() {
            held.order.push_back(question);
        }
        while held.known.len() > MAX_MISSES {
            let Some(oldest) = held.order.pop_front() else { return };
            held.known.remove(&oldest);
        }
        // What was forgotten one by one still stands in the order.
        if held.order.len() > 2 * MAX_MISSES {
            let Held { known, order, .. } = &mut *held;
            order.retain(|question| known.contains_key(question));
        }
    }

    pub(super) fn forget(&self, question: &Question) {
        self.held.lock().known.remove(question);
    }

    /// Somebody decided something: what is known of this library may be wrong.
    pub(super) fn forget_all_of(&self, library: &LibraryId) {
        let mut held = self.held.lock();
        held.known.retain(|question, _| question.library != *library);
        let Held { known, order, .. } = &mut *held;
        order.retain(|question| known.contains_key(question));
    }

    /// Somebody decided something, and it is not known about which library.
    pub(super) fn forget_everything(&self) {
        let mut held = self.held.lock();
        held.known.clear();
        held.order.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.held.lock().known.len()
    }

    /// What came to a library since a generation. It is indexed once for all who ask.
    pub(super) fn news(&self, library: &Library, since: u64, generation: &Generation) -> Arc<News> {
        let is_it = |news: &Arc<News>| {
            news.library == library.id && news.since == since && news.until == generation.number
        };
        if let Some(news) = self.held.lock().news.iter().find(|news| is_it(news)) {
            return Arc::clone(news);
        }
        let rows = library.changed_since(since);
        // The rows are those of the newest generation, which another one may have become meanwhile.
        let is_newest = library.generation().is_some_and(|newest| newest.number == generation.number);
        let rows = rows.filter(|rows| is_newest && rows.len() <= MAX_CAME);
        let tracks = rows.map(|rows| {
            let items: Vec<Item> = rows.iter().filter_map(|row| generation.snapshot.item(*row)).collect();
            index_of(&items)
        });
        let news = Arc::new(News { library: library.id.clone(), since, until: generation.number, tracks });
        let mut held = self.held.lock();
        if held.news.len() == MAX_NEWS {
            held.news.pop_front();
        }
        held.news.push_back(Arc::clone(&news));
        news
    }
}

/// An index over a few items; its rows are their places.
pub(super) fn index_of(items: &[Item]) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for item in items {
        push_track(&mut builder, item);
    }
    builder.build()
}
