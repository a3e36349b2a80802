//! Reads about items: lists of them, one of them, what belongs to one, their images.

use std::borrow::Cow;

use super::{Asks, Body, Route};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

/// Kinds of images in the server's spelling.
const KINDS: [&str; 13] = [
    "Primary",
    "Art",
    "Backdrop",
    "Banner",
    "Logo",
    "Thumb",
    "Disc",
    "Box",
    "Screenshot",
    "Menu",
    "Chapter",
    "BoxRear",
    "Profile",
];

pub(super) fn find(low: &[&str], raw: &[&str]) -> Option<Route> {
    match low {
        ["items", rest @ ..] => of_items(rest, &raw[1..]),
        ["useritems", "resume"] => Some(resume()),
        ["useritems", id, "userdata"] => Some(user_data(id)),
        ["playlists", id] => Some(playlist(id, &[])),
        ["playlists", id, "items"] => Some(playlist(id, &["Items"]).personal()),
        ["playlists", id, "users"] => Some(playlist(id, &["Users"])),
        ["playlists", id, "users", user] => Some(playlist(id, &["Users", &guid::normal(user)])),
        ["mediasegments", id] => Some(item(&["MediaSegments"], id, &[])),
        ["audio", id, "lyrics"] => Some(item(&["Audio"], id, &["Lyrics"])),
        _ => None,
    }
}

/// What follows `/Items`, or, in the old routes, `/Users/{user}/Items`.
pub(super) fn of_items(low: &[&str], raw: &[&str]) -> Option<Route> {
    Some(match low {
        [] => Route::at(&["Items"], Class::Lists).personal().asking(Asks::Listing),
        ["latest"] => composed(&["Items", "Latest"], Class::Recent),
        ["suggestions"] => composed(&["Items", "Suggestions"], Class::Hubs),
        ["counts"] => Route::at(&["Items", "Counts"], Class::Counts).for_user().tagged([Tag::libraries()]),
        ["filters"] => filters("Filters"),
        ["filters2"] => filters("Filters2"),
        ["root"] => Route::at(&["Items", "Root"], Class::Item).personal().tagged([Tag::libraries()]),
        [id] => item(&["Items"], id, &[]).personal(),
        [id, "images"] => item(&["Items"], id, &["Images"]).tagged([Tag::image(&guid::normal(id))]),
        [id, "images", ..] => image(&["Items", &guid::normal(id)], &guid::normal(id), &raw[1..])?,
        [id, "ancestors"] => item(&["Items"], id, &["Ancestors"]).personal(),
        [id, "similar"] => similar(id),
        [id, "themesongs"] => item(&["Items"], id, &["ThemeSongs"]).personal(),
        [id, "themevideos"] => item(&["Items"], id, &["ThemeVideos"]).personal(),
        [id, "thememedia"] => item(&["Items"], id, &["ThemeMedia"]).personal(),
        [id, "localtrailers"] => item(&["Items"], id, &["LocalTrailers"]).personal(),
        [id, "specialfeatures"] => item(&["Items"], id, &["SpecialFeatures"]).personal(),
        [id, "criticreviews"] => item(&["Items"], id, &["CriticReviews"]),
        [id, "externalidinfos"] => item(&["Items"], id, &["ExternalIdInfos"]),
        _ => return None,
    })
}

/// What the user has begun.
pub(super) fn resume() -> Route {
    composed(&["UserItems", "Resume"], Class::Resume)
}

/// What the user did with one item. The answer does not say what the item lies under, and a mark above it may be a
/// mark of it.
pub(super) fn user_data(id: &str) -> Route {
    item(&["UserItems"], id, &["UserData"]).personal().tagged([Tag::many_items()])
}

/// A list the server composes for a user.
pub(super) fn composed(segments: &[&str], class: Class) -> Route {
    Route::at(segments, class).personal().tagged([Tag::libraries(), Tag::watch_lists()])
}

/// What resembles an item: the same under every kind's own path.
pub(super) fn similar(id: &str) -> Route {
    item(&["Items"], id, &["Similar"]).personal().tagged([Tag::libraries()])
}

/// An image under `owner`: what follows is `Images/{kind}`, perhaps with an index, perhaps with everything else.
/// `of` names what is shown.
pub(super) fn image(owner: &[&str], of: &str, images: &[&str]) -> Option<Route> {
    let [_, kind, rest @ ..] = images else { return None };
    if !matches!(rest.len(), 0 | 1 | 7) || !rest.first().is_none_or(|index| is_number(index)) {
        return None;
    }
    let kind = KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(kind))?;
    let segments = [owner, &["Images", kind], rest].concat();
    Some(
        Route::at(&segments, Class::Images)
            .with_body(Body::Image(Some(of.to_owned())))
            .tagged([Tag::image(of)]),
    )
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn item(before: &[&str], id: &str, after: &[&str]) -> Route {
    let id: Cow<'_, str> = guid::normal(id);
    let segments = [before, &[&*id], after].concat();
    Route::at(&segments, Class::Item).tagged([Tag::item(&id)])
}

fn playlist(id: &str, after: &[&str]) -> Route {
    let id = guid::normal(id);
    let segments = [&["Playlists", &*id], after].concat();
    Route::at(&segments, Class::Playlists).tagged([Tag::playlist(&id), Tag::item(&id)])
}

fn filters(name: &str) -> Route {
    Route::at(&["Items", name], Class::Lists).for_user().tagged([Tag::libraries()])
}
