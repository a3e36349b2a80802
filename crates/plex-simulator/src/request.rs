//! A request, from caller to response.

use std::sync::Arc;

use super::node::Node;
use super::params::PlexParams;
use super::response::{self, RowWindow};
use super::server::PlexServer;
use super::switches::PlexSwitches;
use greenroom_simulator_backend::catalogue::{Catalogue, ItemId, ItemRecord, Section};
use greenroom_simulator_backend::serve::{SimulatedRequest, SimulatedResponse, SimulatorContext};
use greenroom_simulator_backend::state::{SimulatedState, StateView};
use greenroom_simulator_backend::users::{SimulatedUser, UserId};

/// An error, by its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlexError(pub(super) u16);

/// There is no such thing, or not for this user.
pub(super) const NOT_FOUND: PlexError = PlexError(404);
/// Allowed for the owner only.
pub(super) const FORBIDDEN: PlexError = PlexError(403);
/// Invalid request.
pub(super) const BAD_REQUEST: PlexError = PlexError(400);

/// Content of a response.
#[derive(Debug)]
pub(super) enum PlexResponse {
    /// A tree, in the representation the client wants.
    Tree(Node, Option<RowWindow>),
    /// Anything else.
    Raw(SimulatedResponse),
}

pub(super) type PlexResult = Result<PlexResponse, PlexError>;

impl PlexResponse {
    /// A tree without paging.
    pub(super) fn tree(root: Node) -> PlexResult {
        Ok(Self::Tree(root, None))
    }
}

/// A read of a known user.
pub(super) struct PlexReadRequest<'a> {
    pub(super) request: &'a SimulatedRequest,
    pub(super) params: PlexParams<'a>,
    pub(super) view: StateView<'a>,
    pub(super) user: &'a SimulatedUser,
    pub(super) server: &'a PlexServer,
}

/// A write of a known user. It holds no view, because a view would block the write.
pub(super) struct PlexWriteRequest<'a> {
    pub(super) request: &'a SimulatedRequest,
    pub(super) params: PlexParams<'a>,
    pub(super) user: &'a SimulatedUser,
    pub(super) server: &'a Arc<PlexServer>,
    pub(super) context: &'a Arc<SimulatorContext>,
}

impl<'a> PlexReadRequest<'a> {
    /// The switches.
    pub(super) fn switches(&self) -> &PlexSwitches {
        &self.server.switches
    }

    /// The catalogue below everything.
    pub(super) fn catalogue(&self) -> &'a Catalogue {
        self.view.catalogue()
    }

    /// The item with this id, if this user may see it.
    pub(super) fn record(&self, id: ItemId) -> Result<ItemRecord, PlexError> {
        let record = self.view.record(id).ok_or(NOT_FOUND)?;
        if self.user.sees(record.section) { Ok(record) } else { Err(NOT_FOUND) }
    }

    /// The section with this number, if this user may see it.
    pub(super) fn section(&self, text: &str) -> Result<Section, PlexError> {
        let section = text.parse().ok().and_then(Section::numbered).ok_or(NOT_FOUND)?;
        if self.user.sees(section) { Ok(section) } else { Err(NOT_FOUND) }
    }

    /// The sections this user may see.
    pub(super) fn sections(&self) -> impl Iterator<Item = Section> + use<'_> {
        Section::EVERY.into_iter().filter(|section| self.user.sees(*section))
    }

    /// An error unless the caller is the owner.
    pub(super) fn owner_only(&self) -> Result<(), PlexError> {
        if self.user.admin { Ok(()) } else { Err(FORBIDDEN) }
    }

    /// Response to this request.
    pub(super) fn answer(&self, outcome: PlexResult) -> SimulatedResponse {
        match outcome {
            Ok(reply) => {
                let stamp =
                    ResponseStamp { user: self.user, seq: self.view.seq(), own: self.view.user_seq(self.user.id) };
                finish(self.request, self.switches(), stamp, reply)
            }
            Err(PlexError(status)) => response::error(status),
        }
    }
}

impl PlexWriteRequest<'_> {
    /// The state to write to.
    pub(super) fn state(&self) -> &SimulatedState {
        &self.context.state
    }

    /// The user who writes.
    pub(super) fn user_id(&self) -> UserId {
        self.user.id
    }

    /// An error unless the caller is the owner.
    pub(super) fn owner_only(&self) -> Result<(), PlexError> {
        if self.user.admin { Ok(()) } else { Err(FORBIDDEN) }
    }

    /// The item with this id, if there is one and this user may see it.
    pub(super) fn item(&self, text: &str) -> Result<ItemId, PlexError> {
        let id = text.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
        if self.state().view().may_see(self.user.id, id) { Ok(id) } else { Err(NOT_FOUND) }
    }

    /// Runs a read on the current state.
    pub(super) fn read<T>(&self, read: impl FnOnce(&PlexReadRequest<'_>) -> T) -> T {
        let call = PlexReadRequest {
            request: self.request,
            params: PlexParams::new(&self.request.query, &self.request.headers).switched(&self.server.switches),
            view: self.state().view(),
            user: self.user,
            server: self.server,
        };
        read(&call)
    }

    /// Response to this request.
    pub(super) fn answer(&self, outcome: PlexResult) -> SimulatedResponse {
        match outcome {
            Ok(reply) => self.read(|call| call.answer(Ok(reply))),
            Err(PlexError(status)) => response::error(status),
        }
    }
}

/// User of a response, and the number of writes it includes.
#[derive(Clone, Copy)]
struct ResponseStamp<'a> {
    user: &'a SimulatedUser,
    seq: u64,
    own: u64,
}

fn finish(
    asked: &SimulatedRequest,
    switches: &PlexSwitches,
    stamp: ResponseStamp<'_>,
    reply: PlexResponse,
) -> SimulatedResponse {
    match reply {
        PlexResponse::Raw(answer) => answer,
        PlexResponse::Tree(root, window) if !switches.marks => response::tree(asked, switches, &root, window),
        PlexResponse::Tree(root, window) => {
            let root = root
                .set("greenroomUser", &stamp.user.name)
                .set("greenroomSeq", stamp.seq)
                .set("greenroomUserSeq", stamp.own);
            response::tree(asked, switches, &root, window)
        }
    }
}
