//! The allow-list of reads. A path that is not here is never kept.
//!
//! Old routes lead to the new ones, so that both meet in one key; an old route without an exact successor keeps
//! its own path. One room per family: `items`, `names` (what is asked for by name), `people`, `server`.

mod items;
mod names;
mod people;
mod server;

pub(super) use people::user_image;

use crate::class::Class;
use crate::path;
use crate::tag::Tag;

use super::guid;

/// A read the server is known to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The path in its canonical spelling.
    pub(super) path: String,
    /// The class of its answers, unless the query tells another one.
    pub(super) class: Class,
    /// What the path tells of its answers' tags.
    pub(super) tags: Vec<Tag>,
    /// Whether the route takes a `userId`, the caller's own by default.
    pub(super) takes_user: bool,
    /// The user an old path names.
    pub(super) user: Option<String>,
    /// What the answer's body is.
    pub(super) body: Body,
    /// Whether the body carries what the user did, unless the query forbids it.
    pub(super) user_state: bool,
    /// Which parameters count.
    pub(super) asks: Asks,
}

/// What an answer's body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// JSON.
    Json,
    /// An image of what the text names; for a user's image the query may still have to name the user.
    Image(Option<String>),
    /// Anything else.
    Opaque,
}

/// Which parameters count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// Those of a list over the whole library: they tell class and tags.
    Listing,
    /// All; those that name a place give tags.
    All,
    /// All, and `deviceId` chooses rows.
    Devices,
    /// None, and the answer is everybody's.
    Nothing,
}

impl Route {
    /// A read of JSON at a path of these segments.
    fn at(segments: &[&str], class: Class) -> Self {
        Self {
            path: path::canonical(segments),
            class,
            tags: Vec::new(),
            takes_user: false,
            user: None,
            body: Body::Json,
            user_state: false,
            asks: Asks::All,
        }
    }

    /// An answer with these tags.
    fn tagged(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        self.tags.extend(tags);
        self
    }

    /// An answer for a user, the caller's own by default.
    fn for_user(mut self) -> Self {
        self.takes_user = true;
        self
    }

    /// An answer for a user that carries what that user did.
    fn personal(mut self) -> Self {
        self.user_state = true;
        self.for_user()
    }

    /// The user an old path names.
    fn of(mut self, user: &str) -> Self {
        self.user = Some(guid::normal(user).into_owned());
        self
    }

    /// An answer that is not JSON.
    fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Which parameters count.
    fn asking(mut self, asks: Asks) -> Self {
        self.asks = asks;
        self
    }
}

/// The read at this path, if there is one. `low` and `raw` are the same segments, in lower case and as sent.
pub(super) fn find(low: &[&str], raw: &[&str]) -> Option<Route> {
    match *low.first()? {
        "items" | "useritems" | "playlists" | "mediasegments" | "audio" => items::find(low, raw),
        "users" | "userviews" | "userimage" | "displaypreferences" => people::find(low, raw),
        "artists" | "genres" | "musicgenres" | "studios" | "persons" | "years" | "search" | "trailers"
        | "shows" | "movies" | "albums" => names::find(low, raw),
        _ => server::find(low, raw),
    }
}
