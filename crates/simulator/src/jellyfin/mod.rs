//! A simulated Jellyfin: both route families, every form of authorization, one user's state apart from another's,
//! and the socket that says what changed.
//!
//! A request goes through the [`gate`], which finds out who asks and what for, to one of the [`rooms`]. A room reads
//! one moment of the shared state through a [`scene`] (whose eyes, which switches) and writes items with [`dto`];
//! lists are found by [`find`]. The [`reply`] is marked with the number of writes it includes, spelled in the case
//! the client asked for, and compressed on the way out. The [`socket`] follows the changes of the state.
//!
//! Points on which versions differ, or that nobody verified, are [`Switches`].
//!
//! What is deliberately absent: transcoding, live television, plugins, passwords that protect anything, and Emby.

mod ask;
mod base64;
mod casing;
mod credential;
mod dto;
mod find;
mod gate;
mod house;
mod ident;
mod journal;
mod library;
mod named;
mod options;
mod params;
mod picture;
mod quick_connect;
mod refusal;
mod reply;
mod rooms;
mod scene;
mod settled;
mod socket;
mod tasks;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::catalogue::ItemId;
use crate::running::Running;
use crate::users::{UserId, Users};
use gate::Gate;
use house::House;
use ident::{Ident, Space, digest};
pub use options::Switches;

/// How a simulated Jellyfin is set up.
pub type Options = crate::options::Options<Switches>;

/// A simulated Jellyfin that has not been started.
#[derive(Debug, Clone)]
pub struct Jellyfin {
    options: Options,
}

impl Jellyfin {
    /// A Jellyfin with these options.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Starts it. Its tasks run on `tracker`.
    pub async fn start(self, address: SocketAddr, tracker: &TaskTracker) -> io::Result<Running> {
        let users = self.options.users.clone().unwrap_or_else(|| standard_users(self.options.seed));
        let (seed, switches) = (self.options.seed, self.options.switches.clone());
        let make = move |ground: &crate::serve::Ground| {
            Gate::new(Arc::new(House::new(&ground.state, seed, switches)))
        };
        Running::start(&self.options, users, address, tracker, make).await
    }
}

/// The usual users, with tokens of the form this server gives out: 32 hexadecimal digits that follow from the seed.
pub fn standard_users(seed: u64) -> Users {
    let mut users = Users::standard("jellyfin");
    for (number, token) in users.tokens.iter_mut().enumerate() {
        token.secret = digest(&[seed, 0x746f_6b65, number as u64]);
    }
    users
}

/// The id of an item, or of a playlist, as this server writes it.
pub fn item_id(item: ItemId) -> String {
    Ident::new(Space::Item, item.0).hex()
}

/// The item or playlist a written id names.
pub fn item_of(id: &str) -> Option<ItemId> {
    Ident::read(id).and_then(scene::item_of)
}

/// The id of a user as this server writes it.
pub fn user_id(user: UserId) -> String {
    Ident::new(Space::User, user.0).hex()
}

/// The id of a library as this server writes it.
pub fn library_id(section: crate::catalogue::Section) -> String {
    library::Library::Of(section).id().hex()
}
