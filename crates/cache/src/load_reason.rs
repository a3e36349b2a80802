//! Reasons for loads.

/// Reason of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoadReason {
    /// No entry.
    Absent,
    /// The entry is too old to be served as stale.
    Expired,
    /// The entry was invalidated.
    Invalidated,
    /// The entry is from before a gap in which changes may have been missed, and nothing has confirmed it since.
    Unconfirmed,
    /// A read found a refresh due.
    Refresh,
    /// Warming, without a read.
    Warm,
    /// The caller demanded a new response.
    Demanded,
    /// Likely to be requested soon.
    Prefetch,
}

impl LoadReason {
    /// Every reason.
    pub const EVERY: [Self; 8] = [
        Self::Absent,
        Self::Expired,
        Self::Invalidated,
        Self::Unconfirmed,
        Self::Refresh,
        Self::Warm,
        Self::Demanded,
        Self::Prefetch,
    ];

    /// Name on the wire and in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Invalidated => "invalidated",
            Self::Unconfirmed => "unconfirmed",
            Self::Refresh => "refresh",
            Self::Warm => "warm",
            Self::Demanded => "demanded",
            Self::Prefetch => "ahead",
        }
    }
}
