//! Access to one media server: its connections, its circuit breaker, its request queue, and what it reports
//! of itself. Of the cache it knows the clock and the names of partitions only.
//!
//! Modules: `origin` (the server and one request to it), [`client`] (connections), [`breaker`] (circuit breaker),
//! [`prober`] (probes while it is down), [`scheduler`] (request queue), [`client_apps`] (apps that share the queue),
//! [`client_name`] (the name of an app), [`client_pattern`] (recent read pattern of an app), [`identify`] (which server
//! answers at an address), [`login`] (gets a token), [`anonymous_access`] (whether it answers without a token),
//! [`own_read`] and `own_token` (own requests), `self_description` (identity, version, clock), [`trusted_proxies`] (the
//! proxies it trusts), [`shrink_guard`] (whether its lists are plausible while it is not settled), [`health`] (response
//! times), [`system_event`] (events for notifications), [`body`] (bodies in transit), [`response_framing`] (rejects
//! ambiguous responses), `reused_connection` (requests that met a closing connection), [`certificate_verifier`] and
//! [`certificate_error`] (trust, and reasons for a rejection), [`probe_client`] (one request to one address, with the
//! exact reason of a failure).

pub mod anonymous_access;
pub mod body;
pub mod breaker;
pub mod certificate_error;
pub mod certificate_verifier;
pub mod client;
pub mod client_apps;
pub mod client_name;
pub mod client_pattern;
pub mod health;
pub mod identify;
pub mod login;
mod origin;
pub mod own_read;
mod own_token;
pub mod probe_client;
pub mod prober;
pub mod response_framing;
mod reused_connection;
pub mod scheduler;
mod self_description;
pub mod shrink_guard;
pub mod system_event;
pub mod trusted_proxies;

pub use origin::{Origin, OriginCounters};
