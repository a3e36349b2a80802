//! A simulated Jellyfin: both route families, every form of authorization, a separate state per user, and the socket
//! for changes.
//!
//! A request goes through the [`dialect`], which authenticates and routes it, to one of the [`routes`]. A route reads
//! one moment of the shared state through a [`response_context`] (user and switches) and writes items with [`dto`];
//! lists are found by [`find`]. The [`response`] is marked with the number of writes it includes, converted to the
//! requested casing, and compressed. The [`socket`] follows the changes of the state.
//!
//! Behaviour that differs between versions, or is not verified, is in [`JellyfinSwitches`].
//!
//! Deliberately absent: transcoding, live television, plugins, passwords that protect anything, and Emby.

mod activity_log;
mod by_name;
mod casing;
mod credential;
mod dialect;
mod dto;
mod error;
mod find;
mod fixtures;
mod ident;
mod library;
mod options;
mod params;
mod quick_connect;
mod request;
mod response;
mod response_context;
mod routes;
mod server;
mod socket;
mod tasks;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::catalogue::ItemId;
use crate::simulated_server::SimulatedServer;
use crate::users::{UserId, UserRegistry};
use dialect::JellyfinDialect;
use ident::{IdNamespace, JellyfinId, digest};
pub use options::JellyfinSwitches;
use server::JellyfinServer;

/// Options of a simulated Jellyfin.
pub type JellyfinOptions = crate::options::SimulatorOptions<JellyfinSwitches>;

/// A simulated Jellyfin that has not been started.
#[derive(Debug, Clone)]
pub struct Jellyfin {
    options: JellyfinOptions,
}

impl Jellyfin {
    /// A Jellyfin with these options.
    pub fn new(options: JellyfinOptions) -> Self {
        Self { options }
    }

    /// Starts it. Its tasks run on `tracker`.
    pub async fn start(self, address: SocketAddr, tracker: &TaskTracker) -> io::Result<SimulatedServer> {
        let users = self.options.users.clone().unwrap_or_else(|| standard_users(self.options.seed));
        let (seed, switches) = (self.options.seed, self.options.switches.clone());
        let make = move |ground: &crate::serve::SimulatorContext| {
            JellyfinDialect::new(Arc::new(JellyfinServer::new(&ground.state, seed, switches)))
        };
        SimulatedServer::start(&self.options, users, address, tracker, make).await
    }
}

/// The standard users, with tokens of this server's form: 32 hexadecimal digits computed from the seed.
pub fn standard_users(seed: u64) -> UserRegistry {
    let mut users = UserRegistry::standard("jellyfin");
    for (number, token) in users.tokens.iter_mut().enumerate() {
        token.secret = digest(&[seed, 0x746f_6b65, number as u64]);
    }
    users
}

/// The id of an item, or of a playlist, as this server writes it.
pub fn item_id(item: ItemId) -> String {
    JellyfinId::new(IdNamespace::Item, item.0).hex()
}

/// The item or playlist with a written id.
pub fn parse_item_id(id: &str) -> Option<ItemId> {
    JellyfinId::parse(id).and_then(response_context::item_id_of)
}

/// The id of a user as this server writes it.
pub fn user_id(user: UserId) -> String {
    JellyfinId::new(IdNamespace::User, user.0).hex()
}

/// The id of a library as this server writes it.
pub fn library_id(section: crate::catalogue::Section) -> String {
    library::JellyfinLibrary::Section(section).id().hex()
}
