//! Reads a whole library, and reads change hints about its items out of notifications.
//!
//! Targets are paths with a query, to be requested with `Accept: application/json` and the credential in a
//! header. Bodies are parsed once. An unexpected or uncacheable response is an [`UnusableResponse`]; a row
//! without key or title is counted and skipped.
//!
//! Modules: `plex` and `jellyfin`, each with its targets, its `rows` and its `hints`; `rows`: generic list
//! parser; `lenient`: lenient deserialisers; [`timestamp`]: Jellyfin's time format; `target`: builds targets.

use greenroom_library::item::{Item, ItemKind};

use crate::request::ServerKind;
use crate::response_facts::UnusableResponse;

mod jellyfin;
mod lenient;
mod plex;
mod rows;
mod target;
pub mod timestamp;

/// Longest item key in bytes; rows with a longer one are skipped.
const MAX_KEY_BYTES: usize = 64;

/// Longest text in bytes; a longer one counts as missing, because no title or path is that long.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// Max artists, names and files stored per item.
const MAX_LISTED: usize = 256;

/// Longest notification frame in bytes that is parsed; a longer one means [`ChangeHint::AnythingChanged`].
const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Max hints from one frame; more mean [`ChangeHint::AnythingChanged`].
const MAX_HINTS: usize = 4096;

/// Content type of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LibraryContents {
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
pub struct LibraryInfo {
    /// The server's id of the library.
    pub key: String,
    /// Title given by the server's owner.
    pub title: String,
    /// Content type.
    pub contents: LibraryContents,
    /// A text that changes when the content does: `contentChangedAt`, `Etag`. Jellyfin's does not change
    /// every time, and is missing in some library lists.
    pub stamp: Option<String>,
    /// Whether the server is scanning the library for changed files.
    pub is_scanning: bool,
}

/// A page of items: of a library, or of another list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrawlPage {
    /// The valid items.
    pub items: Vec<Item>,
    /// Containers among the rows: albums and artists, which occur in hints and in lists of items.
    pub containers: Vec<ItemContainer>,
    /// Number of rows received, including skipped ones.
    pub rows: u64,
    /// Index of the first row in the whole list.
    pub offset: Option<u64>,
    /// Number of rows of the whole list.
    pub total: Option<u64>,
    /// Number of skipped rows.
    pub skipped: u32,
    /// Indexes of the skipped rows within this page, from 0.
    pub skipped_at: Vec<u64>,
}

/// A row that contains items but is no item of the library index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemContainer {
    /// The server's key of it.
    pub key: Box<str>,
    /// Kind of the items it contains in the end.
    pub leaves: ItemKind,
    /// Whether the items are its direct children (an album) or one level further down (an artist).
    pub is_direct: bool,
}

/// A change to the items of libraries, read from a notification. The library is given if the server names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChangeHint {
    /// An item or a container was added or changed. Items in a changed container may have changed as well.
    Changed {
        /// The library.
        shelf: Option<String>,
        /// Key of the item or container.
        key: String,
    },
    /// An item or container was removed, with all its contents.
    Removed {
        /// The library.
        shelf: Option<String>,
        /// Key of the item or container.
        key: String,
    },
    /// An item of this library was added, changed or removed.
    LibraryChanged {
        /// The library.
        shelf: String,
    },
    /// The server scans for changed files.
    ScanStarted {
        /// The library; `None`: any library.
        shelf: Option<String>,
    },
    /// The server finished scanning for changed files.
    ScanEnded {
        /// The library; `None`: any library.
        shelf: Option<String>,
    },
    /// More changed than the notification lists.
    AnythingChanged,
}

impl LibraryContents {
    /// Kinds of items crawled in such a library.
    pub fn kinds(self) -> &'static [ItemKind] {
        match self {
            Self::Music => &[ItemKind::Track],
            Self::Films => &[ItemKind::Film],
            Self::Shows => &[ItemKind::Show, ItemKind::Season, ItemKind::Episode],
            Self::Other => &[],
        }
    }

    /// Name of the content type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Music => "music",
            Self::Films => "films",
            Self::Shows => "shows",
            Self::Other => "other",
        }
    }
}

