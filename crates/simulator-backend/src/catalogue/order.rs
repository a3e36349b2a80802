//! Sort orders of lists, computed once per kind on first use and cached.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Catalogue, ItemId, ItemRecord, MediaKind};

/// Max cached orders, by (kind, key); above it all are dropped. Each takes 4 bytes per item.
const MAX_KEPT: usize = 48;

/// Sort keys of the catalogue itself. Orders by user state are built on these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// By id.
    Id,
    /// By title, articles aside.
    Title,
    /// By time of addition.
    Added,
    /// By time of the last change.
    Updated,
    /// By year.
    Year,
    /// By day of release.
    Released,
    /// By length.
    Duration,
    /// By critics' rating.
    Rating,
    /// By audience rating.
    AudienceRating,
    /// By age rating.
    ContentRating,
    /// By video height.
    Height,
    /// By bitrate.
    Bitrate,
    /// By parent, then by number.
    Place,
}

/// A value to order by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// A number.
    Number(u64),
    /// A text in lower case.
    Text(String),
    /// Titles and numbers from the top-level parent down.
    Path(Vec<(String, u32)>),
}

impl SortKey {
    /// The value of `record` for this order.
    pub fn value(self, record: &ItemRecord) -> SortValue {
        match self {
            Self::Id => SortValue::Number(u64::from(record.id.0)),
            Self::Title => SortValue::Text(record.title_sort.to_lowercase()),
            Self::Added => SortValue::Number(record.added_at),
            Self::Updated => SortValue::Number(record.updated_at),
            Self::Year => SortValue::Number(u64::from(record.year.unwrap_or(0))),
            Self::Released => SortValue::Text(record.released.map(super::CalendarDate::iso).unwrap_or_default()),
            Self::Duration => SortValue::Number(record.duration_ms.unwrap_or(0)),
            Self::Rating => SortValue::Number(u64::from(record.rating.unwrap_or(0))),
            Self::AudienceRating => SortValue::Number(u64::from(record.audience_rating.unwrap_or(0))),
            Self::ContentRating => SortValue::Text(record.content_rating.clone().unwrap_or_default()),
            Self::Height => {
                let video = record.file.as_ref().and_then(|file| file.video);
                SortValue::Number(u64::from(video.map_or(0, |video| video.height)))
            }
            Self::Bitrate => SortValue::Number(u64::from(record.file.as_ref().map_or(0, |file| file.bitrate))),
            Self::Place => SortValue::Path(
                [record.grandparent.as_ref(), record.parent.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(|above| (super::sortable(&above.title).to_lowercase(), above.index.unwrap_or(0)))
                    .chain([(String::new(), record.index.unwrap_or(0))])
                    .collect(),
            ),
        }
    }
}

/// A complete order.
pub type SortedIds = Arc<Vec<ItemId>>;

/// Cached orders.
#[derive(Debug, Default)]
pub struct SortIndex {
    kept: Mutex<HashMap<(MediaKind, SortKey), SortedIds>>,
}

impl SortIndex {
    /// All ids of `kind` in ascending order of `key`; equal ones in order of id.
    pub fn get(&self, catalogue: &Catalogue, kind: MediaKind, key: SortKey) -> SortedIds {
        if let Some(order) = self.kept.lock().get(&(kind, key)) {
            return Arc::clone(order);
        }
        let order = Arc::new(sorted(catalogue, kind, key));
        let mut kept = self.kept.lock();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert((kind, key), Arc::clone(&order));
        order
    }
}

fn sorted(catalogue: &Catalogue, kind: MediaKind, key: SortKey) -> Vec<ItemId> {
    match key {
        SortKey::Id | SortKey::Added => catalogue.ids(kind).collect(),
        SortKey::Title => by_title(catalogue, kind),
        _ => {
            let mut rows: Vec<(SortValue, ItemId)> = catalogue
                .ids(kind)
                .filter_map(|id| catalogue.record(id).map(|record| (key.value(&record), id)))
                .collect();
            rows.sort_unstable();
            rows.into_iter().map(|(_, id)| id).collect()
        }
    }
}

/// By title, without holding every title of a large catalogue: sorts by the first bytes, and compares equal ones in
/// full.
fn by_title(catalogue: &Catalogue, kind: MediaKind) -> Vec<ItemId> {
    let title = |id: ItemId| super::sortable(&catalogue.title(id).unwrap_or_default()).to_lowercase();
    let mut rows: Vec<([u8; 16], ItemId)> = catalogue
        .ids(kind)
        .map(|id| {
            let mut start = [0; 16];
            for (to, from) in start.iter_mut().zip(title(id).bytes()) {
                *to = from;
            }
            (start, id)
        })
        .collect();
    rows.sort_unstable();
    for alike in rows.chunk_by_mut(|one, other| one.0 == other.0) {
        if alike.len() > 1 {
            alike.sort_by_cached_key(|(_, id)| (title(*id), *id));
        }
    }
    rows.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::CatalogueSize;

    #[test]
    fn the_order_by_title_is_the_order_of_whole_titles() {
        let catalogue = Catalogue::new(3, CatalogueSize::with_tracks(3_000), 1_760_000_000);
        let order = SortIndex::default().get(&catalogue, MediaKind::Track, SortKey::Title);
        let titles: Vec<SortValue> =
            order.iter().filter_map(|id| catalogue.record(*id)).map(|record| SortKey::Title.value(&record)).collect();
        assert_eq!(titles.len(), 3_000);
        assert!(titles.is_sorted());
    }

    #[test]
    fn the_order_by_addition_is_true_to_the_records() {
        let catalogue = Catalogue::new(3, CatalogueSize::tiny(), 1_760_000_000);
        let orders = SortIndex::default();
        for kind in [MediaKind::Film, MediaKind::Show, MediaKind::Album] {
            let order = orders.get(&catalogue, kind, SortKey::Added);
            let added: Vec<u64> = order.iter().map(|id| catalogue.added_at(*id)).collect();
            assert!(added.is_sorted(), "{kind:?}");
        }
    }
}
