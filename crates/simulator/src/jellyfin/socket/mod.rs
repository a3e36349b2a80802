//! The WebSocket for events.
//!
//! Frames about the library and about user data go to users, not to API keys. Frames about sessions, tasks and the
//! activity log go to subscribers that may see them.

mod frame;
mod library;
mod session;
mod user_data;

use std::sync::Arc;

use super::request::Caller;
use super::server::JellyfinServer;
use crate::serve::{SimulatedRequest, SimulatedResponse, SimulatorContext, socket};
use session::SocketSession;

pub(crate) use crate::serve::socket::is_upgrade;

/// Opens the socket of `caller`. Changes are followed from this moment on.
pub(crate) fn open(
    asked: &mut SimulatedRequest,
    ground: &Arc<SimulatorContext>,
    house: &Arc<JellyfinServer>,
    caller: Caller,
) -> SimulatedResponse {
    let talk = SocketSession::new(Arc::clone(ground), Arc::clone(house), caller);
    socket::open(asked, ground, move |socket| talk.run(socket))
}
