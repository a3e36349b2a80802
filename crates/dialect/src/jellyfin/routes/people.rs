//! Reads about users, and the old routes that lie under a user.

use super::items::{composed, image, of_items, resume, user_data};
use super::{Body, Route};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

pub(super) fn find(low: &[&str], raw: &[&str]) -> Option<Route> {
    Some(match low {
        ["users"] => users(&["Users"]),
        ["users", "me"] => users(&["Users", "Me"]),
        ["users", user] => users(&["Users", &guid::normal(user)]),
        ["users", user, "images", ..] => {
            let user = guid::normal(user);
            image(&["Users", &user], &user_image(&user), &raw[2..])?
        }
        ["users", user, rest @ ..] => under_user(rest, &raw[2..])?.of(user),
        ["userviews"] => views(),
        ["userviews", "groupingoptions"] => groupings(),
        ["userimage"] => Route::at(&["UserImage"], Class::Images).with_body(Body::Image(None)),
        ["displaypreferences", _] => {
            Route::at(&["DisplayPreferences", raw[1]], Class::Users).for_user().tagged([Tag::users()])
        }
        _ => return None,
    })
}

/// How the image of a user is named.
pub(in crate::jellyfin) fn user_image(user: &str) -> String {
    format!("users/{user}")
}

fn under_user(low: &[&str], raw: &[&str]) -> Option<Route> {
    match low {
        ["views"] => Some(views()),
        ["groupingoptions"] => Some(groupings()),
        ["suggestions"] => Some(composed(&["Items", "Suggestions"], Class::Hubs)),
        ["items", "resume"] => Some(resume()),
        ["items", "counts" | "filters" | "filters2" | "suggestions"] => None,
        ["items", id, "userdata"] => Some(user_data(id)),
        ["items", _, "localtrailers" | "specialfeatures"] | ["items"] | ["items", _] => {
            of_items(&low[1..], &raw[1..])
        }
        _ => None,
    }
}

fn users(segments: &[&str]) -> Route {
    Route::at(segments, Class::Users).tagged([Tag::users()])
}

/// The first playlist and the first collection bring a view of their own.
fn views() -> Route {
    Route::at(&["UserViews"], Class::Sections).personal().tagged([
        Tag::libraries(),
        Tag::users(),
        Tag::playlists(),
        Tag::collections(),
    ])
}

fn groupings() -> Route {
    Route::at(&["UserViews", "GroupingOptions"], Class::Sections)
        .for_user()
        .tagged([Tag::libraries(), Tag::users()])
}
