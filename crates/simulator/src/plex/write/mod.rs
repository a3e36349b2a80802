//! The writes: which method and path change what.

mod collection;
mod edit;
mod playlist;
mod scan;
mod target;
mod watch;

use http::Method;

use super::call::{NOT_FOUND, Order, Outcome, Reply};
use super::reply;

/// Carries out a write to `path`.
pub(super) fn answer(order: &Order<'_>, path: &[&str]) -> Outcome {
    let method = &order.asked.method;
    match path {
        [":", "prefs"] if *method == Method::PUT => prefs(order),
        [":", what] => watch::answer(order, what),
        ["actions", "removeFromContinueWatching"] => watch::hide(order),
        ["status", "sessions", "terminate"] => watch::terminate(order),
        ["status", "sessions", "history", id] if *method == Method::DELETE => watch::forget(order, id),
        ["playlists", rest @ ..] => playlist::answer(order, rest),
        ["library", "collections", rest @ ..] => collection::answer(order, rest),
        ["library", "sections", id, "refresh"] => scan::answer(order, id),
        ["library", "sections", id, rest @ ..] => edit::of_section(order, id, rest),
        ["library", "metadata", ids, rest @ ..] => edit::of_items(order, ids, rest),
        ["library", "clean", "bundles"] | ["library", "optimize"] | ["library", "parts", _] => {
            order.owner_only()?;
            done()
        }
        ["butler", ..] => {
            order.owner_only()?;
            Ok(Reply::Raw(reply::accepted()))
        }
        ["activities", uuid] if *method == Method::DELETE => {
            order.owner_only()?;
            order.server.end(uuid).ok_or(NOT_FOUND)?;
            done()
        }
        _ => Err(NOT_FOUND),
    }
}

/// It is done, and there is nothing to say about it.
fn done() -> Outcome {
    Ok(Reply::Raw(reply::done()))
}

fn prefs(order: &Order<'_>) -> Outcome {
    order.owner_only()?;
    order.state().write(order.who(), |write| {
        for pair in order.params.pairs().iter().filter(|pair| !pair.name.starts_with("X-Plex-")) {
            write.set(&pair.name, &pair.value);
        }
    });
    done()
}
