//! The allow-list: maps paths to request types, and lists paths that are never cached. Unknown paths are not
//! cached.

use crate::class::Class;
use crate::classification::{ImageSubject, StreamReason};
use crate::plex::library;
use crate::plex::vary::VaryBy;
use crate::tag::Tag;

/// Route of a GET or HEAD.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PlexRoute {
    /// A cacheable read.
    Read(ReadRoute),
    /// An image at its own path.
    Image(ImagePlan),
    /// An image scaled by the server (`/photo/:/transcode`).
    Scaled,
    /// A file of the web client.
    Asset,
    /// A pass-through.
    Pass(StreamReason),
}

/// Facts about a read from its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReadRoute {
    pub(super) class: Class,
    pub(super) tags: Vec<Tag>,
    /// The body carries user state.
    pub(super) personal: bool,
    /// The same for everyone, even without a token.
    pub(super) public: bool,
    /// The parts of the client's identity on which the response depends.
    pub(super) vary_by: VaryBy,
}

/// Facts about an image from its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImagePlan {
    /// Subject of the image: an item by its id or a name of its own, and the kind.
    pub(super) subject: ImageSubject,
    pub(super) tag: Tag,
    /// The path contains the time of the last change, so it never means another picture.
    pub(super) stamped: bool,
}

impl ReadRoute {
    /// A response without user state.
    pub(super) fn plain<const N: usize>(class: Class, tags: [Tag; N]) -> PlexRoute {
        PlexRoute::Read(Self { class, tags: tags.into(), personal: false, public: false, vary_by: VaryBy::Nothing })
    }

    /// A response with user state.
    pub(super) fn personal<const N: usize>(class: Class, tags: [Tag; N]) -> PlexRoute {
        PlexRoute::Read(Self { class, tags: tags.into(), personal: true, public: false, vary_by: VaryBy::Nothing })
    }
}

impl ImagePlan {
    /// A picture of a named subject, or of an item by its id; `stamp` is the rest of the path.
    pub(super) fn named(name: String, kind: &str, stamp: &[&str]) -> Self {
        let stamped = stamp.first().is_some_and(|stamp| is_id(stamp));
        Self { tag: Tag::image(&name), subject: ImageSubject::new(name, kind), stamped }
    }
}

impl PlexRoute {
    /// Sets the parts of the client's identity on which the response depends.
    fn with_vary_by(mut self, vary_by: VaryBy) -> Self {
        if let Self::Read(route) = &mut self {
            route.vary_by = vary_by;
        }
        self
    }

    /// Makes the response public.
    fn public(mut self) -> Self {
        if let Self::Read(route) = &mut self {
            route.public = true;
        }
        self
    }
}

/// The route of a GET or HEAD of these segments.
pub(super) fn find(parts: &[&str]) -> Option<PlexRoute> {
    pass_reason(parts).map(PlexRoute::Pass).or_else(|| match parts {
        ["library", rest @ ..] => library::route(rest),
        ["hubs", rest @ ..] => hubs(rest),
        ["playlists", rest @ ..] => playlists(rest),
        ["status" | "statistics" | "transcode" | "activities" | "butler", ..] => doings(parts),
        ["search"] => Some(search()),
        ["photo", ":", "transcode"] => Some(PlexRoute::Scaled),
        [":", "resources", file] => Some(PlexRoute::Image(ImagePlan::named(format!("resource:{file}"), "", &[]))),
        ["web", rest @ ..] => Some(web(rest)),
        _ => server(parts),
    })
}

/// Whether the text is digits only, and not too many: an id of an item, section or playlist, or a timestamp.
pub(super) fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Paths that are never cached, whatever their class would be.
fn pass_reason(parts: &[&str]) -> Option<StreamReason> {
    Some(match parts {
        ["video" | "music" | "audio" | "photo" | "subtitles", ":", "transcode", "universal", "decision"] => {
            StreamReason::Moment
        }
        ["video" | "music" | "audio" | "subtitles", ":", "transcode", ..]
        | ["photo", ":", "transcode", _, ..]
        | ["library", "parts" | "streams" | "file" | "media", ..]
        | ["livetv", "sessions", ..]
        | ["downloadQueue", ..] => StreamReason::Media,
        [
            "security" | "myplex" | "pins" | "pins.json" | "pins.xml" | "user" | "users" | "resources" | "api" | "home"
            | "log" | "logs" | "diagnostics",
            ..,
        ] => StreamReason::Account,
        [":", "websockets" | "websocket", ..] => StreamReason::Socket,
        // Players and remote controls wait for each other's next step.
        [":", "eventsource", ..] | ["player", "timeline" | "proxy", "poll"] => StreamReason::Events,
        // The list of agents; what lies below it belongs to one agent at one moment.
        ["system", "agents"] => return None,
        ["playQueues" | "player" | "sync" | "system", ..] => StreamReason::Moment,
        _ => return None,
    })
}

