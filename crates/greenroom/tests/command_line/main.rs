//! The command line as a user meets it: what each command prints, its JSON, its exit codes.
//!
//! A program of its own, because it needs no gateway in this process and links in seconds.

#![allow(missing_docs, reason = "nothing here is seen from outside")]

mod canned_gateway;
mod completions;
mod json;
mod json_of_several;
mod messages;
mod program;
mod servers;
mod terminal;
