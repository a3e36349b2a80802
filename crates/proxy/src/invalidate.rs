//! What a write or an event does to what is kept.
//!
//! The dialects say which tags went stale and for whom; here that becomes marks in the engine. Three rules:
//! - After a write that the server confirmed, the writer's own older answers are purged: the writer gets an error
//!   rather than an answer from before the write. Everybody else's are marked, and may be served if the server
//!   cannot be asked.
//! - After a write whose outcome is not known, everything it touches is marked and stays unstorable for a while.
//! - What concerns an account is stale in every partition except those proven to be another account's.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{Invalidation, Mode, Partition, Scope, Settle};
use greenroom_dialect::tag::{Staling, Tag, Whose};
use greenroom_library::lineage::Lineage;
use http::StatusCode;

use crate::identity::Identity;
use crate::server::Server;
use crate::visit::Visit;

/// For so long after a confirmed write, what is loaded may still be the server's own older copy …
const SETTLE_FOR: Duration = Duration::from_secs(3);
/// … and is fresh for at most this long.
const SETTLE_FRESH: Duration = Duration::from_secs(1);
/// For so long after a write of unknown outcome nothing it touches is stored.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// Whose word it is that something is stale.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// A write of this identity that the server confirmed.
    Confirmed(&'a Identity),
    /// A playback report of this identity that the server took: the next one follows within seconds anyway, so what
    /// is loaded after it may live as long as it usually does.
    Reported(&'a Identity),
    /// A write of this identity of which nobody knows whether it happened.
    Unknown(&'a Identity),
    /// The server told us over our own socket, which belongs to this identity.
    Follower(&'a Identity),
    /// The server told a client of this identity, over a socket that passes through us.
    Client(&'a Identity),
}

impl<'a> By<'a> {
    /// Whose it is.
    pub fn identity(self) -> &'a Identity {
        match self {
            Self::Confirmed(identity)
            | Self::Reported(identity)
            | Self::Unknown(identity)
            | Self::Follower(identity)
            | Self::Client(identity) => identity,
        }
    }
}

/// Marks what went stale. When this returns, no later read is answered with what it covers.
pub fn apply(server: &Server, stalings: &[Staling], by: By<'_>) {
    if stalings.is_empty() {
        return;
    }
    for staling in with_ancestors(&server.invalidation.lineage.lock(), stalings) {
        apply_one(server, &staling, by);
    }
}

/// Drops everything of everybody who showed a token. Whoever is not known now loses it when he is seen.
pub fn purge_everybody(server: &Server) {
    for identity in server.identities.all() {
        server.purge_partition(&identity);
    }
}

/// If this status refuses the token: nothing is proven by it any more, and what was kept for it is gone. What was asked
/// without a token, or with several, says nothing about one.
pub fn heed_refusal(visit: &Visit, status: StatusCode) {
    if matches!(status.as_u16(), 401 | 498) && !visit.identity.is_anonymous() && !visit.credential.ambiguous {
        visit.server.note_refused(&visit.identity);
        visit.identity.refuse();
        visit.server.purge_partition(&visit.identity);
    }
}

/// An identity has no live signal any more: what was kept for longer because of it is to be asked again.
pub fn lost_signal(server: &Server, identity: &Identity) {
    for partition in same_account(server, identity) {
        mark(server, Some(partition), &Tag::user_state(), &how(Mode::Mark));
    }
}

/// A socket of this identity was away for a while: whatever it would have told is to be asked for.
pub fn missed(server: &Server, identity: &Identity) {
    for partition in same_account(server, identity) {
        let scope = Scope::Partition { namespace: server.name().into(), partition };
        server.invalidate(&scope, &how(Mode::Mark));
    }
}

/// A section's change counter moved: whatever changed in it, its lists and items are to be asked again.
pub fn section_changed(server: &Server, section: &str, identity: &Identity) {
    apply(server, &greenroom_dialect::plex::section_changed(section), By::Follower(identity));
}

/// Everything of the server is to be asked again.
pub fn everything(server: &Server) {
    server.invalidate(&Scope::Namespace(server.name().into()), &how(Mode::Mark));
}

fn apply_one(server: &Server, staling: &Staling, by: By<'_>) {
    let writer = by.identity();
    let others = Invalidation {
        mode: Mode::Mark,
        settle: matches!(by, By::Confirmed(_))
            .then_some(Settle { lasting: SETTLE_FOR, max_fresh: SETTLE_FRESH }),
        unstorable_for: matches!(by, By::Unknown(_)).then_some(UNKNOWN_FOR),
    };
    match concerned(server, &staling.whose, by) {
        Concerned::All => mark(server, None, &staling.tag, &others),
        Concerned::These(partitions) => {
            for partition in partitions {
                mark(server, Some(partition), &staling.tag, &others);
            }
        }
    }
    if matches!(by, By::Confirmed(_) | By::Reported(_)) {
        let own = Invalidation { mode: Mode::Purge, ..others };
        for partition in same_account(server, writer) {
            mark(server, Some(partition), &staling.tag, &own);
        }
    }
}

fn mark(server: &Server, partition: Option<Partition>, tag: &Tag, how: &Invalidation) {
    let namespace = server.name().into();
    let scope = if *tag == Tag::all() {
        match partition {
            Some(partition) => Scope::Partition { namespace, partition },
            None => Scope::Namespace(namespace),
        }
    } else {
        Scope::Tag { namespace, partition, tag: tag.as_str().into() }
    };
    server.invalidate(&scope, how);
}

fn how(mode: Mode) -> Invalidation {
    Invalidation { mode, settle: None, unstorable_for: None }
}

enum Concerned {
    All,
    These(Vec<Partition>),
}

/// In which partitions a tag is to be marked.
fn concerned(server: &Server, whose: &Whose, by: By<'_>) -> Concerned {
    let account: Option<Arc<str>> = match (whose, by) {
        (Whose::Account, By::Client(identity)) => {
            return Concerned::These(same_account(server, identity));
        }
        (Whose::Everyone, By::Client(identity)) if server.origin.settings.token.is_some() => {
            return Concerned::These(same_account(server, identity));
        }
        (Whose::Everyone, _) => return Concerned::All,
        (Whose::User(user), _) => Some(user.as_str().into()),
        (Whose::Account, _) => by.identity().account(),
    };
    let Some(account) = account else { return Concerned::All };
    // On disk there may be something of those we never knew; a later process may take them for old acquaintances.
    // Before the list is made: whoever comes too late for it finds it said.
    if server.cache.disk_stats().is_some()
        && !(server.known_tokens.are_complete() && server.invalidation.choosiness.is_allowed())
    {
        server.identities.refused().note_news();
        return Concerned::All;
    }
    let is_anothers = |identity: &Identity| identity.account().is_some_and(|other| other != account);
    let everybody = server.identities.all();
    if !everybody.iter().any(|identity| is_anothers(identity)) {
        return Concerned::All;
    }
    let mut partitions: Vec<Partition> = everybody
        .iter()
        .filter(|identity| !is_anothers(identity))
        .map(|identity| identity.partition().clone())
        .collect();
    partitions.extend([server.partitions.public.clone(), server.partitions.images.clone()]);
    Concerned::These(partitions)
}

/// The partitions that are known to belong to the same account, the identity's own among them.
fn same_account(server: &Server, identity: &Identity) -> Vec<Partition> {
    let mut partitions = vec![identity.partition().clone()];
    if let Some(account) = identity.account() {
        for other in server.identities.all() {
            if other.account().as_ref() == Some(&account) && other.partition() != identity.partition() {
                partitions.push(other.partition().clone());
            }
        }
    }
    partitions
}

/// The same, with the items above added where asked for. If those are not known, every container is.
fn with_ancestors(lineage: &Lineage, stalings: &[Staling]) -> Vec<Staling> {
    let mut all: Vec<Staling> = Vec::with_capacity(stalings.len());
    let mut seen = HashSet::new();
    let mut push = |staling: Staling| {
        if seen.insert(staling.clone()) {
            all.push(staling);
        }
    };
    for staling in stalings {
        push(Staling { with_ancestors: false, ..staling.clone() });
        let Some(item) = staling.tag.as_str().strip_prefix("item:").filter(|_| staling.with_ancestors) else {
            continue;
        };
        let above = |tag| Staling { tag, whose: staling.whose.clone(), with_ancestors: false };
        push(above(Tag::many_items()));
        match lineage.ancestors(item) {
            Some(ancestors) => ancestors.iter().for_each(|id| push(above(Tag::item(id)))),
            None => push(above(Tag::branch())),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_episode_reaches_its_season_and_show() {
        let mut lineage = Lineage::new(10);
        lineage.learn("3", Some("2"));
        lineage.learn("2", Some("1"));
        lineage.learn("1", None);
        let stale = with_ancestors(&lineage, &[Staling::account(Tag::item("3")).and_ancestors()]);
        let tags: Vec<&str> = stale.iter().map(|staling| staling.tag.as_str()).collect();
        assert_eq!(tags, ["item:3", "items", "item:2", "item:1"]);
    }

    #[test]
    fn an_item_of_unknown_place_reaches_every_container() {
        let stale = with_ancestors(&Lineage::new(10), &[Staling::account(Tag::item("3")).and_ancestors()]);
        let tags: Vec<&str> = stale.iter().map(|staling| staling.tag.as_str()).collect();
        assert_eq!(tags, ["item:3", "items", "branch"]);
    }
}
