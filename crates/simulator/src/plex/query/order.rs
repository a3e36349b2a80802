//! The order of lists: `sort=show.titleSort,season.index:desc`.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::condition::targets;
use super::field;
use crate::catalogue::{ItemId, Kind, Order, SortKey, SortValue};
use crate::plex::call::Call;
use crate::plex::kind;

/// A whole list in its order.
pub(super) struct Ordered {
    ids: Order,
    reversed: bool,
}

impl Ordered {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = ItemId> + '_> {
        if self.reversed {
            Box::new(self.ids.iter().rev().copied())
        } else {
            Box::new(self.ids.iter().copied())
        }
    }
}

/// What lists are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Something of the item itself.
    Own(SortKey),
    /// The number within what it lies in.
    Index,
    /// Something this user did: the name of the field.
    State(&'static str),
    /// Chance.
    Random,
}

struct Sort {
    scope: Kind,
    by: By,
    descending: bool,
}

/// All items of a kind in the order `sort` asks for, by title if it asks for none that is known.
pub(super) fn ordered(call: &Call<'_>, listed: Kind, sort: Option<&str>) -> Ordered {
    let sorts: Vec<Sort> = sort.unwrap_or("").split(',').filter_map(|part| parsed(part, listed)).collect();
    match sorts.as_slice() {
        [] => Ordered { ids: call.view.list(listed, SortKey::Title), reversed: false },
        [Sort { scope, by: By::Own(key), descending }] if *scope == listed => {
            Ordered { ids: call.view.list(listed, *key), reversed: *descending }
        }
        [Sort { scope, by: By::State(name), descending }] if *scope == listed => {
            by_state(call, listed, name, *descending)
        }
        sorts => by_values(call, listed, sorts),
    }
}

fn parsed(part: &str, listed: Kind) -> Option<Sort> {
    let (name, direction) = part.trim().split_once(':').unwrap_or((part.trim(), ""));
    let (scope, plain) = match name.split_once('.') {
        Some((scope, plain)) => (kind::named(scope)?, plain),
        None => (listed, name),
    };
    let by = match plain {
        "titleSort" | "title" => By::Own(SortKey::Title),
        "addedAt" => By::Own(SortKey::Added),
        "updatedAt" => By::Own(SortKey::Updated),
        "year" => By::Own(SortKey::Year),
        "originallyAvailableAt" => By::Own(SortKey::Released),
        "duration" => By::Own(SortKey::Duration),
        "rating" => By::Own(SortKey::Rating),
        "audienceRating" => By::Own(SortKey::AudienceRating),
        "contentRating" => By::Own(SortKey::ContentRating),
        "mediaHeight" => By::Own(SortKey::Height),
        "mediaBitrate" => By::Own(SortKey::Bitrate),
        "index" | "absoluteIndex" => By::Index,
        "id" => By::Own(SortKey::Id),
        "lastViewedAt" | "viewUpdatedAt" => By::State("lastViewedAt"),
        "viewCount" => By::State("viewCount"),
        "viewOffset" => By::State("viewOffset"),
        "userRating" => By::State("userRating"),
        "lastRatedAt" => By::State("lastRatedAt"),
        "unviewedLeafCount" => By::State("unviewedLeafCount"),
        "random" => By::Random,
        _ => return None,
    };
    Some(Sort { scope, by, descending: direction == "desc" })
}

/// Users have state on few items: those are sorted, the rest follows (or precedes) by title.
fn by_state(call: &Call<'_>, listed: Kind, name: &'static str, descending: bool) -> Ordered {
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
    let mut with: Vec<ItemId> =
        titles.iter().copied().filter(|id| touched.get(id).is_some_and(|v| *v > 0)).collect();
    let without = titles.iter().copied().filter(|id| touched.get(id).is_none_or(|value| *value == 0));
    with.sort_by_key(|id| touched[id]);
    let ids: Vec<ItemId> = if descending {
        with.reverse();
        with.into_iter().chain(without).collect()
    } else {
        without.chain(with).collect()
    };
    Ordered { ids: ids.into(), reversed: false }
}

/// Tenths are kept.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values are small and not negative"
)]
fn whole(value: Option<f64>) -> u64 {
    value.map_or(0, |value| (value * 10.0) as u64)
}

fn by_values(call: &Call<'_>, listed: Kind, sorts: &[Sort]) -> Ordered {
    let titles = call.view.list(listed, SortKey::Title);
    let mut rows: Vec<(Vec<SortValue>, ItemId)> = titles
        .iter()
        .map(|id| (sorts.iter().map(|sort| value(call, *id, listed, sort)).collect(), *id))
        .collect();
    rows.sort_by(|one, other| {
        let pairs = one.0.iter().zip(&other.0).zip(sorts);
        pairs
            .map(|((a, b), sort)| if sort.descending { b.cmp(a) } else { a.cmp(b) })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    });
    Ordered { ids: rows.into_iter().map(|(_, id)| id).collect::<Vec<_>>().into(), reversed: false }
}

/// The value of an item. Where the scope lies below it, the largest counts: the newest episode of a show.
fn value(call: &Call<'_>, id: ItemId, listed: Kind, sort: &Sort) -> SortValue {
    let values = targets(call, id, listed, sort.scope).into_iter().map(|target| {
        let record = call.view.record(target);
        match (sort.by, record) {
            (By::Random, _) => {
                SortValue::Number(call.catalogue().chance().draw("random", u64::from(target.0)))
            }
            (_, None) => SortValue::Number(0),
            (By::Own(key), Some(record)) => key.value(&record),
            (By::Index, Some(record)) => SortValue::Number(u64::from(record.index.unwrap_or(0))),
            (By::State(name), Some(record)) => SortValue::Number(whole(field::number(call, &record, name))),
        }
    });
    values.max().unwrap_or(SortValue::Number(0))
}
