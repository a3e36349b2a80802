//! The writes below `/library`. What no table knows there makes everything stale rather than guess.

use http::Method;

use crate::plex::params::{Params, item_ids};
use crate::plex::route::is_id;
use crate::plex::stale;
use crate::plex::write::named;
use crate::tag::{Staling, Tag};
use crate::verdict::Write;

/// Requests below `/library` that change something whatever their method is: scans and analyses, and the verbs of
/// matching.
pub(super) fn by_any_method(rest: &[&str]) -> Option<Write> {
    Some(match rest {
        ["sections", "all" | "refresh", ..] if rest.last() == Some(&"refresh") => scan(None),
        ["sections", id, "refresh" | "analyze" | "deepanalyze", ..] if is_id(id) => scan(Some(id)),
        ["sections", id, "emptytrash"] if is_id(id) => named("section", emptied(id)),
        ["metadata", ids, "refresh" | "analyze" | "deepanalyze"] => {
            let mut stale = stale::pictured(&item_ids(ids));
            stale.push(Staling::everyone(Tag::activities()));
            named("refresh", stale)
        }
        ["metadata", ids, "match" | "unmatch" | "merge" | "split"] => {
            let mut stale = stale::edited(&item_ids(ids));
            stale.push(Staling::everyone(Tag::user_state()));
            named("match", stale)
        }
        ["optimize" | "clean", ..] => named("maintenance", stale::everyone([Tag::activities()])),
        _ => return None,
    })
}

/// The write that a request with another method than GET or HEAD is.
pub(super) fn of(method: &Method, rest: &[&str], params: &Params<'_>) -> Option<Write> {
    match rest {
        ["sections", more @ ..] => section(method, more, params),
        ["metadata", ids, more @ ..] => metadata(method, &item_ids(ids), more),
        ["collections", more @ ..] => collection(more, params),
        ["caches"] => Some(named("maintenance", stale::everyone([Tag::activities()]))),
        // Which streams are selected is the user's own; the path names a part, not an item.
        ["parts" | "streams", ..] => {
            let mut stale = stale::account([Tag::user_state()]);
            stale.extend(stale::everyone([Tag::sessions()]));
            Some(named("selection", stale))
        }
        ["media", ..] if *method == Method::DELETE => Some(named("edit", gone(&[]))),
        _ => None,
    }
}

fn section(method: &Method, rest: &[&str], params: &Params<'_>) -> Option<Write> {
    Some(match rest {
        [] | ["all" | "prefs"] => named("section", sections_changed(None)),
        [id] | [id, "prefs"] if is_id(id) => named("section", sections_changed(Some(id))),
        [id, "all"] if is_id(id) => {
            let ids = params.items(&["id"]);
            let mut stale = stale::section_whole(id);
            if !ids.is_empty() {
                stale.extend(stale::pictured(&ids));
            }
            named("edit", stale)
        }
        [id, "collection" | "collections", more @ ..] if is_id(id) => {
            named("collection", stale::collection(more.first().copied(), Some(id), &[]))
        }
        [id, "indexes" | "intros" | "credits" | "voiceactivity"]
            if is_id(id) && *method == Method::DELETE =>
        {
            named("edit", stale::everyone([Tag::inside(id), Tag::many_items(), Tag::activities()]))
        }
        [id, ..] if is_id(id) => {
            let mut stale = stale::section_whole(id);
            stale.extend(stale::everyone([Tag::server()]));
            named("section", stale)
        }
        _ => return None,
    })
}

fn metadata(method: &Method, ids: &[String], rest: &[&str]) -> Option<Write> {
    Some(match rest {
        _ if ids.is_empty() => return None,
        [] | ["media", ..] if *method == Method::DELETE => named("delete", gone(ids)),
        [] | ["matches"] => named("edit", stale::edited(ids)),
        ["prefs"] => {
            let mut stale = stale::pictured(ids);
            stale.push(Staling::everyone(Tag::watch_lists()));
            named("edit", stale)
        }
        [
            "marker" | "subtitles" | "extras" | "chapterthumbs" | "index" | "intro" | "credits"
            | "voiceactivity" | "addetect",
            ..,
        ] => {
            let mut stale = stale::pictured(ids);
            stale.push(Staling::everyone(Tag::activities()));
            named("edit", stale)
        }
        // Posters, arts, themes, logos: `{element}` and the lists of them.
        [_] | [_, _] => named("poster", stale::pictured(ids)),
        _ => return None,
    })
}

fn collection(rest: &[&str], params: &Params<'_>) -> Option<Write> {
    let members = params.items(&["uri", "ids"]);
    Some(match rest {
        [] => {
            let section = params.all("sectionId").into_iter().find(|id| is_id(id));
            named("collection", stale::collection(None, section.as_deref(), &members))
        }
        [id, "items"] if is_id(id) => named("collection", stale::collection(Some(id), None, &members)),
        [id, "items", member, ..] if is_id(id) => {
            named("collection", stale::collection(Some(id), None, &item_ids(member)))
        }
        [id, "posters" | "poster" | "arts" | "art" | "thumb" | "prefs", ..] if is_id(id) => {
            let mut stale = stale::pictured(&[(*id).to_owned()]);
            stale.push(Staling::everyone(Tag::collections()));
            named("poster", stale)
        }
        [id, ..] if is_id(id) => named("collection", stale::collection(Some(id), None, &[])),
        _ => return None,
    })
}

/// A scan or analysis began or was cancelled: it shows in what the server is busy with, and its results come later.
fn scan(section: Option<&str>) -> Write {
    let mut stale = stale::section_moved(section);
    stale.push(Staling::everyone(Tag::activities()));
    named("refresh", stale)
}

fn sections_changed(section: Option<&str>) -> Vec<Staling> {
    let mut stale = stale::server();
    match section {
        Some(id) => {
            stale.extend(stale::section_whole(id));
            stale.extend(stale::everyone([Tag::playlists(), Tag::every_playlist()]));
        }
        None => stale.extend(stale::section_moved(None)),
    }
    stale
}

fn emptied(section: &str) -> Vec<Staling> {
    let mut stale = stale::section_whole(section);
    stale.extend(stale::everyone([Tag::playlists(), Tag::every_playlist(), Tag::activities()]));
    stale
}

fn gone(ids: &[String]) -> Vec<Staling> {
    let mut stale = stale::edited(ids);
    stale.extend(stale::everyone([Tag::playlists(), Tag::every_playlist()]));
    stale
}
