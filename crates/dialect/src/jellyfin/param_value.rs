//! Canonical values of known parameters.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::guid;
use super::query_param::ParamShape;
use crate::classification::StreamReason::{self, Odd};

/// Length of `2024-02-20`.
const DATE_BYTES: usize = 10;

/// Length of `2024-02-20T19:26`.
const MINUTE_BYTES: usize = 16;

/// The canonical values of a parameter with its first value and all `more`: the first one, empty if there is none, and
/// those that are sent as further occurrences.
pub(super) fn canonical_values<'a>(
    first: Cow<'a, str>,
    more: Vec<Cow<'a, str>>,
    shape: ParamShape,
) -> Result<(Cow<'a, str>, Vec<Cow<'a, str>>), StreamReason> {
    let only = match shape {
        ParamShape::Text | ParamShape::Cutoff => single(first, more, |value| value),
        ParamShape::Flag => single(first, more, flag),
        ParamShape::Id => single(first, more, id),
        ParamShape::Set => list(first, &more, ',', ListOrder::Ignored, plain),
        ParamShape::IdSet => list(first, &more, ',', ListOrder::Ignored, guid::normalize),
        ParamShape::Row => list(first, &more, ',', ListOrder::Matters, plain),
        ParamShape::IdRow => list(first, &more, ',', ListOrder::Matters, guid::normalize),
        ParamShape::BarSet => list(first, &more, '|', ListOrder::Ignored, plain),
        ParamShape::Repeated => return repeated(first, more, ListOrder::Ignored),
        ParamShape::RepeatedRow => return repeated(first, more, ListOrder::Matters),
    };
    Ok((only?, Vec::new()))
}

fn plain(member: &str) -> Cow<'_, str> {
    Cow::Borrowed(member)
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

/// The form in the key of a value of [`canonical_values`]: the value, and for a cutoff its day.
pub(super) fn value_in_key(value: &str, shape: Option<ParamShape>) -> Cow<'_, str> {
    match shape {
        Some(ParamShape::Cutoff) => day_up(Cow::Borrowed(value)),
        _ => Cow::Borrowed(value),
    }
}

/// The first UTC midnight that is not before this date, so that the text is the same for a day. A midnight belongs to
/// the day that it ends, because a server that compares days reads it apart from all later moments of its date. A text
/// that is no date stays.
fn day_up(value: Cow<'_, str>) -> Cow<'_, str> {
    match date(value.trim()).and_then(next_midnight) {
        Some(day) => Cow::Owned(format!("{day}T00:00:00Z")),
        None => value,
    }
}

/// Parses `2024-02-20`, alone or with a time, in UTC unless it names an offset.
fn date(text: &str) -> Option<DateTime> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"-+:.TZ ".contains(&byte);
    let is_whole = text.len() == DATE_BYTES || text.len() >= MINUTE_BYTES;
    if !is_whole || text.as_bytes()[4] != b'-' || !text.bytes().all(plain) {
        return None;
    }
    let with_offset = text.parse::<Timestamp>().map(|at| Offset::UTC.to_datetime(at));
    with_offset.or_else(|_| text.parse()).ok()
}

fn next_midnight(at: DateTime) -> Option<Date> {
    if at.time() == Time::midnight() { Some(at.date()) } else { at.date().tomorrow().ok() }
}

/// A list of which each occurrence is one member. An empty one among others is read in more than one way.
fn repeated<'a>(
    first: Cow<'a, str>,
    mut more: Vec<Cow<'a, str>>,
    order: ListOrder,
) -> Result<(Cow<'a, str>, Vec<Cow<'a, str>>), StreamReason> {
    if more.is_empty() {
        return Ok((first, more));
    }
    more.insert(0, first);
    if more.iter().any(|member| member.trim().is_empty()) {
        return Err(Odd);
    }
    if order == ListOrder::Ignored {
        more.sort_unstable();
        more.dedup();
    }
    Ok((more.remove(0), more))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutoffs_of_one_day_stand_for_its_end_in_the_key() {
        let rounded = |text: &'static str| value_in_key(text, Some(ParamShape::Cutoff)).into_owned();
        for text in [
            "2026-11-22T00:00:01Z",
            "2026-11-22T23:59:59.9999999Z",
            "2026-11-22T10:00",
            "2026-11-22 10:00:00",
            "2026-11-23",
            "2026-11-23T00:00:00.0000000Z",
            "2026-11-23T01:00:00+01:00",
            "2026-11-22T20:00:00-03:00",
        ] {
            assert_eq!(rounded(text), "2026-11-23T00:00:00Z", "{text}");
        }
        for text in [
            "",
            "now",
            "20261122100000",
            "20261122T100000Z",
            "2026-11-22T10",
            "2026-13-22",
            "2026-11-22T10:00:00 01:00",
            "2026-11-22T10:00:00[Europe/Berlin]",
            "9999-12-31T23:00:00Z",
            "ä026-11-22T10:00",
        ] {
            assert_eq!(rounded(text), text);
        }
        assert_eq!(value_in_key("2026-11-22T10:00", Some(ParamShape::Text)), "2026-11-22T10:00");
    }

    #[test]
    fn the_server_gets_the_moment_of_a_cutoff() {
        let sent = |first: &'static str, more: &[&'static str]| {
            let more = more.iter().map(|text| Cow::Borrowed(*text)).collect();
            canonical_values(Cow::Borrowed(first), more, ParamShape::Cutoff).map(|(value, _)| value)
        };
        assert_eq!(sent("2026-11-22T10:00", &["2026-11-22T10:00"]), Ok(Cow::Borrowed("2026-11-22T10:00")));
        assert_eq!(sent("2026-11-22T10:00", &["2026-11-22T11:00"]), Err(Odd), "two moments of one day are two");
    }
}
