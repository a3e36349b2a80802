//! Parser for raw queries that reads them as Plex does: split at `&` only, order kept, operator suffixes part
//! of the name (`addedAt>>=1` is `addedAt>>` and `1`, `title==x` is `title=` and `x`).
//!
//! Each pair has one canonical spelling, used in the key *and* in the upstream request: needless escapes are
//! undone, raw bytes that need one get it. `,`, `+`, `;` and `=` inside values keep their spelling, because
//! the server may not treat both alike.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Max pairs of a query.
const MAX_PAIRS: usize = 256;

/// Characters left plain in the base of a name.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'/')
    .remove(b'@')
    .remove(b',');

/// One pair of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlexQueryPair {
    /// The decoded name without its operator suffix.
    pub(super) base: String,
    /// The operator suffix: some of `!<>=`, usually empty.
    pub(super) operator: String,
    /// The canonical, still encoded value; `None` if there was no `=`.
    pub(super) value: Option<String>,
}

/// The query can be read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AmbiguousQuery;

impl PlexQueryPair {
    /// The decoded value.
    pub(super) fn text(&self) -> Cow<'_, str> {
        percent_decode_str(self.value.as_deref().unwrap_or("")).decode_utf8_lossy()
    }

    /// Whether the name is `name`, case-insensitively and without an operator.
    pub(super) fn is(&self, name: &str) -> bool {
        self.operator.is_empty() && self.base.eq_ignore_ascii_case(name)
    }

    /// The last part of a scoped field (`title` of `show.title`).
    pub(super) fn field(&self) -> &str {
        self.base.rsplit('.').next().unwrap_or(&self.base)
    }

    /// Appends the canonical spelling.
    pub(super) fn write_to(&self, out: &mut String) {
        out.extend(utf8_percent_encode(&self.base, IN_NAME));
        for letter in self.operator.chars() {
            match letter {
                '<' => out.push_str("%3C"),
                '>' => out.push_str("%3E"),
                other => out.push(other),
            }
        }
        if let Some(value) = &self.value {
            out.push('=');
            out.push_str(value);
        }
    }
}

/// Parses a raw query.
pub(super) fn pairs(raw: &str) -> Result<Vec<PlexQueryPair>, AmbiguousQuery> {
    let mut found = Vec::new();
    for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
        if found.len() == MAX_PAIRS {
            return Err(AmbiguousQuery);
        }
        found.push(pair(piece)?);
    }
    Ok(found)
}

/// Joins pairs into a query in their canonical spelling.
pub(super) fn join<'a>(pairs: impl IntoIterator<Item = &'a PlexQueryPair>) -> String {
    let mut out = String::new();
    for pair in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        pair.write_to(&mut out);
    }
    out
}

fn pair(piece: &str) -> Result<PlexQueryPair, AmbiguousQuery> {
    let (name, value) = match piece.find('=') {
        None => (piece, None),
        Some(first) => {
            let run = piece[first..].bytes().take_while(|byte| *byte == b'=').count();
            let last = first + run - 1;
            (&piece[..last], Some(&piece[last + 1..]))
        }
    };
    let bytes = decode(name)?;
    let name = String::from_utf8(bytes).map_err(|_| AmbiguousQuery)?;
    let base = name.trim_end_matches(['!', '<', '>', '=']);
    if base.is_empty() || base.contains('&') {
        return Err(AmbiguousQuery);
    }
    let operator = name[base.len()..].to_owned();
    if value.is_none() && operator.ends_with('=') {
        return Err(AmbiguousQuery);
    }
    Ok(PlexQueryPair { base: base.to_owned(), operator, value: value.map(canonical_value).transpose()? })
}

/// Decodes a name; broken escapes and control bytes are ambiguous.
fn decode(text: &str) -> Result<Vec<u8>, AmbiguousQuery> {
    let mut out = Vec::with_capacity(text.len());
    each_byte(text, |byte, _| out.push(byte))?;
    Ok(out)
}

