//! Edits of items and sections.

use http::Method;

use super::{done, target};
use crate::params::DecodedPair;
use crate::read::preference_key;
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexResult, PlexWriteRequest};
use greenroom_simulator_backend::catalogue::{CalendarDate, ItemId, ItemRecord, Section};

/// Writes below an item that change nothing but the time of its last change.
const TOUCHING: [&str; 19] = [
    "analyze",
    "unmatch",
    "match",
    "merge",
    "subtitles",
    "marker",
    "posters",
    "arts",
    "themes",
    "clearLogos",
    "squareArts",
    "banners",
    "thumb",
    "art",
    "poster",
    "theme",
    "clearLogo",
    "squareArt",
    "banner",
];

/// Those of them that leave the images alone.
const OF_TEXT: [&str; 5] = ["analyze", "subtitles", "marker", "themes", "theme"];

/// `PUT /library/metadata/1,2?title.value=x` and other writes below an item.
pub(super) fn edit_items(order: &PlexWriteRequest<'_>, ids: &str, path: &[&str]) -> PlexResult {
    order.owner_only()?;
    let ids = target::items(ids)?;
    {
        let view = order.state().view();
        if !ids.iter().all(|id| view.may_see(order.user_id(), *id)) {
            return Err(NOT_FOUND);
        }
    }
    match (&order.request.method, path) {
        (&Method::DELETE, []) => {
            order.state().write(order.user_id(), |write| {
                for id in &ids {
                    write.delete(*id);
                }
            });
            done()
        }
        (&Method::PUT | &Method::POST, []) => apply(order, &ids),
        (&Method::PUT | &Method::POST, ["refresh"]) => {
            super::scan::refresh_items(order, &ids);
            done()
        }
        (&Method::PUT, ["split"]) => split(order, &ids),
        (&Method::PUT, ["prefs"]) => {
            prefer(order, &ids);
            done()
        }
        (_, [what, ..]) if TOUCHING.contains(what) => {
            if !OF_TEXT.contains(what) {
                for id in &ids {
                    order.server.replace_images(*id);
                }
            }
            touch(order, &ids);
            done()
        }
        _ => Err(NOT_FOUND),
    }
}

/// Changes only the time of the last change, and with it the time in the paths of the images.
fn touch(order: &PlexWriteRequest<'_>, ids: &[ItemId]) {
    order.state().write(order.user_id(), |write| {
        for id in ids {
            write.edit(*id, |_| {});
        }
    });
}

/// Changes preferences of items.
fn prefer(order: &PlexWriteRequest<'_>, ids: &[ItemId]) {
    order.state().write(order.user_id(), |write| {
        for id in ids {
            for pair in order.params.pairs().iter().filter(|pair| !pair.name.starts_with("X-Plex-")) {
                write.set(&preference_key(*id, &pair.name), &pair.value);
            }
            write.edit(*id, |_| {});
        }
    });
}

/// Splitting an item deletes it and adds it again under another id.
fn split(order: &PlexWriteRequest<'_>, ids: &[ItemId]) -> PlexResult {
    order.state().write(order.user_id(), |write| {
        for id in ids {
            let film = write.view().record(*id).map(|record| (record.title, record.year));
            if write.delete(*id)
                && let Some((title, year)) = film
            {
                write.add_film(&title, year.unwrap_or(2_000));
            }
        }
    });
    done()
}

/// `PUT /library/sections/1?…`, `PUT /library/sections/1/all?id=1,2&title.value=x`, `…/emptyTrash` and their like.
pub(super) fn edit_section(order: &PlexWriteRequest<'_>, id: &str, path: &[&str]) -> PlexResult {
    order.owner_only()?;
    let section = id.parse().ok().and_then(Section::numbered).ok_or(NOT_FOUND)?;
    match (&order.request.method, path) {
        (&Method::PUT, ["all"]) => match order.params.get("id") {
            Some(ids) => apply(order, &target::items(ids)?),
            // Locking a field of all items changes nothing in lists.
            None => done(),
        },
        (&Method::PUT, []) => {
            if let Some(name) = order.params.get("name") {
                let key = format!("section/{}/title", section.number());
                order.state().write(order.user_id(), |write| write.set(&key, name));
            }
            done()
        }
        (&Method::PUT, ["emptyTrash" | "analyze" | "prefs"]) | (&Method::DELETE, ["indexes" | "refresh"]) => done(),
        _ => Err(NOT_FOUND),
    }
}

fn apply(order: &PlexWriteRequest<'_>, ids: &[ItemId]) -> PlexResult {
    let pairs = order.params.pairs();
    if let Some(odd) = pairs.iter().find(|pair| pair.name == "year.value" && pair.value.parse::<u16>().is_err())
        && !odd.value.is_empty()
    {
        return Err(BAD_REQUEST);
    }
    let edited = order.state().write(order.user_id(), |write| {
        ids.iter().all(|id| write.edit(*id, |record| pairs.iter().for_each(|pair| one(record, pair))))
    });
    if edited { done() } else { Err(NOT_FOUND) }
}

/// One edited field: `title.value=x`, `title.locked=1`, `genre[0].tag.tag=x`, `genre[].tag.tag-=x,y`.
fn one(record: &mut ItemRecord, pair: &DecodedPair) {
    let Some((field, rest)) = pair.name.split_once(['.', '[']) else { return };
    let value = pair.value.as_str();
    match rest {
        "value" => set(record, field, value),
        "locked" => lock(record, field, value == "1"),
        rest if rest.ends_with("].tag.tag") => tag(record, field, value, true),
        rest if rest.ends_with("].tag.tag-") => {
            for gone in value.split(',') {
                tag(record, field, &greenroom_simulator_backend::serve::decoded(gone), false);
            }
        }
        _ => {}
    }
}

fn lock(record: &mut ItemRecord, field: &str, locked: bool) {
    record.locks.retain(|name| name != field);
    if locked {
        record.locks.push(field.to_owned());
    }
}

fn set(record: &mut ItemRecord, field: &str, value: &str) {
    let text = || (!value.is_empty()).then(|| value.to_owned());
    match field {
        "title" => value.clone_into(&mut record.title),
        "titleSort" => value.clone_into(&mut record.title_sort),
        "summary" => value.clone_into(&mut record.summary),
        "studio" => record.studio = text(),
        "contentRating" => record.content_rating = text(),
        "year" => record.year = value.parse().ok(),
        "originallyAvailableAt" => record.released = day(value),
        "addedAt" => record.added_at = value.parse().unwrap_or(record.added_at),
        "index" => record.index = value.parse().ok(),
        _ => {}
    }
}

fn day(text: &str) -> Option<CalendarDate> {
    let mut parts = text.splitn(3, '-');
    Some(CalendarDate {
        year: parts.next()?.parse().ok()?,
        month: parts.next()?.parse().ok().filter(|month| (1..=12).contains(month))?,
        day: parts.next()?.parse().ok().filter(|day| (1..=31).contains(day))?,
    })
}

fn tag(record: &mut ItemRecord, field: &str, value: &str, added: bool) {
    let list = match field {
        "genre" => &mut record.genres,
        "country" => &mut record.countries,
        "director" => &mut record.directors,
        "writer" => &mut record.writers,
        "label" => &mut record.labels,
        "collection" => &mut record.collections,
        _ => return,
    };
    list.retain(|held| !held.eq_ignore_ascii_case(value));
    if added {
        list.push(value.to_owned());
    }
}
