//! What lies on disk under a key that is loaded anew.

/// What the copy before a new value is worth after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "shuttle", expect(dead_code, reason = "the model has no tier below"))]
pub(crate) enum OlderCopy {
    /// It may be served while the source is down.
    Usable,
    /// It was purged, or nothing is known of it.
    Void,
}
