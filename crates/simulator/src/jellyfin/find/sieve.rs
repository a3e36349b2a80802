//! Which candidates fit a list query.

use super::Thing;
use super::asked::{Asked, Type};
use crate::catalogue::{Above, Kind, Record};
use crate::jellyfin::dto::media_type;
use crate::jellyfin::ident::{Ident, Space};
use crate::jellyfin::named::Naming;
use crate::jellyfin::scene::Scene;
use crate::timestamp;

/// Whether `thing` fits. Cheap questions come first, so that a search of a million titles reads few records.
pub(super) fn fits(scene: &Scene<'_>, asked: &Asked, thing: Thing) -> bool {
    let kind = match thing {
        Thing::Item(id) => match scene.view.kind(id) {
            Some(kind) if scene.sees(kind.section()) => Type::Item(kind),
            _ => return false,
        },
        Thing::Playlist(_) => Type::Playlist,
        Thing::Library(_) => Type::Library,
    };
    type_fits(asked, kind)
        && name_fits(scene, asked, thing)
        && !excluded(asked, thing)
        && match thing {
            Thing::Item(id) => {
                !asks_for_records(asked)
                    || scene.view.record(id).is_some_and(|record| record_fits(scene, asked, &record))
            }
            Thing::Playlist(id) => {
                let favourite = scene.user.is_some_and(|user| scene.view.watch(user, id).favourite);
                asked.favourite.is_none_or(|wanted| wanted == favourite)
            }
            Thing::Library(_) => asked.favourite != Some(true),
        }
}

/// Whether a query asks nothing of things but their type.
pub(super) fn lets_all(asked: &Asked) -> bool {
    let names = [&asked.search, &asked.starts_with, &asked.from_name, &asked.below_name];
    names.iter().all(|name| name.is_none())
        && asked.media_types.is_empty()
        && asked.folder.is_none()
        && asked.excluded_ids.is_empty()
        && !asks_for_records(asked)
}

fn type_fits(asked: &Asked, kind: Type) -> bool {
    let folder = !matches!(kind, Type::Item(kind) if kind.plays());
    let medium = match kind {
        Type::Item(kind) => media_type(kind),
        _ => "Unknown",
    };
    let medium_fits = asked.media_types.is_empty()
        || asked.media_types.iter().any(|wanted| wanted.eq_ignore_ascii_case(medium))
        || kind == Type::Playlist;
    asked.wants(kind) && medium_fits && asked.folder.is_none_or(|wanted| wanted == folder)
}

fn excluded(asked: &Asked, thing: Thing) -> bool {
    let id = match thing {
        Thing::Item(id) | Thing::Playlist(id) => Ident::new(Space::Item, id.0),
        Thing::Library(library) => library.id(),
    };
    asked.excluded_ids.contains(&id)
}

fn name_fits(scene: &Scene<'_>, asked: &Asked, thing: Thing) -> bool {
    let bounded = asked.starts_with.is_some() || asked.from_name.is_some() || asked.below_name.is_some();
    if asked.search.is_none() && !bounded {
        return true;
    }
    let name = match thing {
        Thing::Item(id) => scene.view.title(id),
        Thing::Playlist(id) => scene.view.playlist(id).map(|playlist| playlist.title.clone()),
        Thing::Library(library) => Some(library.name().to_owned()),
    };
    let name = name.unwrap_or_default().to_lowercase();
    let sorted = crate::catalogue::sortable(&name);
    asked.search.as_ref().is_none_or(|term| name.contains(term.as_str()))
        && asked.starts_with.as_ref().is_none_or(|start| sorted.starts_with(start.as_str()))
        && asked.from_name.as_ref().is_none_or(|from| sorted.as_str() >= from.as_str())
        && asked.below_name.as_ref().is_none_or(|below| sorted.as_str() < below.as_str())
}

/// Whether anything is asked that only a whole record can answer.
fn asks_for_records(asked: &Asked) -> bool {
    let of_user =
        asked.played.is_some() || asked.favourite.is_some() || asked.resumable || asked.liked.is_some();
    let names =
        [&asked.genres, &asked.studios, &asked.people, &asked.artists, &asked.tags, &asked.age_ratings];
    let times = [asked.saved_since_ms, asked.user_saved_since_ms, asked.premiered.0, asked.premiered.1];
    of_user
        || names.iter().any(|names| !names.is_empty())
        || times.iter().any(Option::is_some)
        || !(asked.years.is_empty() && asked.named_ids.is_empty() && asked.has_provider.is_empty())
        || !(asked.artist_ids.is_empty() && asked.album_ids.is_empty() && asked.series_status.is_empty())
        || asked.least_community.is_some()
        || asked.least_critic.is_some()
        || asked.index.is_some()
        || asked.parent_index.is_some()
}

fn record_fits(scene: &Scene<'_>, asked: &Asked, record: &Record) -> bool {
    user_fits(scene, asked, record)
        && facts_fit(asked, record)
        && names_fit(asked, record)
        && times_fit(scene, asked, record)
}

