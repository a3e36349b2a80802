//! `GET dashboard` and `GET summary`: figures that lie ready.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Control, Plane};
use crate::dashboard::figures::{Figures, Playing};
use crate::dashboard::traffic::share;

/// The figures of the last minute.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Shown {
    /// How old they are, in seconds.
    age_s: u64,
    #[serde(flatten)]
    figures: Figures,
}

/// At most fifteen numbers, for a widget.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Summary {
    /// Servers that are configured.
    servers: u64,
    /// Those that answer.
    servers_online: u64,
    /// Apps that a server let in since start.
    apps: u64,
    /// Requests that apps made today.
    asked_today: u64,
    /// Requests that reached a server today.
    reached_today: u64,
    /// Requests that were answered today without asking one.
    saved_today: u64,
    /// The share of them, from 0 to 1; `null` before anything was asked.
    saved_share_today: Option<f64>,
    /// Seconds that apps did not have to wait today.
    seconds_saved_today: u64,
    /// The share of answers today that were older than they should be, from 0 to 1.
    stale_share_today: Option<f64>,
    /// How many play something; `null` while that is not known: before every server said it, and while one is down.
    active_sessions: Option<u64>,
    /// Films there are; `null` before any server said it, as the two below.
    films: Option<u64>,
    /// Episodes there are.
    episodes: Option<u64>,
    /// Tracks there are.
    tracks: Option<u64>,
    /// Things somebody should change.
    warnings: u64,
    /// When the oldest of what servers said was heard, in milliseconds since 1970; `null` before any said something.
    as_of_ms: Option<u64>,
}

/// The figures of the last minute.
#[utoipa::path(get, path = "/api/v1/dashboard", tag = "dashboard",
    responses((status = 200, description = "The figures of the last minute", body = Shown)))]
pub(super) async fn figures(State(plane): State<Arc<Plane>>) -> Json<Shown> {
    let figures = plane.control.dashboard.figures();
    let age_s = plane.control.clock.now_ms().saturating_sub(figures.as_of_ms) / 1000;
    let age_s = if figures.as_of_ms == 0 { 0 } else { age_s };
    let mut figures = (*figures).clone();
    for playing in &mut figures.sessions.list {
        playing.picture = picture_of(&plane.control, playing);
    }
    Json(Shown { age_s, figures })
}

/// The link to the picture of something that plays.
fn picture_of(control: &Control, playing: &Playing) -> Option<String> {
    let server = control.inside.server(&playing.server)?;
    control.links.own_link(server, playing.thumb.as_ref()?, control.clock.now_ms())
}

/// At most fifteen numbers, for a widget.
#[utoipa::path(get, path = "/api/v1/summary", tag = "dashboard",
    responses((status = 200, description = "At most fifteen numbers", body = Summary)))]
pub(super) async fn summary(State(plane): State<Arc<Plane>>) -> Json<Summary> {
    let control = &plane.control;
    let figures = control.dashboard.figures();
    let seen = control.servers.iter().flat_map(|shown| shown.server.apps.figures());
    let apps = seen.filter(|(_, app)| !app.is_stranger).count();
    let amounts = figures.libraries.as_ref().map(|libraries| libraries.all);
    let counted_ms = figures.libraries.as_ref().map(|libraries| libraries.as_of_ms);
    let today = control.statistics.today(None);
    let warnings = control.own_warnings().count()
        + control.servers.iter().map(|shown| shown.warnings().count()).sum::<usize>();
    Json(Summary {
        servers: control.servers.len() as u64,
        servers_online: figures.services.online,
        apps: apps as u64,
        asked_today: today.asked,
        reached_today: today.reached,
        saved_today: today.saved,
        saved_share_today: share(today.saved, today.asked),
        seconds_saved_today: today.seconds_saved,
        stale_share_today: today.stale_share,
        active_sessions: figures.sessions.active.filter(|_| !figures.sessions.stale),
        films: amounts.map(|of| of.films),
        episodes: amounts.map(|of| of.episodes),
        tracks: amounts.map(|of| of.tracks),
        warnings: warnings as u64,
        as_of_ms: [figures.sessions.as_of_ms, counted_ms].into_iter().flatten().min(),
    })
}
