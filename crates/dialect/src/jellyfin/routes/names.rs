//! Reads of what is asked for by name or by kind: artists, genres, shows, search.

use super::items::{composed, image, similar};
use super::{Asks, Route};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

pub(super) fn find(low: &[&str], raw: &[&str]) -> Option<Route> {
    Some(match low {
        ["artists" | "albums" | "movies" | "shows" | "trailers", id, "similar"] => similar(id),
        ["shows", "nextup"] => composed(&["Shows", "NextUp"], Class::Hubs),
        ["shows", "upcoming"] => composed(&["Shows", "Upcoming"], Class::Hubs),
        ["shows", id, "seasons"] => of_show(id, "Seasons"),
        ["shows", id, "episodes"] => of_show(id, "Episodes"),
        ["movies", "recommendations"] => composed(&["Movies", "Recommendations"], Class::Hubs),
        ["search", "hints"] => {
            Route::at(&["Search", "Hints"], Class::Search).for_user().tagged([Tag::libraries()])
        }
        ["trailers"] => Route::at(&["Trailers"], Class::Lists).personal().asking(Asks::Listing),
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
        ["years", year] => Route::at(&["Years", year], Class::Item).personal().tagged([Tag::libraries()]),
        _ => return None,
    })
}

fn listed(segments: &[&str]) -> Route {
    Route::at(segments, Class::Lists).personal().tagged([Tag::libraries()])
}

/// Something asked for by its name, which keeps its case: the server may repeat it in its answer.
fn named(family: &str, low: &[&str], raw: &[&str]) -> Option<Route> {
    match low {
        [_] => Some(Route::at(&[family, raw[0]], Class::Item).personal().tagged([Tag::libraries()])),
        [_, "images", ..] => {
            let of = format!("{}/{}", family.to_ascii_lowercase(), raw[0]);
            image(&[family, raw[0]], &of, &raw[1..])
        }
        _ => None,
    }
}

fn of_show(id: &str, what: &str) -> Route {
    let id = guid::normal(id);
    Route::at(&["Shows", &id, what], Class::Lists).personal().tagged([
        Tag::libraries(),
        Tag::item(&id),
        Tag::section(&id),
    ])
}
