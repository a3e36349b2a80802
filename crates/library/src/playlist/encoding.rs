//! Recognises texts in Latin-1 and Windows-1252, which name no encoding.
//!
//! Every sequence of bytes is valid in both, so a text is only read as one of them where its letters look like words of
//! a western language: a letter with a diacritic stands among letters without one. Cyrillic, Greek or Japanese in an
//! encoding of its own has whole words of such bytes; that is not guessed, its rows are reported instead.

/// Text encoding of a playlist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TextEncoding {
    /// UTF-8, or plain ASCII.
    #[default]
    Utf8,
    /// UTF-16 with a byte order mark.
    Utf16,
    /// Windows-1252.
    Windows1252,
    /// Latin-1 (ISO 8859-1).
    Latin1,
    /// UTF-8, and single lines in Windows-1252.
    Mixed,
}

impl TextEncoding {
    /// Name used in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Windows1252 => "windows-1252",
            Self::Latin1 => "iso-8859-1",
            Self::Mixed => "mixed",
        }
    }
}

/// Most letters outside ASCII in a row inside a western word, such as `éè`.
const MAX_LETTERS: usize = 2;
/// Most characters outside ASCII in a row: two letters and a closing quote.
const MAX_RUN: usize = 3;
/// Of this many runs one may look foreign.
const RUNS_PER_FOREIGN_RUN: usize = 10;

/// The encoding of a text that is not UTF-8, if its words look western.
pub(super) fn western_encoding(bytes: &[u8]) -> Option<TextEncoding> {
    // With characters of several bytes in it, it is UTF-8 with broken lines.
    if bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) {
        return None;
    }
    let (mut runs, mut foreign, mut has_upper_controls) = (0_usize, 0_usize, false);
    let mut at = 0;
    while let Some(start) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| !byte.is_ascii())) {
        let start = at + start;
        let length = bytes[start..].iter().take_while(|byte| !byte.is_ascii()).count();
        let run = &bytes[start..start + length];
        let before = start.checked_sub(1).map(|before| bytes[before]);
        runs += 1;
        foreign += usize::from(!is_western_run(run, before, bytes.get(start + length).copied()));
        has_upper_controls |= run.iter().any(|byte| *byte < 0xa0);
        at = start + length;
    }
    let is_western = runs > 0 && foreign * RUNS_PER_FOREIGN_RUN <= runs;
    is_western.then_some(if has_upper_controls { TextEncoding::Windows1252 } else { TextEncoding::Latin1 })
}

/// Whether bytes outside ASCII between these two look like letters or marks of a western text.
fn is_western_run(run: &[u8], before: Option<u8>, after: Option<u8>) -> bool {
    let letters: Vec<u8> = run.iter().copied().filter(|byte| *byte >= 0xc0).collect();
    let has_unassigned = run.iter().any(|byte| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d));
    let touches_word = [before, after].into_iter().flatten().any(|byte| byte.is_ascii_alphabetic());
    // `à` and `Ø` are words, `ÿ` and `þ` are bytes of something else.
    let is_word = letters.len() == 1 && letters[0] < 0xfe;
    let is_short = run.len() <= MAX_RUN && letters.len() <= MAX_LETTERS;
    !has_unassigned && is_short && (letters.is_empty() || touches_word || is_word)
}

/// Characters in which Windows-1252 differs from Latin-1; unassigned bytes stay control characters.
const WINDOWS_1252_UPPER: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The character of a byte in Windows-1252, of which Latin-1 is a part but for control characters.
pub(super) fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252_UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn western_words_tell_the_encoding_and_foreign_ones_do_not() {
        for (bytes, wanted) in [
            (b"Beyonc\xe9 - Halo".as_slice(), Some(TextEncoding::Latin1)),
            (b"\xc0 la claire fontaine\nMot\xf6rhead", Some(TextEncoding::Latin1)),
            (b"Beyonc\xe9 \x96 Don\x92t", Some(TextEncoding::Windows1252)),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2 - \xcc\xe8\xf0", None),
            (b"\xff\xfe,A", None),
            (b"caf\xe9 caf\xc3\xa9", None),
            (b"caf\xe9 \x81a", None),
            (b"plain", None),
        ] {
            assert_eq!(western_encoding(bytes), wanted, "{}", bytes.escape_ascii());
        }
    }
}
