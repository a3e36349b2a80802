//! Order of lists: `sort=show.titleSort,season.index:desc`.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::condition::targets;
use super::field;
use crate::kind;
use crate::request::PlexReadRequest;
use greenroom_simulator_backend::catalogue::{ItemId, MediaKind, SortKey, SortValue, SortedIds};

/// A whole sorted list.
pub(super) struct SortedList {
    ids: SortedIds,
    reversed: bool,
}

impl SortedList {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = ItemId> + '_> {
        if self.reversed { Box::new(self.ids.iter().rev().copied()) } else { Box::new(self.ids.iter().copied()) }
    }
}

/// Sort criterion of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SortCriterion {
    /// A field of the item itself.
    Own(SortKey),
    /// Number within its parent.
    Index,
    /// User state: the name of the field.
    State(&'static str),
    /// Random order.
    Random,
}

struct SortSpec {
    scope: MediaKind,
    by: SortCriterion,
    descending: bool,
}

/// All items of a kind in the order of `sort`, by title if it names no known order.
pub(super) fn ordered(call: &PlexReadRequest<'_>, listed: MediaKind, sort: Option<&str>) -> SortedList {
    let sorts: Vec<SortSpec> = sort.unwrap_or("").split(',').filter_map(|part| parsed(part, listed)).collect();
    match sorts.as_slice() {
        [] => SortedList { ids: call.view.list(listed, SortKey::Title), reversed: false },
        [SortSpec { scope, by: SortCriterion::Own(key), descending }] if *scope == listed => {
            SortedList { ids: call.view.list(listed, *key), reversed: *descending }
        }
        [SortSpec { scope, by: SortCriterion::State(name), descending }] if *scope == listed => {
            by_state(call, listed, name, *descending)
        }
        sorts => by_values(call, listed, sorts),
    }
}

fn parsed(part: &str, listed: MediaKind) -> Option<SortSpec> {
    let (name, direction) = part.trim().split_once(':').unwrap_or((part.trim(), ""));
    let (scope, plain) = match name.split_once('.') {
        Some((scope, plain)) => (kind::named(scope)?, plain),
        None => (listed, name),
    };
    let by = match plain {
        "titleSort" | "title" => SortCriterion::Own(SortKey::Title),
        "addedAt" => SortCriterion::Own(SortKey::Added),
        "updatedAt" => SortCriterion::Own(SortKey::Updated),
        "year" => SortCriterion::Own(SortKey::Year),
        "originallyAvailableAt" => SortCriterion::Own(SortKey::Released),
        "duration" => SortCriterion::Own(SortKey::Duration),
        "rating" => SortCriterion::Own(SortKey::Rating),
        "audienceRating" => SortCriterion::Own(SortKey::AudienceRating),
        "contentRating" => SortCriterion::Own(SortKey::ContentRating),
        "mediaHeight" => SortCriterion::Own(SortKey::Height),
        "mediaBitrate" => SortCriterion::Own(SortKey::Bitrate),
        "index" | "absoluteIndex" => SortCriterion::Index,
        "id" => SortCriterion::Own(SortKey::Id),
        "lastViewedAt" | "viewUpdatedAt" => SortCriterion::State("lastViewedAt"),
        "viewCount" => SortCriterion::State("viewCount"),
        "viewOffset" => SortCriterion::State("viewOffset"),
        "userRating" => SortCriterion::State("userRating"),
        "lastRatedAt" => SortCriterion::State("lastRatedAt"),
        "unviewedLeafCount" => SortCriterion::State("unviewedLeafCount"),
        "random" => SortCriterion::Random,
        _ => return None,
    };
    Some(SortSpec { scope, by, descending: direction == "desc" })
}

/// Users have state on few items: those are sorted, the rest follows (or precedes) by title.
fn by_state(call: &PlexReadRequest<'_>, listed: MediaKind, name: &'static str, descending: bool) -> SortedList {
    let titles = call.view.list(listed, SortKey::Title);
    let mut touched: HashMap<ItemId, u64> = HashMap::new();
    for (item, _) in call.view.watches(call.user.id) {
        let mut at = Some(item);
        while let Some(here) = at {
            if call.view.kind(here) == Some(listed) {
                let value = call.view.record(here).and_then(|record| field::number(call, &record, name));
                touched.insert(here, whole(value));
            }
            at = call.view.parent(here);
        }
    }
    let mut with: Vec<ItemId> = titles.iter().copied().filter(|id| touched.get(id).is_some_and(|v| *v > 0)).collect();
    let without = titles.iter().copied().filter(|id| touched.get(id).is_none_or(|value| *value == 0));
    with.sort_by_key(|id| touched[id]);
    let ids: Vec<ItemId> = if descending {
        with.reverse();
        with.into_iter().chain(without).collect()
    } else {
        without.chain(with).collect()
    };
    SortedList { ids: ids.into(), reversed: false }
}

/// Tenths are preserved.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "values are small and not negative")]
fn whole(value: Option<f64>) -> u64 {
    value.map_or(0, |value| (value * 10.0) as u64)
}

fn by_values(call: &PlexReadRequest<'_>, listed: MediaKind, sorts: &[SortSpec]) -> SortedList {
    let titles = call.view.list(listed, SortKey::Title);
    let mut rows: Vec<(Vec<SortValue>, ItemId)> =
        titles.iter().map(|id| (sorts.iter().map(|sort| value(call, *id, listed, sort)).collect(), *id)).collect();
    rows.sort_by(|one, other| {
        let pairs = one.0.iter().zip(&other.0).zip(sorts);
        pairs
            .map(|((a, b), sort)| if sort.descending { b.cmp(a) } else { a.cmp(b) })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    });
    SortedList { ids: rows.into_iter().map(|(_, id)| id).collect::<Vec<_>>().into(), reversed: false }
}

/// Sort value of an item. Where the scope is below it, the largest counts: the newest episode of a show.
fn value(call: &PlexReadRequest<'_>, id: ItemId, listed: MediaKind, sort: &SortSpec) -> SortValue {
    let values = targets(call, id, listed, sort.scope).into_iter().map(|target| {
        let record = call.view.record(target);
        match (sort.by, record) {
            (SortCriterion::Random, _) => SortValue::Number(call.catalogue().rng().draw("random", u64::from(target.0))),
            (_, None) => SortValue::Number(0),
            (SortCriterion::Own(key), Some(record)) => key.value(&record),
            (SortCriterion::Index, Some(record)) => SortValue::Number(u64::from(record.index.unwrap_or(0))),
            (SortCriterion::State(name), Some(record)) => SortValue::Number(whole(field::number(call, &record, name))),
        }
    });
    values.max().unwrap_or(SortValue::Number(0))
}
