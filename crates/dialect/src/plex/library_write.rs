//! The writes below `/library`. An unknown write there invalidates everything.

use http::Method;

use crate::classification::Write;
use crate::plex::invalidation;
use crate::plex::params::{WriteParams, item_ids};
use crate::plex::route::is_id;
use crate::plex::write::named;
use crate::tag::{Tag, TagInvalidation};

/// Fields that rows show and no list is filtered or sorted by.
const SHOWN_FIELDS: [&str; 2] = ["summary", "tagline"];

/// Parameters of an edit that name its items.
const ADDRESSES: [&str; 3] = ["id", "type", "includeExternalMedia"];

/// Requests below `/library` that are writes with any method: scans, analyses and matching.
pub(super) fn by_any_method(rest: &[&str]) -> Option<Write> {
    Some(match rest {
        ["sections", "all" | "refresh", ..] if rest.last() == Some(&"refresh") => scan(None),
        ["sections", id, "refresh" | "analyze" | "deepanalyze", ..] if is_id(id) => scan(Some(id)),
        ["sections", id, "emptytrash"] if is_id(id) => named("section", emptied(id)),
        ["metadata", ids, "refresh" | "analyze" | "deepanalyze"] => {
            let mut stale = invalidation::pictured(&item_ids(ids));
            stale.push(TagInvalidation::everyone(Tag::activities()));
            named("refresh", stale)
        }
        ["metadata", ids, "match" | "unmatch" | "merge" | "split"] => {
            let ids = item_ids(ids);
            let mut stale = [invalidation::edited(&ids), invalidation::images(&ids)].concat();
            stale.push(TagInvalidation::everyone(Tag::user_state()));
            named("match", stale)
        }
        ["optimize" | "clean", ..] => named("maintenance", invalidation::everyone([Tag::activities()])),
        _ => return None,
    })
}

/// The write of a request with a method other than GET or HEAD.
pub(super) fn find(method: &Method, rest: &[&str], params: &WriteParams<'_>) -> Option<Write> {
    match rest {
        ["sections", more @ ..] => section(method, more, params),
        ["metadata", ids, more @ ..] => metadata(method, &item_ids(ids), more, params),
        ["collections", more @ ..] => collection(more, params),
        ["caches"] => Some(named("maintenance", invalidation::everyone([Tag::activities()]))),
        // The selected streams belong to the user; the path names a part, not an item.
        ["parts" | "streams", ..] => {
            let mut stale = invalidation::account([Tag::user_state()]);
            stale.extend(invalidation::everyone([Tag::sessions()]));
            Some(named("selection", stale))
        }
        ["media", ..] if *method == Method::DELETE => Some(named("edit", gone(&[]))),
        _ => None,
    }
}

fn section(method: &Method, rest: &[&str], params: &WriteParams<'_>) -> Option<Write> {
    Some(match rest {
        [] | ["all" | "prefs"] => named("section", sections_changed(None)),
        [id] | [id, "prefs"] if is_id(id) => named("section", sections_changed(Some(id))),
        [id, "all"] if is_id(id) => {
            let ids = params.items(&["id"]);
            let is_shown_only = !ids.is_empty() && sets_only_shown_fields(params);
            let mut stale = if is_shown_only { Vec::new() } else { invalidation::section_edited(id) };
            if !ids.is_empty() {
                stale.extend(invalidation::detailed(&ids));
            }
            if sets_image(params) {
                stale.extend(invalidation::images(&ids));
            }
            named("edit", stale)
        }
        [id, "collection" | "collections", more @ ..] if is_id(id) => {
            named("collection", invalidation::collection(more.first().copied(), Some(id), &[]))
        }
        [id, "indexes" | "intros" | "credits" | "voiceactivity"] if is_id(id) && *method == Method::DELETE => {
            named("edit", invalidation::everyone([Tag::inside(id), Tag::many_items(), Tag::activities()]))
        }
        [id, ..] if is_id(id) => {
            let mut stale = invalidation::section_whole(id);
            stale.extend(invalidation::everyone([Tag::server()]));
            named("section", stale)
        }
        _ => return None,
    })
}

