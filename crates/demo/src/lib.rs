//! The demo: an evening of companion apps against simulated servers, directly and through a gateway that is handed in.

pub mod scenario;
