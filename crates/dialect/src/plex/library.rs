//! The allow-list below `/library`.

use crate::class::Class;
use crate::classification::StreamReason;
use crate::plex::route::{ImagePlan, PlexRoute, ReadRoute, is_id};
use crate::tag::Tag;

/// Max ids of one path that are tagged one by one.
pub(super) const MAX_IDS: usize = 64;

/// Fields of a section whose values can be listed (`/library/sections/1/genre`), and similar old folders;
/// none of them carries user state.
const FIELDS: [&str; 49] = [
    "actor",
    "aperture",
    "artist",
    "audienceRating",
    "audioLanguage",
    "autotag",
    "categories",
    "cluster",
    "codec",
    "collection",
    "composer",
    "contentRating",
    "country",
    "decade",
    "device",
    "director",
    "editionTitle",
    "exposure",
    "filters",
    "firstCharacter",
    "firstCharacters",
    "format",
    "genre",
    "hdr",
    "iso",
    "label",
    "lens",
    "location",
    "make",
    "mood",
    "network",
    "originalTitle",
    "place",
    "producer",
    "rating",
    "release",
    "resolution",
    "role",
    "series",
    "sorts",
    "sourceType",
    "studio",
    "style",
    "subformat",
    "subtitleLanguage",
    "tag",
    "type",
    "writer",
    "year",
];

/// Names of an item's pictures. `theme` is music and passes through.
pub(super) const PICTURES: [&str; 12] = [
    "art",
    "background",
    "backgroundSquare",
    "banner",
    "clearLogo",
    "composite",
    "coverArt",
    "logo",
    "poster",
    "snapshot",
    "squareArt",
    "thumb",
];

/// The route of `/library/…`.
pub(super) fn route(rest: &[&str]) -> Option<PlexRoute> {
    let across = |class| Some(ReadRoute::personal(class, [Tag::across(), Tag::libraries()]));
    match rest {
        [] => Some(ReadRoute::plain(Class::Server, [Tag::server(), Tag::sections()])),
        ["sections"] | ["sections", "all"] => Some(ReadRoute::plain(Class::Sections, [Tag::sections()])),
        ["sections", id, rest @ ..] if is_id(id) => section(id, rest),
        ["metadata", "augmentations", ..] | ["randomArtwork" | "matches"] => {
            Some(PlexRoute::Pass(StreamReason::Moment))
        }
        ["metadata", ids, rest @ ..] => item(ids, rest),
        ["collections", id, rest @ ..] if is_id(id) => collection(id, rest),
        ["people", _] | ["people", _, "media"] | ["all"] => across(Class::Lists),
        ["recentlyAdded" | "newest"] => across(Class::Recent),
        ["search"] => across(Class::Search),
        ["onDeck"] => Some(ReadRoute::personal(Class::Resume, [Tag::across(), Tag::libraries(), Tag::watch_lists()])),
        ["tags"] => Some(ReadRoute::plain(Class::Lists, [Tag::across(), Tag::libraries()])),
        _ => None,
    }
}

fn section(id: &str, rest: &[&str]) -> Option<PlexRoute> {
    let list_route = |class| Some(ReadRoute::personal(class, [Tag::section(id), Tag::libraries()]));
    match rest {
        [] => Some(ReadRoute::plain(Class::Sections, [Tag::sections(), Tag::section(id)])),
        ["all" | "allLeaves" | "albums" | "folder" | "common" | "nearest" | "moment" | "arts" | "computePath"] => {
            list_route(Class::Lists)
        }
        ["unwatched" | "recentlyViewed" | "recentlyViewedShows"] => {
            let tags = [Tag::section(id), Tag::libraries(), Tag::watch_lists()];
            Some(ReadRoute::personal(Class::Lists, tags))
        }
        ["collections"] => {
            let tags = [Tag::section(id), Tag::libraries(), Tag::collections()];
            Some(ReadRoute::personal(Class::Lists, tags))
        }
        ["playlists"] => {
            let tags = [Tag::section(id), Tag::playlists(), Tag::every_playlist()];
            Some(ReadRoute::personal(Class::Playlists, tags))
        }
        ["recentlyAdded" | "newest"] => list_route(Class::Recent),
        ["onDeck"] => {
            let tags = [Tag::section(id), Tag::libraries(), Tag::watch_lists()];
            Some(ReadRoute::personal(Class::Resume, tags))
        }
        ["search" | "autocomplete"] => list_route(Class::Search),
        ["timeline"] => Some(ReadRoute::plain(Class::Statistics, [Tag::section(id), Tag::libraries()])),
        ["prefs"] => Some(ReadRoute::plain(Class::Server, [Tag::server(), Tag::sections(), Tag::section(id)])),
        [kind @ ("composite" | "art" | "thumb"), stamp @ ..] if stamp.len() <= 1 => {
            Some(PlexRoute::Image(ImagePlan::named(format!("section:{id}"), kind, stamp)))
        }
        [field] if FIELDS.contains(field) => Some(ReadRoute::plain(Class::Lists, [Tag::section(id), Tag::libraries()])),
        [field, _] if FIELDS.contains(field) => list_route(Class::Lists),
        _ => None,
    }
}

fn item(ids: &str, rest: &[&str]) -> Option<PlexRoute> {
    if !ids.split(',').all(is_id) {
        return None;
    }
    let about = |more: &[Tag], personal| {
        let mut tags: Vec<Tag> = if ids.split(',').count() > MAX_IDS {
            vec![Tag::many_items()]
        } else {
            ids.split(',').map(Tag::item).collect()
        };
        tags.extend_from_slice(more);
        let PlexRoute::Read(route) = ReadRoute::personal(Class::Item, []) else { return None };
        Some(PlexRoute::Read(ReadRoute { tags, personal, ..route }))
    };
    match rest {
        [] | ["children" | "grandchildren" | "allLeaves" | "extras" | "reviews" | "tree"] => about(&[], true),
        ["related" | "similar" | "nearest" | "sonicallySimilar"] => about(&[Tag::across(), Tag::libraries()], true),
        ["onDeck" | "popularLeaves"] => about(&[Tag::watch_lists()], true),
        ["collections"] => about(&[Tag::collections()], true),
        ["users", "top"] => about(&[Tag::history(), Tag::watch_lists()], true),
        ["prefs" | "posters" | "arts" | "banners" | "themes" | "clearLogos" | "squareArts" | "backgrounds"] => {
            about(&[], false)
        }
        ["matches" | "subtitles"] => Some(PlexRoute::Pass(StreamReason::Moment)),
        ["theme", ..] => Some(PlexRoute::Pass(StreamReason::Media)),
        [kind, stamp @ ..] if stamp.len() <= 1 && is_id(ids) && PICTURES.contains(kind) => {
            Some(PlexRoute::Image(ImagePlan::named(ids.to_owned(), kind, stamp)))
        }
        _ => None,
    }
}

fn collection(id: &str, rest: &[&str]) -> Option<PlexRoute> {
    match rest {
        [] | ["items" | "children"] => {
            Some(ReadRoute::personal(Class::Collections, [Tag::collections(), Tag::item(id)]))
        }
        [kind @ ("composite" | "thumb" | "art"), stamp @ ..] if stamp.len() <= 1 => {
            Some(PlexRoute::Image(ImagePlan::named(id.to_owned(), kind, stamp)))
        }
        _ => None,
    }
}
