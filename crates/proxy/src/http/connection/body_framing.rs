//! The body of a request: how much of it is still to come.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// How much of a body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Nothing.
    #[default]
    Nothing,
    /// So many bytes.
    Bytes(u64),
    /// Chunks, as far as they are.
    Chunks(Chunks),
}

/// Where in a body of chunks one is. What is not well-formed the parser refuses, and the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// In the digits of a chunk's size, which is this so far.
    Size(u64),
    /// Behind them, up to the end of the line.
    Extension(u64),
    /// In a chunk; so many bytes and the end of its line are left.
    Data(u64),
    /// In a line behind the last chunk.
    Trailer,
    /// At the beginning of one; an empty one is the end.
    TrailerStart,
    /// In the line feed of such a line; a line feed alone ends none.
    TrailerEnd,
    /// In the line feed of the empty one.
    End,
}

impl Extent {
    /// What a head says of its body.
    pub fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(TRANSFER_ENCODING) {
            return Self::Chunks(Chunks::Size(0));
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
        length.map_or(Self::Nothing, Self::Bytes)
    }

    /// How many of these bytes belong to the body.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            taken += match self {
                Self::Nothing | Self::Bytes(0) => break,
                Self::Bytes(left) => skip(left, bytes.len() - taken),
                Self::Chunks(Chunks::Data(left)) if *left > 0 => skip(left, bytes.len() - taken),
                Self::Chunks(Chunks::End) => {
                    *self = Self::Nothing;
                    1
                }
                Self::Chunks(chunks) => {
                    *chunks = chunks.after(bytes[taken]);
                    1
                }
            };
        }
        taken
    }
}

impl Chunks {
    fn after(self, byte: u8) -> Self {
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

/// As many as are left, or as there are.
fn skip(left: &mut u64, there: usize) -> usize {
    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
    *left -= skipped as u64;
    skipped
}
