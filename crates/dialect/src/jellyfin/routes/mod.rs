//! The allow-list of reads. Any other path is never cached; `pass_through` is asked first.
//!
//! Legacy routes map to the current ones, so that both share a key; a legacy route without an exact successor
//! keeps its own path. One module per family: `items`, `names` (lookups by name), `people`, `server`, `extensions`
//! (plugins, channels).

mod extensions;
mod items;
mod names;
mod people;
mod server;

pub(super) use items::KINDS as IMAGE_KINDS;
pub(super) use people::user_image;

use crate::class::{AgeLimit, Class};
use crate::classification::ImageSubject;
use crate::path;
use crate::tag::Tag;

use super::guid;

/// A known read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JellyfinRoute {
    /// Canonical path.
    pub(super) path: String,
    /// Request type, unless the query changes it.
    pub(super) class: Class,
    /// Tags derived from the path.
    pub(super) tags: Vec<Tag>,
    /// Whether the route has a `userId`, which defaults to the client's own.
    pub(super) needs_user: bool,
    /// The user named in a legacy path.
    pub(super) user: Option<String>,
    /// Type of the response body.
    pub(super) body: RouteBody,
    /// Whether the body carries user state, unless the query turns it off.
    pub(super) user_state: bool,
    /// Parameters that matter.
    pub(super) params: AllowedParams,
    /// Bound on a response's age beside its type's lifetime.
    pub(super) age_limit: Option<AgeLimit>,
}

/// Type of a response body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RouteBody {
    /// JSON.
    Json,
    /// An image of the named subject; for a user's image the query may still have to name the user.
    Image(Option<ImageSubject>),
    /// Anything else.
    Opaque,
}

/// Parameters that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AllowedParams {
    /// Those of a list over the whole library: they determine class and tags.
    Listing,
    /// All; those that name an ancestor give tags.
    All,
    /// All, and `deviceId` filters rows.
    Devices,
    /// All, and the response depends on the device that the client names as its own.
    ByDevice,
    /// None, and the response is public.
    Nothing,
}

impl JellyfinRoute {
    /// A JSON read at a path of these segments.
    fn new(segments: &[&str], class: Class) -> Self {
        Self {
            path: path::canonical(segments),
            class,
            tags: Vec::new(),
            needs_user: false,
            user: None,
            body: RouteBody::Json,
            user_state: false,
            params: AllowedParams::All,
            age_limit: None,
        }
    }

    /// Sets the age at which a response is not served any more unless the server cannot be asked.
    fn current_for(mut self, seconds: u32) -> Self {
        self.age_limit = Some(AgeLimit::Current(seconds));
        self
    }

    /// Sets the age at which a response is not served any more.
    fn usable_for(mut self, seconds: u32) -> Self {
        self.age_limit = Some(AgeLimit::Usable(seconds));
        self
    }

    /// Adds tags.
    fn with_tags(mut self, tags: impl IntoIterator<Item = Tag>) -> Self {
        self.tags.extend(tags);
        self
    }

    /// Makes the response depend on a user, by default the client's own.
    fn for_user(mut self) -> Self {
        self.needs_user = true;
        self
    }

    /// The same, with user state in the body.
    fn personal(mut self) -> Self {
        self.user_state = true;
        self.for_user()
    }

    /// Sets the user named in a legacy path.
    fn with_user(mut self, user: &str) -> Self {
        self.user = Some(guid::normalize(user).into_owned());
        self
    }

    /// Sets the body type.
    fn with_body(mut self, body: RouteBody) -> Self {
        self.body = body;
        self
    }

    /// Sets the parameters that matter.
    fn with_params(mut self, params: AllowedParams) -> Self {
        self.params = params;
        self
    }
}

/// The read at this path, if there is one. `lowercase` and `raw` are the same segments, in lower case and as sent.
pub(super) fn find(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    match *lowercase.first()? {
        "items" | "useritems" | "playlists" | "mediasegments" | "audio" => items::find(lowercase, raw),
        "users" | "userviews" | "userimage" | "displaypreferences" => people::find(lowercase, raw),
        "artists" | "genres" | "musicgenres" | "studios" | "persons" | "years" | "search" | "trailers" | "shows" => {
            names::find(lowercase, raw)
        }
        "plugins" | "packages" | "repositories" | "channels" | "libraries" | "web" => extensions::find(lowercase, raw),
        _ => server::find(lowercase, raw),
    }
}
