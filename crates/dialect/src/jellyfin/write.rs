//! Dispatches a write to `playback`, `library_write` and `account`, and extends its invalidations to a named user.
//! An unknown write invalidates everything for everyone.

use super::address::JellyfinPath;
use super::query::{CanonicalQuery, DeviceIdRole};
use super::{account, edit, guid, library_write, playback};
use crate::classification::{TokenRevocation, Write};
use crate::request::RequestView;
use crate::tag::{Audience, Tag, TagInvalidation};

/// A parsed write.
pub(super) struct ParsedWrite<'a> {
    /// Path segments in lower case, without a legacy route's user.
    pub(super) lowercase: &'a [&'a str],
    /// Whether the method is DELETE.
    pub(super) deletes: bool,
    pub(super) query: &'a CanonicalQuery<'a>,
    /// The first bytes of the body.
    pub(super) body: &'a [u8],
    /// Users the write is about.
    pub(super) subject: WriteSubject<'a>,
}

/// Users a write is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct WriteSubject<'a> {
    own: Option<&'a str>,
    other_user: Option<&'a str>,
}

impl<'a> WriteSubject<'a> {
    /// The named user, unless it is known to be the writer.
    pub(super) fn other(self) -> Option<&'a str> {
        self.other_user.filter(|other_user| self.own != Some(*other_user))
    }

    /// Whether this is known to be the writer.
    pub(super) fn is_own(self, user: &str) -> bool {
        self.own == Some(user)
    }

    /// The user the write is about, if known.
    pub(super) fn user(self) -> Option<&'a str> {
        self.other_user.or(self.own)
    }

    /// Extends the writer's invalidations to the named user; both are needed because the writer's own
    /// responses about that user are in the writer's partition.
    fn spread(self, mut stale: Vec<TagInvalidation>) -> Vec<TagInvalidation> {
        if let Some(user) = self.other() {
            let others: Vec<TagInvalidation> = stale
                .iter()
                .filter(|staling| staling.audience == Audience::Account)
                .map(|staling| TagInvalidation { audience: Audience::User(user.to_owned()), ..staling.clone() })
                .collect();
            stale.extend(others);
        }
        stale
    }
}

/// Classifies a request with a writing method.
pub(super) fn classify_write(request: &RequestView<'_>, address: &JellyfinPath<'_>, own: Option<&str>) -> Write {
    let lowercase = address.lowercase_segments();
    let read = CanonicalQuery::parse(address.query(), DeviceIdRole::Ignored);
    let broken = read.is_err();
    let query = read.unwrap_or_default();
    let (user, lowercase) = split_user(&lowercase);
    let other_user = user.as_deref().or(query.user());
    let change = ParsedWrite {
        lowercase: &lowercase,
        deletes: request.method == http::Method::DELETE,
        query: &query,
        body: request.body,
        subject: WriteSubject { own, other_user },
    };
    let mut write = playback::find(&change)
        .or_else(|| library_write::find(&change))
        .or_else(|| account::find(&change))
        .unwrap_or_else(unknown);
    write.edit = edit::find(&change);
    if broken || contradicts(user.as_deref(), query.user()) {
        write.invalidations = all();
        write.throttled = None;
        write.edit = None;
    }
    write.invalidations = change.subject.spread(write.invalidations);
    if let Some(throttled) = &mut write.throttled {
        throttled.invalidations = change.subject.spread(std::mem::take(&mut throttled.invalidations));
    }
    write
}

/// A write with this name and these invalidations.
pub(super) fn write(name: &'static str, stale: Vec<TagInvalidation>) -> Write {
    Write { name, invalidations: stale, throttled: None, revokes: TokenRevocation::Nothing, edit: None }
}

/// Invalidations of these tags for everyone.
pub(super) fn for_everyone(tags: impl IntoIterator<Item = Tag>) -> Vec<TagInvalidation> {
    tags.into_iter().map(TagInvalidation::everyone).collect()
}

/// Invalidates all responses of the server.
pub(super) fn all() -> Vec<TagInvalidation> {
    for_everyone([Tag::all()])
}

fn unknown() -> Write {
    write("unknown", all())
}

/// Splits the user off the legacy routes for user state: `/Users/{user}/PlayedItems/{id}` and the like.
fn split_user<'a>(lowercase: &[&'a str]) -> (Option<String>, Vec<&'a str>) {
    match lowercase {
        ["users", user, family @ ("playeditems" | "favoriteitems" | "playingitems" | "items"), rest @ ..] => {
            let family = match *family {
                "playeditems" => "userplayeditems",
                "favoriteitems" => "userfavoriteitems",
                "items" => "useritems",
                other => other,
            };
            (Some(guid::normalize(user).into_owned()), [&[family], rest].concat())
        }
        _ => (None, lowercase.to_vec()),
    }
}

fn contradicts(path: Option<&str>, query: Option<&str>) -> bool {
    matches!((path, query), (Some(path), Some(query)) if path != query)
}
