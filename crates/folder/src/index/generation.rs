//! A complete list of a folder's files at one time, with its orders.

use greenroom_cache::Timestamp;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::file_details::MetadataState;
use crate::file_entry::FileEntry;
use crate::natural_key::natural_key;

/// Max bytes of a file's sort key; files whose keys differ only beyond them are ordered by path.
pub const MAX_KEY_BYTES: usize = 256;

/// An order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FolderSort)]
pub enum SortOrder {
    /// By name, in natural order.
    Name,
    /// By time of the last change.
    Date,
    /// By size.
    Size,
    /// By series, volume and number; files without a series come last.
    Series,
}

impl SortOrder {
    /// All orders.
    pub const EVERY: [Self; 4] = [Self::Name, Self::Date, Self::Size, Self::Series];

    /// Its name in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Date => "date",
            Self::Size => "size",
            Self::Series => "series",
        }
    }

    /// The order with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|order| order.word() == word)
    }

    /// The sort key of a file, of at most [`MAX_KEY_BYTES`]; comparing the bytes of two keys gives this order.
    pub fn key(self, file: &FileEntry) -> Box<[u8]> {
        match self {
            Self::Name => cut(&file.name_key).into(),
            // A flipped sign bit makes the byte order of signed numbers their own.
            Self::Date => Box::new((file.stat.mtime_ns ^ i64::MIN).to_be_bytes()),
            Self::Size => Box::new(file.stat.size.to_be_bytes()),
            Self::Series => series_key(file),
        }
    }

    /// Compares two files: by sort key, then by path.
    pub fn compare(self, a: &FileEntry, b: &FileEntry) -> Ordering {
        let by_value = match self {
            Self::Name => cut(&a.name_key).cmp(cut(&b.name_key)),
            Self::Date => a.stat.mtime_ns.cmp(&b.stat.mtime_ns),
            Self::Size => a.stat.size.cmp(&b.stat.size),
            Self::Series => series_key(a).cmp(&series_key(b)),
        };
        by_value.then_with(|| a.path.cmp(&b.path))
    }
}

/// The part of a key that is compared, so that a cursor has a limit.
fn cut(key: &[u8]) -> &[u8] {
    &key[..key.len().min(MAX_KEY_BYTES)]
}

/// Series, volume and number of a file, in natural order.
fn series_key(file: &FileEntry) -> Box<[u8]> {
    let comic = file.details.as_ref().and_then(|details| details.comic.as_deref());
    let Some(series) = comic.and_then(|comic| comic.series.as_deref()) else {
        return cut(&[&[0xff][..], &file.name_key].concat()).into();
    };
    let part = |text: Option<&str>| natural_key(text.unwrap_or_default());
    let (volume, number) =
        (comic.and_then(|comic| comic.volume.as_deref()), comic.and_then(|comic| comic.number.as_deref()));
    cut(&[&natural_key(series)[..], &[0], &part(volume), &[0], &part(number)].concat()).into()
}

/// A complete list of a folder's files at one time. It never changes.
#[derive(Debug, Default)]
pub struct FolderGeneration {
    /// Its number, which only grows.
    pub number: u64,
    /// When it was published.
    pub published_ms: Timestamp,
    /// All files, ordered by path.
    pub files: Vec<Arc<FileEntry>>,
    /// Positions of the files, for each order.
    orders: [Vec<u32>; 4],
    /// Files whose metadata is read, unsupported or unreadable.
    pub enriched: usize,
    /// Places of the files by their numbers.
    places: HashMap<u64, u32>,
}

impl FolderGeneration {
    /// Makes a generation of files that are ordered by path. The orders follow from those of the generation before, so
    /// that a small change costs little.
    pub fn new(number: u64, published_ms: Timestamp, files: Vec<Arc<FileEntry>>, before: Option<&Self>) -> Self {
        let places: HashMap<u64, u32> = files.iter().zip(0..).map(|(file, place)| (file.id, place)).collect();
        let has_series = files.iter().any(|file| file.details.as_ref().is_some_and(|details| details.comic.is_some()));
        let mut orders = SortOrder::EVERY.map(|order| {
            if order == SortOrder::Series && !has_series {
                return Vec::new();
            }
            let mut sorted = before.map(|before| before.carry_order(order, &places, files.len())).unwrap_or_default();
            if before.is_none() {
                sorted.extend(0..u32::try_from(files.len()).unwrap_or(u32::MAX));
            }
            sort(&mut sorted, &files, order);
            sorted
        });
        if !has_series {
            // Files without a series are ordered by name.
            let by_name = orders[SortOrder::Name as usize].clone();
            orders[SortOrder::Series as usize] = by_name;
        }
        let is_enriched = |file: &&Arc<FileEntry>| {
            file.details.as_ref().is_some_and(|details| details.metadata != MetadataState::Pending)
        };
        let enriched = files.iter().filter(is_enriched).count();
        Self { number, published_ms, files, orders, enriched, places }
    }

    /// Places of the files of this generation's order that are still there, and then of the others.
    fn carry_order(&self, order: SortOrder, places: &HashMap<u64, u32>, count: usize) -> Vec<u32> {
        let mut is_placed = vec![false; count];
        let mut sorted = Vec::with_capacity(count);
        for place in self.order(order) {
            let id = self.files[*place as usize].id;
            if let Some(place) = places.get(&id).filter(|place| !is_placed[**place as usize]) {
                is_placed[*place as usize] = true;
                sorted.push(*place);
            }
        }
        sorted.extend((0..).zip(is_placed).filter(|(_, is_placed)| !is_placed).map(|(place, _)| place));
        sorted
    }

    /// Places of all files in an order.
    pub fn order(&self, order: SortOrder) -> &[u32] {
        &self.orders[order as usize]
    }

    /// The file with this number.
    pub fn find_by_id(&self, id: u64) -> Option<&Arc<FileEntry>> {
        self.places.get(&id).and_then(|place| self.files.get(*place as usize))
    }

    /// The file at this path.
    pub fn find(&self, path: &str) -> Option<&Arc<FileEntry>> {
        self.files.binary_search_by(|file| (*file.path).cmp(path)).ok().map(|place| &self.files[place])
    }
}

/// Sorts positions; sorting an almost sorted list takes nearly linear time.
fn sort(places: &mut [u32], files: &[Arc<FileEntry>], order: SortOrder) {
    if order == SortOrder::Series {
        places.sort_by_cached_key(|place| {
            let file = &files[*place as usize];
            (series_key(file), file.path.clone())
        });
    } else {
        places.sort_by(|a, b| order.compare(&files[*a as usize], &files[*b as usize]));
    }
}
