//! Versions: differences between two recordings of one song.

use std::fmt;

/// One kind of version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TrackVersion {
    /// Recorded before an audience, or in one take for a broadcast.
    Live,
    /// Remixed by another artist.
    Remix,
    /// Unamplified.
    Acoustic,
    /// Without vocals.
    Instrumental,
    /// For singing along.
    Karaoke,
    /// Vocals only.
    Vocals,
    /// Unreleased or early.
    Demo,
    /// A fragment: intro, interlude, reprise.
    Interlude,
    /// Faster or slower.
    Speed,
    /// Recorded again later.
    Rerecorded,
    /// Part of a continuous mix.
    Mixed,
    /// By another artist.
    Cover,
    /// For other instruments or voices.
    Arranged,
    /// In another language.
    Translated,
    /// A version with a name.
    Named,
}

impl TrackVersion {
    const EVERY: [Self; 15] = [
        Self::Live,
        Self::Remix,
        Self::Acoustic,
        Self::Instrumental,
        Self::Karaoke,
        Self::Vocals,
        Self::Demo,
        Self::Interlude,
        Self::Speed,
        Self::Rerecorded,
        Self::Mixed,
        Self::Cover,
        Self::Arranged,
        Self::Translated,
        Self::Named,
    ];

    /// Name used in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Remix => "remix",
            Self::Acoustic => "acoustic",
            Self::Instrumental => "instrumental",
            Self::Karaoke => "karaoke",
            Self::Vocals => "vocals",
            Self::Demo => "demo",
            Self::Interlude => "interlude",
            Self::Speed => "speed",
            Self::Rerecorded => "rerecorded",
            Self::Mixed => "mixed",
            Self::Cover => "cover",
            Self::Arranged => "arranged",
            Self::Translated => "translated",
            Self::Named => "named",
        }
    }
}

/// A set of versions; empty for the plain recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TrackVersions(u16);

impl TrackVersions {
    /// The plain recording.
    pub const PLAIN: Self = Self(0);

    pub(super) fn add(&mut self, version: TrackVersion) {
        self.0 |= 1 << version as u8;
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The versions that are not in the other set.
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn of(some: &[TrackVersion]) -> Self {
        let mut versions = Self::PLAIN;
        for version in some {
            versions.add(*version);
        }
        versions
    }

    pub(super) fn only(self, some: &[TrackVersion]) -> Self {
        Self(self.0 & Self::of(some).0)
    }

    /// Whether it is the plain recording.
    pub fn is_plain(self) -> bool {
        self.0 == 0
    }

    /// Whether the set contains this version.
    pub fn has(self, version: TrackVersion) -> bool {
        self.0 & (1 << version as u8) != 0
    }
}

impl fmt::Display for TrackVersions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            return out.write_str("studio");
        }
        let words: Vec<&str> =
            TrackVersion::EVERY.into_iter().filter(|version| self.has(*version)).map(TrackVersion::word).collect();
        out.write_str(&words.join("+"))
    }
}

/// Length of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum CutLength {
    /// Not stated.
    #[default]
    Usual,
    /// A radio edit.
    Short,
    /// Extended.
    Long,
}
