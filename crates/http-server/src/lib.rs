//! A client's connection: its limits, the bytes on it, and tasks to run once a response is sent.

pub mod accept;
pub mod byte_budget;
pub mod client_limits;
pub mod client_network;
pub mod concurrency_limit;
pub mod connection;
pub mod interim;
pub mod limits;
pub mod on_sent;
pub mod passing;
pub mod raw_head;
pub mod server_certificate;
pub mod write_timeout;
