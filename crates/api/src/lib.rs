//! The HTTP API of the control plane: its paths, their handlers, and the server that the page and the apps call.
//!
//! Modules, bottom up: a module uses only modules of its own line and of earlier lines.
//! - Handlers: [`cache_api`] (statistics, purge, warming), [`session_api`] (logging in and out), [`cache_mode`], [`cluster`],
//!   [`decisions`], [`health`], [`metrics`], [`policies`], [`warnings`], and the other modules ending in `_api`. Those of
//!   media are in [`greenroom_library_api`], those of dashboards in [`greenroom_dashboard_api`].
//! - [`router`] (all paths and the OpenAPI document), [`base_path`] (the path prefix of a reverse proxy), [`server`]
//!   (connections) and [`unix_socket`].
//!
//! Reads have no side effects. What is shown and changed belongs to [`greenroom_control`].

mod base_path;
mod cache_api;
mod cache_mode;
mod cluster;
mod decisions;
mod health;
mod jobs_api;
mod live_api;
mod metrics;
mod notifications_api;
mod policies;
mod router;
mod server;
mod session_api;
mod statistics_api;
mod stored_api;
#[cfg(test)]
mod tests;
mod unix_socket;
mod warnings;

pub use metrics::log_errors::set_log_error_counter;
pub use router::openapi::as_json as description;
pub use server::{handle_request, serve};
pub use unix_socket::UnixSocket;
