//! The users as they are now: some may have been disabled, limited, removed or added since the start.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::catalogue::Section;
use crate::users::{SimulatedUser, UserId, UserRegistry};

#[derive(Debug)]
pub(super) struct UserDirectory {
    present: Vec<Arc<SimulatedUser>>,
    disabled: HashSet<UserId>,
    rating_limits: HashMap<UserId, u32>,
    next: u32,
}

impl UserDirectory {
    pub(super) fn new(registry: &UserRegistry) -> Self {
        let next = registry.users.iter().map(|user| user.id.0).max().unwrap_or(0) + 1;
        Self {
            present: registry.users.iter().cloned().map(Arc::new).collect(),
            disabled: HashSet::new(),
            rating_limits: HashMap::new(),
            next,
        }
    }

    pub(super) fn user(&self, id: UserId) -> Option<Arc<SimulatedUser>> {
        self.present.iter().find(|user| user.id == id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<SimulatedUser>> {
        self.present.clone()
    }

    pub(super) fn is_disabled(&self, id: UserId) -> bool {
        self.disabled.contains(&id)
    }

    pub(super) fn rating_limit(&self, id: UserId) -> Option<u32> {
        self.rating_limits.get(&id).copied()
    }

    /// Adds a user. Numbers are never used again.
    pub(super) fn add(&mut self, name: &str, sections: &[Section]) -> UserId {
        let id = UserId(self.next);
        self.next += 1;
        let user = SimulatedUser { id, name: name.into(), admin: false, sections: sections.to_vec() };
        self.present.push(Arc::new(user));
        id
    }

    pub(super) fn remove(&mut self, id: UserId) -> bool {
        let before = self.present.len();
        self.present.retain(|user| user.id != id);
        self.disabled.remove(&id);
        self.rating_limits.remove(&id);
        self.present.len() < before
    }

    pub(super) fn replace(&mut self, user: Arc<SimulatedUser>) -> bool {
        let place = self.present.iter_mut().find(|held| held.id == user.id);
        place.map(|held| *held = user).is_some()
    }

    pub(super) fn set_disabled(&mut self, id: UserId, disabled: bool) -> bool {
        if disabled {
            self.disabled.insert(id);
        } else {
            self.disabled.remove(&id);
        }
        self.user(id).is_some()
    }

    pub(super) fn set_rating_limit(&mut self, id: UserId, limit: Option<u32>) -> bool {
        match limit {
            Some(limit) => self.rating_limits.insert(id, limit),
            None => self.rating_limits.remove(&id),
        };
        self.user(id).is_some()
    }
}
