//! What a known parameter is set to, in one notation.

use std::borrow::Cow;

use super::guid;
use super::parameter::Shape;
use crate::verdict::StreamReason::{self, Odd};

/// The one text for all that a parameter is set to: its first value and whatever came `more`. Empty if it is set to
/// nothing.
pub(super) fn settled<'a>(
    first: Cow<'a, str>,
    more: Vec<Cow<'a, str>>,
    shape: Shape,
) -> Result<Cow<'a, str>, StreamReason> {
    match shape {
        Shape::Text => single(first, more, |value| value),
        Shape::Flag => single(first, more, flag),
        Shape::Id => single(first, more, id),
        Shape::Set => list(first, &more, ',', Order::Idle, |member| Cow::Borrowed(member)),
        Shape::IdSet => list(first, &more, ',', Order::Idle, guid::normal),
        Shape::Row => list(first, &more, ',', Order::Matters, |member| Cow::Borrowed(member)),
        Shape::IdRow => list(first, &more, ',', Order::Matters, guid::normal),
        Shape::BarSet => list(first, &more, '|', Order::Idle, |member| Cow::Borrowed(member)),
    }
}

/// Whether the order of a list's members matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Matters,
    Idle,
}

/// The value of a parameter that has one. The server would take the first of several: which one a cache in
/// between takes must not matter.
fn single<'a>(
    first: Cow<'a, str>,
    more: Vec<Cow<'a, str>>,
    form: impl Fn(Cow<'a, str>) -> Cow<'a, str>,
) -> Result<Cow<'a, str>, StreamReason> {
    let first = form(first);
    if more.into_iter().all(|other| form(other) == first) { Ok(first) } else { Err(Odd) }
}

fn flag(value: Cow<'_, str>) -> Cow<'_, str> {
    match value.trim() {
        text if text.eq_ignore_ascii_case("true") => Cow::Borrowed("true"),
        text if text.eq_ignore_ascii_case("false") => Cow::Borrowed("false"),
        _ => value,
    }
}

fn id(value: Cow<'_, str>) -> Cow<'_, str> {
    match guid::normal(value.trim()) {
        Cow::Borrowed(same) if same.len() == value.len() => value,
        other => Cow::Owned(other.into_owned()),
    }
}

/// A list in its one notation. The server splits a value only if the parameter comes once; a list in both
/// notations at once is read so differently that it is not kept.
fn list<'a>(
    first: Cow<'a, str>,
    more: &[Cow<'a, str>],
    mark: char,
    order: Order,
    form: impl Fn(&str) -> Cow<'_, str>,
) -> Result<Cow<'a, str>, StreamReason> {
    if !more.is_empty() && (first.contains(mark) || more.iter().any(|value| value.contains(mark))) {
        return Err(Odd);
    }
    let mut members: Vec<Cow<'_, str>> = first
        .split(mark)
        .chain(more.iter().map(|value| &**value))
        .map(|member| if mark == ',' { member.trim() } else { member })
        .filter(|member| !member.is_empty())
        .map(form)
        .collect();
    if order == Order::Idle {
        members.sort_unstable();
        members.dedup();
    }
    let text = members.join(mark.encode_utf8(&mut [0; 4]));
    Ok(if text == first { first } else { Cow::Owned(text) })
}
