//! The shapes that existing dashboards read, under the paths they ask: so that a reverse proxy can put them in place of
//! a dashboard's own backend. Shape-compatible, not drop-in: only what is listed here is answered.
//!
//! Three families: `/api/plex/…` (a dashboard of a Plex and its cache), `/api/cache/stats` (a list of files that is
//! rebuilt behind) and `/api/status/cache` with its command (a library that playlists are matched against).
//!
//! `/api/plex/…` speaks of all servers that are a Plex, merged; of all servers, if none is. Errors are never an empty
//! success: while a server cannot be asked there is its last good answer, `stale`, with its age; if there never was one,
//! `error` is true. A server that has no answer while others do is named in `unavailable`. No body holds a token, and
//! pictures are links of ours ([`image`]).
//!
//! Rooms: [`activities`], [`sessions`], [`stats`], [`recent`], [`played`] (what is shown), [`caches`] (the caches behind
//! it, cleared and warmed), [`snapshots`] (the other two families), [`image`] (signed links), `merged` (one answer out of
//! several servers').

pub(super) mod activities;
pub(super) mod caches;
pub(super) mod image;
mod merged;
pub(super) mod played;
pub(super) mod recent;
pub(super) mod sessions;
pub(super) mod snapshots;
pub(super) mod stats;

use std::sync::Arc;

use greenroom_dialect::ask::Kind;
use greenroom_dialect::dashboard::instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Plane;
use greenroom_proxy::server::Server;

pub(super) use caches::Counts;

/// Every path of other dashboards.
pub(super) fn routes() -> OpenApiRouter<Arc<Plane>> {
    OpenApiRouter::new()
        .routes(routes!(activities::list))
        .routes(routes!(sessions::list))
        .routes(routes!(stats::all))
        .routes(routes!(stats::live))
        .routes(routes!(stats::dashboard))
        .routes(routes!(recent::list))
        .routes(routes!(played::list))
        .routes(routes!(played::sync))
        .routes(routes!(caches::stats))
        .routes(routes!(caches::clear))
        .routes(routes!(caches::warm))
        .routes(routes!(image::show))
        .routes(routes!(snapshots::files))
        .routes(routes!(snapshots::status))
        .routes(routes!(snapshots::reset))
        .routes(routes!(snapshots::refresh))
}

impl Plane {
    /// The servers these shapes speak of: every Plex, or every server if none is one.
    fn shown_servers(&self) -> Vec<&Arc<Server>> {
        let all = self.control.inside.servers();
        let plexes: Vec<&Arc<Server>> =
            all.iter().filter(|server| server.origin.settings.kind == Kind::Plex).collect();
        if plexes.is_empty() { all.iter().collect() } else { plexes }
    }

    /// What the first of them calls itself, as far as it is known.
    fn server_name(&self) -> String {
        let first = self.shown_servers().first().map(|server| server.name().to_owned());
        let shown = self.control.servers.iter().find(|shown| Some(shown.server.name()) == first.as_deref());
        let title = shown.and_then(|shown| shown.introduction.said().title.clone());
        title.or(first).unwrap_or_else(|| "Plex Server".to_owned())
    }
}

/// A moment as these programs read it.
fn iso(at_ms: u64) -> String {
    let whole = instant::written(at_ms / 1000);
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), at_ms % 1000)
}

/// A duration with one decimal, in seconds.
#[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
fn seconds(ms: u64) -> f64 {
    (ms / 100) as f64 / 10.0
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
    fn moments_and_shares_are_written_as_they_are_read() {
        assert_eq!(iso(1_708_457_201_042), "2024-02-20T19:26:41.042Z");
        assert_eq!((percent(1, 3), percent(0, 0), percent(5, 5)), (33.33, 0.0, 100.0));
        assert!((seconds(1_449) - 1.4).abs() < 1e-9);
    }
}
