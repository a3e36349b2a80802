//! Playlists from elsewhere, kept on a media server: read, resolved once, written for one account or several, verified.

use std::sync::Arc;

use crate::library::Libraries;
use crate::matching::Matching;

/// Keeps playlists.
#[derive(Debug, Default)]
pub struct Playlists {
    /// What is to be found.
    pub libraries: Arc<Libraries>,
    /// Who finds it.
    pub matching: Arc<Matching>,
}
