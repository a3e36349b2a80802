//! Framing of a request body: the rest that is still to come.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// Rest of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFraming {
    /// Nothing.
    #[default]
    Nothing,
    /// This many bytes.
    Bytes(u64),
    /// Chunks, with the parser's position.
    Chunks(ChunkedState),
}

/// Position within a chunked body. Malformed chunks are rejected by the HTTP parser, which ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkedState {
    /// In the digits of a chunk's size; the value so far.
    Size(u64),
    /// After the digits, before the end of the line.
    Extension(u64),
    /// In a chunk; bytes left, including the end of its line.
    Data(u64),
    /// In a line after the last chunk.
    Trailer,
    /// At the beginning of one; an empty line is the end.
    TrailerStart,
    /// In the line feed of such a line; a line feed alone ends none.
    TrailerEnd,
    /// In the line feed of the empty line.
    End,
}

impl BodyFraming {
    /// Framing according to the head.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        if headers.contains_key(TRANSFER_ENCODING) {
            return Self::Chunks(ChunkedState::Size(0));
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
        length.map_or(Self::Nothing, Self::Bytes)
    }

    /// Number of these bytes that belong to the body.
    pub(super) fn consume(&mut self, bytes: &[u8]) -> usize {
        let mut consumed = 0;
        while consumed < bytes.len() {
            consumed += match self {
                Self::Nothing | Self::Bytes(0) => break,
                Self::Bytes(left) => skip(left, bytes.len() - consumed),
                Self::Chunks(ChunkedState::Data(left)) if *left > 0 => skip(left, bytes.len() - consumed),
                Self::Chunks(ChunkedState::End) => {
                    *self = Self::Nothing;
                    1
                }
                Self::Chunks(chunks) => {
                    *chunks = chunks.next(bytes[consumed]);
                    1
                }
            };
        }
        consumed
    }
}

impl ChunkedState {
    fn next(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') | (Self::TrailerEnd, _) => Self::TrailerStart,
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), digit) if digit.is_ascii_hexdigit() => {
                let value = char::from(digit).to_digit(16).unwrap_or(0);
                Self::Size(size.saturating_mul(16).saturating_add(value.into()))
            }
            (Self::Size(size) | Self::Extension(size), _) => Self::Extension(size),
            (Self::Data(_), b'\n') => Self::Size(0),
            (Self::Data(_), _) => self,
            (Self::TrailerStart, b'\r') | (Self::End, _) => Self::End,
            (Self::Trailer, b'\r') => Self::TrailerEnd,
            (Self::TrailerStart | Self::Trailer, _) => Self::Trailer,
        }
    }
}

/// Skips at most `available` bytes of `left`.
fn skip(left: &mut u64, available: usize) -> usize {
    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= skipped as u64;
    skipped
}
