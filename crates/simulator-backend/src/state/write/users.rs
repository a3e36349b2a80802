//! Adds and removes users, and changes their rights.

use std::sync::Arc;

use super::StateWrite;
use crate::catalogue::Section;
use crate::state::StateChange;
use crate::users::{SimulatedUser, UserId};

impl StateWrite<'_> {
    /// Adds a user who sees these sections.
    pub fn add_user(&mut self, name: &str, sections: &[Section]) -> UserId {
        self.changes.push(StateChange::UsersChanged);
        self.state.directory.write().add(name, sections)
    }

    /// Removes a user, with the user's state and playlists. False if there is none.
    pub fn remove_user(&mut self, id: UserId) -> bool {
        if !self.state.directory.write().remove(id) {
            return false;
        }
        self.changes.push(StateChange::UsersChanged);
        self.inner.watch.remove(&id);
        self.inner.sessions.retain(|session| session.user != id);
        let own = |playlist: &crate::state::PlaylistRecord| playlist.owner == id;
        let playlists: Vec<_> = self.inner.playlists.values().filter(|it| own(it)).map(|it| it.id).collect();
        for playlist in playlists {
            self.delete_playlist(playlist);
        }
        true
    }

    /// Removes a user and adds one of the same name and rights, who has another number and no state.
    pub fn recreate_user(&mut self, id: UserId) -> Option<UserId> {
        let user = self.state.user(id)?;
        self.remove_user(id);
        Some(self.add_user(&user.name, &user.sections))
    }

    /// Disables a user, or enables one again. False if there is none.
    pub fn set_disabled(&mut self, id: UserId, disabled: bool) -> bool {
        self.changes.push(StateChange::UsersChanged);
        self.state.directory.write().set_disabled(id, disabled)
    }

    /// Limits the age of what a user may see. False if there is no such user.
    pub fn set_rating_limit(&mut self, id: UserId, limit: Option<u32>) -> bool {
        self.changes.push(StateChange::UsersChanged);
        self.state.directory.write().set_rating_limit(id, limit)
    }

    /// Sets the sections that a user may see. False if there is no such user.
    pub fn set_sections(&mut self, id: UserId, sections: Vec<Section>) -> bool {
        let Some(user) = self.state.user(id) else { return false };
        self.changes.push(StateChange::UsersChanged);
        let user = SimulatedUser { sections, ..user.as_ref().clone() };
        self.state.directory.write().replace(Arc::new(user))
    }
}
