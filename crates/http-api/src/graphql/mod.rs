//! GraphQL over HTTP: queries are reads, mutations are writes, whatever method they come with.
//!
//! Modules: `document` (the same query in other words), `operation` (what a request asks), `result` (what a response
//! says).

pub(crate) mod document;
pub(crate) mod operation;
pub(crate) mod result;
