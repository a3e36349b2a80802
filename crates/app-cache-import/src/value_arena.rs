//! Values of Python, which may share parts: each is a place in an arena.

use crate::calendar::{PythonDate, PythonSpan, PythonTime};
use crate::unreadable::UnreadableValue;

/// A value's size written out: each part, and each `BYTES_PER_PART` of text, is one. A pickle may name one value many
/// times; 120 bytes are a tuple of 2^60 parts.
pub const MAX_PARTS: u64 = 10_000_000;
pub(crate) const TOO_MANY_PARTS: UnreadableValue = UnreadableValue::new("too many parts");
/// Bytes of text that count as a part.
const BYTES_PER_PART: u64 = 16;
/// Max nesting of values.
pub const MAX_DEPTH: u32 = 100;

/// A place in an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueId(usize);

/// A value. The parts of containers are elsewhere in the arena.
#[derive(Debug, Clone, PartialEq)]
pub enum PythonValue {
    /// `None`.
    Null,
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Integer(i128),
    /// A floating point number.
    Float(f64),
    /// `str`.
    Text(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `list`.
    List(Vec<ValueId>),
    /// `tuple`.
    Tuple(Vec<ValueId>),
    /// `dict`. Of equal keys the last one's value counts.
    Dict(Vec<(ValueId, ValueId)>),
    /// `datetime.date`.
    Date(PythonDate),
    /// `datetime.datetime`.
    Time(PythonTime),
    /// `datetime.timedelta`.
    Span(PythonSpan),
    /// `datetime.timezone`, which is only a part of a time.
    Zone(PythonSpan),
}

/// Values that may share parts.
#[derive(Debug, Default)]
pub struct ValueArena(Vec<PythonValue>);

#[derive(Debug, Clone, Copy)]
enum Extent {
    /// Its parts are being looked at.
    Open,
    Known {
        parts: u64,
        depth: u32,
    },
}

impl ValueArena {
    /// Adds a value.
    pub fn add(&mut self, value: PythonValue) -> ValueId {
        self.0.push(value);
        ValueId(self.0.len() - 1)
    }

    /// Checks, while values are added, that they do not become too many.
    ///
    /// # Errors
    /// They exceed [`MAX_PARTS`].
    pub(crate) fn check_size(&self) -> Result<(), UnreadableValue> {
        if self.0.len() as u64 > MAX_PARTS { Err(TOO_MANY_PARTS) } else { Ok(()) }
    }

    /// A value.
    pub fn get(&self, id: ValueId) -> &PythonValue {
        &self.0[id.0]
    }

    pub(crate) fn get_mut(&mut self, id: ValueId) -> &mut PythonValue {
        &mut self.0[id.0]
    }

    /// Checks that a value, written out, has an end, and how large it is.
    ///
    /// # Errors
    /// It exceeds [`MAX_PARTS`] or [`MAX_DEPTH`], or is a part of itself.
    pub fn check_extent(&self, id: ValueId) -> Result<(), UnreadableValue> {
        self.extent(id, 0, &mut vec![None; self.0.len()]).map(|_| ())
    }

    /// Parts and depth of a value. Looks at each place once.
    fn extent(&self, id: ValueId, above: u32, known: &mut Vec<Option<Extent>>) -> Result<(u64, u32), UnreadableValue> {
        match known[id.0] {
            Some(Extent::Known { parts, depth }) => return Ok((parts, depth)),
            Some(Extent::Open) => return Err(UnreadableValue::new("a value within itself")),
            None => {}
        }
        known[id.0] = Some(Extent::Open);
        let (mut parts, mut depth) = (1 + self.weight(id), 0);
        let mut inner = |id: ValueId| {
            if above >= MAX_DEPTH {
                return Err(UnreadableValue::new("nested too deeply"));
            }
            let (inner_parts, inner_depth) = self.extent(id, above + 1, known)?;
            parts = (parts + inner_parts).min(MAX_PARTS + 1);
            depth = depth.max(inner_depth + 1);
            Ok(())
        };
        match self.get(id) {
            PythonValue::List(items) | PythonValue::Tuple(items) => items.iter().try_for_each(|item| inner(*item))?,
            PythonValue::Dict(items) => {
                items.iter().try_for_each(|(key, item)| inner(*key).and_then(|()| inner(*item)))?;
            }
            _ => {}
        }
        if parts > MAX_PARTS {
            return Err(TOO_MANY_PARTS);
        }
        if depth > MAX_DEPTH {
            return Err(UnreadableValue::new("nested too deeply"));
        }
        known[id.0] = Some(Extent::Known { parts, depth });
        Ok((parts, depth))
    }

    fn weight(&self, id: ValueId) -> u64 {
        match self.get(id) {
            PythonValue::Text(text) => text.len() as u64 / BYTES_PER_PART,
            PythonValue::Bytes(bytes) => bytes.len() as u64 / BYTES_PER_PART,
            _ => 0,
        }
    }
}
