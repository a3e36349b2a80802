//! What changes something, and what that makes stale. Several of Plex's writes are GETs, so the table is asked
//! before any read is.

use http::Method;

use crate::ask::Ask;
use crate::plex::library_write;
use crate::plex::params::Params;
use crate::plex::stale;
use crate::tag::{Staling, Tag};
use crate::verdict::{Forgets, Minutely, Write};

/// A write of that name, which ends nobody's standing.
pub(super) fn named(name: &'static str, stale: Vec<Staling>) -> Write {
    Write { name, stale, minutely: None, forgets: Forgets::Nobody }
}

/// The write that this request is. `parts` are in lower case. A GET or HEAD that no table knows as a write is
/// none; any other method always is one, if only an unknown one.
pub(super) fn of(ask: &Ask<'_>, parts: &[&str], query: &str) -> Option<Write> {
    let params = &Params::new(ask, query);
    let reads = *ask.method == Method::GET || *ask.method == Method::HEAD;
    if let Some(write) = by_any_method(parts, params) {
        return Some(write);
    }
    if reads {
        return None;
    }
    let is_known = [Method::POST, Method::PUT, Method::DELETE].contains(ask.method);
    let write = match parts {
        _ if !is_known => None,
        ["library", rest @ ..] => library_write::of(ask.method, rest, params),
        ["playlists", rest @ ..] => playlists(rest),
        ["hubs", rest @ ..] => hubs(rest),
        _ => elsewhere(ask.method, parts),
    };
    Some(write.unwrap_or_else(|| named("unknown", stale::all())))
}

/// Requests that change something whatever their method is.
fn by_any_method(parts: &[&str], params: &Params<'_>) -> Option<Write> {
    Some(match parts {
        [":", "scrobble" | "unscrobble"] => {
            named("scrobble", stale::watched(&params.items(&["key", "ratingKey", "uri"]), Staling::account))
        }
        [":", "rate"] => {
            named("rate", stale::watched(&params.items(&["key", "ratingKey", "uri"]), Staling::account))
        }
        [":", "timeline"] => progress("timeline", params),
        [":", "progress"] => progress("progress", params),
        ["actions", ..] => {
            named("action", stale::watched(&params.items(&["ratingKey", "key", "uri"]), Staling::account))
        }
        ["status", "sessions", "terminate"] => {
            named("terminate", stale::everyone([Tag::sessions(), Tag::activities()]))
        }
        ["library", rest @ ..] => return library_write::by_any_method(rest),
        ["updater", "check" | "apply"] => {
            named("updater", stale::everyone([Tag::server(), Tag::activities()]))
        }
        ["users", "signout" | "sign_out" | "sign_out.json" | "sign_out.xml"] => {
            Write { forgets: Forgets::Caller, ..named("sign-out", stale::everyone([Tag::users()])) }
        }
        _ => return None,
    })
}

/// A player's report. While it plays, the slow part follows once a minute; when it pauses or stops, and when it
/// does not say what it does, everything follows at once.
fn progress(name: &'static str, params: &Params<'_>) -> Write {
    let ids = params.items(&["ratingKey", "key"]);
    let states = params.all("state");
    let plays =
        !states.is_empty() && states.iter().all(|state| matches!(state.as_str(), "playing" | "buffering"));
    match ids.first() {
        Some(item) if plays => {
            let slow = Minutely { item: item.clone(), stale: stale::watched(&ids, Staling::account) };
            Write { minutely: Some(slow), ..named(name, stale::plays(&ids, Staling::account)) }
        }
        _ => named(name, stale::watched(&ids, Staling::account)),
    }
}

/// Every user may see a playlist, so its writes concern everybody.
fn playlists(rest: &[&str]) -> Option<Write> {
    Some(match rest {
        [] | ["upload"] => named("playlist", stale::playlist(None)),
        [id]
        | [id, "items" | "generators" | "composite" | "thumb" | "poster" | "posters" | "art" | "arts", ..] => {
            named("playlist", stale::playlist(Some(id)))
        }
        _ => return None,
    })
}

fn hubs(rest: &[&str]) -> Option<Write> {
    match rest {
        ["sections", id, "manage", ..] => {
            let mut stale = stale::everyone([Tag::collections(), Tag::section(id), Tag::across()]);
            stale.push(Staling::everyone(Tag::watch_lists()));
            Some(named("collection", stale))
        }
        ["continuewatching" | "home", ..] => Some(named("action", stale::watched(&[], Staling::account))),
        _ => None,
    }
}

fn elsewhere(method: &Method, parts: &[&str]) -> Option<Write> {
    let deletes = *method == Method::DELETE;
    let forgetting = |name, forgets| Write {
        forgets,
        ..named(name, stale::everyone([Tag::server(), Tag::users(), Tag::sections()]))
    };
    Some(match parts {
        [":", "prefs", ..] => {
            let mut stale = stale::server();
            stale.extend(stale::everyone([Tag::watch_lists(), Tag::across()]));
            named("settings", stale)
        }
        ["activities", ..] => named("activity", stale::everyone([Tag::activities(), Tag::sections()])),
        ["butler", ..] => named("butler", stale::everyone([Tag::activities()])),
        ["updater", ..] => named("updater", stale::everyone([Tag::server(), Tag::activities()])),
        ["status", "sessions", "history", ..] => {
            let mut stale = stale::everyone([Tag::history(), Tag::user_state(), Tag::watch_lists()]);
            stale.push(Staling::everyone(Tag::many_items()));
            named("history", stale)
        }
        ["transcode", "sessions", ..] | ["player", ..] => named("player", stale::everyone([Tag::sessions()])),
        ["video" | "music" | "audio" | "photo" | "subtitles", ":", "transcode", ..] => {
            named("transcode", stale::everyone([Tag::sessions()]))
        }
        ["playqueues" | "downloadqueue" | "sync", ..] => named("queue", Vec::new()),
        ["log", ..] => named("log", Vec::new()),
        ["devices" | "users" | "home" | "accounts", ..] if deletes => {
            forgetting("sign-out", Forgets::Everyone)
        }
        ["security", "token" | "resources", ..] if !deletes => named("account", Vec::new()),
        ["users", "signin" | "sign_in", ..] | ["pins", ..] => named("account", Vec::new()),
        ["myplex" | "security", ..] => forgetting("account", Forgets::Everyone),
        ["devices" | "users" | "home" | "accounts", ..] => forgetting("account", Forgets::Nobody),
        _ => return None,
    })
}
