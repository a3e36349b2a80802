//! Conditions and how they are joined: `push=1&genre=5&or=1&year>>=2000&pop=1&unwatched=1`.

use super::field::{self, Field};
use crate::catalogue::{ItemId, Kind, Record};
use crate::plex::call::{BAD_REQUEST, Call, No};
use crate::plex::kind;
use crate::plex::params::{Pair, Params};

/// What is asked of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// Any of these groups, of each all.
    Any(Vec<Vec<Condition>>),
    /// One comparison.
    Compares { scope: Option<Kind>, field: Field, operator: Operator, values: Vec<String> },
}

/// How a value is compared. What it means depends on the kind of field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=`: contains, or is.
    Like,
    /// `!=`: does not contain, or is not.
    Unlike,
    /// `==`: is.
    Is,
    /// `!==`: is not.
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

/// Names that shape an answer but choose no items.
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

/// The condition a query puts on items. `None` if it puts none.
pub(super) fn of(call: &Call<'_>, params: &Params<'_>) -> Result<Option<Condition>, No> {
    let mut pairs = params.pairs().iter();
    let groups = group(call, &mut pairs)?;
    let groups: Vec<Vec<Condition>> = groups.into_iter().filter(|group| !group.is_empty()).collect();
    Ok((!groups.is_empty()).then_some(Condition::Any(groups)))
}

