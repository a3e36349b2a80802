//! The libraries, each of which is also a view: one per section of the catalogue, and one each for collections and
//! playlists.

use super::ident::{Ident, Space};
use super::scene::Scene;
use crate::catalogue::{Kind, Section};

const COLLECTIONS: u32 = 101;
const PLAYLISTS: u32 = 102;

/// A library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    /// Films, shows or music.
    Of(Section),
    /// Collections of films.
    Collections,
    /// Playlists.
    Playlists,
}

impl Library {
    /// All of them, in the order they are shown.
    pub(crate) const EVERY: [Self; 5] = [
        Self::Of(Section::Films),
        Self::Of(Section::Shows),
        Self::Of(Section::Music),
        Self::Collections,
        Self::Playlists,
    ];

    /// Its id.
    pub(crate) fn id(self) -> Ident {
        let number = match self {
            Self::Of(section) => section.number(),
            Self::Collections => COLLECTIONS,
            Self::Playlists => PLAYLISTS,
        };
        Ident::new(Space::Library, number)
    }

    /// The library an id names.
    pub(crate) fn of(id: Ident) -> Option<Self> {
        Self::EVERY.into_iter().find(|library| library.id() == id)
    }

    /// The section it shows.
    pub(crate) fn section(self) -> Option<Section> {
        match self {
            Self::Of(section) => Some(section),
            Self::Collections => Some(Section::Films),
            Self::Playlists => None,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Of(section) => section.title(),
            Self::Collections => "Collections",
            Self::Playlists => "Playlists",
        }
    }

    /// Its name for a German reader: what a server that localises names would say.
    pub(crate) fn german_name(self) -> &'static str {
        match self {
            Self::Of(Section::Films) => "Filme",
            Self::Of(Section::Shows) => "Serien",
            Self::Of(Section::Music) => "Musik",
            Self::Collections => "Sammlungen",
            Self::Playlists => "Wiedergabelisten",
        }
    }

    /// Its type on the wire.
    pub(crate) fn collection_type(self) -> &'static str {
        match self {
            Self::Of(Section::Films) => "movies",
            Self::Of(Section::Shows) => "tvshows",
            Self::Of(Section::Music) => "music",
            Self::Collections => "boxsets",
            Self::Playlists => "playlists",
        }
    }

    /// Whether it is shown.
    pub(crate) fn shown(self, scene: &Scene<'_>) -> bool {
        self.section().map_or(!scene.starting, |section| scene.sees(section))
    }

    /// The kind of item directly in it, if it holds items of the catalogue.
    pub(crate) fn top(self) -> Option<Kind> {
        match self {
            Self::Of(section) => Some(section.top()),
            Self::Collections => Some(Kind::Collection),
            Self::Playlists => None,
        }
    }

    /// The kinds of items anywhere in it.
    pub(crate) fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Of(section) => Kind::EVERY
                .into_iter()
                .filter(|kind| kind.section() == section && *kind != Kind::Collection)
                .collect(),
            Self::Collections => vec![Kind::Collection],
            Self::Playlists => Vec::new(),
        }
    }

    /// How much is directly in it.
    pub(crate) fn top_count(self, scene: &Scene<'_>) -> usize {
        match (self.top(), scene.user) {
            (Some(kind), _) => scene.view.count(kind),
            (None, Some(user)) => scene.view.playlists(user).len(),
            (None, None) => 0,
        }
    }
}
