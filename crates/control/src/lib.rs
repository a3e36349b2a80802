//! The control plane: web page, API, metrics and health checks.
//!
//! Modules, bottom up: a module uses only modules of its own line and of earlier lines.
//! - [`error`] (problem responses), [`counters`] (monotonic counters), [`connections`] (limits of connections).
//! - Displayed values: [`apps`], [`servers`], [`http_apis`], [`server_identity`], [`prefetch_stats`], [`queue_stats`], [`stats`],
//!   [`disk`], their [`snapshot`], and [`stats_baseline`] (the zero point of statistics after a reset).
//! - Features with their own state: [`recommendations`],
//!   [`explain`] (why a read gets its response), [`live`] (pages with live updates), [`image_urls`],
//!   [`compat_cache_counters`].
//! - [`web`] (the page) and [`auth`] (sessions, the access policy, limits on wrong tokens).
//! - [`deps`] and [`mod@control`]: the parts of the control plane. Every handler borrows it.
//! - [`middleware`]: checks every request and adds the security headers for browsers.
//! - Handlers: [`api`] (statistics, purge, sessions, request bodies), [`cache_mode`], [`compat`] (the API paths of
//!   other dashboards), [`decisions`], [`health`], [`libraries`], [`metrics`], [`policies`], [`warnings`], and the
//!   modules ending in `_api`; [`pagination`] and [`class_name`] are their helpers.
//! - [`router`] (all paths and the OpenAPI document), [`base_path`] (the path prefix of a reverse proxy) and [`server`]
//!   (connections).
//!
//! Reads have no side effects. The state behind the overview and the metrics holds no media server token and no path or
//! query of an app's request, so it cannot leak them. Only an explain request names a path, and the caller supplies it.

mod api;
mod apps;
mod auth;
mod base_path;
mod cache_mode;
mod class_name;
mod cluster;
mod compat;
mod compat_cache_counters;
mod connections;
mod control;
mod counters;
mod dashboard_api;
mod decisions;
mod deps;
mod disk;
mod error;
pub mod explain;
mod folders_api;
mod health;
mod history_api;
mod http_apis;
mod image_urls;
mod jobs_api;
mod json_key_error;
mod libraries;
mod library_pictures;
mod live;
mod live_api;
mod matching_api;
mod metrics;
mod middleware;
mod misdirected_page;
mod notifications_api;
mod outage_warning;
mod pagination;
mod playlists_api;
mod policies;
mod prefetch_stats;
mod queue_stats;
pub mod recommendations;
mod router;
mod server;
mod server_identity;
mod servers;
mod shared_settings;
mod snapshot;
mod statistics_api;
mod stats;
mod stats_baseline;
mod stored_api;
#[cfg(test)]
mod tests;
mod unix_socket;
mod warnings;
mod web;

pub use control::{ControlPlane, follow_tokens};
pub use deps::ControlPlaneDeps;
pub use image_urls::ImageUrlSigner;
pub use metrics::log_errors::set_log_error_counter;
pub use middleware::set_security_headers;
pub use router::openapi::as_json as description;
pub use server::{handle_request, serve};
pub use shared_settings::follow_peers;
pub use unix_socket::UnixSocket;
pub use web::ICON;