impl ServerKind {
    /// Target of the list of libraries. `user` is the token's user (Jellyfin; without one the token must be
    /// an administrator's).
    pub fn libraries_target(self, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::libraries_target(),
            Self::Jellyfin => jellyfin::libraries_target(user),
        }
    }

    /// Parses the list of libraries.
    pub fn libraries(self, body: &[u8]) -> Result<Vec<LibraryInfo>, UnusableResponse> {
        match self {
            Self::Plex => plex::libraries(body),
            Self::Jellyfin => jellyfin::libraries(body),
        }
    }

    /// Target for the scan state, where the library list does not show it: Jellyfin's tasks, for
    /// administrators only.
    pub fn scan_target(self) -> Option<&'static str> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::SCAN_TARGET),
        }
    }

    /// Whether a scan is running, from the response to [`ServerKind::scan_target`].
    pub fn is_scanning(self, body: &[u8]) -> Result<bool, UnusableResponse> {
        match self {
            Self::Plex => Ok(plex::libraries(body)?.iter().any(|shelf| shelf.is_scanning)),
            Self::Jellyfin => jellyfin::is_scanning(body),
        }
    }

    /// Target for the progress of each library's scan, where a scan of one library is no task: Jellyfin's folders, for
    /// administrators only.
    pub fn scan_progress_target(self) -> Option<&'static str> {
        match self {
            Self::Plex => None,
            Self::Jellyfin => Some(jellyfin::SCAN_PROGRESS_TARGET),
        }
    }

    /// Keys of the libraries that are being scanned, from the response to [`ServerKind::scan_progress_target`].
    pub fn scanned_libraries(self, body: &[u8]) -> Result<Vec<String>, UnusableResponse> {
        match self {
            Self::Plex => Ok(plex::libraries(body)?
                .into_iter()
                .filter(|shelf| shelf.is_scanning)
                .map(|shelf| shelf.key)
                .collect()),
            Self::Jellyfin => jellyfin::scanned_libraries(body),
        }
    }

    /// Target of one page of all items of a kind, in an order in which new items come last.
    pub fn page_target(
        self,
        library: &LibraryInfo,
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

    /// The same for items added or changed at `since_s` or later, by the server's clock. Deleted items are
    /// not listed, and neither are (Plex) files that were moved without another change.
    pub fn changed_target(
        self,
        library: &LibraryInfo,
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

    /// Target that counts the items of a kind: [`CrawlPage::total`] of a page without rows.
    pub fn count_target(self, library: &LibraryInfo, kind: ItemKind, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::page_target(library, kind, 0, 0),
            Self::Jellyfin => jellyfin::count_target(library, kind, user),
        }
    }

    /// Target of the first items of a kind whose title contains `title`.
    pub fn search_target(
        self,
        library: &LibraryInfo,
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

    /// Target of several items at once. Deleted ones are missing in the response; if all are, Plex answers
    /// 404.
    pub fn items_target(self, keys: &[&str], user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::items_target(keys),
            Self::Jellyfin => jellyfin::items_target(keys, user),
        }
    }

    /// Target of the leaves below `key`. `kind` is its own kind for a show or a season, otherwise the kind of
    /// its leaves. An artist's tracks may come as albums instead: then the page has containers to be
    /// requested in turn.
    pub fn leaves_target(self, key: &str, kind: ItemKind, start: u64, size: u64, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::leaves_target(key, matches!(kind, ItemKind::Season | ItemKind::Track), start, size),
            Self::Jellyfin => jellyfin::leaves_target(key, kind, start, size, user),
        }
    }

    /// Target of all items in a container.
    pub fn container_target(self, container: &ItemContainer, start: u64, size: u64, user: Option<&str>) -> String {
        match self {
            Self::Plex => plex::leaves_target(&container.key, container.is_direct, start, size),
            Self::Jellyfin => jellyfin::container_target(container, start, size, user),
        }
    }

    /// Parses the response to any of these targets. If all rows should be of one `kind`, others are skipped.
    pub fn page(self, kind: Option<ItemKind>, body: &[u8]) -> Result<CrawlPage, UnusableResponse> {
        match self {
            Self::Plex => plex::page(kind, body),
            Self::Jellyfin => jellyfin::page(kind, body),
        }
    }

    /// Change hints in a text frame of the server's notification socket. Foreign and unknown frames give
    /// none.
    pub fn hints(self, frame: &[u8]) -> Vec<ChangeHint> {
        if frame.len() > MAX_FRAME_BYTES {
            return vec![ChangeHint::AnythingChanged];
        }
        let mut hints = match self {
            Self::Plex => plex::hints(frame),
            Self::Jellyfin => jellyfin::hints(frame),
        };
        let mut seen = std::collections::HashSet::new();
        hints.retain(|hint| seen.insert(hint.clone()));
        if hints.len() > MAX_HINTS {
            return vec![ChangeHint::AnythingChanged];
        }
        hints
    }
}

/// Result of reading one row.
enum RowResult {
    /// A valid item.
    Item(Box<Item>),
    /// A container of items.
    Container(ItemContainer),
    /// An unusable row.
    Nothing,
}

impl CrawlPage {
    fn push(&mut self, read: RowResult) {
        match read {
            RowResult::Item(item) => self.items.push(*item),
            RowResult::Container(container) => self.containers.push(container),
            RowResult::Nothing => {
                self.skipped += 1;
                self.skipped_at.push(self.rows);
            }
        }
        self.rows += 1;
    }

    /// Completes a page of a list whose total the server does not give: fewer rows than requested mean that
    /// this was the last page. A full page proves nothing, because it looks the same as a truncated list.
    pub fn with_window(self, start: u64, max_rows: u64) -> Result<Self, UnusableResponse> {
        match self.total {
            Some(_) => Ok(self),
            None if self.rows < max_rows => Ok(Self { total: Some(start + self.rows), ..self }),
            None => Err(UnusableResponse::Malformed),
        }
    }
}

/// Error for a body that does not parse: another format, or broken.
fn unusable(body: &[u8]) -> UnusableResponse {
    if body.trim_ascii_start().starts_with(b"<") { UnusableResponse::ContentType } else { UnusableResponse::Malformed }
}

/// Whether the key may be used in a target.
fn is_key(key: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&key.len()) && !key.chars().any(char::is_control)
}
