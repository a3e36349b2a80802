//! Reads about users, and the legacy routes below a user.

use super::items::{image, of_items, resume, user_data};
use super::{AllowedParams, JellyfinRoute, RouteBody};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

/// Age in seconds at which the users of the login page are not served any more. Their class is one that proves nothing
/// about a token, because the server shows them to any.
const PUBLIC_USERS_USABLE_S: u32 = 120;

pub(super) fn find(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    Some(match lowercase {
        ["users"] => users(&["Users"]),
        ["users", "public"] => JellyfinRoute::new(&["Users", "Public"], Class::Assets)
            .with_tags([Tag::users()])
            .with_params(AllowedParams::ByDevice)
            .usable_for(PUBLIC_USERS_USABLE_S),
        ["users", "me"] => users(&["Users", "Me"]),
        ["users", user] => users(&["Users", &guid::normalize(user)]),
        ["users", user, "images", ..] => {
            let user = guid::normalize(user);
            image(&["Users", &user], &user_image(&user), &raw[2..])?
        }
        ["users", user, rest @ ..] => under_user(rest, &raw[2..])?.with_user(user),
        ["userviews"] => views(),
        ["userviews", "groupingoptions"] => groupings(),
        ["userimage"] => JellyfinRoute::new(&["UserImage"], Class::Images).with_body(RouteBody::Image(None)),
        ["displaypreferences", _] => {
            JellyfinRoute::new(&["DisplayPreferences", raw[1]], Class::Users).for_user().with_tags([Tag::display()])
        }
        _ => return None,
    })
}

/// Name of a user's image.
pub(in crate::jellyfin) fn user_image(user: &str) -> String {
    format!("users/{user}")
}

fn under_user(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    match lowercase {
        ["views"] => Some(views()),
        ["groupingoptions"] => Some(groupings()),
        ["items", "resume"] => Some(resume()),
        ["items", "counts" | "filters" | "filters2"] => None,
        ["items", id, "userdata"] => Some(user_data(id)),
        ["items", _, "localtrailers" | "specialfeatures" | "intros"] | ["items"] | ["items", _] => {
            of_items(&lowercase[1..], &raw[1..])
        }
        _ => None,
    }
}

fn users(segments: &[&str]) -> JellyfinRoute {
    JellyfinRoute::new(segments, Class::Users).with_tags([Tag::users()])
}

/// Views change with playlists and collections, because the first of each adds a view. What is in a playlist does not
/// matter to them.
fn views() -> JellyfinRoute {
    JellyfinRoute::new(&["UserViews"], Class::Sections).personal().with_tags([
        Tag::libraries(),
        Tag::users(),
        Tag::playlist_names(),
        Tag::collections(),
    ])
}

fn groupings() -> JellyfinRoute {
    JellyfinRoute::new(&["UserViews", "GroupingOptions"], Class::Sections)
        .for_user()
        .with_tags([Tag::libraries(), Tag::users()])
}
