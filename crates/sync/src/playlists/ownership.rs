//! Finds the playlists of a given name that belong to the user, so that another user's playlist is never written.

use greenroom_dialect::playlists::PlaylistInfo;

use crate::playlists::client::PlaylistClient;
use crate::playlists::created::{CreatedPlaylist, CreatedPlaylists};
use crate::playlists::error::PlaylistError;

/// Owner of a playlist.
enum PlaylistOwner {
    /// The user for whom the client acts.
    Account,
    /// Another user.
    Other,
    /// The server does not report it.
    Unknown,
}

impl PlaylistClient {
    /// All playlists of these names that the user may write.
    ///
    /// # Errors
    /// The list cannot be read completely, or none of these playlists is known to be the user's own, and the owner of
    /// one is unknown.
    pub async fn playlists_named(
        &self,
        names: &[&str],
        created: &CreatedPlaylists,
    ) -> Result<Vec<PlaylistInfo>, PlaylistError> {
        let mut named = self.playlists().await?;
        named.retain(|listed| names.iter().any(|name| listed.title.trim() == name.trim()));
        let mut own = Vec::new();
        let mut has_unknown_owner = false;
        for listed in named {
            match self.owner_of(&listed, created).await? {
                PlaylistOwner::Account => own.push(listed),
                PlaylistOwner::Other => {}
                PlaylistOwner::Unknown => has_unknown_owner = true,
            }
        }
        if own.is_empty() && has_unknown_owner { Err(PlaylistError::NotOurs) } else { Ok(own) }
    }

    /// Finds out which account owns a playlist. The list contains public playlists of other users too (Jellyfin); they must not
    /// be written.
    async fn owner_of(
        &self,
        listed: &PlaylistInfo,
        created: &CreatedPlaylists,
    ) -> Result<PlaylistOwner, PlaylistError> {
        // Without the user's own token the server does not report the owner, only whether the user may delete the
        // playlist. An administrator may delete every playlist, so there the record of created playlists decides.
        if self.is_on_behalf {
            return Ok(match listed.may_delete {
                Some(true) if !self.is_for_admin || self.was_created_here(&listed.id, created).await => {
                    PlaylistOwner::Account
                }
                Some(true) | None => PlaylistOwner::Unknown,
                Some(false) => PlaylistOwner::Other,
            });
        }
        let Some(target) = self.kind().ownership_target(&listed.id) else {
            return Ok(PlaylistOwner::Account);
        };
        match self.get(&target).await {
            Ok(_) => Ok(PlaylistOwner::Account),
            Err(PlaylistError::Refused(403 | 404)) => Ok(PlaylistOwner::Other),
            Err(error) => Err(error),
        }
    }

    fn created_playlist(&self, playlist: &str) -> CreatedPlaylist {
        let (server, user) = (self.server.name().to_owned(), self.account.user.clone());
        CreatedPlaylist { server, user, playlist: playlist.to_owned() }
    }

    async fn was_created_here(&self, playlist: &str, created: &CreatedPlaylists) -> bool {
        let (entry, created) = (self.created_playlist(playlist), created.clone());
        let lane = created.lane.clone();
        lane.run(move || created.contains(&entry)).await.unwrap_or(false)
    }

    /// Records that Greenroom created a playlist, if the server will not report its owner (see `owner_of`).
    pub async fn record_created(&self, playlist: &str, created: &CreatedPlaylists) {
        if !(self.is_on_behalf && self.is_for_admin) {
            return;
        }
        let (entry, created) = (self.created_playlist(playlist), created.clone());
        let lane = created.lane.clone();
        let result = lane.run(move || created.record(&entry).map_err(|error| error.to_string())).await;
        if let Err(error) = result.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::warn!(error, "a playlist that Greenroom created cannot be recorded");
        }
    }
}
