//! Canonical values of known parameters.

use std::borrow::Cow;

use super::guid;
use super::query_param::ParamShape;
use crate::classification::StreamReason::{self, Odd};

/// The canonical value of a parameter with its first value and all `more`. Empty if it has none.
pub(super) fn canonical_value<'a>(
    first: Cow<'a, str>,
    more: Vec<Cow<'a, str>>,
    shape: ParamShape,
) -> Result<Cow<'a, str>, StreamReason> {
    match shape {
        ParamShape::Text => single(first, more, |value| value),
        ParamShape::Flag => single(first, more, flag),
        ParamShape::Id => single(first, more, id),
        ParamShape::Set => list(first, &more, ',', ListOrder::Ignored, |member| Cow::Borrowed(member)),
        ParamShape::IdSet => list(first, &more, ',', ListOrder::Ignored, guid::normalize),
        ParamShape::Row => list(first, &more, ',', ListOrder::Matters, |member| Cow::Borrowed(member)),
        ParamShape::IdRow => list(first, &more, ',', ListOrder::Matters, guid::normalize),
        ParamShape::BarSet => list(first, &more, '|', ListOrder::Ignored, |member| Cow::Borrowed(member)),
    }
}

/// Whether the order of a list's members matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ListOrder {
    Matters,
    Ignored,
}

/// The value of a single-valued parameter. Different values are odd: the server would take the first, and the
/// choice of a cache in between must not matter.
fn single<'a>(
    first: Cow<'a, str>,
    more: Vec<Cow<'a, str>>,
    normalize: impl Fn(Cow<'a, str>) -> Cow<'a, str>,
) -> Result<Cow<'a, str>, StreamReason> {
    let first = normalize(first);
    if more.into_iter().all(|other| normalize(other) == first) { Ok(first) } else { Err(Odd) }
}

fn flag(value: Cow<'_, str>) -> Cow<'_, str> {
    match value.trim() {
        text if text.eq_ignore_ascii_case("true") => Cow::Borrowed("true"),
        text if text.eq_ignore_ascii_case("false") => Cow::Borrowed("false"),
        _ => value,
    }
}

fn id(value: Cow<'_, str>) -> Cow<'_, str> {
    match guid::normalize(value.trim()) {
        Cow::Borrowed(same) if same.len() == value.len() => value,
        other => Cow::Owned(other.into_owned()),
    }
}

/// A list in its canonical notation. The server splits a value only if the parameter occurs once; a list in
/// both notations is read so differently that it is not cached.
fn list<'a>(
    first: Cow<'a, str>,
    more: &[Cow<'a, str>],
    separator: char,
    order: ListOrder,
    normalize: impl Fn(&str) -> Cow<'_, str>,
) -> Result<Cow<'a, str>, StreamReason> {
    if !more.is_empty() && (first.contains(separator) || more.iter().any(|value| value.contains(separator))) {
        return Err(Odd);
    }
    let mut members: Vec<Cow<'_, str>> = first
        .split(separator)
        .chain(more.iter().map(|value| &**value))
        .map(|member| if separator == ',' { member.trim() } else { member })
        .filter(|member| !member.is_empty())
        .map(normalize)
        .collect();
    if order == ListOrder::Ignored {
        members.sort_unstable();
        members.dedup();
    }
    let text = members.join(separator.encode_utf8(&mut [0; 4]));
    Ok(if text == first { first } else { Cow::Owned(text) })
}