/// The canonical spelling of a value.
fn canonical_value(raw: &str) -> Result<String, AmbiguousQuery> {
    let mut out = String::with_capacity(raw.len());
    each_byte(raw, |byte, escaped| {
        let plain = if escaped { means_the_same_plain(byte) } else { may_stand_plain(byte) };
        if plain {
            out.push(char::from(byte));
        } else {
            push_escape(&mut out, byte);
        }
    })?;
    Ok(out)
}

/// Calls `take` for each decoded byte of `text`, and whether it was escaped.
fn each_byte(text: &str, mut take: impl FnMut(u8, bool)) -> Result<(), AmbiguousQuery> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes[at] == b'%';
        let byte = if escaped {
            let digit = |offset: usize| {
                bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16)).ok_or(AmbiguousQuery)
            };
            let value = digit(1)? * 16 + digit(2)?;
            at += 3;
            u8::try_from(value).map_err(|_| AmbiguousQuery)?
        } else {
            at += 1;
            bytes[at - 1]
        };
        if byte.is_ascii_control() {
            return Err(AmbiguousQuery);
        }
        take(byte, escaped);
    }
    Ok(())
}

/// Bytes that a server treats alike with and without an escape.
fn means_the_same_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/@!'()*$".contains(&byte)
}

/// Bytes allowed in a query without an escape.
fn may_stand_plain(byte: u8) -> bool {
    means_the_same_plain(byte) || b",+;=".contains(&byte)
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(raw: &str) -> Vec<(String, String)> {
        let read = |pair: &PlexQueryPair| (format!("{}{}", pair.base, pair.operator), pair.text().into_owned());
        pairs(raw).unwrap().iter().map(read).collect()
    }

    fn canonical(raw: &str) -> String {
        join(&pairs(raw).unwrap())
    }

    #[test]
    fn an_operator_belongs_to_the_name() {
        for (raw, name, value) in [
            ("addedAt>>=1", "addedAt>>", "1"),
            ("addedAt%3E%3E=1", "addedAt>>", "1"),
            ("title==x", "title=", "x"),
            ("title%3D=x", "title=", "x"),
            ("title!==x", "title!=", "x"),
            ("year<=2000", "year<", "2000"),
            ("show.title!=a=b", "show.title!", "a=b"),
            ("type=10", "type", "10"),
            ("push", "push", ""),
        ] {
            assert_eq!(split(raw), [(name.into(), value.into())], "{raw}");
        }
    }

    #[test]
    fn spellings_that_mean_the_same_meet() {
        assert_eq!(canonical("addedAt>>=1"), canonical("addedAt%3e%3E=1"));
        assert_eq!(canonical("title==x"), canonical("title%3D=x"));
        assert_eq!(canonical("sort=addedAt%3Adesc"), "sort=addedAt:desc");
        assert_eq!(canonical("title=it%27s%20me"), canonical("title=it's%20m%65"));
        assert_eq!(canonical("&a=1&&b=2&"), "a=1&b=2");
    }

    #[test]
    fn spellings_that_may_mean_different_things_do_not_meet() {
        for (one, other) in [
            ("genre=1,2", "genre=1%2C2"),
            ("title=a+b", "title=a%20b"),
            ("title=a+b", "title=a%2Bb"),
            ("title==x", "title=%3Dx"),
            ("a", "a="),
            ("a=1&b=2", "b=2&a=1"),
            ("a=1&a=1", "a=1"),
        ] {
            assert_ne!(canonical(one), canonical(other));
        }
    }

    #[test]
    fn a_path_with_two_readings_is_ambiguous() {
        for raw in ["a=100%", "a=%zz", "a=%0a", "%00=1", "=1", "==", ">=1", "a%26b=1", "a%ff=1", "a%3D"] {
            assert_eq!(pairs(raw), Err(AmbiguousQuery), "{raw}");
        }
        assert!(pairs(&"a=1&".repeat(MAX_PAIRS)).is_ok());
        assert!(pairs(&"a=1&".repeat(MAX_PAIRS + 1)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_canonical_spelling_is_its_own(raw in "[a-zA-Z0-9%=&!<>,+; .:'/\"äE-]{0,40}") {
            if let Ok(found) = pairs(&raw) {
                let once = join(&found);
                prop_assert!(once.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"#".contains(&byte)));
                prop_assert_eq!(pairs(&once).unwrap(), found);
            }
        }
    }
}
