//! Writes: dispatch by method and path.

mod collection;
mod edit;
mod play_queue;
mod playlist;
mod scan;
mod target;
mod watch;

use http::Method;

use super::request::{NOT_FOUND, PlexResponse, PlexResult, PlexWriteRequest};
use super::response;

/// Carries out a write to `path`.
pub(super) fn answer(order: &PlexWriteRequest<'_>, path: &[&str]) -> PlexResult {
    let method = &order.request.method;
    match path {
        [":", "prefs"] if *method == Method::PUT => prefs(order),
        [":", what] => watch::answer(order, what),
        ["actions", "removeFromContinueWatching"] => watch::hide(order),
        ["status", "sessions", "terminate"] => watch::terminate(order),
        ["status", "sessions", "history", id] if *method == Method::DELETE => watch::forget(order, id),
        ["playlists", rest @ ..] => playlist::answer(order, rest),
        ["playQueues", rest @ ..] => play_queue::answer(order, rest),
        ["library", "collections", rest @ ..] => collection::answer(order, rest),
        ["library", "sections", id, "refresh"] => scan::answer(order, id),
        ["library", "sections", id, rest @ ..] => edit::edit_section(order, id, rest),
        ["library", "metadata", ids, rest @ ..] => edit::edit_items(order, ids, rest),
        ["library", "clean", "bundles"] | ["library", "optimize"] | ["library", "parts", _] => {
            order.owner_only()?;
            done()
        }
        ["butler", ..] => {
            order.owner_only()?;
            Ok(PlexResponse::Raw(response::accepted()))
        }
        ["activities", uuid] if *method == Method::DELETE => {
            order.owner_only()?;
            order.server.end(uuid).ok_or(NOT_FOUND)?;
            done()
        }
        _ => Err(NOT_FOUND),
    }
}

/// An empty response.
fn done() -> PlexResult {
    Ok(PlexResponse::Raw(response::done()))
}

fn prefs(order: &PlexWriteRequest<'_>) -> PlexResult {
    order.owner_only()?;
    order.state().write(order.user_id(), |write| {
        for pair in order.params.pairs().iter().filter(|pair| !pair.name.starts_with("X-Plex-")) {
            write.set(&pair.name, &pair.value);
        }
    });
    done()
}
