//! One request on its way to an answer.

use std::sync::Arc;

use super::node::Node;
use super::params::Params;
use super::reply::{self, Window};
use super::server::Server;
use super::switches::Switches;
use crate::catalogue::{Catalogue, ItemId, Record, Section};
use crate::serve::{Answer, Asked, Ground};
use crate::state::{State, View};
use crate::users::{User, UserId};

/// Why a request gets no answer: the status that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct No(pub(super) u16);

/// There is no such thing, or not for this user.
pub(super) const NOT_FOUND: No = No(404);
/// Only the owner may do this.
pub(super) const FORBIDDEN: No = No(403);
/// The request makes no sense.
pub(super) const BAD_REQUEST: No = No(400);

/// What an answer is made of.
#[derive(Debug)]
pub(super) enum Reply {
    /// A tree, in the representation the client wants.
    Tree(Node, Option<Window>),
    /// Anything else.
    Raw(Answer),
}

pub(super) type Outcome = Result<Reply, No>;

impl Reply {
    /// A tree with nothing to page.
    pub(super) fn tree(root: Node) -> Outcome {
        Ok(Self::Tree(root, None))
    }
}

/// A request of a known user that reads.
pub(super) struct Call<'a> {
    pub(super) asked: &'a Asked,
    pub(super) params: Params<'a>,
    pub(super) view: View<'a>,
    pub(super) user: &'a User,
    pub(super) server: &'a Server,
}

/// A request of a known user that writes. It holds no view: whoever does would wait for itself.
pub(super) struct Order<'a> {
    pub(super) asked: &'a Asked,
    pub(super) params: Params<'a>,
    pub(super) user: &'a User,
    pub(super) server: &'a Arc<Server>,
    pub(super) ground: &'a Arc<Ground>,
}

impl<'a> Call<'a> {
    /// The switches.
    pub(super) fn switches(&self) -> &Switches {
        &self.server.switches
    }

    /// The catalogue below everything.
    pub(super) fn catalogue(&self) -> &'a Catalogue {
        self.view.catalogue()
    }

    /// The item with this id, if this user may see it.
    pub(super) fn record(&self, id: ItemId) -> Result<Record, No> {
        let record = self.view.record(id).ok_or(NOT_FOUND)?;
        if self.user.sees(record.section) { Ok(record) } else { Err(NOT_FOUND) }
    }

    /// The section with this number, if this user may see it.
    pub(super) fn section(&self, text: &str) -> Result<Section, No> {
        let section = text.parse().ok().and_then(Section::numbered).ok_or(NOT_FOUND)?;
        if self.user.sees(section) { Ok(section) } else { Err(NOT_FOUND) }
    }

    /// The sections this user may see.
    pub(super) fn sections(&self) -> impl Iterator<Item = Section> + use<'_> {
        Section::EVERY.into_iter().filter(|section| self.user.sees(*section))
    }

    /// Only the owner comes past this.
    pub(super) fn owner_only(&self) -> Result<(), No> {
        if self.user.admin { Ok(()) } else { Err(FORBIDDEN) }
    }

    /// The answer to this request.
    pub(super) fn answer(&self, outcome: Outcome) -> Answer {
        match outcome {
            Ok(reply) => {
                let stamp =
                    Stamp { user: self.user, seq: self.view.seq(), own: self.view.user_seq(self.user.id) };
                finish(self.asked, self.switches(), stamp, reply)
            }
            Err(No(status)) => reply::error(status),
        }
    }
}

impl Order<'_> {
    /// The state to write to.
    pub(super) fn state(&self) -> &State {
        &self.ground.state
    }

    /// Who writes.
    pub(super) fn who(&self) -> UserId {
        self.user.id
    }

    /// Only the owner comes past this.
    pub(super) fn owner_only(&self) -> Result<(), No> {
        if self.user.admin { Ok(()) } else { Err(FORBIDDEN) }
    }

    /// The item with this id, if there is one and this user may see it.
    pub(super) fn item(&self, text: &str) -> Result<ItemId, No> {
        let id = text.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
        if self.state().view().may_see(self.user.id, id) { Ok(id) } else { Err(NOT_FOUND) }
    }

    /// A reading call on what is there now.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Call<'_>) -> T) -> T {
        let call = Call {
            asked: self.asked,
            params: Params::new(&self.asked.query, &self.asked.headers),
            view: self.state().view(),
            user: self.user,
            server: self.server,
        };
        read(&call)
    }

    /// The answer to this request.
    pub(super) fn answer(&self, outcome: Outcome) -> Answer {
        match outcome {
            Ok(reply) => self.read(|call| call.answer(Ok(reply))),
            Err(No(status)) => reply::error(status),
        }
    }
}

/// For whom an answer was made, and after how many writes.
#[derive(Clone, Copy)]
struct Stamp<'a> {
    user: &'a User,
    seq: u64,
    own: u64,
}

fn finish(asked: &Asked, switches: &Switches, stamp: Stamp<'_>, reply: Reply) -> Answer {
    match reply {
        Reply::Raw(answer) => answer,
        Reply::Tree(root, window) if !switches.marks => reply::tree(asked, switches, &root, window),
        Reply::Tree(root, window) => {
            let root = root
                .set("greenroomUser", &stamp.user.name)
                .set("greenroomSeq", stamp.seq)
                .set("greenroomUserSeq", stamp.own);
            reply::tree(asked, switches, &root, window)
        }
    }
}
