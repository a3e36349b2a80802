//! Access control of the control plane.
//!
//! Modules: [`request`] (facts gathered from a request), [`policy`] (the decision), [`session`] (logins of the page),
//! [`rate_limit`] (limits wrong tokens), [`caller`] (the authenticated caller). Tokens are in
//! [`greenroom_state::control_tokens`]; [`crate::middleware`] compares them, and at login the API.

pub mod caller;
pub mod policy;
pub mod rate_limit;
pub mod request;
pub mod session;
