//! GraphQL over HTTP: queries are reads, mutations are writes, whatever method they come with.
//!
//! Modules: `document` (the same query in other words), `operation` (what a request asks), `persisted_documents` (hashes in
//! place of documents), `strict_json` (its JSON), `result` (what a response says, and what a mutation with it invalidates).

pub(crate) mod document;
pub(crate) mod operation;
pub(crate) mod persisted_documents;
pub(crate) mod result;
pub(crate) mod strict_json;