fn metadata(method: &Method, ids: &[String], rest: &[&str], params: &WriteParams<'_>) -> Option<Write> {
    Some(match rest {
        _ if ids.is_empty() => return None,
        [] | ["media", ..] if *method == Method::DELETE => named("delete", gone(ids)),
        [] | ["matches"] => {
            let is_match = rest.first() == Some(&"matches");
            let mut stale = if !is_match && sets_only_shown_fields(params) {
                invalidation::detailed(ids)
            } else {
                invalidation::edited(ids)
            };
            if sets_image(params) {
                stale.extend(invalidation::images(ids));
            }
            named("edit", stale)
        }
        ["prefs"] => {
            let mut stale = invalidation::detailed(ids);
            stale.push(TagInvalidation::everyone(Tag::watch_lists()));
            named("edit", stale)
        }
        ["marker" | "subtitles" | "index" | "intro" | "credits" | "voiceactivity" | "addetect", ..] => {
            let mut stale = invalidation::detailed(ids);
            stale.push(TagInvalidation::everyone(Tag::activities()));
            named("edit", stale)
        }
        ["extras" | "chapterthumbs", ..] => {
            let mut stale = invalidation::pictured(ids);
            stale.push(TagInvalidation::everyone(Tag::activities()));
            named("edit", stale)
        }
        // Posters, arts, themes, logos: `{element}` and lists of them.
        [_] | [_, _] => named("poster", invalidation::pictured(ids)),
        _ => return None,
    })
}

/// Whether an edit names its fields, and only such as no list is filtered or sorted by.
fn sets_only_shown_fields(params: &WriteParams<'_>) -> bool {
    let is_field =
        |name: &String| !ADDRESSES.contains(&name.as_str()) && !name.to_ascii_lowercase().starts_with("x-plex-");
    let fields: Vec<String> = params.names().into_iter().flatten().filter(is_field).collect();
    let is_shown = |name: &String| SHOWN_FIELDS.contains(&name.split('.').next().unwrap_or_default());
    !fields.is_empty() && fields.iter().all(is_shown)
}

/// Whether an edit sets an image, as `thumb.value=` does.
fn sets_image(params: &WriteParams<'_>) -> bool {
    ["thumb", "art", "poster", "banner", "clearLogo", "squareArt"]
        .iter()
        .any(|field| [(*field).to_owned(), format!("{field}.value")].iter().any(|name| !params.all(name).is_empty()))
}

fn collection(rest: &[&str], params: &WriteParams<'_>) -> Option<Write> {
    let members = params.items(&["uri", "ids"]);
    Some(match rest {
        [] => {
            let section = params.all("sectionId").into_iter().find(|id| is_id(id));
            named("collection", invalidation::collection(None, section.as_deref(), &members))
        }
        [id, "items"] if is_id(id) => named("collection", invalidation::collection(Some(id), None, &members)),
        [id, "items", member, ..] if is_id(id) => {
            named("collection", invalidation::collection(Some(id), None, &item_ids(member)))
        }
        [id, "posters" | "poster" | "arts" | "art" | "thumb" | "prefs", ..] if is_id(id) => {
            let mut stale = invalidation::pictured(&[(*id).to_owned()]);
            stale.push(TagInvalidation::everyone(Tag::collections()));
            named("poster", stale)
        }
        [id, ..] if is_id(id) => named("collection", invalidation::collection(Some(id), None, &[])),
        _ => return None,
    })
}

/// A scan or analysis started or was cancelled: it shows among the activities at once; its results come
/// later.
fn scan(section: Option<&str>) -> Write {
    let mut stale = invalidation::section_moved(section);
    stale.push(TagInvalidation::everyone(Tag::activities()));
    named("refresh", stale)
}

fn sections_changed(section: Option<&str>) -> Vec<TagInvalidation> {
    let mut stale = invalidation::server();
    match section {
        Some(id) => {
            stale.extend(invalidation::section_whole(id));
            stale.extend(invalidation::everyone([Tag::playlists(), Tag::every_playlist()]));
        }
        None => stale.extend(invalidation::section_moved(None)),
    }
    stale
}

fn emptied(section: &str) -> Vec<TagInvalidation> {
    let mut stale = invalidation::section_whole(section);
    stale.extend(invalidation::everyone([Tag::playlists(), Tag::every_playlist(), Tag::activities()]));
    stale
}

fn gone(ids: &[String]) -> Vec<TagInvalidation> {
    let mut stale = [invalidation::edited(ids), invalidation::images(ids)].concat();
    stale.extend(invalidation::everyone([Tag::playlists(), Tag::every_playlist()]));
    stale
}
