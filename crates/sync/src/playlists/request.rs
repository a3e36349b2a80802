//! What somebody wants done with a playlist.

use greenroom_library::playlist;
use greenroom_library::tracks::Policy;

use greenroom_config::playlist_mode::Mode;

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// They were handed in.
    Rows(Box<playlist::Playlist>),
    /// A playlist of a configured server.
    Server {
        /// The server's name.
        server: String,
        /// The playlist's name or id.
        playlist: String,
        /// Whose; the owner's if nobody's.
        account: Option<String>,
    },
}

/// One wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Where the rows come from.
    pub source: Source,
    /// The server it is written to.
    pub server: String,
    /// The library: its key or title, or `SERVER:KEY`; the music library if not said.
    pub library: Option<String>,
    /// What it is called there; as it calls itself if not said.
    pub name: Option<String>,
    /// What may happen to one that is there.
    pub mode: Mode,
    /// Whether one that is replaced may lose most of what is in it, or lose anything where few rows were found.
    pub shrink: bool,
    /// For whom; the owner's token if for nobody.
    pub accounts: Vec<String>,
    /// What counts as found.
    pub policy: Policy,
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Requests that may be spent on looking for what is missing.
    pub live: u32,
    /// Wait for the library's first build.
    pub wait: bool,
}
