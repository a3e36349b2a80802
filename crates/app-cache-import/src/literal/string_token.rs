//! Parses a quoted string with Python's escapes.

use crate::unreadable::UnreadableValue;
use crate::value_arena::PythonValue;

const NO_PLAIN_VALUE: UnreadableValue = UnreadableValue::new("no plain value");

/// Parses the string at the beginning of a text; returns it and the rest of the text.
pub(super) fn read(text: &str) -> Result<(PythonValue, &str), UnreadableValue> {
    let (is_bytes, after) = text.strip_prefix('b').map_or((false, text), |after| (true, after));
    let quote = after.chars().next().ok_or(NO_PLAIN_VALUE)?;
    let mut reader = StringReader { letters: after[1..].chars(), is_bytes, text: String::new(), bytes: Vec::new() };
    loop {
        match reader.letters.next().ok_or(NO_PLAIN_VALUE)? {
            '\n' => return Err(NO_PLAIN_VALUE),
            '\\' => reader.escape()?,
            letter if letter == quote => {
                let rest = reader.letters.as_str();
                let value = if is_bytes { PythonValue::Bytes(reader.bytes) } else { PythonValue::Text(reader.text) };
                return Ok((value, rest));
            }
            letter => reader.push(letter.into())?,
        }
    }
}

struct StringReader<'a> {
    letters: std::str::Chars<'a>,
    is_bytes: bool,
    text: String,
    bytes: Vec<u8>,
}

impl StringReader<'_> {
    fn push(&mut self, number: u32) -> Result<(), UnreadableValue> {
        if self.is_bytes {
            self.bytes.push(u8::try_from(number).map_err(|_| NO_PLAIN_VALUE)?);
        } else {
            self.text.push(char::from_u32(number).ok_or(UnreadableValue::new("text that is no UTF-8"))?);
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), UnreadableValue> {
        let letter = self.letters.next().ok_or(NO_PLAIN_VALUE)?;
        match letter {
            '\n' => Err(NO_PLAIN_VALUE),
            '\\' | '\'' | '"' => self.push(letter.into()),
            'a' => self.push(7),
            'b' => self.push(8),
            't' => self.push(9),
            'n' => self.push(10),
            'v' => self.push(11),
            'f' => self.push(12),
            'r' => self.push(13),
            '0'..='7' => {
                let mut number = u32::from(letter) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit) = self.letters.clone().next().and_then(|next| next.to_digit(8)) else { break };
                    self.letters.next();
                    number = number * 8 + digit;
                }
                self.push(number)
            }
            'x' => self.hexadecimal(2),
            'u' if !self.is_bytes => self.hexadecimal(4),
            'U' if !self.is_bytes => self.hexadecimal(8),
            'N' if !self.is_bytes => Err(NO_PLAIN_VALUE),
            _ => {
                // Python leaves unknown escapes as they are.
                self.push(u32::from('\\'))?;
                self.push(letter.into())
            }
        }
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<(), UnreadableValue> {
        let first = self.digits(digits)?;
        // JSON writes a character beyond 16 bits as two surrogates.
        if digits == 4 && (0xd800..0xdc00).contains(&first) && self.letters.as_str().starts_with("\\u") {
            self.letters.next();
            self.letters.next();
            let second = self.digits(4)?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
            let low = low.ok_or(UnreadableValue::new("text that is no UTF-8"))?;
            return self.push(0x10000 + ((first - 0xd800) << 10) + low);
        }
        self.push(first)
    }

    fn digits(&mut self, count: usize) -> Result<u32, UnreadableValue> {
        (0..count).try_fold(0_u32, |number, _| {
            let digit = self.letters.next().and_then(|letter| letter.to_digit(16)).ok_or(NO_PLAIN_VALUE)?;
            number.checked_mul(16).map(|shifted| shifted + digit).ok_or(NO_PLAIN_VALUE)
        })
    }
}