fn server(parts: &[&str]) -> Option<PlexRoute> {
    Some(match parts {
        ["identity"] => ReadRoute::plain(Class::Identity, [Tag::server()]).public(),
        []
        | ["servers" | "clients"]
        | ["updater", "status"]
        | ["livetv", "dvrs"]
        | ["system", "agents"]
        | ["channels", "all"]
        | [":", "prefs"]
        | [":", "prefs", "get"] => ReadRoute::plain(Class::Server, [Tag::server()]),
        ["livetv", "dvrs", id] if is_id(id) => ReadRoute::plain(Class::Server, [Tag::server()]),
        ["devices"] => ReadRoute::plain(Class::Server, [Tag::server(), Tag::users(), Tag::players()]),
        ["accounts"] => ReadRoute::plain(Class::Server, [Tag::server(), Tag::users()]),
        ["accounts" | "devices", id] if is_id(id) => ReadRoute::plain(Class::Server, [Tag::server(), Tag::users()]),
        ["media", "providers"] => {
            ReadRoute::plain(Class::Server, [Tag::server(), Tag::sections()]).with_vary_by(VaryBy::Abilities)
        }
        _ => return None,
    })
}

fn doings(parts: &[&str]) -> Option<PlexRoute> {
    Some(match parts {
        ["activities"] => ReadRoute::plain(Class::Activities, [Tag::activities()]),
        ["butler"] => ReadRoute::plain(Class::Statistics, [Tag::activities()]),
        ["status" | "transcode", "sessions"] | ["status", "sessions", "background"] => {
            ReadRoute::plain(Class::Sessions, [Tag::sessions()])
        }
        ["transcode", "sessions", _] => ReadRoute::plain(Class::Sessions, [Tag::sessions()]),
        ["status", "sessions", "history", "all"] => ReadRoute::plain(Class::History, [Tag::history()]),
        ["status", "sessions", "history", id] if is_id(id) => ReadRoute::plain(Class::History, [Tag::history()]),
        ["statistics", "resources"] => ReadRoute::plain(Class::LiveStatistics, []),
        // `filter` recognises `timespan=6`, which changes every second, by the query.
        ["statistics", "bandwidth"] => ReadRoute::plain(Class::Statistics, [Tag::players()]),
        _ => return None,
    })
}

fn hubs(rest: &[&str]) -> Option<PlexRoute> {
    let hub_list = |scope: Tag| {
        let tags = [scope, Tag::libraries(), Tag::watch_lists(), Tag::playlists()];
        ReadRoute::personal(Class::Hubs, tags).with_vary_by(VaryBy::Abilities)
    };
    Some(match rest {
        [] | ["home" | "items"] => hub_list(Tag::across()),
        ["promoted"] => hub_list(Tag::across()).with_vary_by(VaryBy::Client),
        ["sections", id] if is_id(id) => hub_list(Tag::section(id)),
        ["metadata", id] | ["metadata", id, "related"] if is_id(id) => {
            ReadRoute::personal(Class::Hubs, [Tag::item(id), Tag::across(), Tag::libraries(), Tag::watch_lists()])
        }
        ["metadata", _, "postplay"] => PlexRoute::Pass(StreamReason::Moment),
        ["home", "recentlyAdded"] => ReadRoute::personal(Class::Recent, [Tag::across(), Tag::libraries()]),
        ["home", "onDeck" | "continueWatching"] | ["continueWatching"] | ["continueWatching", "items"] => {
            ReadRoute::personal(Class::Resume, [Tag::across(), Tag::libraries(), Tag::watch_lists()])
        }
        ["sections", id, "onDeck" | "continueWatching"] | ["sections", id, "continueWatching", "items"]
            if is_id(id) =>
        {
            ReadRoute::personal(Class::Resume, [Tag::section(id), Tag::libraries(), Tag::watch_lists()])
        }
        ["sections", id, "manage"] if is_id(id) => {
            ReadRoute::plain(Class::Collections, [Tag::collections(), Tag::section(id)])
        }
        ["search"] | ["search", "voice"] => search().with_vary_by(VaryBy::Abilities),
        _ => return None,
    })
}

/// A search in everything.
fn search() -> PlexRoute {
    ReadRoute::personal(Class::Search, [Tag::across(), Tag::libraries(), Tag::playlists()])
}

fn playlists(rest: &[&str]) -> Option<PlexRoute> {
    Some(match rest {
        [] | ["all"] => ReadRoute::personal(Class::Playlists, [Tag::playlists()]),
        [id] | [id, "items" | "generators"] if is_id(id) => one_playlist(id),
        [id, "items", generator] | [id, "items", generator, "items"] if is_id(id) && is_id(generator) => {
            one_playlist(id)
        }
        [id, kind @ ("composite" | "thumb"), stamp @ ..] if is_id(id) && stamp.len() <= 1 => {
            PlexRoute::Image(ImagePlan::named(format!("playlist:{id}"), kind, stamp))
        }
        _ => return None,
    })
}

fn one_playlist(id: &str) -> PlexRoute {
    ReadRoute::personal(Class::Playlists, [Tag::playlist(id), Tag::every_playlist()])
}

/// The web client: its files never change under their name, its pages do.
fn web(rest: &[&str]) -> PlexRoute {
    let name = rest.last().copied().unwrap_or("");
    match name.rsplit_once('.') {
        Some((_, "htm" | "html")) | None => PlexRoute::Pass(StreamReason::Moment),
        Some(_) => PlexRoute::Asset,
    }
}
