//! What a pickle may call: the closed list of types with which Python writes dates, times and bytes.

use crate::calendar::{CalendarDate, CalendarTime, TimeSpan};
use crate::unreadable::UnreadableValue;
use crate::value_arena::{Value, ValueArena, ValueId};

const MALFORMED: UnreadableValue = UnreadableValue::new("a malformed date or time");

/// A type of Python that is made of plain values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlainType {
    Time,
    Date,
    Span,
    Zone,
    /// `_codecs.encode`: how older protocols write bytes.
    EncodedBytes,
    EmptyBytes,
}

impl PlainType {
    pub(crate) fn find(module: &str, name: &str) -> Result<Self, UnreadableValue> {
        Ok(match (module, name) {
            ("datetime", "datetime") => Self::Time,
            ("datetime", "date") => Self::Date,
            ("datetime", "timedelta") => Self::Span,
            ("datetime", "timezone") => Self::Zone,
            ("_codecs", "encode") => Self::EncodedBytes,
            ("builtins" | "__builtin__", "bytes") => Self::EmptyBytes,
            _ => return Err(UnreadableValue::object(&format!("{module}.{name}"))),
        })
    }

    /// The value of a call with these arguments.
    pub(crate) fn make(self, arena: &ValueArena, arguments: &[ValueId]) -> Result<Value, UnreadableValue> {
        let values: Vec<&Value> = arguments.iter().map(|id| arena.get(*id)).collect();
        Ok(match (self, values.as_slice()) {
            (Self::EncodedBytes, [Value::Text(text), Value::Text(encoding)])
                if matches!(encoding.as_str(), "latin1" | "latin-1") =>
            {
                Value::Bytes(latin1(text)?)
            }
            (Self::EncodedBytes, _) => return Err(UnreadableValue::new("bytes in an unknown encoding")),
            (Self::EmptyBytes, []) => Value::Bytes(Vec::new()),
            (Self::EmptyBytes, _) => return Err(UnreadableValue::new("a call")),
            (Self::Time, [Value::Bytes(packed)]) => Value::Time(time(packed, None)?),
            (Self::Time, [Value::Bytes(packed), Value::Zone(offset)]) => Value::Time(time(packed, Some(*offset))?),
            (Self::Time, [Value::Text(packed)]) => Value::Time(time(&latin1(packed)?, None)?),
            (Self::Time, [parts @ .., Value::Zone(offset)]) => Value::Time(time_of_parts(parts, Some(*offset))?),
            (Self::Time, parts) => Value::Time(time_of_parts(parts, None)?),
            (Self::Date, [Value::Bytes(packed)]) => Value::Date(date(packed)?),
            (Self::Date, [Value::Text(packed)]) => Value::Date(date(&latin1(packed)?)?),
            (Self::Date, parts) => match integers(parts)?[..] {
                [year, month, day] => Value::Date(CalendarDate::new(year, month, day)?),
                _ => return Err(MALFORMED),
            },
            (Self::Span, parts) => Value::Span(span(&integers(parts)?)?),
            (Self::Zone, [Value::Span(span)] | [Value::Span(span), Value::Text(_)]) => Value::Zone(span.as_offset()?),
            (Self::Zone, _) => return Err(MALFORMED),
        })
    }
}

/// A span of days, seconds and microseconds, of which the last ones may be missing.
pub(crate) fn span(parts: &[i128]) -> Result<TimeSpan, UnreadableValue> {
    match *parts {
        [] => Ok(TimeSpan::ZERO),
        [days] => TimeSpan::new(days, 0, 0),
        [days, seconds] => TimeSpan::new(days, seconds, 0),
        [days, seconds, micros] => TimeSpan::new(days, seconds, micros),
        _ => Err(MALFORMED),
    }
}

/// A time of a year, a month, a day, and what follows of hour, minute, second, microsecond.
pub(crate) fn time_of_parts(parts: &[&Value], offset: Option<TimeSpan>) -> Result<CalendarTime, UnreadableValue> {
    let parts = integers(parts)?;
    let ([year, month, day], rest) = parts.split_first_chunk().ok_or(MALFORMED)?;
    let mut time = [0; 4];
    time.get_mut(..rest.len()).ok_or(MALFORMED)?.copy_from_slice(rest);
    CalendarTime::new(CalendarDate::new(*year, *month, *day)?, time, offset)
}

fn integers(values: &[&Value]) -> Result<Vec<i128>, UnreadableValue> {
    let integer = |value: &&Value| if let Value::Integer(number) = value { Ok(*number) } else { Err(MALFORMED) };
    values.iter().map(integer).collect()
}

fn latin1(text: &str) -> Result<Vec<u8>, UnreadableValue> {
    text.chars().map(|letter| u8::try_from(letter).map_err(|_| UnreadableValue::new("no pickle (latin-1)"))).collect()
}

fn time(packed: &[u8], offset: Option<TimeSpan>) -> Result<CalendarTime, UnreadableValue> {
    let [high, low, month, day, hour, minute, second, micros @ ..] = packed else { return Err(MALFORMED) };
    let [first, second_byte, third] = *micros else { return Err(MALFORMED) };
    let micros = u32::from_be_bytes([0, first, second_byte, third]);
    // The highest bit of the month tells which of two equal times of a day is meant.
    let date = CalendarDate::new(u16::from_be_bytes([*high, *low]).into(), (month & 0x7f).into(), (*day).into())?;
    CalendarTime::new(date, [(*hour).into(), (*minute).into(), (*second).into(), micros.into()], offset)
}

fn date(packed: &[u8]) -> Result<CalendarDate, UnreadableValue> {
    let [high, low, month, day] = *packed else { return Err(MALFORMED) };
    CalendarDate::new(u16::from_be_bytes([high, low]).into(), month.into(), day.into())
}
