//! What an answer is made from: one moment of the state, and whose eyes it is seen with.

use super::dto::Art;
use super::ident::{Ident, Space};
use super::options::Switches;
use crate::catalogue::{ItemId, Kind, Record, Section};
use crate::state::View;
use crate::users::UserId;

/// One answer's world.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// One moment of the state.
    pub(crate) view: &'a View<'a>,
    /// Whose state is shown and whose rights count; nobody's for an API key that names no user.
    pub(crate) user: Option<UserId>,
    /// When the request came, in milliseconds.
    pub(crate) moment_ms: u64,
    /// Whether the library is not loaded yet.
    pub(crate) starting: bool,
    /// Id of the server.
    pub(crate) server_id: &'a str,
    /// Images.
    pub(crate) art: &'a Art,
    /// How the server behaves where versions differ.
    pub(crate) switches: &'a Switches,
}

impl Scene<'_> {
    /// Whether things of `section` are shown.
    pub(crate) fn sees(&self, section: Section) -> bool {
        !self.starting
            && self.user.is_none_or(|user| self.view.user(user).is_some_and(|user| user.sees(section)))
    }

    /// The sections that are shown.
    pub(crate) fn sections(&self) -> Vec<Section> {
        Section::EVERY.into_iter().filter(|section| self.sees(*section)).collect()
    }

    /// The item, if it is there and shown.
    pub(crate) fn record(&self, id: ItemId) -> Option<Record> {
        let shown = self.view.kind(id).is_some_and(|kind: Kind| self.sees(kind.section()));
        if shown { self.view.record(id) } else { None }
    }

    /// The id of an item on the wire.
    pub(crate) fn hex(id: ItemId) -> String {
        Ident::new(Space::Item, id.0).hex()
    }
}

/// The item an id names, if it names one.
pub(crate) fn item_of(id: Ident) -> Option<ItemId> {
    id.within(Space::Item).and_then(|number| u32::try_from(number).ok()).map(ItemId)
}
