//! The demo: an evening's requests of companion apps to simulated media servers, directly and through a given gateway.

pub mod scenario;
