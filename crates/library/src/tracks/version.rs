//! The ways in which two recordings of one song differ.

use std::fmt;

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Version {
    /// Before an audience, or in one go for a broadcast.
    Live,
    /// By another hand.
    Remix,
    /// Without amplifiers.
    Acoustic,
    /// Without its voice.
    Instrumental,
    /// To sing to.
    Karaoke,
    /// Nothing but its voice.
    Vocals,
    /// Not, or not yet, what was released.
    Demo,
    /// A piece of it: intro, interlude, reprise.
    Interlude,
    /// Faster or slower.
    Speed,
    /// Once more, later.
    Rerecorded,
    /// Within a mix.
    Mixed,
    /// By somebody else.
    Cover,
    /// For other instruments or voices.
    Arranged,
    /// In another language.
    Translated,
    /// A version with a name.
    Named,
}

impl Version {
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

    /// The word for it.
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

/// Several ways at once; none for the plain recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Versions(u16);

impl Versions {
    /// The plain recording.
    pub const PLAIN: Self = Self(0);

    pub(super) fn add(&mut self, version: Version) {
        self.0 |= 1 << version as u8;
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this and not in the other.
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn only(self, some: &[Version]) -> Self {
        let mut mask = Self::PLAIN;
        for version in some {
            mask.add(*version);
        }
        Self(self.0 & mask.0)
    }

    /// Whether it is the plain recording.
    pub fn is_plain(self) -> bool {
        self.0 == 0
    }

    /// Whether it differs in this way.
    pub fn has(self, version: Version) -> bool {
        self.0 & (1 << version as u8) != 0
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            return out.write_str("plain");
        }
        let words: Vec<&str> =
            Version::EVERY.into_iter().filter(|version| self.has(*version)).map(Version::word).collect();
        out.write_str(&words.join("+"))
    }
}

/// Whether a cut is shorter or longer than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum Cut {
    /// Nothing is said.
    #[default]
    Usual,
    /// Edited for the radio.
    Short,
    /// Extended.
    Long,
}
