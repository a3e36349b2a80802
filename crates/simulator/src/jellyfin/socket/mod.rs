//! The WebSocket for events.
//!
//! A session with several sockets hears what concerns it on one of them only ([`registry`]).
//!
//! Frames about the library and about user data go to users, not to API keys. Frames about sessions, tasks and the
//! activity log go to subscribers that may see them.

mod frame;
mod library;
mod registry;
mod session;
mod user_data;

use std::sync::Arc;

use super::request::Caller;
use super::server::JellyfinServer;
use crate::serve::{SimulatedRequest, SimulatedResponse, SimulatorContext, socket};
use session::SocketSession;

pub(crate) use crate::serve::socket::is_upgrade;
pub(crate) use registry::{SessionKey, SocketRegistry};

/// Opens the socket of `caller`. Changes are followed from this moment on.
pub(crate) fn open(
    asked: &mut SimulatedRequest,
    ground: &Arc<SimulatorContext>,
    house: &Arc<JellyfinServer>,
    caller: Caller,
    session: SessionKey,
) -> SimulatedResponse {
    let talk = SocketSession::new(Arc::clone(ground), Arc::clone(house), caller, session);
    socket::open(asked, ground, move |socket| talk.run(socket))
}
