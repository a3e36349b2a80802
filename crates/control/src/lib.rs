//! The control plane: everything that the page, the API and the metrics show and change, and the access to it.
//!
//! Modules, bottom up: a module uses only modules of its own line and of earlier lines.
//! - [`error`] (problem responses), [`counters`] (monotonic counters), [`connections`] (limits of connections),
//!   [`blocking`] (work on blocking threads).
//! - Displayed values: [`apps`], [`servers`], [`http_apis`], [`server_identity`], [`prefetch_stats`], [`queue_stats`],
//!   [`stats`], [`disk`], their [`snapshot`], [`outage_warning`], and [`stats_baseline`] (the zero point of statistics
//!   after a reset).
//! - Features with their own state: [`recommendations`], [`explain`] (why a read gets its response), [`live`] (pages
//!   with live updates), [`image_urls`], [`compat_cache_counters`].
//! - [`web`] (the page) and [`auth`] (sessions, the access policy, limits on wrong tokens).
//! - [`deps`] and [`mod@control`]: the parts of the control plane.
//! - [`state`] (the state that every handler borrows), [`middleware`] (checks every request, and adds the security headers
//!   for browsers), [`json_body`], [`json_key_error`] and [`pagination`] (requests and
//!   responses of handlers).
//! - Changes at runtime: [`job_runs`], [`purge`], [`cache_modes`], [`ttl_overrides`]; [`class_name`] is their helper.
//! - [`shared_settings`] (the settings that gateways share) and [`store_state`] (the remote store and its warnings).
//!
//! The state behind the overview and the metrics holds no media server token and no path or query of an app's request,
//! so it cannot leak them. Only an explain request names a path, and the caller supplies it.

pub mod apps;
pub mod auth;
pub mod blocking;
mod cache_modes;
pub mod class_name;
pub mod compat_cache_counters;
pub mod connections;
pub mod control;
pub mod counters;
pub mod deps;
pub mod disk;
pub mod error;
pub mod explain;
pub mod http_apis;
pub mod image_urls;
mod job_runs;
pub mod json_body;
pub mod json_key_error;
pub mod live;
pub mod middleware;
mod misdirected_page;
pub mod outage_warning;
pub mod pagination;
pub mod prefetch_stats;
mod purge;
pub mod queue_stats;
pub mod recommendations;
pub mod server_identity;
pub mod servers;
pub mod shared_settings;
pub mod snapshot;
pub mod state;
pub mod stats;
pub mod stats_baseline;
mod store_state;
mod ttl_overrides;
pub mod web;

pub use control::{ControlPlane, follow_tokens};
pub use deps::ControlPlaneDeps;
pub use image_urls::ImageUrlSigner;
pub use middleware::set_security_headers;
pub use shared_settings::follow_peers;
pub use web::ICON;
