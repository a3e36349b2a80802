//! What a write makes stale. A write that no table knows makes everything stale for everybody.

use super::address::Address;
use super::query::{Devices, Query};
use super::{account, edit, guid, playback};
use crate::ask::Ask;
use crate::tag::{Staling, Tag, Whose};
use crate::verdict::{Forgets, Write};

/// A write, taken apart.
pub(super) struct Change<'a> {
    /// The segments of the path, in lower case, without an old route's user.
    pub(super) low: &'a [&'a str],
    /// Whether it takes something away.
    pub(super) deletes: bool,
    /// The query.
    pub(super) query: &'a Query<'a>,
    /// The first bytes of the body.
    pub(super) body: &'a [u8],
    /// Whom it is about.
    pub(super) author: Author<'a>,
}

/// Whom a write is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Author<'a> {
    own: Option<&'a str>,
    named: Option<&'a str>,
}

impl<'a> Author<'a> {
    /// The user that is named, if it is not known to be the writer.
    fn other(self) -> Option<&'a str> {
        self.named.filter(|named| self.own != Some(*named))
    }

    /// The user it is about, as far as that is known.
    pub(super) fn user(self) -> Option<&'a str> {
        self.named.or(self.own)
    }

    /// What is stale for the writer is stale for the user that is named, too: the writer's own answers about that
    /// user are kept in the writer's partition.
    fn spread(self, mut stale: Vec<Staling>) -> Vec<Staling> {
        if let Some(user) = self.other() {
            let theirs: Vec<Staling> = stale
                .iter()
                .filter(|staling| staling.whose == Whose::Account)
                .map(|staling| Staling { whose: Whose::User(user.to_owned()), ..staling.clone() })
                .collect();
            stale.extend(theirs);
        }
        stale
    }
}

/// What a request with a writing method makes stale.
pub(super) fn judge(ask: &Ask<'_>, address: &Address<'_>, own: Option<&str>) -> Write {
    let low = address.low();
    let read = Query::read(address.query(), Devices::Idle);
    let broken = read.is_err();
    let query = read.unwrap_or_default();
    let (user, low) = split_user(&low);
    let named = user.as_deref().or(query.user());
    let change = Change {
        low: &low,
        deletes: ask.method == http::Method::DELETE,
        query: &query,
        body: ask.body,
        author: Author { own, named },
    };
    let mut write = playback::find(&change)
        .or_else(|| edit::find(&change))
        .or_else(|| account::find(&change))
        .unwrap_or_else(unknown);
    if broken || contradicts(user.as_deref(), query.user()) {
        write.stale = everything();
        write.minutely = None;
    }
    write.stale = change.author.spread(write.stale);
    if let Some(minutely) = &mut write.minutely {
        minutely.stale = change.author.spread(std::mem::take(&mut minutely.stale));
    }
    write
}

/// A write by this name that makes these answers stale.
pub(super) fn write(name: &'static str, stale: Vec<Staling>) -> Write {
    Write { name, stale, minutely: None, forgets: Forgets::Nobody }
}

/// These tags' answers are stale for everybody.
pub(super) fn for_everyone(tags: impl IntoIterator<Item = Tag>) -> Vec<Staling> {
    tags.into_iter().map(Staling::everyone).collect()
}

/// All answers of the server are stale.
pub(super) fn everything() -> Vec<Staling> {
    for_everyone([Tag::all()])
}

fn unknown() -> Write {
    write("unknown", everything())
}

/// Takes the user out of the old routes about what a user did: `/Users/{user}/PlayedItems/{id}` and its like.
fn split_user<'a>(low: &[&'a str]) -> (Option<String>, Vec<&'a str>) {
    match low {
        ["users", user, family @ ("playeditems" | "favoriteitems" | "playingitems" | "items"), rest @ ..] => {
            let family = match *family {
                "playeditems" => "userplayeditems",
                "favoriteitems" => "userfavoriteitems",
                "items" => "useritems",
                other => other,
            };
            (Some(guid::normal(user).into_owned()), [&[family], rest].concat())
        }
        _ => (None, low.to_vec()),
    }
}

fn contradicts(path: Option<&str>, query: Option<&str>) -> bool {
    matches!((path, query), (Some(path), Some(query)) if path != query)
}
