//! How a library is read whole, and what a notification says about its items.
//!
//! Targets are paths with a query, to be asked with `Accept: application/json` and the credential in a header. Bodies
//! are read once. An answer that is not what was asked for is [`Unfit`], as one that is not to be kept would be; a row
//! that nothing could be done with (no key, no title) is counted and passed over.
//!
//! Rooms: `plex` and `jellyfin`, each with its targets, its `rows` and its `hints`; `rows`: lists of them; `scalar`: values as servers write
//! them; [`instant`]: times as Jellyfin writes them; `target`: putting a target together.

use greenroom_library::item::{Item, ItemKind};

use crate::ask::Kind;
use crate::facts::Unfit;

pub mod instant;
mod jellyfin;
mod plex;
mod rows;
mod scalar;
mod target;

/// A key longer than this is foreign: its row is passed over.
const MAX_KEY_BYTES: usize = 64;

/// A text longer than this is as good as missing: nobody calls a thing so, and no path is that long.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// So many artists, names and files of one item are kept.
const MAX_LISTED: usize = 256;

/// A notification frame longer than this is not read: anything may have changed.
const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// More hints than this in one frame mean that anything may have changed.
const MAX_HINTS: usize = 4096;

/// What a library holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contents {
    /// Music.
    Music,
    /// Films.
    Films,
    /// Shows.
    Shows,
    /// Pictures, books, playlists, mixed folders: not crawled.
    Other,
}

/// One library of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// The server's id of it.
    pub key: String,
    /// What its owner calls it.
    pub title: String,
    /// What it holds.
    pub contents: Contents,
    /// A text that differs when the content does: `contentChangedAt`, `Etag`. Jellyfin's does not move for every change,
    /// and is missing where a library is listed without it.
    pub stamp: Option<String>,
    /// Whether the server looks for changed files in it at this moment.
    pub is_scanning: bool,
}

/// A page of a library, or what else items were asked by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Those that can be kept.
    pub items: Vec<Item>,
    /// What holds items and is none itself: albums and artists, of which hints and lists of items speak as well.
    pub branches: Vec<Branch>,
    /// How many rows were sent, also those that cannot be kept.
    pub rows: u64,
    /// Which row of the whole list the first one is.
    pub offset: Option<u64>,
    /// How many rows the whole list has.
    pub total: Option<u64>,
    /// How many rows cannot be kept.
    pub skipped: u32,
    /// Which rows of this page those are; the first is 0.
    pub skipped_at: Vec<u64>,
}

/// Something that holds items, but is none that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The server's id of it.
    pub key: Box<str>,
    /// What it holds in the end.
    pub leaves: ItemKind,
    /// Whether they lie directly in it (an album), or another level below (an artist).
    pub is_direct: bool,
}

/// What a notification says about the items of libraries. The library is named where the server names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hint {
    /// This came or changed: an item, or something that holds items (then what lies in it may have changed as well).
    Changed {
        /// The library.
        shelf: Option<String>,
        /// What changed.
        key: String,
    },
    /// This is gone, with all that lay in it.
    Removed {
        /// The library.
        shelf: Option<String>,
        /// What is gone.
        key: String,
    },
    /// Something in this library came, changed or went.
    ShelfChanged {
        /// The library.
        shelf: String,
    },
    /// The server is done looking for changed files.
    ScanEnded {
        /// The library; `None`: any of them.
        shelf: Option<String>,
    },
    /// More changed than could be told.
    AnythingChanged,
}

impl Contents {
    /// What is crawled of such a library.
    pub fn kinds(self) -> &'static [ItemKind] {
        match self {
            Self::Music => &[ItemKind::Track],
            Self::Films => &[ItemKind::Film],
            Self::Shows => &[ItemKind::Show, ItemKind::Season, ItemKind::Episode],
            Self::Other => &[],
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Music => "music",
            Self::Films => "films",
            Self::Shows => "shows",
            Self::Other => "other",
        }
    }
}

