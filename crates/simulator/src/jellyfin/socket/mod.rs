//! The socket: what a client is told without asking.
//!
//! Frames about the library and about user data go to users; the plain state of an API key gets none of them. Frames
//! about sessions, tasks and the journal go to those who asked for them and may see them.

mod frame;
mod library;
mod talk;
mod user_data;

use std::sync::Arc;

use super::ask::Caller;
use super::house::House;
use crate::serve::{Answer, Asked, Ground, socket};
use talk::Talk;

pub(crate) use crate::serve::socket::is_asked;

/// Opens the socket of `caller`. Changes are followed from this moment on.
pub(crate) fn open(asked: &mut Asked, ground: &Arc<Ground>, house: &Arc<House>, caller: Caller) -> Answer {
    let talk = Talk::new(Arc::clone(ground), Arc::clone(house), caller);
    socket::open(asked, ground, move |socket| talk.run(socket))
}
