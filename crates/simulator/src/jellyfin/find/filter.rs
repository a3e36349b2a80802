//! Filters of a list query.

use super::ListItem;
use super::item_query::{ItemQuery, ItemType};
use crate::catalogue::{AncestorItem, ItemId, ItemRecord, MediaKind};
use crate::jellyfin::by_name::ByNameKind;
use crate::jellyfin::dto::media_type;
use crate::jellyfin::ident::{IdNamespace, JellyfinId};
use crate::jellyfin::response_context::ResponseContext;
use crate::timestamp;

/// Whether `thing` matches. Cheap filters come first, so that a search of a million titles reads few records.
pub(super) fn fits(scene: &ResponseContext<'_>, asked: &ItemQuery, thing: ListItem) -> bool {
    let kind = match thing {
        ListItem::Item(id) => match scene.view.kind(id) {
            Some(kind) if scene.sees(kind.section()) => ItemType::Item(kind),
            _ => return false,
        },
        ListItem::Playlist(_) => ItemType::Playlist,
        ListItem::Library(_) => ItemType::Library,
    };
    type_fits(asked, kind)
        && name_fits(scene, asked, thing)
        && !excluded(asked, thing)
        && match thing {
            ListItem::Item(id) => {
                !(asks_for_records(asked) || scene.is_limited())
                    || scene.record(id).is_some_and(|record| record_fits(scene, asked, &record))
            }
            ListItem::Playlist(id) => playlist_fits(scene, asked, id),
            ListItem::Library(_) => asked.favourite != Some(true) && asked.saved_since_ms.is_none(),
        }
}

fn playlist_fits(scene: &ResponseContext<'_>, asked: &ItemQuery, id: ItemId) -> bool {
    let watch = scene.user.map(|user| scene.view.watch(user, id)).unwrap_or_default();
    let sum = || scene.user.map(|user| scene.view.watched(user, id)).unwrap_or_default();
    asked.favourite.is_none_or(|wanted| wanted == watch.favourite)
        && asked.liked.is_none_or(|wanted| watch.rating.map(likes) == Some(wanted))
        && asked.saved_since_ms.is_none_or(|since| scene.view.saved_ms(id) >= since)
        && asked.played.is_none_or(|wanted| wanted == (sum().leaves > 0 && sum().viewed == sum().leaves))
}

/// Whether a query of any types may find playlists: they have none of what the other filters are about.
pub(super) fn may_be_a_playlist(asked: &ItemQuery) -> bool {
    let of_items = ItemQuery { favourite: None, liked: None, saved_since_ms: None, played: None, ..asked.clone() };
    asked.types.contains(&ItemType::Playlist) || !asks_for_records(&of_items)
}

fn likes(tenths: u16) -> bool {
    tenths >= 65
}

/// Whether a query has no filters but the type.
pub(super) fn lets_all(asked: &ItemQuery) -> bool {
    let names = [&asked.search, &asked.starts_with, &asked.from_name, &asked.below_name];
    names.iter().all(|name| name.is_none())
        && asked.media_types.is_empty()
        && asked.folder.is_none()
        && asked.excluded_ids.is_empty()
        && !asks_for_records(asked)
}

fn type_fits(asked: &ItemQuery, kind: ItemType) -> bool {
    let folder = !matches!(kind, ItemType::Item(kind) if kind.is_playable());
    let medium = match kind {
        ItemType::Item(kind) => media_type(kind),
        _ => "Unknown",
    };
    let medium_fits = asked.media_types.is_empty()
        || asked.media_types.iter().any(|wanted| wanted.eq_ignore_ascii_case(medium))
        || kind == ItemType::Playlist;
    asked.wants(kind) && medium_fits && asked.folder.is_none_or(|wanted| wanted == folder)
}

fn excluded(asked: &ItemQuery, thing: ListItem) -> bool {
    let id = match thing {
        ListItem::Item(id) | ListItem::Playlist(id) => JellyfinId::new(IdNamespace::Item, id.0),
        ListItem::Library(library) => library.id(),
    };
    asked.excluded_ids.contains(&id)
}

fn name_fits(scene: &ResponseContext<'_>, asked: &ItemQuery, thing: ListItem) -> bool {
    let bounded = asked.starts_with.is_some() || asked.from_name.is_some() || asked.below_name.is_some();
    if asked.search.is_none() && !bounded {
        return true;
    }
    let name = match thing {
        ListItem::Item(id) => scene.view.title(id),
        ListItem::Playlist(id) => scene.view.playlist(id).map(|playlist| playlist.title.clone()),
        ListItem::Library(library) => Some(library.name().to_owned()),
    };
    let name = name.unwrap_or_default().to_lowercase();
    let sorted = crate::catalogue::sortable(&name);
    asked.search.as_ref().is_none_or(|term| name.contains(term.as_str()))
        && asked.starts_with.as_ref().is_none_or(|start| sorted.starts_with(start.as_str()))
        && asked.from_name.as_ref().is_none_or(|from| sorted.as_str() >= from.as_str())
        && asked.below_name.as_ref().is_none_or(|below| sorted.as_str() < below.as_str())
}

