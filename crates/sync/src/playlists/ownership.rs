//! Which playlists of a name are the account's own, so that a stranger's is never written.

use greenroom_dialect::playlists::Listed;

use crate::playlists::client::Courier;
use crate::playlists::created::{Made, One};
use crate::playlists::error::Trouble;

/// Whose a playlist is.
enum Owner {
    /// The account's.
    Account,
    /// Somebody else's.
    Other,
    /// The server does not tell.
    Untold,
}

impl Courier {
    /// Every playlist of this name that the account may write.
    ///
    /// # Errors
    /// If the list cannot be had whole, or there is one of which nobody can tell whose it is.
    pub async fn playlists_named(&self, name: &str, made: &Made) -> Result<Vec<Listed>, Trouble> {
        let mut named = self.playlists().await?;
        named.retain(|listed| listed.title.trim() == name.trim());
        let mut own = Vec::new();
        let mut is_untold = false;
        for listed in named {
            match self.owner_of(&listed, made).await? {
                Owner::Account => own.push(listed),
                Owner::Other => {}
                Owner::Untold => is_untold = true,
            }
        }
        if own.is_empty() && is_untold { Err(Trouble::NotOurs) } else { Ok(own) }
    }

    /// Others' playlists that everybody may see are no place to write to.
    async fn owner_of(&self, listed: &Listed, made: &Made) -> Result<Owner, Trouble> {
        // The server answers a question of ownership to the user alone; for others it says who may delete, which an
        // administrator always may.
        if self.is_on_behalf {
            return Ok(match listed.may_delete {
                Some(true) if !self.is_for_admin || self.has_made(&listed.id, made).await => Owner::Account,
                Some(true) | None => Owner::Untold,
                Some(false) => Owner::Other,
            });
        }
        let Some(target) = self.kind().ownership_target(&listed.id) else { return Ok(Owner::Account) };
        match self.get(&target).await {
            Ok(_) => Ok(Owner::Account),
            Err(Trouble::Refused(403 | 404)) => Ok(Owner::Other),
            Err(trouble) => Err(trouble),
        }
    }

    fn made_one(&self, playlist: &str) -> One {
        let (server, user) = (self.server.name().to_owned(), self.holder.user.clone());
        One { server, user, playlist: playlist.to_owned() }
    }

    async fn has_made(&self, playlist: &str, made: &Made) -> bool {
        let (one, made) = (self.made_one(playlist), made.clone());
        let lane = made.lane.clone();
        lane.run(move || made.holds(&one)).await.unwrap_or(false)
    }

    /// This playlist was made here; remembered where the server would not tell.
    pub async fn note_made(&self, playlist: &str, made: &Made) {
        if !(self.is_on_behalf && self.is_for_admin) {
            return;
        }
        let (one, made) = (self.made_one(playlist), made.clone());
        let lane = made.lane.clone();
        let noted = lane.run(move || made.note(&one).map_err(|error| error.to_string())).await;
        if let Err(error) = noted.unwrap_or_else(|undone| Err(undone.to_string())) {
            tracing::warn!(error, "it cannot be remembered that a playlist was made here");
        }
    }
}
