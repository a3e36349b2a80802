//! Reads about items: lists, single items, their children and images.

use std::borrow::Cow;

use super::{AllowedParams, JellyfinRoute, RouteBody};
use crate::class::{self, Class};
use crate::classification::ImageSubject;
use crate::jellyfin::guid;
use crate::tag::Tag;

/// Kinds of images in the server's spelling.
pub(in crate::jellyfin) const KINDS: [&str; 13] = [
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

/// Age in seconds up to which intros are served while the server can be asked: a plugin may choose others each time.
const INTROS_CURRENT_S: u32 = 300;

pub(super) fn find(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    match lowercase {
        ["items", rest @ ..] => of_items(rest, &raw[1..]),
        ["useritems", "resume"] => Some(resume()),
        ["useritems", id, "userdata"] => Some(user_data(id)),
        ["playlists", id] => Some(playlist(id, &[])),
        ["playlists", id, "items"] => Some(playlist(id, &["Items"]).personal()),
        ["playlists", id, "users"] => Some(playlist(id, &["Users"])),
        ["playlists", id, "users", user] => Some(playlist(id, &["Users", &guid::normalize(user)])),
        ["mediasegments", id] => {
            Some(belonging(&["MediaSegments"], id, &[]).with_tags([Tag::segments()]).usable_for(class::DAY))
        }
        ["audio", id, "lyrics"] => Some(part(&["Audio"], id, &["Lyrics"])),
        _ => None,
    }
}

/// Routes below `/Items`, or below the legacy `/Users/{user}/Items`.
pub(super) fn of_items(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    Some(match lowercase {
        [] => JellyfinRoute::new(&["Items"], Class::Lists).personal().with_params(AllowedParams::Listing),
        ["latest"] => composed(&["Items", "Latest"], Class::Recent).with_tags([Tag::playlist_names()]),
        ["counts"] => JellyfinRoute::new(&["Items", "Counts"], Class::Counts)
            .for_user()
            .with_tags([Tag::libraries(), Tag::playlist_names()]),
        ["filters"] => filters("Filters"),
        ["filters2"] => filters("Filters2"),
        ["root"] => JellyfinRoute::new(&["Items", "Root"], Class::Item).personal().with_tags([Tag::libraries()]),
        [id] => item(&["Items"], id, &[]).personal(),
        [id, "images"] => belonging(&["Items"], id, &["Images"]).with_tags([Tag::image(&guid::normalize(id))]),
        [id, "images", ..] => image(&["Items", &guid::normalize(id)], &guid::normalize(id), &raw[1..])?,
        [id, "ancestors"] => belonging(&["Items"], id, &["Ancestors"]).personal(),
        [id, "themesongs"] => belonging(&["Items"], id, &["ThemeSongs"]).personal(),
        [id, "themevideos"] => belonging(&["Items"], id, &["ThemeVideos"]).personal(),
        [id, "thememedia"] => belonging(&["Items"], id, &["ThemeMedia"]).personal(),
        [id, "intros"] => belonging(&["Items"], id, &["Intros"]).personal().current_for(INTROS_CURRENT_S),
        [id, "localtrailers"] => belonging(&["Items"], id, &["LocalTrailers"]).personal(),
        [id, "specialfeatures"] => belonging(&["Items"], id, &["SpecialFeatures"]).personal(),
        [id, "collections"] => {
            JellyfinRoute { class: Class::Collections, ..belonging(&["Items"], id, &["Collections"]) }
                .personal()
                .with_tags([Tag::collections()])
        }
        [id, "criticreviews"] => part(&["Items"], id, &["CriticReviews"]),
        [id, "externalidinfos"] => belonging(&["Items"], id, &["ExternalIdInfos"]),
        _ => return None,
    })
}

/// Items the user has started.
pub(super) fn resume() -> JellyfinRoute {
    composed(&["UserItems", "Resume"], Class::Resume)
}

/// User state of one item. The response does not name the item's ancestors, and marking one of them may mark
/// the item.
pub(super) fn user_data(id: &str) -> JellyfinRoute {
    item(&["UserItems"], id, &["UserData"]).personal().with_tags([Tag::above(&guid::normalize(id))])
}

/// A list the server composes for a user.
pub(super) fn composed(segments: &[&str], class: Class) -> JellyfinRoute {
    JellyfinRoute::new(segments, class).personal().with_tags([Tag::libraries(), Tag::watch_lists()])
}

/// An image of `owner`, at `Images/{kind}`, optionally with an index or all parameters in the path. `of`
/// names the subject of the image.
pub(super) fn image(owner: &[&str], of: &str, images: &[&str]) -> Option<JellyfinRoute> {
    let [_, kind, rest @ ..] = images else { return None };
    if !matches!(rest.len(), 0 | 1 | 7) || !rest.first().is_none_or(|index| is_number(index)) {
        return None;
    }
    let kind = KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(kind))?;
    let segments = [owner, &["Images", kind], rest].concat();
    Some(
        JellyfinRoute::new(&segments, Class::Images)
            .with_body(RouteBody::Image(Some(ImageSubject::new(of, kind))))
            .with_tags([Tag::image(of)]),
    )
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn item(before: &[&str], id: &str, after: &[&str]) -> JellyfinRoute {
    let id: Cow<'_, str> = guid::normalize(id);
    let segments = [before, &[&*id], after].concat();
    JellyfinRoute::new(&segments, Class::Item).with_tags([Tag::item(&id)])
}

/// A part of an item that shows no state of it.
fn part(before: &[&str], id: &str, after: &[&str]) -> JellyfinRoute {
    let id: Cow<'_, str> = guid::normalize(id);
    let segments = [before, &[&*id], after].concat();
    JellyfinRoute::new(&segments, Class::Item).with_tags([Tag::about(&id)])
}

/// A resource of an item that shows nothing of the item's own document.
fn belonging(before: &[&str], id: &str, after: &[&str]) -> JellyfinRoute {
    let id: Cow<'_, str> = guid::normalize(id);
    let segments = [before, &[&*id], after].concat();
    JellyfinRoute::new(&segments, Class::Item).with_tags([Tag::belonging(&id)])
}

fn playlist(id: &str, after: &[&str]) -> JellyfinRoute {
    let id = guid::normalize(id);
    let segments = [&["Playlists", &*id], after].concat();
    JellyfinRoute::new(&segments, Class::Playlists).with_tags([Tag::playlist(&id), Tag::about(&id)])
}

fn filters(name: &str) -> JellyfinRoute {
    JellyfinRoute::new(&["Items", name], Class::Lists).for_user().with_tags([Tag::libraries()])
}
