//! A request to sync a playlist.

use greenroom_library::matching::MatchPolicy;
use greenroom_library::playlist;

use greenroom_config::playlist_mode::PlaylistMode;

/// Max number of times that a sync repeats itself because the server was scanning.
pub const MAX_SCAN_REPEATS: u32 = 20;

/// Source of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncSource {
    /// Rows sent with the request.
    Rows(Box<playlist::Playlist>),
    /// A playlist of a configured server.
    Server {
        /// The server's name.
        server: String,
        /// Name or id of the playlist.
        playlist: String,
        /// Its account; the owner's if `None`.
        account: Option<String>,
    },
}

/// A request to sync a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    /// Source of the rows.
    pub source: SyncSource,
    /// The target server.
    pub server: String,
    /// The library by key, title or `SERVER:KEY`; the music library if `None`.
    pub library: Option<String>,
    /// Name of the target playlist; the source's own name if `None`.
    pub name: Option<String>,
    /// Changes allowed to an existing playlist.
    pub mode: PlaylistMode,
    /// Whether a replaced playlist may lose most entries, or any entry if few rows matched.
    pub shrink: bool,
    /// Target accounts; the owner's if empty.
    pub accounts: Vec<String>,
    /// Policy that decides which matches are accepted.
    pub policy: MatchPolicy,
    /// Only report the changes.
    pub dry_run: bool,
    /// Max live searches for missing rows.
    pub live: u32,
    /// Wait for the library's first build.
    pub wait: bool,
    /// Number of times that it may repeat itself after a scan of the server.
    pub repeats: u32,
    /// Tracks that earlier runs of this request wrote while the server scanned: they may be removed.
    pub written_before: Vec<WrittenTracks>,
}

/// Tracks that runs of one request wrote to an account's playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenTracks {
    /// The account; `None` is the owner's token.
    pub account: Option<String>,
    /// Keys of the tracks.
    pub keys: Vec<String>,
}

impl SyncRequest {
    /// Keys of the tracks that earlier runs of this request wrote to the account's playlist.
    pub(super) fn written_to(&self, account: Option<&str>) -> &[String] {
        let tracks = self.written_before.iter().find(|tracks| tracks.account.as_deref() == account);
        tracks.map_or(&[], |tracks| &tracks.keys)
    }
}
