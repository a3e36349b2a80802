//! Repairs text: undoes wrong decoding and replaces look-alike characters.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Max repeated wrong decodings that are undone.
const MAX_MISTAKES: usize = 2;

/// The repaired text in NFKC, with one kind of dash and one kind of apostrophe.
pub(super) fn repair(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut text = Cow::Borrowed(text);
    for _ in 0..MAX_MISTAKES {
        match undo(&text) {
            Some(undone) => text = Cow::Owned(undone),
            None => break,
        }
    }
    // Before NFKC, which turns a lone accent into a space and an accent.
    let plain: String = text.chars().filter_map(plain).collect();
    Cow::Owned(plain.nfkc().collect())
}

/// Undoes decoding of UTF-8 as Windows-1252 or Latin-1. `None` if nothing was decoded wrongly.
fn undo(text: &str) -> Option<String> {
    let mut undone = String::with_capacity(text.len());
    let mut bytes = Vec::new();
    let mut run = String::new();
    let mut is_changed = false;
    let mut end = |run: &mut String, bytes: &mut Vec<u8>, undone: &mut String| {
        match std::str::from_utf8(bytes) {
            Ok(meant) if !bytes.is_empty() => {
                is_changed = true;
                undone.push_str(meant);
            }
            _ => undone.push_str(run),
        }
        run.clear();
        bytes.clear();
    };
    for c in text.chars() {
        if let Some(byte) = byte(c) {
            run.push(c);
            bytes.push(byte);
        } else {
            end(&mut run, &mut bytes, &mut undone);
            undone.push(c);
        }
    }
    end(&mut run, &mut bytes, &mut undone);
    is_changed.then_some(undone)
}

/// The byte above 127 that Windows-1252 or Latin-1 decodes to this character.
fn byte(c: char) -> Option<u8> {
    const SHOWN: [(char, u8); 27] = [
        ('€', 0x80),
        ('‚', 0x82),
        ('ƒ', 0x83),
        ('„', 0x84),
        ('…', 0x85),
        ('†', 0x86),
        ('‡', 0x87),
        ('ˆ', 0x88),
        ('‰', 0x89),
        ('Š', 0x8a),
        ('‹', 0x8b),
        ('Œ', 0x8c),
        ('Ž', 0x8e),
        ('‘', 0x91),
        ('’', 0x92),
        ('“', 0x93),
        ('”', 0x94),
        ('•', 0x95),
        ('–', 0x96),
        ('—', 0x97),
        ('˜', 0x98),
        ('™', 0x99),
        ('š', 0x9a),
        ('›', 0x9b),
        ('œ', 0x9c),
        ('ž', 0x9e),
        ('Ÿ', 0x9f),
    ];
    match u32::from(c) {
        code @ 0x80..=0xff => u8::try_from(code).ok(),
        _ => SHOWN.iter().find(|(shown, _)| *shown == c).map(|(_, byte)| *byte),
    }
}

/// Replacement for a look-alike character; `None` for an invisible one.
fn plain(c: char) -> Option<char> {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{b4}' | '\u{2bc}' | '`' => Some('\''),
        '\u{201c}'..='\u{201f}' => Some('"'),
        '【' | '〔' | '「' | '『' => Some('['),
        '】' | '〕' | '」' | '』' => Some(']'),
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{fe0f}' => None,
        '×' | '✕' => Some('x'),
        c if c.is_control() => Some(' '),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::repair;

    #[test]
    fn text_in_a_mistaken_encoding_is_undone_once_and_twice() {
        assert_eq!(repair("BeyoncÃ©"), "Beyoncé");
        assert_eq!(repair("BeyoncÃƒÂ©"), "Beyoncé");
        assert_eq!(repair("Donâ€™t"), "Don't");
        assert_eq!(repair("MÃ¼ller, Zoë"), "Müller, Zoë", "only what was mistaken changes");
    }

    #[test]
    fn text_that_is_right_stays() {
        for right in ["Ã", "Ångström", "Tiësto", "Œuvre", "ひかり", "†††", "São Paulo"] {
            assert_eq!(repair(right), right);
        }
    }

    #[test]
    fn what_looks_alike_is_one() {
        assert_eq!(repair("(G)I‐DLE – Don’t"), "(G)I-DLE - Don't");
        assert_eq!(repair("ＦＵＬＬ（ｗｉｄｔｈ）"), "FULL(width)");
        assert_eq!(repair("Wait…"), "Wait...");
        assert_eq!(repair("zero\u{200b}width"), "zerowidth");
    }
}
