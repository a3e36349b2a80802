//! Reasons for and against a row: a closed set, each with a name for programs and a sentence for people.

use std::fmt;

use super::version::TrackVersions;

/// A reason for or against a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackMatchReason {
    /// An external id is equal.
    Id,
    /// The ISRC is equal.
    Isrc,
    /// The titles are equal.
    TitleExact,
    /// The titles are equal except for a subtitle.
    Subtitle,
    /// The titles differ by a few words or letters.
    TitleSimilar,
    /// One title is a prefix of the other.
    TitleCutOff,
    /// An artist is equal.
    ArtistExact,
    /// The artist of one is a guest of the other.
    ArtistFeature,
    /// The artists differ by a few words or letters.
    ArtistSimilar,
    /// The albums are equal.
    AlbumMatch,
    /// The durations are nearly equal.
    DurationMatch {
        /// Difference in seconds.
        off_s: u32,
    },
    /// The durations are far apart.
    DurationFar {
        /// Difference in seconds.
        off_s: u32,
    },
    /// One is an edit or an extended cut.
    Cut,
    /// Only another version is in the library.
    VersionMismatch {
        /// The requested version.
        want: TrackVersions,
        /// The version in the library.
        have: TrackVersions,
    },
    /// Only another remix is in the library.
    RemixMismatch,
    /// Only a recording of another concert is in the library.
    LiveEventMismatch,
    /// A number in the title differs.
    NumberMismatch,
    /// It is another part.
    PartMismatch,
    /// A bracket in another script may name a version.
    UnknownVersion,
    /// The artists are written in different scripts.
    ScriptDiffers,
    /// A guest is missing who takes part in another row with this title.
    GuestMissing,
    /// Two other rows of the list have the same artist under the same other name.
    SameRenaming,
    /// Words of one title are missing in the other.
    WordsDiffer,
    /// The same words stand in another order.
    OrderDiffers,
    /// A word of one has another ending, such as that of a plural.
    FormDiffers,
    /// A word of one is the opposite or the negation of one of the other.
    OppositeDiffers,
    /// Another recording is equally likely.
    Ambiguous,
    /// A track number or file extension was removed from the title.
    TrackNumber,
    /// The artist's name is that of a channel.
    Channel,
    /// The title contained the artist.
    Split,
    /// Title and artist were swapped.
    Swapped,
    /// The policy accepts another version.
    AnyVersion,
}

impl TrackMatchReason {
    /// Name in the API; it never changes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Isrc => "isrc",
            Self::TitleExact => "title_exact",
            Self::Subtitle => "subtitle",
            Self::TitleSimilar => "title_similar",
            Self::TitleCutOff => "title_cut_off",
            Self::ArtistExact => "artist_exact",
            Self::ArtistFeature => "artist_feature",
            Self::ArtistSimilar => "artist_similar",
            Self::AlbumMatch => "album_match",
            Self::DurationMatch { .. } => "duration_match",
            Self::DurationFar { .. } => "duration_far",
            Self::Cut => "cut",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::RemixMismatch => "remix_mismatch",
            Self::LiveEventMismatch => "live_event_mismatch",
            Self::NumberMismatch => "number_mismatch",
            Self::PartMismatch => "part_mismatch",
            Self::UnknownVersion => "unknown_version",
            Self::ScriptDiffers => "script_differs",
            Self::GuestMissing => "guest_missing",
            Self::SameRenaming => "same_renaming",
            Self::WordsDiffer => "words_differ",
            Self::OrderDiffers => "order_differs",
            Self::FormDiffers => "form_differs",
            Self::OppositeDiffers => "opposite_differs",
            Self::Ambiguous => "ambiguous",
            Self::TrackNumber => "track_number",
            Self::Channel => "channel",
            Self::Split => "split",
            Self::Swapped => "swapped",
            Self::AnyVersion => "any_version",
        }
    }

    /// Whether it alone prevents accepting a row.
    pub fn is_against(&self) -> bool {
        matches!(
            self,
            Self::VersionMismatch { .. }
                | Self::RemixMismatch
                | Self::LiveEventMismatch
                | Self::NumberMismatch
                | Self::PartMismatch
                | Self::UnknownVersion
        )
    }
}

impl fmt::Display for TrackMatchReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::Id => "the same id",
            Self::Isrc => "the same ISRC",
            Self::TitleExact => "the same title",
            Self::Subtitle => "the same title but for a subtitle",
            Self::TitleSimilar => "nearly the same title",
            Self::TitleCutOff => "the same beginning of the title",
            Self::ArtistExact => "the same artist",
            Self::ArtistFeature => "the artist takes part",
            Self::ArtistSimilar => "nearly the same artist",
            Self::AlbumMatch => "the same album",
            Self::DurationMatch { off_s: 0 } => "the same length",
            Self::DurationMatch { off_s } => return write!(out, "the same length but for {off_s} s"),
            Self::DurationFar { off_s } => return write!(out, "{off_s} s longer or shorter"),
            Self::Cut => "one is an edit or an extended cut",
            Self::VersionMismatch { want, have } if want.is_plain() => {
                return write!(out, "{have} version");
            }
            Self::VersionMismatch { want, have } => {
                return write!(out, "{have} version, not {want}");
            }
            Self::RemixMismatch => "another remix or version",
            Self::LiveEventMismatch => "from another concert",
            Self::NumberMismatch => "another number in the title",
            Self::PartMismatch => "another part of it",
            Self::UnknownVersion => "words in another script on one side, which may name a version",
            Self::ScriptDiffers => "the artists are written in different scripts",
            Self::GuestMissing => "a guest who takes part in another row is missing in this one",
            Self::SameRenaming => "other rows of the list call the same artist by the same other name",
            Self::WordsDiffer => "words of one title are missing in the other",
            Self::OrderDiffers => "the same words in another order",
            Self::FormDiffers => "a plural, or another form of a word",
            Self::OppositeDiffers => "an opposite or a negation",
            Self::Ambiguous => "another recording in the library is as likely",
            Self::TrackNumber => "after a track number was taken off",
            Self::Channel => "the name of a channel was read as its artist",
            Self::Split => "the title held the artist as well",
            Self::Swapped => "title and artist were swapped",
            Self::AnyVersion => "another version is welcome",
        };
        out.write_str(sentence)
    }
}
