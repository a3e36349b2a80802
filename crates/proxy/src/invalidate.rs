//! Invalidates cache entries after writes and events.
//!
//! The dialects name the changed tags and their audience; this module applies them to the engine. Three rules:
//! - After a write that the server confirmed, the writer's own older entries are purged: an error is better than a
//!   response from before the write. Other partitions' entries are invalidated, and may be served if a load fails.
//! - After a write with unknown outcome, everything it touches is invalidated and not stored for a while.
//! - A change of an account invalidates every partition except those proven to belong to another account.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::{GracePeriod, Invalidation, InvalidationMode, Partition, Scope};
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use greenroom_library::lineage::Lineage;
use http::StatusCode;

use crate::identity::Identity;
use crate::proxy_request::ProxyRequest;
use crate::server::Server;

/// For this time after a confirmed write, a loaded response may still be the server's own older copy …
const GRACE_PERIOD: Duration = Duration::from_secs(3);
/// … and is fresh for at most this long.
const GRACE_FRESHNESS: Duration = Duration::from_secs(1);
/// For this time after a write of unknown outcome, nothing it touches is stored.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// Source of an invalidation.
#[derive(Debug, Clone, Copy)]
pub enum InvalidationSource<'a> {
    /// A write of this identity that the server confirmed.
    ConfirmedWrite(&'a Identity),
    /// A playback report of this identity that the server accepted. The next one follows within seconds, so entries
    /// loaded after it have their usual TTL.
    PlaybackReport(&'a Identity),
    /// A write of this identity with unknown outcome.
    UnconfirmedWrite(&'a Identity),
    /// An event on Greenroom's own socket, which belongs to this identity.
    ServerEvent(&'a Identity),
    /// An event to a client of this identity, on a socket that passes through.
    ClientEvent(&'a Identity),
}

impl<'a> InvalidationSource<'a> {
    /// Identity of the source.
    pub fn identity(self) -> &'a Identity {
        match self {
            Self::ConfirmedWrite(identity)
            | Self::PlaybackReport(identity)
            | Self::UnconfirmedWrite(identity)
            | Self::ServerEvent(identity)
            | Self::ClientEvent(identity) => identity,
        }
    }
}

/// Applies invalidations. When this returns, no later read is served an entry they cover.
pub fn apply(server: &Server, stalings: &[TagInvalidation], by: InvalidationSource<'_>) {
    if stalings.is_empty() {
        return;
    }
    for staling in with_ancestors(&server.invalidation.lineage.lock(), stalings) {
        apply_one(server, &staling, by);
    }
}

/// Purges the partitions of all known identities. Unknown ones are purged when first seen.
pub fn purge_all_identities(server: &Server) {
    for identity in server.identities.all() {
        server.purge_partition(&identity);
    }
}

/// If this status rejects the token, revokes its grants and purges its entries. Requests without a token, or with
/// several, say nothing about one.
pub fn apply_refusal(visit: &ProxyRequest, status: StatusCode) {
    if matches!(status.as_u16(), 401 | 498) && !visit.identity.is_anonymous() && !visit.credential.ambiguous {
        visit.server.record_refused(&visit.identity);
        visit.identity.refuse();
        visit.server.purge_partition(&visit.identity);
    }
}

/// An identity lost its last live signal: invalidates entries that had a longer fresh time because of it.
pub fn invalidate_after_signal_loss(server: &Server, identity: &Identity) {
    for partition in same_account(server, identity) {
        mark(server, Some(partition), &Tag::user_state(), &invalidation_for(InvalidationMode::MarkStale));
    }
}

/// A socket of this identity was interrupted: invalidates everything it could have reported.
pub fn invalidate_missed(server: &Server, identity: &Identity) {
    for partition in same_account(server, identity) {
        let scope = Scope::Partition { namespace: server.name().into(), partition };
        server.invalidate(&scope, &invalidation_for(InvalidationMode::MarkStale));
    }
}

/// A section's change counter moved: invalidates its lists and items.
pub fn invalidate_section(server: &Server, section: &str, identity: &Identity) {
    apply(server, &greenroom_dialect::plex::section_changed(section), InvalidationSource::ServerEvent(identity));
}

/// Invalidates everything of the server.
pub fn invalidate_all(server: &Server) {
    server.invalidate(&Scope::Namespace(server.name().into()), &invalidation_for(InvalidationMode::MarkStale));
}

fn apply_one(server: &Server, staling: &TagInvalidation, by: InvalidationSource<'_>) {
    let writer = by.identity();
    let others = Invalidation {
        mode: InvalidationMode::MarkStale,
        grace_period: matches!(by, InvalidationSource::ConfirmedWrite(_))
            .then_some(GracePeriod { duration: GRACE_PERIOD, max_fresh: GRACE_FRESHNESS }),
        unstorable_for: matches!(by, InvalidationSource::UnconfirmedWrite(_)).then_some(UNKNOWN_FOR),
    };
    match affected_partitions(server, &staling.audience, by) {
        AffectedPartitions::All => mark(server, None, &staling.tag, &others),
        AffectedPartitions::These(partitions) => {
            for partition in partitions {
                mark(server, Some(partition), &staling.tag, &others);
            }
        }
    }
    if matches!(by, InvalidationSource::ConfirmedWrite(_) | InvalidationSource::PlaybackReport(_)) {
        let own = Invalidation { mode: InvalidationMode::Purge, ..others };
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

fn invalidation_for(mode: InvalidationMode) -> Invalidation {
    Invalidation { mode, grace_period: None, unstorable_for: None }
}

enum AffectedPartitions {
    All,
    These(Vec<Partition>),
}

/// The partitions in which a tag is invalidated.
fn affected_partitions(server: &Server, whose: &Audience, by: InvalidationSource<'_>) -> AffectedPartitions {
    let account: Option<Arc<str>> = match (whose, by) {
        (Audience::Account, InvalidationSource::ClientEvent(identity)) => {
            return AffectedPartitions::These(same_account(server, identity));
        }
        (Audience::Everyone, InvalidationSource::ClientEvent(identity)) if server.origin.settings.token.is_some() => {
            return AffectedPartitions::These(same_account(server, identity));
        }
        (Audience::Everyone, _) => return AffectedPartitions::All,
        (Audience::User(user), _) => Some(user.as_str().into()),
        (Audience::Account, _) => by.identity().account(),
    };
    let Some(account) = account else { return AffectedPartitions::All };
    // The disk may hold entries of identities unknown here, which a later process may take for known ones. Set before
    // the list is made, so that an identity registered after it sees the flag.
    if server.cache.disk_stats().is_some()
        && !(server.known_tokens.are_complete() && server.invalidation.partial_invalidation.is_allowed())
    {
        server.identities.revocations().mark_dirty();
        return AffectedPartitions::All;
    }
    let is_anothers = |identity: &Identity| identity.account().is_some_and(|other| other != account);
    let everybody = server.identities.all();
    if !everybody.iter().any(|identity| is_anothers(identity)) {
        return AffectedPartitions::All;
    }
    let mut partitions: Vec<Partition> = everybody
        .iter()
        .filter(|identity| !is_anothers(identity))
        .map(|identity| identity.partition().clone())
        .collect();
    partitions.extend([server.partitions.public.clone(), server.partitions.images.clone()]);
    AffectedPartitions::These(partitions)
}

/// Partitions known to belong to the same account, including the identity's own.
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

/// Adds the ancestors of items where requested. If those are unknown, every container is invalidated.
fn with_ancestors(lineage: &Lineage, stalings: &[TagInvalidation]) -> Vec<TagInvalidation> {
    let mut all: Vec<TagInvalidation> = Vec::with_capacity(stalings.len());
    let mut seen = HashSet::new();
    let mut push = |staling: TagInvalidation| {
        if seen.insert(staling.clone()) {
            all.push(staling);
        }
    };
    for staling in stalings {
        push(TagInvalidation { with_ancestors: false, ..staling.clone() });
        let Some(item) = staling.tag.as_str().strip_prefix("item:").filter(|_| staling.with_ancestors) else {
            continue;
        };
        let above = |tag| TagInvalidation { tag, audience: staling.audience.clone(), with_ancestors: false };
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
        lineage.record_parent("3", Some("2"));
        lineage.record_parent("2", Some("1"));
        lineage.record_parent("1", None);
        let stale = with_ancestors(&lineage, &[TagInvalidation::account(Tag::item("3")).with_ancestors()]);
        let tags: Vec<&str> = stale.iter().map(|staling| staling.tag.as_str()).collect();
        assert_eq!(tags, ["item:3", "items", "item:2", "item:1"]);
    }

    #[test]
    fn an_item_of_unknown_place_reaches_every_container() {
        let stale = with_ancestors(&Lineage::new(10), &[TagInvalidation::account(Tag::item("3")).with_ancestors()]);
        let tags: Vec<&str> = stale.iter().map(|staling| staling.tag.as_str()).collect();
        assert_eq!(tags, ["item:3", "items", "branch"]);
    }
}
