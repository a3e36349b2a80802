//! A parser of texts written by Python's `repr` or by JSON: plain values, dates and times. Nothing is evaluated.

mod string_token;

use crate::calendar::{PythonSpan, PythonTime};
use crate::pickle_calls::{PlainType, span, time_of_parts};
use crate::unreadable::UnreadableValue;
use crate::value_arena::{MAX_DEPTH, PythonValue, ValueArena, ValueId};

/// Max bytes of a text.
const MAX_TEXT_BYTES: usize = 64 << 20;
const NO_PLAIN_VALUE: UnreadableValue = UnreadableValue::new("no plain value");

/// Parses a text that holds one plain value.
///
/// # Errors
/// The text is too large, or holds anything but one plain value.
pub fn read_literal(text: &str, arena: &mut ValueArena) -> Result<ValueId, UnreadableValue> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(UnreadableValue::new("too large"));
    }
    let mut reader = LiteralReader { rest: text, arena };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.rest.is_empty() { Ok(value) } else { Err(UnreadableValue::new("more than one value")) }
}

struct LiteralReader<'a> {
    rest: &'a str,
    arena: &'a mut ValueArena,
}

impl LiteralReader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Skips this character if it is the next one; returns whether it was.
    fn takes(&mut self, sign: char) -> bool {
        self.skip_space();
        let after = self.rest.strip_prefix(sign);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), UnreadableValue> {
        if self.takes(sign) { Ok(()) } else { Err(NO_PLAIN_VALUE) }
    }

    fn value(&mut self, depth: u32) -> Result<ValueId, UnreadableValue> {
        if depth > MAX_DEPTH {
            return Err(UnreadableValue::new("nested too deeply"));
        }
        self.arena.check_size()?;
        self.skip_space();
        let value = match self.rest.as_bytes() {
            [b'[', ..] => PythonValue::List(self.sequence(('[', ']'), depth)?.0),
            [b'(', ..] => match self.sequence(('(', ')'), depth)? {
                // Parentheses around one value without a comma are only parentheses.
                (items, false) if items.len() == 1 => return Ok(items[0]),
                (items, _) => PythonValue::Tuple(items),
            },
            [b'{', ..] => PythonValue::Dict(self.dict(depth)?),
            [b'\'' | b'"', ..] | [b'b', b'\'' | b'"', ..] => {
                let (value, rest) = string_token::read(self.rest)?;
                self.rest = rest;
                value
            }
            [b'0'..=b'9' | b'.' | b'+', ..] | [b'-', b'0'..=b'9' | b'.', ..] => self.number()?,
            _ => self.word(depth)?,
        };
        Ok(self.arena.add(value))
    }

    /// Items until the closing sign, and whether the last one was followed by a comma.
    fn sequence(
        &mut self,
        (opening, closing): (char, char),
        depth: u32,
    ) -> Result<(Vec<ValueId>, bool), UnreadableValue> {
        self.expect(opening)?;
        let (mut items, mut has_comma) = (Vec::new(), false);
        while !self.takes(closing) {
            if !items.is_empty() && !has_comma {
                return Err(NO_PLAIN_VALUE);
            }
            items.push(self.value(depth + 1)?);
            has_comma = self.takes(',');
        }
        Ok((items, has_comma))
    }

    fn dict(&mut self, depth: u32) -> Result<Vec<(ValueId, ValueId)>, UnreadableValue> {
        self.expect('{')?;
        let (mut items, mut has_comma) = (Vec::new(), false);
        while !self.takes('}') {
            if !items.is_empty() && !has_comma {
                return Err(NO_PLAIN_VALUE);
            }
            let key = self.value(depth + 1)?;
            self.expect(':')?;
            items.push((key, self.value(depth + 1)?));
            has_comma = self.takes(',');
        }
        Ok(items)
    }

    fn number(&mut self) -> Result<PythonValue, UnreadableValue> {
        let is_part = |place: usize, letter: char| {
            letter.is_ascii_digit()
                || matches!(letter, '.' | 'e')
                || matches!(letter, '+' | '-') && (place == 0 || self.rest[..place].ends_with('e'))
        };
        let length = self.rest.char_indices().find(|(place, letter)| !is_part(*place, *letter));
        let (token, rest) = self.rest.split_at(length.map_or(self.rest.len(), |(place, _)| place));
        self.rest = rest;
        if rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            return Err(NO_PLAIN_VALUE);
        }
        if token.contains(['.', 'e']) {
            return token.parse().map(PythonValue::Float).map_err(|_| NO_PLAIN_VALUE);
        }
        let digits = token.trim_start_matches(['-', '+']);
        match token.parse() {
            Ok(number) => Ok(PythonValue::Integer(number)),
            Err(_) if digits.len() > 38 => Err(UnreadableValue::new("an integer of more than 128 bits")),
            Err(_) => Err(NO_PLAIN_VALUE),
        }
    }

    fn name(&mut self) -> Result<&str, UnreadableValue> {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
        let (name, rest) = self.rest.split_at(self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len()));
        self.rest = rest;
        if name.is_empty() { Err(NO_PLAIN_VALUE) } else { Ok(name) }
    }

    fn word(&mut self, depth: u32) -> Result<PythonValue, UnreadableValue> {
        let name = self.name()?.to_owned();
        Ok(match name.as_str() {
            "None" | "null" => PythonValue::Null,
            "True" | "true" => PythonValue::Bool(true),
            "False" | "false" => PythonValue::Bool(false),
            "nan" => PythonValue::Float(f64::NAN),
            "inf" => PythonValue::Float(f64::INFINITY),
            "-inf" => PythonValue::Float(f64::NEG_INFINITY),
            "datetime.timezone.utc" => PythonValue::Zone(PythonSpan::ZERO),
            _ => {
                let called = match name.strip_prefix("datetime.") {
                    Some(name) => PlainType::find("datetime", name),
                    None => Err(UnreadableValue::object(&name)),
                }?;
                self.call(called, depth)?
            }
        })
    }

    /// A call as `repr` writes it: values, then values with names.
    fn call(&mut self, called: PlainType, depth: u32) -> Result<PythonValue, UnreadableValue> {
        self.expect('(')?;
        let (mut arguments, mut named): (Vec<ValueId>, Vec<(String, ValueId)>) = (Vec::new(), Vec::new());
        let mut has_comma = true;
        while !self.takes(')') {
            if !has_comma {
                return Err(NO_PLAIN_VALUE);
            }
            self.skip_space();
            let length = self.rest.find(|letter: char| !letter.is_ascii_lowercase()).unwrap_or(0);
            if length > 0 && self.rest[length..].starts_with('=') {
                let name = self.rest[..length].to_owned();
                self.rest = &self.rest[length + 1..];
                named.push((name, self.value(depth + 1)?));
            } else if named.is_empty() {
                arguments.push(self.value(depth + 1)?);
            } else {
                return Err(NO_PLAIN_VALUE);
            }
            has_comma = self.takes(',');
        }
        match called {
            _ if named.is_empty() => called.make(self.arena, &arguments),
            PlainType::Time => self.time_of(&arguments, &named).map(PythonValue::Time),
            PlainType::Span if arguments.is_empty() => self.span_of(&named).map(PythonValue::Span),
            _ => Err(NO_PLAIN_VALUE),
        }
    }

    fn time_of(&self, parts: &[ValueId], named: &[(String, ValueId)]) -> Result<PythonTime, UnreadableValue> {
        let parts: Vec<&PythonValue> = parts.iter().map(|id| self.arena.get(*id)).collect();
        let mut offset = None;
        for (name, id) in named {
            match (name.as_str(), self.arena.get(*id)) {
                ("tzinfo", PythonValue::Zone(zone)) => offset = Some(*zone),
                ("fold", PythonValue::Integer(0 | 1)) => {}
                _ => return Err(NO_PLAIN_VALUE),
            }
        }
        time_of_parts(&parts, offset)
    }

    fn span_of(&self, named: &[(String, ValueId)]) -> Result<PythonSpan, UnreadableValue> {
        let mut parts = [0; 3];
        for (name, id) in named {
            let place = ["days", "seconds", "microseconds"].iter().position(|part| part == name);
            let (Some(place), PythonValue::Integer(number)) = (place, self.arena.get(*id)) else {
                return Err(NO_PLAIN_VALUE);
            };
            parts[place] = *number;
        }
        span(&parts)
    }
}