/// Whether a filter needs a whole record.
fn asks_for_records(asked: &ItemQuery) -> bool {
    let of_user = asked.played.is_some() || asked.favourite.is_some() || asked.resumable || asked.liked.is_some();
    let names = [&asked.genres, &asked.studios, &asked.people, &asked.artists, &asked.tags, &asked.age_ratings];
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

fn record_fits(scene: &ResponseContext<'_>, asked: &ItemQuery, record: &ItemRecord) -> bool {
    user_fits(scene, asked, record)
        && facts_fit(asked, record)
        && names_fit(asked, record)
        && times_fit(scene, asked, record)
}

fn user_fits(scene: &ResponseContext<'_>, asked: &ItemQuery, record: &ItemRecord) -> bool {
    let watch = scene.user.map(|user| scene.view.watch(user, record.id)).unwrap_or_default();
    asked.favourite.is_none_or(|wanted| wanted == watch.favourite)
        && asked.liked.is_none_or(|wanted| watch.rating.map(likes) == Some(wanted))
        && (!asked.resumable || (watch.offset_ms > 0 && !watch.hidden_from_resume))
        && asked.played.is_none_or(|wanted| wanted == played(scene, record))
}

/// Whether the user played an item, or everything below it.
pub(super) fn played(scene: &ResponseContext<'_>, record: &ItemRecord) -> bool {
    let Some(user) = scene.user else { return false };
    if record.kind.is_playable() {
        return scene.view.watch(user, record.id).played();
    }
    let watched = scene.view.watched(user, record.id);
    watched.leaves > 0 && watched.viewed == watched.leaves
}

fn facts_fit(asked: &ItemQuery, record: &ItemRecord) -> bool {
    let tenths = |rating: Option<u16>, scale: f64, least: f64| rating.is_some_and(|it| f64::from(it) / scale >= least);
    let status = if record.id.0.is_multiple_of(3) { "continuing" } else { "ended" };
    let status_fits = record.kind != MediaKind::Show || asked.series_status.iter().any(|wanted| wanted == status);
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

fn names_fit(asked: &ItemQuery, record: &ItemRecord) -> bool {
    let among = |wanted: &[String], names: Vec<String>| {
        wanted.is_empty() || names.iter().any(|name| wanted.contains(&name.to_lowercase()))
    };
    let artist_name = || artist(record).map(|above| above.title.clone()).into_iter().collect();
    among(&asked.genres, record.genres.clone())
        && among(&asked.studios, ByNameKind::Studio.on(record))
        && among(&asked.people, ByNameKind::Person.on(record))
        && among(&asked.artists, artist_name())
        && among(&asked.tags, record.labels.clone())
        && among(&asked.age_ratings, record.content_rating.iter().cloned().collect())
        && asked.named_ids.iter().all(|group| group.iter().any(|id| carries(record, *id)))
        && above_fits(&asked.artist_ids, artist(record))
        && above_fits(&asked.album_ids, record.parent.as_ref().filter(|_| record.kind == MediaKind::Track))
}

fn above_fits(wanted: &[JellyfinId], above: Option<&AncestorItem>) -> bool {
    wanted.is_empty() || above.is_some_and(|above| wanted.contains(&JellyfinId::new(IdNamespace::Item, above.id.0)))
}

/// Whether an item has the named thing with this id.
fn carries(record: &ItemRecord, id: JellyfinId) -> bool {
    ByNameKind::from_namespace(id.space)
        .is_some_and(|naming| naming.on(record).iter().any(|name| naming.id(name) == id))
}

fn times_fit(scene: &ResponseContext<'_>, asked: &ItemQuery, record: &ItemRecord) -> bool {
    let premiere = record.released.and_then(|day| timestamp::read(&day.iso()));
    let touched = || {
        let watch = scene.user.map(|user| scene.view.watch(user, record.id)).unwrap_or_default();
        watch.last_viewed_at.max(watch.rated_at).unwrap_or(0).max(record.updated_at) * 1_000
    };
    asked.saved_since_ms.is_none_or(|since| scene.view.saved_ms(record.id) >= since)
        && asked.user_saved_since_ms.is_none_or(|since| touched() >= since)
        && asked.premiered.0.is_none_or(|from| premiere.is_some_and(|at| at >= from))
        && asked.premiered.1.is_none_or(|to| premiere.is_some_and(|at| at <= to))
}

/// Artist of an album or a track.
pub(super) fn artist(record: &ItemRecord) -> Option<&AncestorItem> {
    match record.kind {
        MediaKind::Album => record.parent.as_ref(),
        MediaKind::Track => record.grandparent.as_ref(),
        _ => None,
    }
}

/// Disc of a track, season of an episode.
pub(super) fn parent_index(record: &ItemRecord) -> Option<u32> {
    match record.kind {
        MediaKind::Track => Some(1),
        MediaKind::Episode => record.parent.as_ref().and_then(|season| season.index),
        _ => None,
    }
}

/// Name of the series of an item.
pub(super) fn series(record: &ItemRecord) -> &str {
    match (record.kind, &record.parent, &record.grandparent) {
        (MediaKind::Episode, _, Some(show)) | (MediaKind::Season, Some(show), _) => &show.title,
        _ => &record.title,
    }
}
