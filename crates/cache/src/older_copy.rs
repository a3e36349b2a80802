//! The copy on disk of a key that is being reloaded.

/// Whether the copy on disk would be usable after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "shuttle", expect(dead_code, reason = "the model has no disk tier"))]
pub(crate) enum OlderCopy {
    /// It may be served while the source is down.
    Usable,
    /// It was purged, or nothing is known about it.
    Void,
}
