//! The closed list of reasons not to store a value.

use std::fmt;

/// Reason for which a value was served but not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotStoredReason {
    /// It was invalidated after its load began.
    Invalidated,
    /// A write of unknown outcome covers it: the source's response may be from before or after the write.
    WriteInDoubt,
    /// The stored entry comes from a load that began later.
    Superseded,
    /// Larger than the limit for one entry.
    TooLarge,
    /// Larger than the limit for its partition.
    PartitionFull,
    /// More tags than the limit.
    TooManyTags,
    /// Its lifetime is zero.
    NoLifetime,
}

impl NotStoredReason {
    /// Every reason.
    pub const EVERY: [Self; 7] = [
        Self::Invalidated,
        Self::WriteInDoubt,
        Self::Superseded,
        Self::TooLarge,
        Self::PartitionFull,
        Self::TooManyTags,
        Self::NoLifetime,
    ];

    /// Name on the wire and in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalidated => "invalidated-meanwhile",
            Self::WriteInDoubt => "unsettled",
            Self::Superseded => "older",
            Self::TooLarge => "too-large",
            Self::PartitionFull => "partition-full",
            Self::TooManyTags => "too-many-tags",
            Self::NoLifetime => "no-lifetime",
        }
    }
}

impl fmt::Display for NotStoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
