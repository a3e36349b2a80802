//! A client's connection: how many there may be, how its bytes are watched, and what happens when a response has left.

pub mod byte_budget;
pub mod client_limits;
pub mod connection;
pub mod connection_limit;
pub mod limits;
pub mod on_sent;
pub mod server_certificate;
pub mod write_timeout;
