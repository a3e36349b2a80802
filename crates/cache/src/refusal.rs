//! The closed list of reasons not to store a value.

use std::fmt;

/// Why a value was answered, but not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// What it was made of was invalidated after its load began.
    Invalidated,
    /// A write of unknown outcome covers it: what the source says now may be of before or after.
    Unsettled,
    /// What is stored came from a load that began later.
    Older,
    /// It is larger than an entry may be.
    TooLarge,
    /// It is larger than its partition may be.
    PartitionFull,
    /// It carries more tags than an entry may.
    TooManyTags,
    /// It may not live at all.
    NoLifetime,
}

impl Refusal {
    /// Every reason.
    pub const EVERY: [Self; 7] = [
        Self::Invalidated,
        Self::Unsettled,
        Self::Older,
        Self::TooLarge,
        Self::PartitionFull,
        Self::TooManyTags,
        Self::NoLifetime,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalidated => "invalidated-meanwhile",
            Self::Unsettled => "unsettled",
            Self::Older => "older",
            Self::TooLarge => "too-large",
            Self::PartitionFull => "partition-full",
            Self::TooManyTags => "too-many-tags",
            Self::NoLifetime => "no-lifetime",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
