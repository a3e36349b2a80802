//! Conditions and their combination: `push=1&genre=5&or=1&year>>=2000&pop=1&unwatched=1`.

use super::field::{self, FilterField};
use crate::kind;
use crate::params::{DecodedPair, PlexParams};
use crate::request::{BAD_REQUEST, PlexError, PlexReadRequest};
use greenroom_simulator_backend::catalogue::{ItemId, ItemRecord, MediaKind};

/// Condition on an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FilterCondition {
    /// Any of these groups; all conditions of a group.
    Any(Vec<Vec<FilterCondition>>),
    /// One comparison.
    Compares { scope: Option<MediaKind>, field: FilterField, operator: FilterOperator, values: Vec<String> },
}

/// Comparison operator. Its meaning depends on the type of field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterOperator {
    /// `=`: contains, or equals.
    Like,
    /// `!=`: does not contain, or does not equal.
    Unlike,
    /// `==`: equals.
    Is,
    /// `!==`: does not equal.
    IsNot,
    /// `<=`: begins with, or is at most.
    Begins,
    /// `>=`: ends with, or is at least.
    Ends,
    /// `<<=`: is less than.
    Less,
    /// `>>=`: is more than.
    More,
}

/// Parameters that shape a response but filter no items.
const SHAPES: [&str; 12] = [
    "type",
    "sort",
    "limit",
    "group",
    "having",
    "uri",
    "query",
    "title1",
    "clusterZoomLevel",
    "checkFiles",
    "count",
    "parent",
];

/// The condition in a query. `None` if there is none.
pub(super) fn parse(call: &PlexReadRequest<'_>, params: &PlexParams<'_>) -> Result<Option<FilterCondition>, PlexError> {
    let mut pairs = params.pairs().iter();
    let groups = group(call, &mut pairs)?;
    let groups: Vec<Vec<FilterCondition>> = groups.into_iter().filter(|group| !group.is_empty()).collect();
    Ok((!groups.is_empty()).then_some(FilterCondition::Any(groups)))
}

fn group<'p>(
    call: &PlexReadRequest<'_>,
    pairs: &mut impl Iterator<Item = &'p DecodedPair>,
) -> Result<Vec<Vec<FilterCondition>>, PlexError> {
    let mut groups: Vec<Vec<FilterCondition>> = vec![Vec::new()];
    while let Some(pair) = pairs.next() {
        match pair.name.as_str() {
            "push" => {
                let inner = group(call, pairs)?;
                push(&mut groups, FilterCondition::Any(inner));
            }
            "pop" => break,
            "or" => groups.push(Vec::new()),
            "and" => {}
            _ => {
                if let Some(condition) = comparison(call, pair)? {
                    push(&mut groups, condition);
                }
            }
        }
    }
    Ok(groups)
}

fn push(groups: &mut [Vec<FilterCondition>], condition: FilterCondition) {
    if let Some(last) = groups.last_mut() {
        last.push(condition);
    }
}

fn comparison(call: &PlexReadRequest<'_>, pair: &DecodedPair) -> Result<Option<FilterCondition>, PlexError> {
    let name = pair.name.trim_end_matches(['!', '<', '>', '=']);
    let operator = match &pair.name[name.len()..] {
        "" => FilterOperator::Like,
        "!" => FilterOperator::Unlike,
        "=" => FilterOperator::Is,
        "!=" => FilterOperator::IsNot,
        "<" => FilterOperator::Begins,
        ">" => FilterOperator::Ends,
        "<<" => FilterOperator::Less,
        ">>" => FilterOperator::More,
        _ => return Err(BAD_REQUEST),
    };
    let (scope, plain) = match name.split_once('.') {
        Some((scope, plain)) => (kind::named(scope), plain),
        None => (None, name),
    };
    let Some(field) = FilterField::named(plain) else {
        let shape = SHAPES.contains(&plain)
            || ["include", "exclude", "X-Plex-", "async", "skip"].iter().any(|start| plain.starts_with(start));
        return if shape || !call.switches().unknown_filter_refused { Ok(None) } else { Err(BAD_REQUEST) };
    };
    let whole = matches!(field, FilterField::Text(_));
    let values = if whole { vec![pair.value.clone()] } else { pair.value.split(',').map(str::to_owned).collect() };
    Ok(Some(FilterCondition::Compares { scope, field, operator, values }))
}

impl FilterCondition {
    /// Whether only items that were added or edited while the server ran can match: all others are too old.
    pub(super) fn asks_for_touched(&self, call: &PlexReadRequest<'_>) -> bool {
        let newest = call.catalogue().newest_at() as f64;
        match self {
            Self::Any(groups) => groups.iter().all(|all| all.iter().any(|condition| condition.asks_for_touched(call))),
            Self::Compares { scope: None, field: FilterField::Time("addedAt" | "updatedAt"), operator, values } => {
                let mut wanted = moments(call, values);
                match operator {
                    FilterOperator::More => wanted.all(|value| value >= newest),
                    FilterOperator::Ends => wanted.all(|value| value > newest),
                    _ => false,
                }
            }
            Self::Compares { .. } => false,
        }
    }

