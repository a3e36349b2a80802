//! Whether the HTTP parser of a connection owes a response: only when it does not, a request may be answered without it.

use std::sync::atomic::{AtomicU8, Ordering};

/// Responses that the parser of a connection owes. It is used by one task at a time.
#[derive(Debug, Default)]
pub(super) struct ParserState(AtomicU8);

/// Nothing: every byte it got belongs to a request whose response was sent.
const IDLE: u8 = 0;
/// It got bytes of a request without a response yet, or with one whose end is unknown here.
const BUSY: u8 = 1;
/// It got a whole response, and may not have sent all of it.
const ANSWERED: u8 = 2;

impl ParserState {
    pub(super) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == IDLE
    }

    /// It gets bytes, or takes up a request from those that it got earlier.
    pub(super) fn record_request(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    /// It got a whole response, and keeps the connection after it.
    pub(super) fn record_whole_response(&self) {
        if self.0.load(Ordering::Relaxed) == BUSY {
            self.0.store(ANSWERED, Ordering::Relaxed);
        }
    }

    /// It writes: the rest of a response, if it seemed to owe nothing.
    pub(super) fn record_write(&self) {
        if self.is_idle() {
            self.0.store(ANSWERED, Ordering::Relaxed);
        }
    }

    /// All that it wrote is sent. `is_between_requests` tells whether it holds no bytes of a further request. Returns
    /// whether it owes nothing any more.
    pub(super) fn record_flush(&self, is_between_requests: impl FnOnce() -> bool) -> bool {
        let is_over = self.0.load(Ordering::Relaxed) == ANSWERED && is_between_requests();
        if is_over {
            self.0.store(IDLE, Ordering::Relaxed);
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_owes_nothing_only_once_a_whole_response_is_sent_and_no_request_waits() {
        let state = ParserState::default();
        assert!(state.is_idle(), "a new connection");
        state.record_whole_response();
        assert!(state.is_idle(), "there is no request that it could answer");
        state.record_request();
        assert!(!state.record_flush(|| true), "interim responses are sent before the response");
        state.record_whole_response();
        assert!(!state.is_idle(), "none of it is sent");
        assert!(!state.record_flush(|| false), "another request arrived with the first");
        state.record_request();
        assert!(!state.record_flush(|| true), "the other request was taken up before the first response was sent");
        state.record_whole_response();
        assert!(state.record_flush(|| true) && state.is_idle());
        state.record_write();
        assert!(!state.is_idle(), "the rest of a response that was sent in parts");
        assert!(state.record_flush(|| true));
    }
}
