//! The remote tier on Redis or Valkey, and the agreement of the gateways that share it.
//!
//! The engine knows no network: it asks a [`greenroom_cache::remote::RemoteStore`], which this crate implements with
//! redis-rs, for one node or a Cluster. Three tasks run behind a [`RedisStore`]: `session` (connects, hears what other
//! gateways invalidated, announces what this one did), `log_watch` (waits for the next number) and `writer` (writes
//! entries). No request waits for them; a lookup waits for the read timeout at most.
//!
//! Modules: [`agreement`] (what a gateway concludes, pure, with the argument why it is right), [`announcements`] (what waits to be heard), `reply` and `scripts` (the
//! programs in the store, and their answers), `codec` (an entry as bytes), `breaker` (when the store is passed over),
//! `invalidation_queue` and `write_queue` (what waits), `journal` (what outlives the process), `claim` (one load for all
//! gateways), `peer_news` and `shared_settings` (what gateways share
//! beside answers), `catch_up` (what a session has not heard), `status` and `store_info` (figures), [`probe`]
//! (facts on a store for `greenroom doctor`).

pub mod agreement;
pub mod announcements;
mod breaker;
mod catch_up;
mod claim;
mod codec;
mod connection;
mod handshake;
mod invalidation_queue;
pub mod journal;
mod log_watch;
#[cfg(test)]
mod model_tests;
pub mod peer_news;
pub mod probe;
mod remote_tier;
mod reply;
mod sabotage;
mod scripts;
mod session;
pub mod shared_settings;
pub mod status;
pub mod store;
mod store_info;
mod tasks;
mod write_queue;
mod writer;

pub use status::{StoreState, StoreStatus};
pub use store::{RedisStore, identity_secret};
