//! API formats that existing dashboards read, under their paths, so that a reverse proxy can route these paths to
//! Greenroom in place of a dashboard's own backend. Shape-compatible, not drop-in: only the paths listed here are
//! served.
//!
//! Three families: `/api/plex/…` (a Plex dashboard and its cache), `/api/files` and `/api/cache/…` (a comic library's
//! file list rebuilt in the background) and `/api/status/cache` with its command (a library that playlists are matched against).
//!
//! `/api/plex/…` covers all Plex servers, merged, or all servers if none is a Plex. Errors are never an empty success:
//! while a server is down, its last good response is served as `stale` with its age; if there is none, `error` is true.
//! A server without a response while others have one is named in `unavailable`. No body holds a token, and images are
//! signed links ([`image`]).
//!
//! Modules: [`activities`], [`sessions`], [`stats`], [`recently_added`], [`history`] (displayed data), [`caches`]
//! (shows, clears and warms the caches behind it), [`snapshots`] (the other two families), [`files`]
//! (the comic library's list), [`image`] (images by signed
//! links), `merge` (merges the responses of several servers).

pub(super) mod activities;
pub(super) mod caches;
pub(super) mod files;
pub(super) mod history;
pub(super) mod image;
mod merge;
pub(super) mod recently_added;
pub(super) mod sessions;
pub(super) mod snapshots;
pub(super) mod stats;

use greenroom_cache::clock::millis;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Timestamp;
use greenroom_dialect::request::ServerKind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use greenroom_control::state::ApiState;
use greenroom_proxy::server::Server;

/// Routes of all compatibility paths.
pub fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(activities::list))
        .routes(routes!(sessions::list))
        .routes(routes!(stats::all))
        .routes(routes!(stats::live))
        .routes(routes!(stats::dashboard))
        .routes(routes!(recently_added::list))
        .routes(routes!(history::list))
        .routes(routes!(history::sync))
        .routes(routes!(caches::stats))
        .routes(routes!(caches::clear))
        .routes(routes!(caches::warm))
        .routes(routes!(image::show))
        .routes(routes!(image::show_linked))
        .routes(routes!(snapshots::files))
        .routes(routes!(files::list))
        .routes(routes!(files::prewarm))
        .routes(routes!(snapshots::status))
        .routes(routes!(snapshots::reset))
        .routes(routes!(snapshots::refresh))
}

/// The servers covered: every Plex, or every server if none is one.
fn compat_servers(state: &ApiState) -> Vec<&Arc<Server>> {
    let servers = state.control.internal_client.servers();
    let plexes: Vec<&Arc<Server>> =
        servers.iter().filter(|server| server.origin.settings.kind == ServerKind::Plex).collect();
    if plexes.is_empty() { servers.iter().collect() } else { plexes }
}

/// The name the first of them reports, if known.
fn server_name(state: &ApiState) -> String {
    let first = compat_servers(state).first().map(|server| server.name().to_owned());
    let managed = state.control.servers.iter().find(|managed| Some(managed.server.name()) == first.as_deref());
    let title = managed.and_then(|managed| managed.identity_cache.get().title.clone());
    title.or(first).unwrap_or_else(|| "Plex Server".to_owned())
}

/// A time in ISO 8601, as these programs read it.
fn iso(at_ms: Timestamp) -> String {
    let at = i64::try_from(at_ms.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", at.unwrap_or(jiff::Timestamp::MAX))
}

/// A duration with one decimal, in seconds.
#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
fn seconds(duration: Duration) -> f64 {
    (millis(duration) / 100) as f64 / 10.0
}

/// A share in percent, with two decimals.
#[expect(clippy::cast_precision_loss, reason = "it is shown with two decimals")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { ((part as f64 / whole as f64) * 10_000.0).round() / 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_shares_are_formatted() {
        assert_eq!(iso(Timestamp::from_millis(1_708_457_201_042)), "2024-02-20T19:26:41.042Z");
        assert_eq!((percent(1, 3), percent(0, 0), percent(5, 5)), (33.33, 0.0, 100.0));
        assert!((seconds(Duration::from_millis(1_449)) - 1.4).abs() < 1e-9);
    }
}
