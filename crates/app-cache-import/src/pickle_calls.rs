//! Callables of a pickle: the closed list of types with which Python writes dates, times and bytes.

use crate::calendar::{PythonDate, PythonSpan, PythonTime};
use crate::unreadable::UnreadableValue;
use crate::value_arena::{PythonValue, ValueArena, ValueId};

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
    pub(crate) fn make(self, arena: &ValueArena, arguments: &[ValueId]) -> Result<PythonValue, UnreadableValue> {
        let values: Vec<&PythonValue> = arguments.iter().map(|id| arena.get(*id)).collect();
        Ok(match (self, values.as_slice()) {
            (Self::EncodedBytes, [PythonValue::Text(text), PythonValue::Text(encoding)])
                if matches!(encoding.as_str(), "latin1" | "latin-1") =>
            {
                PythonValue::Bytes(latin1(text)?)
            }
            (Self::EncodedBytes, _) => return Err(UnreadableValue::new("bytes in an unknown encoding")),
            (Self::EmptyBytes, []) => PythonValue::Bytes(Vec::new()),
            (Self::EmptyBytes, _) => return Err(UnreadableValue::new("a call")),
            (Self::Time, [PythonValue::Bytes(packed)]) => PythonValue::Time(time(packed, None)?),
            (Self::Time, [PythonValue::Bytes(packed), PythonValue::Zone(offset)]) => {
                PythonValue::Time(time(packed, Some(*offset))?)
            }
            (Self::Time, [PythonValue::Text(packed)]) => PythonValue::Time(time(&latin1(packed)?, None)?),
            (Self::Time, [parts @ .., PythonValue::Zone(offset)]) => {
                PythonValue::Time(time_of_parts(parts, Some(*offset))?)
            }
            (Self::Time, parts) => PythonValue::Time(time_of_parts(parts, None)?),
            (Self::Date, [PythonValue::Bytes(packed)]) => PythonValue::Date(date(packed)?),
            (Self::Date, [PythonValue::Text(packed)]) => PythonValue::Date(date(&latin1(packed)?)?),
            (Self::Date, parts) => match integers(parts)?[..] {
                [year, month, day] => PythonValue::Date(PythonDate::new(year, month, day)?),
                _ => return Err(MALFORMED),
            },
            (Self::Span, parts) => PythonValue::Span(span(&integers(parts)?)?),
            (Self::Zone, [PythonValue::Span(span)] | [PythonValue::Span(span), PythonValue::Text(_)]) => {
                PythonValue::Zone(span.as_offset()?)
            }
            (Self::Zone, _) => return Err(MALFORMED),
        })
    }
}

/// A span of days, seconds and microseconds, of which the last ones may be missing.
pub(crate) fn span(parts: &[i128]) -> Result<PythonSpan, UnreadableValue> {
    match *parts {
        [] => Ok(PythonSpan::ZERO),
        [days] => PythonSpan::new(days, 0, 0),
        [days, seconds] => PythonSpan::new(days, seconds, 0),
        [days, seconds, micros] => PythonSpan::new(days, seconds, micros),
        _ => Err(MALFORMED),
    }
}

/// A time of a year, a month, a day, and what follows of hour, minute, second, microsecond.
pub(crate) fn time_of_parts(parts: &[&PythonValue], offset: Option<PythonSpan>) -> Result<PythonTime, UnreadableValue> {
    let parts = integers(parts)?;
    let ([year, month, day], rest) = parts.split_first_chunk().ok_or(MALFORMED)?;
    let mut time = [0; 4];
    time.get_mut(..rest.len()).ok_or(MALFORMED)?.copy_from_slice(rest);
    PythonTime::new(PythonDate::new(*year, *month, *day)?, time, offset)
}

fn integers(values: &[&PythonValue]) -> Result<Vec<i128>, UnreadableValue> {
    let integer =
        |value: &&PythonValue| if let PythonValue::Integer(number) = value { Ok(*number) } else { Err(MALFORMED) };
    values.iter().map(integer).collect()
}

fn latin1(text: &str) -> Result<Vec<u8>, UnreadableValue> {
    text.chars().map(|letter| u8::try_from(letter).map_err(|_| UnreadableValue::new("no pickle (latin-1)"))).collect()
}

fn time(packed: &[u8], offset: Option<PythonSpan>) -> Result<PythonTime, UnreadableValue> {
    let [high, low, month, day, hour, minute, second, micros @ ..] = packed else { return Err(MALFORMED) };
    let [first, second_byte, third] = *micros else { return Err(MALFORMED) };
    let micros = u32::from_be_bytes([0, first, second_byte, third]);
    // The highest bit of the month tells which of two equal times of a day is meant.
    let date = PythonDate::new(u16::from_be_bytes([*high, *low]).into(), (month & 0x7f).into(), (*day).into())?;
    PythonTime::new(date, [(*hour).into(), (*minute).into(), (*second).into(), micros.into()], offset)
}

fn date(packed: &[u8]) -> Result<PythonDate, UnreadableValue> {
    let [high, low, month, day] = *packed else { return Err(MALFORMED) };
    PythonDate::new(u16::from_be_bytes([high, low]).into(), month.into(), day.into())
}
