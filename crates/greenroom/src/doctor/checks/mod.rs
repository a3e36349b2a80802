//! The decisions: facts in, a finding out or nothing. One file per subject, in the order in which a request would
//! meet them.

pub mod claim;
pub mod clock;
pub mod directory;
pub mod encryption;
pub mod greeting;
pub mod name;
pub mod openness;
pub mod port;
pub mod rights;
#[cfg(test)]
pub(crate) mod sample;
pub mod version;
pub mod way;

use super::facts::{MachineFacts, ServerFacts};
use super::finding::Finding;

/// What is checked of every media server.
pub const SERVER: &[fn(&ServerFacts) -> Option<Finding>] = &[
    name::check,
    way::check,
    encryption::check,
    greeting::check,
    version::check,
    claim::check,
    openness::check,
    rights::check,
    clock::check,
];

/// What is checked of this machine.
pub const MACHINE: &[fn(&MachineFacts) -> Vec<Finding>] = &[directory::check, port::check];
