//! What simulated media servers stand on, whichever dialect they speak.
//!
//! A library is computed from a seed ([`catalogue`]); its users ([`users`]) read and change it ([`state`]). A server
//! ([`serve`]) listens, takes its time ([`latency`]), goes wrong as it is told ([`faults`]), counts every request
//! ([`ledger`]) and hands it to a [`serve::Dialect`], which turns it into views and writes of that state, and those
//! into its own shapes. A server that was started is [`running::Running`].
//!
//! What is deliberately absent: any other crate of this project, storage, and every path and shape of a media server.

pub mod catalogue;
pub mod chance;
pub mod class;
pub mod clock;
pub mod faults;
pub mod latency;
pub mod ledger;
pub mod media;
pub mod options;
pub mod running;
pub mod serve;
pub mod state;
pub mod timestamp;
pub mod users;
