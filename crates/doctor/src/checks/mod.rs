//! Checks: facts in, a finding out or nothing. One file per subject, in the order in which a request would meet them.

pub mod anonymous_access;
pub mod app_caches;
pub mod claim;
pub mod clock;
pub mod connectivity;
pub mod directory;
pub mod encryption;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod folders;
pub mod http_api;
pub mod identity;
pub mod name;
pub mod permissions;
pub mod port;
pub mod remote_store;
pub mod version;

use super::facts::{HttpApiFacts, MachineFacts, RemoteStoreFacts, ServerFacts};
use super::finding::Finding;

/// Checks of every media server.
pub const SERVER: &[fn(&ServerFacts) -> Option<Finding>] = &[
    name::check,
    connectivity::check,
    encryption::check,
    identity::check,
    version::check,
    claim::check,
    anonymous_access::check,
    permissions::check,
    clock::check,
];

/// Checks of every server of any HTTP API.
pub const HTTP_API: &[fn(&HttpApiFacts) -> Vec<Finding>] =
    &[http_api::check_probe, http_api::check_certificate, http_api::check_clock, http_api::check_routes];

/// Checks of the remote store.
pub const REMOTE_STORE: &[fn(&RemoteStoreFacts) -> Vec<Finding>] = &[
    remote_store::check_connection,
    remote_store::check_version,
    remote_store::check_latency,
    remote_store::check_eviction,
    remote_store::check_slots,
    remote_store::check_key,
];

/// Checks of this machine.
pub const MACHINE: &[fn(&MachineFacts) -> Vec<Finding>] =
    &[directory::check, port::check, folders::check, app_caches::check];
