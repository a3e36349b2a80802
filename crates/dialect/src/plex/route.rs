//! The allow-list: which path is which class of read, and what must never be kept. What stands in no table here is
//! unknown, and what is unknown is not kept.

use crate::class::Class;
use crate::plex::library;
use crate::plex::lifted::Keeps;
use crate::tag::Tag;
use crate::verdict::StreamReason;

/// What a GET or HEAD of a known path is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Its answer may be kept.
    Read(Plan),
    /// An image of its own path.
    Image(Picture),
    /// An image scaled by the server (`/photo/:/transcode`).
    Scaled,
    /// A file of the web client.
    Asset,
    /// It passes through.
    Pass(StreamReason),
}

/// What the path tells about a read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) class: Class,
    pub(super) tags: Vec<Tag>,
    /// The body carries state of the user who asks.
    pub(super) personal: bool,
    /// The same for everybody, also without a token.
    pub(super) public: bool,
    /// What of the client's identity the answer depends on.
    pub(super) keeps: Keeps,
}

/// What the path tells about an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Whose image it is: an item's id, or a name of its own.
    pub(super) of: String,
    pub(super) tag: Tag,
    /// The path names the moment of the last change, so it never means another picture.
    pub(super) stamped: bool,
}

impl Plan {
    /// An answer without user state.
    pub(super) fn plain<const N: usize>(class: Class, tags: [Tag; N]) -> Route {
        Route::Read(Self { class, tags: tags.into(), personal: false, public: false, keeps: Keeps::Nothing })
    }

    /// An answer with user state.
    pub(super) fn personal<const N: usize>(class: Class, tags: [Tag; N]) -> Route {
        Route::Read(Self { class, tags: tags.into(), personal: true, public: false, keeps: Keeps::Nothing })
    }
}

impl Picture {
    /// A picture of something that has no item id, or of an item by its id; `stamp` is what follows in the path.
    pub(super) fn named(of: String, stamp: &[&str]) -> Self {
        Self { tag: Tag::image(&of), of, stamped: stamp.first().is_some_and(|stamp| is_id(stamp)) }
    }
}

impl Route {
    /// The same, depending on that much of the client's identity.
    fn keeping(mut self, keeps: Keeps) -> Self {
        if let Self::Read(plan) = &mut self {
            plan.keeps = keeps;
        }
        self
    }

    /// The same, for everybody.
    fn public(mut self) -> Self {
        if let Self::Read(plan) = &mut self {
            plan.public = true;
        }
        self
    }
}

/// The route of a GET or HEAD of these segments.
pub(super) fn of(parts: &[&str]) -> Option<Route> {
    never(parts).map(Route::Pass).or_else(|| match parts {
        ["library", rest @ ..] => library::route(rest),
        ["hubs", rest @ ..] => hubs(rest),
        ["playlists", rest @ ..] => playlists(rest),
        ["status" | "statistics" | "transcode" | "activities" | "butler", ..] => doings(parts),
        ["photo", ":", "transcode"] => Some(Route::Scaled),
        [":", "resources", file] => Some(Route::Image(Picture::named(format!("resource:{file}"), &[]))),
        ["web", rest @ ..] => Some(web(rest)),
        _ => server(parts),
    })
}

/// Digits only, and not too many: an id of an item, a section, a playlist, or a time stamp.
pub(super) fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is never kept, whatever its class would be.
fn never(parts: &[&str]) -> Option<StreamReason> {
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
            "security" | "myplex" | "pins" | "pins.json" | "pins.xml" | "user" | "users" | "resources"
            | "api" | "home" | "log" | "logs" | "diagnostics",
            ..,
        ] => StreamReason::Account,
        [":", "websockets" | "websocket", ..] => StreamReason::Socket,
        [":", "eventsource", ..] => StreamReason::Events,
        ["playQueues" | "player" | "sync" | "system", ..] => StreamReason::Moment,
        _ => return None,
    })
}

fn server(parts: &[&str]) -> Option<Route> {
    Some(match parts {
        ["identity"] => Plan::plain(Class::Identity, [Tag::server()]).public(),
        []
        | ["servers" | "clients"]
        | ["updater", "status"]
        | ["livetv", "dvrs"]
        | [":", "prefs"]
        | [":", "prefs", "get"] => Plan::plain(Class::Server, [Tag::server()]),
        ["livetv", "dvrs", id] if is_id(id) => Plan::plain(Class::Server, [Tag::server()]),
        ["accounts" | "devices"] => Plan::plain(Class::Server, [Tag::server(), Tag::users()]),
        ["accounts" | "devices", id] if is_id(id) => {
            Plan::plain(Class::Server, [Tag::server(), Tag::users()])
        }
        ["media", "providers"] => {
            Plan::plain(Class::Server, [Tag::server(), Tag::sections()]).keeping(Keeps::Abilities)
        }
        _ => return None,
    })
}

