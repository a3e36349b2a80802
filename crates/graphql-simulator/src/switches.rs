//! Behaviour that differs between GraphQL servers.

use crate::options::DialectSwitches;

/// The switches of a simulated GraphQL API.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct GraphQlSwitches {
    /// The catalogue may be read without a token.
    pub public_catalogue: bool,
    /// Several operations in one request are answered.
    pub batching: bool,
    /// An operation may be named by the hash of its document once the document was sent.
    pub persisted_queries: bool,
    /// Queries are answered for GET as well.
    pub get: bool,
    /// `Cache-Control: no-store` is sent, as most GraphQL servers do.
    pub no_store: bool,
    /// Responses contain the user and the number of writes in `extensions`; real servers' do not.
    pub marks: bool,
}

/// The switches by name.
pub type GraphQlSwitchNames = [(&'static str, fn(&mut GraphQlSwitches) -> &mut bool)];

/// The switches by name, for the command line.
pub const SWITCH_NAMES: &GraphQlSwitchNames = &[
    ("public-catalogue", |switches| &mut switches.public_catalogue),
    ("batching", |switches| &mut switches.batching),
    ("persisted-queries", |switches| &mut switches.persisted_queries),
    ("get", |switches| &mut switches.get),
    ("no-store", |switches| &mut switches.no_store),
    ("marks", |switches| &mut switches.marks),
];

impl DialectSwitches for GraphQlSwitches {}

impl Default for GraphQlSwitches {
    fn default() -> Self {
        Self { public_catalogue: true, batching: true, persisted_queries: true, get: true, no_store: true, marks: true }
    }
}
