//! Plex's names of item kinds and sections.

use greenroom_simulator_backend::catalogue::{MediaKind, Section};

/// The number of a kind in `type=`.
pub(super) fn number(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Film => 1,
        MediaKind::Show => 2,
        MediaKind::Season => 3,
        MediaKind::Episode => 4,
        MediaKind::Artist => 8,
        MediaKind::Album => 9,
        MediaKind::Track => 10,
        MediaKind::Collection => 18,
    }
}

/// The number of playlists.
pub(super) const PLAYLIST: u32 = 15;

/// The kind with this number or word.
pub(super) fn named(text: &str) -> Option<MediaKind> {
    MediaKind::EVERY.into_iter().find(|kind| word(*kind) == text || text.parse() == Ok(number(*kind)))
}

/// The word for a kind.
pub(super) fn word(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Film => "movie",
        MediaKind::Show => "show",
        MediaKind::Season => "season",
        MediaKind::Episode => "episode",
        MediaKind::Artist => "artist",
        MediaKind::Album => "album",
        MediaKind::Track => "track",
        MediaKind::Collection => "collection",
    }
}

/// The title of a list of a kind.
pub(super) fn plural(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Film => "Movies",
        MediaKind::Show => "TV Shows",
        MediaKind::Season => "Seasons",
        MediaKind::Episode => "Episodes",
        MediaKind::Artist => "Artists",
        MediaKind::Album => "Albums",
        MediaKind::Track => "Tracks",
        MediaKind::Collection => "Collections",
    }
}

/// The element a kind has in XML.
pub(super) fn element(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Film | MediaKind::Episode => "Video",
        MediaKind::Track => "Track",
        MediaKind::Show | MediaKind::Season | MediaKind::Artist | MediaKind::Album | MediaKind::Collection => {
            "Directory"
        }
    }
}

/// Kinds of a section, from the top down.
pub(super) fn kinds_in(section: Section) -> &'static [MediaKind] {
    match section {
        Section::Films => &[MediaKind::Film],
        Section::Shows => &[MediaKind::Show, MediaKind::Season, MediaKind::Episode],
        Section::Music => &[MediaKind::Artist, MediaKind::Album, MediaKind::Track],
    }
}

/// The kinds above a kind, nearest first.
pub(super) fn above(kind: MediaKind) -> &'static [MediaKind] {
    match kind {
        MediaKind::Season => &[MediaKind::Show],
        MediaKind::Episode => &[MediaKind::Season, MediaKind::Show],
        MediaKind::Album => &[MediaKind::Artist],
        MediaKind::Track => &[MediaKind::Album, MediaKind::Artist],
        MediaKind::Film | MediaKind::Show | MediaKind::Artist | MediaKind::Collection => &[],
    }
}
