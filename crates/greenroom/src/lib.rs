//! The program: the command line, and the wiring of a running process.
//!
//! [`app`] is all wiring on one page. [`cli`] is the command line, [`doctor`] says what is wrong and what to do,
//! [`shell_quote`] writes words of commands that are printed.

pub mod app;
pub mod cli;
pub mod doctor;
pub mod shell_quote;
pub mod takeover;
