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
use greenroom_dialect::own_user::TokenOwner;
use greenroom_dialect::reach;
use greenroom_dialect::tag::{Audience, Tag, TagInvalidation};
use http::{HeaderMap, StatusCode};

use crate::identity::Identity;
use crate::proxy_request::ProxyRequest;
use crate::server::Server;

/// For this time after a confirmed write, a loaded response may still be the server's own older copy …
const GRACE_PERIOD: Duration = Duration::from_secs(3);
/// … and is fresh for at most this long.
const GRACE_FRESHNESS: Duration = Duration::from_secs(1);
/// For this time after a write of unknown outcome, nothing it touches is stored.
const UNSTORABLE_FOR: Duration = Duration::from_secs(60);
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
pub fn apply(server: &Server, invalidations: &[TagInvalidation], source: InvalidationSource<'_>) {
    if invalidations.is_empty() {
        return;
    }
    let expanded = {
        let mut lineage = server.invalidation.lineage.lock();
        reach::record_companions(&mut lineage, invalidations);
        let expanded = reach::expanded(&lineage, invalidations);
        reach::forget_changed_sets(&mut lineage, invalidations);
        expanded
    };
    for invalidation in expanded {
        apply_one(server, &invalidation, source);
    }
}

/// Purges the partitions of all known identities and their accounts. Unknown tokens' are purged when first seen.
pub fn purge_all_identities(server: &Server) {
    if server.cache.is_shared() {
        // Other gateways know tokens that are unknown here.
        server.invalidate(&Scope::Namespace(server.name().into()), &Invalidation::purge());
    }
    let identities = server.identities.all();
    let accounts = identities.iter().filter_map(|identity| server.account_partition_of(identity));
    let accounts: HashSet<Partition> = accounts.chain([server.api_key_partition()]).collect();
    for partition in &accounts {
        server.purge(partition);
    }
    for identity in &identities {
        server.forget_token(identity);
    }
}

/// If this response rejects the token, revokes its grants and purges its own entries. Requests without a token, or with
/// several, say nothing about one.
pub fn apply_token_rejection(request: &ProxyRequest, status: StatusCode, headers: &HeaderMap) {
    if request.server.origin.settings.kind.rejects_token(status, headers)
        && !request.classified.identity.is_anonymous()
        && !request.classified.credential.ambiguous
    {
        request.server.record_refused(&request.classified.identity);
        request.classified.identity.refuse();
        request.server.forget_token(&request.classified.identity);
    }
}

/// An identity lost its last live signal: invalidates entries that had a longer fresh time because of it.
pub fn invalidate_after_signal_loss(server: &Server, identity: &Identity) {
    for partition in same_account(server, identity) {
        invalidate_tag(server, Some(partition), &Tag::user_state(), &invalidation_for(InvalidationMode::MarkStale));
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

fn apply_one(server: &Server, invalidation: &TagInvalidation, source: InvalidationSource<'_>) {
    let writer = source.identity();
    let others = Invalidation {
        mode: InvalidationMode::MarkStale,
        grace_period: matches!(source, InvalidationSource::ConfirmedWrite(_))
            .then_some(GracePeriod { duration: GRACE_PERIOD, max_fresh: GRACE_FRESHNESS }),
        unstorable_for: matches!(source, InvalidationSource::UnconfirmedWrite(_)).then_some(UNSTORABLE_FOR),
    };
    match affected_partitions(server, &invalidation.audience, source) {
        AffectedPartitions::All => invalidate_tag(server, None, &invalidation.tag, &others),
        AffectedPartitions::These(partitions) => {
            for partition in partitions {
                invalidate_tag(server, Some(partition), &invalidation.tag, &others);
            }
        }
    }
    if matches!(source, InvalidationSource::ConfirmedWrite(_) | InvalidationSource::PlaybackReport(_)) {
        let own = Invalidation { mode: InvalidationMode::Purge, ..others };
        for partition in same_account(server, writer) {
            invalidate_tag(server, Some(partition), &invalidation.tag, &own);
        }
    }
}

fn invalidate_tag(server: &Server, partition: Option<Partition>, tag: &Tag, invalidation: &Invalidation) {
    let namespace = server.name().into();
    let scope = if *tag == Tag::all() {
        match partition {
            Some(partition) => Scope::Partition { namespace, partition },
            None => Scope::Namespace(namespace),
        }
    } else {
        Scope::Tag { namespace, partition, tag: tag.as_str().into() }
    };
    server.invalidate(&scope, invalidation);
}

fn invalidation_for(mode: InvalidationMode) -> Invalidation {
    Invalidation { mode, grace_period: None, unstorable_for: None }
}

enum AffectedPartitions {
    All,
    These(Vec<Partition>),
}

/// The partitions in which a tag is invalidated.
fn affected_partitions(server: &Server, audience: &Audience, source: InvalidationSource<'_>) -> AffectedPartitions {
    let account: Option<Arc<str>> = match (audience, source) {
        (Audience::Account, InvalidationSource::ClientEvent(identity)) => {
            return AffectedPartitions::These(same_account(server, identity));
        }
        (Audience::Everyone, InvalidationSource::ClientEvent(identity)) if server.origin.settings.token.is_some() => {
            return AffectedPartitions::These(same_account(server, identity));
        }
        (Audience::Everyone, _) => return AffectedPartitions::All,
        (Audience::User(user), _) => Some(user.as_str().into()),
        (Audience::Account, _) => source.identity().account(),
    };
    let Some(account) = account else { return AffectedPartitions::All };
    // Other gateways hold partitions of tokens that are unknown here.
    if server.cache.is_shared() {
        return AffectedPartitions::All;
    }
    // Disk and remote store may hold entries of identities unknown here, which a later process may take for known ones. Set before
    // the list is made, so that an identity registered after it sees the flag.
    if server.cache.outlives_process()
        && !(server.known_tokens.are_complete() && server.invalidation.partial_invalidation.is_allowed())
    {
        server.identities.revocations().mark_dirty();
        return AffectedPartitions::All;
    }
    let belongs_to_another = |identity: &Identity| identity.account().is_some_and(|other| other != account);
    let identities = server.identities.all();
    if !identities.iter().any(|identity| belongs_to_another(identity)) {
        return AffectedPartitions::All;
    }
    // A token that shares no partition may be of any account, and an API key may show any user's state.
    let alone = identities.iter().filter(|identity| identity.shared_partition().is_none());
    let mut partitions: Vec<Partition> =
        alone.filter(|identity| !belongs_to_another(identity)).map(|identity| identity.token().clone()).collect();
    partitions.push(server.identities.account_partition(&TokenOwner::User(account.to_string())));
    partitions.extend([server.api_key_partition(), server.partitions.public.clone(), server.partitions.images.clone()]);
    AffectedPartitions::These(partitions)
}

/// The partition of the identity's account, and its token's own while it does not share that.
fn same_account(server: &Server, identity: &Identity) -> Vec<Partition> {
    let own = identity.shared_partition().is_none().then(|| identity.token().clone());
    own.into_iter().chain(server.account_partition_of(identity)).collect()
}
