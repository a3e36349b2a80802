//! A simulated GraphQL API, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod catalogue;
mod forms;
mod harness;
mod watching;
