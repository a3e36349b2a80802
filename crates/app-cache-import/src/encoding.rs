//! Values as the Python client stores them: bytes and text as they are, everything else as JSON, with tags for what
//! JSON has no word for.

use std::collections::HashMap;
use std::fmt::Write;

use data_encoding::BASE64;

use crate::entry_key::identity;
use crate::json_text::push_string;
use crate::unreadable::UnreadableValue;
use crate::value_arena::{PythonValue, ValueArena, ValueId};

/// Bytes of a value, encoded.
pub const MAX_VALUE_BYTES: usize = 64 << 20;

const TAGGED: &str = "application/vnd.greenroom.tagged+json";
/// Media type of JSON without tags.
pub const JSON: &str = "application/json";
/// Media type of bytes.
pub const BYTES: &str = "application/octet-stream";
/// Media type of a text.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// A value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedValue {
    /// Media type of its encoding.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Encodes a value.
///
/// # Errors
/// It is too large or nested too deeply, or has a part that no cache stores.
pub fn encode(arena: &ValueArena, id: ValueId) -> Result<EncodedValue, UnreadableValue> {
    arena.check_extent(id)?;
    let (media_type, bytes) = match arena.get(id) {
        PythonValue::Bytes(bytes) => (BYTES, bytes.clone()),
        PythonValue::Text(text) => (TEXT, text.clone().into_bytes()),
        _ => {
            let mut writer = JsonWriter { arena, out: String::new(), is_tagged: false };
            writer.write(id)?;
            (if writer.is_tagged { TAGGED } else { JSON }, writer.out.into_bytes())
        }
    };
    if bytes.len() > MAX_VALUE_BYTES {
        return Err(UnreadableValue::new("too large"));
    }
    Ok(EncodedValue { media_type, bytes })
}

struct JsonWriter<'a> {
    arena: &'a ValueArena,
    out: String,
    is_tagged: bool,
}

impl JsonWriter<'_> {
    fn write(&mut self, id: ValueId) -> Result<(), UnreadableValue> {
        if self.out.len() > MAX_VALUE_BYTES {
            return Err(UnreadableValue::new("too large"));
        }
        match self.arena.get(id) {
            PythonValue::Null => self.out.push_str("null"),
            PythonValue::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            PythonValue::Integer(number) => {
                let _ = write!(self.out, "{number}"); // A string takes everything.
            }
            PythonValue::Float(number) if number.is_finite() => {
                let _ = write!(self.out, "{number:?}"); // A string takes everything.
            }
            PythonValue::Float(number) => {
                let name = if number.is_nan() { "nan" } else { ["inf", "-inf"][usize::from(*number < 0.0)] };
                self.tagged_text("$float", name)?;
            }
            PythonValue::Text(text) => push_string(&mut self.out, text),
            PythonValue::Bytes(bytes) => {
                let text = BASE64.encode(bytes);
                self.tagged_text("$bytes", &text)?;
            }
            PythonValue::List(items) => self.list(items)?,
            PythonValue::Tuple(items) => self.tag("$tuple", |writer| writer.list(items))?,
            PythonValue::Dict(items) => self.dict(items)?,
            PythonValue::Date(date) => self.tagged_text("$date", &date.to_iso())?,
            PythonValue::Time(time) => self.tagged_text("$datetime", &time.to_iso())?,
            PythonValue::Span(span) => self.tag("$timedelta", |writer| {
                let [days, seconds, micros] = span.parts();
                let _ = write!(writer.out, "[{days},{seconds},{micros}]"); // A string takes everything.
                Ok(())
            })?,
            PythonValue::Zone(_) => return Err(UnreadableValue::new("cannot be stored (a time zone)")),
        }
        Ok(())
    }

    fn tagged_text(&mut self, name: &str, text: &str) -> Result<(), UnreadableValue> {
        self.tag(name, |writer| {
            push_string(&mut writer.out, text);
            Ok(())
        })
    }

    fn tag(
        &mut self,
        name: &str,
        inner: impl FnOnce(&mut Self) -> Result<(), UnreadableValue>,
    ) -> Result<(), UnreadableValue> {
        self.is_tagged = true;
        let _ = write!(self.out, "{{\"{name}\":"); // A string takes everything.
        inner(self)?;
        self.out.push('}');
        Ok(())
    }

    fn list(&mut self, items: &[ValueId]) -> Result<(), UnreadableValue> {
        self.out.push('[');
        for (place, item) in items.iter().enumerate() {
            self.comma(place);
            self.write(*item)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn dict(&mut self, items: &[(ValueId, ValueId)]) -> Result<(), UnreadableValue> {
        let items = self.distinct(items)?;
        let is_word = |id: ValueId| matches!(self.arena.get(id), PythonValue::Text(text) if !text.starts_with('$'));
        if !items.iter().all(|(key, _)| is_word(*key)) {
            return self.tag("$dict", |writer| {
                writer.out.push('[');
                for (place, (key, item)) in items.iter().enumerate() {
                    writer.comma(place);
                    writer.list(&[*key, *item])?;
                }
                writer.out.push(']');
                Ok(())
            });
        }
        self.out.push('{');
        for (place, (key, item)) in items.iter().enumerate() {
            self.comma(place);
            self.write(*key)?;
            self.out.push(':');
            self.write(*item)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// Of equal keys the first one with the last one's value.
    fn distinct(&self, items: &[(ValueId, ValueId)]) -> Result<Vec<(ValueId, ValueId)>, UnreadableValue> {
        let mut places: HashMap<Vec<u8>, usize> = HashMap::with_capacity(items.len());
        let mut distinct: Vec<(ValueId, ValueId)> = Vec::with_capacity(items.len());
        for (key, item) in items {
            let place = *places.entry(identity(self.arena, *key)?).or_insert(distinct.len());
            match distinct.get_mut(place) {
                Some(known) => known.1 = *item,
                None => distinct.push((*key, *item)),
            }
        }
        Ok(distinct)
    }

    fn comma(&mut self, place: usize) {
        if place > 0 {
            self.out.push(',');
        }
    }
}
