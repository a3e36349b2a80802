//! What was heard on a connection: which of its bytes are a head.

use memchr::memchr_iter;

use crate::http::connection::body_framing::Extent;

/// Bytes that are remembered of what was heard: more than the parser reads ahead.
pub(super) const MAX_HEARD: usize = 128 * 1024;
/// A memory that grew beyond this is given back after the request.
const KEPT_CAPACITY: usize = 8 * 1024;

/// What was heard and not understood yet: what remains of a body, then heads.
#[derive(Default)]
pub(super) struct Heard {
    body: Extent,
    pub(super) heads: Vec<u8>,
    /// It is not known any more which byte is what, or nobody needs to know.
    is_lost: bool,
}

impl Heard {
    /// Bytes came.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if self.is_lost {
            return;
        }
        let rest = &bytes[self.body.take(bytes)..];
        if self.heads.len() + rest.len() <= MAX_HEARD {
            self.heads.extend_from_slice(rest);
        } else {
            // Longer than any head: it is not one, and what cannot be looked at is not trusted.
            self.lose();
        }
    }

    /// What comes from now on is not looked at.
    pub(super) fn lose(&mut self) {
        *self = Self { is_lost: true, ..Self::default() };
    }

    /// Takes the first head out, and what is here of its body. Whether it has chunks and yet may have named a length:
    /// its head did, or was not heard.
    pub(super) fn understand(&mut self, body: Extent) -> bool {
        let has_chunks = matches!(body, Extent::Chunks(_));
        let Some(end) = end_of_head(&self.heads) else {
            self.lose();
            return has_chunks;
        };
        let has_two = has_chunks && names_a_length(&self.heads[..end]);
        let rest = self.heads.split_off(end);
        if self.heads.capacity() > KEPT_CAPACITY {
            self.heads = Vec::new();
        }
        self.heads.clear();
        self.body = body;
        self.hear(&rest);
        has_two
    }
}

/// Where the first head ends: behind its first empty line. Empty lines before it count for nothing.
fn end_of_head(heard: &[u8]) -> Option<usize> {
    let start = heard.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    memchr_iter(b'\n', &heard[start..]).find_map(|at| match heard[start + at + 1..] {
        [b'\n', ..] => Some(start + at + 2),
        [b'\r', b'\n', ..] => Some(start + at + 3),
        _ => None,
    })
}

/// Whether any line begins with `Content-Length`.
fn names_a_length(heard: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length";
    heard
        .split(|byte| *byte == b'\n')
        .any(|line| line.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME)))
}
