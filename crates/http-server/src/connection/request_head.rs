//! Finds request heads among the bytes of a connection.

use memchr::memchr_iter;

use crate::connection::body_framing::BodyFraming;

/// Max buffered bytes: more than the HTTP parser reads ahead.
pub(super) const MAX_BUFFERED: usize = 128 * 1024;
/// A larger buffer is freed after the request.
const RETAINED_CAPACITY: usize = 8 * 1024;

/// Received bytes not yet classified: the rest of a body, then heads.
#[derive(Default)]
pub(super) struct HeadSniffer {
    body: BodyFraming,
    pub(super) heads: Vec<u8>,
    /// The head that was removed last.
    pub(super) last_head: Vec<u8>,
    /// The position in the stream is unknown, or not needed any more.
    is_stopped: bool,
}

impl HeadSniffer {
    /// Adds received bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.is_stopped {
            return;
        }
        let rest = &bytes[self.body.consume(bytes)..];
        if self.heads.len() + rest.len() <= MAX_BUFFERED {
            self.heads.extend_from_slice(rest);
        } else {
            // Longer than any head, so it is none, and what cannot be checked is not trusted.
            self.stop();
        }
    }

    /// Ignores all further bytes.
    pub(super) fn stop(&mut self) {
        *self = Self { is_stopped: true, ..Self::default() };
    }

    /// Whether no byte is left that belongs to no removed head or its body.
    pub(super) fn is_between_requests(&self) -> bool {
        !self.is_stopped && self.heads.is_empty() && matches!(self.body, BodyFraming::Nothing | BodyFraming::Bytes(0))
    }

    /// Removes the first head and the received part of its body. Returns whether the body is chunked and the head has a
    /// length too, or was not seen.
    pub(super) fn take_head(&mut self, body: BodyFraming) -> bool {
        let has_chunks = matches!(body, BodyFraming::Chunks(_));
        let Some(end) = end_of_head(&self.heads) else {
            self.stop();
            return has_chunks;
        };
        let has_two = has_chunks && has_content_length_line(&self.heads[..end]);
        let rest = self.heads.split_off(end);
        std::mem::swap(&mut self.heads, &mut self.last_head);
        if self.last_head.capacity() > RETAINED_CAPACITY {
            self.last_head = Vec::new();
        }
        self.heads.clear();
        self.body = body;
        self.feed(&rest);
        has_two
    }
}

/// End of the first head: after its first empty line. Leading empty lines are skipped.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    memchr_iter(b'\n', &bytes[start..]).find_map(|at| match bytes[start + at + 1..] {
        [b'\n', ..] => Some(start + at + 2),
        [b'\r', b'\n', ..] => Some(start + at + 3),
        _ => None,
    })
}

/// Whether any line begins with `Content-Length`.
fn has_content_length_line(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length";
    bytes
        .split(|byte| *byte == b'\n')
        .any(|line| line.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME)))
}
