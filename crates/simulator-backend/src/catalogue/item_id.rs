//! Position of an item: its kind, its number, and the id that combines both.

use std::fmt;

/// Id of an item, unique over the whole catalogue. Each dialect writes it in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId(pub u32);

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// A film.
    Film,
    /// A show.
    Show,
    /// A season of a show.
    Season,
    /// An episode of a season.
    Episode,
    /// An artist.
    Artist,
    /// An album of an artist.
    Album,
    /// A track on an album.
    Track,
    /// A collection of films.
    Collection,
}

impl MediaKind {
    /// Every kind, in the order of their ids.
    pub const EVERY: [Self; 8] =
        [Self::Film, Self::Show, Self::Season, Self::Episode, Self::Artist, Self::Album, Self::Track, Self::Collection];

    /// Lower-case name, also used in seeds.
    pub fn name(self) -> &'static str {
        match self {
            Self::Film => "film",
            Self::Show => "show",
            Self::Season => "season",
            Self::Episode => "episode",
            Self::Artist => "artist",
            Self::Album => "album",
            Self::Track => "track",
            Self::Collection => "collection",
        }
    }

    /// Section that contains items of this kind.
    pub fn section(self) -> Section {
        match self {
            Self::Film | Self::Collection => Section::Films,
            Self::Show | Self::Season | Self::Episode => Section::Shows,
            Self::Artist | Self::Album | Self::Track => Section::Music,
        }
    }

    /// Whether an item of this kind is a playable file.
    pub fn is_playable(self) -> bool {
        matches!(self, Self::Film | Self::Episode | Self::Track)
    }

    /// Kind of its direct children, if any.
    pub fn below(self) -> Option<Self> {
        match self {
            Self::Show => Some(Self::Season),
            Self::Season => Some(Self::Episode),
            Self::Artist => Some(Self::Album),
            Self::Album => Some(Self::Track),
            Self::Collection => Some(Self::Film),
            Self::Film | Self::Episode | Self::Track => None,
        }
    }
}

/// A section of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// Films.
    Films,
    /// Shows with seasons and episodes.
    Shows,
    /// Artists with albums and tracks.
    Music,
}

impl Section {
    /// Every section.
    pub const EVERY: [Self; 3] = [Self::Films, Self::Shows, Self::Music];

    /// Its number, from 1.
    pub fn number(self) -> u32 {
        match self {
            Self::Films => 1,
            Self::Shows => 2,
            Self::Music => 3,
        }
    }

    /// The section with this number.
    pub fn numbered(number: u32) -> Option<Self> {
        Self::EVERY.into_iter().find(|section| section.number() == number)
    }

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Films => "Films",
            Self::Shows => "Shows",
            Self::Music => "Music",
        }
    }

    /// Folder of its files.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Films => "/media/films",
            Self::Shows => "/media/shows",
            Self::Music => "/media/music",
        }
    }

    /// Kind of its top-level items.
    pub fn top(self) -> MediaKind {
        match self {
            Self::Films => MediaKind::Film,
            Self::Shows => MediaKind::Show,
            Self::Music => MediaKind::Artist,
        }
    }
}

/// A kind and a number within it, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ItemPosition {
    /// The kind.
    pub kind: MediaKind,
    /// The number within the kind.
    pub number: u32,
}
