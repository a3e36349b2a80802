//! Edits of items and sections.

use http::Method;

use super::{done, target};
use crate::catalogue::{Day, ItemId, Record, Section};
use crate::plex::call::{BAD_REQUEST, NOT_FOUND, Order, Outcome};
use crate::plex::params::Pair;
use crate::plex::read::preference_key;

/// What can be written below an item without changing what it tells, but for the time of the change.
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

/// `PUT /library/metadata/1,2?title.value=x` and what else is written below an item.
pub(super) fn of_items(order: &Order<'_>, ids: &str, path: &[&str]) -> Outcome {
    order.owner_only()?;
    let ids = target::items(ids)?;
    {
        let view = order.state().view();
        if !ids.iter().all(|id| view.may_see(order.who(), *id)) {
            return Err(NOT_FOUND);
        }
    }
    match (&order.asked.method, path) {
        (&Method::DELETE, []) => {
            order.state().write(order.who(), |write| {
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
            touch(order, &ids);
            done()
        }
        _ => Err(NOT_FOUND),
    }
}

/// Nothing to read changes but the time of the change, and with it the version of the pictures.
fn touch(order: &Order<'_>, ids: &[ItemId]) {
    order.state().write(order.who(), |write| {
        for id in ids {
            write.edit(*id, |_| {});
        }
    });
}

/// Changes preferences of items.
fn prefer(order: &Order<'_>, ids: &[ItemId]) {
    order.state().write(order.who(), |write| {
        for id in ids {
            for pair in order.params.pairs().iter().filter(|pair| !pair.name.starts_with("X-Plex-")) {
                write.set(&preference_key(*id, &pair.name), &pair.value);
            }
            write.edit(*id, |_| {});
        }
    });
}

/// Splitting an item takes it away and adds it anew, under another id.
fn split(order: &Order<'_>, ids: &[ItemId]) -> Outcome {
    order.state().write(order.who(), |write| {
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
pub(super) fn of_section(order: &Order<'_>, id: &str, path: &[&str]) -> Outcome {
    order.owner_only()?;
    let section = id.parse().ok().and_then(Section::numbered).ok_or(NOT_FOUND)?;
    match (&order.asked.method, path) {
        (&Method::PUT, ["all"]) => match order.params.get("id") {
            Some(ids) => apply(order, &target::items(ids)?),
            // Locking a field of everything changes nothing that is told in lists.
            None => done(),
        },
        (&Method::PUT, []) => {
            if let Some(name) = order.params.get("name") {
                let key = format!("section/{}/title", section.number());
                order.state().write(order.who(), |write| write.set(&key, name));
            }
            done()
        }
        (&Method::PUT, ["emptyTrash" | "analyze" | "prefs"]) | (&Method::DELETE, ["indexes" | "refresh"]) => {
            done()
        }
        _ => Err(NOT_FOUND),
    }
}

fn apply(order: &Order<'_>, ids: &[ItemId]) -> Outcome {
    let pairs = order.params.pairs();
    if let Some(odd) =
        pairs.iter().find(|pair| pair.name == "year.value" && pair.value.parse::<u16>().is_err())
        && !odd.value.is_empty()
    {
        return Err(BAD_REQUEST);
    }
    let edited = order.state().write(order.who(), |write| {
        ids.iter().all(|id| write.edit(*id, |record| pairs.iter().for_each(|pair| one(record, pair))))
    });
    if edited { done() } else { Err(NOT_FOUND) }
}

/// One edited field: `title.value=x`, `title.locked=1`, `genre[0].tag.tag=x`, `genre[].tag.tag-=x,y`.
fn one(record: &mut Record, pair: &Pair) {
    let Some((field, rest)) = pair.name.split_once(['.', '[']) else { return };
    let value = pair.value.as_str();
    match rest {
        "value" => set(record, field, value),
        "locked" => lock(record, field, value == "1"),
        rest if rest.ends_with("].tag.tag") => tag(record, field, value, true),
        rest if rest.ends_with("].tag.tag-") => {
            for gone in value.split(',') {
                tag(record, field, &crate::serve::decoded(gone), false);
            }
        }
        _ => {}
    }
}

fn lock(record: &mut Record, field: &str, locked: bool) {
    record.locks.retain(|name| name != field);
    if locked {
        record.locks.push(field.to_owned());
    }
}

fn set(record: &mut Record, field: &str, value: &str) {
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

fn day(text: &str) -> Option<Day> {
    let mut parts = text.splitn(3, '-');
    Some(Day {
        year: parts.next()?.parse().ok()?,
        month: parts.next()?.parse().ok().filter(|month| (1..=12).contains(month))?,
        day: parts.next()?.parse().ok().filter(|day| (1..=31).contains(day))?,
    })
}

fn tag(record: &mut Record, field: &str, value: &str, added: bool) {
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
