//! Settings of earlier versions: a configuration that still has one is accepted, with a remark on what to do.

/// A setting that was removed.
struct RemovedSetting {
    /// Its dotted path.
    path: &'static str,
    /// The replacement, in one sentence.
    instead: &'static str,
}

const REMOVED: [RemovedSetting; 1] = [RemovedSetting {
    path: "disk.shared_lag_ms",
    instead: "one process owns a data directory, so there is no other gateway whose changes would be waited for",
}];

/// The remark about a removed setting; `None` if the path never was one.
pub(super) fn remark(path: &str) -> Option<String> {
    let removed = REMOVED.iter().find(|removed| removed.path == path)?;
    Some(format!("{path} was removed and counts for nothing: {}; take it out", removed.instead))
}

/// Paths of all removed settings.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    REMOVED.iter().map(|removed| removed.path)
}
