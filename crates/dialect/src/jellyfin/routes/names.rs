//! Reads by name or kind: artists, genres, shows, search.

use super::items::{composed, image};
use super::{AllowedParams, JellyfinRoute};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

pub(super) fn find(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    Some(match lowercase {
        ["shows", "nextup"] => composed(&["Shows", "NextUp"], Class::Hubs),
        // Chosen by dates alone.
        ["shows", "upcoming"] => {
            JellyfinRoute::new(&["Shows", "Upcoming"], Class::Hubs).personal().with_tags([Tag::libraries()])
        }
        ["shows", id, "seasons"] => of_show(id, "Seasons"),
        ["shows", id, "episodes"] => of_show(id, "Episodes"),
        ["search", "hints"] => {
            let tags = [Tag::libraries(), Tag::playlists()];
            JellyfinRoute::new(&["Search", "Hints"], Class::Search).for_user().with_tags(tags)
        }
        ["trailers"] => JellyfinRoute::new(&["Trailers"], Class::Lists).personal().with_params(AllowedParams::Listing),
        ["artists", "albumartists"] => listed(&["Artists", "AlbumArtists"]),
        ["artists"] => listed(&["Artists"]),
        ["artists", rest @ ..] => named("Artists", rest, &raw[1..])?,
        ["genres"] => listed(&["Genres"]),
        ["genres", rest @ ..] => named("Genres", rest, &raw[1..])?,
        ["musicgenres"] => listed(&["MusicGenres"]),
        ["musicgenres", rest @ ..] => named("MusicGenres", rest, &raw[1..])?,
        ["studios"] => listed(&["Studios"]),
        ["studios", rest @ ..] => named("Studios", rest, &raw[1..])?,
        ["persons"] => listed(&["Persons"]),
        ["persons", rest @ ..] => named("Persons", rest, &raw[1..])?,
        ["years"] => listed(&["Years"]),
        ["years", year] => JellyfinRoute::new(&["Years", year], Class::Item).personal().with_tags([Tag::libraries()]),
        _ => return None,
    })
}

fn listed(segments: &[&str]) -> JellyfinRoute {
    JellyfinRoute::new(segments, Class::Lists).personal().with_tags([Tag::libraries()])
}

/// A lookup by name. The name keeps its case, because the server may repeat it in its response.
fn named(family: &str, lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    match lowercase {
        [_] => Some(JellyfinRoute::new(&[family, raw[0]], Class::Item).personal().with_tags([Tag::libraries()])),
        [_, "images", ..] => {
            let of = format!("{}/{}", family.to_ascii_lowercase(), raw[0]);
            let route = image(&[family, raw[0]], &of, &raw[1..])?;
            Some(route.with_tags([Tag::images_by_name()]))
        }
        _ => None,
    }
}

fn of_show(id: &str, what: &str) -> JellyfinRoute {
    let id = guid::normalize(id);
    JellyfinRoute::new(&["Shows", &id, what], Class::Lists).personal().with_tags([
        Tag::libraries(),
        Tag::about(&id),
        Tag::section(&id),
    ])
}
