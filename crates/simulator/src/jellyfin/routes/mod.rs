//! Routes, one module per part of the API. Each module knows its own paths.

mod activity;
mod changes;
mod devices;
mod facets;
mod hints;
mod images;
mod items;
mod libraries;
mod lists;
mod login;
mod media;
mod names;
mod next;
mod pages;
mod playback;
mod players;
mod playlists;
mod plugins;
mod preferences;
mod segments;
mod sessions;
mod shows;
mod system;
mod tasks;
mod user_configuration;
mod user_items;
mod user_policy;
mod users;

use http::Method;

use super::error::JellyfinError;
use super::request::JellyfinRequest;
use super::response::JellyfinResponse;

/// Result of a route.
pub(crate) type RouteResult = Result<JellyfinResponse, JellyfinError>;

pub(crate) use sessions::{SessionQuery as WantedSessions, sessions};

/// Dispatches a request by the first segment of its path.
pub(crate) fn answer(ask: &JellyfinRequest<'_>) -> RouteResult {
    let parts = ask.parts();
    let Some((first, rest)) = parts.split_first() else { return Err(JellyfinError::NotFound) };
    match *first {
        "system" | "getutctime" => system::answer(ask, &parts),
        "plugins" | "packages" | "repositories" | "channels" | "libraries" => plugins::answer(ask, &parts),
        "web" if matches!(rest, ["configurationpages"]) => plugins::answer(ask, &parts),
        "branding" | "localization" | "web" | "health" => pages::answer(ask, &parts),
        "users" => users::answer(ask, rest),
        "quickconnect" => login::quick_connect(ask, rest),
        "userviews" => libraries::views(ask, rest),
        "library" => libraries::answer(ask, rest),
        "items" => items::answer(ask, rest),
        "useritems" | "userplayeditems" | "userfavoriteitems" | "userimage" => user_items::answer(ask, &parts),
        "shows" => shows::answer(ask, rest),
        "movies" | "albums" | "trailers" => lists::of_kind(ask, &parts),
        "artists" | "genres" | "musicgenres" | "studios" | "persons" | "years" => names::answer(ask, &parts),
        "search" => hints::answer(ask, rest),
        "playlists" => playlists::answer(ask, rest),
        "collections" => changes::collections(ask, rest),
        "sessions" | "playingitems" => players::answer(ask, &parts),
        "devices" => devices::answer(ask, rest),
        "scheduledtasks" => tasks::answer(ask, rest),
        "displaypreferences" => preferences::answer(ask, rest),
        "videos" | "audio" => media::answer(ask, &parts),
        "mediasegments" => segments::answer(ask, rest),
        _ => Err(JellyfinError::NotFound),
    }
}

/// Whether a request needs no token: login, public server information, images and media.
#[expect(clippy::match_same_arms, reason = "one line per part of the interface")]
pub(crate) fn is_open(method: &Method, parts: &[&str]) -> bool {
    let reads = *method == Method::GET;
    match parts {
        ["system", "info", "public"] | ["system", "ping"] | ["getutctime" | "health"] => true,
        ["users", "public" | "authenticatebyname" | "authenticatewithquickconnect"] => true,
        ["quickconnect", "enabled" | "initiate" | "connect"] => true,
        ["web", "configurationpages"] => false,
        ["branding" | "web", ..] | ["items", _, "images", _, ..] | ["userimage"] => reads,
        ["plugins", _, _, "image"] => reads,
        ["genres" | "musicgenres" | "studios" | "persons", _, "images", _, ..] => reads,
        ["videos" | "audio", _, stream] => reads && stream.starts_with("stream"),
        ["videos", _, _, "attachments", _] => reads,
        _ => false,
    }
}

/// Splits the legacy form of a path below `/users/{id}/`: its user, and the path without it.
pub(crate) fn without_user(raw: &[String], path: &[String]) -> Option<(String, Vec<String>)> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let ["users", _, rest @ ..] = parts.as_slice() else { return None };
    let user = raw.get(1)?.clone();
    let join = |first: &[&str], from: usize| {
        let tail = raw.iter().skip(from).cloned();
        first.iter().map(|part| (*part).to_owned()).chain(tail).collect::<Vec<_>>()
    };
    let path = match rest {
        ["views", ..] => join(&["UserViews"], 3),
        ["groupingoptions"] => join(&["UserViews", "GroupingOptions"], 3),
        ["items", "resume"] => join(&["UserItems", "Resume"], 4),
        ["items", _, "rating" | "userdata"] => join(&["UserItems"], 3),
        ["items", ..] => join(&["Items"], 3),
        ["suggestions"] => join(&["Items", "Suggestions"], 3),
        ["playeditems", _] => join(&["UserPlayedItems"], 3),
        ["favoriteitems", _] => join(&["UserFavoriteItems"], 3),
        ["playingitems", ..] => join(&["PlayingItems"], 3),
        ["images", ..] => join(&["UserImage"], 4),
        _ => return None,
    };
    Some((user, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(path: &str) -> Option<(String, String)> {
        let raw: Vec<String> = path.split('/').map(str::to_owned).collect();
        let lower: Vec<String> = raw.iter().map(|part| part.to_lowercase()).collect();
        without_user(&raw, &lower).map(|(user, path)| (user, path.join("/")))
    }

    #[test]
    fn legacy_routes_lead_to_the_new_ones() {
        let leads = |from: &str, to: &str| assert_eq!(moved(from), Some(("U".into(), to.into())), "{from}");
        leads("Users/U/Items", "Items");
        leads("Users/U/Items/X", "Items/X");
        leads("users/U/items/Latest", "Items/Latest");
        leads("Users/U/Items/Resume", "UserItems/Resume");
        leads("Users/U/Items/X/Rating", "UserItems/X/Rating");
        leads("Users/U/PlayedItems/X", "UserPlayedItems/X");
        leads("Users/U/Views", "UserViews");
        assert_eq!(moved("Users/U"), None);
        assert_eq!(moved("Users/U/Policy"), None);
    }

    #[test]
    fn only_a_closed_list_is_open() {
        let open = |path: &str| is_open(&Method::GET, &path.split('/').collect::<Vec<_>>());
        assert!(open("system/info/public") && open("items/x/images/primary/0") && open("videos/x/stream.mkv"));
        assert!(open("videos/x/y/attachments/1") && open("plugins/x/1.0/image") && !open("audio/x/universal"));
        assert!(!open("system/info") && !open("items/x") && !open("items/x/images") && !open("users"));
        assert!(!is_open(&Method::POST, &["items", "x", "images", "primary"]));
    }
}