fn group<'p>(call: &Call<'_>, pairs: &mut impl Iterator<Item = &'p Pair>) -> Result<Vec<Vec<Condition>>, No> {
    let mut groups: Vec<Vec<Condition>> = vec![Vec::new()];
    while let Some(pair) = pairs.next() {
        match pair.name.as_str() {
            "push" => {
                let inner = group(call, pairs)?;
                push(&mut groups, Condition::Any(inner));
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

fn push(groups: &mut [Vec<Condition>], condition: Condition) {
    if let Some(last) = groups.last_mut() {
        last.push(condition);
    }
}

fn comparison(call: &Call<'_>, pair: &Pair) -> Result<Option<Condition>, No> {
    let name = pair.name.trim_end_matches(['!', '<', '>', '=']);
    let operator = match &pair.name[name.len()..] {
        "" => Operator::Like,
        "!" => Operator::Unlike,
        "=" => Operator::Is,
        "!=" => Operator::IsNot,
        "<" => Operator::Begins,
        ">" => Operator::Ends,
        "<<" => Operator::Less,
        ">>" => Operator::More,
        _ => return Err(BAD_REQUEST),
    };
    let (scope, plain) = match name.split_once('.') {
        Some((scope, plain)) => (kind::named(scope), plain),
        None => (None, name),
    };
    let Some(field) = Field::named(plain) else {
        let shape = SHAPES.contains(&plain)
            || ["include", "exclude", "X-Plex-", "async", "skip"]
                .iter()
                .any(|start| plain.starts_with(start));
        return if shape || !call.switches().unknown_filter_refused { Ok(None) } else { Err(BAD_REQUEST) };
    };
    let whole = matches!(field, Field::Text(_));
    let values =
        if whole { vec![pair.value.clone()] } else { pair.value.split(',').map(str::to_owned).collect() };
    Ok(Some(Condition::Compares { scope, field, operator, values }))
}

impl Condition {
    /// Whether nothing can meet it that was not added or edited while the server ran: all else is older than what is
    /// asked for.
    pub(super) fn asks_for_touched(&self, call: &Call<'_>) -> bool {
        let newest = call.catalogue().newest_at() as f64;
        match self {
            Self::Any(groups) => {
                groups.iter().all(|all| all.iter().any(|condition| condition.asks_for_touched(call)))
            }
            Self::Compares { scope: None, field: Field::Time("addedAt" | "updatedAt"), operator, values } => {
                let mut wanted = moments(call, values);
                match operator {
                    Operator::More => wanted.all(|value| value >= newest),
                    Operator::Ends => wanted.all(|value| value > newest),
                    _ => false,
                }
            }
            Self::Compares { .. } => false,
        }
    }

    /// Whether an item of the listed kind meets it.
    pub(super) fn met(&self, call: &Call<'_>, id: ItemId, listed: Kind) -> bool {
        match self {
            Self::Any(groups) => groups.iter().any(|all| all.iter().all(|one| one.met(call, id, listed))),
            Self::Compares { scope: None, field: Field::Text("title"), operator, values } => {
                let title = call.view.title(id).unwrap_or_default();
                values.iter().any(|value| text_fits(&title, *operator, value))
            }
            Self::Compares {
                scope: None,
                field: Field::Time(name @ ("addedAt" | "updatedAt")),
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
                if matches!(operator, Operator::Unlike | Operator::IsNot) {
                    records.into_iter().all(|record| fits(call, &record, *field, *operator, values))
                } else {
                    records.into_iter().any(|record| fits(call, &record, *field, *operator, values))
                }
            }
        }
    }
}

/// The items a condition with a scope looks at: the item itself, what it lies in, or what lies in it.
pub(super) fn targets(call: &Call<'_>, id: ItemId, listed: Kind, scope: Kind) -> Vec<ItemId> {
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

fn descend(call: &Call<'_>, id: ItemId, scope: Kind) -> Vec<ItemId> {
    if call.view.kind(id) == Some(scope) {
        return vec![id];
    }
    call.view.children(id).into_iter().flat_map(|child| descend(call, child, scope)).collect()
}

fn fits(call: &Call<'_>, record: &Record, field: Field, operator: Operator, values: &[String]) -> bool {
    let negative = matches!(operator, Operator::Unlike | Operator::IsNot);
    match field {
        Field::Text(name) => {
            let texts = field::texts(record, name);
            values.iter().any(|value| texts.iter().any(|text| text_fits(text, operator, value)))
        }
        Field::Exact(name) => {
            let texts = field::texts(record, name);
            let one = |value: &String| texts.iter().any(|text| text.eq_ignore_ascii_case(value));
            values.iter().any(one) != negative
        }
        Field::Tag(name) => values.iter().any(|value| field::has_tag(call, record, name, value)) != negative,
        Field::Flag(name) => {
            let wanted = values.iter().any(|value| value != "0") != negative;
            field::flag(call, record, name) == wanted
        }
        Field::Number(name) => {
            let wanted = values.iter().filter_map(|value| value.parse::<f64>().ok());
            number_fits(field::number(call, record, name), operator, wanted)
        }
        Field::Time(name) => number_fits(field::number(call, record, name), operator, moments(call, values)),
    }
}

fn moments<'v>(call: &Call<'_>, values: &'v [String]) -> impl Iterator<Item = f64> + use<'v> {
    let now = call.server.now_s();
    values.iter().filter_map(move |value| field::moment(value, now)).map(|at| at as f64)
}

fn text_fits(text: &str, operator: Operator, value: &str) -> bool {
    let (text, value) = (text.to_lowercase(), value.to_lowercase());
    match operator {
        Operator::Like => text.contains(&value),
        Operator::Unlike => !text.contains(&value),
        Operator::Is => text == value,
        Operator::IsNot => text != value,
        Operator::Begins => text.starts_with(&value),
        Operator::Ends => text.ends_with(&value),
        Operator::Less => text < value,
        Operator::More => text > value,
    }
}

/// Numbers are compared to tenths at the finest, so equal ones are closer than this.
const CLOSE: f64 = 0.001;

fn number_fits(has: Option<f64>, operator: Operator, mut wanted: impl Iterator<Item = f64>) -> bool {
    let Some(has) = has else {
        return matches!(operator, Operator::Unlike | Operator::IsNot);
    };
    match operator {
        Operator::Like | Operator::Is => wanted.any(|value| (has - value).abs() < CLOSE),
        Operator::Unlike | Operator::IsNot => wanted.all(|value| (has - value).abs() >= CLOSE),
        Operator::Begins => wanted.any(|value| has <= value),
        Operator::Ends => wanted.any(|value| has >= value),
        Operator::Less => wanted.any(|value| has < value),
        Operator::More => wanted.any(|value| has > value),
    }
}
