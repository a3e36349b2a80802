//! The demo: an evening of companion apps against simulated servers, directly and through a given gateway.

pub mod scenario;
