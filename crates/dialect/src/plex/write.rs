//! The table of writes and their invalidations. Several of Plex's writes are GETs, so it is consulted before
//! any read.

use http::Method;

use crate::classification::{ReportedProgress, ThrottledInvalidation, TokenRevocation, Write};
use crate::plex::invalidation;
use crate::plex::library_write;
use crate::plex::params::WriteParams;
use crate::request::RequestView;
use crate::tag::{Tag, TagInvalidation, UserState};

/// A write with this name that revokes no token.
pub(super) fn named(name: &'static str, stale: Vec<TagInvalidation>) -> Write {
    Write { name, invalidations: stale, throttled: None, revokes: TokenRevocation::Nothing, edit: None }
}

/// The write of this request. `parts` are in lower case. A GET or HEAD that is in no table is none; any other
/// method always is one, if only an unknown one.
pub(super) fn find(request: &RequestView<'_>, parts: &[&str], query: &str) -> Option<Write> {
    let params = &WriteParams::new(request, query);
    let reads = *request.method == Method::GET || *request.method == Method::HEAD;
    if let Some(write) = by_any_method(parts, params) {
        return Some(write);
    }
    if reads {
        return None;
    }
    let is_known = [Method::POST, Method::PUT, Method::DELETE].contains(request.method);
    let write = match parts {
        _ if !is_known => None,
        ["library", rest @ ..] => library_write::find(request.method, rest, params),
        ["playlists", rest @ ..] => playlists(rest),
        ["hubs", rest @ ..] => hubs(rest),
        _ => outside_library(request.method, parts),
    };
    Some(write.unwrap_or_else(|| named("unknown", invalidation::all())))
}

/// Requests that are writes with any method.
fn by_any_method(parts: &[&str], params: &WriteParams<'_>) -> Option<Write> {
    Some(match parts {
        [":", "scrobble" | "unscrobble"] => named(
            "scrobble",
            invalidation::watched(&params.items(&["key", "ratingKey", "uri"]), TagInvalidation::account),
        ),
        [":", "rate"] => {
            named("rate", invalidation::marked(&params.items(&["key", "ratingKey", "uri"]), UserState::Rating))
        }
        [":", "timeline"] => progress("timeline", params),
        [":", "progress"] => progress("progress", params),
        ["actions", "removefromcontinuewatching"] => {
            named("action", invalidation::marked(&params.items(&["ratingKey", "key", "uri"]), UserState::Continued))
        }
        ["actions", ..] => named(
            "action",
            invalidation::watched(&params.items(&["ratingKey", "key", "uri"]), TagInvalidation::account),
        ),
        ["status", "sessions", "terminate"] => {
            named("terminate", invalidation::everyone([Tag::sessions(), Tag::activities()]))
        }
        ["library", rest @ ..] => return library_write::by_any_method(rest),
        ["updater", "check" | "apply"] => named("updater", invalidation::everyone([Tag::server(), Tag::activities()])),
        ["users", "signout" | "sign_out" | "sign_out.json" | "sign_out.xml"] => {
            Write { revokes: TokenRevocation::Caller, ..named("sign-out", invalidation::everyone([Tag::users()])) }
        }
        _ => return None,
    })
}

/// A player's report. During playback, the slow invalidations follow once a minute; on pause, stop or an
/// unknown state all are applied at once.
fn progress(name: &'static str, params: &WriteParams<'_>) -> Write {
    let ids = params.items(&["ratingKey", "key"]);
    let states = params.all("state");
    let is_playing = !states.is_empty() && states.iter().all(|state| matches!(state.as_str(), "playing" | "buffering"));
    match ids.first() {
        Some(item) if is_playing => {
            let slow = ThrottledInvalidation {
                item: item.clone(),
                progress: progress_of(params),
                invalidations: reported(&ids),
            };
            Write { throttled: Some(slow), ..named(name, invalidation::plays(&ids, TagInvalidation::account)) }
        }
        _ => named(name, reported(&ids)),
    }
}

/// Progress of the item. The server decides by percentages of the running time.
fn progress_of(params: &WriteParams<'_>) -> ReportedProgress {
    let number = |name: &str| params.all(name).first().and_then(|text| text.parse().ok());
    match number("time") {
        Some(position) => ReportedProgress::At { position, run_time: number("duration") },
        None => ReportedProgress::Untold,
    }
}

/// The tags that a player's report concerns, once a minute or at its end. The player may be a new one.
fn reported(ids: &[String]) -> Vec<TagInvalidation> {
    let mut stale = invalidation::watched(ids, TagInvalidation::account);
    stale.push(TagInvalidation::everyone(Tag::players()));
    stale
}

/// Every user may see a playlist, so its writes concern everyone.
fn playlists(rest: &[&str]) -> Option<Write> {
    Some(match rest {
        [] | ["upload"] => named("playlist", invalidation::playlist(None)),
        [id] | [id, "items" | "generators" | "composite" | "thumb" | "poster" | "posters" | "art" | "arts", ..] => {
            named("playlist", invalidation::playlist(Some(id)))
        }
        _ => return None,
    })
}

fn hubs(rest: &[&str]) -> Option<Write> {
    match rest {
        ["sections", id, "manage", ..] => {
            let mut stale = invalidation::everyone([Tag::collections(), Tag::section(id), Tag::across()]);
            stale.push(TagInvalidation::everyone(Tag::watch_lists()));
            Some(named("collection", stale))
        }
        ["continuewatching" | "home", ..] => {
            Some(named("action", invalidation::watched(&[], TagInvalidation::account)))
        }
        _ => None,
    }
}

fn outside_library(method: &Method, parts: &[&str]) -> Option<Write> {
    let deletes = *method == Method::DELETE;
    let revoking_write = |name, revocation| Write {
        revokes: revocation,
        ..named(name, invalidation::everyone([Tag::server(), Tag::users(), Tag::sections()]))
    };
    Some(match parts {
        [":", "prefs", ..] => {
            let mut stale = invalidation::server();
            stale.extend(invalidation::everyone([Tag::watch_lists(), Tag::across()]));
            named("settings", stale)
        }
        ["activities", ..] => named("activity", invalidation::everyone([Tag::activities(), Tag::sections()])),
        ["butler", ..] => named("butler", invalidation::everyone([Tag::activities()])),
        ["updater", ..] => named("updater", invalidation::everyone([Tag::server(), Tag::activities()])),
        ["status", "sessions", "history", ..] => {
            let mut stale = invalidation::everyone([Tag::history(), Tag::user_state(), Tag::watch_lists()]);
            stale.push(TagInvalidation::everyone(Tag::many_items()));
            named("history", stale)
        }
        ["transcode", "sessions", ..] | ["player", ..] => named("player", invalidation::everyone([Tag::sessions()])),
        ["video" | "music" | "audio" | "photo" | "subtitles", ":", "transcode", ..] => {
            named("transcode", invalidation::everyone([Tag::sessions()]))
        }
        ["playqueues" | "downloadqueue" | "sync", ..] => named("queue", Vec::new()),
        ["log", ..] => named("log", Vec::new()),
        ["devices" | "users" | "home" | "accounts", ..] if deletes => {
            revoking_write("sign-out", TokenRevocation::Everyone)
        }
        ["security", "token" | "resources", ..] if !deletes => named("account", Vec::new()),
        ["users", "signin" | "sign_in", ..] | ["pins", ..] => named("account", Vec::new()),
        ["myplex" | "security", ..] => revoking_write("account", TokenRevocation::Everyone),
        ["devices" | "users" | "home" | "accounts", ..] => revoking_write("account", TokenRevocation::Nothing),
        _ => return None,
    })
}