impl Kind {
    /// The libraries. `user` is whose they are where the token is a user's (Jellyfin; without one the token has to be
    /// an administrator's).
    pub fn shelves_target(self, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::shelves_target(),
            Self::Jellyfin => jellyfin::shelves_target(user),
        }
    }

    /// What the answer says.
    pub fn shelves(self, body: &[u8]) -> Result<Vec<Shelf>, Unfit> {
        match self {
            Self::Plex => plex::shelves(body),
            Self::Jellyfin => jellyfin::shelves(body),
        }
    }

    /// Where a server tells apart from its libraries whether it looks for changed files: Jellyfin does, to
    /// administrators only.
    pub fn scan_target(self) -> Option<&'static str> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::SCAN_TARGET),
        }
    }

    /// Whether it does, by the answer to [`Kind::scan_target`].
    pub fn is_scanning(self, body: &[u8]) -> Result<bool, Unfit> {
        match self {
            Self::Plex => Ok(plex::shelves(body)?.iter().any(|shelf| shelf.is_scanning)),
            Self::Jellyfin => jellyfin::is_scanning(body),
        }
    }

    /// A window of all items of a kind, in an order in which what is new comes last.
    pub fn page_target(
        self,
        library: &Shelf,
        kind: ItemKind,
        start: u64,
        size: u64,
        user: Option<&str>,
    ) -> String {
        match self {
            Self::Plex => plex::page_target(library, kind, start, size),
            Self::Jellyfin => jellyfin::page_target(library, kind, start, size, user),
        }
    }

    /// The same of those that came or were changed at `since_s` or later, by the server's clock. What was deleted is not
    /// told, and neither is (Plex) a file that was moved without anything else changing.
    pub fn changed_target(
        self,
        library: &Shelf,
        kind: ItemKind,
        since_s: u64,
        start: u64,
        size: u64,
        user: Option<&str>,
    ) -> String {
        match self {
            Self::Plex => plex::changed_target(library, kind, since_s, start, size),
            Self::Jellyfin => jellyfin::changed_target(library, kind, since_s, start, size, user),
        }
    }

    /// How many items of a kind there are: [`Page::total`] of a page without rows.
    pub fn count_target(self, library: &Shelf, kind: ItemKind, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::page_target(library, kind, 0, 0),
            Self::Jellyfin => jellyfin::count_target(library, kind, user),
        }
    }

    /// The first items of a kind in whose title `title` occurs.
    pub fn search_target(
        self,
        library: &Shelf,
        kind: ItemKind,
        title: &str,
        size: u64,
        user: Option<&str>,
    ) -> String {
        match self {
            Self::Plex => plex::search_target(library, kind, title, size),
            Self::Jellyfin => jellyfin::search_target(library, kind, title, size, user),
        }
    }

    /// Several items at once. Those that are gone are left out of the answer; if all are, Plex answers 404.
    pub fn items_target(self, keys: &[&str], user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::items_target(keys),
            Self::Jellyfin => jellyfin::items_target(keys, user),
        }
    }

    /// What lies below `key`. `kind` is what it is itself if that is a show or a season, else what lies in it. An artist's
    /// tracks may come as albums instead: then the page has branches, to be asked in turn.
    pub fn leaves_target(
        self,
        key: &str,
        kind: ItemKind,
        start: u64,
        size: u64,
        user: Option<&str>,
    ) -> String {
        match self {
            Self::Plex => {
                plex::leaves_target(key, matches!(kind, ItemKind::Season | ItemKind::Track), start, size)
            }
            Self::Jellyfin => jellyfin::leaves_target(key, kind, start, size, user),
        }
    }

    /// All items that lie in a branch.
    pub fn branch_target(self, branch: &Branch, start: u64, size: u64, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::leaves_target(&branch.key, branch.is_direct, start, size),
            Self::Jellyfin => jellyfin::branch_target(branch, start, size, user),
        }
    }

    /// Reads the answer to any of these. Where all rows should be of one `kind`, others are passed over.
    pub fn page(self, kind: Option<ItemKind>, body: &[u8]) -> Result<Page, Unfit> {
        match self {
            Self::Plex => plex::page(kind, body),
            Self::Jellyfin => jellyfin::page(kind, body),
        }
    }

    /// What a text frame of the server's notification socket says about the items of libraries. Foreign and unknown
    /// frames say nothing.
    pub fn hints(self, frame: &[u8]) -> Vec<Hint> {
        if frame.len() > MAX_FRAME_BYTES {
            return vec![Hint::AnythingChanged];
        }
        let mut hints = match self {
            Self::Plex => plex::hints(frame),
            Self::Jellyfin => jellyfin::hints(frame),
        };
        let mut seen = std::collections::HashSet::new();
        hints.retain(|hint| seen.insert(hint.clone()));
        if hints.len() > MAX_HINTS {
            return vec![Hint::AnythingChanged];
        }
        hints
    }
}

/// What became of one row.
enum Read {
    /// It can be kept.
    Item(Box<Item>),
    /// It holds items.
    Branch(Branch),
    /// Nothing can be done with it.
    Nothing,
}

impl Page {
    fn take(&mut self, read: Read) {
        match read {
            Read::Item(item) => self.items.push(*item),
            Read::Branch(branch) => self.branches.push(branch),
            Read::Nothing => {
                self.skipped += 1;
                self.skipped_at.push(self.rows);
            }
        }
        self.rows += 1;
    }

    /// Where the server does not say how many rows the whole list has, a window that came with fewer rows than were asked
    /// for tells: it was the last. Of a full one nothing is known, and it cannot be told from a list that was cut.
    pub fn windowed(self, start: u64, asked: u64) -> Result<Self, Unfit> {
        match self.total {
            Some(_) => Ok(self),
            None if self.rows < asked => Ok(Self { total: Some(start + self.rows), ..self }),
            None => Err(Unfit::Malformed),
        }
    }
}

/// A body that does not parse: another format, or broken.
fn unfit(body: &[u8]) -> Unfit {
    if body.trim_ascii_start().starts_with(b"<") { Unfit::ContentType } else { Unfit::Malformed }
}

/// A key that can be asked for again.
fn is_key(key: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&key.len()) && !key.chars().any(char::is_control)
}