    /// Whether an item of the listed kind matches.
    pub(super) fn matches(&self, call: &PlexReadRequest<'_>, id: ItemId, listed: MediaKind) -> bool {
        match self {
            Self::Any(groups) => groups.iter().any(|all| all.iter().all(|one| one.matches(call, id, listed))),
            Self::Compares { scope: None, field: FilterField::Text("title"), operator, values } => {
                let title = call.view.title(id).unwrap_or_default();
                values.iter().any(|value| text_fits(&title, *operator, value))
            }
            Self::Compares {
                scope: None,
                field: FilterField::Time(name @ ("addedAt" | "updatedAt")),
                operator,
                values,
            } => {
                let Some((added_at, updated_at)) = call.view.times(id) else { return false };
                let has = if *name == "addedAt" { added_at } else { updated_at };
                number_fits(Some(has as f64), *operator, moments(call, values))
            }
            Self::Compares { scope, field, operator, values } => {
                let targets = targets(call, id, listed, scope.unwrap_or(listed));
                let records = targets.into_iter().filter_map(|target| call.view.record(target));
                if matches!(operator, FilterOperator::Unlike | FilterOperator::IsNot) {
                    records.into_iter().all(|record| fits(call, &record, *field, *operator, values))
                } else {
                    records.into_iter().any(|record| fits(call, &record, *field, *operator, values))
                }
            }
        }
    }
}

/// Items to which a condition with a scope applies: the item itself, its parents, or its children.
pub(super) fn targets(call: &PlexReadRequest<'_>, id: ItemId, listed: MediaKind, scope: MediaKind) -> Vec<ItemId> {
    if scope == listed {
        return vec![id];
    }
    if kind::above(listed).contains(&scope) {
        let mut at = Some(id);
        while let Some(here) = at {
            if call.view.kind(here) == Some(scope) {
                return vec![here];
            }
            at = call.view.parent(here);
        }
        return Vec::new();
    }
    if kind::above(scope).contains(&listed) {
        return descend(call, id, scope);
    }
    Vec::new()
}

fn descend(call: &PlexReadRequest<'_>, id: ItemId, scope: MediaKind) -> Vec<ItemId> {
    if call.view.kind(id) == Some(scope) {
        return vec![id];
    }
    call.view.children(id).into_iter().flat_map(|child| descend(call, child, scope)).collect()
}

fn fits(
    call: &PlexReadRequest<'_>,
    record: &ItemRecord,
    field: FilterField,
    operator: FilterOperator,
    values: &[String],
) -> bool {
    let negative = matches!(operator, FilterOperator::Unlike | FilterOperator::IsNot);
    match field {
        FilterField::Text(name) => {
            let texts = field::texts(record, name);
            values.iter().any(|value| texts.iter().any(|text| text_fits(text, operator, value)))
        }
        FilterField::Exact(name) => {
            let texts = field::texts(record, name);
            let one = |value: &String| texts.iter().any(|text| text.eq_ignore_ascii_case(value));
            values.iter().any(one) != negative
        }
        FilterField::Tag(name) => values.iter().any(|value| field::has_tag(call, record, name, value)) != negative,
        FilterField::Flag(name) => {
            let wanted = values.iter().any(|value| value != "0") != negative;
            field::flag(call, record, name) == wanted
        }
        FilterField::Number(name) => {
            let wanted = values.iter().filter_map(|value| value.parse::<f64>().ok());
            number_fits(field::number(call, record, name), operator, wanted)
        }
        FilterField::Time(name) => number_fits(field::number(call, record, name), operator, moments(call, values)),
    }
}

fn moments<'v>(call: &PlexReadRequest<'_>, values: &'v [String]) -> impl Iterator<Item = f64> + use<'v> {
    let now = call.server.now_s();
    values.iter().filter_map(move |value| field::moment(value, now)).map(|at| at as f64)
}

fn text_fits(text: &str, operator: FilterOperator, value: &str) -> bool {
    let (text, value) = (text.to_lowercase(), value.to_lowercase());
    match operator {
        FilterOperator::Like => text.contains(&value),
        FilterOperator::Unlike => !text.contains(&value),
        FilterOperator::Is => text == value,
        FilterOperator::IsNot => text != value,
        FilterOperator::Begins => text.starts_with(&value),
        FilterOperator::Ends => text.ends_with(&value),
        FilterOperator::Less => text < value,
        FilterOperator::More => text > value,
    }
}

/// Numbers have a resolution of tenths, so equal ones are closer than this.
const CLOSE: f64 = 0.001;

fn number_fits(has: Option<f64>, operator: FilterOperator, mut wanted: impl Iterator<Item = f64>) -> bool {
    let Some(has) = has else {
        return matches!(operator, FilterOperator::Unlike | FilterOperator::IsNot);
    };
    match operator {
        FilterOperator::Like | FilterOperator::Is => wanted.any(|value| (has - value).abs() < CLOSE),
        FilterOperator::Unlike | FilterOperator::IsNot => wanted.all(|value| (has - value).abs() >= CLOSE),
        FilterOperator::Begins => wanted.any(|value| has <= value),
        FilterOperator::Ends => wanted.any(|value| has >= value),
        FilterOperator::Less => wanted.any(|value| has < value),
        FilterOperator::More => wanted.any(|value| has > value),
    }
}
