//! Libraries, each of which is also a view: one per section of the catalogue, and one each for collections and
//! playlists.

use super::ident::{IdNamespace, JellyfinId};
use super::response_context::ResponseContext;
use crate::catalogue::{MediaKind, Section};

const COLLECTIONS: u32 = 101;
const PLAYLISTS: u32 = 102;

/// A library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JellyfinLibrary {
    /// Films, shows or music.
    Section(Section),
    /// Collections of films.
    Collections,
    /// Playlists.
    Playlists,
}

impl JellyfinLibrary {
    /// All of them, in display order.
    pub(crate) const EVERY: [Self; 5] = [
        Self::Section(Section::Films),
        Self::Section(Section::Shows),
        Self::Section(Section::Music),
        Self::Collections,
        Self::Playlists,
    ];

    /// Its id.
    pub(crate) fn id(self) -> JellyfinId {
        let number = match self {
            Self::Section(section) => section.number(),
            Self::Collections => COLLECTIONS,
            Self::Playlists => PLAYLISTS,
        };
        JellyfinId::new(IdNamespace::Library, number)
    }

    /// The library an id names.
    pub(crate) fn from_id(id: JellyfinId) -> Option<Self> {
        Self::EVERY.into_iter().find(|library| library.id() == id)
    }

    /// The section it shows.
    pub(crate) fn section(self) -> Option<Section> {
        match self {
            Self::Section(section) => Some(section),
            Self::Collections => Some(Section::Films),
            Self::Playlists => None,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Section(section) => section.title(),
            Self::Collections => "Collections",
            Self::Playlists => "Playlists",
        }
    }

    /// Its German name, for servers that localize names.
    pub(crate) fn german_name(self) -> &'static str {
        match self {
            Self::Section(Section::Films) => "Filme",
            Self::Section(Section::Shows) => "Serien",
            Self::Section(Section::Music) => "Musik",
            Self::Collections => "Sammlungen",
            Self::Playlists => "Wiedergabelisten",
        }
    }

    /// Its type on the wire.
    pub(crate) fn collection_type(self) -> &'static str {
        match self {
            Self::Section(Section::Films) => "movies",
            Self::Section(Section::Shows) => "tvshows",
            Self::Section(Section::Music) => "music",
            Self::Collections => "boxsets",
            Self::Playlists => "playlists",
        }
    }

    /// Whether it is visible to the user.
    pub(crate) fn is_visible(self, scene: &ResponseContext<'_>) -> bool {
        self.section().map_or(!scene.starting, |section| scene.sees(section))
    }

    /// Kind of its direct items, if it holds items of the catalogue.
    pub(crate) fn top(self) -> Option<MediaKind> {
        match self {
            Self::Section(section) => Some(section.top()),
            Self::Collections => Some(MediaKind::Collection),
            Self::Playlists => None,
        }
    }

    /// Kinds of items anywhere in it.
    pub(crate) fn kinds(self) -> Vec<MediaKind> {
        match self {
            Self::Section(section) => MediaKind::EVERY
                .into_iter()
                .filter(|kind| kind.section() == section && *kind != MediaKind::Collection)
                .collect(),
            Self::Collections => vec![MediaKind::Collection],
            Self::Playlists => Vec::new(),
        }
    }

    /// Number of direct items.
    pub(crate) fn top_count(self, scene: &ResponseContext<'_>) -> usize {
        match (self.top(), scene.user) {
            (Some(kind), _) => scene.view.count(kind),
            (None, Some(user)) => scene.view.playlists(user).len(),
            (None, None) => 0,
        }
    }
}
