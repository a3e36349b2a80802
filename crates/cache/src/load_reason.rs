//! Why loads are made.

/// Why a load is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoadReason {
    /// Nothing was kept.
    Absent,
    /// What was kept is too old to be served as stale.
    Expired,
    /// What was kept was invalidated.
    Invalidated,
    /// A read found it due for a refresh.
    Refresh,
    /// Nobody read it, but it is to stay warm.
    Warm,
    /// The caller did not want what was kept.
    Demanded,
    /// Nobody asked yet, but somebody is likely to.
    Ahead,
}

impl LoadReason {
    /// Every reason.
    pub const EVERY: [Self; 7] = [
        Self::Absent,
        Self::Expired,
        Self::Invalidated,
        Self::Refresh,
        Self::Warm,
        Self::Demanded,
        Self::Ahead,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Invalidated => "invalidated",
            Self::Refresh => "refresh",
            Self::Warm => "warm",
            Self::Demanded => "demanded",
            Self::Ahead => "ahead",
        }
    }
}
