//! The program: the command line, and the wiring of a running process.
//!
//! [`app`] is all wiring on one page. [`cli`] is the command line, [`takeover`] hands listening sockets from one process
//! to the next.

pub mod app;
pub mod cli;
pub mod takeover;
