//! Common part of simulated media servers, independent of their dialect.
//!
//! A library is computed from a seed ([`catalogue`]); its users ([`users`]) read and change it ([`state`]). A server
//! ([`serve`]) listens, delays responses ([`latency`]), injects faults ([`faults`]), counts every request
//! ([`request_log`]) and hands it to a [`serve::Dialect`], which maps it to views and writes of that state, and those
//! to its own shapes. A running server is a [`simulated_server::SimulatedServer`].
//!
//! Deliberately absent: any other crate of this project, storage, and every path and shape of a media server.

pub mod catalogue;
pub mod class;
pub mod clock;
pub mod faults;
pub mod latency;
pub mod media;
pub mod options;
pub mod picture;
pub mod request_log;
pub mod rng;
pub mod serve;
pub mod simulated_server;
pub mod startup_text;
pub mod state;
pub mod timestamp;
pub mod users;
