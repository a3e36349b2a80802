//! What Plex calls the kinds of items and the sections.

use crate::catalogue::{Kind, Section};

/// The number of a kind in `type=`.
pub(super) fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Film => 1,
        Kind::Show => 2,
        Kind::Season => 3,
        Kind::Episode => 4,
        Kind::Artist => 8,
        Kind::Album => 9,
        Kind::Track => 10,
        Kind::Collection => 18,
    }
}

/// The number of playlists.
pub(super) const PLAYLIST: u32 = 15;

/// The kind with this number, or this word.
pub(super) fn named(text: &str) -> Option<Kind> {
    Kind::EVERY.into_iter().find(|kind| word(*kind) == text || text.parse() == Ok(number(*kind)))
}

/// The word for a kind.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Film => "movie",
        Kind::Show => "show",
        Kind::Season => "season",
        Kind::Episode => "episode",
        Kind::Artist => "artist",
        Kind::Album => "album",
        Kind::Track => "track",
        Kind::Collection => "collection",
    }
}

/// The title of a list of a kind.
pub(super) fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Film => "Movies",
        Kind::Show => "TV Shows",
        Kind::Season => "Seasons",
        Kind::Episode => "Episodes",
        Kind::Artist => "Artists",
        Kind::Album => "Albums",
        Kind::Track => "Tracks",
        Kind::Collection => "Collections",
    }
}

/// The element a kind has in XML.
pub(super) fn element(kind: Kind) -> &'static str {
    match kind {
        Kind::Film | Kind::Episode => "Video",
        Kind::Track => "Track",
        Kind::Show | Kind::Season | Kind::Artist | Kind::Album | Kind::Collection => "Directory",
    }
}

/// The kinds a section has, from the top down.
pub(super) fn of_section(section: Section) -> &'static [Kind] {
    match section {
        Section::Films => &[Kind::Film],
        Section::Shows => &[Kind::Show, Kind::Season, Kind::Episode],
        Section::Music => &[Kind::Artist, Kind::Album, Kind::Track],
    }
}

/// The kinds above a kind, nearest first.
pub(super) fn above(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Season => &[Kind::Show],
        Kind::Episode => &[Kind::Season, Kind::Show],
        Kind::Album => &[Kind::Artist],
        Kind::Track => &[Kind::Album, Kind::Artist],
        Kind::Film | Kind::Show | Kind::Artist | Kind::Collection => &[],
    }
}