fn doings(parts: &[&str]) -> Option<Route> {
    Some(match parts {
        ["activities"] => Plan::plain(Class::Activities, [Tag::activities()]),
        ["butler"] => Plan::plain(Class::Statistics, [Tag::activities()]),
        ["status" | "transcode", "sessions"] | ["status", "sessions", "background"] => {
            Plan::plain(Class::Sessions, [Tag::sessions()])
        }
        ["transcode", "sessions", _] => Plan::plain(Class::Sessions, [Tag::sessions()]),
        ["status", "sessions", "history", "all"] => Plan::plain(Class::History, [Tag::history()]),
        ["status", "sessions", "history", id] if is_id(id) => Plan::plain(Class::History, [Tag::history()]),
        ["statistics", "resources"] => Plan::plain(Class::LiveStatistics, []),
        // `timespan=6`, the one that moves every second, is told apart by the query.
        ["statistics", "bandwidth"] => Plan::plain(Class::Statistics, []),
        _ => return None,
    })
}

fn hubs(rest: &[&str]) -> Option<Route> {
    let composed = |scope: Tag| {
        let tags = [scope, Tag::libraries(), Tag::watch_lists(), Tag::playlists()];
        Plan::personal(Class::Hubs, tags).keeping(Keeps::Abilities)
    };
    Some(match rest {
        [] | ["home" | "items"] => composed(Tag::across()),
        ["promoted"] => composed(Tag::across()).keeping(Keeps::Client),
        ["sections", id] if is_id(id) => composed(Tag::section(id)),
        ["metadata", id] | ["metadata", id, "related"] if is_id(id) => {
            Plan::personal(Class::Hubs, [Tag::item(id), Tag::across(), Tag::libraries(), Tag::watch_lists()])
        }
        ["metadata", _, "postplay"] => Route::Pass(StreamReason::Moment),
        ["home", "recentlyAdded"] => Plan::personal(Class::Recent, [Tag::across(), Tag::libraries()]),
        ["home", "onDeck" | "continueWatching"] | ["continueWatching"] | ["continueWatching", "items"] => {
            Plan::personal(Class::Resume, [Tag::across(), Tag::libraries(), Tag::watch_lists()])
        }
        ["sections", id, "onDeck" | "continueWatching"] | ["sections", id, "continueWatching", "items"]
            if is_id(id) =>
        {
            Plan::personal(Class::Resume, [Tag::section(id), Tag::libraries(), Tag::watch_lists()])
        }
        ["sections", id, "manage"] if is_id(id) => {
            Plan::plain(Class::Collections, [Tag::collections(), Tag::section(id)])
        }
        ["search"] | ["search", "voice"] => {
            let tags = [Tag::across(), Tag::libraries(), Tag::playlists()];
            Plan::personal(Class::Search, tags)
        }
        _ => return None,
    })
}

fn playlists(rest: &[&str]) -> Option<Route> {
    Some(match rest {
        [] | ["all"] => Plan::personal(Class::Playlists, [Tag::playlists()]),
        [id] | [id, "items" | "generators"] if is_id(id) => one_playlist(id),
        [id, "items", generator] | [id, "items", generator, "items"] if is_id(id) && is_id(generator) => {
            one_playlist(id)
        }
        [id, "composite" | "thumb", stamp @ ..] if is_id(id) && stamp.len() <= 1 => {
            Route::Image(Picture::named(format!("playlist:{id}"), stamp))
        }
        _ => return None,
    })
}

fn one_playlist(id: &str) -> Route {
    Plan::personal(Class::Playlists, [Tag::playlist(id), Tag::every_playlist()])
}

/// The web client: its files never change under their name, its pages do.
fn web(rest: &[&str]) -> Route {
    let name = rest.last().copied().unwrap_or("");
    match name.rsplit_once('.') {
        Some((_, "htm" | "html")) | None => Route::Pass(StreamReason::Moment),
        Some(_) => Route::Asset,
    }
}