fn user_fits(scene: &Scene<'_>, asked: &Asked, record: &Record) -> bool {
    let watch = scene.user.map(|user| scene.view.watch(user, record.id)).unwrap_or_default();
    let likes = watch.rating.map(|tenths| tenths >= 65);
    asked.favourite.is_none_or(|wanted| wanted == watch.favourite)
        && asked.liked.is_none_or(|wanted| likes == Some(wanted))
        && (!asked.resumable || (watch.offset_ms > 0 && !watch.hidden_from_resume))
        && asked.played.is_none_or(|wanted| wanted == played(scene, record))
}

/// Whether the user played an item, or everything below it.
pub(super) fn played(scene: &Scene<'_>, record: &Record) -> bool {
    let Some(user) = scene.user else { return false };
    if record.kind.plays() {
        return scene.view.watch(user, record.id).played();
    }
    let watched = scene.view.watched(user, record.id);
    watched.leaves > 0 && watched.viewed == watched.leaves
}

fn facts_fit(asked: &Asked, record: &Record) -> bool {
    let tenths =
        |rating: Option<u16>, scale: f64, least: f64| rating.is_some_and(|it| f64::from(it) / scale >= least);
    let status = if record.id.0.is_multiple_of(3) { "continuing" } else { "ended" };
    let status_fits = record.kind != Kind::Show || asked.series_status.iter().any(|wanted| wanted == status);
    (asked.years.is_empty() || record.year.is_some_and(|year| asked.years.contains(&year)))
        && asked.least_community.is_none_or(|least| tenths(record.audience_rating, 10.0, least))
        && asked.least_critic.is_none_or(|least| tenths(record.rating, 1.0, least))
        && asked.index.is_none_or(|index| record.index == Some(index))
        && asked.parent_index.is_none_or(|index| parent_index(record) == Some(index))
        && asked
            .has_provider
            .iter()
            .all(|(source, has)| record.external.iter().any(|external| external.source == *source) == *has)
        && (asked.series_status.is_empty() || status_fits)
}

fn names_fit(asked: &Asked, record: &Record) -> bool {
    let among = |wanted: &[String], names: Vec<String>| {
        wanted.is_empty() || names.iter().any(|name| wanted.contains(&name.to_lowercase()))
    };
    let artist_name = || artist(record).map(|above| above.title.clone()).into_iter().collect();
    among(&asked.genres, record.genres.clone())
        && among(&asked.studios, Naming::Studio.on(record))
        && among(&asked.people, Naming::Person.on(record))
        && among(&asked.artists, artist_name())
        && among(&asked.tags, record.labels.clone())
        && among(&asked.age_ratings, record.content_rating.iter().cloned().collect())
        && asked.named_ids.iter().all(|group| group.iter().any(|id| carries(record, *id)))
        && above_fits(&asked.artist_ids, artist(record))
        && above_fits(&asked.album_ids, record.parent.as_ref().filter(|_| record.kind == Kind::Track))
}

fn above_fits(wanted: &[Ident], above: Option<&Above>) -> bool {
    wanted.is_empty() || above.is_some_and(|above| wanted.contains(&Ident::new(Space::Item, above.id.0)))
}

/// Whether an item carries the named thing with this id.
fn carries(record: &Record, id: Ident) -> bool {
    Naming::of(id.space).is_some_and(|naming| naming.on(record).iter().any(|name| naming.id(name) == id))
}

fn times_fit(scene: &Scene<'_>, asked: &Asked, record: &Record) -> bool {
    let premiere = record.released.and_then(|day| timestamp::read(&day.iso()));
    let touched = || {
        let watch = scene.user.map(|user| scene.view.watch(user, record.id)).unwrap_or_default();
        watch.last_viewed_at.max(watch.rated_at).unwrap_or(0).max(record.updated_at) * 1_000
    };
    asked.saved_since_ms.is_none_or(|since| record.updated_at * 1_000 >= since)
        && asked.user_saved_since_ms.is_none_or(|since| touched() >= since)
        && asked.premiered.0.is_none_or(|from| premiere.is_some_and(|at| at >= from))
        && asked.premiered.1.is_none_or(|to| premiere.is_some_and(|at| at <= to))
}

/// The artist an album or a track is by.
pub(super) fn artist(record: &Record) -> Option<&Above> {
    match record.kind {
        Kind::Album => record.parent.as_ref(),
        Kind::Track => record.grandparent.as_ref(),
        _ => None,
    }
}

/// The disc of a track, the season of an episode.
pub(super) fn parent_index(record: &Record) -> Option<u32> {
    match record.kind {
        Kind::Track => Some(1),
        Kind::Episode => record.parent.as_ref().and_then(|season| season.index),
        _ => None,
    }
}

/// The name of the series something belongs to.
pub(super) fn series(record: &Record) -> &str {
    match (record.kind, &record.parent, &record.grandparent) {
        (Kind::Episode, _, Some(show)) | (Kind::Season, Some(show), _) => &show.title,
        _ => &record.title,
    }
}
