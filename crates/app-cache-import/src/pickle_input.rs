//! Bytes of a pickle, read from the front.

use crate::unreadable::UnreadableValue;

const CUT_OFF: UnreadableValue = UnreadableValue::new("no pickle (cut off)");

/// The rest of a pickle.
pub(crate) struct PickleInput<'a>(pub(crate) &'a [u8]);

impl<'a> PickleInput<'a> {
    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], UnreadableValue> {
        let count = usize::try_from(count).map_err(|_| CUT_OFF)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, UnreadableValue> {
        Ok(self.take(1)?[0])
    }

    /// A number without sign, the lowest byte first.
    pub(crate) fn number(&mut self, width: u64) -> Result<u64, UnreadableValue> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Bytes after their number.
    pub(crate) fn counted(&mut self, width: u64) -> Result<&'a [u8], UnreadableValue> {
        let count = self.number(width)?;
        self.take(count)
    }

    /// Text after the number of its bytes.
    pub(crate) fn text(&mut self, width: u64) -> Result<&'a str, UnreadableValue> {
        std::str::from_utf8(self.counted(width)?).map_err(|_| UnreadableValue::new("text that is no UTF-8"))
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> Result<&'a [u8], UnreadableValue> {
        let length = self.0.iter().position(|byte| *byte == b'\n').ok_or(CUT_OFF)?;
        let line = self.take(length as u64)?;
        self.take(1)?;
        Ok(line)
    }

    /// A line of ASCII.
    pub(crate) fn word(&mut self) -> Result<&'a str, UnreadableValue> {
        std::str::from_utf8(self.line()?).map_err(|_| UnreadableValue::new("no pickle (line)"))
    }

    /// A line that is a number.
    pub(crate) fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, UnreadableValue> {
        let word = self.word()?;
        word.trim_end_matches('L').parse().map_err(|_| UnreadableValue::new("no pickle (number)"))
    }
}

/// An integer of any length, the lowest byte first, in two's complement.
pub(crate) fn signed(bytes: &[u8]) -> Result<i128, UnreadableValue> {
    if bytes.len() > 16 {
        return Err(UnreadableValue::new("an integer of more than 128 bits"));
    }
    let is_negative = bytes.last().is_some_and(|byte| *byte > 127);
    let mut whole = [if is_negative { 255 } else { 0 }; 16];
    whole[..bytes.len()].copy_from_slice(bytes);
    Ok(i128::from_le_bytes(whole))
}

/// A line in which `\u` and `\U` begin the number of a character, and other bytes are characters of Latin-1.
pub(crate) fn unescaped(line: &[u8]) -> Result<String, UnreadableValue> {
    let mut text = String::new();
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(*byte));
                continue;
            }
        };
        let number = after.get(1..=digits).and_then(|digits| std::str::from_utf8(digits).ok());
        let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let letter = number.and_then(char::from_u32).ok_or(UnreadableValue::new("no pickle (text)"))?;
        text.push(letter);
        rest = &after[1 + digits..];
    }
    Ok(text)
}
