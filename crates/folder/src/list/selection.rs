//! The files of a query in their order, and a small cache of them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::filter::{ListFilter, MarkMasks, is_unread};
use super::page::ListCounts;
use super::search_index::SearchIndex;
use crate::index::{FolderGeneration, SortOrder};

/// Max queries that are remembered.
const MAX_SELECTIONS: usize = 16;

/// Files of a query, as places in the generation, in ascending order.
#[derive(Debug)]
pub struct Selection {
    /// Their places.
    pub places: Arc<Vec<u32>>,
    /// Number of files of the folder that pass each filter.
    pub counts: Arc<ListCounts>,
}

/// Everything that a selection depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SelectionKey {
    generation: u64,
    marks: u64,
    words: Vec<String>,
    filter: ListFilter,
    sort: SortOrder,
}

#[derive(Debug, Default)]
struct CachedSelections {
    selections: VecDeque<(SelectionKey, Arc<Selection>)>,
    counts: Option<(u64, u64, Arc<ListCounts>)>,
    search: Option<(u64, Arc<SearchIndex>)>,
}

/// The last selections, so that further pages of a list cost no search.
#[derive(Debug, Default)]
pub struct SelectionCache {
    cached: Mutex<CachedSelections>,
}

/// A selection to make.
#[derive(Debug, Clone, Copy)]
pub struct SelectionRequest<'a> {
    /// Of this generation.
    pub generation: &'a FolderGeneration,
    /// Version of its marks.
    pub marks: u64,
    /// Words of the search.
    pub words: &'a [String],
    /// The filter.
    pub filter: &'a ListFilter,
    /// The order.
    pub sort: SortOrder,
    /// Bits of the marks.
    pub masks: MarkMasks,
    /// Numbers of files that seem to be duplicates.
    pub proposed: &'a HashSet<u64>,
    /// Names of all marks, by bit.
    pub mark_names: &'a [String],
}

impl SelectionCache {
    /// The selection of a request, made anew if it is not remembered.
    pub fn select(&self, request: SelectionRequest<'_>) -> Arc<Selection> {
        let key = SelectionKey {
            generation: request.generation.number,
            marks: request.marks,
            words: request.words.to_vec(),
            filter: request.filter.clone(),
            sort: request.sort,
        };
        let known =
            self.cached.lock().selections.iter().find(|(other, _)| *other == key).map(|(_, found)| Arc::clone(found));
        if let Some(known) = known {
            return known;
        }
        let counts = self.counts(&request);
        let selection = Arc::new(Selection { places: Arc::new(self.places(&request)), counts });
        let mut cached = self.cached.lock();
        cached.selections.retain(|(other, _)| other.generation == key.generation && other.marks == key.marks);
        cached.selections.push_front((key, Arc::clone(&selection)));
        cached.selections.truncate(MAX_SELECTIONS);
        selection
    }

    /// The searchable text of a generation.
    pub fn search_index(&self, generation: &FolderGeneration) -> Arc<SearchIndex> {
        let known = self.cached.lock().search.clone().filter(|(number, _)| *number == generation.number);
        if let Some((_, known)) = known {
            return known;
        }
        let index = Arc::new(SearchIndex::new(generation));
        self.cached.lock().search = Some((generation.number, Arc::clone(&index)));
        index
    }

    fn places(&self, request: &SelectionRequest<'_>) -> Vec<u32> {
        let generation = request.generation;
        let order = generation.order(request.sort).iter().copied();
        if request.words.is_empty() && *request.filter == ListFilter::All {
            return order.collect();
        }
        let found = (!request.words.is_empty()).then(|| self.search_index(generation).find(request.words));
        let is_passed = |place: &u32| {
            let at = *place as usize;
            found.as_ref().is_none_or(|found| found[at])
                && request.filter.is_passed(&generation.files[at], &request.masks, request.proposed)
        };
        order.filter(is_passed).collect()
    }

    fn counts(&self, request: &SelectionRequest<'_>) -> Arc<ListCounts> {
        let version = (request.generation.number, request.marks);
        let known = self.cached.lock().counts.clone();
        if let Some((generation, marks, counts)) = known
            && (generation, marks) == version
        {
            return counts;
        }
        let counts = Arc::new(count(request));
        self.cached.lock().counts = Some((version.0, version.1, Arc::clone(&counts)));
        counts
    }
}

fn count(request: &SelectionRequest<'_>) -> ListCounts {
    let mut counts = ListCounts { all: request.generation.files.len(), ..ListCounts::default() };
    let mut by_bit = [0_usize; u32::BITS as usize];
    for file in &request.generation.files {
        let mut bits = file.marks.bits();
        counts.marked += usize::from(bits & request.masks.main != 0);
        let is_duplicate = bits & request.masks.duplicate != 0 || request.proposed.contains(&file.id);
        counts.duplicates += usize::from(is_duplicate);
        counts.unread += usize::from(is_unread(file));
        while bits != 0 {
            by_bit[bits.trailing_zeros() as usize] += 1;
            bits &= bits - 1;
        }
    }
    counts.unmarked = counts.all - counts.marked;
    counts.marks = request.mark_names.iter().cloned().zip(by_bit).collect();
    counts
}
