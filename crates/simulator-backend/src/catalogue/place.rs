//! Where an item stands: its kind, its number, and how both meet in one id.

use std::fmt;

/// The id of an item, unique over the whole catalogue. Each dialect writes it in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId(pub u32);

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
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

impl Kind {
    /// Every kind, in the order of their ids.
    pub const EVERY: [Self; 8] = [
        Self::Film,
        Self::Show,
        Self::Season,
        Self::Episode,
        Self::Artist,
        Self::Album,
        Self::Track,
        Self::Collection,
    ];

    /// A lower-case word for it, also used in seeds.
    pub fn word(self) -> &'static str {
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

    /// The section items of this kind are in.
    pub fn section(self) -> Section {
        match self {
            Self::Film | Self::Collection => Section::Films,
            Self::Show | Self::Season | Self::Episode => Section::Shows,
            Self::Artist | Self::Album | Self::Track => Section::Music,
        }
    }

    /// Whether an item of this kind is a file that can be played.
    pub fn plays(self) -> bool {
        matches!(self, Self::Film | Self::Episode | Self::Track)
    }

    /// The kind of what lies directly below, if anything does.
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

    /// The folder its files are in.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Films => "/media/films",
            Self::Shows => "/media/shows",
            Self::Music => "/media/music",
        }
    }

    /// The kind that stands at its top.
    pub fn top(self) -> Kind {
        match self {
            Self::Films => Kind::Film,
            Self::Shows => Kind::Show,
            Self::Music => Kind::Artist,
        }
    }
}

/// A kind and a number within it, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The kind.
    pub kind: Kind,
    /// The number within the kind.
    pub number: u32,
}
