//! Context of a response: one moment of the state, and the user whose view it shows.

use super::dto::ImageStore;
use super::fixtures::rated_age;
use super::ident::{IdNamespace, JellyfinId};
use super::options::JellyfinSwitches;
use super::server::RemovedSections;
use crate::catalogue::{ItemId, ItemRecord, MediaKind, Section};
use crate::state::StateView;
use crate::users::UserId;

/// Context of a response.
#[derive(Clone, Copy)]
pub(crate) struct ResponseContext<'a> {
    /// One moment of the state.
    pub(crate) view: &'a StateView<'a>,
    /// User whose state and rights apply; `None` for an API key that names no user.
    pub(crate) user: Option<UserId>,
    /// Age up to which the user sees rated content.
    pub(crate) rating_limit: Option<u32>,
    /// Time of the request's arrival, in milliseconds.
    pub(crate) now_ms: u64,
    /// Number of the draw for what is random in this response.
    pub(crate) draw: u64,
    /// Whether the library is not loaded yet.
    pub(crate) starting: bool,
    /// Id of the server.
    pub(crate) server_id: &'a str,
    /// Images.
    pub(crate) images: &'a ImageStore,
    /// The removed libraries.
    pub(crate) removed_sections: &'a RemovedSections,
    /// Behaviour that differs between versions.
    pub(crate) switches: &'a JellyfinSwitches,
}

impl ResponseContext<'_> {
    /// Whether things of `section` are visible.
    pub(crate) fn sees(&self, section: Section) -> bool {
        !self.starting
            && !self.removed_sections.contains(section)
            && self.user.is_none_or(|user| self.view.user(user).is_some_and(|user| user.sees(section)))
    }

    /// Visible sections.
    pub(crate) fn sections(&self) -> Vec<Section> {
        Section::EVERY.into_iter().filter(|section| self.sees(*section)).collect()
    }

    /// The item, if it exists and is visible.
    pub(crate) fn record(&self, id: ItemId) -> Option<ItemRecord> {
        let shown = self.view.kind(id).is_some_and(|kind: MediaKind| self.sees(kind.section()));
        if shown { self.view.record(id).filter(|record| self.is_old_enough_for(record)) } else { None }
    }

    /// Whether the user sees only what is rated for an age.
    pub(crate) fn is_limited(&self) -> bool {
        self.rating_limit.is_some()
    }

    fn is_old_enough_for(&self, record: &ItemRecord) -> bool {
        let age = || record.content_rating.as_deref().and_then(rated_age);
        self.rating_limit.is_none_or(|limit| age().is_none_or(|age| age <= limit))
    }

    /// The id of an item on the wire.
    pub(crate) fn hex(id: ItemId) -> String {
        JellyfinId::new(IdNamespace::Item, id.0).hex()
    }
}

/// The item with this id, if it is an item's.
pub(crate) fn item_id_of(id: JellyfinId) -> Option<ItemId> {
    id.within(IdNamespace::Item).and_then(|number| u32::try_from(number).ok()).map(ItemId)
}
