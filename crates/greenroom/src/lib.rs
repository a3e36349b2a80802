//! The program: the command line, and the wiring of a running process.
//!
//! [`app`] is all wiring on one page. [`cli`] is the command line, [`doctor`] finds problems and their remedies,
//! [`shell_quote`] quotes words of printed commands.

pub mod app;
pub mod cli;
pub mod doctor;
pub mod shell_quote;
pub mod takeover;
