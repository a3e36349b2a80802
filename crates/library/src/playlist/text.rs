//! Decodes bytes to lines of text: UTF-8 with or without a byte order mark, UTF-16 with one, and what old programs
//! write (`encoding`).

use std::borrow::Cow;

use super::PlaylistParseError;
use super::encoding::{TextEncoding, western_encoding, windows_1252};

/// Magic numbers of other file types.
const FILE_SIGNATURES: [(&[u8], &str); 12] = [
    (b"PK\x03\x04", "a ZIP archive (or a spreadsheet)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"ID3", "a music file"),
    (b"fLaC", "a music file"),
    (b"OggS", "a music file"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
];

/// Min bytes of a text for each control character in it.
const BYTES_PER_CONTROL_CHARACTER: usize = 10;

/// A text of which some lines may not be UTF-8.
pub(super) struct DecodedText<'a> {
    bytes: Cow<'a, [u8]>,
    encoding: TextEncoding,
}

/// One line, without its end.
#[derive(Clone, Copy)]
pub(super) struct TextLine<'a>(&'a [u8]);

/// Decodes the byte order mark, if there is one, and rejects binary files.
pub(super) fn decode(bytes: &[u8]) -> Result<DecodedText<'_>, PlaylistParseError> {
    if let Some((_, what)) = FILE_SIGNATURES.iter().find(|(head, _)| bytes.starts_with(head)) {
        return Err(PlaylistParseError::Binary(Some(what)));
    }
    let (whole, mut encoding) = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => (Cow::Borrowed(rest), TextEncoding::Utf8),
        [0xff, 0xfe, rest @ ..] => (Cow::Owned(utf16(rest, u16::from_le_bytes)), TextEncoding::Utf16),
        [0xfe, 0xff, rest @ ..] => (Cow::Owned(utf16(rest, u16::from_be_bytes)), TextEncoding::Utf16),
        _ => (Cow::Borrowed(bytes), TextEncoding::Utf8),
    };
    let is_odd = |byte: &&u8| **byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a);
    // A stray control character must not cost the whole file.
    let odd = whole.iter().filter(is_odd).count();
    if odd.saturating_mul(BYTES_PER_CONTROL_CHARACTER) > whole.len() {
        return Err(PlaylistParseError::Binary(None));
    }
    let mut whole = without_nul(whole);
    if whole.iter().all(u8::is_ascii_whitespace) {
        return Err(PlaylistParseError::Empty);
    }
    if let Some(western) = western_encoding(&whole) {
        encoding = western;
        whole = Cow::Owned(whole.iter().map(|byte| windows_1252(*byte)).collect::<String>().into());
    }
    Ok(DecodedText { bytes: whole, encoding })
}

/// Drops NUL bytes, with which some programs pad a field.
fn without_nul(whole: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if whole.contains(&0) { Cow::Owned(whole.iter().copied().filter(|byte| *byte != 0).collect()) } else { whole }
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into()
}

impl DecodedText<'_> {
    /// The whole text, which must be UTF-8.
    pub(super) fn as_str(&self) -> Result<&str, PlaylistParseError> {
        std::str::from_utf8(&self.bytes)
            .map_err(|error| PlaylistParseError::Encoding(line_at(&self.bytes, error.valid_up_to())))
    }

    /// Its encoding.
    pub(super) fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    /// Its encoding, where [`TextLine::western`] decodes the lines that are no UTF-8.
    pub(super) fn encoding_of_western_lines(&self) -> TextEncoding {
        if std::str::from_utf8(&self.bytes).is_ok() { self.encoding } else { TextEncoding::Mixed }
    }

    /// Its lines with their numbers, with any line ends (`\n`, `\r\n`, `\r`).
    pub(super) fn lines(&self) -> impl Iterator<Item = (u32, TextLine<'_>)> + Clone {
        let mut rest = Some(self.bytes.as_ref());
        let mut number = 0_u32;
        std::iter::from_fn(move || {
            let bytes = rest?;
            number = number.saturating_add(1);
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let Some(end) = end else {
                rest = None;
                return Some((number, TextLine(bytes)));
            };
            let skip = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
            rest = Some(&bytes[end + skip..]);
            Some((number, TextLine(&bytes[..end])))
        })
    }
}

impl<'a> TextLine<'a> {
    /// As UTF-8, if valid.
    pub(super) fn utf8(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }

    /// As UTF-8 with replacement characters.
    pub(super) fn lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }

    /// As UTF-8, or else as Windows-1252, which old players write.
    pub(super) fn western(self) -> Cow<'a, str> {
        self.utf8().map_or_else(|| Cow::Owned(self.0.iter().map(|byte| windows_1252(*byte)).collect()), Cow::Borrowed)
    }
}

/// The line of an offset, from 1.
pub(super) fn line_at(bytes: &[u8], at: usize) -> u32 {
    let ends = bytes[..at.min(bytes.len())].iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(ends).unwrap_or(u32::MAX).saturating_add(1)
}
